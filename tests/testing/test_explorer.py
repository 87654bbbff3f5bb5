"""The explorer is trusted by every machine's test, so each thing it must find is planted here once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.machine import Edge, Fact, Machine, Row, Step, on
from authflow.testing import Illegal, assert_complete, explore
from authflow.values import UTC

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Off: ...


@attrs.frozen(kw_only=True)
class On:
    level: int


@attrs.frozen(kw_only=True)
class Burnt: ...


@attrs.frozen(kw_only=True)
class Press: ...


@attrs.frozen(kw_only=True)
class Dim:
    to: int


@attrs.frozen(kw_only=True)
class Replace: ...


@attrs.frozen(kw_only=True)
class Pressed(Fact): ...


Lamp = Off | On | Burnt
Command = Press | Dim | Replace
BRIGHTEST = 3


def switch_on(state: Off, command: Press, now: datetime) -> Step[Lamp, str]:
    return Step(On(level=1), "light", (Pressed(),))


def switch_off(state: On, command: Press, now: datetime) -> Step[Lamp, int]:
    return Step(Off(), state.level)


def dim(state: On, command: Dim, now: datetime) -> Step[Lamp, str]:
    if command.to > BRIGHTEST:
        return Step(Burnt(), "bang")
    return Step(On(level=command.to), "light")


def replace(state: Burnt, command: Replace, now: datetime) -> Step[Lamp, str]:
    return Step(Off(), "dark")


ROWS: tuple[Row[Any, Any, Any], ...] = (
    on(Off, Press).to(switch_on, On),
    on(On, Press).to(switch_off, Off),
    on(On, Dim).to(dim, On, Burnt),
    on(Burnt, Replace).to(replace, Off),
)
LAMP = Machine[Lamp, Command, str | int]("test.lamp", rows=ROWS)


def everything(_state: Lamp) -> Iterator[tuple[Command, datetime]]:
    yield Press(), NOW
    for level in range(1, BRIGHTEST + 2):
        yield Dim(to=level), NOW
    yield Replace(), NOW


def without(missing: type) -> Any:
    return lambda state: ((c, now) for c, now in everything(state) if type(c) is not missing)


# --- a complete walk ------------------------------------------------------------------------------------------------


def test_a_complete_walk_has_no_complaint():
    seen = explore(LAMP, [Off()], everything)
    assert_complete(LAMP, seen)
    assert seen.missing == seen.unreached == seen.undeclared == ()
    assert not seen.truncated


def test_states_are_walked_breadth_first_and_once():
    seen = explore(LAMP, [Off(), Off()], everything)
    assert seen.states() == (Off(), On(level=1), On(level=2), On(level=3), Burnt())
    assert len(seen.steps) == 1 + 3 * 5 + 1


def test_a_step_is_kept_whole():
    first = explore(LAMP, [Off()], everything).steps[0]
    assert (first.state, first.command, first.now, first.target) == (Off(), Press(), NOW, On(level=1))
    assert (first.answer, first.facts) == ("light", (Pressed(),))


def test_answers_and_illegal_pairs_are_types():
    seen = explore(LAMP, [Off()], everything)
    assert seen.answers() == {str, int}
    assert seen.illegal_pairs() == {(Off, Dim), (Off, Replace), (On, Replace), (Burnt, Press), (Burnt, Dim)}
    assert seen.illegal[0] == Illegal(state=Off(), command=Dim(to=1))


def test_legal_and_illegal_pairs_are_the_whole_square():
    seen = explore(LAMP, [Off()], everything)
    legal = {(type(step.state), type(step.command)) for step in seen.steps}
    assert len(legal) + len(seen.illegal_pairs()) == len(LAMP.states()) * len(LAMP.commands())


# --- what it must find ----------------------------------------------------------------------------------------------


def test_it_finds_a_target_that_is_never_taken():
    def only_dimmer(state: Lamp) -> Iterator[tuple[Command, datetime]]:
        return ((c, now) for c, now in everything(state) if not isinstance(c, Dim) or c.to <= BRIGHTEST)

    seen = explore(LAMP, [Off(), Burnt()], only_dimmer)
    assert seen.missing == (Edge(On, Dim, dim, Burnt),)
    with pytest.raises(AssertionError, match="never taken: Dim from On to Burnt"):
        assert_complete(LAMP, seen)


def test_it_finds_a_target_that_no_rule_returns():
    lying = Machine[Lamp, Command, Any]("test.lying", rows=(on(Off, Press).to(switch_on, On, Burnt), *ROWS[1:]))
    seen = explore(lying, [Off()], everything)
    assert seen.missing == (Edge(Off, Press, switch_on, Burnt),)
    with pytest.raises(AssertionError, match="never taken: Press from Off to Burnt"):
        assert_complete(lying, seen)


def test_it_finds_an_edge_that_is_not_declared():
    narrow = Machine[Lamp, Command, Any]("test.narrow", rows=(*ROWS[:2], on(On, Dim).to(dim, On), ROWS[3]))
    seen = explore(narrow, [Off(), Burnt()], everything)
    assert {(error.rule, error.state, error.target) for error in seen.undeclared} == {("dim", "On", "Burnt")}
    assert seen.missing == ()
    with pytest.raises(AssertionError, match="undeclared: dim went from On to Burnt"):
        assert_complete(narrow, seen)


def test_it_finds_a_row_that_is_never_tried():
    seen = explore(LAMP, [Off()], without(Replace))
    assert seen.unreached == ((Burnt, Replace),)
    with pytest.raises(AssertionError, match="never tried: Replace in Burnt"):
        assert_complete(LAMP, seen)


def test_it_finds_a_state_that_is_never_entered():
    seen = explore(LAMP, [Off()], without(Dim))
    assert seen.unreached == ((On, Dim), (Burnt, Replace))
    with pytest.raises(AssertionError) as caught:
        assert_complete(LAMP, seen)
    assert str(caught.value).splitlines() == [
        "test.lamp is not explored completely:",
        "  never tried: Dim in On",
        "  never tried: Replace in Burnt",
    ]


def test_a_walk_from_nowhere_finds_nothing():
    seen = explore(LAMP, [], everything)
    assert len(seen.unreached) == len(ROWS)
    assert seen.missing == tuple(LAMP.edges())


def test_an_exploration_belongs_to_its_machine():
    other = Machine[Lamp, Command, str | int]("test.other", rows=ROWS)
    with pytest.raises(AssertionError, match=r"an exploration of test\.lamp, not of test\.other"):
        assert_complete(other, explore(LAMP, [Off()], everything))


# --- limits ---------------------------------------------------------------------------------------------------------


def count(state: On, command: Press, now: datetime) -> Step[On, int]:
    return Step(On(level=state.level + 1), state.level)


COUNTER = Machine[On, Press, int]("test.counter", rows=(on(On, Press).to(count, On),))


def test_an_endless_walk_is_cut_off_and_says_so():
    seen = explore(COUNTER, [On(level=0)], lambda _: [(Press(), NOW)], limit=10)
    assert len(seen.steps) == 10
    assert seen.truncated
    with pytest.raises(AssertionError, match="cut off after 10 legal steps"):
        assert_complete(COUNTER, seen)


@pytest.mark.parametrize(("limit", "truncated"), [(0, True), (29, True), (30, False), (31, False)])
def test_a_limit_that_just_suffices_cuts_nothing_off(limit: int, *, truncated: bool):
    assert explore(LAMP, [Off()], everything, limit=limit).truncated is truncated


def test_states_and_commands_need_no_hash():
    @attrs.frozen(kw_only=True)
    class Bag:
        things: list[str]

    @attrs.frozen(kw_only=True)
    class Put:
        things: list[str]

    def put(state: Bag, command: Put, now: datetime) -> Step[Bag, list[str]]:
        return Step(Bag(things=command.things), state.things)

    machine = Machine[Bag, Put, list[str]]("test.bag", rows=(on(Bag, Put).to(put, Bag),))
    seen = explore(machine, [Bag(things=[])], lambda _: [(Put(things=["a"]), NOW), (Put(things=["b"]), NOW)])
    assert_complete(machine, seen)
    assert len(seen.states()) == 3
