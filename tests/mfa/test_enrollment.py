"""The table of enrollment: every row and edge, proofs and their end, rotation in place, and who continues a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import mfa as facts
from authflow.mfa import commands as c
from authflow.mfa import totp
from authflow.mfa.answers import Begun, Cancelled, Done, Proven
from authflow.mfa.enrollment import MACHINE, proof_is_due
from authflow.mfa.factor import Enrolled, Mode, Proposed, Rotating, Unenrolled, enrolled, flow_digest, pending
from authflow.mfa.kinds import RECOVERY, TOTP, UNKNOWN
from authflow.policy import MfaPolicy
from authflow.testing import assert_complete
from authflow.testing.samples.enrollment import ALPHABET
from authflow.testing.samples.mfa import (
    ADA,
    BROWSER,
    ELSEWHERE,
    ENROLLED,
    EVE,
    FLOW,
    LIMITED,
    NEW,
    NEW_SEALED,
    NOW,
    OLD,
    OLD_FLOW,
    OLD_SEALED,
    PHONE,
    POLICY,
    PROPOSED,
    ROTATING,
    SECOND,
    STEP,
    STRANGER,
    TTL,
    WRONG,
    authenticator,
    begin,
    cancel,
    change,
    code,
    complete,
    person,
    proposal,
    show,
)
from authflow.values import FlowId, Refused, Secret

if TYPE_CHECKING:
    from authflow.mfa.factor import Factor
    from authflow.testing import Exploration

STATES: list[Factor] = [Unenrolled(), PROPOSED, ENROLLED, ROTATING]
PENDING: list[Any] = [PROPOSED, ROTATING]
IDLE: list[Any] = [Unenrolled(), ENROLLED]
NO_CODES = ["", " ", "1", "12345", "1234567", "abcdef", "12345\u0664", "\ud800", "\x00\x00\x00\x00\x00\x00", "-" * 20]
FULL_WIDTH = "".join(chr(0xFF10 + int(digit)) for digit in code())


def name(state: object) -> str:
    return type(state).__name__


@pytest.fixture(scope="module")
def explored() -> Exploration[Any, Any, Any]:
    """Walk the table once: it takes 67,000 steps."""
    return ALPHABET.walk()


def test_the_whole_table_is_walked(explored: Exploration[Any, Any, Any]):
    assert_complete(MACHINE, explored)


def test_what_a_person_or_a_sweep_can_cause_is_a_row_in_every_state(explored: Exploration[Any, Any, Any]):
    """What is missing: a used step and a new seal where nothing is enrolled, and changes while only a proposal is."""
    assert {(s.__name__, k.__name__) for s, k in explored.illegal_pairs()} == {
        ("Unenrolled", "UseStep"),
        ("Unenrolled", "Reseal"),
        ("Proposed", "UseStep"),
        ("Proposed", "Reseal"),
        ("Proposed", "Rename"),
        ("Proposed", "Remove"),
    }


def test_a_refusal_changes_nothing_but_the_end_of_a_proposal(explored: Exploration[Any, Any, Any]):
    endings = {Code.MFA_ENROLLMENT_EXPIRED, Code.MFA_ENROLLMENT_ENDED}
    for step in explored.steps:
        if isinstance(step.answer, Refused):
            assert (step.target != step.state) == (step.answer.code in endings)
            assert enrolled(step.target) == enrolled(step.state)


def test_nothing_is_enrolled_without_a_right_code(explored: Exploration[Any, Any, Any]):
    """Or by taking over what was proven for another account."""
    for step in explored.steps:
        before, after = enrolled(step.state), enrolled(step.target)
        if before is None and after is not None and not isinstance(step.command, c.Adopt):
            assert isinstance(step.answer, Proven)


def test_a_proof_burns_its_step_and_steps_only_rise_for_one_secret(explored: Exploration[Any, Any, Any]):
    for step in explored.steps:
        before, after = enrolled(step.state), enrolled(step.target)
        if isinstance(step.answer, Proven):
            assert after is not None
            assert after.last_accepted_step == step.answer.step
        elif before is not None and after is not None:
            assert after.last_accepted_step >= before.last_accepted_step


# --- beginning ------------------------------------------------------------------------------------------------------


def test_a_beginning_shows_the_secret_once_and_keeps_it_sealed():
    step = MACHINE.step(Unenrolled(), begin(), NOW)
    assert step.state == PROPOSED
    assert step.answer == Begun(
        flow=FLOW,
        kind=TOTP,
        mode=Mode.NEW,
        secret=NEW,
        uri=Secret(f"otpauth://totp/authflow:ada%40example.org?issuer=authflow&secret={NEW.reveal()}"),
        grouped=Secret("JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"),
        expires_at=NOW + TTL,
    )
    assert step.facts == (facts.EnrollmentBegun(user=ADA, kind="totp"),)
    assert NEW.reveal() not in repr(step)


def test_the_label_names_the_deployment():
    policy = MfaPolicy(issuer="Acme example.org")
    answer = MACHINE.step(Unenrolled(), begin(policy=policy), NOW).answer
    assert isinstance(answer, Begun)
    assert "totp/Acme%20example.org:ada%40example.org?issuer=Acme%20example.org&" in answer.uri.reveal()


def test_a_proposal_lives_as_long_as_the_policy_says():
    policy = MfaPolicy(pending_enrollment_ttl=2 * SECOND)
    state = MACHINE.step(Unenrolled(), begin(policy=policy), NOW).state
    assert pending(state) == proposal(expires_at=NOW + 2 * SECOND)


def test_a_rotation_leaves_what_is_enrolled_alone():
    step = MACHINE.step(ENROLLED, begin(), NOW)
    assert step.state == ROTATING
    assert isinstance(step.answer, Begun)
    assert step.answer.mode is Mode.ROTATION


@pytest.mark.parametrize("state", PENDING, ids=name)
def test_a_newer_beginning_voids_the_older_one(state: Any):
    """Decision 28, however right the older one's code is."""
    older = attrs.evolve(state, proposal=proposal(OLD_FLOW, secret=OLD_SEALED))
    newer = MACHINE.step(older, begin(FLOW), NOW).state
    assert newer == state
    answer = MACHINE.step(newer, complete(code(OLD), flow=OLD_FLOW), NOW).answer
    assert answer == Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)


