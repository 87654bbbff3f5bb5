"""What providers publish, remembered for a while: fetched by one thread at a time, and never more than so often."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import attrs

from authflow.errors import Code
from authflow.sso.fetching import BUDGET
from authflow.sso.kinds import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class NobodyAsked(Rejected):
    """Nobody could be asked: that says nothing of the provider, and is not remembered."""


REFETCH_EVERY: Final = timedelta(minutes=1)
"""How often something unknown may make us fetch again: a flood of unknown keys must not (security 4)."""

REMEMBERED: Final = 1000
"""URLs; of more, the one that was not asked for longest is forgotten."""


@attrs.define
class Entry(Generic[T]):
    """What is remembered of one URL. *lock* is held while it is fetched: others wait instead of asking as well."""

    value: T | None = None
    fetched_at: datetime | None = None
    refused: Rejected | None = None
    refused_at: datetime | None = None
    refetched_at: datetime | None = None
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def fresh(self, now: datetime, life: timedelta) -> T | None:
        """Return the value while it may be used; after a clock was set back it is fetched again."""
        if self.fetched_at is None or not timedelta(0) <= now - self.fetched_at < life:
            return None
        return self.value

    def keep(self, fetched: T | Rejected, now: datetime) -> T | Rejected:
        """Remember what was *fetched*, and return it; a refusal replaces nothing."""
        if isinstance(fetched, NobodyAsked):
            return fetched
        if isinstance(fetched, Rejected):
            self.refused, self.refused_at = fetched, now
        else:
            self.value, self.fetched_at, self.refused = fetched, now, None
        return fetched

    def known(self, now: datetime, life: timedelta, pause: timedelta) -> T | Rejected | None:
        """Return the value while it may be used, or the refusal while it is too early to ask again."""
        fresh = self.fresh(now, life)
        if fresh is not None or self.refused_at is None or abs(now - self.refused_at) >= pause:
            return fresh
        return self.refused


class Cache(Generic[T]):
    """Values by URL, each fetched by one thread at a time; the least recently used ones are forgotten.

    After a refusal nobody asks again for a *pause*: where one can go on without an answer, or where anybody may ask.
    """

    def __init__(self, life: timedelta, *, size: int = REMEMBERED, pause: timedelta = timedelta(0)) -> None:
        self._life, self._size, self._pause = life, size, pause
        self._entries: OrderedDict[str, Entry[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, url: str, now: datetime, fetch: Callable[[], T | Rejected], *, within: timedelta = BUDGET
    ) -> T | Rejected:
        """Return what is known of *url*, or what *fetch* returns; a refusal is remembered for the pause.

        While another thread fetches it, wait for that no longer than *within*.
        """
        entry = self._entry(url)
        known = entry.known(now, self._life, self._pause)
        return known if known is not None else self._alone(entry, lambda: self._fetched(entry, now, fetch), within)

    def newer(
        self, url: str, now: datetime, than: T, fetch: Callable[[], T | Rejected], *, within: timedelta = BUDGET
    ) -> T | Rejected:
        """Return what *url* says now, because *than* was not enough; *than* itself if it is too early to ask."""
        entry = self._entry(url)
        return self._alone(entry, lambda: self._refetched(entry, now, than, fetch), within)

    def last(self, url: str) -> T | None:
        """Return what *url* said last, however long ago; nothing is fetched."""
        with self._lock:
            entry = self._entries.get(url)
        return None if entry is None else entry.value

    def _fetched(self, entry: Entry[T], now: datetime, fetch: Callable[[], T | Rejected]) -> T | Rejected:
        known = entry.known(now, self._life, self._pause)
        return known if known is not None else entry.keep(fetch(), now)

    def _refetched(self, entry: Entry[T], now: datetime, than: T, fetch: Callable[[], T | Rejected]) -> T | Rejected:
        if entry.value is not None and entry.value is not than:
            return entry.value  # somebody else asked while we waited
        if entry.refetched_at is not None and abs(now - entry.refetched_at) < REFETCH_EVERY:
            return than
        entry.refetched_at = now
        return entry.keep(fetch(), now)

    def _alone(self, entry: Entry[T], act: Callable[[], T | Rejected], within: timedelta) -> T | Rejected:
        if not entry.lock.acquire(timeout=within.total_seconds()):
            waited = f"another request waits for it, still after {within.total_seconds():.0f} s"
            return Rejected(code=Code.SSO_PROVIDER_UNREACHABLE, detail=waited)
        try:
            return act()
        finally:
            entry.lock.release()

    def _entry(self, url: str) -> Entry[T]:
        with self._lock:
            entry = self._entries.setdefault(url, Entry())
            self._entries.move_to_end(url)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
            return entry
