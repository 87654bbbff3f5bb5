"""Faults on purpose: a database that fails at the statement a test names, or forgets to say that it committed.

A `Rule` says at which `Point` what is raised; `Faults` is the tap that asks it. What a tap raises counts as raised by
the driver at that very step, so all of the unit of work's own handling runs: translation, rollback, retries, counts.

>>> from authflow.errors import CommitUnknown
>>> from authflow.testing import add_user
>>> from authflow.testing.browsers import installed
>>> flows = installed(uow := TappedMemory())
>>> with injected(uow, answer_lost()):
...     try:
...         add_user(flows, "ada@example.com")
...     except CommitUnknown as error:
...         print(error.code)
database.commit_unknown
>>> with flows.uow.begin() as tx:  # it was done nevertheless
...     print(tx.users.get("ada@example.com").label)
ada@example.com
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from enum import StrEnum, unique
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import attrs

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.sql.tap import Event, Kind
from authflow.errors import CommitUnknown, DatabaseUnavailable, Retryable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from authflow.adapters.counted import Counted
    from authflow.adapters.memory.unit_of_work import MemoryTransaction
    from authflow.adapters.sql.tap import Tap

SQLITE_BUSY: Final = 5
"""sqlite.org/rescode.html#busy"""

MARIADB_DEADLOCK: Final = 1213
"""ER_LOCK_DEADLOCK"""

REACH: Final = 12
"""Among so many first statements of a transaction `conflicts` chooses one; a shorter transaction is hit at its end."""


@unique
class Side(StrEnum):
    """On which side of a step."""

    BEFORE = "before"
    AFTER = "after"


@attrs.frozen(kw_only=True)
class Point:
    """A place where something can go wrong: before or after one step of a transaction.

    Args:
        number: Counts all points since the tap was made, from 1.
        nth: Counts those of the same kind on the same side, from 1.
        side: Before the step is sent, or after it was answered.
        kind: What step it is.
        text: As it is sent; never a parameter.
    """

    number: int
    nth: int
    side: Side
    kind: Kind
    text: str


Rule: TypeAlias = "Callable[[Point], BaseException | None]"
"""Returns what is raised at a point, or none."""

Fault: TypeAlias = "Callable[[], BaseException]"
"""Makes an error; a driver's own, or one of `authflow.errors`."""


class Points:
    """A tap that numbers the points, and tells each to *heard*."""

    def __init__(self, heard: Callable[[Point], object]) -> None:
        self._heard = heard
        self._total = 0
        self._seen: Counter[tuple[Side, Kind]] = Counter()

    def before(self, event: Event) -> None:
        """Hear what is about to be sent."""
        self._hear(Side.BEFORE, event)

    def after(self, event: Event) -> None:
        """Hear what has been answered."""
        self._hear(Side.AFTER, event)

    def _hear(self, side: Side, event: Event) -> None:
        self._total += 1
        self._seen[side, event.kind] += 1
        nth = self._seen[side, event.kind]
        self._heard(Point(number=self._total, nth=nth, side=side, kind=event.kind, text=event.text))


class Faults(Points):
    """A tap that raises what *rule* returns. *raised* are the points at which it did."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(self._raise)
        self._rule = rule
        self.raised: list[Point] = []

    def _raise(self, point: Point) -> None:
        error = self._rule(point)
        if error is not None:
            self.raised.append(point)
            raise error


# --- rules ------------------------------------------------------------------------------------------------------------


def at_statement(number: int, fault: Fault, *, side: Side = Side.BEFORE) -> Faults:
    """Fail once, at statement *number*: it is not sent, or with `Side.AFTER` it is done and its answer lost."""
    return _once(Kind.STATEMENT, number, side, fault)


def at_commit(fault: Fault, *, number: int = 1) -> Faults:
    """Fail once, before commit *number* is sent: nothing is kept."""
    return _once(Kind.COMMIT, number, Side.BEFORE, fault)


def answer_lost(*, number: int = 1) -> Faults:
    """Let commit *number* happen, and lose the connection before its answer: the caller gets `CommitUnknown`."""
    return _once(Kind.COMMIT, number, Side.AFTER, connection_lost)


def request_lost(*, number: int = 1) -> Faults:
    """Lose the connection before commit *number* is sent: the caller gets `CommitUnknown`, and nothing was done."""
    return at_commit(connection_lost, number=number)


def conflicts(share: float, faults: Sequence[Fault], *, seed: int) -> Faults:
    """Let *share* of all transactions lose to another one, each at one random place, as *seed* decides.

    Args:
        share: From 0 to 1.
        faults: Which errors; `losses` are a database's own.
        seed: The same seed chooses the same.
    """
    chance = Random(seed)  # noqa: S311  # it chooses faults, not secrets
    left: list[int] = []

    def rule(point: Point) -> BaseException | None:
        if point.side is Side.AFTER:
            return None
        if point.kind is Kind.BEGIN:
            left[:] = [chance.randrange(REACH)] if chance.random() < share else []
        if not left or point.kind not in {Kind.BEGIN, Kind.STATEMENT, Kind.COMMIT}:
            return None
        if left[0] and point.kind is not Kind.COMMIT:
            left[0] -= 1
            return None
        left.clear()
        return chance.choice(faults)()

    return Faults(rule)


def everywhere(share: float, faults: Sequence[Fault], *, seed: int) -> Faults:
    """Let *share* of all steps fail, be it begin, statement or commit, as *seed* decides; arguments as `conflicts`."""
    chance = Random(seed)  # noqa: S311  # as above

    def rule(point: Point) -> BaseException | None:
        may_fail = point.side is Side.BEFORE and point.kind in {Kind.BEGIN, Kind.STATEMENT, Kind.COMMIT}
        return chance.choice(faults)() if may_fail and chance.random() < share else None

    return Faults(rule)


def _once(kind: Kind, number: int, side: Side, fault: Fault) -> Faults:
    return Faults(lambda point: fault() if (point.kind, point.nth, point.side) == (kind, number, side) else None)


# --- what a database says ---------------------------------------------------------------------------------------------


def connection_lost() -> OSError:
    """Return what a socket says whose other end is gone; every driver lets it through, or says the same."""
    return ConnectionResetError("the connection was lost, on purpose")


def sqlite_busy() -> Exception:
    """Return what SQLite's driver raises when somebody else holds the lock: ``SQLITE_BUSY``."""
    import sqlite3

    error = sqlite3.OperationalError("database is locked, on purpose")
    error.sqlite_errorcode = SQLITE_BUSY
    return error


