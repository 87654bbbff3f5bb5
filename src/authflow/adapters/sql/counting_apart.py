"""Counting apart: where a host could undo what was counted, it is counted on a connection of its own (decision 7)."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    import sqlalchemy as sa
    from sqlalchemy import pool

    from authflow.ports import Allowed, Limited, Transaction
    from authflow.values import Budget, UserId

T = TypeVar("T")

ISOLATION: Final = "READ COMMITTED"
"""Enough for counting, which locks each row that it reads; at SERIALIZABLE crowds would fail at a busy counter."""


class CounterPool:
    """Connections of their own to the database of an engine: whoever holds one of the engine's finds another one.

    After a fork the child leaves its parent's connections alone and makes its own.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = weakref.ref(engine)  # the engine knows this pool, and lives as long as anybody else wants
        self._lock = threading.Lock()
        self._pool: pool.Pool | None = None
        self._process = os.getpid()
        event.listen(engine, "engine_disposed", self._dispose)

    def connect(self) -> pool.PoolProxiedConnection:
        """Return a connection; closing it gives it back."""
        with self._lock:
            if self._pool is None or self._process != os.getpid():
                self._pool, self._process = self._made(), os.getpid()
            lender = self._pool
        return lender.connect()

    def _made(self) -> pool.Pool:
        engine: Any = self._engine()
        made: pool.Pool = engine.pool.recreate()
        dialect = engine.dialect

        def set_isolation(raw: Any, _record: object) -> None:
            dialect.set_isolation_level(raw, ISOLATION)

        event.listen(made, "connect", set_isolation)
        return made

    def _dispose(self, _engine: sa.Engine) -> None:
        with self._lock:
            held, self._pool = self._pool, None
        if held is not None and self._process == os.getpid():  # else they are the parent's, on sockets that both have
            held.dispose()


_POOLS: Final[weakref.WeakKeyDictionary[sa.Engine, CounterPool]] = weakref.WeakKeyDictionary()
"""One for each engine, however many units of work it has."""


def counter_pool(engine: sa.Engine) -> CounterPool:
    """Return the connections for counting beside those of *engine*; they are closed when it is disposed of."""
    found = _POOLS.get(engine)
    return found if found is not None else _POOLS.setdefault(engine, CounterPool(engine))


@attrs.frozen
class Apart:
    """Does *work* in a transaction that is committed at once, whatever becomes of the one that is open here."""

    _run: Callable[[Callable[[Transaction], Any]], Any]

    def __call__(self, work: Callable[[Transaction], T]) -> T:
        done: T = self._run(work)
        return done


@attrs.frozen
class LimitsApart:
    """`authflow.ports.RateLimiter`, counting apart. What it forgives is forgiven at once, too."""

    _apart: Apart

    def hit(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        return self._apart(lambda tx: tx.limits.hit(budget, key, now))

    def hit_all(self, budgets: Sequence[Budget], key: str, now: datetime) -> Allowed | Limited:
        return self._apart(lambda tx: tx.limits.hit_all(budgets, key, now))

    def peek(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        return self._apart(lambda tx: tx.limits.peek(budget, key, now))

    def reset(self, budget: Budget, key: str) -> None:
        self._apart(lambda tx: tx.limits.reset(budget, key))

    def sweep(self, now: datetime) -> int:
        """Delete the rows of which no hit counts any more."""
        return self._apart(lambda tx: tx.limits.sweep(now))


@attrs.frozen
class AttemptsApart:
    """`authflow.ports.Attempts`, counting apart."""

    _apart: Apart

    def ahead(self, user: UserId, *keys: str) -> None:
        """Read nothing ahead: each count is a transaction of its own."""

    def count(self, key: str, *, expires_at: datetime) -> int:
        return self._apart(lambda tx: tx.attempts.count(key, expires_at=expires_at))

    def read(self, key: str) -> int:
        return self._apart(lambda tx: tx.attempts.read(key))

    def clear(self, key: str) -> None:
        self._apart(lambda tx: tx.attempts.clear(key))

    def sweep(self, now: datetime) -> int:
        """Delete the counters whose flows are over."""
        return self._apart(lambda tx: tx.attempts.sweep(now))
