"""The kind: its settings, the way there, and the way back."""

from __future__ import annotations

import base64
import subprocess
import sys
import warnings
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from authflow.adapters.providers.saml import Saml2, saml_kinds
from authflow.adapters.providers.saml.certificates import new_keys, pem, rsa_key
from authflow.adapters.providers.saml.presets import BY_HAND, PRESETS
from authflow.adapters.providers.saml.signature import read_signature
from authflow.adapters.providers.saml.subject import NAME_ID, TRANSIENT
from authflow.adapters.providers.saml.verifier import PythonSamlVerifier
from authflow.adapters.providers.saml.xml import name
from authflow.errors import Code, InputInvalid
from authflow.sso.kinds import Assertion, Departure, Kind, Rejected
from authflow.testing.clocks import SeededEntropy
from authflow.testing.saml import MAPPING, SSO_URL, FakeSamlProvider, SamlFault, callback
from authflow.testing.saml_markup import response, sign
from tests.providers.saml.stage import (
    ADA,
    CLOCK,
    GENUINE,
    TRIP,
    Library,
    arrive,
    departure,
    keys,
    kind,
    provider,
    said,
    settings,
    signed,
    who,
)

if TYPE_CHECKING:
    from authflow.adapters.providers.saml.presets import Preset
    from authflow.sso.kinds import Document

NOW = CLOCK.now()
URL = "https://idp.example/metadata"


# --- there ----------------------------------------------------------------------------------------------------------


def test_the_request_names_us_and_nothing_of_a_person():
    root = provider().read(departure())
    assert root == attrs.evolve(root, issuer=TRIP.metadata, callback=TRIP.callback, state=TRIP.state.reveal())
    assert departure().url.startswith(f"{SSO_URL}?")
    assert departure().request == {"id": root.id}


def test_every_request_has_an_id_of_its_own():
    made = [kind().depart(settings(), TRIP) for _ in range(20)]
    ids = {str(left.request["id"]) for left in made if isinstance(left, Departure)}
    assert len(ids) == 20
    assert all(len(identifier) == 41 for identifier in ids)


def test_a_signed_redirect_is_signed_over_its_query_as_it_is_sent():
    query = urlsplit(departure().url).query
    text, _, signature = query.partition("&Signature=")
    assert [pair.partition("=")[0] for pair in text.split("&")] == ["SAMLRequest", "RelayState", "SigAlg"]
    key = rsa_key(keys("sp").private_key).public_key()
    key.verify(base64.b64decode(unquote(signature)), text.encode(), PKCS1v15(), hashes.SHA256())


def test_a_query_of_the_provider_is_kept():
    left = kind().depart({**settings(), "sso_url": f"{SSO_URL}?tenant=1"}, TRIP)
    assert isinstance(left, Departure)
    assert parse_qs(urlsplit(left.url).query)["tenant"] == ["1"]


@pytest.mark.parametrize("signs", [True, False])
def test_a_request_is_posted_where_the_provider_wants_that(*, signs: bool):
    left = kind().depart({**settings(), "sso_binding": "post", "sign_requests": signs}, TRIP)
    assert isinstance(left, Departure)
    assert left.url == SSO_URL
    assert set(left.form) == {"SAMLRequest", "RelayState"}
    assert provider().read(left).signed is signs
    assert who(kind().arrive(settings(), TRIP, left.request, provider().answer(left, ADA))) == GENUINE


def test_our_signature_in_a_posted_request_is_of_the_shape_that_we_believe_ourselves():
    left = kind().depart({**settings(), "sso_binding": "post"}, TRIP)
    assert isinstance(left, Departure)
    root = etree.fromstring(base64.b64decode(left.form["SAMLRequest"]))
    found = root.find(name("ds", "Signature"))
    assert found is not None
    read = PythonSamlVerifier().verify(read_signature(found), certificates=[keys("sp").certificate])
    assert read.get("ID") == left.request["id"]


# --- back -----------------------------------------------------------------------------------------------------------

EXPECTED = {
    **dict.fromkeys(SamlFault, Code.SSO_RESPONSE_INVALID),
    **dict.fromkeys((SamlFault.EXPIRED, SamlFault.EARLY, SamlFault.SESSION_OVER), Code.SSO_IDENTITY_EXPIRED),
    **dict.fromkeys((SamlFault.NO_IDENTIFIER, SamlFault.NO_ADDRESS), Code.SSO_IDENTITY_INCOMPLETE),
    SamlFault.REFUSED: Code.SSO_PROVIDER_REFUSED,
    SamlFault.CHANGED_SUBJECT: None,
}


@pytest.mark.parametrize("signs", ["assertion", "response", "both"])
@pytest.mark.parametrize("fault", SamlFault)
def test_every_fault_is_refused_by_its_code(fault: SamlFault, signs: str):
    idp = FakeSamlProvider(CLOCK, keys=keys("idp"), signs=signs)
    before = kind().depart(settings(), TRIP)
    assert isinstance(before, Departure)
    idp.answer(before, ADA)
    brought = idp.answer(departure(), ADA, fault)
    outcome = kind().arrive(settings(), TRIP, departure().request, brought)
    assert (outcome.code if isinstance(outcome, Rejected) else None) is EXPECTED[fault]


