"""Tells the story of the demo: each command with what it changed, and one table of all of them at the end."""

from __future__ import annotations

from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from authflow.cli.layout import columns, table, wrapped
from authflow.errors import CATALOGUE
from authflow.outbox.relay import Drained
from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from authflow.adapters.sql.watch import Watch

T = TypeVar("T")

NAME: Final = 10
"""Columns for the names of what is shown under a command."""


@attrs.frozen(kw_only=True)
class Seen:
    """What stood in the database at one moment."""

    states: Mapping[str, str]
    audited: Mapping[str, str]
    waiting: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Played:
    """One command of the story, as the table at the end shows it."""

    number: int
    command: str
    moves: tuple[str, ...]
    facts: tuple[str, ...]
    written: int
    delivered: int
    statements: int
    milliseconds: float


class Narrator:
    """Prints the story as it happens.

    Args:
        watch: Counts statements, and knows the audit log and the outbox.
        states: Reads where each machine stands now, by the machine's name.
    """

    def __init__(self, watch: Watch, states: Callable[[], Mapping[str, str]]) -> None:
        self.played: list[Played] = []
        self._watch = watch
        self._states = states

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        print(f"\n{title}\n{'-' * len(title)}")

    def tell(self, text: str) -> None:
        """Say one paragraph."""
        print("\n" + wrapped(text))

    def show(self, *lines: tuple[str, object]) -> None:
        """Print names and values under the command that was played last."""
        print(columns([(name.ljust(NAME), value) for name, value in lines], indent="    "))

    def play(self, command: str, call: Callable[[], T]) -> T:
        """Call the command, print its answer and what it changed, and return the answer."""
        number = len(self.played) + 1
        print(f"\n {number:2}  {command}")
        before, statements, start = self._seen(), self._watch.statements, perf_counter()
        answer = call()
        milliseconds, statements = (perf_counter() - start) * 1000, self._watch.statements - statements
        after = self._seen()
        played = Played(
            number=number,
            command=command,
            moves=tuple(_moves(before.states, after.states)),
            facts=tuple(_new(before.audited, after.audited)),
            written=len(list(_new(before.waiting, after.waiting))),
            delivered=answer.delivered if isinstance(answer, Drained) else 0,
            statements=statements,
            milliseconds=milliseconds,
        )
        self.played.append(played)
        self._print(played, answer, tuple(_new(before.waiting, after.waiting)))
        return answer

    def conclude(self) -> None:
        """Print everything that was played, one row per command."""
        self.chapter("All of it, command by command")
        print(self.table())

    def table(self) -> str:
        """Return everything that was played, one row per command."""
        head = (" #", "command", "messages", " sql", "    ms", "what changed, and the facts recorded")
        return table(head, [_row(played) for played in self.played])

    def _seen(self) -> Seen:
        return Seen(states=self._states(), audited=self._watch.audited(), waiting=self._watch.waiting())

    def _print(self, played: Played, answer: object, written: tuple[str, ...]) -> None:
        cost = f"{played.statements} statements in {played.milliseconds:.1f} ms"
        lines = [("answer", f"{_said(answer)} ({cost})")]
        lines += [("state", move) for move in played.moves]
        lines += [("recorded", ", ".join(played.facts))] if played.facts else []
        lines += [("outbox", _counted(written))] if written else []
        self.show(*lines)


def _row(played: Played) -> tuple[str, ...]:
    sent = f"{played.delivered} delivered" if played.delivered else ""
    return (
        f"{played.number:2}",
        played.command,
        sent or (f"{played.written} written" if played.written else ""),
        f"{played.statements:4}",
        f"{played.milliseconds:6.1f}",
        "\n".join([*played.moves, *([", ".join(played.facts)] if played.facts else [])]),
    )


def _said(answer: object) -> str:
    if not isinstance(answer, Refused):
        return type(answer).__name__ if isinstance(answer, Answer) else "done"
    return f"Refused {answer.code}: {CATALOGUE[answer.code].sentence}{_left(answer.attempts_left)}"


def _left(attempts: int | None) -> str:
    if attempts is None:
        return ""
    return " 1 more try." if attempts == 1 else f" {attempts} more tries."


def _moves(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[str]:
    for machine, state in after.items():
        if before.get(machine) != state:
            yield f"{machine}: {before.get(machine, 'none')} -> {state}"


def _new(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[str]:
    return (what for key, what in after.items() if key not in before)


def _counted(written: Iterable[str]) -> str:
    return ", ".join(what if count == 1 else f"{count} x {what}" for what, count in Counter(written).items())
