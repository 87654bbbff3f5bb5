"""How the command and its programs talk: one JSON line in, one out. Standard library only, as every environment has it.

A program is started as ``python -m benchmarks.programs.<name>``. Its first line of input is its `Setting`; it answers
which rows it offers, and the versions of what it measures. From then on every line asks for one round of one row and
gets one `Round` back. Measured is only what a row puts inside ``with watch:``.
"""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from benchmarks.counting import Tally, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a program runs.

    Args:
        database: ``none``, ``sqlite`` or ``postgresql``.
        target: The path of a SQLite file that does not exist yet, or the URI of an empty PostgreSQL database.
        synchronous: SQLite's ``PRAGMA synchronous``, the same for everybody.
        counting: Count statements and round trips; times mean nothing then.
    """

    database: str = "none"
    target: str = ""
    synchronous: str = "NORMAL"
    counting: bool = False


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of one row took: *seconds* for all its *operations*, and what they sent to the database.

    *whole* is how long the round lasted with its preparations: a round is made as long as wanted by it.
    """

    operations: int
    seconds: float
    whole: float
    statements: int
    round_trips: int


@dataclass
class Watch:
    """A stopwatch that also reads the tally; what happens outside of ``with watch:`` is preparation."""

    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    log: list[str] = field(default_factory=list)
    round_trips: int = 0
    _before: tuple[int, int] = (0, 0)
    _began: float = 0.0

    def __enter__(self) -> None:
        """Begin to measure."""
        self._before = self.tally.statements, self.tally.round_trips
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Add what was measured."""
        self.seconds += time.perf_counter() - self._began
        self.log += self.tally.log[self._before[0] :]
        self.round_trips += self.tally.round_trips - self._before[1]

    @property
    def statements(self) -> int:
        """How many statements were executed."""
        return len(self.log)


@dataclass(frozen=True, kw_only=True)
class World:
    """What a program is given: its setting, the target to connect to, and the tally to attach to SQLite connections."""

    setting: Setting
    target: str
    tally: Tally

    @property
    def sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.setting.database == "sqlite"

    @property
    def pragmas(self) -> tuple[str, ...]:
        """What every SQLite connection of the run is set to."""
        return ("PRAGMA journal_mode=WAL", f"PRAGMA synchronous={self.setting.synchronous}")

    def opened(self, connection: Any) -> None:  # noqa: ANN401  # sqlite3.Connection, or a subclass of a framework's own
        """Prepare a new SQLite *connection*, and count what it executes if this is a counting run."""
        for pragma in self.pragmas:
            connection.execute(pragma).fetchall()
        if self.setting.counting:
            self.tally.trace(connection)


if TYPE_CHECKING:
    Work = Callable[[int, Watch], None]
    """Do a row so many times, each time inside ``with watch:``."""

    Rows = Callable[[World], Mapping[str, Work]]
    """Connect, make the tables, and return what can be measured."""


def serve(rows: Rows, *, versions: tuple[str, ...] = ()) -> None:
    """Answer rounds until the input ends."""
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    setting = Setting(**json.loads(sys.stdin.readline()))
    tally = Tally()
    with contextlib.ExitStack() as stack:
        target = setting.target
        if setting.counting and setting.database == "postgresql":
            target = stack.enter_context(wire(target, tally))
        offered = rows(World(setting=setting, target=target, tally=tally))
        _say({"rows": list(offered), "versions": {name: version(name) for name in versions}})
        for request in _requests():
            watch = Watch(tally=tally)
            gc.collect()
            began = time.perf_counter()
            offered[request["row"]](request["operations"], watch)
            took = Round(
                operations=request["operations"],
                seconds=watch.seconds,
                whole=time.perf_counter() - began,
                statements=watch.statements,
                round_trips=watch.round_trips,
            )
            _say(asdict(took))


def _requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def _say(answer: dict[str, Any]) -> None:
    sys.__stdout__.write(json.dumps(answer) + "\n")  # type: ignore[union-attr]  # a program has a standard output
    sys.__stdout__.flush()  # type: ignore[union-attr]  # as above
