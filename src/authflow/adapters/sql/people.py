"""People in SQL, and whose they are: ours, or the host's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.hosted import OrganizationTable, UserTable
from authflow.adapters.sql.organizations import OrganizationStatements, SqlOrganizations
from authflow.adapters.sql.read_once import ReadOnce
from authflow.errors import ConfigInvalid
from authflow.ports import User, UserAddress
from authflow.values import Address, UserId, fold_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tables.shared import SharedTables
    from authflow.ports import Organizations, Users
    from authflow.sso.ports import Registrar

    UsersFactory = Callable[[Connection], Users]
    OrganizationsFactory = Callable[[Connection], Organizations]
    RegistrarFactory = Callable[[Connection], Registrar]


def users_of(t: SharedTables, given: UserTable | UsersFactory | None) -> UsersFactory:
    """Return what makes the people of a transaction: from our tables, from the host's, or as the host itself does it.

    Raises:
        ConfigInvalid: *given* is nothing of these.
    """
    if given is None:
        statements = UserStatements.of(t)
        return lambda connection: SqlUsers(connection, statements)
    if isinstance(given, UserTable):
        return given.reader()
    _require_callable(given, setting="users", problem="must be a UserTable, or a function of the connection")
    return given


def organizations_of(
    t: SharedTables, member: sa.Table, given: OrganizationTable | OrganizationsFactory | None
) -> OrganizationsFactory:
    """Return what makes the organizations of a transaction, as `users_of` does. *member* says who belongs where.

    Raises:
        ConfigInvalid: *given* is nothing of these.
    """
    if given is None:
        statements = OrganizationStatements.of(t, member)
        return lambda connection: SqlOrganizations(connection, statements)
    if isinstance(given, OrganizationTable):
        return given.reader(member)
    problem = "must be an OrganizationTable, or a function of the connection"
    _require_callable(given, setting="organizations", problem=problem)
    return given


def registrar_of(given: RegistrarFactory | None) -> RegistrarFactory | None:
    """Return what makes the host's registrar of a transaction; none where the host has none.

    Raises:
        ConfigInvalid: *given* is no function.
    """
    if given is not None:
        _require_callable(given, setting="registrar", problem="must be a function of the connection")
    return given


def _require_callable(given: object, *, setting: str, problem: str) -> None:
    if not callable(given):
        raise ConfigInvalid(setting=setting, problem=problem)


@attrs.frozen(kw_only=True)
class UserStatements:
    """Every statement about people, built once."""

    get: sa.Executable
    holders: sa.Executable
    verify: sa.Executable
    drop_unproven: sa.Executable
    drop_resets: sa.Executable
    remove_addresses: sa.Executable
    remove: sa.Executable
    add: sa.Executable
    update: sa.Executable
    add_address: sa.Executable
    add_reset: sa.Executable

    @classmethod
    def of(cls, t: SharedTables) -> UserStatements:
        user, address, reset = t.user, t.user_address, t.password_reset
        joined = user.outerjoin(address, address.c.user_id == user.c.id)
        owner = sa.bindparam("owner", type_=sa.String())
        where = [address.c.user_id == owner, address.c.folded == sa.bindparam("which")]
        claimed = [address.c.folded == sa.bindparam("which"), address.c.verified_at.is_(None)]
        claimed.append(address.c.user_id != sa.bindparam("keeper"))
        return cls(
            get=sa.select(user, address.c.address, address.c.is_primary, address.c.verified_at)
            .select_from(joined)
            .where(user.c.id == owner)
            .order_by(address.c.folded),
            holders=sa.select(address.c.user_id, address.c.verified_at).where(
                address.c.folded == sa.bindparam("which")
            ),
            verify=sa.update(address).where(*where).values(verified_at=sa.bindparam("at")),
            drop_unproven=sa.delete(address).where(*claimed),
            drop_resets=sa.delete(reset).where(reset.c.user_id == owner),
            remove_addresses=sa.delete(address).where(address.c.user_id == owner),
            remove=sa.delete(user).where(user.c.id == owner),
            add=sa.insert(user),
            update=sa.update(user)
            .where(user.c.id == owner)
            .values({name: sa.bindparam(f"new_{name}") for name in ("label", "name", "active", "administrator")}),
            add_address=sa.insert(address),
            add_reset=sa.insert(reset),
        )


class SqlUsers:
    """`authflow.ports.Users` in SQL. A person, and who holds an address, is read once, and again after a change."""

    def __init__(self, connection: Connection, statements: UserStatements) -> None:
        self._connection, self._sql = connection, statements
        self._read: ReadOnce[UserId, User | None] = ReadOnce(connection)
        self._holders: dict[str, dict[UserId, bool]] = {}  # of a folded address, and whether they have it verified

    def get(self, user: UserId) -> User | None:
        def read() -> User | None:
            rows = self._connection.run(self._sql.get, {"owner": user}).all()
            return _user(rows[0], [row for row in rows if row.address is not None]) if rows else None

        return self._read.get(user, read)

    def saw(self, user: UserId, row: Row | None, addresses: Sequence[Row]) -> None:
        """Remember the row of *user*, or that there is none, with their addresses, unless it is known already."""
        self._read.saw(user, None if row is None else _user(row, addresses))

    def again(self, user: UserId) -> Callable[[], object] | None:
        """Return what reads *user*, once they are forgotten; none if they were not read, or were added here."""
        return partial(self.get, user) if user in self._read.passing() else None

    def forget(self) -> None:
        """Read everybody again when they are next asked for, but who was added here: a lock was waited for."""
        self._read.forget()
        self._holders.clear()

    def _changed(self, user: UserId) -> None:
        self._read.drop(user)
        self._holders.clear()

    def holders(self, address: Address) -> tuple[UserId, ...]:
        return tuple(sorted(user for user, proven in self._all_holders(fold_address(address)).items() if proven))

    def _all_holders(self, folded: str) -> dict[UserId, bool]:
        if folded not in self._holders:
            rows = self._connection.run(self._sql.holders, {"which": folded})
            self._holders[folded] = {UserId(row.user_id): row.verified_at is not None for row in rows}
        return self._holders[folded]

    def record_verified(self, user: UserId, address: Address, at: datetime) -> bool:
        self._changed(user)
        where = {"owner": user, "which": fold_address(address), "at": c.micros(at)}
        return self._connection.changed(self._sql.verify, where) == 1

    def drop_unverified(self, address: Address, *, keep: UserId) -> tuple[UserId, ...]:
        folded = fold_address(address)
        losers = sorted(user for user, proven in self._all_holders(folded).items() if not proven and user != keep)
        if losers:
            self._read.clear()
            self._holders.clear()
            self._connection.run(self._sql.drop_unproven, {"which": folded, "keeper": keep})
        return tuple(losers)

    def drop_password_resets(self, user: UserId) -> int:
        return self._connection.changed(self._sql.drop_resets, {"owner": user})

    def remove(self, user: UserId) -> bool:
        self._changed(user)
        self.drop_password_resets(user)
        self._connection.run(self._sql.remove_addresses, {"owner": user})
        return self._connection.changed(self._sql.remove, {"owner": user}) == 1

    def add(self, user: User) -> None:
        """Insert *user* with their addresses."""
        self._read.drop(user.id)
        write = self._connection.later if user.addresses else self._connection.run  # one of the two is waited for
        write(self._sql.add, {"id": user.id, **_columns(user)})
        self._add_addresses(user)
        for own in user.addresses:
            self._holders.get(fold_address(own.address), {})[user.id] = own.verified_at is not None
        if len(user.addresses) == 1:  # several would have to be put in the order of the rows
            self._read.put(user.id, user)

    def save(self, user: User) -> None:
        """Replace *user* and their addresses."""
        self._changed(user.id)
        new = {f"new_{name}": value for name, value in _columns(user).items()}
        self._connection.run(self._sql.update, {"owner": user.id, **new})
        self._connection.run(self._sql.remove_addresses, {"owner": user.id})
        self._add_addresses(user)

    def add_password_reset(self, user: UserId, digest: bytes) -> None:
        """Store an outstanding lost-password token by its digest."""
        self._connection.run(self._sql.add_reset, {"user_id": user, "digest": digest})

    def _add_addresses(self, user: User) -> None:
        rows = [
            {
                "user_id": user.id,
                "folded": fold_address(a.address),
                "address": a.address,
                "is_primary": a.primary,
                "verified_at": c.micros_or_none(a.verified_at),
            }
            for a in user.addresses
        ]
        if rows:
            self._connection.run(self._sql.add_address, rows)


def _columns(user: User) -> dict[str, Any]:
    return {"label": user.label, "name": user.name, "active": user.active, "administrator": user.administrator}


def _user(row: Row, addresses: Sequence[Row]) -> User:
    own = tuple(
        UserAddress(address=Address(a.address), primary=a.is_primary, verified_at=c.moment_or_none(a.verified_at))
        for a in addresses
    )
    who, label = UserId(row.id), row.label
    return User(id=who, label=label, name=row.name, active=row.active, administrator=row.administrator, addresses=own)
