"""What the membership slice answers; a refusal is `authflow.values.Refused`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.values import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.errors import Code
    from authflow.membership.admission import Requirement
    from authflow.membership.offer import InviteStatus
    from authflow.membership.standing import Member
    from authflow.values import Address, InvitationId, MemberId, OrganizationId, Role, TeamId, UserId


@attrs.frozen(kw_only=True)
class InvitationView(Answer):
    """What somebody who may hear about an invitation sees before they accept it (sso 13.2).

    Args:
        organization, slug, name: Who invites; *name* is for the page.
        role: What they would become.
        needs_authentication: Nobody is signed in here with a proof of their own.
        needs_sso: The organization has a provider.
        sso_provider: Its name, or none.
        require_sso: Members must sign in through it.
        existing_member: The person signed in here is a member already.
        needs_second_factor: The organization requires one, and the person has none (or is not known yet).
        needs_verified_address: An address has to be confirmed first.
        wrong_user: The invitation names somebody else: offer to switch accounts.
    """

    organization: OrganizationId
    slug: str
    name: str
    role: Role
    needs_authentication: bool
    needs_sso: bool
    require_sso: bool
    existing_member: bool
    sso_provider: str | None
    needs_second_factor: bool
    needs_verified_address: bool
    wrong_user: bool


@attrs.frozen(kw_only=True)
class Joined(Answer):
    """The person is a member now; the invitation's role and teams won.

    Args:
        member: The membership.
    """

    member: Member


@attrs.frozen(kw_only=True)
class RequirementsOpen(Answer):
    """The invitation is kept; *requirements* are open. *consent*: the click waits in this browser session for them.

    Args:
        organization: Whose invitation.
        invitation: Which.
        requirements: What is open.
        consent: The click waits in this browser session for them.
    """

    organization: OrganizationId
    invitation: InvitationId
    requirements: frozenset[Requirement]
    consent: bool = False


@attrs.frozen(kw_only=True)
class ConfirmationOwed(Answer):
    """Somebody accepted here before signing in: whoever signed in first is asked once whether it was them."""

    organization: OrganizationId
    invitation: InvitationId


@attrs.frozen(kw_only=True)
class InvitationSent(Answer):
    """The invitation is pending; its token is on its way by mail, and nowhere else.

    Args:
        organization: Whose.
        invitation: Its id, for `withdraw` and `resend`; worth nothing without the token.
        expires_at: Until when the token works.
    """

    organization: OrganizationId
    invitation: InvitationId
    expires_at: datetime


@attrs.frozen(kw_only=True)
class RequestFiled(Answer):
    """The request waits for somebody who manages the organization.

    Args:
        organization: Whom it asks.
        invitation: Its id, for `approve` and `reject`.
    """

    organization: OrganizationId
    invitation: InvitationId


@attrs.frozen(kw_only=True)
class InvitationClosed(Answer):
    """The request or invitation is over.

    Args:
        organization: Whose.
        invitation: Which.
    """

    organization: OrganizationId
    invitation: InvitationId


@attrs.frozen(kw_only=True)
class MemberSaved(Answer):
    """The membership as it stands now, changed or not.

    Args:
        member: The membership.
    """

    member: Member


@attrs.frozen(kw_only=True)
class MemberGone(Answer):
    """The membership ended. *invitation* is the way back of a demoted member.

    Args:
        organization: Whose member it was.
        user: Who.
        invitation: The way back of a demoted member; none for one who was removed.
    """

    organization: OrganizationId
    user: UserId
    invitation: InvitationId | None = None


@attrs.frozen(kw_only=True)
class Entered(Answer):
    """The session may act in the organization; *member* is none for an administrator who is no member.

    Args:
        member: The membership, or none.
    """

    member: Member | None


@attrs.frozen(kw_only=True)
class MemberList(Answer):
    """Members of one organization, in the order of their ids; ask again after the last one for more.

    Args:
        members: At most *limit* of them.
    """

    members: tuple[Member, ...]


@attrs.frozen(kw_only=True)
class OpenInvitation:
    """A request or a pending invitation, without anything secret. *expired*: only a resend makes it good again.

    Args:
        organization: Whose.
        id: By which it is approved, rejected, withdrawn or sent again.
        email: Whom it invites.
        role: What they would become.
        teams: Into which teams they would come.
        status: How it began.
        by: Who invited, or who asked.
        since: When.
        expires_at: Until when its token works; none for a request.
        expired: Only a resend makes it good again.
    """

    organization: OrganizationId
    id: InvitationId
    email: Address
    role: Role
    teams: tuple[TeamId, ...]
    status: InviteStatus
    by: UserId
    since: datetime
    expires_at: datetime | None
    expired: bool


@attrs.frozen(kw_only=True)
class InvitationList(Answer):
    """Requests and pending invitations, in the order of their ids; ask again after the last one for more.

    Args:
        invitations: At most *limit* of them.
    """

    invitations: tuple[OpenInvitation, ...]


@attrs.frozen(kw_only=True)
class RequirementsEnforced(Answer):
    """Every member was held against the requirements: *demoted* wait as invitations, *kept* could not be demoted.

    Args:
        demoted: Memberships that wait as invitations now.
        kept: Those that lack something and could not be demoted, and why: the code of the refusal or of the error.
    """

    demoted: tuple[MemberId, ...]
    kept: Mapping[MemberId, Code]
