"""A SAML identity provider for tests and demos: it signs in whom a test names, and goes wrong as a test says."""

from __future__ import annotations

import base64
import zlib
from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs
from lxml import etree

from authflow.adapters.providers.saml.certificates import OwnKeys, new_keys
from authflow.adapters.providers.saml.logout import logout_response
from authflow.adapters.providers.saml.metadata import REDIRECT
from authflow.adapters.providers.saml.request import redirect_url
from authflow.adapters.providers.saml.rules import write_instant
from authflow.adapters.providers.saml.subject import Attributes
from authflow.adapters.providers.saml.xml import PREFIXES, name
from authflow.sso.kinds import Callback
from authflow.testing.clocks import SeededEntropy
from authflow.testing.saml_markup import LIFE, Said, encrypt, response, sign
from authflow.values import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from authflow.adapters.providers.saml.xml import Element
    from authflow.ports import Clock
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Departure, Document

ENTITY_ID: Final = "https://idp.example/metadata"
SSO_URL: Final = "https://idp.example/sso"
SLO_URL: Final = "https://idp.example/slo"
KEY_BITS: Final = 2048

MAPPING: Final = Attributes(identifier="identifier", email="email", first_name="first_name", last_name="last_name")


@attrs.frozen(kw_only=True)
class SamlPerson:
    """Somebody with an account at the provider."""

    subject: str
    email: str
    first_name: str = ""
    last_name: str = ""


@attrs.frozen(kw_only=True)
class Asked:
    """A request, as the provider reads it."""

    id: str
    issuer: str
    callback: str
    state: str
    signed: bool


@unique
class SamlFault(StrEnum):
    """What goes wrong with an answer. None of them may sign anybody in, but for `CHANGED_SUBJECT`, as somebody else."""

    WRONG_AUDIENCE = "wrong audience"
    WRONG_DESTINATION = "wrong destination"
    WRONG_RECIPIENT = "wrong recipient"
    WRONG_ISSUER = "wrong issuer"
    WRONG_REQUEST = "answers another request"
    UNASKED = "answers no request"
    EXPIRED = "expired"
    EARLY = "not valid yet"
    SESSION_OVER = "its session is over"
    UNSIGNED = "signed nowhere"
    ROLLED_KEY = "signed by a key that nobody knows"
    WEAK = "signed by SHA-1"
    TAMPERED = "another address after it was signed"
    WRAPPED = "another assertion beside the one that was signed"
    NO_IDENTIFIER = "no identifier"
    NO_ADDRESS = "no e-mail address"
    REFUSED = "nobody signed in"
    REUSED = "an assertion that it gave before"
    CHANGED_SUBJECT = "another identifier for the same person"


