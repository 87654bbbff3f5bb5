"""Metadata: the provider's, read and fetched again when it is needed, ours, and what is told of before it ends."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from authflow.adapters.providers.fetcher import HttpFetcher
from authflow.adapters.providers.saml import Saml2
from authflow.adapters.providers.saml.certificates import CERTIFICATES_MAX, certificate, new_keys, rsa_key
from authflow.adapters.providers.saml.rules import write_instant
from authflow.adapters.providers.saml.warnings import AHEAD, Ending
from authflow.adapters.providers.saml.xml import PREFIXES, name
from authflow.errors import Code, InputInvalid
from authflow.sso.fetching import Failure
from authflow.sso.kinds import Departure, Rejected
from authflow.testing.clocks import ManualClock, SeededEntropy
from authflow.testing.saml import SSO_URL, FakeSamlProvider
from tests.providers.saml.stage import (
    ADA,
    CLOCK,
    HERE,
    TRIP,
    Library,
    keys,
    kind,
    provider,
    settings,
    who,
)

if TYPE_CHECKING:
    from authflow.sso.kinds import Document

NOW = CLOCK.now()
URL = "https://idp.example/metadata"


def test_metadata_says_what_is_otherwise_typed():
    typed = kind().read(provider().settings())
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
    ours = kind().describe(settings(), endpoints=attrs.evolve(HERE, logout="https://sp.example/slo"))
    root = etree.fromstring(ours)
    assert root.get("entityID") == TRIP.metadata
    service = next(root.iter(name("md", "AssertionConsumerService")))
    assert (service.get("Location"), service.get("Binding", "")[-9:]) == (TRIP.callback, "HTTP-POST")
    assert {e.text for e in root.iter(name("ds", "X509Certificate"))} == {keys("sp").certificate}
    for document in (
        ours,
        kind().describe(None, endpoints=HERE),
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
    kept = kind().read(
        {
            **provider().settings(),
            "metadata": provider().metadata().replace('entityID="', f'validUntil="{ends}" entityID="', 1),
        }
    )
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
