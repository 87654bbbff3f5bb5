"""People in a table of the host's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from authflow.adapters.sql.connection import Connection
from authflow.adapters.sql.hosted.addresses import AddressColumn, AddressTable
from authflow.adapters.sql.hosted.conversion import (
    Expression,
    core,
    read,
    readable,
    require_expression,
    require_flag,
    require_text,
)
from authflow.adapters.sql.hosted.statements import HostedUserStatements, primary_of
from authflow.errors import ConfigInvalid
from authflow.ports import User, UserAddress
from authflow.values import Address, UserId, fold_address

if TYPE_CHECKING:
    from authflow.adapters.sql.hosted.rows import RowsOf

Verifier = Callable[[Connection, Any, str, datetime], bool]
"""Stores that a person's address, as the host wrote it, was verified; tells whether it did."""

Dropper = Callable[[Connection, Any, str], object]
"""Takes an address, as the host wrote it, from a person who has not verified it."""

Deleter = Callable[[Connection, Any], int]
"""Deletes something of a person; says how many rows it was."""


@attrs.frozen(kw_only=True, eq=False)
class UserTable:
    """The host's table of people, by its columns. Give columns of a `Table`, or attributes of a mapped class.

    A function of the host's is called with the open connection (its ``run(statement, parameters)`` executes
    SQLAlchemy Core inside the command's transaction) and the person's id in the host's own type. It never commits.

    Args:
        id: The id: a whole number, a UUID or a text of at most 64 characters. authflow knows it as text; a text that
            is no such id is nobody.
        label: What an audit entry calls the person: a username, an address.
        name: For pages and mails; a column, an expression or the same for all.
        active: Whether the person may sign in; a null is no.
        administrator: Whether the person acts on the whole installation; a null is no.
        addresses: Where e-mail addresses are.
        where: Who is a person at all; rows that do not match are nobody, such as softly deleted ones.
        id_type: ``int``, ``str`` or ``uuid.UUID``, where the type of the column does not say it.
        record_verified: Stores a verification; not needed where ``addresses.verified`` is a column, which is updated.
            It is called as ``function(connection, id, address, at)``, the id being in the host's own type, the address
            as the host wrote it, and *at* aware; it returns whether there was such an address.
        drop_address: Takes an unverified address from a person, because somebody else verified it (decision 19); not
            needed where ``addresses.address`` is a column: its row in a table of addresses is deleted; in the table
            of people it becomes null, or empty where it cannot be null.
        drop_password_resets: The rows of outstanding lost-password tokens, or a function that ends them; it returns
            how many they were, 0 where tokens leave no rows.
        remove: The rows of a person, their own last, or a function that deletes the person; it returns 0 or false
            where there is none.

    Raises:
        ConfigInvalid: A setting makes no sense, or is missing: ``setting`` names it.
    """

    id: Expression = attrs.field(converter=core)
    label: Expression | str = attrs.field(converter=core)
    name: Expression | str = attrs.field(converter=core, default="")
    active: Expression | bool = attrs.field(converter=core, default=True)
    administrator: Expression | bool = attrs.field(converter=core, default=False)
    addresses: AddressColumn | AddressTable
    where: Expression | None = None
    id_type: type | None = None
    record_verified: Verifier | None = None
    drop_address: Dropper | None = None
    drop_password_resets: RowsOf | Deleter | None = None
    remove: RowsOf | Deleter | None = None

    def __attrs_post_init__(self) -> None:
        require_expression(self.id, setting="users.id")
        require_text(self.label, setting="users.label")
        require_text(self.name, setting="users.name")
        require_flag(self.active, setting="users.active")
        require_flag(self.administrator, setting="users.administrator")
        _require_addresses(self.addresses)
        HostedUserStatements.of(self)  # says what is missing

    def reader(self) -> Callable[[Connection], HostedUsers]:
        """Return what makes the people of a transaction; every statement is built here, once."""
        statements = HostedUserStatements.of(self)
        return lambda connection: HostedUsers(connection, self, statements)


def _require_addresses(given: object) -> None:
    if not isinstance(given, AddressColumn):
        raise ConfigInvalid(setting="users.addresses", problem="must be an AddressColumn or an AddressTable")


@attrs.frozen
class HeldAddress:
    """An address as the host wrote it, and the key of its row."""

    text: str
    keys: tuple[Any, ...]


@attrs.frozen
class Found:
    """A person as they were read, with the host's own form of what was read."""

    id: Any
    user: User
    held: tuple[HeldAddress, ...]


