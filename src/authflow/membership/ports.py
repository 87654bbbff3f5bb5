"""What the membership slice asks of the world: its rows, and whether a person has a second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from authflow.ports import Transaction

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.membership.consent import Consent
    from authflow.membership.offer import Accepted, Expired, Invitation, Pending, Waiting
    from authflow.membership.standing import Member, MemberFlag, Membership, Removed
    from authflow.ports import Protected, Stored
    from authflow.values import Asker, Context, InvitationId, MemberId, OrganizationId, Role, SessionId, UserId


class InvitationRows(Protocol):
    """One row per invitation, found only inside its own organization; `Absent` is no row, version 0."""

    def load(self, organization: OrganizationId, invitation: InvitationId, *, lock: bool = False) -> Stored[Invitation]:
        """Return the invitation; one of another organization is `Absent`. With *lock* the row is held until the end."""
        ...

    def save(self, organization: OrganizationId, invitation: InvitationId, state: Invitation, *, expected: int) -> None:
        """Insert (*expected* 0), replace, or delete (`Absent`) the row.

        Raises:
            StaleVersion: The row has another version, or is gone. Nothing was written; the transaction lives.
            UniqueViolated: ``invitation.open``: the address, or the person it is bound to, is requested or pending in
                this organization already. ``invitation.token``: the token's digest is taken.
        """
        ...

    def accept(self, before: Pending, after: Accepted, now: datetime) -> bool:
        """Store *after* if the row still is *before*: pending, with this very token, unexpired at *now*; tell whether.

        One conditional update decides: of any number of concurrent calls exactly one is told true (decision 12).
        """
        ...

    def open_to(
        self, keys: Collection[bytes], organization: OrganizationId | None = None
    ) -> tuple[Stored[Waiting], ...]:
        """Return what is requested or pending under any of *keys*, in one organization or in all, in order of ids.

        The keys are those of `authflow.membership.offer.open_key`. In one organization the rows are held until the end.
        """
        ...

    def open_in(
        self, organization: OrganizationId, *, limit: int, after: InvitationId | None = None
    ) -> tuple[Waiting | Expired, ...]:
        """Return up to *limit* requested, pending or expired invitations behind *after*, in the order of their ids."""
        ...

    def remove_of_user(self, user: UserId) -> int:
        """Delete what *user* requested and what is bound to them; return how many there were."""
        ...

    def clear_flags(self, organization: OrganizationId, flags: MemberFlag) -> int:
        """Take *flags* from every invitation to *organization* that would give them back; return how many had any."""
        ...

    def remove_over(self, before: datetime) -> int:
        """Delete what was over before *before*: accepted, withdrawn, expired; return how many there were.

        A way back of somebody whom a provider made a member (`MemberFlag.IDP_PROVISIONED`) stays: it is all that is
        left of what the provider made (sso 2.4).
        """
        ...


class MemberRows(Protocol):
    """One row per organization and person: a membership or its tombstone; `Outside` is no row, version 0."""

    def load(self, organization: OrganizationId, user: UserId) -> Stored[Membership]:
        """Return what *user* is to *organization*."""
        ...

    def save(self, organization: OrganizationId, user: UserId, state: Membership, *, expected: int) -> None:
        """Insert (*expected* 0), replace, or delete (`Outside`) the row.

        Raises:
            StaleVersion: The row has another version, or is gone. Nothing was written; the transaction lives.
            UniqueViolated: ``member.user``: the person is a member already; ``primary_key``: so is the id.
        """
        ...

    def user_of(self, organization: OrganizationId, member: MemberId) -> UserId | None:
        """Return whose membership *member* of this very organization is, or none."""
        ...

    def of_organization(
        self, organization: OrganizationId, *, limit: int, after: MemberId | None = None
    ) -> tuple[Member, ...]:
        """Return up to *limit* members behind *after*, in the order of their ids."""
        ...

    def of_user(self, user: UserId) -> tuple[Member, ...]:
        """Return every membership of *user*, in the order of the organizations' ids."""
        ...

    def removed_of_user(self, user: UserId) -> tuple[Removed, ...]:
        """Return every tombstone of *user*, in the order of the organizations' ids."""
        ...

    def with_role(self, organization: OrganizationId, role: Role) -> tuple[Member, ...]:
        """Return everybody who has *role*, in the order of the people's ids; nobody waits for anybody."""
        ...

    def lock_role(self, organization: OrganizationId, role: Role) -> tuple[UserId, ...]:
        """Return everybody who has *role*, and hold those rows until the transaction ends.

        A concurrent caller waits, and then sees what this transaction left (decision 17).
        """
        ...

    def clear_flags(self, organization: OrganizationId, flags: MemberFlag) -> int:
        """Take *flags* from every member of *organization*; return how many had any of them."""
        ...

    def remove_of_user(self, user: UserId) -> int:
        """Delete every membership and tombstone of *user*; return how many memberships there were."""
        ...


class ConsentRows(Protocol):
    """One row per browser session; `NoConsent` is no row, version 0."""

    def load(self, session: SessionId) -> Stored[Consent]:
        """Return what waits in *session*."""
        ...

    def save(self, session: SessionId, state: Consent, *, expected: int) -> None:
        """Insert (*expected* 0), replace, or delete (`NoConsent`) the row.

        Raises:
            StaleVersion: The row has another version, or is gone. Nothing was written; the transaction lives.
            UniqueViolated: ``primary_key``: something waits there already.
        """
        ...

    def remove_of_user(self, user: UserId) -> int:
        """Delete every click that *user* made or claimed; return how many there were."""
        ...

    def remove_over(self, before: datetime) -> int:
        """Delete every click made before *before*; return how many there were."""
        ...


class Aftermath(Protocol):
    """What else ends when somebody is removed from an organization (decision 15)."""

    def removed(self, asker: Asker, context: Context, *, organization: OrganizationId, user: UserId) -> None:
        """End it, in the caller's transaction: *user*, whose account is held, was removed by *asker* just now."""
        ...


class MembershipTransaction(Transaction, Protocol):
    """What membership needs of an open transaction."""

    @property
    def invitations(self) -> InvitationRows: ...
    @property
    def members(self) -> MemberRows: ...
    @property
    def consents(self) -> ConsentRows: ...
    @property
    def factor_census(self) -> Protected: ...
