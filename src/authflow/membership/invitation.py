"""The invitation: from a wish or an approval to a membership, used once.

::

    absent ──► requested ──► pending ──► accepted
                  │            │  ▲
                  ▼            ▼  │ resend
                absent    withdrawn, expired

An invitation is an entity of its own, never a member without a user. What is over keeps the digest of its token, so
that whoever holds the right one is told what became of it, and nobody else is told anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.facts import membership as facts
from authflow.machine import Machine, Step, on
from authflow.membership import issue
from authflow.membership.admission import Denied, Open, flags_on_joining, may_accept, told
from authflow.membership.answers import InvitationClosed, InvitationSent, Joined, RequestFiled, RequirementsOpen
from authflow.membership.gates import no
from authflow.membership.issue import (
    Approve,
    Invite,
    InviteBack,
    Reject,
    Request,
    RequestToJoin,
    Resend,
    Withdraw,
)
from authflow.membership.offer import (
    Absent,
    Accepted,
    Expired,
    Invitation,
    InviteStatus,
    Pending,
    Requested,
    Withdrawn,
    expired,
)
from authflow.membership.standing import Member, may_manage
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.machine import Fact
    from authflow.membership.admission import Attempt, Requirement
    from authflow.values import MemberId


@attrs.frozen(kw_only=True)
class Accept:
    """Join by the invitation; *member* names the membership, if it comes to that."""

    attempt: Attempt
    member: MemberId


@attrs.frozen
class Expire:
    """Store that the invitation has expired, if it has."""


@attrs.frozen(kw_only=True)
class Void:
    """End what waits for a person who joined another way, was demoted or removed; *reason* says which, for the log."""

    reason: str


Command = Invite | Request | RequestToJoin | InviteBack | Approve | Reject | Withdraw | Resend | Void | Accept | Expire

Answer = InvitationSent | RequestFiled | InvitationClosed | Joined | RequirementsOpen | Refused

REMEMBERED: Final = frozenset(
    {Code.INVITATION_WRONG_USER, Code.INVITATION_MEMBER_REMOVED, Code.INVITATION_INVITER_NOT_ENTITLED}
)
"""Refusals that the organization's log keeps: a known person held a live invitation and was not let in."""


def accept(state: Pending, command: Accept, now: datetime) -> Step[Invitation, Answer]:
    """Join, or keep the invitation for what is still open; one found expired, or needless, is stored so."""
    match may_accept(state, command.attempt, now):
        case Open(requirements):
            return Step(state, _open(state, requirements))
        case Denied(Code.INVITATION_EXPIRED as code):
            return Step(_expired(state, now), Refused(code=code), (issue.removed(state.offer, "expired"),))
        case Denied(Code.INVITATION_ALREADY_MEMBER as code):
            return _discard(state, command.attempt, Refused(code=code))
        case Denied(code):
            return Step(state, Refused(code=code), _refusal(state, command.attempt, code))
        case _:
            return _join(state, command, now)


def tell(
    state: Absent | Requested | Accepted | Withdrawn | Expired, command: Accept, _now: datetime
) -> Step[Invitation, Answer]:
    """What is not pending lets nobody in; who may hear about it is told what became of it."""
    return Step(state, Refused(code=told(state, command.attempt)))


def expire(state: Pending, _command: Expire, now: datetime) -> Step[Invitation, Answer]:
    """Expired is stored as soon as it is seen, and frees the address for a new invitation."""
    over = _expired(state, now) if expired(state, now) else state
    return Step(over, issue.closed(state.offer), () if over is state else (issue.removed(state.offer, "expired"),))


def leave(state: Requested, _command: Expire, _now: datetime) -> Step[Invitation, Answer]:
    """A request does not expire: it waits for somebody's decision."""
    return Step(state, issue.closed(state.offer))


def void(state: Pending, command: Void, now: datetime) -> Step[Invitation, Answer]:
    """No invitation made before a change of the membership outlives it, however clocks differ (decision 15)."""
    withdrawn = Withdrawn(offer=state.offer, token=state.token, at=now)
    return Step(withdrawn, issue.closed(state.offer), (issue.removed(state.offer, command.reason),))


def void_request(state: Requested, _command: Void, _now: datetime) -> Step[Invitation, Answer]:
    """Nobody need decide about it any more."""
    return issue.drop(state)


def stay(state: Absent | Expired | Accepted | Withdrawn, _command: Void, _now: datetime) -> Step[Invitation, Answer]:
    """Somebody else ended it first."""
    return Step(state, Refused(code=_DECLINED[type(state)]))


def decline(
    state: Invitation, command: Approve | Reject | Withdraw | Resend, _now: datetime
) -> Step[Invitation, Answer]:
    """Somebody else was faster, or there is no such invitation here; only who manages is told which."""
    return Step(state, no(may_manage(command.authority)) or Refused(code=_DECLINED[type(state)]))


_DECLINED: Final[dict[type[Invitation], Code]] = {
    Absent: Code.INVITATION_NOT_FOUND,
    Requested: Code.INVITATION_NOT_APPROVED,
    Pending: Code.INVITATION_ALREADY_INVITED,
    Accepted: Code.INVITATION_USED,
    Withdrawn: Code.INVITATION_REJECTED,
    Expired: Code.INVITATION_EXPIRED,
}


