"""Against another implementation: pysaml2 as the identity provider, which signs and encrypts by Debian's xmlsec1."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from authflow.adapters.providers.saml import Saml2
from authflow.adapters.providers.saml.certificates import new_keys, pem
from authflow.adapters.system import SystemClock, SystemEntropy
from authflow.errors import Code
from authflow.sso.capabilities import LogoutRequested
from authflow.sso.kinds import Assertion, Departure, Rejected
from authflow.testing.saml import KEY_BITS, callback
from tests.backends import require
from tests.providers.saml.stage import HERE, TRIP, Library

if TYPE_CHECKING:
    from pathlib import Path

    from authflow.sso.kinds import Document, Trip

ENTITY: Final = "https://pysaml2.example/metadata"
SSO: Final = "https://pysaml2.example/sso"
SHA256: Final = {
    "sign_alg": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "digest_alg": "http://www.w3.org/2001/04/xmlenc#sha256",
}
WEAK: Final = {
    "sign_alg": "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "digest_alg": "http://www.w3.org/2000/09/xmldsig#sha1",
}


@attrs.frozen
class Peer:
    """The other implementation, the settings for it, and a sign-in on its way there."""

    server: Any
    kind: Saml2
    settings: Document

    def trip(self) -> Trip:
        return attrs.evolve(TRIP, now=SystemClock().now())

    def depart(self) -> Departure:
        left = self.kind.depart(self.settings, self.trip())
        assert isinstance(left, Departure)
        return left

    def answer(self, left: Departure, **how: Any) -> bytes:
        """Return what the other side writes after it has read and checked our request."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(left.url).query).items()}
        read = self.server.parse_authn_request(
            query["SAMLRequest"],
            "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
            relay_state=query["RelayState"],
            sigalg=query["SigAlg"],
            signature=query["Signature"],
        )
        assert read.message.id == left.request["id"]
        to = self.server.response_args(read.message)
        identity = {"mail": ["ada@example.com"], "givenName": ["Ada"], "sn": ["Lovelace"], "uid": ["ada-1"]}
        proven = {"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": ENTITY}
        made = self.server.create_authn_response(identity, userid="ada", authn=proven, **to, **how)
        return str(made).encode()

    def arrive(self, left: Departure, document: bytes) -> Assertion | Rejected:
        posted = callback(document, TRIP.state.reveal())
        return self.kind.arrive(self.settings, self.trip(), left.request, posted)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """Start pysaml2 with its own key, on our metadata; then set it up from its metadata."""
    binary = shutil.which("xmlsec1")
    if binary is None:
        require("xmlsec1 is not installed: pysaml2 cannot sign")
    with warnings.catch_warnings(action="ignore"):  # it calls what newer Pythons deprecate
        return _peer(tmp_path_factory.mktemp("pysaml2"), str(binary))


def _peer(folder: Path, binary: str) -> Peer:
    from saml2.config import IdPConfig
    from saml2.metadata import entity_descriptor
    from saml2.server import Server

    now = SystemClock().now()
    ours, theirs = new_keys("sp", now, bits=KEY_BITS), new_keys("idp", now, bits=KEY_BITS)
    kind = Saml2(fetcher=Library(), entropy=SystemEntropy())
    own = {"private_key": ours.private_key.reveal(), "certificate": ours.certificate, "sign_requests": True}
    mapping = {"identifier": "urn:oid:0.9.2342.19200300.100.1.1", "email": "urn:oid:0.9.2342.19200300.100.1.3"}
    names = {"first_name": "urn:oid:2.5.4.42", "last_name": "urn:oid:2.5.4.4"}
    by_hand = {"entity_id": ENTITY, "sso_url": SSO, "certificates": [theirs.certificate], **mapping, **names, **own}
    described = kind.describe(kind.read(by_hand), endpoints=HERE)
    (folder / "key.pem").write_text(theirs.private_key.reveal())
    (folder / "certificate.pem").write_text(pem(theirs.certificate))
    endpoints = {"single_sign_on_service": [(SSO, "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect")]}
    config = IdPConfig().load(
        {
            "entityid": ENTITY,
            "service": {"idp": {"endpoints": endpoints, "want_authn_requests_signed": True}},
            "key_file": str(folder / "key.pem"),
            "cert_file": str(folder / "certificate.pem"),
            "metadata": {"inline": [described]},
            "xmlsec_binary": binary,
        }
    )
    metadata = str(entity_descriptor(config))
    return Peer(Server(config=config), kind, kind.read({"metadata": metadata, **mapping, **names, **own}))


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
    document = peer.answer(left, **how, **SHA256)
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
        ({"sign_assertion": True, "encrypt_assertion": True, **SHA256}, "EncryptedData: its algorithm is not allowed"),
    ],
    ids=["SHA-1", "not signed", "Triple DES"],
)
def test_what_it_does_unless_told_otherwise_is_not_believed(peer: Peer, how: dict[str, Any], detail: str):
    left = peer.depart()
    assert peer.arrive(left, peer.answer(left, **how)) == Rejected(code=Code.SSO_RESPONSE_INVALID, detail=detail)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_it_sends_of_itself_is_read_as_that_and_as_nothing_else(peer: Peer):
    proven = {"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": ENTITY}
    identity = {"mail": ["ada@example.com"], "uid": ["ada-1"]}
    to = {"in_response_to": None, "destination": TRIP.callback, "sp_entity_id": TRIP.metadata}
    made = peer.server.create_authn_response(identity, userid="ada", authn=proven, sign_assertion=True, **to, **SHA256)
    posted = callback(str(made).encode(), "")
    taken = peer.kind.arrive_unasked(peer.settings, peer.trip(), posted)
    assert isinstance(taken, Assertion), taken
    assert (taken.subject, taken.email) == ("ada-1", "ada@example.com")
    refused = peer.arrive(peer.depart(), str(made).encode())
    assert isinstance(refused, Rejected)
    assert refused.code is Code.SSO_RESPONSE_INVALID


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_single_logout_is_understood_on_both_sides(peer: Peer):
    """It reads and checks our request, and we its own, which it signs over the query."""
    redirect, slo = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect", "https://sp.example/acme/slo"
    here = attrs.evolve(peer.trip(), callback=slo)
    kept = {**peer.settings, "slo_url": SSO}
    left = peer.kind.depart_logout(kept, here, {"value": "ada", "session_index": "_one"})
    assert isinstance(left, Departure)
    asked = {key: values[0] for key, values in parse_qs(urlsplit(left.url).query).items()}
    signed = {"relay_state": asked["RelayState"], "sigalg": asked["SigAlg"], "signature": asked["Signature"]}
    read = peer.server.parse_logout_request(asked["SAMLRequest"], redirect, **signed)
    assert (read.message.id, read.message.name_id.text) == (left.request["id"], "ada")
    from saml2.pack import http_redirect_message
    from saml2.saml import NameID

    name_id = NameID(text="ada", format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified")
    made = peer.server.create_logout_request(slo, TRIP.metadata, name_id=name_id, session_indexes=["_one"], sign=False)[
        1
    ]
    url = dict(
        http_redirect_message(
            str(made), slo, "their state", sign=True, sigalg=SHA256["sign_alg"], backend=peer.server.sec.sec_backend
        )["headers"]
    )["Location"]
    ended = peer.kind.read_logout(kept, here, urlsplit(url).query)
    assert isinstance(ended, LogoutRequested), ended
    assert (ended.name_id, ended.sessions, ended.state) == ("ada", ("_one",), "their state")
