"""The table of challenges: gates and budgets before a comparison, one answer for every wrong code, and the lock."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import mfa as facts
from authflow.mfa import challenge, totp
from authflow.mfa.answers import Done, Verified
from authflow.mfa.challenge import (
    MACHINE,
    Locked,
    Open,
    Submit,
    Unlock,
    budgets,
    code_is_due,
    failures_key,
    guesses_key,
    limit_is_due,
    standing,
)
from authflow.mfa.kinds import KINDS, RECOVERY, SMS, TOTP, UNKNOWN
from authflow.policy import MfaPolicy
from authflow.testing import assert_complete
from authflow.testing.samples.challenge import ALPHABET, HOME, attempt, recover, submit
from authflow.testing.samples.mfa import ADA, CODES, LIMITED, NEW, NOW, OLD, PHONE, POLICY, WRONG, code
from authflow.values import AuthenticatorId, Budget, Refused, UserId

if TYPE_CHECKING:
    from collections.abc import Callable


REJECTED = Refused(code=Code.MFA_CODE_REJECTED)
FULL_WIDTH = "".join(chr(0xFF10 + int(digit)) for digit in code(OLD))


EXPLORED = ALPHABET.walk()


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_every_command_may_arrive_in_every_state():
    assert EXPLORED.illegal == ()


def test_only_failures_of_unknown_browsers_lock_and_recovery_codes_never_do():
    """Decision 9: a stranger with the password must not lock the owner out."""
    for step in EXPLORED.steps:
        if isinstance(step.target, Locked) and isinstance(step.state, Open):
            assert step.command.attempt.browser is None
            assert step.command.attempt.kind is TOTP
            assert step.target.failures >= POLICY.lock_after == 50


def test_behind_the_lock_nothing_is_accepted():
    locked = [step for step in EXPLORED.steps if isinstance(step.state, Locked) and isinstance(step.command, Submit)]
    assert locked
    for step in locked:
        assert isinstance(step.answer, Refused)
        assert step.facts == ()
        assert step.target == step.state


# --- gates ----------------------------------------------------------------------------------------------------------

FAILING: dict[Callable[..., Any], tuple[Code, dict[str, Any]]] = {
    challenge.input_valid: (Code.MFA_INPUT_INVALID, {"problems": {"code": "is empty"}}),
    challenge.enrolled: (Code.MFA_NOT_ENROLLED, {"authenticator": AuthenticatorId("")}),
    challenge.kind_available: (
        Code.MFA_KIND_UNAVAILABLE,
        {"policy": attrs.evolve(POLICY, unavailable_kinds=frozenset({"totp"}))},
    ),
    challenge.readable: (Code.MFA_SECRET_UNAVAILABLE, {"readable": False}),
    challenge.within_limit: (Code.MFA_RATE_LIMITED, {"limit": LIMITED}),
}
"""For every gate of a known kind what it answers, and the one fact that makes it refuse."""


def test_the_whole_order_is_the_one_that_was_decided():
    """Section 15.5; a name that is no kind meets the limiter, in one bucket for all of them (decision 9)."""
    assert (*FAILING, challenge.kind_known) == challenge.ANSWERING
    assert challenge.ANSWERING[: len(challenge.UNCOUNTED)] == challenge.UNCOUNTED
    assert challenge.within_limit not in challenge.UNCOUNTED


@pytest.mark.parametrize(("first", "second"), list(combinations(FAILING, 2)), ids=lambda gate: gate.__name__)
def test_of_two_refusals_the_earlier_one_answers(first: Any, second: Any):
    asked = submit(**FAILING[first][1], **FAILING[second][1])
    answer = MACHINE.step(Open(), asked, NOW).answer
    assert isinstance(answer, Refused)
    assert answer.code is FAILING[first][0]


@pytest.mark.parametrize("gate", FAILING, ids=lambda gate: gate.__name__)
def test_a_refused_answer_compares_nothing(gate: Any):
    """The code is the right one."""
    told, fault = FAILING[gate]
    step = MACHINE.step(Open(failures=4), submit(**fault), NOW)
    assert isinstance(step.answer, Refused)
    assert step.answer.code is told
    assert step.state == Open(failures=4)
    assert not code_is_due(Open(failures=4), attempt(**fault))


@pytest.mark.parametrize("gate", FAILING, ids=lambda gate: gate.__name__)
def test_the_limiter_is_asked_behind_the_gates_before_it_only(gate: Any):
    asked = attempt(**{"limit": None, **FAILING[gate][1]})
    assert limit_is_due(Open(), asked) == (gate is challenge.within_limit)
    assert not limit_is_due(Locked(failures=50), asked)


def test_the_lock_stands_before_the_limiter_and_behind_the_rest():
    locked = Locked(failures=50)
    assert MACHINE.step(locked, submit(limit=LIMITED), NOW).answer == Refused(code=Code.MFA_LOCKED)
    for gate in challenge.UNCOUNTED:
        told, fault = FAILING[gate]
        answer = MACHINE.step(locked, submit(**fault), NOW).answer
        assert isinstance(answer, Refused)
        assert answer.code is told
    assert not code_is_due(locked, attempt())


def test_names_that_are_no_kind_meet_the_limiter_and_then_are_unknown():
    unknown = {"kind": UNKNOWN, "authenticator": AuthenticatorId("")}
    assert limit_is_due(Open(), attempt(limit=None, **unknown))
    assert not code_is_due(Open(), attempt(**unknown))
    assert MACHINE.step(Open(), submit(**unknown), NOW).answer == Refused(code=Code.MFA_KIND_UNKNOWN)
    limited = MACHINE.step(Open(), submit(**unknown, limit=LIMITED), NOW)
    assert limited.answer == Refused(code=Code.MFA_RATE_LIMITED, retry_after=LIMITED.retry_after)


def test_what_this_version_cannot_check_is_unavailable_and_not_wrong():
    """An enrolled kind that nobody can answer now: the person is told to use another way (mfa 3.4)."""
    assert MACHINE.step(Open(), submit(kind=SMS), NOW).answer == Refused(code=Code.MFA_KIND_UNAVAILABLE)
    assert MACHINE.step(Open(), submit(kind=SMS, authenticator=AuthenticatorId("")), NOW).answer == Refused(
        code=Code.MFA_NOT_ENROLLED
    )


# --- comparing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_right_code_names_its_step(steps: int):
    step = MACHINE.step(Open(), submit(code(OLD, steps)), NOW)
    burnt = totp.step_at(NOW) + steps
    assert step.answer == Verified(user=ADA, authenticator=PHONE, kind=TOTP, step=burnt)
    assert step.facts == (facts.SecondFactorVerified(user=ADA, authenticator=PHONE, kind="totp"),)
    assert step.state == Open()


@pytest.mark.parametrize("text", [WRONG, code(NEW), code(OLD, -2), code(OLD, 2), FULL_WIDTH, "1", "\ud800", "\x00" * 6])
def test_every_wrong_code_gets_the_same_answer(text: str):
    step = MACHINE.step(Open(failures=1), submit(text, failures=2), NOW)
    assert step.answer == REJECTED
    assert step.state == Open(failures=2)
    assert step.facts == (facts.SecondFactorFailed(user=ADA, kind="totp"),)


@pytest.mark.parametrize("ahead", [0, 1, 1000])
def test_a_used_code_gets_that_answer_too_and_only_the_log_knows(ahead: int):
    """Section 5: never say why."""
    step = MACHINE.step(Open(), submit(after=totp.step_at(NOW) + ahead), NOW)
    assert step.answer == REJECTED
    assert step.facts == (facts.CodeReplayed(user=ADA, authenticator=PHONE, kind="totp"),)


def test_the_step_after_the_burnt_one_is_new():
    answer = MACHINE.step(Open(), submit(after=totp.step_at(NOW) - 1), NOW).answer
    assert isinstance(answer, Verified)


def test_the_window_is_the_policys():
    def accepted(window: int) -> list[int]:
        policy = MfaPolicy(totp_window=window)
        told = {n: MACHINE.step(Open(), submit(code(OLD, n), policy=policy), NOW).answer for n in range(-3, 4)}
        return [n for n, answer in told.items() if isinstance(answer, Verified)]

    assert [accepted(window) for window in (0, 1, 2)] == [[0], [-1, 0, 1], [-2, -1, 0, 1, 2]]


def test_a_recovery_code_is_accepted_exactly_when_its_update_found_it():
    found, missed = (MACHINE.step(Open(), recover(consumed=consumed), NOW) for consumed in (True, False))
    assert found.answer == Verified(user=ADA, authenticator=CODES, kind=RECOVERY, remaining=9)
    assert found.facts == (facts.SecondFactorVerified(user=ADA, authenticator=CODES, kind="recovery"),)
    assert missed.answer == REJECTED
    assert missed.facts == (facts.SecondFactorFailed(user=ADA, kind="recovery"),)


def test_a_code_that_could_not_be_looked_for_is_a_wrong_one():
    step = MACHINE.step(Open(), Submit(attempt=attempt(kind=RECOVERY), proof=None, failures=1), NOW)
    assert step.answer == REJECTED


# --- failures in a row ----------------------------------------------------------------------------------------------


def test_the_fiftieth_failure_locks():
    """Section 16.2; NIST 800-63B-4 3.2.2 allows a hundred."""
    early = MACHINE.step(Open(failures=48), submit(WRONG, failures=49), NOW)
    late = MACHINE.step(Open(failures=49), submit(WRONG, failures=50), NOW)
    assert early.state == Open(failures=49)
    assert late.state == Locked(failures=50)
    assert late.answer == REJECTED
    assert late.facts == (
        facts.SecondFactorFailed(user=ADA, kind="totp"),
        facts.SecondFactorLocked(user=ADA, failures=50),
    )


@pytest.mark.parametrize(("kind", "browser"), [(TOTP, HOME), (RECOVERY, None), (RECOVERY, HOME)])
def test_a_known_browser_and_recovery_codes_never_lock(kind: Any, browser: str | None):
    make = recover if kind is RECOVERY else submit
    wrong = {"consumed": False} if kind is RECOVERY else {"text": WRONG}
    step = MACHINE.step(Open(failures=10**6), make(**wrong, browser=browser, failures=10**6 + 1), NOW)
    assert step.state == Open(failures=10**6 + 1)
    assert standing(10**9, kind=kind, browser=browser, policy=POLICY) == Open(failures=10**9)


def test_a_counter_is_the_state_it_stands_for():
    for failures in (0, 1, 49):
        assert standing(failures, kind=TOTP, browser=None, policy=POLICY) == Open(failures=failures)
    for failures in (50, 51, 1000):
        assert standing(failures, kind=TOTP, browser=None, policy=POLICY) == Locked(failures=failures)
    assert standing(5, kind=TOTP, browser=None, policy=MfaPolicy(lock_after=5)) == Locked(failures=5)


@pytest.mark.parametrize("state", [Open(failures=7), Locked(failures=50)], ids=lambda s: type(s).__name__)
def test_an_unlocked_account_has_no_failures(state: Any):
    step = MACHINE.step(state, Unlock(), NOW)
    assert (step.state, step.answer, step.facts) == (Open(), Done(), ())


@pytest.mark.parametrize("before", range(6))
def test_the_owner_is_told_of_a_success_after_three_failures(before: int):
    """ASVS 6.3.4; the success itself is no failure."""
    for command in (submit(failures=before + 1), recover(failures=before + 1)):
        step = MACHINE.step(Open(failures=before), command, NOW)
        assert isinstance(step.answer, Verified)
        assert step.answer.failures == before
        told = [fact for fact in step.facts if isinstance(fact, facts.SignInAfterFailures)]
        assert told == ([facts.SignInAfterFailures(user=ADA, failures=before)] if before >= 3 else [])
        assert step.state == Open()


def test_a_limited_answer_is_recorded_and_told_to_the_owner_when_it_is_time():
    limited = facts.SecondFactorLimited(user=ADA, kind="totp")
    told = facts.TooManyAttemptsTold(user=ADA, kind="totp")
    assert MACHINE.step(Open(), submit(limit=LIMITED), NOW).facts == (limited,)
    assert MACHINE.step(Open(), submit(limit=LIMITED, tell=True), NOW).facts == (limited, told)
    assert MACHINE.step(Open(), submit(WRONG, tell=True), NOW).facts == (
        facts.SecondFactorFailed(user=ADA, kind="totp"),
    )


# --- whose counters and budgets ---------------------------------------------------------------------------------------


def test_unknown_browsers_share_a_budget_and_each_known_one_has_its_own():
    """Per person and kind (decision 9)."""
    people, browsers = (ADA, UserId("eve")), (None, HOME, "another")
    keys = [guesses_key(u, k, b) for u, k, b in product(people, (*KINDS, UNKNOWN), browsers)]
    assert len(set(keys)) == len(keys)


def test_failures_of_recovery_codes_are_counted_apart():
    people, browsers = (ADA, UserId("eve")), (None, HOME, "another")
    codes = {failures_key(u, TOTP, b) for u, b in product(people, browsers)}
    backups = {failures_key(u, RECOVERY, b) for u, b in product(people, browsers)}
    assert len(codes | backups) == 12
    assert failures_key(ADA, SMS, None) == failures_key(ADA, TOTP, None)


@pytest.mark.parametrize("make", [guesses_key, failures_key])
def test_no_person_can_be_named_so_that_keys_meet(make: Any):
    """A host's ids may contain any separator: only the last part of a key is theirs."""
    hostile = [UserId(text) for text in ("a", ":a", "b:a", "totp::a", f"{HOME}:a", "code::a")]
    keys = [make(user, kind, browser) for user, kind, browser in product(hostile, (TOTP, RECOVERY), (None, HOME))]
    assert len(set(keys)) == len(keys)


