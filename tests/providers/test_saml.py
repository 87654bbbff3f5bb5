"""The kind: its settings, the way there, the way back, and what it says of dates that come near."""

from __future__ import annotations

import base64
import subprocess
import sys
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from authflow.adapters.providers.fetcher import HttpFetcher
from authflow.adapters.providers.saml import Saml2, saml_kinds
from authflow.adapters.providers.saml.certificates import CERTIFICATES_MAX, certificate, new_keys, pem, rsa_key
from authflow.adapters.providers.saml.presets import BY_HAND, PRESETS
from authflow.adapters.providers.saml.rules import write_instant
from authflow.adapters.providers.saml.signature import read_signature
from authflow.adapters.providers.saml.subject import NAME_ID, TRANSIENT
from authflow.adapters.providers.saml.verifier import PythonSamlVerifier
from authflow.adapters.providers.saml.warnings import AHEAD, Ending
from authflow.adapters.providers.saml.xml import PREFIXES, name
from authflow.errors import Code, InputInvalid
from authflow.sso.fetching import Failure
from authflow.sso.kinds import Assertion, Departure, Kind, Rejected
from authflow.testing.clocks import ManualClock, SeededEntropy
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
    **dict.fromkeys((SamlFault.WRONG_REQUEST, SamlFault.UNASKED), Code.SSO_STATE_INVALID),
    **dict.fromkeys((SamlFault.EXPIRED, SamlFault.EARLY, SamlFault.SESSION_OVER), Code.SSO_IDENTITY_EXPIRED),
    **dict.fromkeys((SamlFault.NO_IDENTIFIER, SamlFault.NO_ADDRESS), Code.SSO_IDENTITY_INCOMPLETE),
    SamlFault.REFUSED: Code.SSO_PROVIDER_REFUSED,
    SamlFault.REUSED: Code.SSO_STATE_INVALID,
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


# --- metadata -------------------------------------------------------------------------------------------------------


def test_metadata_says_what_is_otherwise_typed():
    typed = read()
    described = kind().read({"metadata": provider().metadata(), "identifier": "identifier", "email": "email"})
    assert {key: described[key] for key in ("entity_id", "sso_url", "slo_url", "certificates")} == {
        key: typed[key] for key in ("entity_id", "sso_url", "slo_url", "certificates")
    }
    assert "metadata" not in described


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ("IDPSSODescriptor", "SPSSODescriptor"),
        ('entityID="https://idp.example/metadata"', ""),
        ("https://idp.example/metadata", "https://idp.example/" + "x" * 1024),
        ("HTTP-Redirect", "SOAP"),
        ('use="signing"', 'use="encryption"'),
        ('entityID="', 'validUntil="tomorrow" entityID="'),
        (SSO_URL, "javascript:alert(1)"),
        ("MII", "!!!"),
    ],
)
def test_metadata_that_cannot_be_spoken_to_is_refused(find: str, put: str):
    markup = provider().metadata()
    assert find in markup
    with pytest.raises(InputInvalid):
        kind().read({"metadata": markup.replace(find, put), "identifier": "identifier", "email": "email"})


def test_metadata_names_as_many_certificates_as_may_be_typed():
    def naming(many: int) -> Document:
        body, markup = keys("idp").certificate, provider().metadata()
        others = [reissued(number) for number in range(1, many)]
        listed = "</ds:X509Certificate><ds:X509Certificate>".join([body, *others])
        return kind().read({"metadata": markup.replace(body, listed), "identifier": "identifier", "email": "email"})

    named = naming(CERTIFICATES_MAX)["certificates"]
    assert isinstance(named, list)
    assert len(named) == CERTIFICATES_MAX
    with pytest.raises(InputInvalid, match="more than 10"):
        naming(CERTIFICATES_MAX + 1)


