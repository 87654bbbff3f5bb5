"""How an invitation comes about: asked for, approved, sent, resent, taken back. The table stands in `invitation`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.facts import membership as facts
from authflow.machine import Step
from authflow.membership.answers import InvitationClosed, InvitationSent, RequestFiled
from authflow.membership.gates import closed_for, conflict, malformed, may_ask_to_join, may_send, no, over_budget
from authflow.membership.offer import Absent, Expired, Invitation, InviteStatus, Offer, Pending, Requested, Withdrawn
from authflow.membership.standing import MemberFlag, identified, may_enter, may_grant, may_manage
from authflow.membership.terms import Malformed
from authflow.values import Refused, token_digest

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.membership.standing import Authority
    from authflow.membership.terms import Terms
    from authflow.ports import Allowed, Limited
    from authflow.values import Address, InvitationId, Secret, UserId


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Invite:
    """Invite an address.

    Args:
        id: The new invitation.
        authority: Who invites, where, under which policy.
        allowance: What is left of the inviter's budget.
        terms: What was typed.
        token: 256 random bits; they leave by mail only.
        taken: The address is invited, or requested, already.
        member: Who holds the address is a member already.
    """

    id: InvitationId
    authority: Authority
    allowance: Allowed | Limited
    terms: Terms | Malformed
    token: Secret
    taken: bool
    member: bool


@attrs.frozen(kw_only=True)
class Request:
    """A member asks that an address be invited; the fields are those of `Invite`."""

    id: InvitationId
    authority: Authority
    allowance: Allowed | Limited
    terms: Terms | Malformed
    taken: bool
    member: bool


@attrs.frozen(kw_only=True)
class RequestToJoin:
    """A person asks to join, under the address in *terms*: their own primary one."""

    id: InvitationId
    authority: Authority
    allowance: Allowed | Limited
    terms: Terms | Malformed
    taken: bool


@attrs.frozen(kw_only=True)
class Approve:
    """Make an invitation of a request."""

    authority: Authority
    token: Secret


@attrs.frozen(kw_only=True)
class Reject:
    """Delete a request."""

    authority: Authority


@attrs.frozen(kw_only=True)
class Withdraw:
    """Take an invitation back; whoever made a request may take that back."""

    authority: Authority


@attrs.frozen(kw_only=True)
class Resend:
    """Send a fresh token with a fresh life. *recipients* of a bound invitation are its person's verified addresses."""

    authority: Authority
    allowance: Allowed | Limited
    token: Secret
    recipients: tuple[Address, ...]
    taken: bool


@attrs.frozen(kw_only=True)
class InviteBack:
    """Leave a demoted member a way back, bound to the person (decision 16). The member's own fact tells of it."""

    authority: Authority
    offer: Offer
    token: Secret
    bound_to: UserId
    flags: MemberFlag


Answer = InvitationSent | RequestFiled | InvitationClosed | Refused


# --- rules ----------------------------------------------------------------------------------------------------------


def invite(state: Absent, command: Invite, now: datetime) -> Step[Invitation, Answer]:
    """Whoever manages invites an address that is not invited yet, to a role they may grant."""
    terms = command.terms
    refused = no(may_manage(command.authority)) or over_budget(command.allowance)
    if refused is not None:
        return Step(state, refused)
    if isinstance(terms, Malformed):
        return Step(state, malformed(terms))
    offer = _offer(command.id, terms, command.authority, InviteStatus.APPROVED)
    refused = may_send(command.authority, offer) or conflict(taken=command.taken, member=command.member)
    return Step(state, refused) if refused is not None else _issue(offer, command.authority, command.token, now)


def request(state: Absent, command: Request, now: datetime) -> Step[Invitation, Answer]:
    """Every member may ask that somebody be invited; whoever approves decides about the role."""
    authority, terms = command.authority, command.terms
    refused = no(may_enter(authority.actor, authority.organization)) or over_budget(command.allowance)
    if refused is not None:
        return Step(state, refused)
    if isinstance(terms, Malformed):
        return Step(state, malformed(terms))
    offer = _offer(command.id, terms, authority, InviteStatus.REQUESTED_TO_BE_INVITED)
    refused = no(closed_for(authority, offer)) or conflict(taken=command.taken, member=command.member)
    return Step(state, refused) if refused is not None else _file(offer, authority, now)


def request_to_join(state: Absent, command: RequestToJoin, now: datetime) -> Step[Invitation, Answer]:
    """A person with a verified address may ask to join an organization that takes such requests."""
    authority, terms = command.authority, command.terms
    refused = no(may_ask_to_join(authority)) or over_budget(command.allowance)
    if refused is not None:
        return Step(state, refused)
    if isinstance(terms, Malformed):
        return Step(state, malformed(terms))
    offer = _offer(command.id, terms, authority, InviteStatus.REQUESTED_TO_JOIN)
    refused = no(closed_for(authority, offer)) or conflict(taken=command.taken, member=False)
    return Step(state, refused) if refused is not None else _file(offer, authority, now)


def approve(state: Requested, command: Approve, now: datetime) -> Step[Invitation, Answer]:
    """The organization may invite and takes such requests, and the approver may grant the role (sso 13.1)."""
    refused = may_send(command.authority, state.offer)
    return Step(state, refused) if refused is not None else _issue(state.offer, command.authority, command.token, now)


def reject(state: Requested, command: Reject, _now: datetime) -> Step[Invitation, Answer]:
    """Whoever manages deletes the request."""
    refused = no(may_manage(command.authority))
    return Step(state, refused) if refused is not None else drop(state)


