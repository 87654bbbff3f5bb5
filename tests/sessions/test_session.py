"""The machine of a session: every edge taken, and what no command in no state can ever do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import mfa as mfa_facts
from authflow.facts import sessions as facts
from authflow.facts.table import RECORDS
from authflow.sessions import commands as answers
from authflow.sessions import standing
from authflow.sessions.commands import (
    AdoptEpoch,
    Cancel,
    Establish,
    Fail,
    FinishEnrollment,
    Look,
    Person,
    Prove,
    Redeem,
    SignOut,
)
from authflow.sessions.session import MACHINE
from authflow.sessions.states import (
    Anonymous,
    Ended,
    EndReason,
    EnrollmentOpen,
    EnrollmentOwed,
    FactorOwed,
    SignedIn,
)
from authflow.testing import Exploration, assert_complete
from authflow.testing.clocks import START
from authflow.testing.samples.sessions import (
    ALPHABET,
    ANNE,
    BEN,
    FRESH,
    OTHER,
    PLAIN,
    POLICY,
    PROTECTED,
    RESET,
    ROTATED,
    SECOND,
    anonymous,
    factor_owed,
    found,
    link,
    proof,
    signed_in,
    sso,
)
from authflow.values import Level, Method, Proof, Refused

if TYPE_CHECKING:
    from authflow.machine import Step
    from authflow.sessions.commands import Command
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.sessions.states import Session

    Walk = Exploration[Session, Command, SessionAnswer]


@pytest.fixture(scope="module")
def walk() -> Walk:
    """Everything that the alphabet can do to a browser, from nobody and from a session of level 2."""
    return ALPHABET.walk()


def establish(state: Session, given: Proof, person: Person = PLAIN, now: datetime = START) -> Step[Session, object]:
    return MACHINE.step(state, Establish(policy=POLICY, person=person, proof=given, digest=FRESH), now)


def prove(state: Session, given: Proof, person: Person = PROTECTED, now: datetime = START) -> Step[Session, object]:
    return MACHINE.step(state, Prove(found=found(person), proof=given, digest=FRESH), now)


def code(step: Step[Session, object]) -> Code:
    assert isinstance(step.answer, Refused)
    return step.answer.code


# --- the whole table ------------------------------------------------------------------------------------------------


def test_every_declared_edge_is_taken_and_no_other(walk: Walk) -> None:
    assert_complete(MACHINE, walk)


def test_every_command_is_legal_everywhere(walk: Walk) -> None:
    """A person can cause each of them in any state, so none is a bug of the caller."""
    assert walk.illegal == ()
    assert {(r.state, r.command) for r in MACHINE.rows} == {
        (state, command) for state in MACHINE.states() for command in MACHINE.commands()
    }


def test_every_kind_of_answer_is_given(walk: Walk) -> None:
    assert walk.answers() == {
        answers.SignedIn,
        answers.SecondFactorOwed,
        answers.EnrollmentOwed,
        answers.Elevated,
        answers.OthersEnded,
        answers.SignInCancelled,
        answers.SignedOut,
        Refused,
    }


def test_every_fact_stands_in_the_table_of_facts(walk: Walk) -> None:
    told = {type(fact) for step in walk.steps for fact in step.facts}
    assert told <= set(RECORDS)
    assert {facts.SignedIn, facts.SignInPending, facts.SignInRefused, facts.PendingSignInEnded} <= told
    assert {facts.Reauthenticated, facts.OtherSessionsEnded, facts.SignedOut, mfa_facts.ResetLinkUsed} <= told


def test_what_ended_never_lives_again(walk: Walk) -> None:
    """No command at any moment leads out, and the clock of the walk goes back to before the end (decision 35)."""
    targets = {type(step.target) for step in walk.steps if isinstance(step.state, Ended)}
    assert targets == {Ended}


def test_a_row_that_is_over_signs_nobody_in(walk: Walk) -> None:
    """Time, person and epoch are looked at again by every rule, not only by a look (mfa 15.2)."""
    for step in walk.steps:
        read = getattr(step.command, "found", None)
        if (
            read is None
            or isinstance(step.state, Anonymous | Ended)
            or standing.over(step.state, read, step.now) is None
        ):
            continue
        if isinstance(step.command, Look | Prove | FinishEnrollment | AdoptEpoch | Redeem):
            unchanged = step.target == step.state and isinstance(step.answer, Refused)
            assert unchanged or isinstance(step.target, Anonymous | Ended), step
        assert not isinstance(step.answer, answers.SignedIn | answers.Elevated | answers.OthersEnded), step


# --- the handle -----------------------------------------------------------------------------------------------------


def test_the_generation_rises_exactly_when_more_is_open_than_before(walk: Walk) -> None:
    """A sign-in begun, finished, a level or an organization gained, an epoch adopted: nothing else (decision 3)."""
    for step in walk.steps:
        before, after = step.state, step.target
        same = isinstance(before, SignedIn) and isinstance(after, SignedIn) and before.user == after.user
        if isinstance(before, SignedIn) and isinstance(after, SignedIn) and same:
            renewed = standing.rises(before.proofs, after.proofs) or before.epoch != after.epoch
        else:
            getting_in = isinstance(step.command, Establish | Prove | FinishEnrollment)
            renewed = getting_in and not isinstance(step.answer, Refused)
        assert after.handle.generation - before.handle.generation == renewed, step


def test_a_renewed_handle_opens_with_the_new_secret_only(walk: Walk) -> None:
    for step in walk.steps:
        before, after = step.state.handle, step.target.handle
        if after.generation == before.generation:
            assert after == before
        else:
            assert after.digest == FRESH
            assert after.superseded == (before.digest, *before.superseded)
            assert (after.id, after.created_at) == (before.id, before.created_at)


# --- proofs and elevation ---------------------------------------------------------------------------------------------


def is_elevated(state: Session, now: datetime, *, has_factor: bool) -> bool:
    return standing.elevated(state, now, has_factor=has_factor, max_age=POLICY.elevation_age)


def test_whoever_has_a_factor_is_elevated_at_level_two_only(walk: Walk) -> None:
    for step in walk.steps:
        if is_elevated(step.target, step.now, has_factor=True):
            assert isinstance(step.target, SignedIn)
            assert standing.level(step.target.proofs) is Level.TWO


def test_a_password_never_raises_a_session_above_the_assurance_it_had(walk: Walk) -> None:
    """By mfa 18.2: after a first factor, whoever has a second one is exactly as elevated as before."""
    seen = 0
    for step in walk.steps:
        before, after = step.state, step.target
        if not (isinstance(step.command, Establish) and isinstance(before, SignedIn) and isinstance(after, SignedIn)):
            continue
        if before.user == after.user:
            seen += 1
            second = [p for p in standing.own(before.proofs) if p.method in standing.SECOND]
            assert standing.level(after.proofs) <= (Level.TWO if second else Level.ONE)
            if is_elevated(after, step.now, has_factor=True):
                assert any(timedelta(0) <= step.now - p.at <= POLICY.elevation_age for p in second)
    assert seen


def test_nobody_with_a_factor_is_signed_in_without_it(walk: Walk) -> None:
    """A first factor of somebody who has a second one leads to a pending login, and only its proof out (mfa 15.1)."""
    for step in walk.steps:
        if not isinstance(step.command, Establish) or not step.command.person.has_factor:
            continue
        before, after = step.state, step.target
        if isinstance(after, SignedIn):
            assert isinstance(before, SignedIn)
            assert before.user == after.user


def test_proofs_of_an_organization_never_elevate(walk: Walk) -> None:
    for step in walk.steps:
        target = step.target
        if isinstance(target, SignedIn) and not standing.own(target.proofs):
            assert not is_elevated(target, step.now, has_factor=True)
            assert not is_elevated(target, step.now, has_factor=False)
            assert standing.level(target.proofs) is Level.NONE


def test_what_lapsed_elevates_only_after_a_new_proof_of_the_same_method(walk: Walk) -> None:
    """Also when the clock goes back to when the proof was recent (decision 35)."""
    for step in walk.steps:
        before, after = step.state, step.target
        if not isinstance(before, SignedIn) or not isinstance(after, SignedIn) or before.user != after.user:
            continue
        if before.lapsed - after.lapsed:
            given = getattr(step.command, "proof", None)
            assert isinstance(given, Proof)
            assert before.lapsed - after.lapsed == {given.method}


# --- signing in -----------------------------------------------------------------------------------------------------


def test_a_first_factor_signs_in_whoever_has_no_second_one() -> None:
    step = establish(anonymous(), proof(Method.PASSWORD))
    assert step.answer == answers.SignedIn(user=ANNE, level=Level.ONE)
    assert step.facts == (facts.SignedIn(user=ANNE, methods="pwd"),)
    assert isinstance(step.state, SignedIn)
    assert step.state.expires_at == START + POLICY.lifetime


def test_a_second_factor_is_owed_for_300_seconds_and_the_answer_names_nobody() -> None:
    step = establish(anonymous(), proof(Method.PASSWORD), PROTECTED)
    assert step.answer == answers.SecondFactorOwed(expires_at=START + timedelta(seconds=300), attempts_left=10)
    assert ANNE not in repr(step.answer)
    assert step.facts == (facts.SignInPending(user=ANNE, owed="second_factor"),)


def test_the_second_factor_finishes_the_sign_in() -> None:
    step = prove(factor_owed(), proof(Method.TOTP, START + SECOND), now=START + SECOND)
    assert step.answer == answers.SignedIn(user=ANNE, level=Level.TWO)
    assert step.facts == (facts.SignedIn(user=ANNE, methods="pwd,otp"),)


def test_a_sign_in_through_an_organization_still_owes_the_second_factor() -> None:
    owed = establish(anonymous(), sso(), PROTECTED).state
    assert isinstance(owed, FactorOwed)
    done = prove(owed, proof(Method.TOTP)).state
    assert isinstance(done, SignedIn)
    assert {mark.organization for mark in standing.marks(done.proofs)} == {"acme"}
    assert not is_elevated(done, START, has_factor=True)


@pytest.mark.parametrize(
    "given",
    [
        proof(Method.TOTP),
        proof(Method.RECOVERY_CODE),
        proof(Method.PASSWORD, START + SECOND),
        proof(Method.PASSWORD, START - POLICY.proof_age - SECOND),
        proof(Method.SSO),
        attrs.evolve(sso(), provider=None),
        attrs.evolve(sso(), organization=None),
        attrs.evolve(sso(), method=Method.PASSWORD),
        attrs.evolve(sso(), method=Method.MAILED_LINK),
    ],
    ids=str,
)
def test_what_is_no_recent_first_factor_is_refused_and_changes_nothing(given: Proof) -> None:
    for state in (anonymous(), factor_owed(), signed_in(proof(Method.PASSWORD))):
        step = establish(state, given)
        assert (step.state, code(step), step.facts) == (state, Code.SESSION_PROOF_INVALID, ())


def test_an_inactive_person_learns_it_only_with_a_proof() -> None:
    gone = Person(user=ANNE, active=False)
    step = establish(anonymous(), proof(Method.PASSWORD), gone)
    assert (step.state, code(step)) == (anonymous(), Code.SESSION_USER_INACTIVE)
    assert step.facts == (facts.SignInRefused(user=ANNE, code="session.user_inactive"),)
    assert code(establish(anonymous(), proof(Method.TOTP), gone)) is Code.SESSION_PROOF_INVALID


def test_a_fresh_sign_in_replaces_the_pending_one() -> None:
    step = establish(factor_owed(), proof(Method.PASSWORD, START + SECOND), OTHER, START + SECOND)
    assert isinstance(step.state, SignedIn)
    assert step.state.user == BEN


def test_another_person_takes_a_browser_over_with_nothing_of_the_first() -> None:
    before = signed_in(proof(Method.PASSWORD), proof(Method.TOTP), sso())
    step = establish(before, proof(Method.PASSWORD), OTHER)
    assert isinstance(step.state, SignedIn)
    assert step.state.user == BEN
    assert step.state.proofs == (proof(Method.PASSWORD),)
    assert step.facts[0] == facts.SignedOut(user=ANNE)


def test_the_same_person_keeps_every_proof_and_the_level() -> None:
    before = signed_in(proof(Method.PASSWORD), proof(Method.TOTP))
    later = START + timedelta(hours=1)
    step = establish(before, proof(Method.PASSWORD, later), PROTECTED, later)
    assert step.answer == answers.SignedIn(user=ANNE, level=Level.TWO)
    assert step.facts == (facts.Reauthenticated(user=ANNE, method="pwd"),)
    assert isinstance(step.state, SignedIn)
    assert step.state.expires_at == before.expires_at
    assert not is_elevated(step.state, later, has_factor=True)


def test_a_proof_of_ones_own_after_single_sign_on_renews_the_value() -> None:
    step = establish(signed_in(sso()), proof(Method.PASSWORD))
    assert step.state.handle.generation == 2


# --- the pending login ------------------------------------------------------------------------------------------------


def test_a_pending_login_dies_after_300_seconds_however_often_it_was_tried() -> None:
    state: Session = factor_owed()
    for failures in range(1, 6):
        state = MACHINE.step(state, Fail(found=found(PROTECTED, failures)), START + failures * 59 * SECOND).state
    last = START + timedelta(seconds=300)
    assert isinstance(prove(state, proof(Method.TOTP, last - SECOND), now=last - SECOND).state, SignedIn)
    step = prove(state, proof(Method.TOTP, last), now=last)
    assert code(step) is Code.SESSION_NO_PENDING_LOGIN
    assert step.facts == (facts.PendingSignInEnded(user=ANNE, reason="expired"),)
    assert code(prove(step.state, proof(Method.TOTP), now=START)) is Code.SESSION_NO_PENDING_LOGIN


def test_the_tenth_failure_ends_a_pending_login() -> None:
    state: Session = factor_owed()
    for failures in range(1, 10):
        step = MACHINE.step(state, Fail(found=found(PROTECTED, failures)), START)
        assert (step.state, step.answer) == (state, Refused(code=Code.MFA_CODE_REJECTED, attempts_left=10 - failures))
    last = MACHINE.step(state, Fail(found=found(PROTECTED, 10)), START)
    assert last.answer == Refused(code=Code.MFA_CODE_REJECTED, attempts_left=0)
    assert isinstance(last.state, Anonymous)
    assert last.facts == (facts.PendingSignInEnded(user=ANNE, reason="too_many_attempts"),)


def test_the_counter_ends_a_pending_login_also_if_its_last_failure_was_rolled_back() -> None:
    command = Prove(found=found(PROTECTED, 10), proof=proof(Method.TOTP), digest=FRESH)
    assert isinstance(MACHINE.step(factor_owed(), command, START).state, Anonymous)
    assert isinstance(MACHINE.step(factor_owed(), Look(found=found(PROTECTED, 10)), START).state, Anonymous)


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (Person(user=ANNE, has_factor=True, active=False), "inactive"),
        (None, "inactive"),
        (OTHER, "inactive"),
        (ROTATED, "ended_elsewhere"),
    ],
)
def test_the_second_factor_finds_the_person_as_they_were(person: Person | None, reason: str) -> None:
    """By mfa 15.2: still active, still the same epoch, which a removed factor rotates (decision 6)."""
    command = Prove(found=found(person), proof=proof(Method.TOTP), digest=FRESH)
    step = MACHINE.step(factor_owed(), command, START)
    assert isinstance(step.state, Anonymous)
    assert step.answer == Refused(code=Code.SESSION_NO_PENDING_LOGIN)
    assert step.facts == (facts.PendingSignInEnded(user=ANNE, reason=reason),)


@pytest.mark.parametrize("given", [proof(Method.PASSWORD), proof(Method.MAILED_LINK), sso()], ids=str)
def test_a_first_factor_is_no_second_one(given: Proof) -> None:
    step = prove(factor_owed(), given)
    assert (step.state, code(step)) == (factor_owed(), Code.SESSION_PROOF_INVALID)


def test_what_an_organization_says_of_a_second_factor_finishes_no_sign_in() -> None:
    asserted = attrs.evolve(sso(), method=Method.TOTP)
    assert code(prove(factor_owed(), asserted)) is Code.SESSION_PROOF_INVALID
    assert code(prove(signed_in(proof(Method.PASSWORD)), asserted)) is Code.SESSION_PROOF_INVALID


@pytest.mark.parametrize("at", [START + SECOND, START - POLICY.proof_age - SECOND], ids=str)
def test_a_second_factor_of_another_time_is_none(at: datetime) -> None:
    """Neither one that was verified too long ago nor one that was not yet."""
    given = proof(Method.TOTP, at)
    enrolled = FinishEnrollment(found=found(RESET), proof=given, alive=1, reason="factor_enrolled", digest=FRESH)
    level_one = signed_in(proof(Method.PASSWORD))
    steps = {
        factor_owed(): prove(factor_owed(), given),
        level_one: prove(level_one, given),
        enrollment_open(): MACHINE.step(enrollment_open(), enrolled, START),
        signed_in(): MACHINE.step(signed_in(), enrolled, START),
    }
    for state, step in steps.items():
        assert (step.state, code(step), step.facts) == (state, Code.SESSION_PROOF_INVALID, ())


def test_giving_up_twice_is_once() -> None:
    command = Cancel(found=found(PROTECTED))
    step = MACHINE.step(factor_owed(), command, START)
    assert (type(step.state), step.answer) == (Anonymous, answers.SignInCancelled())
    assert step.facts == (facts.PendingSignInEnded(user=ANNE, reason="cancelled"),)
    again = MACHINE.step(step.state, command, START)
    assert (again.state, again.answer, again.facts) == (step.state, answers.SignInCancelled(), ())


# --- re-authentication ------------------------------------------------------------------------------------------------


def test_a_second_factor_elevates_again_and_only_for_its_time() -> None:
    later = START + timedelta(hours=1)
    before = signed_in(proof(Method.PASSWORD), proof(Method.TOTP))
    assert not is_elevated(before, later, has_factor=True)
    step = prove(before, proof(Method.RECOVERY_CODE, later), now=later)
    assert step.answer == answers.Elevated(user=ANNE, level=Level.TWO)
    assert step.facts == (facts.Reauthenticated(user=ANNE, method="rc"),)
    assert is_elevated(step.state, later + POLICY.elevation_age, has_factor=True)
    assert not is_elevated(step.state, later + POLICY.elevation_age + SECOND, has_factor=True)


def test_a_second_factor_alone_is_not_enough() -> None:
    """A session that only an organization's provider vouches for needs a first factor of the person's own too."""
    step = prove(signed_in(sso()), proof(Method.TOTP))
    assert code(step) is Code.SESSION_ELEVATION_REQUIRED
    assert step.facts == (facts.Reauthenticated(user=ANNE, method="otp"),)
    both = establish(step.state, proof(Method.PASSWORD), PROTECTED).state
    assert is_elevated(both, START, has_factor=True)


# --- after a reset ----------------------------------------------------------------------------------------------------


def enrollment_owed() -> EnrollmentOwed:
    state = establish(anonymous(), proof(Method.PASSWORD), RESET).state
    assert isinstance(state, EnrollmentOwed)
    return state


def enrollment_open() -> EnrollmentOpen:
    state = MACHINE.step(enrollment_owed(), Redeem(found=found(RESET), link=link()), START + SECOND).state
    assert isinstance(state, EnrollmentOpen)
    return state


def test_after_a_reset_a_first_factor_signs_nobody_in() -> None:
    step = establish(anonymous(), proof(Method.PASSWORD), RESET)
    assert step.answer == answers.EnrollmentOwed(expires_at=START + POLICY.enrollment_owed_ttl, link_redeemed=False)
    assert standing.asker(step.state, found(RESET), START).user is None


@pytest.mark.parametrize("presented", [None, link(BEN), link(expires_at=START), link(expires_at=START - SECOND)])
def test_no_link_another_persons_and_an_expired_one_get_the_same_answer(presented: object) -> None:
    step = MACHINE.step(enrollment_owed(), Redeem(found=found(RESET), link=presented), START)  # type: ignore[arg-type]
    assert (step.state, step.answer) == (enrollment_owed(), Refused(code=Code.MFA_RESET_LINK_INVALID))


def test_the_link_opens_the_enrollment_and_nothing_else() -> None:
    opened, now = enrollment_open(), START + SECOND
    assert standing.asker(opened, found(RESET), now).user is None
    asker = standing.enrolling_asker(opened, found(RESET), now)
    assert (asker.user, asker.elevated, asker.level) == (ANNE, True, Level.ONE)
    assert not standing.enrolling_asker(enrollment_owed(), found(RESET), now).elevated
    for command in (AdoptEpoch(found=found(RESET), alive=1, reason="", digest=FRESH), Fail(found=found(RESET))):
        step = MACHINE.step(opened, command, now)
        assert (step.state, step.answer) == (opened, Refused(code=Code.SESSION_ENROLLMENT_OWED))


def test_the_enrolled_factor_finishes_the_sign_in() -> None:
    now = START + 2 * SECOND
    enrolled = FinishEnrollment(
        found=found(RESET), proof=proof(Method.TOTP, now), alive=0, reason="factor_enrolled", digest=FRESH
    )
    step = MACHINE.step(enrollment_open(), enrolled, now)
    assert step.answer == answers.SignedIn(user=ANNE, level=Level.TWO)
    assert step.facts == (facts.SignedIn(user=ANNE, methods="pwd,otp"),)
    assert isinstance(step.state, SignedIn)
    assert step.state.epoch == 2
    for owed in (enrollment_owed(), factor_owed(), anonymous()):
        assert MACHINE.step(owed, enrolled, now).state == owed


def test_signing_in_again_keeps_the_opened_enrollment_and_its_time() -> None:
    """The link works once: without this, a second sign-in would leave no way back (decision 33)."""
    opened, now = enrollment_open(), START + timedelta(minutes=30)
    again = establish(opened, proof(Method.PASSWORD, now), RESET, now).state
    assert isinstance(again, EnrollmentOpen)
    assert again.expires_at == opened.expires_at
    by_word = establish(opened, sso(now), RESET, now).state
    assert isinstance(by_word, EnrollmentOpen)
    assert by_word.proof == opened.proof, "no provider's word takes the place of the password"
    late = opened.expires_at
    assert isinstance(establish(opened, proof(Method.PASSWORD, late), RESET, late).state, EnrollmentOwed)
    assert isinstance(establish(opened, proof(Method.PASSWORD, now), OTHER, now).state, SignedIn)


# --- epochs and leaving ---------------------------------------------------------------------------------------------


def test_ending_the_others_takes_the_next_epoch() -> None:
    command = AdoptEpoch(found=found(PLAIN), alive=3, reason="asked", digest=FRESH)
    step = MACHINE.step(signed_in(proof(Method.PASSWORD)), command, START)
    assert step.answer == answers.OthersEnded(count=2)
    assert step.facts == (facts.OtherSessionsEnded(user=ANNE, count=2, reason="asked"),)
    assert isinstance(step.state, SignedIn)
    assert (step.state.epoch, step.state.handle.generation) == (2, 2)


def test_no_providers_word_ends_the_other_sessions() -> None:
    """Decision 1."""
    command = AdoptEpoch(found=found(PLAIN), alive=3, reason="asked", digest=FRESH)
    step = MACHINE.step(signed_in(sso()), command, START)
    assert (step.state, step.answer) == (signed_in(sso()), Refused(code=Code.SESSION_ELEVATION_REQUIRED))


def test_an_enrolled_factor_counts_in_the_session_that_enrolled_it() -> None:
    """By mfa 20.4: the freshly proven factor raises the level, and its value is renewed once."""
    command = FinishEnrollment(
        found=found(PROTECTED), proof=proof(Method.TOTP), alive=1, reason="factor_enrolled", digest=FRESH
    )
    step = MACHINE.step(signed_in(proof(Method.PASSWORD)), command, START)
    assert step.answer == answers.SignedIn(user=ANNE, level=Level.TWO)
    assert step.facts == (facts.OtherSessionsEnded(user=ANNE, count=0, reason="factor_enrolled"),)
    assert (step.state.handle.generation, is_elevated(step.state, START, has_factor=True)) == (2, True)


@pytest.mark.parametrize(
    ("person", "now", "reason"),
    [
        (PLAIN, START + POLICY.lifetime, EndReason.EXPIRED),
        (Person(user=ANNE, active=False), START, EndReason.INACTIVE),
        (ROTATED, START, EndReason.ENDED_ELSEWHERE),
    ],
)
def test_a_session_ends_at_the_first_look_after_its_end(person: Person, now: datetime, reason: EndReason) -> None:
    step = MACHINE.step(signed_in(proof(Method.PASSWORD)), Look(found=found(person)), now)
    assert isinstance(step.state, Ended)
    assert step.state.reason is reason
    assert code(MACHINE.step(step.state, Look(found=found()), START)) is Code.SESSION_ENDED


def test_signing_out_twice_is_once() -> None:
    step = MACHINE.step(signed_in(proof(Method.PASSWORD)), SignOut(), START)
    assert (type(step.state), step.answer, step.facts) == (
        Ended,
        answers.SignedOut(),
        (facts.SignedOut(user=ANNE),),
    )
    again = MACHINE.step(step.state, SignOut(), START)
    assert (again.state, again.answer, again.facts) == (step.state, answers.SignedOut(), ())


def test_nothing_of_a_person_is_left_in_a_row_that_ended() -> None:
    state = MACHINE.step(signed_in(proof(Method.PASSWORD)), SignOut(), START).state
    assert ANNE not in repr(attrs.asdict(state))


def test_no_state_shows_a_digest() -> None:
    for state in (anonymous(), factor_owed(), signed_in(proof(Method.PASSWORD))):
        assert "\\x00" not in repr(state)
        assert "digest" not in repr(state)
