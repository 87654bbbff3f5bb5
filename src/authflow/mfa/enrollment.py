"""Enrolling a factor: begin, prove, rotate in place; and what becomes of it afterwards.

::

    Unenrolled ──Begin──► Proposed ──Complete──► Enrolled ──Begin──► Rotating ──Complete──► Enrolled

A proposal dies by proof, expiry, too many wrong proofs, or a newer proposal; what is enrolled goes on working.
How many proofs were tried is a fact of the command: it is counted outside the state, before the proof is compared,
so that no rollback forgets it (decision 7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.errors import Code
from authflow.facts import mfa as facts
from authflow.machine import Machine, Step, on
from authflow.mfa import commands as c
from authflow.mfa import totp
from authflow.mfa.answers import Begun, Cancelled, Done, EnrollmentAnswer, Proven
from authflow.mfa.factor import (
    Authenticator,
    Enrolled,
    Factor,
    Proposal,
    Proposed,
    Rotating,
    Unenrolled,
    enrolled,
    flow_digest,
    mode_of,
    with_proposal,
    without_proposal,
)
from authflow.mfa.gates import BEGINNING, CANCELLING, COMPLETING, SHOWING, refusal
from authflow.mfa.standing import adopt, forget, keep, remove, remove_nothing, rename, rename_nothing, reseal, use_step
from authflow.values import Refused, Secret

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.machine import Fact
    from authflow.mfa.gates import Request

EnrollmentStep = Step[Factor, EnrollmentAnswer]


# --- a proposal -----------------------------------------------------------------------------------------------------


def begin(state: Factor, command: c.Begin, now: datetime) -> EnrollmentStep:
    """Behind the gates, propose a secret; an older proposal is void, what is enrolled stays."""
    request = command.request
    refused = refusal(BEGINNING, request)
    if refused is not None:
        return Step(state, refused)
    proposal = Proposal(
        flow=flow_digest(command.flow),
        session=request.asker.session,
        authenticator=command.authenticator,
        secret=command.sealed,
        created_at=now,
        expires_at=now + request.policy.pending_enrollment_ttl,
    )
    target = with_proposal(state, proposal)
    told = facts.EnrollmentBegun(user=request.subject, kind=request.kind.id)
    return Step(target, _shown(target, command, command.secret), (told,))


def show_again(state: Proposed | Rotating, command: c.ShowAgain, now: datetime) -> EnrollmentStep:
    """Show the same secret to whoever holds the flow: it lives no longer for it, and no attempt is given back."""
    refused = refusal(SHOWING, command.request)
    if refused is not None:
        return Step(state, refused)
    dead = _dead(state, command, now)
    if dead is not None:
        return dead
    if command.secret is None:
        return Step(state, Refused(code=Code.MFA_SECRET_UNAVAILABLE))
    return Step(state, _shown(state, command, command.secret))


def show_nothing(state: Unenrolled | Enrolled, command: c.ShowAgain, _now: datetime) -> EnrollmentStep:
    """Nothing is pending: it was proven, ended, or replaced."""
    refused = refusal(SHOWING, command.request)
    return Step(state, refused or Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED))


def cancel(state: Proposed | Rotating, command: c.Cancel, _now: datetime) -> EnrollmentStep:
    """Drop what is pending, for whoever holds the flow."""
    refused = refusal(CANCELLING, command.request)
    if refused is not None:
        return Step(state, refused)
    if not state.proposal.continues(command.flow, command.request.asker.session):
        return Step(state, Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED))
    return Step(without_proposal(state), Cancelled())


def cancel_nothing(state: Unenrolled | Enrolled, command: c.Cancel, _now: datetime) -> EnrollmentStep:
    """Nothing is pending: stopping twice is no error."""
    return Step(state, refusal(CANCELLING, command.request) or Cancelled())


def expire(state: Proposed | Rotating, command: c.Expire, now: datetime) -> EnrollmentStep:
    """Drop what is pending if its time is over, and remember that."""
    if now < state.proposal.expires_at:
        return Step(state, Done())
    ended = facts.EnrollmentEnded(user=command.user, kind=command.kind, reason="expired")
    return Step(without_proposal(state), Done(), (ended,))


def expire_nothing(state: Unenrolled | Enrolled, _command: c.Expire, _now: datetime) -> EnrollmentStep:
    """Nothing is pending any more."""
    return Step(state, Done())


# --- a proof --------------------------------------------------------------------------------------------------------


def complete(state: Proposed | Rotating, command: c.Complete, now: datetime) -> EnrollmentStep:
    """Behind the gates, a right code makes the proposed secret the factor's own; its time step is burnt."""
    stopped = _stopped(state, command, now)
    if stopped is not None:
        return stopped
    if command.secret is None:
        return Step(state, Refused(code=Code.MFA_SECRET_UNAVAILABLE))
    policy = command.request.policy
    if command.attempts > policy.enrollment_proofs:
        return _ended(state, command.request, "too_many_attempts", Code.MFA_ENROLLMENT_ENDED)
    code = totp.parse_code(command.code)
    matched = totp.match(command.secret, code, now, after=None, window=policy.totp_window) if code else None
    if isinstance(matched, totp.MatchedStep):
        return _proven(state, command.request, matched.step, now)
    return _rejected(state, command)


