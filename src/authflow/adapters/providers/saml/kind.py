"""SAML 2.0 Web Browser SSO, as a service provider: the generic kind and those that are known by name.

The browser carries a request there and an assertion back. The assertion is believed after the gate, the verifier and
the rules, each in a module of its own; the extra ``saml`` brings what they read XML and signatures with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.errors import Code, ExtraMissing
from authflow.sso.capabilities import Named
from authflow.sso.kinds import Assertion, Departure, Rechecked, Rejected
from authflow.sso.recheck import Said
from authflow.values import Secret

try:
    from authflow.adapters.providers.saml.answer import Demands, open_answer
    from authflow.adapters.providers.saml.gate import decode
    from authflow.adapters.providers.saml.logout import (
        logout_request,
        logout_response,
        read_logout_request,
        read_logout_response,
    )
    from authflow.adapters.providers.saml.metadata import ourselves, write_metadata
    from authflow.adapters.providers.saml.peers import Peers
    from authflow.adapters.providers.saml.presets import GENERIC, PRESETS
    from authflow.adapters.providers.saml.request import (
        IDENTIFIER_BYTES,
        authentication_request,
        new_id,
        post_form,
        redirect_url,
    )
    from authflow.adapters.providers.saml.rules import Expected, check_assertion
    from authflow.adapters.providers.saml.settings import KEPT, listed_settings, load_settings, read_settings
    from authflow.adapters.providers.saml.subject import read_person, specified
    from authflow.adapters.providers.saml.verifier import PythonSamlVerifier
    from authflow.adapters.providers.saml.warnings import warnings
    from authflow.adapters.providers.saml.xml import Unacceptable, Untrusted
except ImportError as error:
    raise ExtraMissing(extra="saml") from error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.adapters.providers.saml.metadata import Peer
    from authflow.adapters.providers.saml.presets import Preset
    from authflow.adapters.providers.saml.rules import VerifiedAssertion
    from authflow.adapters.providers.saml.settings import Settings
    from authflow.adapters.providers.saml.verifier import SamlVerifier
    from authflow.adapters.providers.saml.warnings import Warned
    from authflow.ports import Entropy
    from authflow.sso.capabilities import LoggedOut, LogoutRequested, Setting
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.fetching import Fetcher
    from authflow.sso.kinds import Callback, Document, Trip

TRUST: Final = KEPT - {"first_name", "last_name"}
"""Which settings say whom to believe, and who somebody is; a display name does neither."""


class Saml2:
    """`authflow.sso.kinds.Kind` for SAML 2.0, and single logout beside it.

    A trip of single logout has as its *callback* the address where that is answered.

    Args:
        fetcher: Gets metadata.
        entropy: Makes the ids of requests.
        preset: One of the providers known by name; the generic kind unless given.
        verifier: Checks signatures; python3-saml unless given.
    """

    def __init__(
        self, *, fetcher: Fetcher, entropy: Entropy, preset: Preset = GENERIC, verifier: SamlVerifier | None = None
    ) -> None:
        self._fetcher, self._entropy, self.preset = fetcher, entropy, preset
        self._verifier = verifier or PythonSamlVerifier()
        self._peers = Peers(fetcher)

    @property
    def key(self) -> str:
        """The preset's."""
        return self.preset.key

    @property
    def name(self) -> str:
        """The preset's."""
        return self.preset.name

    @property
    def version(self) -> str:
        """Of the steps: away, and back with an assertion."""
        return "1"

    @property
    def trust(self) -> frozenset[str]:
        """All but the parts of a display name."""
        return TRUST

    @property
    def naming(self) -> frozenset[str]:
        """Who asserts, and what of an assertion is the subject."""
        return frozenset({"entity_id", "identifier"})

    @property
    def secrets(self) -> frozenset[str]:
        """Our own key."""
        return frozenset({"private_key"})

    @property
    def sent_to(self) -> Mapping[str, frozenset[str]]:
        """Nowhere: the key signs and decrypts here."""
        return {"private_key": frozenset()}

    @property
    def memory_sent_to(self) -> frozenset[str]:
        """Nowhere: what a link remembers names somebody, and opens nothing."""
        return frozenset()

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The provider's metadata, or what it would say; then what of an assertion is whom."""
        return listed_settings(self.preset)

    # --- settings ---------------------------------------------------------------------------------------------------

    def read(self, settings: Document) -> Document:
        return read_settings(settings, self.preset, self._fetcher, self._fetched)

    def warnings(self, settings: Document, now: datetime) -> tuple[Warned, ...]:
        """Return what of *settings*, and of the metadata as it was read last, ends soon or has ended."""
        loaded = load_settings(settings)
        return warnings(loaded, self._peers.last(loaded), now)

    def describe(self, settings: Document | None, *, endpoints: Endpoints) -> str:
        """Return our own metadata, which is served at the entity id.

        Raises:
            InputInvalid: ``certificate``: it is none, or is missing where requests are signed.
        """
        return write_metadata(ourselves(settings or {}, endpoints))

    # --- there and back ---------------------------------------------------------------------------------------------

    def depart(self, settings: Document, trip: Trip) -> Departure | Rejected:
        loaded = load_settings(settings)
        try:
            peer = self._peers.current(loaded, trip.now, self._fetcher.errand())
        except Unacceptable as refused:
            return _rejected(refused)
        identifier = self._new_id()
        message = authentication_request(
            identifier=identifier,
            now=trip.now,
            destination=peer.sso_url,
            issuer=trip.metadata,
            callback=trip.callback,
        )
        own = loaded.own if loaded.sign_requests else None
        if peer.sso_binding == "post":
            form = post_form("SAMLRequest", message, state=trip.state, own=own)
            return Departure(url=peer.sso_url, form=form, request={"id": identifier})
        url = redirect_url(peer.sso_url, "SAMLRequest", message, state=trip.state, own=own)
        return Departure(url=url, request={"id": identifier})

    def arrive(self, settings: Document, trip: Trip, request: Document, callback: Callback) -> Assertion | Rejected:
        asked = request.get("id")
        if not isinstance(asked, str) or not asked:
            return Rejected(code=Code.SSO_RESPONSE_INVALID, detail="request: has no id")
        return self._arrived(settings, trip, callback, asked=asked)

    def takes_unasked(self, settings: Document) -> bool:
        return load_settings(settings).idp_initiated

    def arrive_unasked(self, settings: Document, trip: Trip, callback: Callback) -> Assertion | Rejected:
        """Check an answer that the provider sent of itself, to no request of ours.

        Anybody can make a browser bring one, with an account of theirs (security 22). A policy alone may let it in, to
        a page where the person confirms it, and never to a link (decision 25).
        """
        return self._arrived(settings, trip, callback, asked=None)

    def can_confirm(self, settings: Document) -> bool:  # noqa: ARG002  # SAML has nobody to ask, whatever is set
        return False

    def recheck(self, settings: Document, memory: Document, now: datetime) -> Rechecked:  # noqa: ARG002  # as above
        return Rechecked(said=Said.FAILED, memory=memory)

    def _arrived(self, kept: Document, trip: Trip, callback: Callback, *, asked: str | None) -> Assertion | Rejected:
        field = callback.one("SAMLResponse")
        if field is None:
            return Rejected(code=Code.SSO_RESPONSE_INVALID, detail="SAMLResponse: missing, or there more than once")
        settings = load_settings(kept)
        try:
            peer, verified = self._opened(decode(field), settings, trip.now)
            expected = _expected(peer, trip, asked)
            once = check_assertion(verified, expected)
            person = read_person(verified.assertion, settings.attributes, expected)
        except Unacceptable as refused:
            return _rejected(refused)
        return Assertion(
            subject=person.subject, email=person.email, name=person.name, once=(once,), memory=person.logout
        )

    def _opened(self, data: bytes, settings: Settings, now: datetime) -> tuple[Peer, VerifiedAssertion]:
        """Return what was signed, and by whom; a provider that has changed its key is asked for the new one."""
        errand = self._fetcher.errand()
        peer = self._peers.current(settings, now, errand)
        try:
            return peer, open_answer(data, _demands(settings, peer), self._verifier)
        except Untrusted:
            newer = self._peers.newer(settings, peer, now, errand)
            if newer.certificates == peer.certificates:
                raise
            return newer, open_answer(data, _demands(settings, newer), self._verifier)

    # --- single logout ----------------------------------------------------------------------------------------------

    def named(self, memory: Document) -> Named | None:
        name, index = memory.get("value"), memory.get("session_index")
        if not isinstance(name, str) or not name:
            return None
        return Named(name=name, index=index if isinstance(index, str) else "", format=specified(memory.get("format")))

    def depart_logout(self, settings: Document, trip: Trip, memory: Document) -> Departure | None:
        """Ask the provider to end the session that left *memory*; none where there is nowhere to ask."""
        loaded = load_settings(settings)
        if not loaded.peer.slo_url or not memory.get("value"):
            return None
        identifier, destination = self._new_id(), loaded.peer.slo_url
        message = logout_request(
            memory, identifier=identifier, now=trip.now, destination=destination, issuer=trip.metadata
        )
        url = redirect_url(destination, "SAMLRequest", message, state=trip.state, own=loaded.own)
        return Departure(url=url, request={"id": identifier})

    def read_logout(self, settings: Document, trip: Trip, query: str) -> LogoutRequested | Rejected:
        """Check the request of a provider to end sessions. *query* is the raw text behind the question mark."""
        loaded = load_settings(settings)
        try:
            peer = self._peers.current(loaded, trip.now, self._fetcher.errand())
            expected = _expected(peer, trip, None)
            return read_logout_request(query, certificates=peer.certificates, expected=expected)
        except Unacceptable as refused:
            return _rejected(refused)

    def answer_logout(self, settings: Document, trip: Trip, requested: LogoutRequested) -> Departure | None:
        """Tell the provider that what it *requested* is done; none where there is nowhere to tell it."""
        loaded = load_settings(settings)
        destination = loaded.peer.slo_url
        if not destination:
            return None
        message = logout_response(
            requested.id, identifier=self._new_id(), now=trip.now, destination=destination, issuer=trip.metadata
        )
        state = None if requested.state is None else Secret(requested.state)
        return Departure(
            url=redirect_url(destination, "SAMLResponse", message, state=state, own=loaded.own), request={}
        )

    def arrive_logout(self, settings: Document, trip: Trip, request: Document, query: str) -> LoggedOut | Rejected:
        """Check the answer to the request that `depart_logout` made, with what it left in *request*."""
        loaded = load_settings(settings)
        try:
            peer = self._peers.current(loaded, trip.now, self._fetcher.errand())
            expected = _expected(peer, trip, str(request.get("id")))
            return read_logout_response(query, certificates=peer.certificates, expected=expected)
        except Unacceptable as refused:
            return _rejected(refused)

    def _fetched(self, url: str) -> bytes:
        return self._peers.fetch(url, self._fetcher.errand())

    def _new_id(self) -> str:
        return new_id(self._entropy.random_bytes(IDENTIFIER_BYTES))


def saml_kinds(*, fetcher: Fetcher, entropy: Entropy, verifier: SamlVerifier | None = None) -> tuple[Saml2, ...]:
    """Return the generic kind and one for every preset."""
    return tuple(Saml2(fetcher=fetcher, entropy=entropy, preset=p, verifier=verifier) for p in PRESETS)


def _demands(settings: Settings, peer: Peer) -> Demands:
    return Demands(
        certificates=peer.certificates,
        private_key=settings.own.private_key if settings.own else None,
        signed=settings.signed,
        encrypted=settings.encrypted,
    )


def _expected(peer: Peer, trip: Trip, asked: str | None) -> Expected:
    return Expected(issuer=peer.entity_id, audience=trip.metadata, recipient=trip.callback, request=asked, now=trip.now)


def _rejected(refused: Unacceptable) -> Rejected:
    return Rejected(code=refused.code, detail=refused.problem)
