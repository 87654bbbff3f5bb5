"""Budgets and the lock (decision 9): how often anybody may guess, what a success gives back, who is never locked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts.records import Audit, MailKind
from authflow.mfa.answers import Verified
from authflow.policy import MfaPolicy
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import Refused, Secret, UserId
from tests.mfa.world import CONTEXT, World, refusal

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
WINDOW = timedelta(seconds=20)
MICROSECOND = timedelta(microseconds=1)
HOME, WORK = "home-browser", "work-browser"
REJECTED, LIMITED, LOCKED = Code.MFA_CODE_REJECTED, Code.MFA_RATE_LIMITED, Code.MFA_LOCKED


def fail_in_a_row(world: World, secret: Secret, count: int, *, browser: str | None = None) -> None:
    """Let *count* guesses be evaluated and refused, as slowly as the budgets demand."""
    for _ in range(count):
        assert refusal(world.verify(world.wrong(secret), browser=browser)) == REJECTED
        world.clock.advance(timedelta(minutes=7))


# --- how often ------------------------------------------------------------------------------------------------------


def test_five_guesses_in_twenty_seconds(world: World):
    secret = world.enroll()
    told = [world.verify(world.wrong(secret)) for _ in range(6)]
    assert told == [*[Refused(code=REJECTED)] * 5, Refused(code=LIMITED, retry_after=WINDOW)]
    world.clock.advance(WINDOW - MICROSECOND)
    assert refusal(world.verify(world.code(secret))) == LIMITED
    world.clock.advance(MICROSECOND)
    assert world.passes(secret)


def test_ten_guesses_in_an_hour(world: World):
    secret = world.enroll()
    started = world.clock.now()
    assert world.guesses(10, secret) == [REJECTED] * 10
    answer = world.verify(world.code(secret))
    assert answer == Refused(code=LIMITED, retry_after=started + HOUR - world.clock.now())
    world.clock.set(started + HOUR - MICROSECOND)
    assert refusal(world.verify(world.code(secret))) == LIMITED
    world.clock.set(started + HOUR)
    assert world.passes(secret)


def test_what_the_limit_refuses_is_not_counted(memory: World):
    """Decision 31: whoever goes on asking waits no longer for it."""
    secret = memory.enroll()
    for _ in range(5):
        memory.verify(memory.wrong(secret))
    for _ in range(100):
        memory.clock.advance(timedelta(milliseconds=150))
        assert refusal(memory.verify(memory.wrong(secret))) == LIMITED
    memory.clock.advance(timedelta(seconds=5))
    verified = memory.verify(memory.code(secret))
    assert isinstance(verified, Verified)
    assert verified.failures == 5


def test_a_host_that_undoes_every_refusal_still_gets_the_sixth_one_limited(world: World):
    """Decision 7."""
    secret = world.enroll()
    told = [world.rolled_back(lambda: world.verify(world.wrong(secret))) for _ in range(6)]
    assert [refusal(answer) for answer in told] == [*[REJECTED] * 5, LIMITED]
    assert refusal(world.verify(world.code(secret))) == LIMITED


def test_every_known_browser_has_a_budget_of_its_own(world: World):
    """A stranger with the password uses up the budget of strangers."""
    secret = world.enroll()
    assert world.guesses(11, secret)[-1] == LIMITED
    assert world.guesses(11, secret, browser=HOME)[-1] == LIMITED
    assert world.passes(secret, browser=WORK)


def test_every_kind_has_a_budget_of_its_own(world: World):
    secret = world.enroll()
    codes = world.codes()
    assert world.guesses(11, secret)[-1] == LIMITED
    assert isinstance(world.verify(codes[0], "recovery"), Verified)
    world.guesses(10, secret, kind="recovery")
    assert refusal(world.verify(codes[1], "recovery")) == LIMITED


def test_all_unknown_kinds_share_one_budget(world: World):
    world.enroll()
    told = [refusal(world.verify("123456", f"kind {number}")) for number in range(6)]
    assert told == [*[Code.MFA_KIND_UNKNOWN] * 5, LIMITED]


def test_of_many_guesses_at_once_five_are_evaluated(world: World):
    secret = world.enroll()
    wrong = world.wrong(secret)
    told = [refusal(answer) for answer in at_once(lambda _: world.verify(wrong))]
    assert told.count(REJECTED) == 5
    assert told.count(LIMITED) == THREADS - 5


# --- what a success gives back --------------------------------------------------------------------------------------


def test_a_success_gives_its_own_known_browser_everything_back(world: World):
    secret = world.enroll()
    assert world.guesses(9, secret, browser=HOME) == [REJECTED] * 9
    assert world.guesses(9, secret, browser=WORK) == [REJECTED] * 9
    assert world.passes(secret, browser=HOME)
    world.clock.advance(MINUTE)
    assert world.guesses(10, secret, browser=HOME) == [REJECTED] * 10
    assert world.guesses(2, secret, browser=WORK) == [REJECTED, LIMITED]


def test_a_success_gives_strangers_no_guess_back(world: World):
    """Neither at a known browser, nor at one that nobody knows: who can tell that it was the one that guessed?"""
    secret = world.enroll()
    assert world.guesses(8, secret) == [REJECTED] * 8
    assert world.passes(secret, browser=HOME)
    world.clock.advance(MINUTE)
    assert world.passes(secret)
    world.clock.advance(MINUTE)
    assert world.guesses(2, secret) == [REJECTED, LIMITED]


def test_a_success_after_failures_is_mailed(world: World):
    """ASVS 6.3.4: three or more, of the same browser."""
    secret = world.enroll()
    world.guesses(5, secret)
    world.guesses(2, secret, browser=HOME)
    assert world.verify(world.code(secret), browser=HOME).failures == 2
    assert not mailed(world, MailKind.SIGN_IN_AFTER_FAILURES)
    world.clock.advance(MINUTE)
    assert world.verify(world.code(secret)).failures == 5
    assert mailed(world, MailKind.SIGN_IN_AFTER_FAILURES) == 1


# --- the lock -------------------------------------------------------------------------------------------------------


def test_fifty_failures_in_a_row_lock_strangers_and_nobody_else(world: World):
    secret = world.enroll()
    fail_in_a_row(world, secret, 50)
    answer = world.verify(world.code(secret))
    assert answer == Refused(code=LOCKED)
    assert world.audited().count(Audit.MFA_LOCKED) == 1
    assert world.passes(secret, browser=HOME)
    world.clock.advance(timedelta(days=100))
    assert refusal(world.verify(world.code(secret))) == LOCKED


def test_what_is_locked_counts_nothing(world: World):
    secret = world.enroll()
    fail_in_a_row(world, secret, 50)
    written, answer = world.written_by(lambda: [world.verify(world.code(secret)) for _ in range(5)])
    assert (written, {refusal(each) for each in answer}) == (set(), {LOCKED})


def test_forty_nine_lock_nobody_and_a_success_begins_anew(memory: World):
    secret = memory.enroll()
    fail_in_a_row(memory, secret, 49)
    assert memory.passes(secret)
    memory.clock.advance(HOUR)
    fail_in_a_row(memory, secret, 49)
    assert memory.passes(secret)


def test_a_success_at_a_known_browser_does_not_help_strangers(memory: World):
    secret = memory.enroll()
    fail_in_a_row(memory, secret, 49)
    assert memory.passes(secret, browser=HOME)
    memory.clock.advance(HOUR)
    fail_in_a_row(memory, secret, 1)
    assert refusal(memory.verify(memory.code(secret))) == LOCKED


def test_a_known_browser_and_recovery_codes_never_lock(memory: World):
    secret = memory.enroll()
    codes = memory.codes()
    fail_in_a_row(memory, secret, 110, browser=HOME)
    for _ in range(110):
        assert refusal(memory.verify("0000-0000-0000-0000", "recovery")) == REJECTED
        memory.clock.advance(timedelta(minutes=7))
    assert memory.passes(secret, browser=HOME)
    assert isinstance(memory.verify(codes[0], "recovery"), Verified)


def test_a_recovery_code_is_the_way_back(world: World):
    """Mfa 16.2: locked until a recovery path unlocks it."""
    secret = world.enroll()
    codes = world.codes()
    fail_in_a_row(world, secret, 50)
    assert isinstance(world.verify(codes[0], "recovery"), Verified)
    assert world.passes(secret)


def test_an_administrator_unlocks(world: World):
    secret = world.enroll()
    fail_in_a_row(world, secret, 50)
    world.service.unlock(world.root, CONTEXT, user=UserId("ada"))
    assert world.passes(secret)


def test_a_lock_is_one_persons(memory: World):
    secret, theirs = memory.enroll(), memory.enroll(memory.eve)
    fail_in_a_row(memory, secret, 50)
    assert memory.passes(theirs, who=memory.eve)


def test_a_sweep_opens_no_lock(world: World):
    secret = world.enroll()
    fail_in_a_row(world, secret, 50)
    world.clock.advance(timedelta(days=300))
    with world.uow.begin() as tx:
        tx.attempts.sweep(world.clock.now())
        tx.limits.sweep(world.clock.now())
    assert refusal(world.verify(world.code(secret))) == LOCKED


# --- what the owner is told -----------------------------------------------------------------------------------------


def mailed(world: World, kind: MailKind) -> int:
    return sum(kind in text for _, text in world.messages())


def test_the_owner_hears_of_guesses_at_most_once_in_half_an_hour(memory: World):
    secret = memory.enroll()
    for _ in range(90 * 6):
        memory.verify(memory.wrong(secret), browser=HOME)
        memory.clock.advance(seconds=10)
    assert mailed(memory, MailKind.MFA_TOO_MANY_ATTEMPTS) == 3


def test_whoever_is_within_the_budget_is_not_reported(world: World):
    secret = world.enroll()
    world.guesses(10, secret)
    assert not mailed(world, MailKind.MFA_TOO_MANY_ATTEMPTS)
    world.verify(world.wrong(secret))
    assert mailed(world, MailKind.MFA_TOO_MANY_ATTEMPTS) == 1
    assert world.audited().count(Audit.MFA_RATE_LIMITED) == 1


# --- what costs no guess --------------------------------------------------------------------------------------------

UNAVAILABLE = MfaPolicy(unavailable_kinds=frozenset({"totp", "recovery"}))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"code": None}, Code.MFA_INPUT_INVALID),
        ({"code": ""}, Code.MFA_INPUT_INVALID),
        ({"code": "0" * 21}, Code.MFA_INPUT_INVALID),
        ({"kind": "sms"}, Code.MFA_NOT_ENROLLED),
        ({"kind": "security_key"}, Code.MFA_NOT_ENROLLED),
        ({"kind": "recovery"}, Code.MFA_NOT_ENROLLED),
        ({"user": UserId("eve")}, Code.MFA_NOT_ENROLLED),
        ({"kind": "no such kind", "code": ""}, Code.MFA_INPUT_INVALID),
    ],
)
def test_what_could_not_be_compared_costs_nothing(world: World, asked: dict[str, Any], code: Code):
    secret = world.enroll()
    given = {"user": UserId("ada"), "kind": "totp", "code": world.code(secret), **asked}
    written, answer = world.written_by(lambda: world.service.verify(world.ada, CONTEXT, **given))
    assert (written, refusal(answer)) == (set(), code)


def test_a_kind_that_is_not_offered_is_enrolled_all_the_same_and_costs_nothing(world: World):
    """Mfa 3.4: it fails closed."""
    secret = world.enroll()
    codes = world.codes()
    service = world.tuned(unavailable_kinds=UNAVAILABLE.unavailable_kinds)
    for kind, code in (("totp", world.code(secret)), ("recovery", codes[0])):
        given = {"user": UserId("ada"), "kind": kind, "code": code}
        written, answer = world.written_by(lambda given=given: service.verify(world.ada, CONTEXT, **given))
        assert (written, refusal(answer)) == (set(), Code.MFA_KIND_UNAVAILABLE)
    assert world.held().primaries() == ("totp",)
    assert world.held().usable(attrs.evolve(world.policy, unavailable_kinds=UNAVAILABLE.unavailable_kinds)) == ()
    assert world.passes(secret)