MACHINE = Machine[Invitation, Command, Answer](
    "membership.invitation",
    rows=(
        # state      command        rule                          next
        on(Absent, Invite).to(issue.invite, Absent, Pending),
        on(Absent, Request).to(issue.request, Absent, Requested),
        on(Absent, RequestToJoin).to(issue.request_to_join, Absent, Requested),
        on(Absent, InviteBack).to(issue.invite_back, Pending),
        on(Absent, Accept).to(tell, Absent),
        on(Absent, Approve).to(decline, Absent),
        on(Absent, Reject).to(decline, Absent),
        on(Absent, Withdraw).to(decline, Absent),
        on(Absent, Resend).to(decline, Absent),
        on(Absent, Void).to(stay, Absent),
        on(Requested, Approve).to(issue.approve, Requested, Pending),
        on(Requested, Reject).to(issue.reject, Requested, Absent),
        on(Requested, Withdraw).to(issue.withdraw_request, Requested, Absent),
        on(Requested, Resend).to(decline, Requested),
        on(Requested, Accept).to(tell, Requested),
        on(Requested, Expire).to(leave, Requested),
        on(Requested, Void).to(void_request, Absent),
        on(Pending, Accept).to(accept, Pending, Accepted, Expired, Absent),
        on(Pending, Resend).to(issue.resend, Pending),
        on(Pending, Withdraw).to(issue.withdraw, Pending, Withdrawn),
        on(Pending, Expire).to(expire, Pending, Expired),
        on(Pending, Void).to(void, Withdrawn),
        on(Pending, Approve).to(decline, Pending),
        on(Pending, Reject).to(decline, Pending),
        on(Pending, InviteBack).to(issue.invite_back, Pending),
        on(Expired, Resend).to(issue.resend, Expired, Pending),
        on(Expired, Withdraw).to(issue.withdraw, Expired, Withdrawn),
        on(Expired, Accept).to(tell, Expired),
        on(Expired, Approve).to(decline, Expired),
        on(Expired, Reject).to(decline, Expired),
        on(Expired, Void).to(stay, Expired),
        on(Accepted, Accept).to(tell, Accepted),
        on(Accepted, Approve).to(decline, Accepted),
        on(Accepted, Reject).to(decline, Accepted),
        on(Accepted, Withdraw).to(decline, Accepted),
        on(Accepted, Resend).to(decline, Accepted),
        on(Accepted, Void).to(stay, Accepted),
        on(Withdrawn, Accept).to(tell, Withdrawn),
        on(Withdrawn, Approve).to(decline, Withdrawn),
        on(Withdrawn, Reject).to(decline, Withdrawn),
        on(Withdrawn, Withdraw).to(decline, Withdrawn),
        on(Withdrawn, Resend).to(decline, Withdrawn),
        on(Withdrawn, Void).to(stay, Withdrawn),
    ),
)


# --- pieces of a step -----------------------------------------------------------------------------------------------


def _join(state: Pending, command: Accept, now: datetime) -> Step[Invitation, Answer]:
    offer, attempt = state.offer, command.attempt
    member = Member(
        organization=offer.organization,
        user=attempt.applicant.person,
        id=command.member,
        role=offer.role,
        teams=offer.teams,
        flags=flags_on_joining(state, attempt),
    )
    accepted = Accepted(offer=offer, token=state.token, by=member.user, member=member.id, at=now)
    fact = facts.InvitationAccepted(
        organization=offer.organization,
        invitation=offer.id,
        member=member.id,
        user=member.user,
        email=offer.email,
        role=offer.role,
        teams=",".join(offer.teams),
        status=InviteStatus.APPROVED.label,
    )
    return Step(accepted, Joined(member=member), (fact,))


def _open(state: Pending, requirements: frozenset[Requirement]) -> RequirementsOpen:
    return RequirementsOpen(organization=state.offer.organization, invitation=state.offer.id, requirements=requirements)


def _expired(state: Pending, now: datetime) -> Expired:
    return Expired(
        offer=state.offer,
        sponsor=state.sponsor,
        token=state.token,
        at=now,
        bound_to=state.bound_to,
        flags=state.flags,
    )


def _discard(state: Pending, attempt: Attempt, refused: Refused) -> Step[Invitation, Answer]:
    """Only an invitation addressed to a verified address of this very person is deleted (decision 14)."""
    user = attempt.applicant.user
    if user is None or not user.holds(state.offer.email):
        return Step(state, refused)
    fact = facts.InvitationDiscarded(organization=state.offer.organization, invitation=state.offer.id, user=user.id)
    return Step(Absent(), refused, (fact,))


def _refusal(state: Pending, attempt: Attempt, code: Code) -> tuple[Fact, ...]:
    user = attempt.applicant.user
    if user is None or code not in REMEMBERED:
        return ()
    offer = state.offer
    return (facts.JoinRefused(organization=offer.organization, invitation=offer.id, user=user.id, code=code),)
