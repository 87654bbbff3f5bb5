"""What providers publish is remembered: for how long, for how many, and by one thread at a time."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from authflow.adapters.providers.cache import REFETCH_EVERY, REMEMBERED, Cache, NobodyAsked
from authflow.adapters.providers.discovery import PAUSE, Discovery, Metadata
from authflow.adapters.providers.documents import document, invalid
from authflow.errors import Code
from authflow.sso.fetching import Failure, Unfetched
from authflow.sso.kinds import Rejected
from authflow.testing.clocks import START
from authflow.testing.openid import InProcess
from tests.providers.peers import provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.sso.fetching import Request, Response

LIFE = timedelta(hours=1)
REFUSED = invalid("no")


def test_a_value_lives_as_long_as_it_may_and_a_clock_that_goes_back_makes_it_no_younger():
    cache, asked = Cache[int](LIFE), []

    def at(after: timedelta) -> int | Rejected:
        return cache.get("url", START + after, lambda: asked.append(after) or len(asked))

    hour, instant = timedelta(hours=1), timedelta(microseconds=1)
    assert [at(timedelta()), at(LIFE - instant), at(LIFE), at(hour - instant), at(hour)] == [1, 1, 2, 3, 3]


def test_a_refusal_is_not_remembered_and_replaces_nothing():
    cache = Cache[int](LIFE)
    assert cache.get("url", START, lambda: REFUSED) is REFUSED
    assert cache.get("url", START, lambda: 7) == 7
    assert cache.newer("url", START, 7, lambda: REFUSED) is REFUSED
    assert cache.get("url", START, lambda: 8) == 7


def test_whoever_can_go_on_without_an_answer_does_not_ask_again_at_once():
    cache, asked = Cache[int](LIFE, pause=REFETCH_EVERY), []

    def at(after: timedelta, says: int | Rejected) -> int | Rejected:
        return cache.get("url", START + after, lambda: asked.append(after) or says)

    instant = timedelta(microseconds=1)
    assert cache.last("url") is None
    assert [at(timedelta(), REFUSED), at(REFETCH_EVERY - instant, 7), at(REFETCH_EVERY, 7)] == [REFUSED, REFUSED, 7]
    assert [at(LIFE + REFETCH_EVERY, REFUSED), cache.last("url")] == [REFUSED, 7]
    assert at(LIFE + 2 * REFETCH_EVERY, 8) == cache.last("url") == 8
    assert len(asked) == 4


def test_nobody_asked_says_nothing_of_the_provider():
    """The installation was busy with other names: the next one asks."""
    cache, unasked = Cache[int](LIFE, pause=REFETCH_EVERY), NobodyAsked(code=REFUSED.code)
    assert cache.get("url", START, lambda: unasked) is unasked
    assert cache.get("url", START, lambda: 7) == 7
    assert isinstance(document(Unfetched(failure=Failure.BUSY, detail="names"), "the key set"), NobodyAsked)


class Refusing:
    """An errand whose provider answers nothing; it counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def left(self) -> timedelta:
        return timedelta(seconds=10)

    def fetch(self, request: Request) -> Response | Unfetched:
        self.asked += 1
        return Unfetched(failure=Failure.UNREACHABLE, detail=request.url)


def test_an_issuer_that_refuses_is_left_alone_for_a_while_and_no_other_one():
    """Anybody may begin a sign-in, and each would fetch."""
    refusing, discovery = Refusing(), Discovery(InProcess(provider()))

    def code(issuer: str, after: timedelta) -> Code | None:
        found = discovery.metadata(issuer, refusing, START + after)
        return found.code if isinstance(found, Rejected) else None

    instant = timedelta(microseconds=1)
    for after, asked in ((timedelta(), 1), (instant, 1), (PAUSE - instant, 1), (PAUSE, 2), (PAUSE + instant, 2)):
        assert (code("https://a.example", after), refusing.asked) == (Code.SSO_PROVIDER_UNREACHABLE, asked)
    assert (code("https://b.example", PAUSE), refusing.asked) == (Code.SSO_PROVIDER_UNREACHABLE, 3)
    works = provider()
    assert isinstance(discovery.metadata(works.issuer, InProcess(works), START), Metadata)


def test_more_is_asked_for_once_a_minute_whether_it_comes_or_not():
    cache = Cache[int](LIFE)
    cache.get("url", START, lambda: 7)
    assert cache.newer("url", START, 7, lambda: REFUSED) is REFUSED
    assert cache.newer("url", START + REFETCH_EVERY - timedelta(seconds=1), 7, lambda: 8) == 7
    assert cache.newer("url", START - timedelta(seconds=1), 7, lambda: 8) == 7
    assert cache.newer("url", START + REFETCH_EVERY, 7, lambda: 8) == 8
    assert cache.newer("url", START + REFETCH_EVERY, 7, lambda: 9) == 8  # whoever has the old one gets the newer


def test_the_oldest_is_forgotten():
    cache = Cache[int](LIFE, size=2)
    for url in ("a", "b", "a", "c"):
        cache.get(url, START, lambda: 1)
    assert [cache.get(url, START, lambda: 2) for url in ("a", "c", "b")] == [1, 1, 2]
    assert REMEMBERED == 1000


def together(act: Callable[[], int | Rejected], many: int = 16) -> list[int | Rejected]:
    begun, said = threading.Barrier(many), list[int | Rejected]()
    threads = [threading.Thread(target=lambda: (begun.wait(), said.append(act()))) for _ in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def test_many_threads_ask_once():
    cache, asked = Cache[int](LIFE), []
    assert together(lambda: cache.get("url", START, lambda: asked.append(1) or 7)) == [7] * 16
    assert together(lambda: cache.newer("url", START, 7, lambda: asked.append(1) or 8)) == [8] * 16
    assert len(asked) == 2


def test_whoever_waits_longer_than_a_sign_in_may_take_is_told():
    cache = Cache[int](LIFE)
    short = timedelta(seconds=0.01)
    waiting = cache.get("url", START, lambda: cache.get("url", START, lambda: 7, within=short))  # nobody lets go of it
    assert isinstance(waiting, Rejected)
    assert waiting.code is Code.SSO_PROVIDER_UNREACHABLE


class Last:
    """An errand that has nothing left by the time it waits for itself."""

    def __init__(self, ask: Callable[[Last], object]) -> None:
        self.ask, self.asked = ask, list[object]()

    def left(self) -> timedelta:
        return timedelta(0)

    def fetch(self, request: Request) -> Response | Unfetched:
        self.asked.append(self.ask(self))
        return Unfetched(failure=Failure.SLOW, detail=request.url)


def test_waiting_for_another_is_of_the_errands_own_time():
    fake = provider()
    discovery, known = Discovery(InProcess(fake)), Discovery(InProcess(fake))
    metadata = known.metadata(fake.issuer, InProcess(fake), START)
    assert isinstance(metadata, Metadata)
    document = Last(lambda errand: discovery.metadata(fake.issuer, errand, START))
    keys = Last(lambda errand: discovery.verified("", metadata, (), errand, START))
    for errand in (document, keys):
        errand.ask(errand)
        assert [refused.detail for refused in errand.asked] == ["another request waits for it, still after 0 s"]
