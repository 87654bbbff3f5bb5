"""Invitations and waiting clicks in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql import membership_state as rows
from authflow.errors import StaleVersion
from authflow.membership.consent import NoConsent
from authflow.membership.offer import Absent, Accepted, Expired, Pending, Requested, Withdrawn
from authflow.membership.standing import MemberFlag
from authflow.ports import Stored

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tables.membership import MembershipTables
    from authflow.membership.consent import Consent
    from authflow.membership.offer import Invitation, Waiting
    from authflow.values import InvitationId, OrganizationId, SessionId, UserId


@attrs.frozen(kw_only=True)
class InvitationStatements:
    """Every statement about invitations, built once."""

    load: sa.Executable
    lock: sa.Executable
    add: sa.Executable
    update: sa.Executable
    delete: sa.Executable
    accept: sa.Executable
    open_to: sa.Executable
    open_to_here: sa.Executable
    open_in: sa.Executable
    remove_of_user: sa.Executable
    clear_flags: sa.Executable
    remove_over: sa.Executable

    @classmethod
    def of(cls, t: MembershipTables) -> InvitationStatements:
        i = t.invitation
        one = [i.c.id == sa.bindparam("which"), i.c.organization_id == sa.bindparam("place")]
        same = [*one, i.c.version == sa.bindparam("expected")]
        unused = [
            i.c.state == rows.INVITATIONS[Pending],
            i.c.accepted_by.is_(None),
            i.c.token == sa.bindparam("old_token"),
            i.c.expires_at > sa.bindparam("now"),
        ]
        new: dict[str, Any] = {column.name: sa.bindparam(f"new_{column.name}") for column in i.c if column.name != "id"}
        open_to = sa.select(i).where(i.c.open_key.in_(sa.bindparam("keys", expanding=True))).order_by(i.c.id)
        load = sa.select(i).where(*one)
        return cls(
            load=load,
            lock=load.with_for_update(),
            add=sa.insert(i),
            update=sa.update(i).where(*same).values(new),
            delete=sa.delete(i).where(*same),
            accept=sa.update(i).where(*one, *unused).values({**new, "version": i.c.version + 1}),
            open_to=open_to,
            open_to_here=open_to.where(i.c.organization_id == sa.bindparam("place")).with_for_update(),
            open_in=_open_in(i),
            remove_of_user=_remove_of_user(i),
            clear_flags=sa.update(i)
            .where(i.c.organization_id == sa.bindparam("place"), i.c.flags.bitwise_and(sa.bindparam("taken")) != 0)
            .values(flags=i.c.flags.bitwise_and(sa.bindparam("left")), version=i.c.version + 1),
            remove_over=_remove_over(i),
        )


def _open_in(i: sa.Table) -> sa.Executable:
    shown = [rows.INVITATIONS[state] for state in (Requested, Pending, Expired)]
    where = [i.c.organization_id == sa.bindparam("place"), i.c.id > sa.bindparam("after"), i.c.state.in_(shown)]
    return sa.select(i).where(*where).order_by(i.c.id).limit(sa.bindparam("most"))


def _remove_of_user(i: sa.Table) -> sa.Executable:
    owner: sa.BindParameter[Any] = sa.bindparam("owner")
    requested = sa.and_(i.c.state == rows.INVITATIONS[Requested], i.c.sponsor == owner)
    return sa.delete(i).where(sa.or_(requested, i.c.bound_to == owner))


def _remove_over(i: sa.Table) -> sa.Executable:
    before: sa.BindParameter[Any] = sa.bindparam("before")
    over = i.c.state.in_([rows.INVITATIONS[state] for state in (Accepted, Withdrawn, Expired)])
    dead = sa.or_(i.c.expires_at.is_(None), i.c.expires_at < before)
    pending = i.c.state == rows.INVITATIONS[Pending]
    provisioned = i.c.flags.bitwise_and(MemberFlag.IDP_PROVISIONED.value) != 0
    return sa.delete(i).where(~provisioned, sa.or_(sa.and_(over, i.c.since < before), sa.and_(pending, dead)))


class SqlInvitations:
    """`authflow.membership.ports.InvitationRows` in SQL: one plain UPDATE decides who uses an invitation.

    What is open somewhere to somebody is held from the first look, and so is looked up again only after a change.
    """

    def __init__(self, connection: Connection, statements: InvitationStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._open: dict[tuple[OrganizationId, frozenset[bytes]], tuple[Stored[Waiting], ...]] = {}

    def load(self, organization: OrganizationId, invitation: InvitationId, *, lock: bool = False) -> Stored[Invitation]:
        statement = self._sql.lock if lock else self._sql.load
        row = self._connection.run(statement, {"which": invitation, "place": organization}).one_or_none()
        return Stored(Absent(), 0) if row is None else Stored(rows.load_invitation(row), row.version)

    def save(self, organization: OrganizationId, invitation: InvitationId, state: Invitation, *, expected: int) -> None:
        self.forget()
        which = {"which": invitation, "place": organization, "expected": expected}
        if isinstance(state, Absent):
            one_row(self._connection.changed(self._sql.delete, which))
        elif expected == 0:
            self._connection.run(self._sql.add, {**rows.dump_invitation(state), "version": 1})
        else:
            one_row(self._connection.changed(self._sql.update, {**which, **_new(state), "new_version": expected + 1}))

    def accept(self, before: Pending, after: Accepted, now: datetime) -> bool:
        self.forget()
        which = {"which": before.offer.id, "place": before.offer.organization}
        condition = {"old_token": before.token, "now": c.micros(now)}
        return self._connection.changed(self._sql.accept, {**which, **condition, **_new(after)}) == 1

    def open_to(
        self, keys: Collection[bytes], organization: OrganizationId | None = None
    ) -> tuple[Stored[Waiting], ...]:
        if organization is None:
            return _waiting(self._connection.run(self._sql.open_to, {"keys": list(keys)}))
        asked = (organization, frozenset(keys))
        if asked not in self._open:
            where = {"keys": list(keys), "place": organization}
            self._open[asked] = _waiting(self._connection.run(self._sql.open_to_here, where))
        return self._open[asked]

    def forget(self) -> None:
        """Look up again what is open: a lock was waited for."""
        self._open.clear()

    def open_in(
        self, organization: OrganizationId, *, limit: int, after: InvitationId | None = None
    ) -> tuple[Waiting | Expired, ...]:
        found = self._connection.run(self._sql.open_in, {"place": organization, "after": after or "", "most": limit})
        states = [rows.load_invitation(row) for row in found]
        return tuple(state for state in states if isinstance(state, Requested | Pending | Expired))

    def remove_of_user(self, user: UserId) -> int:
        self.forget()
        return self._connection.changed(self._sql.remove_of_user, {"owner": user})

    def clear_flags(self, organization: OrganizationId, flags: MemberFlag) -> int:
        self.forget()
        which = {"place": organization, "taken": flags.value, "left": (~flags).value}
        return self._connection.changed(self._sql.clear_flags, which)

    def remove_over(self, before: datetime) -> int:
        self.forget()
        return self._connection.changed(self._sql.remove_over, {"before": c.micros(before)})


def _waiting(found: Iterable[Row]) -> tuple[Stored[Waiting], ...]:
    states = ((rows.load_waiting(row), row.version) for row in found)
    return tuple(Stored(state, version) for state, version in states if state is not None)


def _new(state: rows.Stands) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in rows.dump_invitation(state).items() if name != "id"}


def one_row(changed: int) -> None:
    """Decide a compare-and-set: exactly the one row that was meant has changed.

    Raises:
        StaleVersion: It has another version, or is gone.
    """
    if changed != 1:
        raise StaleVersion


@attrs.frozen(kw_only=True)
class ConsentStatements:
    """Every statement about waiting clicks, built once."""

    load: sa.Executable
    add: sa.Executable
    update: sa.Executable
    delete: sa.Executable
    remove_of_user: sa.Executable
    remove_over: sa.Executable

    @classmethod
    def of(cls, t: MembershipTables) -> ConsentStatements:
        consent = t.consent
        one = consent.c.session_id == sa.bindparam("which")
        same = [one, consent.c.version == sa.bindparam("expected")]
        new: dict[str, Any] = {
            column.name: sa.bindparam(f"new_{column.name}") for column in consent.c if column.name != "session_id"
        }
        return cls(
            load=sa.select(consent).where(one),
            add=sa.insert(consent),
            update=sa.update(consent).where(*same).values(new),
            delete=sa.delete(consent).where(*same),
            remove_of_user=sa.delete(consent).where(consent.c.user_id == sa.bindparam("owner")),
            remove_over=sa.delete(consent).where(consent.c.at < sa.bindparam("before")),
        )


NOTHING: Final[Stored[Consent]] = Stored(NoConsent(), 0)
"""No click waits, and no row stands."""


class SqlConsents:
    """`authflow.membership.ports.ConsentRows` in SQL. A click is read once, and again after a lock or a change."""

    def __init__(self, connection: Connection, statements: ConsentStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._read: dict[SessionId, Stored[Consent]] = {}

    def load(self, session: SessionId) -> Stored[Consent]:
        if session not in self._read:
            self.saw(session, self._connection.run(self._sql.load, {"which": session}).one_or_none())
        return self._read[session]

    def saw(self, session: SessionId, row: Row | None) -> None:
        """Remember the row of *session*, or that there is none."""
        self._read[session] = NOTHING if row is None else Stored(rows.load_consent(row), row.version)

    def forget(self) -> None:
        """Read every click again when it is next asked for."""
        self._read.clear()

    def save(self, session: SessionId, state: Consent, *, expected: int) -> None:
        self._read.pop(session, None)
        which = {"which": session, "expected": expected}
        if isinstance(state, NoConsent):
            one_row(self._connection.changed(self._sql.delete, which))
        elif expected == 0:
            self._connection.run(self._sql.add, {**rows.dump_consent(state), "session_id": session, "version": 1})
        else:
            new = {f"new_{name}": value for name, value in rows.dump_consent(state).items()}
            one_row(self._connection.changed(self._sql.update, {**which, **new, "new_version": expected + 1}))

    def remove_of_user(self, user: UserId) -> int:
        self.forget()
        return self._connection.changed(self._sql.remove_of_user, {"owner": user})

    def remove_over(self, before: datetime) -> int:
        self.forget()
        return self._connection.changed(self._sql.remove_over, {"before": c.micros(before)})
