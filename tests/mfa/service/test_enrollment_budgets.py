"""How often anybody may begin and complete an enrollment, and what that costs whom."""

from __future__ import annotations

from datetime import timedelta

import attrs

from authflow.errors import Code
from authflow.mfa.answers import Proven
from authflow.values import FlowId, Refused
from tests.mfa.world import CONTEXT, World, refusal

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def test_ten_completions_a_day_good_or_bad(world: World):
    """Mfa 12.1 G4: malformed ones too; what is refused by the limit is not counted (decision 31)."""
    started = world.clock.now()
    for _ in range(4):
        assert isinstance(world.complete(world.begin()), Proven)
        world.clock.advance(HOUR)
    for text in ("", None, "x" * 99, "000000", "123", "\x00"):
        answer = world.service.complete(world.ada, CONTEXT, flow=FlowId("none"), code=text)
        assert refusal(answer) in {Code.MFA_INPUT_INVALID, Code.MFA_ENROLLMENT_STATE_CHANGED}
    begun = world.begin()
    for _ in range(20):
        answer = world.complete(begun)
        assert refusal(answer) == Code.MFA_RATE_LIMITED
        assert answer.retry_after == started + DAY - world.clock.now()
    world.clock.set(started + DAY - MICROSECOND)
    assert refusal(world.complete(world.begin())) == Code.MFA_RATE_LIMITED
    world.clock.set(started + DAY)
    assert isinstance(world.complete(world.begin()), Proven)
    assert refusal(world.complete(world.begin())) == Code.MFA_RATE_LIMITED


def test_the_limit_is_one_persons_and_one_kinds(memory: World):
    for _ in range(11):
        memory.service.complete(memory.ada, CONTEXT, flow=FlowId("x"), code="000000")
        memory.service.complete(memory.ada, CONTEXT, flow=FlowId("x"), code="000000", kind="carrier pigeon")
        memory.service.complete(memory.ada, CONTEXT, flow=FlowId("x"), code="000000", kind="owl")
    answers = {
        kind: refusal(memory.service.complete(memory.ada, CONTEXT, flow=FlowId("x"), code="000000", kind=kind))
        for kind in ("totp", "sms", "carrier pigeon", "toad", "recovery")
    }
    assert answers == {
        "totp": Code.MFA_RATE_LIMITED,
        "sms": Code.MFA_KIND_UNAVAILABLE,
        "carrier pigeon": Code.MFA_RATE_LIMITED,
        "toad": Code.MFA_RATE_LIMITED,
        "recovery": Code.MFA_KIND_UNKNOWN,
    }
    assert isinstance(memory.complete(memory.begin(memory.eve), who=memory.eve), Proven)


def test_whoever_may_not_even_try_uses_no_budget_up(memory: World):
    tired = attrs.evolve(memory.ada, elevated=False)
    written, answer = memory.written_by(
        lambda: [memory.service.complete(tired, CONTEXT, flow=FlowId("x"), code="1") for _ in range(20)]
    )
    assert {refusal(each) for each in answer} == {Code.SESSION_ELEVATION_REQUIRED}
    assert written == set()


def test_thirty_beginnings_an_hour(memory: World):
    for _ in range(30):
        memory.begin()
    answer = memory.service.begin(memory.ada, CONTEXT, account="ada@example.org")
    assert answer == Refused(code=Code.MFA_RATE_LIMITED, retry_after=HOUR)
    memory.clock.advance(HOUR)
    memory.begin()
