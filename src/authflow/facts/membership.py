"""What happens to members and invitations of an organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import Address, InvitationId, MemberId, OrganizationId, Secret, UserId


@attrs.frozen(kw_only=True)
class MemberInvited(Fact):
    """An invitation was approved, or made by somebody who may approve. Its token leaves by mail only.

    *recipients* are the invitation's address, or for a demoted member their verified addresses (decision 16).
    """

    organization: OrganizationId
    invitation: InvitationId
    email: Address
    role: str
    teams: str
    status: str
    token: Secret
    expires_at: datetime
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class InvitationResent(Fact):
    """An invitation got a fresh token and a fresh life; the old token is dead."""

    organization: OrganizationId
    invitation: InvitationId
    email: Address
    role: str
    teams: str
    status: str
    token: Secret
    expires_at: datetime
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class InvitationRequested(Fact):
    """Somebody asked that a person be invited, or asked to join."""

    organization: OrganizationId
    invitation: InvitationId
    email: Address
    role: str
    status: str


@attrs.frozen(kw_only=True)
class InvitationRequestRemoved(Fact):
    """A request was rejected, or deleted unapproved."""

    organization: OrganizationId
    invitation: InvitationId
    email: Address
    role: str
    status: str


@attrs.frozen(kw_only=True)
class InvitationRemoved(Fact):
    """An approved, pending invitation is over: *reason* says why.

    It was ``withdrawn``, it ``expired``, or its person ``joined`` another way, was ``demoted``, or ``removed``.
    """

    organization: OrganizationId
    invitation: InvitationId
    email: Address
    reason: str


@attrs.frozen(kw_only=True)
class InvitationDiscarded(Fact):
    """A pending invitation was deleted because its person is a member already (decision 14: nothing is recorded)."""

    organization: OrganizationId
    invitation: InvitationId
    user: UserId


@attrs.frozen(kw_only=True)
class InvitationAccepted(Fact):
    """A person joined by an invitation: its role and teams won."""

    organization: OrganizationId
    invitation: InvitationId
    member: MemberId
    user: UserId
    email: Address
    role: str
    teams: str
    status: str


@attrs.frozen(kw_only=True)
class MemberAdded(Fact):
    """A person became a member without an invitation. *email* is their primary address, if they have one."""

    organization: OrganizationId
    member: MemberId
    user: UserId
    email: Address | None
    role: str
    teams: str
    status: str


@attrs.frozen(kw_only=True)
class MemberChanged(Fact):
    """Role, teams or flags of a member changed; *changed* names the fields."""

    organization: OrganizationId
    member: MemberId
    user: UserId
    role: str
    teams: str
    changed: str


@attrs.frozen(kw_only=True)
class MemberRemoved(Fact):
    """A member was removed and is remembered: coming back needs a newer invitation (decision 15)."""

    organization: OrganizationId
    member: MemberId
    user: UserId
    role: str


@attrs.frozen(kw_only=True)
class MemberDemoted(Fact):
    """A member became a pending invitation, bound to the same person, because a requirement was not met."""

    organization: OrganizationId
    member: MemberId
    invitation: InvitationId
    user: UserId
    email: Address
    role: str
    teams: str
    status: str
    token: Secret
    expires_at: datetime
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class JoinRefused(Fact):
    """An acceptance was refused for *code*; the invitation stays unless the rule says otherwise."""

    organization: OrganizationId
    invitation: InvitationId
    user: UserId
    code: str
