"""The only framework in the library: a state machine written as one literal table.

A machine is a set of rows ``on(State, Command).to(rule, *Next)``. The table is keyed by
*(state, command)*, never by *(state, state)*: what stands in no row is illegal, raises
`IllegalCommand`, and nothing happened. A rule is a pure function of *(state, command, now)*:
no I/O, no clock, no randomness. It returns a `Step`: the next state, the answer for whoever
asked, and past-tense facts for everybody else.

Because the table is a value, the diagram (`Machine.mermaid`), the documentation page
(`Machine.table`) and the exhaustive test (`Machine.edges`) are read from it and cannot drift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import attrs

from authflow.errors import IllegalCommand, UndeclaredEdge
from authflow.values import require_aware
from authflow.witness import Decision, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

StateT = TypeVar("StateT")
CommandT = TypeVar("CommandT")
AnswerT = TypeVar("AnswerT")
NextT = TypeVar("NextT")
StateT_co = TypeVar("StateT_co", covariant=True)
CommandT_co = TypeVar("CommandT_co", covariant=True)
AnswerT_co = TypeVar("AnswerT_co", covariant=True)


class Fact:
    """Something that happened, named in the past tense. ``authflow.facts`` says what each records."""

    __slots__ = ()


@attrs.frozen
class Step(Generic[StateT_co, AnswerT_co]):
    """What one command did: the *next state*, the *answer*, and the *facts* in their order."""

    state: StateT_co
    answer: AnswerT_co
    facts: tuple[Fact, ...] = ()


@attrs.frozen(kw_only=True)
class Row(Generic[StateT_co, CommandT_co, AnswerT_co]):
    """One row of a table: in *state*, *command* is decided by *rule* and leads to one of *targets*."""

    state: type[StateT_co]
    command: type[CommandT_co]
    rule: Callable[[Any, Any, datetime], Step[StateT_co, AnswerT_co]]
    targets: tuple[type[StateT_co], ...]


@attrs.frozen
class On(Generic[StateT, CommandT]):
    """The left half of a row; `to` completes it."""

    state: type[StateT]
    command: type[CommandT]

    def to(
        self,
        rule: Callable[[StateT, CommandT, datetime], Step[NextT, AnswerT]],
        first: type[NextT],
        *others: type[NextT],
    ) -> Row[StateT | NextT, CommandT, AnswerT]:
        """Name the *rule* that decides this row and every state it may lead to."""
        return Row(state=self.state, command=self.command, rule=rule, targets=(first, *others))


def on(state: type[StateT], command: type[CommandT], /) -> On[StateT, CommandT]:
    """Begin a row: *command* arrives in *state*."""
    return On(state, command)


class Edge(NamedTuple):
    """One declared arrow of a machine."""

    state: type
    command: type
    rule: Callable[..., Any]
    target: type


class Machine(Generic[StateT, CommandT, AnswerT]):
    """A table of rows under a stable dotted *name*, such as ``mfa.enrollment``.

    Args:
        name: Stable and dotted; documentation pages, vectors and logs use it.
        rows: Every legal pair of state and command, once.

    Raises:
        ValueError: The table is empty, or a pair stands in two rows.
    """

    __slots__ = ("_cells", "name", "rows")

    def __init__(self, name: str, rows: tuple[Row[StateT, CommandT, AnswerT], ...]) -> None:
        self.name = name
        self.rows = rows
        self._cells = {(row.state, row.command): row for row in rows}
        if not rows or len(self._cells) != len(rows):
            msg = f"{name}: a table needs rows, and each pair of state and command once"
            raise ValueError(msg)

    def step(self, state: StateT, command: CommandT, now: datetime) -> Step[StateT, AnswerT]:
        """Decide *command* in *state* at *now*. Pure: the same arguments give the same step.

        Args:
            state: The stored state.
            command: What is asked, with every fact the rule needs.
            now: Aware; naive datetimes are refused.

        Raises:
            IllegalCommand: The table has no such row. Nothing happened.
            UndeclaredEdge: The rule answered with a state its row does not name. A bug of the rule.
            NaiveDatetime: *now* has no time zone.
        """
        row = self._cells.get((type(state), type(command)))
        if row is None:
            raise IllegalCommand(machine=self.name, state=type(state).__name__, command=type(command).__name__)
        require_aware(now)
        step = row.rule(state, command, now)
        if type(step.state) not in row.targets:
            raise UndeclaredEdge(
                machine=self.name, rule=row.rule.__name__, state=type(state).__name__, target=type(step.state).__name__
            )
        entries = listening()
        if entries is not None:
            entries.append(Decision(self.name, row.rule, state, command, now, step.answer))
        return step

    def edges(self) -> Iterator[Edge]:
        """Yield every declared arrow, in the order of the table."""
        for row in self.rows:
            for target in row.targets:
                yield Edge(row.state, row.command, row.rule, target)

    def states(self) -> tuple[type, ...]:
        """Return every state the table names, in the order in which it is first named."""
        return tuple(dict.fromkeys(s for edge in self.edges() for s in (edge.state, edge.target)))

    def commands(self) -> tuple[type, ...]:
        """Return every command the table names, in the order in which it is first named."""
        return tuple(dict.fromkeys(row.command for row in self.rows))

    def mermaid(self) -> str:
        """Return the machine as a Mermaid ``stateDiagram-v2``; arrows are labelled with the command.

        The ways in lead to the state of the first row and to each that no other state leads to: where a flow begins.
        """
        labels: dict[tuple[str, str], list[str]] = {}
        for edge in self.edges():
            ends = (edge.state.__name__, edge.target.__name__)
            labels.setdefault(ends, []).append(edge.command.__name__)
        arrows = [f"    {a} --> {b}: {', '.join(names)}" for (a, b), names in labels.items()]
        return "\n".join(["stateDiagram-v2", *(f"    [*] --> {state.__name__}" for state in self._entries()), *arrows])

    def _entries(self) -> tuple[type, ...]:
        """Return the state of the first row, and each state that only itself leads to."""
        reached = {edge.target for edge in self.edges() if edge.target is not edge.state}
        return tuple(state for state in self.states() if state is self.rows[0].state or state not in reached)

    def table(self) -> str:
        """Return the machine as a Markdown table: state, command, rule, next states, and what the rule says."""
        head = ["| state | command | rule | next | what it decides |", "|---|---|---|---|---|"]
        return "\n".join([*head, *(_markdown(row) for row in self.rows)])


def _markdown(row: Row[Any, Any, Any]) -> str:
    says = (row.rule.__doc__ or "").strip().partition("\n")[0].replace("|", "\\|")
    nexts = ", ".join(target.__name__ for target in row.targets)
    return f"| {row.state.__name__} | {row.command.__name__} | `{row.rule.__name__}` | {nexts} | {says} |"
