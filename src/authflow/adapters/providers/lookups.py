"""Looking names up with a deadline, which the operating system's resolver does not know."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Resolve = Callable[[str, int], Sequence[str]]
    Lookup = Future[Sequence[str]]
    Name = tuple[str, int]
    Places = threading.BoundedSemaphore

LOOKUPS: Final = 16
"""Lookups under way at once: names of providers are few, and an answer takes milliseconds."""

ANSWERED: Final = 64
"""How many names are remembered that were answered: those wait for no place that others could take."""


class Busy(Exception):
    """As many names as may be are being looked up, and none of them was answered in time."""


class Lookups:
    """Looks names up, each in a thread of its own, and no name twice at a time.

    A lookup that nobody waits for any more goes on until the resolver gives up. That is why they are counted: names
    that are never answered hold no more than *most* threads, and each of them one, however many people ask. The last
    *answered* names that were have places of their own: whoever thinks up names that nobody answers closes nobody
    else's provider.
    """

    def __init__(self, resolve: Resolve, *, most: int = LOOKUPS, answered: int = ANSWERED) -> None:
        self._resolve = resolve
        self._free, self._kept = threading.BoundedSemaphore(most), threading.BoundedSemaphore(answered)
        self._under_way: dict[Name, Lookup] = {}
        self._answered, self._most_answered = OrderedDict[tuple[str, int], None](), answered
        self._lock = threading.Lock()

    def addresses(self, host: str, port: int, left: Callable[[], float]) -> Sequence[str]:
        """Return what the resolver says within the seconds that are *left*.

        Raises:
            OSError: It says that there is no such name; or `TimeoutError`, nothing in time.
            Busy: It was not even asked.
        """
        return self._begun((host, port), left()).result(left())

    def _begun(self, name: Name, within: float) -> Lookup:
        """Return the lookup of *name*, perhaps somebody else's; wait until it may begin, if it has to."""
        with self._lock:
            known = self._under_way.get(name)
            places = self._kept if name in self._answered else self._free
        if known is not None:
            return known
        if not places.acquire(timeout=within):
            raise Busy
        ours: Lookup = Future()
        with self._lock:
            lookup = self._under_way.setdefault(name, ours)
        if lookup is not ours:  # somebody began it while we waited
            places.release()
            return lookup
        try:
            threading.Thread(target=self._run, args=(name, ours, places), name="authflow-resolve", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            self._end(name, places)
            raise Busy from error
        return ours

    def _run(self, name: Name, lookup: Lookup, places: Places) -> None:
        try:
            found = tuple(self._resolve(*name))
        except Exception as error:  # noqa: BLE001  # a host's resolver, or a label that IDNA cannot say (UnicodeError)
            self._end(name, places)
            lookup.set_exception(error if isinstance(error, OSError) else OSError(type(error).__name__))
        else:
            self._remember(name)
            self._end(name, places)
            lookup.set_result(found)

    def _remember(self, name: Name) -> None:
        with self._lock:
            self._answered[name] = None
            self._answered.move_to_end(name)
            if len(self._answered) > self._most_answered:
                self._answered.popitem(last=False)

    def _end(self, name: Name, places: Places) -> None:
        with self._lock:
            del self._under_way[name]
        places.release()
