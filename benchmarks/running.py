"""Runs the programs beside each other: all are started, then each round of each row asks every one of them in turn."""

from __future__ import annotations

import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.environments import ROOT, python_of, variables
from benchmarks.protocol import Round, Setting
from benchmarks.rows import DATABASES, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from benchmarks.rows import Program, Row

SETTLED: Final = 8
"""Operations before a count: by then a driver has prepared what it prepares."""

COUNTED: Final = 7
"""Operations that are counted, one at a time; the median stands."""

OPERATIONS_MAX: Final = 50_000


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured: *rounds* of each row, each of about so many *seconds*, preparation included."""

    rounds: int
    seconds: float


FULL: Final = Effort(rounds=15, seconds=0.25)
QUICK: Final = Effort(rounds=5, seconds=0.06)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one program did in one row: *seconds* for one unit, one figure per round, and what one operation sent."""

    program: str
    operations: int
    seconds: Sequence[float]
    statements: int
    round_trips: int

    @property
    def median(self) -> float:
        """Half of the rounds took longer."""
        return statistics.median(self.seconds)

    @property
    def low(self) -> float:
        """A tenth of the rounds were faster."""
        return _quantile(self.seconds, 0.1)

    @property
    def high(self) -> float:
        """A tenth of the rounds took longer."""
        return _quantile(self.seconds, 0.9)


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[round(share * (len(ordered) - 1))]


class Running:
    """A program that waits for requests."""

    def __init__(self, program: str, setting: Setting, *, source: Path, log: Path, environment: str = "") -> None:
        self.program, self._log = program, log
        interpreter = python_of(environment or program)
        with log.open("w") as errors:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [interpreter, "-m", f"benchmarks.programs.{program}"],
                cwd=ROOT,
                env=variables(source),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        greeting = self._say(asdict(setting))
        self.rows = frozenset(greeting["rows"])
        self.versions: dict[str, str] = greeting["versions"]

    def ask(self, row: str, operations: int) -> Round:
        """Return what one round took.

        Raises:
            RuntimeError: The program ended; its last words are in the message.
        """
        return Round(**self._say({"row": row, "operations": operations}))

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None  # noqa: S101  # opened as a pipe above
        self._process.stdin.close()
        self._process.wait()

    def _say(self, document: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101  # as above
        assert self._process.stdout is not None  # noqa: S101  # as above
        with contextlib.suppress(BrokenPipeError):  # then it has ended, and there is no answer
            self._process.stdin.write(json.dumps(document) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            msg = f"{self.program} ended: {self._log.read_text()[-2000:]}"
            raise RuntimeError(msg)
        answered: dict[str, Any] = json.loads(answer)
        return answered


class Databases:
    """Empty databases, one for each program."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._server = subprocess.Popen(  # noqa: S603  # as for programs
            [python_of("server"), "-m", "benchmarks.server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.about = self._line()

    def new(self, database: str) -> str:
        """Return the target of a new one."""
        self._count += 1
        name = f"benchmark{self._count}"
        if database == "sqlite":
            return str(self._folder / f"{name}.sqlite3")
        if database == "none":
            return ""
        assert self._server.stdin is not None  # noqa: S101  # opened as a pipe above
        self._server.stdin.write(f"{name}\n")
        self._server.stdin.flush()
        return self._line()

    def close(self) -> None:
        """Stop the server."""
        assert self._server.stdin is not None  # noqa: S101  # as above
        self._server.stdin.close()
        self._server.wait()

    def _line(self) -> str:
        assert self._server.stdout is not None  # noqa: S101  # as above
        return self._server.stdout.readline().strip()


class Bench:
    """Every program of a run, started when a row first needs it."""

    def __init__(self, folder: Path, *, source: Path, synchronous: str) -> None:
        self._folder, self._source, self._synchronous = folder, source, synchronous
        self.databases = Databases(folder)
        self._running: dict[tuple[str, str, bool, int], Running] = {}

    def program(
        self, program: str, database: str, *, counting: bool = False, environment: str = "", instance: int = 0
    ) -> Running:
        """Return the program on *database*; *counting* is another process, so that counting slows nobody down.

        Each *instance* has a database of its own. The *environment* is the program's own unless another is named.
        """
        key = program, database, counting, instance
        if key not in self._running:
            setting = Setting(
                database=database,
                target=self.databases.new(database),
                synchronous=self._synchronous,
                counting=counting,
            )
            log = self._folder / f"{'-'.join(map(str, key))}.log"
            self._running[key] = Running(program, setting, source=self._source, log=log, environment=environment)
        return self._running[key]

    def of(self, row: Row) -> list[Running]:
        """Return the programs that offer *row*."""
        able: Iterable[Program] = (program for program in PROGRAMS if row.database in program.databases)
        started = [self.program(program.name, row.database) for program in able]
        return [running for running in started if row.name in running.rows]

    @property
    def versions(self) -> dict[str, str]:
        """What was installed beside each program that was asked."""
        return {name: version for running in self._running.values() for name, version in running.versions.items()}

    def close(self) -> None:
        """End every program, then the server."""
        for running in self._running.values():
            running.close()
        self.databases.close()


@contextlib.contextmanager
def bench(*, source: Path, synchronous: str) -> Generator[Bench]:
    """Give a bench whose databases are on this machine's disk and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as folder:
        opened = Bench(Path(folder), source=source, synchronous=synchronous)
        try:
            yield opened
        finally:
            opened.close()


def measure(bench: Bench, row: Row, effort: Effort) -> list[Figures]:
    """Return what every program did in *row*: interleaved rounds, their order drawn anew each time."""
    programs = bench.of(row)
    operations = {running.program: _fitting(running, row, effort) for running in programs}
    seconds: dict[str, list[float]] = {running.program: [] for running in programs}
    order = random.Random(0)  # noqa: S311  # an order, no secret
    for _ in range(effort.rounds):
        for running in order.sample(programs, len(programs)):
            took = running.ask(row.name, operations[running.program])
            seconds[running.program].append(took.seconds / took.operations / row.unit)
    return [
        Figures(
            program=running.program,
            operations=operations[running.program],
            seconds=seconds[running.program],
            **counts(bench, row, running.program),
        )
        for running in programs
    ]


def _fitting(running: Running, row: Row, effort: Effort) -> int:
    """Return how many operations fit into a round; the first ones warm up."""
    operations = 1
    while True:
        whole = running.ask(row.name, operations).whole
        fitting = min(OPERATIONS_MAX, int(operations * effort.seconds / whole))
        if fitting < operations * 2:
            return max(1, fitting)
        operations = min(fitting, operations * 20)


def counts(bench: Bench, row: Row, program: str) -> dict[str, int]:
    """Return the statements and round trips of one operation."""
    if row.database not in DATABASES:
        return {"statements": 0, "round_trips": 0}
    running = bench.program(program, row.database, counting=True)
    running.ask(row.name, SETTLED if row.unit == 1 else 2)
    asked = [running.ask(row.name, 1) for _ in range(COUNTED if row.unit == 1 else 3)]
    return {
        "statements": int(statistics.median_low([round_.statements for round_ in asked])),
        "round_trips": int(statistics.median_low([round_.round_trips for round_ in asked])),
    }


def progress(text: str) -> None:
    """Say what is going on, beside the results."""
    print(text, file=sys.stderr, flush=True)