def complete_nothing(state: Unenrolled | Enrolled, command: c.Complete, _now: datetime) -> EnrollmentStep:
    """Behind the gates: nothing is pending, because it was proven, ended, replaced, or never begun."""
    refused = refusal(COMPLETING, command.request) or Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)
    return Step(state, refused, _of_refusal(command.request, refused))


def proof_is_due(state: Factor, command: c.Complete, now: datetime) -> bool:
    """Tell whether `complete` would compare the code: exactly then the attempt is counted, before it is compared."""
    if not isinstance(state, Proposed | Rotating) or command.secret is None:
        return False
    return _stopped(state, command, now) is None


def _stopped(state: Proposed | Rotating, command: c.Complete, now: datetime) -> EnrollmentStep | None:
    refused = refusal(COMPLETING, command.request)
    if refused is not None:
        return Step(state, refused, _of_refusal(command.request, refused))
    return _dead(state, command, now)


def _dead(state: Proposed | Rotating, command: c.ShowAgain | c.Complete, now: datetime) -> EnrollmentStep | None:
    """Somebody else's flow, or an older one, is no longer the current one; an expired one ends here, for good."""
    if not state.proposal.continues(command.flow, command.request.asker.session):
        return Step(state, Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED))
    if now >= state.proposal.expires_at:
        return _ended(state, command.request, "expired", Code.MFA_ENROLLMENT_EXPIRED)
    return None


def _rejected(state: Proposed | Rotating, command: c.Complete) -> EnrollmentStep:
    request = command.request
    left = request.policy.enrollment_proofs - command.attempts
    wrong = facts.EnrollmentProofRejected(user=request.subject, kind=request.kind.id, attempts=command.attempts)
    if left <= 0:
        ended = _ended(state, request, "too_many_attempts", Code.MFA_ENROLLMENT_ENDED)
        return Step(ended.state, ended.answer, (wrong, *ended.facts))
    return Step(state, Refused(code=Code.MFA_CODE_REJECTED, attempts_left=left), (wrong,))


def _proven(state: Proposed | Rotating, request: Request, step: int, now: datetime) -> EnrollmentStep:
    """Keep id and name; the time of creation, the last use and the replay state belong to the secret (mfa 7.4)."""
    standing = enrolled(state)
    proven = Authenticator(
        id=state.proposal.authenticator,
        name=request.kind.title if standing is None else standing.name,
        created_at=now,
        secret=state.proposal.secret,
        last_accepted_step=step,
    )
    told = facts.FactorEnrolled if standing is None else facts.FactorRotated
    answer = Proven(user=request.subject, authenticator=proven.id, kind=request.kind, mode=mode_of(state), step=step)
    fact = told(user=request.subject, authenticator=proven.id, kind=request.kind.id)
    return Step(Enrolled(authenticator=proven), answer, (fact,))


