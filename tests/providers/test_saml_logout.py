"""Single logout over the redirect binding: whose it is, stands in a signature over the query as it was sent."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lxml import etree

from authflow.adapters.providers.saml.logout import logout_request, logout_response
from authflow.adapters.providers.saml.request import redirect_url
from authflow.adapters.providers.saml.rules import SKEW, write_instant
from authflow.adapters.providers.saml.subject import UNSPECIFIED
from authflow.adapters.providers.saml.xml import name
from authflow.errors import Code
from authflow.sso.capabilities import LoggedOut, LogoutRequested, Named
from authflow.sso.kinds import Assertion, Departure, Rejected
from authflow.testing.saml_markup import EMAIL_FORMAT, PERSISTENT, response, sign
from authflow.values import Secret
from tests.providers.saml.stage import CLOCK, TRIP, arrive, keys, kind, provider, said, settings, signed

if TYPE_CHECKING:
    from authflow.adapters.providers.saml.certificates import OwnKeys
    from authflow.adapters.providers.saml.xml import Element

SLO = "https://sp.example/acme/slo"
HERE = attrs.evolve(TRIP, callback=SLO)
IDP = provider().entity_id


def query(url: str) -> str:
    return urlsplit(url).query


def requested(*, own: OwnKeys | None = None, state: str | None = "s", **changes: Any) -> str:
    """Return the query of a request to end Ada's session, with *changes*."""
    memory = {"value": "ada-1", "session_index": "_one"}
    given = {"identifier": "_logout", "now": CLOCK.now(), "destination": SLO, "issuer": IDP, **changes}
    return sent("SAMLRequest", logout_request(memory, **given), own=own, state=state)


def sent(parameter: str, root: Element, *, own: OwnKeys | None = None, state: str | None = "s") -> str:
    held = None if state is None else Secret(state)
    return query(redirect_url(SLO, parameter, root, state=held, own=own or keys("idp")))


def answer_to(request: str) -> Element:
    return logout_response(request, identifier="_r", now=CLOCK.now(), destination=SLO, issuer=IDP)


def read(text: str, **changes: Any) -> LogoutRequested | Rejected:
    return kind().read_logout({**settings(), **changes}, HERE, text)


# --- theirs ---------------------------------------------------------------------------------------------------------


def test_a_provider_ends_the_sessions_it_names():
    asked = read(requested())
    assert isinstance(asked, LogoutRequested)
    assert (asked.id, asked.name_id, asked.sessions, asked.state) == ("_logout", "ada-1", ("_one",), "s")
    assert asked.once.expires_at > CLOCK.now()
    ended = said()
    of_fake = read(query(provider().ends_session(ended, SLO)))
    assert isinstance(of_fake, LogoutRequested)
    assert (of_fake.name_id, of_fake.sessions, of_fake.state) == (ended.name_id, (ended.session_index,), None)
    assert of_fake.once != asked.once


def test_the_answer_goes_where_the_provider_says_with_its_state():
    asked = read(requested())
    assert isinstance(asked, LogoutRequested)
    left = kind().answer_logout(settings(), HERE, asked)
    assert isinstance(left, Departure)
    assert left.url.startswith(provider().settings()["slo_url"])  # type: ignore[arg-type]  # it is a text
    assert "RelayState=s&SigAlg=" in left.url
    assert kind().answer_logout({**settings(), "slo_url": ""}, HERE, asked) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (requested(own=keys("mallory")), Code.SSO_RESPONSE_INVALID),
        (requested(destination="https://other.example/slo"), Code.SSO_RESPONSE_INVALID),
        (requested(issuer="https://other.example"), Code.SSO_RESPONSE_INVALID),
        (requested(now=CLOCK.now() - timedelta(hours=2)), Code.SSO_IDENTITY_EXPIRED),
        (requested(now=CLOCK.now() + timedelta(hours=2)), Code.SSO_IDENTITY_EXPIRED),
        (requested().replace("RelayState=s", "RelayState=t"), Code.SSO_RESPONSE_INVALID),
        (requested().replace("RelayState=s&", ""), Code.SSO_RESPONSE_INVALID),
        (requested().partition("&Signature=")[0], Code.SSO_RESPONSE_INVALID),
        (requested().replace("rsa-sha256", "rsa-sha512"), Code.SSO_RESPONSE_INVALID),
        (requested().replace("rsa-sha256", "rsa-sha1"), Code.SSO_RESPONSE_INVALID),
        (requested().replace("xmldsig-more%23rsa-sha256", "xmldsig%23hmac-sha1"), Code.SSO_RESPONSE_INVALID),
        (requested().replace("rsa-sha256", "ecdsa-sha256"), Code.SSO_RESPONSE_INVALID),
        (requested() + "&RelayState=t", Code.SSO_RESPONSE_INVALID),
        (requested() + "&" + requested(own=keys("mallory")), Code.SSO_RESPONSE_INVALID),
        (requested() + "&SAMLEncoding=other", Code.SSO_RESPONSE_INVALID),
        (requested().replace("SAMLRequest", "SAMLResponse"), Code.SSO_RESPONSE_INVALID),
        (sent("SAMLRequest", answer_to("_a")), Code.SSO_RESPONSE_INVALID),
        ("", Code.SSO_RESPONSE_INVALID),
    ],
)
def test_a_request_of_anybody_else_ends_nothing(text: str, code: Code):
    refused = read(text)
    assert isinstance(refused, Rejected)
    assert refused.code is code