@pytest.mark.parametrize("kind", ["closed_kinds", "unavailable_kinds"])
def test_a_refused_beginning_keeps_the_older_proposal(kind: str):
    refusing = attrs.evolve(POLICY, **{kind: frozenset({"totp"})})
    assert MACHINE.step(PROPOSED, begin(OLD_FLOW, policy=refusing), NOW).state == PROPOSED


# --- showing again, stopping ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", PENDING, ids=name)
def test_a_reload_shows_the_same_secret_and_prolongs_nothing(state: Any):
    began = MACHINE.step(Unenrolled() if state == PROPOSED else ENROLLED, begin(), NOW)
    again = MACHINE.step(state, show(), NOW + TTL - SECOND)
    assert again.answer == began.answer
    assert again.state == state
    assert again.facts == ()


@pytest.mark.parametrize("state", PENDING, ids=name)
@pytest.mark.parametrize("command", [show, cancel, complete])
def test_only_the_browser_that_began_goes_on_and_only_with_its_handle(state: Any, command: Any):
    changed = Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)
    assert MACHINE.step(state, command(asker=person(session=ELSEWHERE)), NOW).answer == changed
    for flow in (OLD_FLOW, "", None, 7, "\ud800", "x" * 10_000, flow_digest(FLOW).hex()):
        step = MACHINE.step(state, command(flow=flow), NOW)
        assert step.answer == changed
        assert step.state == state


@pytest.mark.parametrize("state", IDLE, ids=name)
def test_where_nothing_waits_nothing_is_shown_and_nothing_proven(state: Any):
    for command in (show(), complete()):
        step = MACHINE.step(state, command, NOW)
        assert step.answer == Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)
        assert step.state == state


def test_stopping_drops_the_proposal_and_nothing_else():
    for state, left in zip(STATES, (Unenrolled(), Unenrolled(), ENROLLED, ENROLLED), strict=True):
        step = MACHINE.step(state, cancel(), NOW)
        assert step.state == left
        assert step.answer == Cancelled()


def test_who_began_may_stop_without_elevation_and_when_the_kind_was_closed():
    closed = attrs.evolve(POLICY, closed_kinds=frozenset({"totp"}))
    assert MACHINE.step(PROPOSED, cancel(asker=person(elevated=False), policy=closed), NOW).answer == Cancelled()


@pytest.mark.parametrize("state", PENDING, ids=name)
def test_a_lost_key_is_never_a_wrong_code(state: Any):
    """And costs no proof."""
    for command in (show(secret=None), complete(secret=None), complete(WRONG, secret=None)):
        step = MACHINE.step(state, command, NOW)
        assert step.answer == Refused(code=Code.MFA_SECRET_UNAVAILABLE)
        assert step.state == state
        assert step.facts == ()
    assert not proof_is_due(state, complete(secret=None), NOW)


GATED = {"begin": begin, "show": show, "complete": complete, "cancel": cancel}


