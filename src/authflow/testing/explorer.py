"""Walks a machine through everything that an alphabet of commands can do to it, and says what was never done.

The explored table is the measure of a machine's tests: every declared edge is taken, and no other
(`assert_complete`). A host or another team can run the same walk over its own machines.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from authflow.errors import IllegalCommand, UndeclaredEdge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from authflow.machine import Edge, Fact, Machine

StateT = TypeVar("StateT")
CommandT = TypeVar("CommandT")
AnswerT = TypeVar("AnswerT")

LIMIT: Final = 100_000
"""Steps after which a walk gives up: an alphabet that always makes new states never ends."""


@attrs.frozen(kw_only=True)
class Answered(Generic[StateT, CommandT, AnswerT]):
    """One legal step of a walk: *command* in *state* at *now* led to *target* with *answer* and *facts*."""

    state: StateT
    command: CommandT
    now: datetime
    target: StateT
    answer: AnswerT
    facts: tuple[Fact, ...]


@attrs.frozen(kw_only=True)
class Illegal(Generic[StateT, CommandT]):
    """One command of the alphabet for which the table has no row in *state*."""

    state: StateT
    command: CommandT


@attrs.frozen(kw_only=True)
class Exploration(Generic[StateT, CommandT, AnswerT]):
    """What a walk saw.

    Args:
        machine: The name of the machine.
        steps: Every legal step, breadth first.
        illegal: Every refused command, in the order of the walk.
        undeclared: Steps of rules that went to a state their row does not name.
        missing: Declared edges that no step took, in the order of the table.
        unreached: Pairs of state and command that stand in the table and were never tried.
        truncated: The limit ended the walk before the alphabet was used up.
    """

    machine: str
    steps: tuple[Answered[StateT, CommandT, AnswerT], ...]
    illegal: tuple[Illegal[StateT, CommandT], ...]
    undeclared: tuple[UndeclaredEdge, ...]
    missing: tuple[Edge, ...]
    unreached: tuple[tuple[type[Any], type[Any]], ...]
    truncated: bool

    def answers(self) -> frozenset[type]:
        """Return the types of all answers that were given."""
        return frozenset(type(step.answer) for step in self.steps)

    def states(self) -> tuple[StateT, ...]:
        """Return every state that was entered, each once, in the order of the walk."""
        met = {id(state): state for step in self.steps for state in (step.state, step.target)}  # many steps share one
        seen = _Seen[StateT]()
        return tuple(state for state in met.values() if seen.add(state))

    def illegal_pairs(self) -> frozenset[tuple[type, type]]:
        """Return the types of every refused pair of state and command."""
        return frozenset((type(pair.state), type(pair.command)) for pair in self.illegal)


def explore(
    machine: Machine[StateT, CommandT, AnswerT],
    start: Iterable[StateT],
    commands: Callable[[StateT], Iterable[tuple[CommandT, datetime]]],
    *,
    limit: int = LIMIT,
) -> Exploration[StateT, CommandT, AnswerT]:
    """Walk *machine* breadth first from *start* through every command that *commands* offers in each state.

    Args:
        machine: The table to walk.
        start: States to begin from; states that steps lead to are walked as well, each once.
        commands: The alphabet: for a state, every command worth trying and when. An illegal command is welcome.
        limit: Commands tried before the walk gives up; `Exploration.truncated` tells.
    """
    walk = _Walk(machine, commands, limit)
    walk.run(start)
    return walk.result()


def assert_complete(
    machine: Machine[StateT, CommandT, AnswerT], exploration: Exploration[StateT, CommandT, AnswerT]
) -> None:
    """Assert that *exploration* took every edge that *machine* declares, and no other.

    Raises:
        AssertionError: It lists every row that was never tried, every declared edge that was never taken,
            and every edge that was taken and is not declared.
    """
    if exploration.machine != machine.name:
        msg = f"this is an exploration of {exploration.machine}, not of {machine.name}"
        raise AssertionError(msg)
    complaints = [*_complaints(exploration)]
    if complaints:
        raise AssertionError("\n".join([f"{machine.name} is not explored completely:", *complaints]))


def _complaints(exploration: Exploration[Any, Any, Any]) -> Iterable[str]:
    if exploration.truncated:
        yield f"  the walk was cut off after {len(exploration.steps)} legal steps"
    for error in exploration.undeclared:
        yield f"  undeclared: {error.rule} went from {error.state} to {error.target}"
    for state, command in exploration.unreached:
        yield f"  never tried: {command.__name__} in {state.__name__}"
    for edge in exploration.missing:
        if (edge.state, edge.command) not in exploration.unreached:
            yield f"  never taken: {edge.command.__name__} from {edge.state.__name__} to {edge.target.__name__}"


class _Seen(Generic[StateT]):
    """A set of values that need not be hashable; the unhashable ones are compared one by one."""

    def __init__(self) -> None:
        self._hashed: set[StateT] = set()
        self._listed: list[StateT] = []

    def add(self, value: StateT) -> bool:
        """Remember *value*; tell whether it is new."""
        try:
            known = value in self._hashed
        except TypeError:
            return self._add_unhashable(value)
        self._hashed.add(value)
        return not known

    def _add_unhashable(self, value: StateT) -> bool:
        if value in self._listed:
            return False
        self._listed.append(value)
        return True


class _Walk(Generic[StateT, CommandT, AnswerT]):
    def __init__(
        self,
        machine: Machine[StateT, CommandT, AnswerT],
        commands: Callable[[StateT], Iterable[tuple[CommandT, datetime]]],
        limit: int,
    ) -> None:
        self._machine, self._commands, self._left = machine, commands, limit
        self._seen = _Seen[StateT]()
        self._queue: deque[StateT] = deque()
        self._steps: list[Answered[StateT, CommandT, AnswerT]] = []
        self._illegal: list[Illegal[StateT, CommandT]] = []
        self._undeclared: list[UndeclaredEdge] = []
        self._tried: set[tuple[type, type]] = set()

    def run(self, start: Iterable[StateT]) -> None:
        for state in start:
            self._enter(state)
        while self._queue and self._left > 0:
            self._leave(self._queue.popleft())

    def _enter(self, state: StateT) -> None:
        if self._seen.add(state):
            self._queue.append(state)

    def _leave(self, state: StateT) -> None:
        for command, now in self._commands(state):
            if self._left <= 0:
                self._queue.appendleft(state)
                return
            self._left -= 1
            self._take(state, command, now)

    def _take(self, state: StateT, command: CommandT, now: datetime) -> None:
        self._tried.add((type(state), type(command)))
        try:
            step = self._machine.step(state, command, now)
        except IllegalCommand:
            self._illegal.append(Illegal(state=state, command=command))
        except UndeclaredEdge as error:
            self._undeclared.append(error)
        else:
            self._steps.append(
                Answered(state=state, command=command, now=now, target=step.state, answer=step.answer, facts=step.facts)
            )
            if step.state is not state:
                self._enter(step.state)

    def result(self) -> Exploration[StateT, CommandT, AnswerT]:
        taken = {(type(step.state), type(step.command), type(step.target)) for step in self._steps}
        return Exploration(
            machine=self._machine.name,
            steps=tuple(self._steps),
            illegal=tuple(self._illegal),
            undeclared=tuple(self._undeclared),
            missing=tuple(e for e in self._machine.edges() if (e.state, e.command, e.target) not in taken),
            unreached=tuple(
                (row.state, row.command) for row in self._machine.rows if (row.state, row.command) not in self._tried
            ),
            truncated=bool(self._queue),
        )