def test_what_is_said_of_a_person_is_kept_for_their_logout_and_nothing_is_verified_by_it():
    taken = arrive(signed())
    assert isinstance(taken, Assertion)
    assert taken.email_verified is None
    assert taken.legacy is None
    assert {key: bool(value) for key, value in taken.memory.items()} == dict.fromkeys(
        ("value", "format", "session_index"), True
    )


@pytest.mark.parametrize("values", [(), ("", "b"), ("x" * 256,)])
def test_without_a_usable_identifier_the_log_learns_what_did_arrive(values: tuple[str, ...]):
    attributes = {"identifier": values, "email": ("ada@example.com",), "dep\u00e4rtment": ("x",)}
    outcome = arrive(provider().write(said(attributes=attributes)))
    assert isinstance(outcome, Rejected)
    assert outcome.code is Code.SSO_IDENTITY_INCOMPLETE
    assert outcome.detail.startswith("identifier: 'identifier' is missing, ambiguous or unusable")
    assert r"'dep\xe4rtment'" in outcome.detail
    assert "ada@example.com" not in outcome.detail


@pytest.mark.parametrize("email", ["", "ada", "a@b,c@d", "a@b\nBcc: c@d", f"{'a' * 5000}@example.com", "a b@c", "[]"])
def test_an_address_is_one_mailbox_or_none(email: str):
    outcome = arrive(provider().write(said(attributes={"identifier": ("1",), "email": (email,)})))
    assert isinstance(outcome, Rejected)
    assert outcome.code is Code.SSO_IDENTITY_INCOMPLETE


def test_the_first_value_counts_but_not_of_an_identifier():
    def meant(*identifiers: str) -> object:
        attributes = {
            "identifier": identifiers,
            "email": ("a@example.com", "b@example.com"),
            "first_name": (),
            "last_name": ("L",),
        }
        return who(arrive(provider().write(said(attributes=attributes))))

    assert meant("1") == meant("1", "1") == ("1", "a@example.com", "L")
    assert meant("1", "2") is meant("", "2") is meant("1", "") is None


def test_an_identifier_in_two_attributes_is_ambiguous_too():
    root = response(said())
    other = deepcopy(next(each for each in root.iter(name("saml", "Attribute")) if each.get("Name") == "identifier"))
    other[0].text, statement = "mallory", next(root.iter(name("saml", "AttributeStatement")))
    statement.append(other)
    sign(next(root.iter(name("saml", "Assertion"))), keys("idp"))
    assert who(arrive(etree.tostring(root))) is None


def test_a_log_gets_some_names_of_many():
    outcome = arrive(provider().write(said(attributes={f"{number:04}": ("v",) for number in range(700)})))
    assert isinstance(outcome, Rejected)
    assert outcome.detail.endswith("'0019' and 680 more")


@pytest.mark.parametrize(("form", "taken"), [("", True), (TRANSIENT, False)])
def test_the_name_id_identifies_unless_it_is_another_next_time(form: str, *, taken: bool):
    document = provider().write(said(name_id="byname", name_id_format=form))
    assert (who(arrive(document, identifier=NAME_ID)) == ("byname", *GENUINE[1:])) is taken


@pytest.mark.parametrize("fields", [{}, {"SAMLResponse": ()}, {"SAMLResponse": ("a", "a")}, {"SAMLResponse": ("",)}])
def test_one_answer_is_brought(fields: dict[str, tuple[str, ...]]):
    brought = attrs.evolve(callback(signed(), ""), fields=fields)
    outcome = kind().arrive(settings(), TRIP, departure().request, brought)
    assert isinstance(outcome, Rejected)
    assert outcome.code is Code.SSO_RESPONSE_INVALID


# --- settings -------------------------------------------------------------------------------------------------------


def test_settings_read_twice_are_the_same():
    assert kind().read(settings()) == settings()
    assert set(settings()) >= kind().trust | kind().secrets


def read(**changes: Any) -> Document:
    return kind().read({k: v for k, v in provider().settings(**changes).items() if v is not None})


WEAK = new_keys("weak", NOW, bits=1024)


CURVE = (
    ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
)
RSA_OID = bytes.fromhex("2a864886f70d010101")
UNKNOWN = base64.b64encode(base64.b64decode(keys("idp").certificate).replace(RSA_OID, RSA_OID[:-1] + b"\x7f")).decode()


