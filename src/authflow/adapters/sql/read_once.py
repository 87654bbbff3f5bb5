"""What a repository has read in its transaction: each row once, and again for a lock that is not held yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.connection import Connection

KeyT = TypeVar("KeyT")
FoundT = TypeVar("FoundT")


class ReadOnce(Generic[KeyT, FoundT]):
    """Rows by their keys, and whether they are held. Where nobody else writes meanwhile, every row that is read is.

    A repository is made anew when a savepoint is undone, so nothing here outlives what it was read from.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read: dict[KeyT, FoundT] = {}
        self._held: set[KeyT] = set()
        self._coming: dict[tuple[KeyT, bool], Callable[[], FoundT]] = {}

    def get(self, key: KeyT, read: Callable[[], FoundT], *, lock: bool = False) -> FoundT:
        """Return what was read under *key*; *read* reads it, with a lock if one is wanted."""
        if self._wants(key, lock=lock):
            self._read[key] = self._coming.pop((key, lock), read)()
            if lock or self._connection.alone:
                self._held.add(key)
        return self._read[key]

    def expect(self, key: KeyT, ask: Callable[[], Callable[[], FoundT]], *, lock: bool = False) -> None:
        """Let *ask* ask soon for what `get` is going to be asked for, with a lock if one is wanted.

        It is for where things travel together: elsewhere whatever is not asked for after all would have cost a trip.
        """
        asked = (key, lock) in self._coming or not self._wants(key, lock=lock)
        if self._connection.pipeline is not None and not asked:
            self._coming[key, lock] = ask()

    def _wants(self, key: KeyT, *, lock: bool) -> bool:
        return key not in self._read or (lock and key not in self._held)

    def saw(self, key: KeyT, found: FoundT) -> None:
        """Remember what another repository's statement read beside its own, unless it is known already."""
        if key in self._read:
            return
        self._read[key] = found
        if self._connection.alone:
            self._held.add(key)

    def put(self, key: KeyT, found: FoundT) -> None:
        """Remember what was written, by whoever holds the row now."""
        self._read[key] = found
        self._held.add(key)
        self._unask(key)

    def holds(self, key: KeyT) -> bool:
        """Tell whether the row under *key* is held: nobody else changes it before this transaction ends."""
        return key in self._held

    def drop(self, key: KeyT) -> FoundT | None:
        """Read *key* again when it is next asked for: it is changed. Return what was read of it, or none."""
        self._held.discard(key)
        self._unask(key)
        return self._read.pop(key, None)

    def forget(self) -> None:
        """Read everything again that is not held: a lock was waited for."""
        self._read = {key: found for key, found in self._read.items() if key in self._held}
        self._coming.clear()

    def passing(self) -> frozenset[KeyT]:
        """Return the keys of what was read and is not held: what `forget` is going to forget."""
        return frozenset(self._read.keys() - self._held)

    def clear(self) -> None:
        """Read everything again: rows were changed that nobody named."""
        self._read.clear()
        self._held.clear()
        self._coming.clear()

    def _unask(self, key: KeyT) -> None:
        """Look at no answer that was asked for before the row was changed."""
        for lock in (False, True):
            self._coming.pop((key, lock), None)
