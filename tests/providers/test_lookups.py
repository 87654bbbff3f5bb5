"""Names that nobody answers hold a few threads, whoever asks and however often."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from authflow.adapters.providers import fetcher as fetching
from authflow.adapters.providers.fetcher import HttpFetcher
from authflow.adapters.providers.lookups import LOOKUPS, Busy, Lookups
from authflow.sso.fetching import Failure, Request, Unfetched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Silent:
    """A resolver that answers nobody until it is let; it counts whom it was asked about."""

    def __init__(self) -> None:
        self.asked, self.entered, self.let = list[str](), threading.Semaphore(0), threading.Event()

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(f"{host}:{port}")
        self.entered.release()
        assert self.let.wait(60)
        return ["203.0.113.7"]


@pytest.fixture
def silent() -> Iterator[Silent]:
    resolver = Silent()
    yield resolver
    resolver.let.set()


def none() -> float:
    return 0.0


def enough() -> float:
    return 60.0


def test_what_is_never_answered_takes_its_places_and_no_more(silent: Silent):
    lookups = Lookups(silent, most=2)
    for host in ("a", "b", "a", "b"):
        with pytest.raises(TimeoutError):
            lookups.addresses(host, 443, none)
    with pytest.raises(Busy):
        lookups.addresses("c", 443, none)
    assert [silent.entered.acquire(timeout=60) for _ in range(2)] == [True, True]
    assert sorted(silent.asked) == ["a:443", "b:443"], "a name that is asked for twice is looked up once"
    silent.let.set()
    assert [lookups.addresses(host, 443, enough) for host in "cab"] == [("203.0.113.7",)] * 3


class Selective(Silent):
    """Answers those that are *known*, and nobody else until it is let."""

    known: tuple[str, ...] = ("good", "other", "third")

    def __call__(self, host: str, port: int) -> Sequence[str]:
        return ["198.51.100.1"] if host in self.known else super().__call__(host, port)


def test_a_name_that_was_answered_lately_waits_for_none_that_is_not():
    """Otherwise an owner who names issuers that no server answers for would close everybody else's providers."""
    resolver = Selective()
    lookups = Lookups(resolver, most=1, answered=2)
    for host in ("good", "other", "third"):
        assert lookups.addresses(host, 443, enough) == ("198.51.100.1",)
    with pytest.raises(TimeoutError):
        lookups.addresses("hangs", 443, none)
    assert resolver.entered.acquire(timeout=60)
    with pytest.raises(Busy):
        lookups.addresses("good", 443, none)  # the last two are remembered, and it is none of them
    for host in ("other", "third") * 2:
        assert lookups.addresses(host, 443, enough) == ("198.51.100.1",)
    resolver.known = ()
    for host in ("other", "third", "other"):
        with pytest.raises(TimeoutError):
            lookups.addresses(host, 443, none)
    assert all(resolver.entered.acquire(timeout=60) for _ in range(2))
    assert sorted(resolver.asked) == ["hangs:443", "other:443", "third:443"], (
        "each holds one thread by then, and no more"
    )
    resolver.let.set()
    assert lookups.addresses("good", 443, enough) == ("203.0.113.7",)


def test_a_resolver_that_fails_gives_its_place_back():
    def resolve(host: str, _port: int) -> Sequence[str]:
        raise OSError(host) if host == "gone" else ValueError(host)

    lookups = Lookups(resolve, most=1)
    for host in ("gone", "strange") * 2:
        with pytest.raises(OSError, match="gone" if host == "gone" else "ValueError"):
            lookups.addresses(host, 443, enough)


def test_a_system_without_threads_is_busy_and_no_place_is_lost(monkeypatch: pytest.MonkeyPatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError

    lookups = Lookups(lambda *_: ["203.0.113.7"], most=1)
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        for _ in range(2):
            with pytest.raises(Busy):
                lookups.addresses("a", 443, none)
    assert lookups.addresses("a", 443, enough) == ("203.0.113.7",)


def test_who_fetches_from_one_name_more_is_told_why(silent: Silent, monkeypatch: pytest.MonkeyPatch):
    fetcher = HttpFetcher(resolve=silent)

    def fetch(host: str) -> Unfetched:
        fetched = fetcher.errand().fetch(Request(url=f"https://{host}.example/"))
        assert isinstance(fetched, Unfetched)
        return fetched

    threads = [threading.Thread(target=fetch, args=(f"n{number}",)) for number in range(LOOKUPS)]
    for thread in threads:
        thread.start()
    assert all(silent.entered.acquire(timeout=60) for _ in threads)
    monkeypatch.setattr(fetching, "BUDGET", timedelta(seconds=0.25))
    assert fetch("another").failure is Failure.BUSY
    silent.let.set()
    for thread in threads:
        thread.join()
    assert len(silent.asked) == LOOKUPS
