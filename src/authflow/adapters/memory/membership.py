"""Invitations, members and waiting clicks in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.errors import StaleVersion, UniqueViolated
from authflow.membership.consent import Claimed, Given, NoConsent
from authflow.membership.offer import (
    Absent,
    Accepted,
    Expired,
    Pending,
    Requested,
    Withdrawn,
    expired,
    open_key,
    token_of,
)
from authflow.membership.standing import Member, MemberFlag, Outside, Removed
from authflow.ports import Stored

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.adapters.memory.store import Store, Table
    from authflow.membership.consent import Consent
    from authflow.membership.offer import Invitation, Waiting
    from authflow.membership.standing import Membership
    from authflow.values import InvitationId, MemberId, OrganizationId, Role, SessionId, UserId


K = TypeVar("K")
T = TypeVar("T")


def _save(table: Table[K, Stored[T]], key: K, state: T, *, expected: int, gone: bool) -> None:
    """Insert, replace or delete one row, if its version is still *expected*."""
    found = table.get(key)
    if expected == 0 and not gone:
        table.add(key, Stored(state, 1))
        return
    if found is None or found.version != expected:
        raise StaleVersion
    if gone:
        table.drop(key)
        return
    table.put(key, Stored(state, expected + 1))


class MemoryInvitations:
    """`authflow.membership.ports.InvitationRows` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[InvitationId, Stored[Invitation]] = store.table(
            "invitation", {"invitation.open": _open_once, "invitation.token": lambda row: token_of(row.state)}
        )

    def load(
        self,
        organization: OrganizationId,
        invitation: InvitationId,
        *,
        lock: bool = False,  # noqa: ARG002  # the store's lock is the row lock
    ) -> Stored[Invitation]:
        found = self._rows.get(invitation)
        return found if found is not None and _belongs(found.state, organization) else Stored(Absent(), 0)

    def save(self, organization: OrganizationId, invitation: InvitationId, state: Invitation, *, expected: int) -> None:
        if expected and self.load(organization, invitation).version == 0:
            raise StaleVersion
        _save(self._rows, invitation, state, expected=expected, gone=isinstance(state, Absent))

    def accept(self, before: Pending, after: Accepted, now: datetime) -> bool:
        found = self.load(before.offer.organization, before.offer.id)
        live = isinstance(found.state, Pending) and not expired(found.state, now)
        if not live or token_of(found.state) != before.token:
            return False
        self._rows.put(before.offer.id, Stored(after, found.version + 1))
        return True

    def open_to(
        self, keys: Collection[bytes], organization: OrganizationId | None = None
    ) -> tuple[Stored[Waiting], ...]:
        found = [
            Stored(row.state, row.version)
            for row in self._rows.rows()
            if isinstance(row.state, Requested | Pending)
            and open_key(row.state) in keys
            and organization in {None, row.state.offer.organization}
        ]
        return tuple(sorted(found, key=lambda row: row.state.offer.id))

    def open_in(
        self, organization: OrganizationId, *, limit: int, after: InvitationId | None = None
    ) -> tuple[Waiting | Expired, ...]:
        states = (row.state for row in self._rows.rows())
        shown = [s for s in states if isinstance(s, Requested | Pending | Expired) and _belongs(s, organization)]
        return tuple(sorted((s for s in shown if s.offer.id > (after or "")), key=lambda s: s.offer.id))[:limit]

    def remove_of_user(self, user: UserId) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if _concerns(row.state, user))

    def clear_flags(self, organization: OrganizationId, flags: MemberFlag) -> int:
        flagged = [
            (key, row.version, row.state)
            for key, row in self._rows.items()
            if isinstance(row.state, Pending | Expired)
            and row.state.offer.organization == organization
            and row.state.flags & flags
        ]
        for key, version, state in flagged:
            self._rows.put(key, Stored(attrs.evolve(state, flags=state.flags & ~flags), version + 1))
        return len(flagged)

    def remove_over(self, before: datetime) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if _over(row.state, before))


def _open_once(row: Stored[Invitation]) -> object | None:
    key = open_key(row.state)
    return None if key is None or isinstance(row.state, Absent) else (row.state.offer.organization, key)


def _belongs(state: Invitation, organization: OrganizationId) -> bool:
    return not isinstance(state, Absent) and state.offer.organization == organization


def _concerns(state: Invitation, user: UserId) -> bool:
    match state:
        case Requested(by=person):
            return person == user
        case Pending(bound_to=person) | Expired(bound_to=person):
            return person == user
        case _:
            return False