def withdraw_request(state: Requested, command: Withdraw, _now: datetime) -> Step[Invitation, Answer]:
    """Whoever made the request takes it back, and so may whoever manages."""
    actor = command.authority.actor
    own = actor.user is not None and actor.user.id == state.by
    refused = no(identified(actor) if own else may_manage(command.authority))
    return Step(state, refused) if refused is not None else drop(state)


def withdraw(state: Pending | Expired, command: Withdraw, now: datetime) -> Step[Invitation, Answer]:
    """Whoever manages takes it back; the holder of its token will be told so.

    Taking back a demoted member's removes that person for good, so it needs the right to give their role.
    """
    authority = command.authority
    bound = state.bound_to is not None
    refused = no(may_grant(authority, state.offer.role) if bound else may_manage(authority))
    if refused is not None:
        return Step(state, refused)
    withdrawn = Withdrawn(offer=state.offer, token=state.token, at=now)
    return Step(withdrawn, closed(state.offer), (removed(state.offer, "withdrawn"),))


def resend(state: Pending | Expired, command: Resend, now: datetime) -> Step[Invitation, Answer]:
    """A fresh token AND a fresh end; the old token is dead, and whoever resends stands for the invitation now."""
    authority, bound = command.authority, state.bound_to is not None
    gate = no(may_manage(authority)) if bound else may_send(authority, state.offer)
    refused = gate or over_budget(command.allowance) or conflict(taken=command.taken, member=False)
    if refused is not None:
        return Step(state, refused)
    pending = _pending(state.offer, authority, command.token, now, bound_to=state.bound_to, flags=state.flags)
    mail = _mail(facts.InvitationResent, state.offer, command.token, _end(authority, now), command.recipients)
    return Step(pending, _sent(state.offer, _end(authority, now)), (mail,))


def invite_back(_state: Absent | Pending, command: InviteBack, now: datetime) -> Step[Invitation, Answer]:
    """A demoted member gets a way back that nobody else can take; one that waits already gets a fresh token."""
    authority = command.authority
    pending = _pending(command.offer, authority, command.token, now, bound_to=command.bound_to, flags=command.flags)
    return Step(pending, _sent(command.offer, _end(authority, now)))


def removed(offer: Offer, reason: str) -> facts.InvitationRemoved:
    """Return the fact that an invitation is over for *reason*."""
    return facts.InvitationRemoved(
        organization=offer.organization, invitation=offer.id, email=offer.email, reason=reason
    )


def drop(state: Requested) -> Step[Invitation, Answer]:
    """The request is gone, and nothing comes of it."""
    offer = state.offer
    fact = facts.InvitationRequestRemoved(
        organization=offer.organization,
        invitation=offer.id,
        email=offer.email,
        role=offer.role,
        status=offer.origin.label,
    )
    return Step(Absent(), closed(offer), (fact,))


# --- pieces of a step -----------------------------------------------------------------------------------------------


def _offer(invitation: InvitationId, terms: Terms, authority: Authority, origin: InviteStatus) -> Offer:
    return Offer(
        organization=authority.organization.id,
        id=invitation,
        email=terms.email,
        role=terms.role,
        teams=terms.teams,
        origin=origin,
    )


def _end(authority: Authority, now: datetime) -> datetime:
    return now + authority.policy.invitation_ttl


def _issue(offer: Offer, authority: Authority, token: Secret, now: datetime) -> Step[Invitation, Answer]:
    mail = _mail(facts.MemberInvited, offer, token, _end(authority, now), (offer.email,))
    return Step(_pending(offer, authority, token, now), _sent(offer, _end(authority, now)), (mail,))


def _pending(
    offer: Offer,
    authority: Authority,
    token: Secret,
    now: datetime,
    *,
    bound_to: UserId | None = None,
    flags: MemberFlag = MemberFlag.NONE,
) -> Pending:
    return Pending(
        offer=offer,
        sponsor=authority.actor.person,
        token=token_digest(token),
        issued_at=now,
        expires_at=_end(authority, now),
        bound_to=bound_to,
        flags=flags,
    )


def _mail(
    kind: type[facts.MemberInvited | facts.InvitationResent],
    offer: Offer,
    token: Secret,
    expires_at: datetime,
    recipients: tuple[Address, ...],
) -> facts.MemberInvited | facts.InvitationResent:
    return kind(
        organization=offer.organization,
        invitation=offer.id,
        email=offer.email,
        role=offer.role,
        teams=",".join(offer.teams),
        status=InviteStatus.APPROVED.label,
        token=token,
        expires_at=expires_at,
        recipients=recipients,
    )


def _sent(offer: Offer, expires_at: datetime) -> InvitationSent:
    return InvitationSent(organization=offer.organization, invitation=offer.id, expires_at=expires_at)


def _file(offer: Offer, authority: Authority, now: datetime) -> Step[Invitation, Answer]:
    fact = facts.InvitationRequested(
        organization=offer.organization,
        invitation=offer.id,
        email=offer.email,
        role=offer.role,
        status=offer.origin.label,
    )
    requested = Requested(offer=offer, by=authority.actor.person, at=now)
    return Step(requested, RequestFiled(organization=offer.organization, invitation=offer.id), (fact,))


def closed(offer: Offer) -> InvitationClosed:
    """Return the answer that the invitation is over."""
    return InvitationClosed(organization=offer.organization, invitation=offer.id)
