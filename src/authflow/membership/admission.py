"""May this person join by this invitation? One decision for every way in (decision 12).

A click on "accept", a sign-in, a confirmed address, an enrolled factor and a single sign-on all ask `may_accept`, and
nobody else decides. It is pure: facts in, a decision out. Nothing about the invitation is told to somebody who
neither holds its token, nor the verified address it names, nor is the person it is bound to.
"""

from __future__ import annotations

import hmac
from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.membership.offer import Absent, Accepted, Expired, Pending, Requested, Withdrawn, expired, token_of
from authflow.membership.standing import (
    MemberFlag,
    entitled,
    may_return,
    proved_twice,
    proves,
    role_in,
    sso_met,
)
from authflow.membership.terms import TOKEN_MAX
from authflow.values import same_address, token_digest
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.membership.offer import Invitation
    from authflow.membership.standing import Sponsor, Standing
    from authflow.policy import MembershipPolicy
    from authflow.ports import Organization, User
    from authflow.values import Address, Secret, UserId


@unique
class Requirement(StrEnum):
    """What an organization may still ask of a person before they join.

    Attributes:
        SIGN_IN: Nobody is signed in here with a proof of their own.
        VERIFIED_ADDRESS: The invited address, or where the organization asks for it their primary one, is not verified.
        SECOND_FACTOR: They have none, or did not prove it in this session.
        SSO_LINK: They did not sign in through the organization's provider.
    """

    SIGN_IN = "sign_in"
    VERIFIED_ADDRESS = "verified_address"
    SECOND_FACTOR = "second_factor"
    SSO_LINK = "sso_link"


@attrs.frozen(kw_only=True)
class Attempt:
    """Somebody stands at the door with an invitation: every fact the decision reads.

    Args:
        organization: The one whose door it is; an unknown one is `authflow.membership.standing.nowhere`.
        applicant: Who stands there.
        presented: The digest of the token they showed, or none when they showed none (the address route).
        sponsor: Who stands for the invitation, as they are right now.
        user: Whom the caller means, where that must be this session's person and nobody else.
        policy: The installation's rules of membership.
    """

    organization: Organization
    applicant: Standing
    presented: bytes | None = attrs.field(repr=False)
    sponsor: Sponsor
    policy: MembershipPolicy
    user: UserId | None = None


@attrs.frozen
class Admitted:
    """Yes, now."""


@attrs.frozen
class Open:
    """Not yet: *requirements* are still open, and every one of them can be met."""

    requirements: frozenset[Requirement]


@attrs.frozen
class Denied:
    """No, and why."""

    code: Code


Decision = Admitted | Open | Denied


def may_accept(invitation: Invitation, attempt: Attempt, now: datetime) -> Decision:
    """Decide whether the applicant joins by *invitation* at *now*.

    The order is part of the promise: first whether anything may be told, then what became of the invitation, then
    whether it is for this person, then whether they belong already or were removed, then whether its sponsor may
    still give the role, and last what the organization asks for.
    """
    if not isinstance(invitation, Pending):
        return Denied(told(invitation, attempt))
    if not heard(invitation, attempt):
        return Denied(Code.INVITATION_INVALID)
    refusal = (
        (Code.INVITATION_EXPIRED if expired(invitation, now) else None)
        or _turned_away(invitation, attempt)
        or _unsponsored(invitation, attempt)
    )
    if refusal is not None:
        return Denied(refusal)
    open_ones = missing(invitation, attempt)
    return Open(open_ones) if open_ones else Admitted()


def told(invitation: Absent | Requested | Accepted | Withdrawn | Expired, attempt: Attempt) -> Code:
    """Return what the applicant is told of an invitation that lets nobody in."""
    if not heard(invitation, attempt):
        return Code.INVITATION_INVALID
    match invitation:
        case Requested():
            return Code.INVITATION_NOT_APPROVED
        case Withdrawn():
            return Code.INVITATION_REJECTED
        case Expired():
            return Code.INVITATION_EXPIRED
        case Accepted() if _came_by(invitation, attempt):
            return Code.INVITATION_ALREADY_MEMBER
        case _:
            return Code.INVITATION_USED


def presented(token: Secret | None) -> bytes | None:
    """Return the digest of a *token* that somebody showed; what cannot be one of ours matches nothing."""
    if token is None:
        return None
    text = token.reveal()
    return token_digest(token) if text.isascii() and len(text) <= TOKEN_MAX else b""


