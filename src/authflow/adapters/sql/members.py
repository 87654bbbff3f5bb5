"""Members and the tombstones of removed ones in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql import membership_state as rows
from authflow.adapters.sql.membership import one_row
from authflow.adapters.sql.read_once import ReadOnce
from authflow.errors import UniqueViolated
from authflow.membership.standing import Member, Outside, Removed
from authflow.ports import Stored
from authflow.values import OrganizationId, UserId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tables.membership import MembershipTables
    from authflow.membership.standing import MemberFlag, Membership
    from authflow.values import MemberId, Role


@attrs.frozen(kw_only=True)
class MemberStatements:
    """Every statement about members and tombstones, built once."""

    load: sa.Executable
    add: sa.Executable
    update: sa.Executable
    delete: sa.Executable
    add_removed: sa.Executable
    delete_removed: sa.Executable
    user_of: sa.Executable
    of_organization: sa.Executable
    of_user: sa.Executable
    removed_of_user: sa.Executable
    with_role: sa.Executable
    lock_role: sa.Executable
    clear_flags: sa.Executable
    remove_of_user: sa.Executable
    remove_removed_of_user: sa.Executable

    @classmethod
    def of(cls, t: MembershipTables) -> MemberStatements:
        m, gone = t.member, t.removed_member
        here, mine = m.c.organization_id == sa.bindparam("place"), m.c.user_id == sa.bindparam("owner")
        same = [here, mine, m.c.version == sa.bindparam("expected")]
        tombstone = [gone.c.organization_id == sa.bindparam("place"), gone.c.user_id == sa.bindparam("owner")]
        changing: dict[str, Any] = {
            name: sa.bindparam(f"new_{name}") for name in ("id", "role", "teams", "flags", "version")
        }
        return cls(
            load=_either(sa.select(m).where(here, mine), m, sa.select(gone).where(*tombstone), gone),
            add=sa.insert(m),
            update=sa.update(m).where(*same).values(changing),
            delete=sa.delete(m).where(*same),
            add_removed=sa.insert(gone),
            delete_removed=sa.delete(gone).where(*tombstone, gone.c.version == sa.bindparam("expected")),
            user_of=sa.select(m.c.user_id).where(here, m.c.id == sa.bindparam("which")),
            of_organization=sa.select(m)
            .where(here, m.c.id > sa.bindparam("after"))
            .order_by(m.c.id)
            .limit(sa.bindparam("most")),
            of_user=sa.select(m).where(mine).order_by(m.c.organization_id),
            removed_of_user=sa.select(gone)
            .where(gone.c.user_id == sa.bindparam("owner"))
            .order_by(gone.c.organization_id),
            with_role=sa.select(m).where(here, m.c.role == sa.bindparam("which_role")).order_by(m.c.user_id),
            lock_role=sa.select(m.c.user_id)
            .where(here, m.c.role == sa.bindparam("which_role"))
            .order_by(m.c.user_id)
            .with_for_update(),
            clear_flags=sa.update(m)
            .where(here, m.c.flags.bitwise_and(sa.bindparam("taken")) != 0)
            .values(flags=m.c.flags.bitwise_and(sa.bindparam("left")), version=m.c.version + 1),
            remove_of_user=sa.delete(m).where(mine),
            remove_removed_of_user=sa.delete(gone).where(gone.c.user_id == sa.bindparam("owner")),
        )


def _either(member: sa.Select[Any], m: sa.Table, removed: sa.Select[Any], gone: sa.Table) -> sa.Executable:
    """Return the one statement that reads the row or the tombstone, whichever there is."""
    nothing = [gone.c[column.name] if column.name in gone.c else sa.cast(sa.null(), column.type) for column in m.c]
    at = sa.cast(sa.null(), gone.c.at.type).label("removed_at")
    return sa.union_all(member.add_columns(at), removed.with_only_columns(*nothing, gone.c.at.label("removed_at")))


class SqlMembers:
    """`authflow.membership.ports.MemberRows` in SQL: a row here, or a tombstone there, never both.

    What somebody is to an organization is read once in a transaction, and again after a lock or a change.
    """

    def __init__(self, connection: Connection, statements: MemberStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._read: ReadOnce[tuple[OrganizationId, UserId], Stored[Membership]] = ReadOnce(connection)

    def load(self, organization: OrganizationId, user: UserId) -> Stored[Membership]:
        return self._read.get((organization, user), lambda: self._load(organization, user))

    def saw(self, organization: OrganizationId, user: UserId, row: Row | None) -> None:
        """Remember the row of a member; where there is none, somebody may still have been removed."""
        if row is not None:
            self._read.saw((organization, user), Stored(rows.load_member(row), row.version))

    def forget(self) -> None:
        """Read again what is not held: a lock was waited for."""
        self._read.forget()

    def _load(self, organization: OrganizationId, user: UserId) -> Stored[Membership]:
        one = {"place": organization, "owner": user}
        row = self._connection.run(self._sql.load, one).one_or_none()
        if row is None:
            return Stored(Outside(), 0)
        if row.removed_at is None:
            return Stored(rows.load_member(row), row.version)
        return Stored(Removed(organization=organization, user=user, at=c.moment(row.removed_at)), row.version)

    def save(self, organization: OrganizationId, user: UserId, state: Membership, *, expected: int) -> None:
        which = {"place": organization, "owner": user, "expected": expected}
        stands = self._standing(organization, user, state)
        self._read.drop((organization, user))
        self._write(which, stands, state, expected=expected)
        self._read.put((organization, user), Stored(state, 0 if isinstance(state, Outside) else expected + 1))

    def _standing(self, organization: OrganizationId, user: UserId, after: Membership) -> Membership:
        """Return what stands now. Of a member who stays one what was read will do: the version decides about them."""
        known = self.load(organization, user).state
        stays = isinstance(known, Member) and isinstance(after, Member)
        return known if stays or self._connection.alone else self._load(organization, user).state

    def _write(self, which: Mapping[str, object], stands: Membership, state: Membership, *, expected: int) -> None:
        if isinstance(stands, Member) and isinstance(state, Member):
            self._update(which, state, expected=expected)
            return
        self._clear(which, stands, expected=expected)
        if isinstance(state, Member):
            self._connection.run(self._sql.add, {**rows.dump_member(state), "version": expected + 1})
        if isinstance(state, Removed):
            tombstone = {"organization_id": state.organization, "user_id": state.user, "at": c.micros(state.at)}
            self._connection.run(self._sql.add_removed, {**tombstone, "version": expected + 1})

    def _update(self, which: Mapping[str, object], state: Member, *, expected: int) -> None:
        if expected == 0:
            raise UniqueViolated(rule="member.user")
        stored = rows.dump_member(state)
        new = {f"new_{name}": stored[name] for name in ("id", "role", "teams", "flags")}
        one_row(self._connection.changed(self._sql.update, {**which, **new, "new_version": expected + 1}))

    def _clear(self, which: Mapping[str, object], stands: Membership, *, expected: int) -> None:
        """Delete the row that stands, so that the next state takes its place in the other table, or in none."""
        if isinstance(stands, Outside):
            one_row(int(expected == 0))
            return
        delete = self._sql.delete if isinstance(stands, Member) else self._sql.delete_removed
        one_row(self._connection.changed(delete, which))

    def user_of(self, organization: OrganizationId, member: MemberId) -> UserId | None:
        found = self._connection.run(self._sql.user_of, {"place": organization, "which": member}).scalar_one_or_none()
        return None if found is None else UserId(found)

    def of_organization(
        self, organization: OrganizationId, *, limit: int, after: MemberId | None = None
    ) -> tuple[Member, ...]:
        where = {"place": organization, "after": after or "", "most": limit}
        return tuple(rows.load_member(row) for row in self._connection.run(self._sql.of_organization, where))

    def of_user(self, user: UserId) -> tuple[Member, ...]:
        return tuple(rows.load_member(row) for row in self._connection.run(self._sql.of_user, {"owner": user}))

    def removed_of_user(self, user: UserId) -> tuple[Removed, ...]:
        return tuple(
            Removed(organization=OrganizationId(row.organization_id), user=user, at=c.moment(row.at))
            for row in self._connection.run(self._sql.removed_of_user, {"owner": user})
        )

    def with_role(self, organization: OrganizationId, role: Role) -> tuple[Member, ...]:
        found = self._connection.run(self._sql.with_role, {"place": organization, "which_role": role})
        return tuple(rows.load_member(row) for row in found)

    def lock_role(self, organization: OrganizationId, role: Role) -> tuple[UserId, ...]:
        self._read.forget()
        found = self._connection.run(self._sql.lock_role, {"place": organization, "which_role": role})
        return tuple(UserId(row.user_id) for row in found)

    def clear_flags(self, organization: OrganizationId, flags: MemberFlag) -> int:
        self._read.clear()
        which = {"place": organization, "taken": flags.value, "left": (~flags).value}
        return self._connection.changed(self._sql.clear_flags, which)

    def remove_of_user(self, user: UserId) -> int:
        self._read.clear()
        self._connection.run(self._sql.remove_removed_of_user, {"owner": user})
        return self._connection.changed(self._sql.remove_of_user, {"owner": user})
