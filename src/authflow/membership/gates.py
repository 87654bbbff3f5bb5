"""The refusals that several rules of the slice share: each returns the first that applies, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.errors import Code
from authflow.membership.offer import InviteStatus
from authflow.membership.standing import identified, may_grant, may_manage, proves, role_in
from authflow.ports import Limited
from authflow.values import Refused
from authflow.witness import gate

if TYPE_CHECKING:
    from authflow.membership.offer import Offer
    from authflow.membership.standing import Authority
    from authflow.membership.terms import Malformed
    from authflow.ports import Allowed


def no(code: Code | None) -> Refused | None:
    """Return *code* as an answer."""
    return None if code is None else Refused(code=code)


def malformed(terms: Malformed) -> Refused:
    """Return which fields are malformed."""
    return Refused(code=Code.INVITATION_INPUT_INVALID, problems=terms.problems)


@gate
def over_budget(allowance: Allowed | Limited) -> Refused | None:
    """Refuse what the limiter has not counted."""
    if isinstance(allowance, Limited):
        return Refused(code=Code.INVITATION_RATE_LIMITED, retry_after=allowance.retry_after)
    return None


@gate
def conflict(*, taken: bool, member: bool) -> Refused | None:
    """Refuse a second open invitation to one address, and one to somebody who is a member."""
    if taken:
        return Refused(code=Code.INVITATION_ALREADY_INVITED)
    return Refused(code=Code.INVITATION_ALREADY_MEMBER) if member else None


@gate
def closed_for(authority: Authority, offer: Offer) -> Code | None:
    """Refuse where the organization may not invite, or takes no requests to join and this began as one."""
    organization = authority.organization
    if not organization.can_invite:
        return Code.INVITATION_CANNOT_INVITE
    shut = offer.origin is InviteStatus.REQUESTED_TO_JOIN and not organization.join_requests
    return Code.INVITATION_JOIN_REQUESTS_DISABLED if shut else None


def may_send(authority: Authority, offer: Offer) -> Refused | None:
    """Refuse unless the actor manages, the organization may invite, and the actor may grant the role (sso 13.1)."""
    return no(may_manage(authority) or closed_for(authority, offer) or may_grant(authority, offer.role))


@gate
def may_ask_to_join(authority: Authority) -> Code | None:
    """Refuse unless the actor is a known person with a verified primary address who is no member yet."""
    applicant, organization = authority.actor, authority.organization
    unknown = identified(applicant)
    if unknown is not None:
        return unknown
    if not organization.active:
        return Code.ORGANIZATION_UNKNOWN
    if not proves(applicant.asker, organization.id, applicant.sso):
        return Code.SESSION_ELEVATION_REQUIRED
    if role_in(organization.id, applicant.membership) is not None:
        return Code.INVITATION_ALREADY_MEMBER
    proven = applicant.user is not None and applicant.user.primary_verified()
    return None if proven else Code.ORGANIZATION_ADDRESS_UNVERIFIED
