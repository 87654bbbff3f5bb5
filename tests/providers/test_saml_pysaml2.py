"""Against another implementation: pysaml2 as the identity provider, which signs and encrypts by Debian's xmlsec1."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow.adapters.providers.saml import Saml2
from authflow.adapters.system import SystemClock, SystemEntropy
from authflow.cli.demo.pysaml2 import Pysaml2, pysaml2
from authflow.errors import Code
from authflow.sso.capabilities import LoggedOut, LogoutRequested
from authflow.sso.kinds import Assertion, Departure, Rejected
from authflow.testing.saml import callback
from tests.backends import require
from tests.providers.saml.stage import HERE, TRIP, Library

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.sso.kinds import Document, Trip

ENTITY: Final = "https://pysaml2.example/saml"
LOGOUT: Final = "https://sp.example/acme/slo"
WEAK: Final = {
    "sign_alg": "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "digest_alg": "http://www.w3.org/2000/09/xmldsig#sha1",
}


@attrs.frozen
class Peer:
    """The other implementation, the settings for it, and a sign-in on its way there."""

    idp: Pysaml2
    kind: Saml2
    settings: Document

    def trip(self, callback: str = TRIP.callback) -> Trip:
        return attrs.evolve(TRIP, now=SystemClock().now(), callback=callback)

    def depart(self) -> Departure:
        left = self.kind.depart(self.settings, self.trip())
        assert isinstance(left, Departure)
        return left

    def answer(self, left: Departure, **how: Any) -> bytes:
        """Return what the other side writes after it has read and checked our request."""
        asked = self.idp.asked(left.url)
        assert asked.id == left.request["id"]
        return self.idp.says("ada-1", self.idp.server.response_args(asked), **how)

    def arrive(self, left: Departure, document: bytes) -> Assertion | Rejected:
        posted = callback(document, TRIP.state.reveal())
        return self.kind.arrive(self.settings, self.trip(), left.request, posted)


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """Start pysaml2 with its own key, on our metadata; then set it up from its metadata."""
    if shutil.which("xmlsec1") is None:
        require("xmlsec1 is not installed: pysaml2 cannot sign")
    kind = Saml2(fetcher=Library(), entropy=SystemEntropy())
    with pysaml2(ENTITY, attrs.evolve(HERE, logout=LOGOUT), kind) as idp:
        idp.knows("ada-1", "ada@example.com", "Ada Lovelace")
        yield Peer(idp, kind, kind.read(idp.settings))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "how",
    [
        {"sign_assertion": True},
        {"sign_response": True},
        {"sign_assertion": True, "sign_response": True},
    ],
    ids=["assertion", "response", "both"],
)
def test_somebody_signs_in_there(peer: Peer, how: dict[str, Any]):
    left = peer.depart()
    document = peer.answer(left, **how)
    taken = peer.arrive(left, document)
    assert isinstance(taken, Assertion), taken
    assert (taken.subject, taken.email, taken.name) == ("ada-1", "ada@example.com", "Ada Lovelace")
    again = peer.arrive(peer.depart(), document)
    assert isinstance(again, Rejected)
    assert again.code is Code.SSO_RESPONSE_INVALID


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("how", "detail"),
    [
        ({"sign_assertion": True, **WEAK}, "Signature: its algorithm is not allowed"),
        ({}, "Signature: there is none"),
        ({"sign_assertion": True, "encrypt_assertion": True}, "EncryptedData: its algorithm is not allowed"),
    ],
    ids=["SHA-1", "not signed", "Triple DES"],
)
def test_what_it_does_unless_told_otherwise_is_not_believed(peer: Peer, how: dict[str, Any], detail: str):
    left = peer.depart()
    assert peer.arrive(left, peer.answer(left, **how)) == Rejected(code=Code.SSO_RESPONSE_INVALID, detail=detail)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_it_sends_of_itself_is_read_as_that_and_as_nothing_else(peer: Peer):
    to = {"in_response_to": None, "destination": TRIP.callback, "sp_entity_id": TRIP.metadata}
    made = peer.idp.says("ada-1", to, sign_assertion=True)
    taken = peer.kind.arrive_unasked(peer.settings, peer.trip(), callback(made, ""))
    assert isinstance(taken, Assertion), taken
    assert (taken.subject, taken.email) == ("ada-1", "ada@example.com")
    refused = peer.arrive(peer.depart(), made)
    assert isinstance(refused, Rejected)
    assert refused.code is Code.SSO_RESPONSE_INVALID


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_single_logout_is_understood_on_both_sides(peer: Peer):
    """It reads and checks our request, and we its answer and its own request, which it signs over the query."""
    left, here = peer.depart(), peer.trip(LOGOUT)
    taken = peer.arrive(left, peer.answer(left, sign_assertion=True))
    assert isinstance(taken, Assertion)
    ended = peer.kind.read_logout(peer.settings, here, peer.idp.ends("ada-1", LOGOUT, "their state"))
    assert isinstance(ended, LogoutRequested), ended
    assert (ended.name_id, ended.state) == (taken.memory["value"], "their state")
    assert taken.memory["session_index"] in ended.sessions
    away = peer.kind.depart_logout(peer.settings, here, taken.memory)
    assert isinstance(away, Departure)
    answered = peer.idp.signs_out(away.url, LOGOUT)
    assert peer.kind.arrive_logout(peer.settings, here, away.request, answered) == LoggedOut(complete=True)
