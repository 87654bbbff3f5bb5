"""Who gets a stored reply: the table, walked completely, and the laws of decision 8 over every step of the walk."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.errors import Code
from authflow.journey import replay
from authflow.testing import assert_complete
from authflow.testing.clocks import START
from authflow.testing.samples.journey import ADA, REPLAY, VALUES
from authflow.values import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.testing.explorer import Answered

WALK: Final = REPLAY.walk()
FORMER, _, STRANGER = VALUES
INSTANT: Final = timedelta(microseconds=1)


def taken(command: type) -> Iterator[Answered[Any, Any, Any]]:
    """Yield every step of the walk that *command* took."""
    yield from (step for step in WALK.steps if type(step.command) is command)


def test_every_edge_of_a_replay_is_taken():
    assert_complete(replay.MACHINE, WALK)


# --- who is answered --------------------------------------------------------------------------------------------------


def test_an_answer_is_given_only_to_the_holder_or_the_person_and_only_for_the_same_request():
    for step in taken(replay.Ask):
        holder = getattr(step.state, "holder", FORMER)
        theirs = step.command.secret == holder or step.command.user == step.state.actor is not None
        if not theirs or step.command.missed:
            assert step.answer == Refused(code=Code.IDEMPOTENCY_CONFLICT)
        else:
            assert step.answer == (replay.Give() if step.command.alike else replay.CountMiss())


def test_after_a_miss_the_right_arguments_are_answered_like_any_others():
    """A guess that follows one that was wrong learns nothing."""
    after = [step for step in (*taken(replay.Ask), *taken(replay.Fetch)) if step.command.missed]
    assert {type(step.command) for step in after} == {replay.Ask, replay.Fetch}
    for step in after:
        other = attrs.evolve(step.command, alike=not step.command.alike)
        told = replay.MACHINE.step(step.state, other, step.now)
        assert (told.state, told.answer) == (step.target, step.answer)


def test_a_miss_is_counted_for_whoever_may_ask_and_once():
    """A stranger could otherwise spend the miss of somebody else."""
    counted = [step for step in taken(replay.Ask) if step.answer == replay.CountMiss()]
    assert counted
    for step in counted:
        assert not step.command.missed
        assert not step.command.alike
        holds = step.command.secret == getattr(step.state, "holder", FORMER)
        assert holds or step.command.user == step.state.actor is not None


def test_an_answer_is_handed_over_only_to_the_value_that_asked():
    handed = [step for step in taken(replay.Fetch) if step.answer == replay.HandOver()]
    assert {type(step.state) for step in handed} == {replay.Renewed, replay.Ended}
    for step in handed:
        assert step.command.secret == FORMER
        assert step.command.alike
        assert not step.command.missed
        assert step.now < START + replay.FORMER_LIFETIME
        assert step.command.next_lives or isinstance(step.state, replay.Ended)


def test_whoever_presents_a_dead_value_learns_of_no_conflict():
    assert [step for step in taken(replay.Fetch) if isinstance(step.answer, Refused)] == []


def test_a_miss_is_counted_for_the_value_that_asked_and_once():
    for step in taken(replay.Fetch):
        if step.answer == replay.CountMiss():
            assert (step.command.secret, step.command.alike, step.command.missed) == (FORMER, False, False)


def test_a_reply_is_never_replaced_nor_lost():
    """But for the former value's part in it: whoever else uses the key is told of the conflict."""
    for step in (*taken(replay.Ask), *taken(replay.Fetch)):
        assert step.target == step.state or step.target == step.state.closed()


def test_a_former_value_whose_time_was_over_gets_nothing_when_the_clock_goes_back():
    closed = [step for step in WALK.steps if isinstance(step.target, replay.Closed)]
    assert {type(step.state) for step in closed} == {replay.Renewed, replay.Ended, replay.Closed}
    fetched = [step for step in taken(replay.Fetch) if isinstance(step.state, replay.Closed)]
    assert START - INSTANT in {step.now for step in fetched}
    assert {step.answer for step in fetched} == {replay.Bypass()}


# --- what is stored ---------------------------------------------------------------------------------------------------


def test_an_answer_with_secrets_lives_shorter():
    for step in taken(replay.Record):
        if not isinstance(step.target, replay.Vacant):
            lifetime = replay.LIFETIME_WITH_SECRETS if step.command.secret_shown else replay.LIFETIME
            assert step.target.expires_at == step.now + lifetime


def test_what_became_of_the_value_that_asked_is_what_stands():
    for step in taken(replay.Record):
        command, stands = step.command, type(step.target)
        over = command.carries is None or (
            command.carries == FORMER and command.actor is not None and not command.names
        )
        expected = replay.Stored if command.carries == FORMER else replay.Renewed
        assert stands is (replay.Vacant if command.elsewhere else replay.Ended if over else expected)


def test_what_stands_is_for_whoever_asked():
    for step in taken(replay.Record):
        if isinstance(step.target, replay.Renewed):
            assert (step.target.former, step.target.actor) == (FORMER, step.command.actor)
            assert step.target.holder == step.command.carries != FORMER
        elif isinstance(step.target, replay.Ended):
            assert (step.target.former, step.target.actor) == (FORMER, step.command.actor)
        elif isinstance(step.target, replay.Stored):
            assert (step.target.holder, step.target.actor) == (FORMER, step.command.actor)


def test_nobody_is_not_a_person():
    """Two browsers in which nobody is signed in are not the same one for that."""
    stored = replay.Stored(holder=FORMER, actor=None, expires_at=START + replay.LIFETIME)
    ask = replay.Ask(secret=STRANGER, user=None, alike=True, missed=False)
    assert isinstance(replay.MACHINE.step(stored, ask, START).answer, Refused)
    known = replay.Stored(holder=FORMER, actor=ADA, expires_at=START + replay.LIFETIME)
    assert isinstance(replay.MACHINE.step(known, ask, START).answer, Refused)


def test_no_digest_is_shown():
    """Whoever finds one in a log could look for it in the table."""
    shown = {repr(value) for step in WALK.steps for value in (step.state, step.command, step.target)}
    assert [text for text in shown for value in VALUES if repr(value) in text] == []
