"""What somebody sees of an invitation before they accept it (sso 13.2). Looking changes nothing (decision 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.errors import Code
from authflow.membership.admission import Denied, Requirement, may_accept, missing
from authflow.membership.answers import InvitationView, OpenInvitation
from authflow.membership.offer import Expired, InviteStatus, Pending, Requested, expired
from authflow.membership.standing import role_in
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.membership.admission import Attempt
    from authflow.membership.offer import Invitation

SHOWN: Final = frozenset({Code.INVITATION_WRONG_USER, Code.INVITATION_ALREADY_MEMBER})
"""What a page says beside the invitation instead of hiding it: the person may switch accounts."""


def view(invitation: Invitation, attempt: Attempt, now: datetime) -> InvitationView | Refused:
    """Return what the applicant may see of *invitation* at *now*, by the very decision that accepting asks."""
    decision = may_accept(invitation, attempt, now)
    code = decision.code if isinstance(decision, Denied) else None
    if not isinstance(invitation, Pending) or (code is not None and code not in SHOWN):
        return Refused(code=code or Code.INVITATION_INVALID)
    needs = missing(invitation, attempt)
    organization, applicant = attempt.organization, attempt.applicant
    return InvitationView(
        organization=organization.id,
        slug=organization.slug,
        name=organization.name,
        role=invitation.offer.role,
        needs_authentication=Requirement.SIGN_IN in needs,
        needs_sso=applicant.sso.provider is not None,
        require_sso=applicant.sso.required,
        existing_member=role_in(organization.id, applicant.membership) is not None,
        sso_provider=applicant.sso.name,
        needs_second_factor=Requirement.SECOND_FACTOR in needs,
        needs_verified_address=Requirement.VERIFIED_ADDRESS in needs,
        wrong_user=code is Code.INVITATION_WRONG_USER,
    )


def listed(invitation: Requested | Pending | Expired, now: datetime) -> OpenInvitation:
    """Return *invitation* as a list shows it, without anything secret."""
    offer, requested = invitation.offer, isinstance(invitation, Requested)
    ends = invitation.expires_at if isinstance(invitation, Pending) else None
    return OpenInvitation(
        organization=offer.organization,
        id=offer.id,
        email=offer.email,
        role=offer.role,
        teams=offer.teams,
        status=offer.origin if requested else InviteStatus.APPROVED,
        by=invitation.by if isinstance(invitation, Requested) else invitation.sponsor,
        since=invitation.issued_at if isinstance(invitation, Pending) else invitation.at,
        expires_at=ends,
        expired=isinstance(invitation, Expired) or (isinstance(invitation, Pending) and expired(invitation, now)),
    )