class FakeSamlProvider:
    """One identity provider. It has a key of its own, and no network: a test carries requests and answers.

    Args:
        clock: Its clock.
        attributes: What its attributes are called.
        entity_id: What it calls itself.
        keys: Its key; a new one unless given, which takes a tenth of a second.
        signs: What of an answer it signs, ``assertion``, ``response`` or ``both``.

    Attributes:
        said: What it said last about each subject, to end that session by.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        attributes: Attributes = MAPPING,
        entity_id: str = ENTITY_ID,
        keys: OwnKeys | None = None,
        signs: str = "assertion",
    ) -> None:
        self._clock, self._attributes, self.entity_id, self._signs = clock, attributes, entity_id, signs
        self.keys = keys or new_keys("idp.example", clock.now(), bits=KEY_BITS)
        self.retired: tuple[str, ...] = ()
        self._given = b""
        self.said: dict[str, Said] = {}
        self._entropy = SeededEntropy(entity_id)

    # --- what is told of it -----------------------------------------------------------------------------------------

    def settings(self, **changes: object) -> Document:
        """Return what an administrator sets for it by hand, with *changes*; a kind still has to read it."""
        mapping = attrs.asdict(self._attributes)
        typed = {"entity_id": self.entity_id, "sso_url": SSO_URL, "slo_url": SLO_URL}
        settings: dict[str, object] = {**typed, "certificates": [self.keys.certificate], **mapping, **changes}
        return settings  # type: ignore[return-value]  # a test may set anything

    def metadata(self, *, valid_until: datetime | None = None) -> str:
        """Return its metadata, which names the certificates of former keys as well."""
        spaces = {"md": PREFIXES["md"], "ds": PREFIXES["ds"]}
        root = etree.Element(name("md", "EntityDescriptor"), {"entityID": self.entity_id}, nsmap=spaces)
        if valid_until is not None:
            root.set("validUntil", write_instant(valid_until))
        protocol = {"protocolSupportEnumeration": PREFIXES["samlp"]}
        role = etree.SubElement(root, name("md", "IDPSSODescriptor"), protocol)
        for body in (*self.retired, self.keys.certificate):
            key = etree.SubElement(role, name("md", "KeyDescriptor"), {"use": "signing"})
            held = etree.SubElement(etree.SubElement(key, name("ds", "KeyInfo")), name("ds", "X509Data"))
            etree.SubElement(held, name("ds", "X509Certificate")).text = body
        for local, url in (("SingleLogoutService", SLO_URL), ("SingleSignOnService", SSO_URL)):
            etree.SubElement(role, name("md", local), {"Binding": REDIRECT, "Location": url})
        return etree.tostring(root, encoding="unicode")

    def roll_key(self, *, keep: bool = True) -> None:
        """Sign with a new key from now on; the former one stays in the metadata if *keep*."""
        self.retired = (*self.retired, self.keys.certificate) if keep else ()
        self.keys = new_keys("idp.example", self._clock.now(), bits=KEY_BITS)

    # --- answers ----------------------------------------------------------------------------------------------------

    def read(self, departure: Departure) -> Asked:
        """Return the request that the browser was sent away with."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(departure.url).query).items()}
        fields = departure.form or query
        data = base64.b64decode(fields["SAMLRequest"])
        root = etree.fromstring(data if departure.form else zlib.decompress(data, -zlib.MAX_WBITS))
        return Asked(
            id=root.get("ID", ""),
            issuer=root.findtext(name("saml", "Issuer")) or "",
            callback=root.get("AssertionConsumerServiceURL", ""),
            state=fields["RelayState"],
            signed="Signature" in fields or root.find(name("ds", "Signature")) is not None,
        )

    def say(self, asked: Asked, person: SamlPerson) -> Said:
        """Return what an answer to *asked* says when nothing goes wrong."""
        now, names = self._clock.now(), self._attributes
        values = {
            names.identifier: person.subject,
            names.email: person.email,
            names.first_name: person.first_name,
            names.last_name: person.last_name,
        }
        return Said(
            issuer=self.entity_id,
            audience=asked.issuer,
            destination=asked.callback,
            recipient=asked.callback,
            request=asked.id or None,
            issued=now,
            not_before=now,
            not_on_or_after=now + LIFE,
            response_id=self._new_id(),
            assertion_id=self._new_id(),
            name_id=person.subject,
            session_index=self._new_id(),
            attributes={key: (value,) for key, value in values.items() if key and not key.startswith("@")},
        )

    def answer(
        self, departure: Departure, person: SamlPerson, fault: SamlFault | None = None, *, reader: OwnKeys | None = None
    ) -> Callback:
        """Return what the browser brings back after *person* signed in; with a *reader*, for their key only."""
        asked = self.read(departure)
        if fault is not SamlFault.REUSED or not self._given:
            said = self.said[person.subject] = self.say(asked, person)
            changes = _changes(said, self._attributes, fault) if fault else {}
            self._given = self.write(attrs.evolve(said, **changes), fault, reader=reader)
        return callback(self._given, asked.state)

    def sends(self, here: Endpoints, person: SamlPerson, *, state: str = "") -> Callback:
        """Return what the browser of *person* brings to *here*, of one organization, and nobody had asked for.

        *state* is what the provider was set to send as ``RelayState``: often an address, never one to follow.
        """
        nobody = Asked(id="", issuer=here.metadata, callback=here.callback, state=state, signed=False)
        said = self.said[person.subject] = self.say(nobody, person)
        return callback(self.write(said), state)

    def write(self, said: Said, fault: SamlFault | None = None, *, reader: OwnKeys | None = None) -> bytes:
        """Return *said* as a signed document."""
        root = response(said)
        keys = self.keys if fault is not SamlFault.ROLLED_KEY else new_keys("idp.example", said.issued, bits=KEY_BITS)
        found = root.find(name("saml", "Assertion"))
        weak, signs = fault is SamlFault.WEAK, self._signs if fault is not SamlFault.UNSIGNED else ""
        if found is not None and signs in {"assertion", "both"}:
            sign(found, keys, weak=weak)
        if reader is not None:
            encrypt(root, reader, self._entropy)
        if signs in {"response", "both"}:
            sign(root, keys, weak=weak)
        if found is not None and fault is SamlFault.TAMPERED:
            _forge(found)
        if found is not None and fault is SamlFault.WRAPPED:
            _wrap(found, self._new_id())
        return etree.tostring(root)

    def ends_session(
        self, said: Said, destination: str, *, state: str = "", everywhere: bool = False, signs: bool = True
    ) -> str:
        """Return the URL by which it asks to end the session that *said* began, or *everywhere* all of that person."""
        request = etree.Element(name("samlp", "LogoutRequest"), nsmap={"saml": PREFIXES["saml"]})
        request.attrib.update({"ID": self._new_id(), "Version": "2.0", "Destination": destination})
        request.set("IssueInstant", write_instant(self._clock.now()))
        etree.SubElement(request, name("saml", "Issuer")).text = self.entity_id
        etree.SubElement(request, name("saml", "NameID"), {"Format": said.name_id_format}).text = said.name_id
        if not everywhere:
            etree.SubElement(request, name("samlp", "SessionIndex")).text = said.session_index
        own = self.keys if signs else None
        return redirect_url(destination, "SAMLRequest", request, state=Secret(state) if state else None, own=own)

    def ended_session(self, url: str, destination: str, *, complete: bool = True, state: str = "") -> str:
        """Return the URL by which it answers the request in *url* to end a session, *complete* or not."""
        fields = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        asked = etree.fromstring(zlib.decompress(base64.b64decode(fields["SAMLRequest"]), -zlib.MAX_WBITS))
        answer = logout_response(
            asked.get("ID", ""),
            identifier=self._new_id(),
            now=self._clock.now(),
            destination=destination,
            issuer=self.entity_id,
        )
        if not complete:
            answer[1][0].set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
        held = Secret(state or fields["RelayState"])
        return redirect_url(destination, "SAMLResponse", answer, state=held, own=self.keys)

    def _new_id(self) -> str:
        return f"_{self._entropy.random_bytes(16).hex()}"