def heard(invitation: Invitation, attempt: Attempt) -> bool:
    """Tell whether the applicant may hear anything about *invitation*.

    They hold its newest token, compared in constant time before anything else is looked at; or they showed none and
    hold the verified address it names; or they are the very person it is bound to, or was accepted by. Who somebody
    is counts only where the session's proofs reach: another organization's provider makes nobody an addressee.
    """
    shown, newest = attempt.presented, token_of(invitation)
    holds_token = shown is not None and newest is not None and hmac.compare_digest(shown, newest)
    if isinstance(invitation, Absent) or not attempt.organization.active:
        return False
    if invitation.offer.organization != attempt.organization.id:
        return False
    applicant, user = attempt.applicant, attempt.applicant.user
    if holds_token or user is None or not proves(applicant.asker, attempt.organization.id, applicant.sso):
        return holds_token
    if isinstance(invitation, Pending | Expired) and invitation.bound_to is not None:
        return user.id == invitation.bound_to
    if isinstance(invitation, Accepted) and user.id == invitation.by:
        return True
    return shown is None and user.holds(invitation.offer.email)


def missing(invitation: Pending, attempt: Attempt) -> frozenset[Requirement]:
    """Return every requirement that is still open; what is not known of a stranger counts as not met."""
    organization, applicant, user = attempt.organization, attempt.applicant, attempt.applicant.user
    named = invitation.bound_to is None and organization.invites_bound_to_address
    unproven = named and user is not None and not user.holds(invitation.offer.email)
    primary = user is not None and user.primary_verified()
    asked = {
        Requirement.SIGN_IN: user is None or not proves(applicant.asker, organization.id, applicant.sso),
        Requirement.VERIFIED_ADDRESS: unproven or (organization.require_verified_address and not primary),
        Requirement.SECOND_FACTOR: organization.require_second_factor and not proved_twice(applicant, organization.id),
        Requirement.SSO_LINK: not sso_met(applicant.sso),
    }
    return frozenset(requirement for requirement, still_open in asked.items() if still_open)


def suits(invitation: Invitation, user: User | None, organization: Organization) -> bool:
    """Tell whether *user* need not switch accounts; of an invitation that is over that is never the matter."""
    if not isinstance(invitation, Pending):
        return True
    return user is not None and addressed_to(invitation, user, organization)


def addressed_to(invitation: Pending, user: User, organization: Organization) -> bool:
    """Tell whether *invitation* is for *user*: bound to them, or naming an address of theirs, verified or not.

    An address that is not verified yet is an open requirement and no wrong user: whoever registered with the invited
    address is sent to confirm it, not to switch accounts. An organization may opt out of the address.
    """
    if invitation.bound_to is not None:
        return user.id == invitation.bound_to
    return not organization.invites_bound_to_address or _uses(user, invitation.offer.email)


def _came_by(invitation: Accepted, attempt: Attempt) -> bool:
    user = attempt.applicant.user
    member = role_in(attempt.organization.id, attempt.applicant.membership) is not None
    return user is not None and user.id == invitation.by and member


@gate
def _turned_away(invitation: Pending, attempt: Attempt) -> Code | None:
    applicant = attempt.applicant
    if applicant.asker.why_not is Code.SESSION_SUPERSEDED:
        return Code.SESSION_SUPERSEDED
    if applicant.user is None:
        return None
    if not applicant.user.active:
        return Code.SESSION_USER_INACTIVE
    meant = attempt.user is None or attempt.user == applicant.user.id
    if not meant or not addressed_to(invitation, applicant.user, attempt.organization):
        return Code.INVITATION_WRONG_USER
    if role_in(attempt.organization.id, applicant.membership) is not None:
        return Code.INVITATION_ALREADY_MEMBER
    returns = may_return(applicant.membership, invitation.issued_at, attempt.policy)
    return None if returns else Code.INVITATION_MEMBER_REMOVED


@gate
def _unsponsored(invitation: Pending, attempt: Attempt) -> Code | None:
    """A demoted member comes back by what they were, not by somebody's word (decision 12)."""
    if invitation.bound_to is not None or entitled(
        attempt.sponsor, invitation.offer.role, attempt.organization, attempt.policy
    ):
        return None
    return Code.INVITATION_INVITER_NOT_ENTITLED


def _uses(user: User, address: Address) -> bool:
    return any(same_address(own.address, address) for own in user.addresses)


def flags_on_joining(invitation: Pending, attempt: Attempt) -> MemberFlag:
    """Return the flags that come with the membership: what a demoted member had, and a link that stands."""
    linked = MemberFlag.SSO_LINKED if attempt.applicant.sso.linked else MemberFlag.NONE
    return invitation.flags | linked