def padded() -> str:
    """Return a certificate that is good but for an extension of 8 kB."""
    key, nobody = rsa_key(keys("idp").private_key), x509.Name([])
    made = x509.CertificateBuilder(nobody, nobody, key.public_key(), 1, NOW, NOW + timedelta(days=1)).add_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.1"), bytes(8192)), critical=False
    )
    return base64.b64encode(made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize("serial", [b"\x00", b"\xff"], ids=["zero", "negative"])
@pytest.mark.parametrize("warned", ["error", "ignore"])
def test_a_certificate_that_no_later_version_will_load_is_refused_when_it_is_read(
    serial: bytes, warned: Literal["error", "ignore"]
):
    key, nobody = rsa_key(keys("idp").private_key), x509.Name([])
    made = x509.CertificateBuilder(nobody, nobody, key.public_key(), 1, NOW, NOW + timedelta(days=1))
    good = made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    one = b"\x02\x01\x01\x30"
    assert good.count(one) == 1
    assert read(certificates=[base64.b64encode(good).decode()])
    bad = base64.b64encode(good.replace(one, b"\x02\x01" + serial + b"\x30")).decode()
    with warnings.catch_warnings(), pytest.raises(InputInvalid) as refused:
        warnings.simplefilter(warned)
        read(certificates=[bad])
    assert refused.value.field == "certificates"
    assert "serial number" in refused.value.problem


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"entity_id": None}, "entity_id"),
        ({"entity_id": "x" * 1025}, "entity_id"),
        ({"sso_url": None}, "sso_url"),
        ({"sso_url": "http://idp.example"}, "sso_url"),
        ({"sso_url": "javascript:alert(1)"}, "sso_url"),
        ({"sso_binding": "artifact"}, "sso_binding"),
        ({"slo_url": "http://idp.example"}, "slo_url"),
        ({"certificates": []}, "certificates"),
        ({"certificates": "one"}, "certificates"),
        ({"certificates": [1]}, "certificates"),
        ({"certificates": ["no certificate"]}, "certificates"),
        ({"certificates": [WEAK.certificate]}, "certificates"),
        ({"certificates": [UNKNOWN]}, "certificates"),
        ({"certificates": [keys("idp").certificate] * 11}, "certificates"),
        ({"certificates": [padded()]}, "certificates"),
        ({"identifier": None}, "identifier"),
        ({"email": None}, "email"),
        ({"email": ["a"]}, "email"),
        ({"signed": "neither"}, "signed"),
        ({"encrypted": "yes"}, "encrypted"),
        ({"encrypted": True}, "private_key"),
        ({"sign_requests": True}, "private_key"),
        ({"private_key": "nothing", "certificate": keys("sp").certificate}, "private_key"),
        ({"private_key": keys("idp").private_key.reveal(), "certificate": keys("sp").certificate}, "private_key"),
        ({"private_key": CURVE, "certificate": keys("sp").certificate}, "private_key"),
        ({"metadata": "<r/>"}, "metadata"),
        ({"metadata": "\ud800"}, "metadata"),
        ({"metadata_url": "http://idp.example"}, "metadata_url"),
        ({"metadata_url": "https://nobody.example/metadata"}, "metadata_url"),
        ({"valid_until": "soon"}, "valid_until"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_an_unusable_setting_is_named(changes: dict[str, Any], field: str):
    with pytest.raises(InputInvalid) as refused:
        read(**changes)
    assert refused.value.field == field


def test_an_end_may_be_typed_as_well():
    assert read(valid_until="2030-01-31T00:00:00Z")["valid_until"] == "2030-01-31T00:00:00Z"


def test_a_certificate_is_taken_as_it_is_pasted():
    body = keys("idp").certificate
    assert read(certificates=[pem(body), body, f"  {body}\n"])["certificates"] == [body]


WAYS = [pytest.param(preset, way, id=f"{preset.key}-{way[0]}") for preset in PRESETS for way in preset.ways]


@pytest.mark.parametrize(("preset", "way"), WAYS)
def test_every_way_of_a_preset_is_enough_to_connect_it(preset: Preset, way: tuple[str, ...]):
    mapping = preset.attributes or MAPPING
    idp = FakeSamlProvider(CLOCK, keys=keys("idp"), attributes=mapping)
    theirs = Saml2(fetcher=Library(idp=idp.metadata()), entropy=SeededEntropy(), preset=preset)
    known = {**idp.settings(), "metadata_url": URL, "metadata": idp.metadata()}
    typed = attrs.asdict(mapping) if preset.attributes is None else {}
    kept = theirs.read({**{field: known[field] for field in way}, **typed})
    left = theirs.depart(kept, TRIP)
    assert isinstance(left, Departure)
    assert who(theirs.arrive(kept, TRIP, left.request, idp.answer(left, ADA))) == GENUINE


def test_the_generic_kind_does_not_guess_what_attributes_are_called():
    with pytest.raises(InputInvalid) as refused:
        kind().read({field: provider().settings()[field] for field in BY_HAND})
    assert refused.value.field == "identifier"


def test_every_preset_is_a_kind():
    kinds: tuple[Kind, ...] = saml_kinds(fetcher=Library(), entropy=SeededEntropy())
    assert [k.key for k in kinds] == ["saml2", "okta", "onelogin", "entra", "auth0", "jumpcloud", "rippling"]
    assert all(k.name and k.version and not k.can_confirm(settings()) for k in kinds)


# --- the extra ------------------------------------------------------------------------------------------------------


def test_without_the_extra_it_says_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['lxml'] = None\n"
        "from authflow.errors import ExtraMissing\n"
        "try:\n    import authflow.adapters.providers.saml\n"
        "except ExtraMissing as error:\n    print(error.extra)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "saml\n"
