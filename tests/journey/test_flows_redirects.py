"""No redirect leaves the site: nothing that a request carries, and nothing that a provider says, becomes an address.

The only address that single sign-on gives out is the provider's own, as its owner set it; where people come back to is
the host's configuration. There is no ``next``, and ``RelayState`` is a secret to compare and no place to go.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.providers.fetcher import HttpFetcher
from authflow.adapters.providers.oidc import OidcKind
from authflow.errors import Code, ConfigInvalid, InputInvalid
from authflow.journey.sso.answers import SignedOn
from authflow.sso.endpoints import Endpoints
from authflow.sso.kinds import Callback
from authflow.testing.browsers import Browser
from authflow.testing.providers import URL
from authflow.values import Answer, Refused, Secret
from tests.journey.sso_stage import SsoStage

BEGINNINGS: Final = (
    *("//", "///", "////", "/\\", "\\/", "\\\\", "/%2f", "/%2F/", "/%5c", "%2f%2f", "/.//", "/..//", "/;//", "./\\"),
    *("/\t/", "/\n/", "/\r/", "\t//", "\n//", " //", "\0//", "\u00a0//", "\u2028//", "\u200b//", "\ufeff//"),
    *("/\u2044", "/\u2215", "/\uff0f", "\uff0f\uff0f", "\uff3c\uff3c"),
    *(
        "javascript:",
        "JaVaScRiPt://",
        "java\tscript:",
        "\x01javascript:",
        "data:text/html,",
        "vbscript:",
        "blob:https://",
    ),
    *("http:", "http:/", "http:///", "http:\\\\", "http://", "https:", "https:/", "https:///", "https:\\\\", "ftp://"),
    *("file://", "https://app.example.org@", "https://app.example.org:x@", "https://app.example.org\\@", "https://@"),
    *("https://app.example.org#@", "https://app.example.org %2f@", "https://[", "@", "app.example.org@"),
)
HOSTS: Final = ("evil.example", "evil.example:443/x", "evil\u3002example", "127.0.0.1.evil.example/%2e%2e")
NAMES: Final = ("next", "redirect_uri", "return_to", "ReturnTo", "target_link_uri", "iss")
OFF_SITE: Final = [f"{beginning}{host}" for beginning, host in product(BEGINNINGS, HOSTS)]


class World(SsoStage):
    """Acme, its provider, and Ada who is linked there."""

    def __init__(self) -> None:
        super().__init__(MemoryUnitOfWork())
        self.acme = self.organization()
        self.connect(self.acme)
        self.link(self.person().user, self.acme, "00u1")
        self.idp.person("00u1", email="ada@example.com")


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def texts(value: Any) -> str:
    """Return everything that *value* says, what it does not show included."""
    if isinstance(value, Secret):
        return value.reveal()
    if attrs.has(type(value)):
        return " ".join(texts(getattr(value, field.name)) for field in attrs.fields(type(value)))
    return str(value)


def test_there_are_two_hundred():
    assert len(set(OFF_SITE)) > 200


def test_nothing_beside_an_answer_is_a_place_to_go(world: World):
    """CVE-2023-49438, CVE-2021-23385, CVE-2026-41479: whatever is called so, nothing that is answered says it again."""
    for url in OFF_SITE:
        trip = world.start(Browser(), world.acme)
        callback = trip.callback("00u1")
        answer = trip.resume(Callback(fields={**callback.fields, **dict.fromkeys(NAMES, (url,))}))
        assert isinstance(answer, SignedOn), answer
        assert url not in texts(answer)


def test_relay_state_is_compared_and_never_followed(world: World):
    """An answer that carries another one is not taken, before anybody's browser goes on and after."""
    for url in OFF_SITE:
        kept = world.flows.sso.keep_answer(callback=Callback(fields={"RelayState": (url,), "SAMLResponse": ("x",)}))
        assert isinstance(kept, Refused)
        trip = world.start(Browser(), world.acme)
        answer = trip.resume(Callback(fields={**trip.callback("00u1").fields, "RelayState": (url,)}))
        assert isinstance(answer, Refused)
        assert kept.code is answer.code is Code.SSO_STATE_INVALID
        assert url not in texts(kept) + texts(answer)


def test_people_are_sent_to_the_provider_alone_and_come_back_to_the_host(world: World):
    away = world.start(Browser(), world.acme).away
    assert away.url.startswith(f"{URL}?")
    assert parse_qs(urlsplit(away.url).query)["redirect_uri"] == ["https://app.example.org/sso/acme"]
    addresses = [field.name for field in attrs.fields(type(away)) if str(getattr(away, field.name)).startswith("http")]
    assert addresses == ["url"]


def test_no_answer_but_the_ways_to_the_provider_has_an_address():
    """A host that follows what an answer says can be led nowhere else: to sign in, to sign out, and to tell it so."""
    from authflow.journey.sso import answers as sso_answers

    kinds = [kind for kind in vars(sso_answers).values() if isinstance(kind, type) and issubclass(kind, Answer)]
    named = {kind.__name__ for kind in kinds if {"url", "next", "location"} & {f.name for f in attrs.fields(kind)}}
    assert named == {"SentAway", "SentToSignOut", "ProviderSessionsEnded"}


def test_neither_the_host_nor_an_owner_sets_one():
    kind = OidcKind(HttpFetcher())
    for url in OFF_SITE:
        with pytest.raises(ConfigInvalid):
            Endpoints.at(url)
        with pytest.raises(InputInvalid):
            kind.read({"issuer": url, "client_id": "client", "client_secret": "secret"})
