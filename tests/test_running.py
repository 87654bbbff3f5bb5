"""The parts of an operation: each is a whole of its own, at one instant, and seen by whoever explains the operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command, operation
from authflow.command.running import CommandClock, in_one
from authflow.values import Answer, Refused
from tests.test_command import Ticking, World, small, ticks, why

if TYPE_CHECKING:
    from datetime import datetime


@attrs.frozen(kw_only=True)
class Halves:
    """A service whose operations have two halves, with something between them that is in no transaction."""

    _uow: World = attrs.field(factory=World, alias="uow")
    clock: CommandClock = attrs.field(init=False)

    @clock.default
    def _clock(self) -> CommandClock:
        return CommandClock(Ticking(), self._uow)

    def look(self) -> list[datetime]:
        return [self.clock.now(), self.clock.now()]

    @operation("halves.both")
    def both(self) -> list[datetime]:
        return [*in_one(self._uow, self.look), self.clock.now(), *in_one(self._uow, self.look)]

    @operation("halves.refuse")
    def refuse(self, number: int) -> Answer:
        code = in_one(self._uow, lambda: small(number))
        return Answer() if code is None else Refused(code=code)

    @command("halves.inside")
    def inside(self) -> list[datetime]:
        return [self.clock.now(), *in_one(self._uow, self.look)]


def test_each_part_is_one_transaction_at_one_instant():
    halves = Halves()
    assert ticks(halves.both()) == [1, 1, 2, 3, 3]
    assert halves._uow.asked == ["run", "run"]


def test_a_part_that_is_tried_again_looks_at_the_clock_again():
    assert ticks(Halves(uow=World(lost=1)).both()) == [2, 2, 3, 5, 5]


def test_inside_a_command_it_is_a_part_of_that():
    halves = Halves()
    assert ticks(halves.inside()) == [1, 1, 1]
    assert halves._uow.asked == ["run"]


def test_what_a_part_refuses_is_explained():
    told = why(Halves(uow=World(lost=1)).refuse(1))
    assert (told.command, told.gate, told.facts) == ("halves.refuse", "small", {"number": "1"})
