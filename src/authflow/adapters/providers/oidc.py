"""OpenID Connect: any provider that publishes a discovery document."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from authflow.adapters.providers.discovery import METHODS, Discovery
from authflow.adapters.providers.documents import person_name, text, texts
from authflow.adapters.providers.oidc_flow import OidcFlow, RelyingParty
from authflow.adapters.providers.settings import reading
from authflow.adapters.providers.signatures import TYPES
from authflow.adapters.system import SystemEntropy
from authflow.mailbox import read_address
from authflow.sso.capabilities import Setting, Shape
from authflow.sso.kinds import Assertion, Departure, Rechecked, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.adapters.providers.oidc_flow import Authenticated
    from authflow.ports import Entropy
    from authflow.sso.fetching import Fetcher
    from authflow.sso.kinds import Callback, Document, Trip

OFFLINE: Final = "offline_access"
"""Core 11: the scope that asks for a refresh token."""

SCOPES: Final = ("openid", "profile", "email")

PROMPTS: Final = ("", "consent", "login", "select_account")
"""Core 3.1.2.1: what the provider is to show in any case; nothing, or one of these."""

MAX_AGE: Final = (5 * 60, 30 * 24 * 3600)
"""Seconds: signing in and agreeing takes minutes; whoever is to sign in every time is asked by ``prompt``."""


class OidcKind:
    """`authflow.sso.kinds.Kind` for any provider with a discovery document.

    Settings: ``issuer``, ``client_id``, ``client_secret`` (none for a public client), ``client_auth`` (``basic`` or
    ``post``; by the provider's document unless given), ``scopes``, ``algorithms``, ``prompt``, ``max_age`` (seconds),
    ``require_pkce``, ``userinfo``. With the scope ``offline_access`` people are asked about again every day, by their
    refresh tokens.

    Args:
        fetcher: Reaches the provider.
        discovery: What providers publish; one for all kinds of an installation, of its own unless given.
        entropy: The operating system's unless given.
    """

    key = "oidc"
    name = "OpenID Connect"
    version = "1"
    trust = frozenset(
        {
            "issuer",
            "client_id",
            "client_secret",
            "client_auth",
            "scopes",
            "algorithms",
            "prompt",
            "max_age",
            "require_pkce",
            "userinfo",
        }
    )
    naming = frozenset({"issuer"})
    secrets = frozenset({"client_secret"})
    settings = (
        Setting(name="issuer", required=True),
        Setting(name="client_id", required=True),
        Setting(name="client_secret", secret=True),
        Setting(name="client_auth", choices=("", *METHODS)),
        Setting(name="scopes", shape=Shape.LIST),
        Setting(name="algorithms", shape=Shape.LIST, choices=tuple(TYPES)),
        Setting(name="prompt", choices=PROMPTS),
        Setting(name="max_age", shape=Shape.NUMBER),
        Setting(name="require_pkce", shape=Shape.FLAG),
        Setting(name="userinfo", shape=Shape.FLAG),
    )
    sent_to: Mapping[str, frozenset[str]] = {"client_secret": frozenset({"issuer", "client_id"})}
    memory_sent_to = frozenset({"issuer", "client_id"})

    def __init__(self, fetcher: Fetcher, *, discovery: Discovery | None = None, entropy: Entropy | None = None) -> None:
        self._fetcher = fetcher
        self._flow = OidcFlow(fetcher, discovery or Discovery(fetcher), entropy or SystemEntropy())

    def read(self, settings: Document) -> Document:
        with reading(settings, self.trust) as fields:
            scopes = fields.scopes("scopes", default=SCOPES, always=("openid",))
            return {
                "issuer": fields.issuer("issuer", self._fetcher),
                "client_id": fields.text("client_id"),
                "client_secret": fields.secret("client_secret"),
                "client_auth": fields.choice("client_auth", ("", *METHODS), default=""),
                "scopes": scopes,
                "algorithms": fields.choices("algorithms", TYPES, default=("RS256",)),
                # Core 11: a refresh token is given where the person agrees to it, each time
                "prompt": fields.choice("prompt", PROMPTS, default="consent" if OFFLINE in scopes else ""),
                "max_age": fields.number("max_age", *MAX_AGE),
                "require_pkce": fields.flag("require_pkce", default=True),
                "userinfo": fields.flag("userinfo", default=True),
            }

    def can_confirm(self, settings: Document) -> bool:
        return OFFLINE in texts(settings, "scopes")

    def depart(self, settings: Document, trip: Trip) -> Departure | Rejected:
        prompt = text(settings, "prompt")
        return self._flow.depart(_party(settings), trip, {"prompt": prompt} if prompt else {})

    def arrive(self, settings: Document, trip: Trip, request: Document, callback: Callback) -> Assertion | Rejected:
        proven = self._flow.arrive(_party(settings), trip, request, callback)
        return proven if isinstance(proven, Rejected) else assertion(proven)

    def recheck(self, settings: Document, memory: Document, now: datetime) -> Rechecked:
        return self._flow.recheck(_party(settings), memory, now)


def assertion(proven: Authenticated) -> Assertion:
    """Return what is *proven* as every kind of provider says it."""
    kept = {"refresh_token": proven.tokens.refresh, "subject": proven.verified.subject}
    return Assertion(
        subject=proven.verified.subject,
        email=read_address(proven.claims.get("email")),
        email_verified=proven.claims.get("email_verified"),
        name=person_name(proven.claims.get("name")),
        once=(proven.once,),
        memory=kept if proven.tokens.refresh is not None else {},
    )


def _party(settings: Document) -> RelyingParty:
    """Return the provider that canonical *settings* describe."""
    seconds = settings.get("max_age")
    return RelyingParty(
        issuer=text(settings, "issuer") or "",
        client_id=text(settings, "client_id") or "",
        client_secret=text(settings, "client_secret"),
        client_auth=text(settings, "client_auth") or "",
        scopes=texts(settings, "scopes"),
        algorithms=frozenset(texts(settings, "algorithms")),
        max_age=timedelta(seconds=seconds) if isinstance(seconds, int) else None,
        require_pkce=settings.get("require_pkce") is not False,
        userinfo=settings.get("userinfo") is not False,
    )
