"""The machine of a browser session: who is signed in here, by which proofs, and what is still owed.

A pending sign-in that ends leaves the browser's row standing without a person, so that a pending consent survives a
second try; a session that ends is over for good. Whenever more is open than before, the handle is renewed: the
generation rises, the secret changes, and the host must change its own session id (decision 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.errors import Code
from authflow.facts import mfa as mfa_facts
from authflow.facts import sessions as facts
from authflow.machine import Machine, Step, on
from authflow.sessions import commands as answers
from authflow.sessions import entry, outcomes, standing
from authflow.sessions.commands import (
    AdoptEpoch,
    Cancel,
    Command,
    Establish,
    Fail,
    FinishEnrollment,
    Look,
    Prove,
    Redeem,
    SignOut,
)
from authflow.sessions.outcomes import SessionAnswer
from authflow.sessions.states import (
    Anonymous,
    Ended,
    EndReason,
    EnrollmentOpen,
    EnrollmentOwed,
    FactorOwed,
    Pending,
    Session,
    SignedIn,
)
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sessions.states import Handle

NotSignedIn = Anonymous | Pending | Ended


# --- looking --------------------------------------------------------------------------------------------------------


def look_at_nobody(state: Anonymous, command: Look, now: datetime) -> Step[NotSignedIn, Refused]:
    """Nobody is signed in here; a browser's row has its time too."""
    if now >= state.expires_at:
        return outcomes.ended(state, EndReason.EXPIRED)
    return refuse(state, command, now)


def look_at_pending(state: Pending, command: Look, now: datetime) -> Step[Session, SessionAnswer]:
    """A pending sign-in dies of its time, its person, an ended epoch, or too many wrong answers (mfa 15.2)."""
    reason = standing.over(state, command.found, now)
    if reason is not None:
        return outcomes.abandoned(state, reason, command.found, now)
    return Step(state, outcomes.owed(state, command.found))


def look_at_signed_in(state: SignedIn, command: Look, now: datetime) -> Step[Session, SessionAnswer]:
    """A session dies of its time, its person or an ended epoch; a proof that was too old stays so (decision 35)."""
    reason = standing.over(state, command.found, now)
    if reason is not None:
        return outcomes.ended(state, reason)
    after = SignedIn(
        handle=state.handle,
        expires_at=state.expires_at,
        user=state.user,
        epoch=state.epoch,
        proofs=state.proofs,
        since=state.since,
        lapsed=standing.lapsed(state, now, max_age=command.found.policy.elevation_age),
        aged=standing.aged(state, now, max_age=command.found.mark_life),
    )
    return Step(after, answers.SignedIn(user=state.user, level=standing.level(state.proofs)))


def refuse(state: NotSignedIn, _command: Command, _now: datetime) -> Step[NotSignedIn, Refused]:
    """Nobody is signed in here, and the answer says why."""
    return Step(state, Refused(code=standing.why_not(state)))


# --- after a reset --------------------------------------------------------------------------------------------------


def redeem(state: EnrollmentOwed, command: Redeem, now: datetime) -> Step[Session, SessionAnswer]:
    """The mailed link opens the enrollment, to its own person and once (mfa 20.6).

    A first factor of their own comes before: until then nothing is said about the link, which stays unspent.
    """
    reason = standing.over(state, command.found, now)
    if reason is not None:
        return outcomes.abandoned(state, reason, command.found, now)
    if not standing.begun_by_themselves(state):
        return Step(state, Refused(code=Code.SESSION_ELEVATION_REQUIRED))
    if not standing.redeemable(state, command.link, now):
        return Step(state, Refused(code=Code.MFA_RESET_LINK_INVALID))
    after = EnrollmentOpen(
        handle=state.handle,
        expires_at=now + command.found.policy.enrollment_owed_ttl,
        user=state.user,
        epoch=state.epoch,
        proof=state.proof,
        since=state.since,
        redeemed_at=now,
    )
    return Step(after, outcomes.owed(after, command.found), (mfa_facts.ResetLinkUsed(user=state.user),))


def refuse_link(
    state: EnrollmentOpen | SignedIn, _command: Redeem, _now: datetime
) -> Step[EnrollmentOpen | SignedIn, Refused]:
    """No enrollment waits for a link here; nothing is said about the link."""
    return Step(state, Refused(code=Code.MFA_RESET_LINK_INVALID))