def _shown(state: Proposed | Rotating, command: c.Begin | c.ShowAgain, secret: Secret) -> Begun:
    uri = totp.provisioning_uri(secret, issuer=command.request.policy.issuer, account=command.account)
    return Begun(
        flow=command.flow,
        kind=command.request.kind,
        mode=mode_of(state),
        secret=secret,
        uri=Secret(uri),
        grouped=Secret(totp.grouped(secret)),
        expires_at=state.proposal.expires_at,
    )


def _ended(state: Proposed | Rotating, request: Request, reason: str, code: Code) -> EnrollmentStep:
    ended = facts.EnrollmentEnded(user=request.subject, kind=request.kind.id, reason=reason)
    return Step(without_proposal(state), Refused(code=code), (ended,))


def _of_refusal(request: Request, refused: Refused) -> tuple[Fact, ...]:
    if refused.code is not Code.MFA_RATE_LIMITED:
        return ()
    return (facts.EnrollmentLimitReached(user=request.subject, kind=request.kind.id),)


MACHINE = Machine[Factor, c.EnrollmentCommand, EnrollmentAnswer](
    "mfa.enrollment",
    rows=(
        # state       command                rule             next
        on(Unenrolled, c.Begin).to(begin, Unenrolled, Proposed),
        on(Unenrolled, c.ShowAgain).to(show_nothing, Unenrolled),
        on(Unenrolled, c.Complete).to(complete_nothing, Unenrolled),
        on(Unenrolled, c.Cancel).to(cancel_nothing, Unenrolled),
        on(Unenrolled, c.Expire).to(expire_nothing, Unenrolled),
        on(Unenrolled, c.Rename).to(rename_nothing, Unenrolled),
        on(Unenrolled, c.Remove).to(remove_nothing, Unenrolled),
        on(Unenrolled, c.Forget).to(forget, Unenrolled),
        on(Unenrolled, c.Adopt).to(adopt, Enrolled),
        on(Proposed, c.Begin).to(begin, Proposed),
        on(Proposed, c.ShowAgain).to(show_again, Proposed, Unenrolled),
        on(Proposed, c.Complete).to(complete, Proposed, Enrolled, Unenrolled),
        on(Proposed, c.Cancel).to(cancel, Proposed, Unenrolled),
        on(Proposed, c.Expire).to(expire, Proposed, Unenrolled),
        on(Proposed, c.Forget).to(forget, Unenrolled),
        on(Proposed, c.Adopt).to(adopt, Enrolled),
        on(Enrolled, c.Begin).to(begin, Enrolled, Rotating),
        on(Enrolled, c.ShowAgain).to(show_nothing, Enrolled),
        on(Enrolled, c.Complete).to(complete_nothing, Enrolled),
        on(Enrolled, c.Cancel).to(cancel_nothing, Enrolled),
        on(Enrolled, c.Expire).to(expire_nothing, Enrolled),
        on(Enrolled, c.UseStep).to(use_step, Enrolled),
        on(Enrolled, c.Rename).to(rename, Enrolled),
        on(Enrolled, c.Remove).to(remove, Enrolled, Unenrolled),
        on(Enrolled, c.Forget).to(forget, Unenrolled),
        on(Enrolled, c.Adopt).to(keep, Enrolled),
        on(Enrolled, c.Reseal).to(reseal, Enrolled),
        on(Rotating, c.Begin).to(begin, Rotating),
        on(Rotating, c.ShowAgain).to(show_again, Rotating, Enrolled),
        on(Rotating, c.Complete).to(complete, Rotating, Enrolled),
        on(Rotating, c.Cancel).to(cancel, Rotating, Enrolled),
        on(Rotating, c.Expire).to(expire, Rotating, Enrolled),
        on(Rotating, c.UseStep).to(use_step, Rotating),
        on(Rotating, c.Rename).to(rename, Rotating),
        on(Rotating, c.Remove).to(remove, Rotating, Unenrolled),
        on(Rotating, c.Forget).to(forget, Unenrolled),
        on(Rotating, c.Adopt).to(keep, Rotating),
        on(Rotating, c.Reseal).to(reseal, Rotating),
    ),
)
