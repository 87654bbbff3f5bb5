"""OAuth 2 without OpenID Connect: whoever the access token belongs to, as the provider's own document says it.

Nothing is signed and nothing is bound to the request but by PKCE and the state; where a provider speaks OpenID
Connect, that is the better kind.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from authflow.adapters.providers.code_flow import (
    Client,
    authorization,
    exchange,
    fresh_secret,
    read_code,
    refresh,
)
from authflow.adapters.providers.discovery import BASIC, JSON, METHODS
from authflow.adapters.providers.documents import document, invalid, person_name, text, texts
from authflow.adapters.providers.settings import reading
from authflow.adapters.system import SystemEntropy
from authflow.errors import Code
from authflow.mailbox import read_address
from authflow.sso.capabilities import Setting, Shape
from authflow.sso.fetching import Request
from authflow.sso.identity import Subject, read_subject
from authflow.sso.kinds import Assertion, Departure, Rechecked, Rejected, Single
from authflow.sso.recheck import Said

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.adapters.providers.code_flow import Tokens
    from authflow.adapters.providers.settings import Fields
    from authflow.ports import Entropy
    from authflow.sso.fetching import Errand, Fetcher
    from authflow.sso.kinds import Callback, Document, Json, Trip

CODE_LIFE: Final = timedelta(hours=1)
"""How long a code is remembered; RFC 6749 4.1.2 lets one live for ten minutes at most."""

NUMBER_MAX: Final = 2**63
"""Identifiers that are numbers stay below this: beyond 2**53 some providers' JSON is already inexact."""


class Oauth2Kind:
    """`authflow.sso.kinds.Kind` for a provider of OAuth 2 that tells in a JSON document whose token it gave.

    Settings: ``authorization_url``, ``token_url``, ``userinfo_url``, ``client_id``, ``client_secret`` (none for a
    public client), ``client_auth`` (``basic`` or ``post``), ``scopes``, ``subject``, ``email``, ``name``, ``recheck``.

    The last but one say where in the document each is: the name of a member, or a JSON Pointer (RFC 6901) such as
    ``/data/id``. With ``recheck`` people are asked about again every day, by their refresh tokens.
    """

    key = "oauth2"
    name = "OAuth 2"
    version = "1"
    trust = frozenset(
        {
            "authorization_url",
            "token_url",
            "userinfo_url",
            "client_id",
            "client_secret",
            "client_auth",
            "scopes",
            "subject",
            "email",
            "name",
            "recheck",
        }
    )
    naming = frozenset({"userinfo_url", "subject"})
    secrets = frozenset({"client_secret"})
    settings = (
        Setting(name="authorization_url", required=True),
        Setting(name="token_url", required=True),
        Setting(name="userinfo_url", required=True),
        Setting(name="client_id", required=True),
        Setting(name="client_secret", secret=True),
        Setting(name="client_auth", choices=tuple(METHODS)),
        Setting(name="scopes", shape=Shape.LIST),
        Setting(name="subject", required=True),
        Setting(name="email"),
        Setting(name="name"),
        Setting(name="recheck", shape=Shape.FLAG),
    )
    sent_to: Mapping[str, frozenset[str]] = {"client_secret": frozenset({"token_url", "client_id"})}
    memory_sent_to = frozenset({"token_url", "userinfo_url", "client_id"})

    def __init__(self, fetcher: Fetcher, *, entropy: Entropy | None = None) -> None:
        self._fetcher, self._entropy = fetcher, entropy or SystemEntropy()

    def read(self, settings: Document) -> Document:
        with reading(settings, self.trust) as fields:
            return {
                "authorization_url": fields.url("authorization_url", self._fetcher),
                "token_url": fields.url("token_url", self._fetcher),
                "userinfo_url": fields.url("userinfo_url", self._fetcher),
                "client_id": fields.text("client_id"),
                "client_secret": fields.secret("client_secret"),
                "client_auth": fields.choice("client_auth", tuple(METHODS), default="basic"),
                "scopes": fields.scopes("scopes", default=()),
                "subject": _pointer(fields, "subject"),
                "email": _pointer(fields, "email", default="") or None,
                "name": _pointer(fields, "name", default="") or None,
                "recheck": fields.flag("recheck", default=False),
            }

    def can_confirm(self, settings: Document) -> bool:
        return settings.get("recheck") is True

    def depart(self, settings: Document, trip: Trip) -> Departure | Rejected:
        verifier = fresh_secret(self._entropy)
        scopes = " ".join(texts(settings, "scopes"))
        client, endpoint = _client(settings), text(settings, "authorization_url") or ""
        url = authorization(endpoint, client.id, verifier, trip, {"scope": scopes} if scopes else {})
        return Departure(url=url, request={"verifier": verifier})

    def arrive(self, settings: Document, trip: Trip, request: Document, callback: Callback) -> Assertion | Rejected:
        errand = self._fetcher.errand()
        exchanged = exchange_once(errand, _client(settings), trip, request, callback)
        if isinstance(exchanged, Rejected):
            return exchanged
        tokens, once = exchanged
        said = _userinfo(errand, settings, tokens)
        if isinstance(said, Rejected):
            return said
        subject = subject_of(_set_at(said, settings, "subject"))
        if subject is None:
            return Rejected(code=Code.SSO_IDENTITY_INCOMPLETE, detail="no identifier where the settings say it is")
        kept = {"refresh_token": tokens.refresh, "subject": subject}
        return Assertion(
            subject=subject,
            email=read_address(_set_at(said, settings, "email")),
            name=person_name(_set_at(said, settings, "name")),
            once=(once,),
            memory=kept if tokens.refresh is not None else {},
        )

    def recheck(self, settings: Document, memory: Document, now: datetime) -> Rechecked:  # noqa: ARG002  # nothing expires
        errand = self._fetcher.errand()
        tokens = refresh(errand, _client(settings), memory)
        if isinstance(tokens, Rechecked):
            return tokens
        kept = {**memory, "refresh_token": tokens.refresh}
        said = _userinfo(errand, settings, tokens)
        if isinstance(said, Rejected):
            return Rechecked(said=Said.FAILED, memory=kept, detail=said.detail)
        if subject_of(_set_at(said, settings, "subject")) != memory.get("subject"):
            return Rechecked(said=Said.FAILED, memory=kept, detail="the userinfo document means another subject")
        return Rechecked(said=Said.CONFIRMED, memory=kept)