@pytest.mark.parametrize(("left", "code"), [(timedelta(seconds=1), None), (timedelta(0), Code.SSO_IDENTITY_EXPIRED)])
def test_a_request_ends_when_it_says(left: timedelta, code: Code | None):
    """Core 3.7.1: ``NotOnOrAfter``, with the skew of two clocks."""
    memory = {"value": "ada-1"}
    request = logout_request(memory, identifier="_l", now=CLOCK.now(), destination=SLO, issuer=IDP)
    request.set("NotOnOrAfter", write_instant(CLOCK.now() - SKEW + left))
    asked = read(sent("SAMLRequest", request))
    assert (asked.code if isinstance(asked, Rejected) else None) is code


@pytest.mark.parametrize(
    ("qualifier", "party", "code"),
    [
        ("NameQualifier", IDP, None),
        ("NameQualifier", "https://other.example", Code.SSO_RESPONSE_INVALID),
        ("SPNameQualifier", HERE.metadata, None),
        ("SPNameQualifier", "https://other.example", Code.SSO_RESPONSE_INVALID),
    ],
)
def test_a_name_of_other_parties_is_nobodys_here(qualifier: str, party: str, code: Code | None):
    """Core 3.7.3.2: the name has to match as it does in an assertion."""
    request = logout_request({"value": "ada-1"}, identifier="_l", now=CLOCK.now(), destination=SLO, issuer=IDP)
    request[-1].set(qualifier, party)
    asked = read(sent("SAMLRequest", request))
    assert (asked.code if isinstance(asked, Rejected) else None) is code


@pytest.mark.parametrize(
    ("said_of", "means"),
    [(None, ""), ("", ""), (UNSPECIFIED, ""), (PERSISTENT, PERSISTENT), (EMAIL_FORMAT, EMAIL_FORMAT)],
)
def test_a_name_has_a_format_where_it_says_one(said_of: str | None, means: str):
    """Core 2.2.2: a name without a format, and one whose format says nothing, are the same."""
    memory = {"value": "ada-1", "format": said_of}
    request = logout_request(memory, identifier="_l", now=CLOCK.now(), destination=SLO, issuer=IDP)
    asked = read(sent("SAMLRequest", request))
    assert isinstance(asked, LogoutRequested)
    assert (asked.name_id, asked.format) == ("ada-1", means)
    assert kind().named(memory) == Named(name="ada-1", index="", format=means)


def test_a_signature_inside_of_a_message_in_an_url_is_none_that_we_look_at():
    """SAML bindings 3.4.4.1 takes it out: a message with two could be signed by two."""
    memory = {"value": "ada-1", "session_index": "_one"}
    request = logout_request(memory, identifier="_l", now=CLOCK.now(), destination=SLO, issuer=IDP)
    sign(request, keys("idp"))
    assert isinstance(read(sent("SAMLRequest", request)), Rejected)


