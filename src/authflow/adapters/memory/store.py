"""Tables of frozen rows with an undo journal: what a transaction of the memory adapter is made of."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from authflow.errors import DatabaseError, UniqueViolated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """Rows by key. Every change pushes its own undoing onto the store's journal; rows are never mutated.

    *unique* names the domain's uniqueness rules: rule name to a function that gives a row's unique value, or none
    for "not covered", as SQL does with null.
    """

    def __init__(self, store: Store) -> None:
        self.unique: dict[str, Callable[[V], object | None]] = {}
        self._rows: dict[K, V] = {}
        self._store = store

    def get(self, key: K) -> V | None:
        """Return the row, or none."""
        return self._rows.get(key)

    def rows(self) -> tuple[V, ...]:
        """Return every row, in the order of insertion."""
        return tuple(self._rows.values())

    def where(self, wanted: Callable[[V], bool]) -> Iterator[V]:
        """Yield the rows that are *wanted*."""
        return (row for row in self.rows() if wanted(row))

    def add(self, key: K, row: V) -> None:
        """Insert *row*.

        Raises:
            UniqueViolated: The key or a unique value is taken.
        """
        if key in self._rows:
            self._refuse("primary_key")
        self.put(key, row)

    def put(self, key: K, row: V) -> None:
        """Insert or replace *row*."""
        for rule, value in self.unique.items():
            mine = value(row)
            if mine is not None and any(k != key and value(other) == mine for k, other in self._rows.items()):
                self._refuse(rule)
        rows, missing = self._rows, key not in self._rows
        before = None if missing else rows[key]
        self._store.journal.append(lambda: self._put_back(key, before, missing=missing))
        rows[key] = row

    def drop(self, key: K) -> bool:
        """Delete the row; false if there is none."""
        if key not in self._rows:
            return False
        before = dict(self._rows)
        self._store.journal.append(lambda: self._restore(before))
        del self._rows[key]
        return True

    def drop_all(self, keys: Iterable[K]) -> int:
        """Delete the rows under *keys*; return how many there were."""
        return sum(self.drop(key) for key in tuple(keys))

    def items(self) -> tuple[tuple[K, V], ...]:
        """Return every key with its row, in the order of insertion."""
        return tuple(self._rows.items())

    def _refuse(self, rule: str) -> NoReturn:
        self._store.failed = True
        raise UniqueViolated(rule=rule)

    def _put_back(self, key: K, before: V | None, *, missing: bool) -> None:
        if missing or before is None:
            del self._rows[key]
            return
        self._rows[key] = before

    def _restore(self, rows: dict[K, V]) -> None:
        self._rows = rows


class Store:
    """Every table of one memory installation, its journal, and the lock that makes its transactions serial.

    A transaction in which a rule was violated has *failed* until that is undone, as in PostgreSQL.
    """

    def __init__(self) -> None:
        self.failed = False
        self.lock = threading.RLock()
        self.journal: list[Callable[[], None]] = []
        self._tables: dict[str, Table[Any, Any]] = {}
        self._sequence = 0

    def table(self, name: str, unique: dict[str, Callable[[Any], object | None]] | None = None) -> Table[Any, Any]:
        """Return the table *name*, made when it is first asked for; whoever gives *unique* rules adds them."""
        if name not in self._tables:
            self._tables[name] = Table(self)
        self._tables[name].unique.update(unique or {})
        return self._tables[name]

    def next_number(self) -> int:
        """Return the next number of the installation's sequence. Gaps are normal."""
        self._sequence += 1
        return self._sequence

    def require_sound(self) -> None:
        """Refuse to go on after a violated rule.

        Raises:
            DatabaseError: `UniqueViolated` was caught inside the transaction, but not around a savepoint.
        """
        if self.failed:
            detail = "[a rule was violated in this transaction, and no savepoint undid it]"
            raise DatabaseError(detail)

    def undo_to(self, mark: int) -> None:
        """Undo every change made since the journal was *mark* entries long, and be sound again."""
        self.failed = False
        while len(self.journal) > mark:
            self.journal.pop()()