class HostedUsers:
    """`authflow.ports.Users` over the host's table. A person is read once in a transaction, again after a change."""

    def __init__(self, connection: Connection, table: UserTable, statements: HostedUserStatements) -> None:
        self._connection = connection
        self._table = table
        self._sql = statements
        self._read: dict[UserId, Found | None] = {}

    def get(self, user: UserId) -> User | None:
        found = self._find(user)
        return None if found is None else found.user

    def forget(self) -> None:
        """Read everybody again when they are next asked for: a lock was waited for."""
        self._read.clear()

    def probe(self) -> None:
        """Read nobody, to see that the tables are as they are mapped.

        Raises:
            ConfigInvalid: They are not.
        """
        with readable("users"):
            self._connection.run(self._sql.get, {"owner": None})

    def holders(self, address: Address) -> tuple[UserId, ...]:
        folded = fold_address(address)
        if not _is_text(folded):
            return ()
        rows = self._connection.run(self._sql.holders, {"which": folded}).all()
        same = (self._sql.ids.text(row.id) for row in rows if fold_address(row.address) == folded)
        return tuple(sorted({UserId(owner) for owner in same if owner is not None}))

    def record_verified(self, user: UserId, address: Address, at: datetime) -> bool:
        found = self._find(user)
        if found is None:
            return False
        self.forget()
        same = [held for held in found.held if fold_address(held.text) == fold_address(address)]
        stored = [self._verify(found, held, at) for held in same]  # each, not only up to the first
        return any(stored)

    def drop_unverified(self, address: Address, *, keep: UserId) -> tuple[UserId, ...]:
        losers = [(owner, row) for owner, row in self._claimants(address) if owner != keep]
        for _, row in losers:
            self._drop_address(row)
        if losers:
            self.forget()
        return tuple(sorted({owner for owner, _ in losers}))

    def drop_password_resets(self, user: UserId) -> int:
        owner = self._sql.ids.parse(user)
        return 0 if owner is None else int(self._sql.drop_password_resets(self._connection, owner))

    def remove(self, user: UserId) -> bool:
        found = self._find(user)
        if found is None:
            return False
        self.forget()
        self._sql.drop_password_resets(self._connection, found.id)
        return bool(self._sql.remove(self._connection, found.id))

    def _verify(self, found: Found, held: HeldAddress, at: datetime) -> bool:
        if self._table.record_verified is not None:
            return bool(self._table.record_verified(self._connection, found.id, held.text, at))
        if self._sql.verify is None:
            return True  # the host stores no address that is not verified
        keys = {f"key_{number}": key for number, key in enumerate(held.keys)}
        where = {"owner": found.id, "held": held.text, **keys}
        return self._connection.changed(self._sql.verify, {**where, "at": self._sql.instants.stored(at)}) >= 1

    def _claimants(self, address: Address) -> list[tuple[UserId, Any]]:
        """Return the rows that hold *address* unverified, and whose each is."""
        folded = fold_address(address)
        if self._sql.claimants is None or not _is_text(folded):
            return []
        rows = self._connection.run(self._sql.claimants, {"which": folded}).all()
        verified = self._table.addresses.verified
        unproven = (row for row in rows if self._sql.instants.read(read(row, "verified", verified)) is None)
        owned = ((self._sql.ids.text(row.id), row) for row in unproven if fold_address(row.address) == folded)
        return [(UserId(owner), row) for owner, row in owned if owner is not None]

    def _drop_address(self, row: Any) -> None:
        if self._table.drop_address is not None:
            self._table.drop_address(self._connection, row.id, row.address)
        elif self._sql.drop_address is not None:
            keys = {f"key_{number}": getattr(row, f"key_{number}") for number in range(len(self._sql.keys))}
            self._sql.drop_address(self._connection, {"owner": row.id, "held": row.address, **keys})

    def _find(self, user: UserId) -> Found | None:
        if user not in self._read:
            self._read[user] = self._load(user)
        return self._read[user]

    def _load(self, user: UserId) -> Found | None:
        owner = self._sql.ids.parse(user)
        if owner is None:
            return None
        found = self._connection.run(self._sql.get, {"owner": owner}).all()
        rows = [row for row in found if self._sql.ids.text(row.id) == user]  # not one that only compares alike
        if not rows:
            return None
        addressed = [row for row in rows if read(row, "address", self._table.addresses.address)]
        return Found(owner, self._user(user, rows[0], addressed), tuple(self._held(row) for row in addressed))

    def _held(self, row: Any) -> HeldAddress:
        return HeldAddress(row.address, tuple(getattr(row, f"key_{n}") for n in range(len(self._sql.keys))))

    def _user(self, user: UserId, row: Any, addressed: list[Any]) -> User:
        t = self._table
        return User(
            id=user,
            label=read(row, "label", t.label) or "",
            name=read(row, "name", t.name) or "",
            active=bool(read(row, "active", t.active)),
            administrator=bool(read(row, "administrator", t.administrator)),
            addresses=tuple(self._address(each) for each in addressed),
        )

    def _address(self, row: Any) -> UserAddress:
        return UserAddress(
            address=Address(row.address),
            primary=bool(read(row, "is_primary", primary_of(self._table))),
            verified_at=self._sql.instants.read(read(row, "verified", self._table.addresses.verified)),
        )


def _is_text(text: str) -> bool:
    """Tell whether *text* can be somebody's address in a database: a lone surrogate or a NUL stands in none."""
    return text != "" and "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
