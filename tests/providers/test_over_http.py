"""Whole sign-ins over HTTP on loopback: with the fake provider and its faults, and with a certified one."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from authflow.adapters.providers import fetcher as fetching
from authflow.adapters.providers.fetcher import HttpFetcher
from authflow.adapters.providers.oidc import OidcKind
from authflow.adapters.system import SystemClock
from authflow.errors import Code
from authflow.sso.kinds import Assertion, Callback, Departure, Rejected
from authflow.sso.recheck import Said
from authflow.testing.openid import Fault, serve
from tests.backends import require
from tests.providers.certified import Certified, MissingProvider, certified_provider
from tests.providers.peers import Way, provider, trip

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def served() -> Iterator[Way]:
    fake = provider()
    with serve(fake) as origin:
        kind = OidcKind(HttpFetcher(loopback=[origin]))
        given = {"issuer": origin, "client_id": "client", "client_secret": "a secret", "algorithms": ["ES256"]}
        yield Way(kind, kind.read(given), fake)


def test_a_browser_goes_there_and_comes_back(served: Way):
    departed = served.there()
    answer = httpx2.get(f"{departed.url}&login_hint=alice", trust_env=False, follow_redirects=False)
    fields = {name: tuple(values) for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    asserted = served.back(departed, fields)
    assert isinstance(asserted, Assertion)
    assert asserted.subject == "alice"
    assert fields["state"] == ("the state",)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        *((fault, Code.SSO_RESPONSE_INVALID) for fault in (Fault.HUGE, Fault.REDIRECTING, Fault.NO_JSON)),
        *((fault, Code.SSO_RESPONSE_INVALID) for fault in (Fault.WRONG_NONCE, Fault.WRONG_AUDIENCE)),
        *((fault, Code.SSO_PROVIDER_UNREACHABLE) for fault in (Fault.SLOW, Fault.BROKEN)),
    ],
)
def test_each_fault_refuses(served: Way, fault: Fault, code: Code, monkeypatch: pytest.MonkeyPatch):
    departed = served.there()
    fields = served.fake.approve(departed.url, "alice")
    served.fake.faults.add(fault)
    if fault is Fault.SLOW:
        monkeypatch.setattr(fetching, "BUDGET", timedelta(seconds=0.25))
    answer = served.back(departed, fields)
    assert isinstance(answer, Rejected)
    assert answer.code is code


def test_a_provider_that_is_gone_is_unreachable():
    fake = provider()
    with serve(fake) as origin:
        kind = OidcKind(HttpFetcher(loopback=[origin]))
    settings = kind.read({"issuer": origin, "client_id": "client"})
    answer = kind.depart(settings, trip(fake.clock.now()))
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_PROVIDER_UNREACHABLE


def test_nobody_inside_is_asked_who_is_not_named():
    """The settings are an owner's of any organization; where they lead is checked when it is gone there."""
    with serve(provider()) as origin:
        inside = origin.replace("http://127.0.0.1", "https://localhost")
        kind = OidcKind(HttpFetcher())
        answer = kind.depart(kind.read({"issuer": inside, "client_id": "client"}), trip(SystemClock().now()))
    assert isinstance(answer, Rejected)
    assert (answer.code, "public Internet" in answer.detail) == (Code.SSO_PROVIDER_UNREACHABLE, True)


# --- a certified provider ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certified() -> Iterator[Certified]:
    with ExitStack() as stopped:
        try:
            running = stopped.enter_context(certified_provider())
        except MissingProvider as missing:
            require(f"no oidc-provider to test against: {missing}")
        yield running


class Visitor:
    """Somebody who signs in at the certified provider, now."""

    def __init__(self, certified: Certified, *scopes: str) -> None:
        self.certified, self.clock = certified, SystemClock()
        self.kind = OidcKind(HttpFetcher(loopback=[certified.issuer]))
        given = {"issuer": certified.issuer, "client_id": "client", "client_secret": "a secret"}
        self.settings = self.kind.read({**given, "scopes": ["openid", "email", "profile", *scopes]})

    def there(self) -> Departure:
        departed = self.kind.depart(self.settings, trip(self.clock.now()))
        assert isinstance(departed, Departure), departed
        return departed

    def back(self, departed: Departure, fields: Any) -> Assertion | Rejected:
        return self.kind.arrive(self.settings, trip(self.clock.now()), departed.request, Callback(fields=fields))


def test_a_certified_provider_says_who_it_is(certified: Certified):
    """The whole flow; what the ID token leaves out, UserInfo says; and the code is good for once."""
    visitor = Visitor(certified)
    departed = visitor.there()
    fields = certified.approve(departed.url)
    assert (fields["iss"], fields["state"]) == ((certified.issuer,), ("the state",))
    answer = visitor.back(departed, fields)
    assert isinstance(answer, Assertion), answer
    assert (answer.subject, answer.email, answer.name) == ("alice", "alice@acme.example", "Alice")
    again = visitor.back(departed, fields)
    assert isinstance(again, Rejected)
    assert again.code is Code.SSO_PROVIDER_REFUSED


def test_the_answer_to_somebody_elses_request_is_refused(certified: Certified):
    visitor = Visitor(certified)
    mine, theirs = visitor.there(), visitor.there()
    answer = visitor.back(mine, certified.approve(theirs.url))
    assert isinstance(answer, Rejected)
    assert answer.code is Code.SSO_PROVIDER_REFUSED  # its PKCE


def test_keys_roll_in_the_middle_of_a_sign_in(certified: Certified):
    visitor = Visitor(certified)
    first = visitor.there()
    assert isinstance(visitor.back(first, certified.approve(first.url)), Assertion)
    second = visitor.there()
    fields = certified.approve(second.url)
    certified.control("rotate")
    assert isinstance(visitor.back(second, fields), Assertion)


def test_a_slow_token_endpoint_is_not_waited_for(certified: Certified, monkeypatch: pytest.MonkeyPatch):
    visitor = Visitor(certified)
    departed = visitor.there()
    fields = certified.approve(departed.url)
    certified.control("delay/3000")
    try:
        monkeypatch.setattr(fetching, "BUDGET", timedelta(seconds=0.5))
        slow = visitor.back(departed, fields)
    finally:
        monkeypatch.undo()
        certified.control("delay/0")
    assert isinstance(slow, Rejected)
    assert slow.code is Code.SSO_PROVIDER_UNREACHABLE
    used = visitor.back(departed, fields)  # the provider had done its part: begin again
    assert isinstance(used, Rejected)
    assert used.code is Code.SSO_PROVIDER_REFUSED


def test_people_are_asked_about_by_their_refresh_tokens(certified: Certified):
    visitor = Visitor(certified, "offline_access")
    departed = visitor.there()
    answer = visitor.back(departed, certified.approve(departed.url))
    assert isinstance(answer, Assertion), answer
    again = visitor.kind.recheck(visitor.settings, answer.memory, visitor.clock.now())
    assert again.said is Said.CONFIRMED
    unknown = {**again.memory, "refresh_token": "another"}
    assert visitor.kind.recheck(visitor.settings, unknown, visitor.clock.now()).said is Said.REVOKED