def exchange_once(
    errand: Errand, client: Client, trip: Trip, request: Document, callback: Callback
) -> tuple[Tokens, Single] | Rejected:
    """Return the tokens for the code of an answer, and what makes that code be accepted once."""
    verifier, code = text(request, "verifier"), read_code(callback)
    if isinstance(code, Rejected):
        return code
    if verifier is None:
        return invalid("there is no request that this answers")
    tokens = exchange(errand, client, code, verifier, trip.callback)
    if isinstance(tokens, Rejected):
        return tokens
    digest = hashlib.sha256(f"{client.token_url} {client.id} {code}".encode()).hexdigest()
    return tokens, Single(key=f"oauth2:{digest}", expires_at=trip.now + CODE_LIFE)


def subject_of(said: Json) -> Subject | None:
    """Return an identifier that is a text, or a whole number in decimal; none of anything else."""
    if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < NUMBER_MAX:
        return Subject(str(said))
    return read_subject(said)


def at(said: Document, where: str) -> Json:
    """Return what stands at the member or JSON Pointer *where*; none if nothing does."""
    if not where.startswith("/"):
        return said.get(where)
    value: Json = dict(said)
    for token in where[1:].split("/"):
        name = token.replace("~1", "/").replace("~0", "~")  # RFC 6901 4, in this order
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and name.isascii() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _set_at(said: Document, settings: Document, name: str) -> Json:
    """Return what stands where setting *name* says; none if it is not set, whatever a member without a name says."""
    where = text(settings, name)
    return None if where is None else at(said, where)


def _userinfo(errand: Errand, settings: Document, tokens: Tokens) -> Document | Rejected:
    headers = {**JSON, "authorization": f"Bearer {tokens.access}"}
    url = text(settings, "userinfo_url") or ""
    return document(errand.fetch(Request(url=url, headers=headers)), "the userinfo document")


def _pointer(fields: Fields, name: str, *, default: str | None = None) -> str:
    where = fields.text(name, default=default)
    if where.startswith("/") and "~" in where.replace("~0", "").replace("~1", ""):
        fields.wrong(name, "is no JSON Pointer")
    return where


def _client(settings: Document) -> Client:
    return Client(
        id=text(settings, "client_id") or "",
        secret=text(settings, "client_secret"),
        token_url=text(settings, "token_url") or "",
        method=METHODS.get(text(settings, "client_auth") or "", BASIC),
    )