@pytest.mark.parametrize("command", GATED.values(), ids=GATED)
@pytest.mark.parametrize("state", STATES, ids=name)
def test_the_gates_stand_in_front_of_every_rule_in_every_state(state: Factor, command: Any):
    """Their order is a law of its own; here: nothing stands beside them, and nothing changes behind a closed one."""
    for fault in ({"asker": STRANGER}, {"subject": EVE}, {"kind": RECOVERY}, {"kind": UNKNOWN}):
        step = MACHINE.step(state, command(**fault), NOW)
        assert isinstance(step.answer, Refused)
        assert (step.state, step.facts) == (state, ())


# --- proving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_right_code_enrolls_and_burns_its_step(steps: int):
    step = MACHINE.step(PROPOSED, complete(code(NEW, steps)), NOW)
    burnt = totp.step_at(NOW) + steps
    proven = authenticator(burnt, name="Authenticator app", secret=NEW_SEALED, created_at=NOW, last_used_at=None)
    assert step.state == Enrolled(authenticator=proven)
    assert step.answer == Proven(user=ADA, authenticator=PHONE, kind=TOTP, mode=Mode.NEW, step=burnt)
    assert step.facts == (facts.FactorEnrolled(user=ADA, authenticator=PHONE, kind="totp"),)


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_a_code_outside_the_window_is_wrong(steps: int):
    """Section 6: one step to either side."""
    answer = MACHINE.step(PROPOSED, complete(code(NEW, steps)), NOW).answer
    assert answer == Refused(code=Code.MFA_CODE_REJECTED, attempts_left=4)


def test_the_window_is_the_policys():
    def accepted(window: int) -> list[int]:
        policy = MfaPolicy(totp_window=window)
        every = range(-3, 4)
        return [
            n
            for n in every
            if isinstance(MACHINE.step(PROPOSED, complete(code(NEW, n), policy=policy), NOW).answer, Proven)
        ]

    assert [accepted(window) for window in (0, 1, 2)] == [[0], [-1, 0, 1], [-2, -1, 0, 1, 2]]


def test_a_rotation_keeps_id_and_name_and_renews_everything_else():
    """Section 7.4; the replay state belongs to the secret."""
    step = MACHINE.step(ROTATING, complete(), NOW)
    proven = authenticator(totp.step_at(NOW), secret=NEW_SEALED, created_at=NOW, last_used_at=None)
    assert step.state == Enrolled(authenticator=proven)
    assert (proven.id, proven.name) == (PHONE, "My phone")
    assert isinstance(step.answer, Proven)
    assert step.answer.mode is Mode.ROTATION
    assert step.facts == (facts.FactorRotated(user=ADA, authenticator=PHONE, kind="totp"),)


def test_a_rotation_asks_the_new_secret_whatever_the_old_one_accepted_just_now():
    """Section 7.4, its first defect: the old secret's burnt step must not refuse a right code of the new one."""
    used = MACHINE.step(ROTATING, c.UseStep(step=totp.step_at(NOW) + 1), NOW).state
    assert isinstance(MACHINE.step(used, complete(), NOW).answer, Proven)


def test_the_old_secret_proves_no_rotation():
    assert MACHINE.step(ROTATING, complete(code(OLD)), NOW).answer == Refused(
        code=Code.MFA_CODE_REJECTED, attempts_left=4
    )


@pytest.mark.parametrize("text", [WRONG, FULL_WIDTH, *NO_CODES])
@pytest.mark.parametrize("state", PENDING, ids=name)
def test_what_is_no_right_code_is_rejected_and_costs_a_proof(state: Any, text: str):
    step = MACHINE.step(state, complete(text, attempts=2), NOW)
    assert step.answer == Refused(code=Code.MFA_CODE_REJECTED, attempts_left=3)
    assert step.state == state
    assert step.facts == (facts.EnrollmentProofRejected(user=ADA, kind="totp", attempts=2),)


@pytest.mark.parametrize("state", PENDING, ids=name)
def test_the_fifth_wrong_code_ends_it(state: Any):
    step = MACHINE.step(state, complete(WRONG, attempts=5), NOW)
    assert step.answer == Refused(code=Code.MFA_ENROLLMENT_ENDED)
    assert pending(step.state) is None
    assert enrolled(step.state) == enrolled(state)
    assert step.facts == (
        facts.EnrollmentProofRejected(user=ADA, kind="totp", attempts=5),
        facts.EnrollmentEnded(user=ADA, kind="totp", reason="too_many_attempts"),
    )


