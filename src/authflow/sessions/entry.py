"""The rules by which a person gets in, or gets in once more: first factors, second factors, and giving up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.errors import Code
from authflow.facts import sessions as facts
from authflow.machine import Step
from authflow.sessions import commands as answers
from authflow.sessions import outcomes, standing
from authflow.sessions.commands import Findings
from authflow.sessions.states import (
    Anonymous,
    EndReason,
    EnrollmentOpen,
    EnrollmentOwed,
    FactorOwed,
    Pending,
    SignedIn,
)
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.machine import Fact
    from authflow.sessions.commands import Cancel, Establish, Fail, Prove
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.sessions.states import Handle, Session

Entered = FactorOwed | EnrollmentOwed | SignedIn
"""Where a first factor leads."""


# --- a first factor -------------------------------------------------------------------------------------------------


def establish(state: Anonymous | Pending, command: Establish, now: datetime) -> Step[Session, SessionAnswer]:
    """A first factor signs in, or leaves a second factor or an enrollment owed; what was pending is replaced."""
    if isinstance(state, Anonymous) and now >= state.expires_at:
        return outcomes.ended(state, EndReason.EXPIRED)
    refused = _unfit(command, now)
    if refused is not None:
        return Step(state, *refused)
    return _enter(state.handle, command, now)


def establish_again(state: EnrollmentOpen, command: Establish, now: datetime) -> Step[Session, SessionAnswer]:
    """Who used the mailed link and signs in once more goes on where they were; the time is not extended.

    A provider's word does not take the place of the proof of their own that the link followed.
    """
    found = Findings(policy=command.policy, person=command.person)
    elsewhere = command.person.has_factor or standing.over(state, found, now) is not None
    if elsewhere or _unfit(command, now) is not None:
        return establish(state, command, now)
    after = EnrollmentOpen(
        handle=state.handle.renewed(command.digest),
        expires_at=state.expires_at,
        user=state.user,
        epoch=state.epoch,
        proof=command.proof if standing.own((command.proof,)) else state.proof,
        since=state.since,
        redeemed_at=state.redeemed_at,
    )
    return Step(after, outcomes.owed(after, found), (facts.SignInPending(user=state.user, owed="enrollment"),))


def establish_over(state: SignedIn, command: Establish, now: datetime) -> Step[Session, SessionAnswer]:
    """The same person proves a first factor again, or another person takes the browser over."""
    refused = _unfit(command, now)
    if refused is not None:
        return Step(state, *refused)
    if command.person.user != state.user:
        entered = _enter(state.handle, command, now)
        return Step(entered.state, entered.answer, (facts.SignedOut(user=state.user), *entered.facts))
    reason = standing.over(state, Findings(policy=command.policy, person=command.person), now)
    if reason is not None:
        return outcomes.ended(state, reason)
    after = outcomes.proven(state, command.proof, command.digest)
    answer = answers.SignedIn(user=state.user, level=standing.level(after.proofs))
    return Step(after, answer, (facts.Reauthenticated(user=state.user, method=command.proof.method.value),))


def _unfit(command: Establish, now: datetime) -> tuple[Refused, tuple[Fact, ...]] | None:
    """Refuse a proof that is none, then a person who may not sign in (who learns it only with a proof)."""
    if not standing.is_first_factor(command.proof, now, max_age=command.policy.proof_age):
        return Refused(code=Code.SESSION_PROOF_INVALID), ()
    if not command.person.active:
        code = Code.SESSION_USER_INACTIVE
        return Refused(code=code), (facts.SignInRefused(user=command.person.user, code=code.value),)
    return None


def _enter(handle: Handle, command: Establish, now: datetime) -> Step[Entered, SessionAnswer]:
    """The value is renewed here and again when the second factor has passed (mfa 15.1)."""
    person, policy, proof = command.person, command.policy, command.proof
    renewed, found = handle.renewed(command.digest), Findings(policy=policy, person=person)
    after: FactorOwed | EnrollmentOwed
    if person.has_factor:
        until, owed = now + policy.pending_login_ttl, "second_factor"
        after = FactorOwed(
            handle=renewed, expires_at=until, user=person.user, epoch=person.epoch, proof=proof, since=now
        )
    elif person.enrollment_required:
        until, owed = now + policy.enrollment_owed_ttl, "enrollment"
        after = EnrollmentOwed(
            handle=renewed, expires_at=until, user=person.user, epoch=person.epoch, proof=proof, since=now
        )
    else:
        return outcomes.signed_in(renewed, person.user, epoch=person.epoch, proofs=(proof,), policy=policy, now=now)
    return Step(after, outcomes.owed(after, found), (facts.SignInPending(user=person.user, owed=owed),))


# --- a second factor ------------------------------------------------------------------------------------------------


def prove_owed(state: FactorOwed, command: Prove, now: datetime) -> Step[Session, SessionAnswer]:
    """The second factor finishes the sign-in, if everything still holds (mfa 15.2)."""
    reason = standing.over(state, command.found, now)
    if reason is not None:
        return outcomes.abandoned(state, reason, command.found, now)
    policy = command.found.policy
    if not standing.is_second_factor(command.proof, now, max_age=policy.proof_age):
        return Step(state, Refused(code=Code.SESSION_PROOF_INVALID))
    renewed, proofs = state.handle.renewed(command.digest), (state.proof, command.proof)
    return outcomes.signed_in(renewed, state.user, epoch=state.epoch, proofs=proofs, policy=policy, now=now)


def prove_again(state: SignedIn, command: Prove, now: datetime) -> Step[Session, SessionAnswer]:
    """A second factor re-authenticates; it elevates unless the person's own first factor is missing (decision 5)."""
    found = command.found
    reason = standing.over(state, found, now)
    if reason is not None:
        return outcomes.ended(state, reason)
    if not standing.is_second_factor(command.proof, now, max_age=found.policy.proof_age):
        return Step(state, Refused(code=Code.SESSION_PROOF_INVALID))
    after = outcomes.proven(state, command.proof, command.digest)
    recorded = (facts.Reauthenticated(user=state.user, method=command.proof.method.value),)
    if not standing.elevated(after, now, has_factor=True, max_age=found.policy.elevation_age):
        return Step(after, Refused(code=Code.SESSION_ELEVATION_REQUIRED), recorded)
    return Step(after, answers.Elevated(user=state.user, level=standing.level(after.proofs)), recorded)