# --- a new epoch ----------------------------------------------------------------------------------------------------


def finish_open(state: EnrollmentOpen, command: FinishEnrollment, now: datetime) -> Step[Session, SessionAnswer]:
    """The forced enrollment is done, and its proof finishes the sign-in."""
    found = command.found
    reason = standing.over(state, found, now)
    if reason is not None:
        return outcomes.abandoned(state, reason, found, now)
    if not standing.is_second_factor(command.proof, now, max_age=found.policy.proof_age):
        return Step(state, Refused(code=Code.SESSION_PROOF_INVALID))
    renewed, proofs = state.handle.renewed(command.digest), (state.proof, command.proof)
    return outcomes.signed_in(renewed, state.user, epoch=state.epoch + 1, proofs=proofs, policy=found.policy, now=now)


def finish_signed_in(state: SignedIn, command: FinishEnrollment, now: datetime) -> Step[Session, SessionAnswer]:
    """The enrolled factor's proof counts here at once (mfa 20.4), and every other session ends."""
    reason = standing.over(state, command.found, now)
    if reason is not None:
        return outcomes.ended(state, reason)
    if not standing.is_second_factor(command.proof, now, max_age=command.found.policy.proof_age):
        return Step(state, Refused(code=Code.SESSION_PROOF_INVALID))
    proven = outcomes.proven(state, command.proof, command.digest)
    after = _rotated(proven, state.handle.renewed(command.digest))
    others = _others_ended(state, command)
    answer = answers.SignedIn(user=state.user, level=standing.level(after.proofs), others_ended=others.count)
    return Step(after, answer, (others,))


def adopt_epoch(state: SignedIn, command: AdoptEpoch, now: datetime) -> Step[Session, SessionAnswer]:
    """Every other session ends; this one is renewed, so that a copy of its old value ends too.

    It takes a proof of the person's own: no organization's provider signs them out of everything else (decision 1).
    """
    reason = standing.over(state, command.found, now)
    if reason is not None:
        return outcomes.ended(state, reason)
    if not standing.own(state.proofs):
        return Step(state, Refused(code=Code.SESSION_ELEVATION_REQUIRED))
    after = _rotated(state, state.handle.renewed(command.digest))
    others = _others_ended(state, command)
    return Step(after, answers.OthersEnded(count=others.count), (others,))


def _rotated(state: SignedIn, handle: Handle) -> SignedIn:
    """The person's epoch is stored with this: the next one, which no other session has."""
    return SignedIn(
        handle=handle,
        expires_at=state.expires_at,
        user=state.user,
        epoch=state.epoch + 1,
        proofs=state.proofs,
        since=state.since,
        lapsed=state.lapsed,
        aged=state.aged,
    )


def _others_ended(state: SignedIn, command: AdoptEpoch | FinishEnrollment) -> facts.OtherSessionsEnded:
    return facts.OtherSessionsEnded(user=state.user, count=max(command.alive - 1, 0), reason=command.reason)


# --- leaving --------------------------------------------------------------------------------------------------------


def leave(state: Session, _command: SignOut, _now: datetime) -> Step[Session, answers.SignedOut]:
    """Whatever stands here is over; leaving twice is once."""
    if isinstance(state, Ended):
        return Step(state, answers.SignedOut())
    after = outcomes.ended(state, EndReason.SIGNED_OUT).state
    if isinstance(state, SignedIn):
        return Step(after, answers.SignedOut(), (facts.SignedOut(user=state.user),))
    if isinstance(state, Anonymous):
        return Step(after, answers.SignedOut())
    cancelled = facts.PendingSignInEnded(user=state.user, reason=EndReason.CANCELLED.value)
    return Step(after, answers.SignedOut(), (cancelled,))