def serialization_failure() -> Exception:
    """Return psycopg's error for SQLSTATE 40001."""
    return _raised_by("psycopg.errors", "SerializationFailure", "could not serialize access, on purpose")


def deadlock_detected() -> Exception:
    """Return psycopg's error for SQLSTATE 40P01."""
    return _raised_by("psycopg.errors", "DeadlockDetected", "deadlock detected, on purpose")


def mariadb_deadlock() -> Exception:
    """Return PyMySQL's error 1213."""
    return _raised_by("pymysql.err", "OperationalError", MARIADB_DEADLOCK, "Deadlock found, on purpose")


def _raised_by(driver: str, name: str, *args: object) -> Exception:
    """Return an error of a driver that is installed wherever its database is used, and only there."""
    error: Exception = getattr(import_module(driver), name)(*args)
    return error


LOSSES: Final[dict[str, tuple[Fault, ...]]] = {
    "sqlite": (sqlite_busy,),
    "postgresql": (serialization_failure, deadlock_detected),
    "mariadb": (mariadb_deadlock,),
}
"""How each database says that a transaction lost to another one, by SQLAlchemy's name of it."""


def losses(uow: object) -> tuple[Fault, ...]:
    """Return how the database of *uow* says that a transaction lost; one without a database raises `Retryable`."""
    engine = getattr(uow, "engine", None)
    return (Retryable,) if engine is None else LOSSES[engine.dialect.name]


# --- where ------------------------------------------------------------------------------------------------------------


class Tapped(Protocol):
    """A unit of work that tells a tap: `SqlUnitOfWork`, `TappedMemory`, or a host's own."""

    tap: Tap | None


@contextmanager
def injected(uow: Tapped, faults: Faults) -> Generator[Faults]:
    """Let *uow* tell *faults* of every step in the block; afterwards it tells whomever it told before."""
    before, uow.tap = uow.tap, faults
    try:
        yield faults
    finally:
        uow.tap = before


class TappedMemory(MemoryUnitOfWork):
    """The unit of work in memory, telling a tap of its begins and commits; it has no statements.

    An unavailable database at the commit is `CommitUnknown`, as it is in SQL; counts are not repeated after it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as `MemoryUnitOfWork`
        super().__init__(*args, **kwargs)
        self.tap: Tap | None = None

    @contextmanager
    def _transaction(self, tries: list[Counted]) -> Generator[MemoryTransaction]:
        self._tell(Side.BEFORE, Kind.BEGIN)
        try:
            with super()._transaction(tries) as tx:
                self._tell(Side.AFTER, Kind.BEGIN)
                yield tx
                self._tell(Side.BEFORE, Kind.COMMIT)
            self._tell(Side.AFTER, Kind.COMMIT)
        except CommitUnknown:
            tries.clear()
            raise

    def _tell(self, side: Side, kind: Kind) -> None:
        if self.tap is None:
            return
        event = Event(kind, kind.upper())
        try:
            (self.tap.before if side is Side.BEFORE else self.tap.after)(event)
        except (OSError, DatabaseUnavailable) as error:
            raise (CommitUnknown() if kind is Kind.COMMIT else DatabaseUnavailable()) from error