def test_keys_fit_into_their_column():
    """255 characters; a browser is named by a digest in hexadecimal."""
    longest = UserId("u" * 64)
    assert max(len(make(longest, k, "f" * 64)) for make in (guesses_key, failures_key) for k in KINDS) <= 255


def test_ten_guesses_an_hour_and_five_in_twenty_seconds():
    """Decision 9, and a budget of their own for recovery codes."""
    long, short = budgets(TOTP, POLICY)
    assert (long.limit, long.window) == (10, timedelta(hours=1))
    assert (short.limit, short.window) == (5, timedelta(seconds=20))
    backup, also_short = budgets(RECOVERY, POLICY)
    assert (backup.limit, backup.window) == (10, timedelta(hours=1))
    assert backup.name != long.name
    assert also_short == short


def test_each_kind_spends_the_budget_that_the_policy_gives_it():
    policy = MfaPolicy(recovery_guesses=Budget(name="recovery", limit=3, window=timedelta(days=1)))
    assert budgets(RECOVERY, policy) == (policy.recovery_guesses, policy.guesses_short)
    assert all(budgets(kind, policy) == (policy.guesses_long, policy.guesses_short) for kind in (TOTP, SMS, UNKNOWN))


def test_counters_are_found_again_by_the_next_version():
    """They are stored under these keys."""
    assert failures_key(ADA, TOTP, None) == "mfa.failures:code::ada"
    assert failures_key(ADA, RECOVERY, "b") == "mfa.failures:backup:b:ada"
    assert guesses_key(ADA, TOTP, "b") == "totp:b:ada"