def _over(state: Invitation, before: datetime) -> bool:
    if isinstance(state, Pending | Expired) and MemberFlag.IDP_PROVISIONED in state.flags:
        return False
    if isinstance(state, Pending):
        return state.expires_at < before
    return isinstance(state, Accepted | Withdrawn | Expired) and state.at < before


class MemoryMembers:
    """`authflow.membership.ports.MemberRows` in two dictionaries: members, and the tombstones of who was removed."""

    def __init__(self, store: Store) -> None:
        self._members: Table[tuple[OrganizationId, UserId], Stored[Member]] = store.table(
            "member", {"primary_key": lambda row: row.state.id}
        )
        self._removed: Table[tuple[OrganizationId, UserId], Stored[Removed]] = store.table("removed_member")

    def load(self, organization: OrganizationId, user: UserId) -> Stored[Membership]:
        found = self._members.get((organization, user)) or self._removed.get((organization, user))
        return Stored(Outside(), 0) if found is None else Stored(found.state, found.version)

    def save(self, organization: OrganizationId, user: UserId, state: Membership, *, expected: int) -> None:
        key, found = (organization, user), self.load(organization, user)
        if expected == 0 and isinstance(found.state, Member):
            raise UniqueViolated(rule="member.user")
        if found.version != expected:
            raise StaleVersion
        if isinstance(state, Member):
            self._members.put(key, Stored(state, expected + 1))
            self._removed.drop(key)
            return
        self._members.drop(key)
        if isinstance(state, Removed):
            self._removed.put(key, Stored(state, expected + 1))
            return
        self._removed.drop(key)

    def user_of(self, organization: OrganizationId, member: MemberId) -> UserId | None:
        mine = (row.state for row in self._members.rows() if row.state.organization == organization)
        return next((state.user for state in mine if state.id == member), None)

    def of_organization(
        self, organization: OrganizationId, *, limit: int, after: MemberId | None = None
    ) -> tuple[Member, ...]:
        mine = [row.state for row in self._members.rows() if row.state.organization == organization]
        return tuple(sorted((m for m in mine if m.id > (after or "")), key=lambda m: m.id))[:limit]

    def of_user(self, user: UserId) -> tuple[Member, ...]:
        mine = (row.state for row in self._members.rows() if row.state.user == user)
        return tuple(sorted(mine, key=lambda m: m.organization))

    def removed_of_user(self, user: UserId) -> tuple[Removed, ...]:
        mine = (row.state for row in self._removed.rows() if row.state.user == user)
        return tuple(sorted(mine, key=lambda gone: gone.organization))

    def with_role(self, organization: OrganizationId, role: Role) -> tuple[Member, ...]:
        mine = (row.state for row in self._members.rows() if row.state.organization == organization)
        return tuple(sorted((state for state in mine if state.role == role), key=lambda state: state.user))

    def lock_role(self, organization: OrganizationId, role: Role) -> tuple[UserId, ...]:
        return tuple(member.user for member in self.with_role(organization, role))

    def clear_flags(self, organization: OrganizationId, flags: MemberFlag) -> int:
        here = [(key, row) for key, row in self._members.items() if row.state.organization == organization]
        flagged = [(key, row) for key, row in here if row.state.flags & flags]
        for key, row in flagged:
            cleared = attrs.evolve(row.state, flags=row.state.flags & ~flags)
            self._members.put(key, Stored(cleared, row.version + 1))
        return len(flagged)

    def remove_of_user(self, user: UserId) -> int:
        self._removed.drop_all(key for key, _ in self._removed.items() if key[1] == user)
        return self._members.drop_all(key for key, _ in self._members.items() if key[1] == user)


class MemoryConsents:
    """`authflow.membership.ports.ConsentRows` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[SessionId, Stored[Consent]] = store.table("consent")

    def load(self, session: SessionId) -> Stored[Consent]:
        return self._rows.get(session) or Stored(NoConsent(), 0)

    def save(self, session: SessionId, state: Consent, *, expected: int) -> None:
        _save(self._rows, session, state, expected=expected, gone=isinstance(state, NoConsent))

    def remove_of_user(self, user: UserId) -> int:
        return self._rows.drop_all(
            key for key, row in self._rows.items() if isinstance(row.state, Given | Claimed) and row.state.user == user
        )

    def remove_over(self, before: datetime) -> int:
        return self._rows.drop_all(
            key
            for key, row in self._rows.items()
            if not isinstance(row.state, NoConsent) and row.state.click.at < before
        )
