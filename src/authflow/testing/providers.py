"""A provider for tests, in the same process: it signs in whom a test names, and goes wrong as it is told.

>>> idp = FakeProvider()
>>> idp.person("00u1", email="ada@example.org")
FakePerson(subject='00u1', email='ada@example.org', email_verified=None, name='', legacy=None)
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs

from authflow.errors import Code, InputInvalid
from authflow.sso.connection import Connected, Settings
from authflow.sso.identity import Subject
from authflow.sso.kinds import Assertion, Callback, Departure, Rechecked, Rejected, Single
from authflow.sso.recheck import Said
from authflow.sso.sealing import Vault, settings_binding, settings_digest
from authflow.values import OrganizationId, ProviderId, token_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from authflow.sso.kinds import Document, Kind, Trip
    from authflow.wiring import Authflow

URL = "https://idp.example.net/authorize"
ANSWER_LIFE = timedelta(minutes=5)


@unique
class Fault(StrEnum):
    """What goes wrong the next time, and until it is taken back."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    INVALID = "invalid"
    NAMELESS = "nameless"
    REUSED = "reused"


@attrs.frozen(kw_only=True)
class FakePerson:
    """Somebody whom a provider knows."""

    subject: str
    email: object = None
    email_verified: object = None
    name: str = ""
    legacy: str | None = None


@attrs.define(kw_only=True)
class FakeProvider:
    """A kind of provider, `authflow.sso.kinds.Kind`, whose people and faults a test scripts.

    Args:
        key: Under which it is registered; ``google`` and ``github`` are trusted to verify addresses.
        fault: What goes wrong.
        secret: It gives every link something to ask again with.
        probe: Called whenever it would use the network.
    """

    key: str = "fake"
    name: str = "Fake"
    version: str = "1"
    fault: Fault = Fault.NONE
    secret: bool = False
    probe: Callable[[], None] = lambda: None
    people: dict[str, FakePerson] = attrs.field(factory=dict[str, FakePerson])
    said: Said = Said.CONFIRMED
    trust: frozenset[str] = frozenset({"url", "issuer"})
    naming: frozenset[str] = frozenset({"issuer"})
    secrets: frozenset[str] = frozenset({"client_secret"})
    sent_to: Mapping[str, frozenset[str]] = attrs.field(factory=lambda: {"client_secret": frozenset({"url", "issuer"})})
    memory_sent_to: frozenset[str] = frozenset({"url", "issuer"})

    def person(self, subject: str, **claims: Any) -> FakePerson:  # noqa: ANN401  # each claim has its own type
        """Add somebody, or change what is said of them; return them."""
        self.people[subject] = FakePerson(subject=subject, **claims)
        return self.people[subject]

    # --- the person's browser there -------------------------------------------------------------------------------

    def answer(self, url: str, subject: str) -> Callback:
        """Return what the browser brings back after *subject* signed in at *url*, where it was sent."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"{subject}|{asked['nonce']}"
        return Callback(fields={"state": (asked["state"],), "code": (code,)})

    # --- the kind ---------------------------------------------------------------------------------------------------

    def read(self, settings: Document) -> Document:
        """Return *settings*, which may have an ``url``, an ``issuer`` and a ``client_secret``."""
        unknown = sorted(set(settings) - {"url", "issuer", "client_secret"})
        if unknown:
            others = tuple((name, "is unknown") for name in unknown[1:])
            raise InputInvalid(field=unknown[0], problem="is unknown", others=others)
        return {"url": URL, **settings}

    def can_confirm(self, settings: Document) -> bool:  # noqa: ARG002  # the port gives them
        """Tell whether it gives links something to ask again with."""
        return self.secret

    def depart(self, settings: Document, trip: Trip) -> Departure | Rejected:
        """Send the browser to the provider, with a nonce."""
        self.probe()
        if self.fault is Fault.UNREACHABLE:
            return Rejected(code=Code.SSO_PROVIDER_UNREACHABLE, detail="scripted")
        nonce = token_digest(trip.state).hex()
        query = urlencode({"state": trip.state.reveal(), "nonce": nonce, "redirect_uri": trip.callback})
        return Departure(url=f"{settings['url']}?{query}", request={"nonce": nonce})

    def arrive(self, settings: Document, trip: Trip, request: Document, callback: Callback) -> Assertion | Rejected:  # noqa: ARG002  # the port gives them
        """Say who signed in, if the answer is to the request."""
        self.probe()
        subject, _, nonce = (callback.one("code") or "").rpartition("|")
        person = self.people.get(subject)
        if self.fault is Fault.UNREACHABLE:
            return Rejected(code=Code.SSO_PROVIDER_UNREACHABLE, detail="scripted")
        if self.fault is Fault.REFUSED or person is None:
            return Rejected(code=Code.SSO_PROVIDER_REFUSED, detail="scripted")
        if self.fault is Fault.INVALID or nonce != request["nonce"]:
            return Rejected(code=Code.SSO_RESPONSE_INVALID, detail="scripted")
        return Assertion(
            subject=Subject("" if self.fault is Fault.NAMELESS else person.subject),
            legacy=None if person.legacy is None else Subject(person.legacy),
            email=person.email,  # type: ignore[arg-type]  # whatever a provider may say
            email_verified=person.email_verified,
            name=person.name,
            once=(Single(key=f"{self.key}:{self._answer_id(nonce, callback)}", expires_at=trip.now + ANSWER_LIFE),),
            memory={"refresh_token": f"refresh-{subject}"} if self.secret else {},
        )

    def _answer_id(self, nonce: str, callback: Callback) -> str:
        return "answer" if self.fault is Fault.REUSED else callback.one("id") or nonce

    def recheck(self, settings: Document, memory: Document, now: datetime) -> Rechecked:  # noqa: ARG002  # the port gives them
        """Say what the test scripted."""
        self.probe()
        return Rechecked(said=self.said, memory=memory)


def connect(
    flows: Authflow,
    organization: OrganizationId,
    kind: Kind,
    *,
    cipher: Any,  # noqa: ANN401  # whatever seals in this installation
    config: Document | None = None,
    **settings: Any,  # noqa: ANN401  # each setting has its own type
) -> ProviderId:
    """Connect a provider of *kind*, set up by *config*, at once and without anybody's signing in; return its id."""
    key = ProviderId(f"{organization}-idp")
    document = kind.read(config or {})
    sealed = Vault(cipher).seal(document, settings_binding(organization, key))
    standing = Settings(config=sealed, steps=settings_digest(kind, document), confirms=kind.can_confirm(document))
    made = Connected(
        id=key,
        organization=organization,
        kind=kind.key,
        name=kind.name,
        settings=attrs.evolve(standing, **settings),
        connected_at=flows.clock.now(),
    )
    with flows.uow.begin() as tx:
        tx.providers.save(organization, made, expected=0)
    return key
