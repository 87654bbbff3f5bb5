"""Recovery codes through the service, on every database: when they are made, and when the old ones die."""

from __future__ import annotations

from typing import Any

import attrs

from authflow.errors import Code
from authflow.mfa.answers import CodesShown, NoCodesAdded, WhyNoCodes
from authflow.values import UserId
from tests.mfa.world import CONTEXT, World, refusal


def test_recovery_codes_come_with_a_primary_factor_and_once(world: World):
    def add() -> Any:
        return world.service.add_codes(world.ada, CONTEXT, user=UserId("ada"))

    assert add() == NoCodesAdded(why=WhyNoCodes.NO_PRIMARY)
    world.enroll()
    shown = add()
    assert isinstance(shown, CodesShown)
    assert len({code.reveal() for code in shown.codes}) == 10
    assert not any(code.reveal() in repr(world.tables()) for code in shown.codes)
    written, again = world.written_by(add)
    assert (written, again) == (set(), NoCodesAdded(why=WhyNoCodes.PRESENT))


def test_a_closed_kind_of_codes_means_that_none_are_added(world: World):
    """Mfa 3.3: never an error."""
    world.enroll()
    service = world.tuned(closed_kinds=frozenset({"recovery"}))
    answer = service.add_codes(world.ada, CONTEXT, user=UserId("ada"))
    assert answer == NoCodesAdded(why=WhyNoCodes.CLOSED)


def test_new_codes_kill_the_old_ones_and_keep_the_id(world: World):
    world.enroll()
    old = world.codes()
    assert world.verify(old[0], "recovery").remaining == 9
    before = world.held().held()[1]
    world.clock.advance(seconds=1)
    shown = world.service.regenerate_codes(world.ada, CONTEXT)
    assert isinstance(shown, CodesShown)
    after = world.held().held()[1]
    assert (after.id, after.remaining, after.last_used_at) == (before.id, 10, None)
    assert after.created_at == world.clock.now()
    assert before.created_at < after.created_at
    assert {refusal(world.verify(code, "recovery")) for code in old[1:4]} == {Code.MFA_CODE_REJECTED}
    world.clock.advance(seconds=20)
    assert world.verify(shown.codes[9].reveal(), "recovery").remaining == 9


def test_codes_are_regenerated_by_their_owner_who_has_some(world: World):
    assert refusal(world.service.regenerate_codes(world.ada, CONTEXT)) == Code.MFA_NOT_ENROLLED
    world.enroll()
    world.codes()
    for who, code in (
        (attrs.evolve(world.ada, elevated=False), Code.SESSION_ELEVATION_REQUIRED),
        (attrs.evolve(world.ada, user=None), Code.SESSION_REQUIRED),
    ):
        written, answer = world.written_by(lambda who=who: world.service.regenerate_codes(who, CONTEXT))
        assert (written, refusal(answer)) == (set(), code)
