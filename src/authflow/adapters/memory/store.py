"""Tables of frozen rows with an undo journal: what a transaction of the memory adapter is made of."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from authflow.errors import DatabaseError, UniqueViolated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """Rows by key. Every change pushes its own undoing onto the store's journal; rows are never mutated.

    The domain's uniqueness rules have an index each: what a rule calls unique in a row leads to its key. A rule that
    gives none for a row does not cover it, as SQL does with null.
    """

    def __init__(self, store: Store) -> None:
        self._rows: dict[K, V] = {}
        self._born: dict[K, int] = {}
        self._rules: dict[str, Callable[[V], object | None]] = {}
        self._taken: dict[str, dict[object, K]] = {}
        self._store = store

    def keep(self, rules: Mapping[str, Callable[[V], object | None]]) -> None:
        """Refuse from now on what violates *rules*, by their names; each is a function that gives what is unique."""
        for rule, value in rules.items():
            if rule not in self._rules:
                self._rules[rule] = value
                self._taken[rule] = {}
                for key, row in self._rows.items():
                    self._enter(rule, key, row)

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
        """Insert or replace *row*.

        Raises:
            UniqueViolated: A unique value is taken.
        """
        for rule, value in self._rules.items():
            if self._taken[rule].get(value(row), key) != key:
                self._refuse(rule)
        before, born = self._rows.get(key), self._born.get(key)
        self._store.journal.append(lambda: self._write(key, before, born))
        self._write(key, row, self._store.next_change() if born is None else born)

    def drop(self, key: K) -> bool:
        """Delete the row; false if there is none."""
        if key not in self._rows:
            return False
        before, born = self._rows[key], self._born[key]
        self._store.journal.append(lambda: self._bring_back(key, before, born))
        self._write(key, None, None)
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

    def _write(self, key: K, row: V | None, born: int | None) -> None:
        """Let *row*, the change number *born*, stand under *key*; none of both lets nothing stand there."""
        if key in self._rows:
            for rule, value in self._rules.items():
                self._taken[rule].pop(value(self._rows[key]), None)
        if row is None or born is None:
            del self._rows[key], self._born[key]
            return
        self._rows[key], self._born[key] = row, born
        for rule in self._rules:
            self._enter(rule, key, row)

    def _enter(self, rule: str, key: K, row: V) -> None:
        unique = self._rules[rule](row)
        if unique is not None:
            self._taken[rule][unique] = key

    def _bring_back(self, key: K, row: V, born: int) -> None:
        """Undo a deletion: the row stands where it stood."""
        self._write(key, row, born)
        self._rows = dict(sorted(self._rows.items(), key=lambda item: self._born[item[0]]))


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
        self._changes = 0

    def table(self, name: str, unique: dict[str, Callable[[Any], object | None]] | None = None) -> Table[Any, Any]:
        """Return the table *name*, made when it is first asked for; whoever gives *unique* rules adds them."""
        if name not in self._tables:
            self._tables[name] = Table(self)
        self._tables[name].keep(unique or {})
        return self._tables[name]

    def next_number(self) -> int:
        """Return the next number of the installation's sequence. Gaps are normal."""
        self._sequence += 1
        return self._sequence

    def next_change(self) -> int:
        """Return the number of a change, higher than every one before it."""
        self._changes += 1
        return self._changes

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