def reissued(number: int) -> str:
    """Return another certificate of the provider's key."""
    key, nobody = rsa_key(keys("idp").private_key), x509.Name([])
    made = x509.CertificateBuilder(nobody, nobody, key.public_key(), number, NOW, NOW + timedelta(days=1))
    return base64.b64encode(made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


def published(clock: ManualClock) -> tuple[FakeSamlProvider, Library, Saml2, Document]:
    """Return a provider with its metadata at an URL, and settings that name only that."""
    idp = FakeSamlProvider(clock, keys=keys("idp"))
    library = Library(idp=idp.metadata())
    theirs = Saml2(fetcher=library, entropy=SeededEntropy())
    return idp, library, theirs, theirs.read({"metadata_url": URL, "identifier": "identifier", "email": "email"})


def sign_in(
    idp: FakeSamlProvider, theirs: Saml2, kept: Document, clock: ManualClock
) -> tuple[str, str | None, str] | None:
    trip = attrs.evolve(TRIP, now=clock.now())
    left = theirs.depart(kept, trip)
    if isinstance(left, Rejected):
        assert left.code is Code.SSO_PROVIDER_UNREACHABLE
        return None
    return who(theirs.arrive(kept, trip, left.request, idp.answer(left, ADA)))


def test_a_new_certificate_is_fetched_when_it_is_needed_and_once_a_minute_at_most():
    clock = ManualClock()
    idp, library, theirs, kept = published(clock)
    assert sign_in(idp, theirs, kept, clock)
    idp.roll_key(keep=False)
    library.documents[URL] = idp.metadata()
    fetched = len(library.fetched)
    assert sign_in(idp, theirs, kept, clock)
    assert len(library.fetched) == fetched + 1
    idp.roll_key(keep=False)
    assert [sign_in(idp, theirs, kept, clock) for _ in range(5)] == [None] * 5
    assert len(library.fetched) == fetched + 1
    library.documents[URL] = idp.metadata()
    clock.advance(seconds=61)
    assert sign_in(idp, theirs, kept, clock)


def test_while_a_provider_changes_its_key_both_sign():
    clock = ManualClock()
    idp, library, theirs, kept = published(clock)
    former = FakeSamlProvider(clock, keys=idp.keys)
    idp.roll_key()
    library.documents[URL] = idp.metadata()
    clock.advance(timedelta(hours=2))
    assert sign_in(idp, theirs, kept, clock)
    assert sign_in(former, theirs, kept, clock)


def test_what_was_known_stays_while_the_metadata_cannot_be_fetched():
    clock = ManualClock()
    idp, library, theirs, kept = published(clock)
    idp.roll_key(keep=False)
    library.documents[URL] = idp.metadata()
    clock.advance(timedelta(hours=2))
    assert sign_in(idp, theirs, kept, clock)
    library.documents.clear()
    clock.advance(timedelta(hours=2))
    assert sign_in(idp, theirs, kept, clock)


def test_one_way_back_is_one_errand_however_often_metadata_is_asked_for():
    clock = ManualClock()
    idp, library, theirs, kept = published(clock)
    left = theirs.depart(kept, TRIP)
    assert isinstance(left, Departure)
    idp.roll_key(keep=False)
    clock.advance(timedelta(hours=2))
    library.documents.clear()
    errands, fetched = library.errands, len(library.fetched)
    assert who(theirs.arrive(kept, attrs.evolve(TRIP, now=clock.now()), left.request, idp.answer(left, ADA))) is None
    assert (library.errands - errands, len(library.fetched) - fetched) == (1, 2)


def test_what_stands_in_for_metadata_is_asked_for_again_soon():
    clock = ManualClock()
    idp, library, theirs, kept = published(clock)
    library.documents.clear()

    def sent_to() -> str:
        left = theirs.depart(kept, attrs.evolve(TRIP, now=clock.now()))
        assert isinstance(left, Departure)
        return left.url.partition("?")[0]

    assert sent_to() == SSO_URL
    library.documents[URL] = idp.metadata().replace(SSO_URL, "https://moved.example/sso")
    fetched = len(library.fetched)
    assert (sent_to(), len(library.fetched)) == (SSO_URL, fetched)
    clock.advance(seconds=61)
    assert sent_to() == "https://moved.example/sso"


def test_whom_one_organization_has_long_believed_another_does_not():
    """Both name one document, out of which a stolen key was taken; the older settings still hold it."""
    clock = ManualClock()
    idp, library, theirs, older = published(clock)
    stolen = FakeSamlProvider(clock, keys=idp.keys)
    assert sign_in(stolen, theirs, older, clock)
    idp.roll_key(keep=False)
    library.documents[URL] = idp.metadata()
    newer = theirs.read({"metadata_url": URL, "identifier": "identifier", "email": "email"})
    library.documents.clear()
    assert sign_in(stolen, theirs, older, clock)
    assert sign_in(stolen, theirs, newer, clock) is None
    assert sign_in(idp, theirs, newer, clock)


@pytest.mark.parametrize("find", ["https://idp.example/sso", "https://idp.example/slo"])
def test_metadata_cannot_send_people_where_settings_could_not(find: str):
    clock = ManualClock()
    idp, library, theirs, kept = published(clock)
    library.documents[URL] = idp.metadata().replace(find, "http://evil.example")
    clock.advance(timedelta(hours=2))
    assert sign_in(idp, theirs, kept, clock)
    left = theirs.depart(kept, attrs.evolve(TRIP, now=clock.now()))
    assert isinstance(left, Departure)
    assert left.url.startswith(SSO_URL)


def test_whoever_sets_an_url_does_not_learn_which_names_there_are_inside(caplog: pytest.LogCaptureFixture):
    def resolve(host: str, _port: int) -> list[str]:
        if host == "unknown.example":
            raise OSError
        return ["10.0.0.5"]

    theirs = Saml2(fetcher=HttpFetcher(resolve=resolve), entropy=SeededEntropy())

    def told(host: str) -> tuple[str, str]:
        with caplog.at_level("INFO", "authflow.sso"), pytest.raises(InputInvalid) as refused:
            theirs.read({"metadata_url": f"https://{host}/metadata"})
        return refused.value.field, refused.value.problem

    assert told("payroll.example") == told("unknown.example")
    assert [record.args[0] for record in caplog.records if record.args] == [Failure.FORBIDDEN, Failure.UNREACHABLE]


def test_what_is_no_document_is_no_metadata():
    library = Library(idp=provider().metadata())
    library.status = 404
    with pytest.raises(InputInvalid, match="status 404"):
        Saml2(fetcher=library, entropy=SeededEntropy()).read({"metadata_url": URL})


def test_another_provider_at_the_same_url_is_not_believed():
    clock = ManualClock()
    idp, library, theirs, kept = published(clock)
    other = FakeSamlProvider(clock, entity_id="https://other.example/idp", keys=keys("mallory"))
    library.documents[URL] = other.metadata()
    clock.advance(timedelta(hours=2))
    assert sign_in(idp, theirs, kept, clock)
    assert sign_in(other, theirs, kept, clock) is None


def test_of_a_document_that_describes_several_each_is_believed_for_itself_alone():
    clock = ManualClock()
    one = FakeSamlProvider(clock, keys=keys("idp"))
    other = FakeSamlProvider(clock, entity_id="https://other.example/idp", keys=keys("mallory"))
    both = (
        f'<md:EntitiesDescriptor xmlns:md="{PREFIXES["md"]}">{one.metadata()}{other.metadata()}</md:EntitiesDescriptor>'
    )
    theirs = Saml2(fetcher=Library(idp=both), entropy=SeededEntropy())
    named = {"metadata_url": URL, "identifier": "identifier", "email": "email"}
    with pytest.raises(InputInvalid, match="describes 2"):
        theirs.read(named)
    kept = {idp: theirs.read({**named, "entity_id": idp.entity_id}) for idp in (one, other)}
    came_in = {(idp, owner): sign_in(idp, theirs, kept[owner], clock) is not None for idp in kept for owner in kept}
    assert came_in == {(idp, owner): idp is owner for idp in kept for owner in kept}


def test_metadata_that_is_over_signs_nobody_in_until_there_is_another():
    clock = ManualClock()
    idp, library, theirs, _ = published(clock)
    library.documents[URL] = idp.metadata(valid_until=clock.now() + timedelta(hours=3))
    kept = theirs.read({"metadata_url": URL, "identifier": "identifier", "email": "email"})
    assert sign_in(idp, theirs, kept, clock)
    clock.advance(timedelta(hours=3))
    assert sign_in(idp, theirs, kept, clock) is None
    library.documents[URL] = idp.metadata(valid_until=clock.now() + timedelta(days=1))
    clock.advance(seconds=61)
    assert sign_in(idp, theirs, kept, clock)


def test_our_own_metadata_is_what_a_provider_needs_and_is_valid():
    ours = kind().describe(settings(), callback=TRIP.callback, metadata=TRIP.metadata, logout="https://sp.example/slo")
    root = etree.fromstring(ours)
    assert root.get("entityID") == TRIP.metadata
    service = next(root.iter(name("md", "AssertionConsumerService")))
    assert (service.get("Location"), service.get("Binding", "")[-9:]) == (TRIP.callback, "HTTP-POST")
    assert {e.text for e in root.iter(name("ds", "X509Certificate"))} == {keys("sp").certificate}
    for document in (
        ours,
        kind().describe(None, callback=TRIP.callback, metadata=TRIP.metadata),
        provider().metadata(),
    ):
        checked = OneLogin_Saml2_XML.validate_xml(document, "saml-schema-metadata-2.0.xsd")
        assert not isinstance(checked, str), checked


# --- warnings -------------------------------------------------------------------------------------------------------


def test_dates_are_told_of_before_they_come():
    until = NOW + timedelta(days=10)
    kept = {**settings(), "valid_until": write_instant(until)}
    assert [warned.what for warned in kind().warnings(kept, NOW)] == [Ending.METADATA]
    ends = certificate(keys("idp").certificate).not_valid_after_utc
    before, after = (kind().warnings(settings(), ends - AHEAD + timedelta(seconds=s)) for s in (-1, 0))
    assert before == ()
    assert {warned.what for warned in after} == {Ending.CERTIFICATE, Ending.OWN_CERTIFICATE}
    assert all(len(warned.fingerprint) == 95 and warned.at == ends for warned in after)


@pytest.mark.parametrize("year", ["0001", "0900", "9999"])
def test_an_end_in_any_year_is_kept_and_told_of_once_it_is_near(year: str):
    ends = f"{year}-01-01T00:00:00Z"
    kept = read(metadata=provider().metadata().replace('entityID="', f'validUntil="{ends}" entityID="', 1))
    assert kept["valid_until"] == ends
    told = kind().warnings(kept, NOW)
    assert [write_instant(warned.at) for warned in told] == [ends] * (year != "9999")
    assert isinstance(kind().depart(kept, TRIP), Rejected) is (year != "9999")


def test_a_certificate_with_a_successor_is_worth_no_warning():
    short = new_keys("idp", NOW, bits=2048, life=timedelta(days=1))
    kept = {**settings(), "certificates": [short.certificate, keys("idp").certificate]}
    assert kind().warnings(kept, NOW) == ()


def test_a_certificate_that_the_metadata_has_replaced_is_worth_none_either():
    clock = ManualClock(certificate(keys("idp").certificate).not_valid_after_utc - timedelta(days=1))
    idp, library, theirs, kept = published(clock)
    assert [warned.what for warned in theirs.warnings(kept, clock.now())] == [Ending.CERTIFICATE]
    idp.roll_key()
    library.documents[URL] = idp.metadata()
    assert sign_in(idp, theirs, kept, clock)
    assert theirs.warnings(kept, clock.now()) == ()


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