def test_a_document_type_before_a_request_that_is_signed_ends_nothing():
    """CVE-2026-41066: nothing else is wrong with it."""
    request = logout_request({"value": "ada-1"}, identifier="_l", now=CLOCK.now(), destination=SLO, issuer=IDP)
    declared = b'<!DOCTYPE LogoutRequest [<!ENTITY e "ada-1">]>' + etree.tostring(request)
    document: Any = etree.fromstring(declared).getroottree()  # a tree is written with what stands before its root
    assert etree.tostring(document).startswith(b"<!DOCTYPE")
    assert isinstance(read(sent("SAMLRequest", request)), LogoutRequested)
    assert isinstance(read(sent("SAMLRequest", document)), Rejected)


def test_the_signature_is_over_the_text_and_not_over_its_meaning():
    """Some providers write their percent signs in small letters, and sign that."""
    base = requested(state=None)
    assert isinstance(read(base), LogoutRequested)
    small = base.replace("%3A", "%3a")
    assert small != base
    assert isinstance(read(small), Rejected)
    assert isinstance(read(f"utm=1&{base}"), LogoutRequested)


def test_a_provider_may_sign_by_a_curve():
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    made = (
        x509.CertificateBuilder(issuer_name=subject, subject_name=subject, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(CLOCK.now())
        .not_valid_after(CLOCK.now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    text = requested().partition("&Signature=")[0].replace("rsa-sha256", "ecdsa-sha256")
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32) + s.to_bytes(32)
    whole = f"{text}&Signature={quote(base64.b64encode(raw).decode(), safe='')}"
    body = base64.b64encode(made.public_bytes(Encoding.DER)).decode()
    assert isinstance(read(whole, certificates=[body]), LogoutRequested)
    assert isinstance(read(whole), Rejected)


@given(
    text=st.text(max_size=200),
    at=st.integers(0, 5000),
    put=st.sampled_from(["", "%", "&", "=", "%00", "+", "é", "\ud800"]),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_whatever_is_in_a_query_ends_nothing_else(text: str, at: int, put: str):
    assert isinstance(read(text), Rejected)
    genuine = requested()
    changed = read(genuine[: at % len(genuine)] + put + genuine[at % len(genuine) + len(put) :])
    assert isinstance(changed, Rejected) or changed.name_id == "ada-1"


# --- ours -----------------------------------------------------------------------------------------------------------


def test_we_ask_to_end_the_session_that_an_assertion_began_and_check_the_answer():
    taken = arrive(signed())
    assert isinstance(taken, Assertion)
    left = kind().depart_logout(settings(), HERE, taken.memory)
    assert isinstance(left, Departure)
    assert "SAMLRequest=" in left.url
    assert "Signature=" in left.url
    asked = str(left.request["id"])
    answer = answer_to(asked)
    said_so = sent("SAMLResponse", answer)
    assert kind().arrive_logout(settings(), HERE, left.request, said_so) == LoggedOut(complete=True)
    other = kind().arrive_logout(settings(), HERE, {"id": "_other"}, said_so)
    assert isinstance(other, Rejected)
    assert other.code is Code.SSO_RESPONSE_INVALID
    answer[1][0].set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
    partly = kind().arrive_logout(settings(), HERE, left.request, sent("SAMLResponse", answer))
    assert partly == LoggedOut(complete=False)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"Format": PERSISTENT},
        {"Format": PERSISTENT, "NameQualifier": IDP, "SPNameQualifier": HERE.metadata},
        {"SPNameQualifier": HERE.metadata},
    ],
)
def test_whoever_is_meant_is_named_as_the_assertion_named_them(attributes: dict[str, str]):
    """Profiles 4.4.4.1, core 3.3.4: identical, in every attribute; some providers know nobody else by it."""
    answer = response(said())
    (named,) = answer.iter(name("saml", "NameID"))
    named.attrib.clear()
    named.attrib.update(attributes)
    sign(next(answer.iter(name("saml", "Assertion"))), keys("idp"))
    taken = arrive(etree.tostring(answer))
    assert isinstance(taken, Assertion)
    request = logout_request(taken.memory, identifier="_l", now=CLOCK.now(), destination=SLO, issuer=IDP)
    told = [(child.text, dict(child.attrib)) for child in request]
    assert told == [(IDP, {}), (named.text, attributes), (taken.memory["session_index"], {})]


@pytest.mark.parametrize(("changes", "memory"), [({"slo_url": ""}, {"value": "a"}), ({}, {})])
def test_there_may_be_nowhere_to_ask(changes: dict[str, Any], memory: dict[str, Any]):
    assert kind().depart_logout({**settings(), **changes}, HERE, memory) is None