def fail_owed(state: FactorOwed, command: Fail, now: datetime) -> Step[Session, SessionAnswer]:
    """A wrong second factor; after the last one the first factor has to be given again (mfa 15.5)."""
    reason = standing.over(state, command.found, now)
    if reason is None:
        left = command.found.policy.pending_login_failures - command.found.failures
        return Step(state, Refused(code=Code.MFA_CODE_REJECTED, attempts_left=left))
    abandoned = outcomes.abandoned(state, reason, command.found, now)
    if reason is not EndReason.TOO_MANY_ATTEMPTS:
        return abandoned
    return Step(abandoned.state, Refused(code=Code.MFA_CODE_REJECTED, attempts_left=0), abandoned.facts)


def fail_again(state: SignedIn, _command: Fail, _now: datetime) -> Step[SignedIn, Refused]:
    """A wrong second factor of somebody who is signed in changes nothing; the limits of guesses count it."""
    return Step(state, Refused(code=Code.MFA_CODE_REJECTED))


def refuse_unasked(state: Anonymous, _command: Prove | Fail, _now: datetime) -> Step[Anonymous, Refused]:
    """No first factor was given here."""
    return Step(state, Refused(code=Code.SESSION_NO_PENDING_LOGIN))


# --- giving up ------------------------------------------------------------------------------------------------------


def cancel_pending(state: Pending, command: Cancel, now: datetime) -> Step[Anonymous, SessionAnswer]:
    """The pending sign-in is given up; the browser's row stays."""
    abandoned = outcomes.abandoned(state, EndReason.CANCELLED, command.found, now)
    return Step(abandoned.state, answers.SignInCancelled(), abandoned.facts)


def cancel_nothing(
    state: Anonymous | SignedIn, _command: Cancel, _now: datetime
) -> Step[Anonymous | SignedIn, SessionAnswer]:
    """Nothing is pending: giving up twice is once."""
    return Step(state, answers.SignInCancelled())