@pytest.mark.parametrize("state", PENDING, ids=name)
def test_after_five_counted_proofs_not_even_a_right_code_is_compared(state: Any):
    """Also when the ending itself was rolled back with the transaction: the count was not."""
    assert isinstance(MACHINE.step(state, complete(attempts=5), NOW).answer, Proven)
    step = MACHINE.step(state, complete(attempts=6), NOW)
    assert step.answer == Refused(code=Code.MFA_ENROLLMENT_ENDED)
    assert pending(step.state) is None


@pytest.mark.parametrize("state", PENDING, ids=name)
@pytest.mark.parametrize("command", [show, complete])
def test_what_was_seen_as_expired_never_lives_again(state: Any, command: Any):
    """Decision 35: the ending is stored, so that a clock that goes back finds nothing."""
    assert not isinstance(MACHINE.step(state, command(), NOW + TTL - SECOND).answer, Refused) or command is complete
    step = MACHINE.step(state, command(), NOW + TTL)
    assert step.answer == Refused(code=Code.MFA_ENROLLMENT_EXPIRED)
    assert step.facts == (facts.EnrollmentEnded(user=ADA, kind="totp", reason="expired"),)
    assert enrolled(step.state) == enrolled(state)
    late = MACHINE.step(step.state, command(), NOW)
    assert late.answer == Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)


@pytest.mark.parametrize("state", STATES, ids=name)
def test_a_sweep_drops_exactly_what_is_over(state: Factor):
    sweep = c.Expire(user=ADA, kind="totp")
    early, late = MACHINE.step(state, sweep, NOW + TTL - SECOND), MACHINE.step(state, sweep, NOW + TTL)
    assert early.state == state
    assert early.facts == ()
    assert pending(late.state) is None
    assert enrolled(late.state) == enrolled(state)
    assert bool(late.facts) == (pending(state) is not None)
    assert early.answer == late.answer == Done()


@pytest.mark.parametrize("state", STATES, ids=name)
def test_a_limited_completion_is_told_whatever_stands(state: Factor):
    step = MACHINE.step(state, complete(limit=LIMITED), NOW)
    assert step.answer == Refused(code=Code.MFA_RATE_LIMITED, retry_after=LIMITED.retry_after)
    assert step.facts == (facts.EnrollmentLimitReached(user=ADA, kind="totp"),)


def test_a_proof_is_due_exactly_when_the_code_will_be_compared(explored: Exploration[Any, Any, Any]):
    """Every step of the walk: a comparison answers proven or rejected, or ends the flow by its wrong code."""
    seen = set()
    for step in explored.steps:
        if isinstance(step.command, c.Complete):
            due = proof_is_due(step.state, attrs.evolve(step.command, attempts=0), step.now)
            code_ = step.answer.code if isinstance(step.answer, Refused) else None
            compared = isinstance(step.answer, Proven) or code_ in {Code.MFA_CODE_REJECTED, Code.MFA_ENROLLMENT_ENDED}
            assert due == compared
            seen.add(due)
    assert seen == {True, False}


# --- what happened to the factor meanwhile --------------------------------------------------------------------------


def test_a_rotation_of_what_was_removed_is_no_new_enrollment():
    """Decision 28: the mode is fixed at the beginning."""
    gone = MACHINE.step(ROTATING, c.Remove(change=change()), NOW).state
    assert gone == Unenrolled()
    assert MACHINE.step(gone, complete(), NOW).answer == Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)


def test_an_enrollment_beside_which_a_factor_arrived_is_no_rotation():
    arrived = MACHINE.step(PROPOSED, c.Adopt(authenticator=authenticator()), NOW).state
    assert arrived == ENROLLED
    assert MACHINE.step(arrived, complete(), NOW).answer == Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)


def test_the_second_of_two_proofs_is_told_that_the_enrollment_changed():
    proven = MACHINE.step(PROPOSED, complete(), NOW).state
    again = MACHINE.step(proven, complete(attempts=2), NOW)
    assert again.answer == Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)
    assert again.state == proven


def test_a_name_given_during_a_rotation_survives_it():
    renamed = MACHINE.step(ROTATING, c.Rename(change=change(), name="Work"), NOW).state
    after = enrolled(MACHINE.step(renamed, complete(), NOW).state)
    assert after is not None
    assert after.name == "Work"


def test_states_are_made_of_what_they_need():
    """A proposal belongs to the browser that began; the samples say so once for every test above."""
    assert pending(PROPOSED) == pending(ROTATING)
    assert isinstance(ROTATING, Rotating)
    assert isinstance(PROPOSED, Proposed)
    assert proposal().session == BROWSER
    assert STEP * 20 == TTL
    assert FlowId("flow-1") == FLOW
