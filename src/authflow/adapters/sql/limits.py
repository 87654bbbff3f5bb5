"""The limiter and the attempt counters in SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.counted import strictest
from authflow.adapters.sql import columns as c
from authflow.adapters.sql.dialect import insert_or_update
from authflow.adapters.sql.read_once import ReadOnce
from authflow.ports import Allowed, Limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from authflow.adapters.counted import Counted
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Result
    from authflow.adapters.sql.tables.shared import SharedTables
    from authflow.values import Budget, UserId

    Place = tuple[str, str]


@attrs.frozen(kw_only=True)
class CountStatements:
    """Every statement of the limiter and of the attempt counters, built once."""

    lock_hits: sa.Executable
    read_hits: sa.Executable
    save_hits: sa.Executable
    reset_hits: sa.Executable
    count: sa.Executable
    save_totals: sa.Executable
    read: sa.Executable
    clear: sa.Executable
    sweep_hits: sa.Executable
    sweep_attempts: sa.Executable

    @classmethod
    def of(cls, t: SharedTables, dialect: str) -> CountStatements:
        return cls(**_limits(t.limit, dialect), **_attempts(t.attempt, dialect))


def _limits(limit: sa.Table, dialect: str) -> dict[str, sa.Executable]:
    mine = limit.c.key == sa.bindparam("whose")
    read = (limit.c.budget, limit.c.key, limit.c.hits)
    return {
        "lock_hits": insert_or_update(dialect, limit, None, lambda row: {"key": row.key}).returning(*read),
        "read_hits": sa.select(*read).where(mine, limit.c.budget.in_(sa.bindparam("which", expanding=True))),
        "save_hits": insert_or_update(
            dialect, limit, None, lambda row: {"hits": row.hits, "expires_at": row.expires_at}
        ),
        "reset_hits": sa.delete(limit).where(mine, limit.c.budget.in_(sa.bindparam("which", expanding=True))),
        "sweep_hits": sa.delete(limit).where(limit.c.expires_at <= sa.bindparam("now")),
    }


def _attempts(attempt: sa.Table, dialect: str) -> dict[str, sa.Executable]:
    one: dict[str, Any] = {"key": sa.bindparam("whose"), "total": 1, "expires_at": sa.bindparam("until")}
    mine = attempt.c.key == sa.bindparam("whose")
    return {
        "count": insert_or_update(
            dialect, attempt, one, lambda row: {"total": attempt.c.total + 1, "expires_at": row.expires_at}
        ).returning(attempt.c.total),
        "save_totals": insert_or_update(
            dialect, attempt, None, lambda row: {"total": attempt.c.total + row.total, "expires_at": row.expires_at}
        ),
        "read": sa.select(attempt.c.key, attempt.c.total).where(
            attempt.c.key.in_(sa.bindparam("which", expanding=True))
        ),
        "clear": sa.delete(attempt).where(mine),
        "sweep_attempts": sa.delete(attempt).where(attempt.c.expires_at <= sa.bindparam("now")),
    }


class SqlLimits:
    """`authflow.ports.RateLimiter` in SQL: a row is locked and read once, and `flush` saves all that changed together.

    The row holds the last *limit* instants that counted, also those that fell out of the window: a clock that goes
    back finds them again (decisions 31 and 35).
    """

    def __init__(self, connection: Connection, statements: CountStatements, counted: Counted) -> None:
        self._connection = connection
        self._sql = statements
        self._counted = counted
        self._held: dict[Place, list[int]] = {}
        self._unsaved: dict[Place, int] = {}
        self._forgiven: set[Place] = set()
        self._unhit: set[Place] = set()

    def hit(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        return self.hit_all((budget,), key, now)

    def hit_all(self, budgets: Sequence[Budget], key: str, now: datetime) -> Allowed | Limited:
        self._hold(budgets, key)
        answer = strictest([_verdict(self._held[budget.name, key], budget, now) for budget in budgets])
        if isinstance(answer, Limited):
            return answer
        for budget in budgets:
            place = (budget.name, key)
            kept = self._held[place] = sorted([*self._held[place], c.micros(now)])[-budget.limit :]
            self._unsaved[place] = kept[-1] + budget.window // c.MICROSECOND
        self._counted.add(lambda tx: tx.limits.hit_all(budgets, key, now))
        return Allowed(answer.left - 1)

    def peek(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        known = self._held.get((budget.name, key))
        stored = self._read([budget.name], key).get((budget.name, key), []) if known is None else known
        return _verdict(stored, budget, now)

    def reset(self, budget: Budget, key: str) -> None:
        place = (budget.name, key)
        self._unsaved.pop(place, None)
        if place not in self._unhit:
            self._forgiven.add(place)
        self._held[place] = []

    def sweep(self, now: datetime) -> int:
        """Delete the rows of which no hit counts any more."""
        self.flush()
        return self._connection.changed(self._sql.sweep_hits, {"now": c.micros(now)})

    def flush(self) -> None:
        """Delete what was forgiven, in one statement for each key; then save all rows that were hit, in one."""
        unsaved, self._unsaved = self._unsaved, {}
        forgiven, self._forgiven = self._forgiven, set()
        for key in sorted({key for _, key in forgiven}):
            names = sorted(name for name, whose in forgiven if whose == key)
            self._connection.later(self._sql.reset_hits, {"which": names, "whose": key})
        rows = [
            {"budget": place[0], "key": place[1], "hits": json.dumps(self._held[place]), "expires_at": until}
            for place, until in unsaved.items()
        ]
        if rows:
            self._connection.later(self._sql.save_hits, rows)
            self._unhit -= unsaved.keys()

    def _hold(self, budgets: Sequence[Budget], key: str) -> None:
        """Read the hits, in one statement, as they are until this transaction ends; rows are locked in their order."""
        unread = sorted({budget.name for budget in budgets if (budget.name, key) not in self._held})
        if not unread:
            return
        if self._connection.alone:
            self._read(unread, key)
            return
        rows = [{"budget": name, "key": key, "hits": "[]", "expires_at": 0} for name in unread]
        self._held |= _hits(self._connection.run(self._sql.lock_hits, rows))

    def _read(self, names: Sequence[str], key: str) -> dict[Place, list[int]]:
        found = _hits(self._connection.run(self._sql.read_hits, {"which": names, "whose": key}))
        if self._connection.alone:
            places = {(name, key) for name in names}
            self._held |= {place: found.get(place, []) for place in places}
            self._unhit |= places - found.keys()
        return found


def _hits(rows: Iterable[Any]) -> dict[Place, list[int]]:
    return {(row.budget, row.key): json.loads(row.hits) for row in rows}


def _verdict(stored: list[int], budget: Budget, now: datetime) -> Allowed | Limited:
    oldest = c.micros(now - budget.window)
    live = [at for at in stored if at > oldest]
    if len(live) < budget.limit:
        return Allowed(budget.limit - len(live))
    return Limited(c.moment(live[-budget.limit]) + budget.window - now)


@attrs.frozen
class Arrival:
    """Totals that were asked for with a lock: of which *keys*, and what gives their *rows*."""

    keys: Sequence[str]
    rows: Callable[[], Result]


class SqlAttempts:
    """`authflow.ports.Attempts` in SQL: increment and read are one statement.

    A total is read once in a transaction, and again after a lock. One that nobody else can count on meanwhile is
    counted on in memory, and `flush` adds what was counted: what is counted again after a rollback is counted without
    the lock of its person, and must not be lost either.
    """

    def __init__(self, connection: Connection, statements: CountStatements, counted: Counted) -> None:
        self._connection = connection
        self._sql = statements
        self._counted = counted
        self._totals: ReadOnce[str, int] = ReadOnce(connection)
        self._stored: dict[str, int] = {}
        self._unsaved: dict[str, tuple[int, int]] = {}
        self._expected: dict[str, UserId] = {}
        self._guarded: set[str] = set()
        self._coming: dict[str, Arrival] = {}

    def ahead(self, user: UserId, *keys: str) -> None:
        self._expected.update(dict.fromkeys(keys, user))

    def behind(self, user: UserId) -> None:
        """Ask for what is expected with *user*, whose lock has just been sent: nobody else counts on it from now on."""
        keys = self._together(user)
        self._guarded.update(keys)
        if keys and self._connection.pipeline is not None:
            arrival = Arrival(keys, self._connection.soon(self._sql.read, {"which": keys}))
            self._coming.update(dict.fromkeys(keys, arrival))

    def count(self, key: str, *, expires_at: datetime) -> int:
        until = c.micros(expires_at)
        if self._totals.holds(key) or key in self._coming:
            total = self.read(key) + 1
            self._unsaved[key] = (total - self._stored[key], until)
        else:
            total = int(self._connection.run(self._sql.count, {"whose": key, "until": until}).scalar_one())
            self._stored[key] = total
        self._totals.put(key, total)
        self._counted.add(lambda tx: tx.attempts.count(key, expires_at=expires_at))
        return total

    def read(self, key: str) -> int:
        return self._totals.get(key, lambda: self._read(key), lock=key in self._guarded)

    def _read(self, key: str) -> int:
        """Read the total, and those that are expected with it."""
        arrival = self._coming.get(key)
        if arrival is None:
            user = self._expected.get(key)
            keys = [key] if user is None else self._together(user)
            rows = self._connection.run(self._sql.read, {"which": keys})
        else:  # but nothing of what was cleared meanwhile
            keys = [each for each in arrival.keys if self._coming.pop(each, None) is arrival]
            rows = arrival.rows()
        found = {str(row.key): int(row.total) for row in rows}
        for each in keys:
            self._stored[each] = found.get(each, 0)
            self._totals.saw(each, self._stored[each])
            if each in self._guarded:
                self._totals.put(each, self._stored[each])
        return self._stored[key]

    def _together(self, user: UserId) -> list[str]:
        """Return what is expected with *user*, and neither held nor on its way yet."""
        mine = (key for key, owner in self._expected.items() if owner == user and key not in self._coming)
        return sorted(key for key in mine if not self._totals.holds(key))

    def forget(self) -> None:
        """Read again what others may have counted: a lock was waited for."""
        self._totals.forget()
        self._coming.clear()

    def clear(self, key: str) -> None:
        self._unsaved.pop(key, None)
        self._coming.pop(key, None)
        held = self._totals.holds(key)
        if not held or self._stored[key]:
            self._connection.later(self._sql.clear, {"whose": key})
        self._totals.drop(key)
        if held:
            self._totals.put(key, 0)
            self._stored[key] = 0

    def flush(self) -> None:
        """Save every total that was counted on, as one multi-row statement."""
        unsaved, self._unsaved = self._unsaved, {}
        rows = [{"key": key, "total": more, "expires_at": until} for key, (more, until) in unsaved.items()]
        if rows:
            self._connection.later(self._sql.save_totals, rows)
            self._stored.update({key: self.read(key) for key in unsaved})

    def sweep(self, now: datetime) -> int:
        """Delete the counters whose flows are over."""
        self.flush()
        self._totals.clear()
        return self._connection.changed(self._sql.sweep_attempts, {"now": c.micros(now)})