def callback(document: bytes, state: str) -> Callback:
    """Return what a browser brings that posts *document*."""
    return Callback(fields={"SAMLResponse": (base64.b64encode(document).decode(),), "RelayState": (state,)})


HOUR: Final = timedelta(hours=1)

_SAID: Final[Mapping[SamlFault, dict[str, Any]]] = {
    SamlFault.WRONG_AUDIENCE: {"audience": "https://other.example/metadata"},
    SamlFault.WRONG_DESTINATION: {"destination": "https://other.example/callback"},
    SamlFault.WRONG_RECIPIENT: {"recipient": "https://other.example/callback"},
    SamlFault.WRONG_ISSUER: {"issuer": "https://other.example/idp"},
    SamlFault.WRONG_REQUEST: {"request": "_another"},
    SamlFault.UNASKED: {"request": None},
    SamlFault.REFUSED: {"status": "urn:oasis:names:tc:SAML:2.0:status:Responder"},
}
"""What a faulty answer says instead."""

_CHANGED: Final[Mapping[SamlFault, Callable[[Said, Attributes], dict[str, Any]]]] = {
    SamlFault.EXPIRED: lambda said, _names: _valid(said.issued - HOUR),
    SamlFault.EARLY: lambda said, _names: _valid(said.issued + HOUR),
    SamlFault.SESSION_OVER: lambda said, _names: {"session_ends": said.issued - HOUR},
    SamlFault.NO_IDENTIFIER: lambda said, names: {"name_id": "", "attributes": _without(said, names.identifier)},
    SamlFault.NO_ADDRESS: lambda said, names: {"attributes": _without(said, names.email)},
    SamlFault.CHANGED_SUBJECT: lambda said, names: {
        "name_id": "changed",
        "attributes": {**said.attributes, names.identifier: ("changed",)},
    },
}
"""Likewise, where it depends on what would be right. All other faults are made when the answer is written."""


def _changes(said: Said, names: Attributes, fault: SamlFault) -> dict[str, Any]:
    change = _CHANGED.get(fault)
    return _SAID.get(fault, {}) if change is None else change(said, names)


def _valid(begins: datetime) -> dict[str, Any]:
    return {"not_before": begins, "not_on_or_after": begins + LIFE}


def _without(said: Said, key: str) -> dict[str, tuple[str, ...]]:
    return {name: values for name, values in said.attributes.items() if name != key}


def _forge(assertion: Element) -> None:
    for value in assertion.iter(name("saml", "AttributeValue")):
        value.text = f"evil-{value.text}"


def _wrap(assertion: Element, identifier: str) -> None:
    """Put a forged assertion before the signed one, whose signature stays good (XSW)."""
    forged = etree.fromstring(etree.tostring(assertion))
    forged.set("ID", identifier)
    forged.remove(forged[1])
    _forge(forged)
    assertion.addprevious(forged)
