"""What a walk of one machine tries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from authflow.testing.explorer import LIMIT, Exploration, explore

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
        limit: Commands after which a walk gives up; above what this alphabet can reach.
    """

    machine: Machine[StateT, CommandT, AnswerT]
    start: tuple[StateT, ...]
    commands: Callable[[StateT], Iterable[tuple[CommandT, datetime]]]
    limit: int = LIMIT

    def walk(self) -> Exploration[StateT, CommandT, AnswerT]:
        """Walk the machine through all of it."""
        return explore(self.machine, self.start, self.commands, limit=self.limit)
