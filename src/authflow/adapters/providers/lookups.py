"""Looking names up with a deadline, which the operating system's resolver does not know."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Resolve = Callable[[str, int], Sequence[str]]
    Lookup = Future[Sequence[str]]

LOOKUPS: Final = 16
"""Lookups under way at once: names of providers are few, and an answer takes milliseconds."""


class Busy(Exception):
    """As many names as may be are being looked up, and none of them was answered in time."""


class Lookups:
    """Looks names up, each in a thread of its own, and no name twice at a time.

    A lookup that nobody waits for any more goes on until the resolver gives up. That is why they are counted: names
    that are never answered hold no more than *most* threads, and each of them one, however many people ask.
    """

    def __init__(self, resolve: Resolve, *, most: int = LOOKUPS) -> None:
        self._resolve = resolve
        self._free = threading.BoundedSemaphore(most)
        self._under_way: dict[tuple[str, int], Lookup] = {}
        self._lock = threading.Lock()

    def addresses(self, host: str, port: int, left: Callable[[], float]) -> Sequence[str]:
        """Return what the resolver says within the seconds that are *left*.

        Raises:
            OSError: It says that there is no such name; or `TimeoutError`, nothing in time.
            Busy: It was not even asked.
        """
        return self._begun((host, port), left()).result(left())

    def _begun(self, name: tuple[str, int], within: float) -> Lookup:
        """Return the lookup of *name*, perhaps somebody else's; wait until it may begin, if it has to."""
        with self._lock:
            known = self._under_way.get(name)
        if known is not None:
            return known
        if not self._free.acquire(timeout=within):
            raise Busy
        ours: Lookup = Future()
        with self._lock:
            lookup = self._under_way.setdefault(name, ours)
        if lookup is not ours:  # somebody began it while we waited
            self._free.release()
            return lookup
        try:
            threading.Thread(target=self._run, args=(name, ours), name="authflow-resolve", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            self._end(name)
            raise Busy from error
        return ours

    def _run(self, name: tuple[str, int], lookup: Lookup) -> None:
        try:
            found = tuple(self._resolve(*name))
        except Exception as error:  # noqa: BLE001  # a host's resolver, or a label that IDNA cannot say (UnicodeError)
            self._end(name)
            lookup.set_exception(error if isinstance(error, OSError) else OSError(type(error).__name__))
        else:
            self._end(name)
            lookup.set_result(found)

    def _end(self, name: tuple[str, int]) -> None:
        with self._lock:
            del self._under_way[name]
        self._free.release()