MACHINE = Machine[Session, Command, SessionAnswer](
    "sessions.session",
    (
        # state             command            rule                    next
        on(Anonymous, Look).to(look_at_nobody, Anonymous, Ended),
        on(Anonymous, Establish).to(entry.establish, Anonymous, FactorOwed, EnrollmentOwed, SignedIn, Ended),
        on(Anonymous, Prove).to(entry.refuse_unasked, Anonymous),
        on(Anonymous, Fail).to(entry.refuse_unasked, Anonymous),
        on(Anonymous, Redeem).to(refuse, Anonymous),
        on(Anonymous, FinishEnrollment).to(refuse, Anonymous),
        on(Anonymous, AdoptEpoch).to(refuse, Anonymous),
        on(Anonymous, Cancel).to(entry.cancel_nothing, Anonymous),
        on(Anonymous, SignOut).to(leave, Ended),
        on(FactorOwed, Look).to(look_at_pending, FactorOwed, Anonymous),
        on(FactorOwed, Establish).to(entry.establish, FactorOwed, EnrollmentOwed, SignedIn),
        on(FactorOwed, Prove).to(entry.prove_owed, FactorOwed, SignedIn, Anonymous),
        on(FactorOwed, Fail).to(entry.fail_owed, FactorOwed, Anonymous),
        on(FactorOwed, Redeem).to(refuse, FactorOwed),
        on(FactorOwed, FinishEnrollment).to(refuse, FactorOwed),
        on(FactorOwed, AdoptEpoch).to(refuse, FactorOwed),
        on(FactorOwed, Cancel).to(entry.cancel_pending, Anonymous),
        on(FactorOwed, SignOut).to(leave, Ended),
        on(EnrollmentOwed, Look).to(look_at_pending, EnrollmentOwed, Anonymous),
        on(EnrollmentOwed, Establish).to(entry.establish, EnrollmentOwed, FactorOwed, SignedIn),
        on(EnrollmentOwed, Prove).to(refuse, EnrollmentOwed),
        on(EnrollmentOwed, Fail).to(refuse, EnrollmentOwed),
        on(EnrollmentOwed, Redeem).to(redeem, EnrollmentOwed, EnrollmentOpen, Anonymous),
        on(EnrollmentOwed, FinishEnrollment).to(refuse, EnrollmentOwed),
        on(EnrollmentOwed, AdoptEpoch).to(refuse, EnrollmentOwed),
        on(EnrollmentOwed, Cancel).to(entry.cancel_pending, Anonymous),
        on(EnrollmentOwed, SignOut).to(leave, Ended),
        on(EnrollmentOpen, Look).to(look_at_pending, EnrollmentOpen, Anonymous),
        on(EnrollmentOpen, Establish).to(entry.establish_again, EnrollmentOpen, EnrollmentOwed, FactorOwed, SignedIn),
        on(EnrollmentOpen, Prove).to(refuse, EnrollmentOpen),
        on(EnrollmentOpen, Fail).to(refuse, EnrollmentOpen),
        on(EnrollmentOpen, Redeem).to(refuse_link, EnrollmentOpen),
        on(EnrollmentOpen, FinishEnrollment).to(finish_open, EnrollmentOpen, SignedIn, Anonymous),
        on(EnrollmentOpen, AdoptEpoch).to(refuse, EnrollmentOpen),
        on(EnrollmentOpen, Cancel).to(entry.cancel_pending, Anonymous),
        on(EnrollmentOpen, SignOut).to(leave, Ended),
        on(SignedIn, Look).to(look_at_signed_in, SignedIn, Ended),
        on(SignedIn, Establish).to(entry.establish_over, SignedIn, FactorOwed, EnrollmentOwed, Ended),
        on(SignedIn, Prove).to(entry.prove_again, SignedIn, Ended),
        on(SignedIn, Fail).to(entry.fail_again, SignedIn),
        on(SignedIn, Redeem).to(refuse_link, SignedIn),
        on(SignedIn, FinishEnrollment).to(finish_signed_in, SignedIn, Ended),
        on(SignedIn, AdoptEpoch).to(adopt_epoch, SignedIn, Ended),
        on(SignedIn, Cancel).to(entry.cancel_nothing, SignedIn),
        on(SignedIn, SignOut).to(leave, Ended),
        on(Ended, Look).to(refuse, Ended),
        on(Ended, Establish).to(refuse, Ended),
        on(Ended, Prove).to(refuse, Ended),
        on(Ended, Fail).to(refuse, Ended),
        on(Ended, Redeem).to(refuse, Ended),
        on(Ended, FinishEnrollment).to(refuse, Ended),
        on(Ended, AdoptEpoch).to(refuse, Ended),
        on(Ended, Cancel).to(refuse, Ended),
        on(Ended, SignOut).to(leave, Ended),
    ),
)
"""Who is signed in here, and what is owed. Every command is legal everywhere: a person can cause each of them."""
