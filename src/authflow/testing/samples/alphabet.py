"""What a walk of one machine tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from authflow.testing.explorer import LIMIT, Answered, Exploration, explore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from authflow.machine import Machine

StateT = TypeVar("StateT")
CommandT = TypeVar("CommandT")
AnswerT = TypeVar("AnswerT")


@attrs.frozen(kw_only=True)
class Alphabet(Generic[StateT, CommandT, AnswerT]):
    """Where a walk of *machine* begins, and every command worth trying in each state.

    Args:
        machine: The table.
        start: States to begin from, the state of nothing first.
        commands: For a state, every command worth trying and when.
        telling: Steps that show what a choice among the walk's may miss, such as both sides of a limit; every one of
            them becomes a test vector.
        limit: Commands after which a walk gives up; above what this alphabet can reach.
    """

    machine: Machine[StateT, CommandT, AnswerT]
    start: tuple[StateT, ...]
    commands: Callable[[StateT], Iterable[tuple[CommandT, datetime]]]
    telling: tuple[tuple[StateT, CommandT, datetime], ...] = ()
    limit: int = LIMIT

    def walk(self) -> Exploration[StateT, CommandT, AnswerT]:
        """Walk the machine through all of it."""
        return explore(self.machine, self.start, self.commands, limit=self.limit)

    def told(self) -> list[Answered[StateT, CommandT, AnswerT]]:
        """Take the telling steps."""
        asked = [(state, command, now, self.machine.step(state, command, now)) for state, command, now in self.telling]
        return [
            Answered(state=state, command=command, now=now, target=step.state, answer=step.answer, facts=step.facts)
            for state, command, now, step in asked
        ]
