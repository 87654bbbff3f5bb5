"""Google: OpenID Connect, and only people whose account belongs to one of the organization's Workspace domains."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from authflow.adapters.providers.discovery import Discovery
from authflow.adapters.providers.documents import text, texts
from authflow.adapters.providers.oidc import SCOPES, assertion
from authflow.adapters.providers.oidc_flow import OidcFlow, RelyingParty
from authflow.adapters.providers.settings import MISSING, reading
from authflow.adapters.system import SystemEntropy
from authflow.errors import Code
from authflow.sso.capabilities import Setting, Shape
from authflow.sso.identity import read_subject, vouches
from authflow.sso.kinds import Assertion, Departure, Rechecked, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.adapters.providers.settings import Fields
    from authflow.ports import Entropy
    from authflow.sso.fetching import Fetcher
    from authflow.sso.kinds import Callback, Document, Json, Trip

ISSUER: Final = "https://accounts.google.com"

DOMAIN: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
"""A domain name in lower-case ASCII; an internationalized one is given as ``xn--``."""

PUBLIC_DOMAINS: Final = frozenset(
    {
        "aol.com",
        "duck.com",
        "fastmail.com",
        "gmail.com",
        "gmx.com",
        "gmx.de",
        "gmx.net",
        "googlemail.com",
        "hotmail.com",
        "icloud.com",
        "live.com",
        "mac.com",
        "mail.com",
        "mail.ru",
        "me.com",
        "msn.com",
        "outlook.com",
        "pm.me",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "web.de",
        "yahoo.com",
        "yandex.com",
        "yandex.ru",
        "ymail.com",
        "zoho.com",
    }
)
"""Domains in which everybody gets a mailbox: letting one in would let everybody in."""


class GoogleKind:
    """`authflow.sso.kinds.Kind` for Google Workspace.

    Settings: ``client_id``, ``client_secret``, ``domains`` (one or more; ``domain`` for one, as older settings say
    it). Whoever signs in must carry one of them in the claim ``hd``, which Google alone sets: the part of an address
    behind the ``@`` says nothing. Google is asked about people again every day.

    Args:
        fetcher: Reaches Google.
        discovery: What providers publish; one for all kinds of an installation, of its own unless given.
        entropy: The operating system's unless given.
        issuer: Who signs, for tests. It is the installation's to say and no setting: Google's word on an address
            counts (`authflow.sso.identity.vouches`).
    """

    key = "google"
    name = "Google"
    version = "1"
    trust = frozenset({"client_id", "client_secret", "domains"})
    naming: frozenset[str] = frozenset()
    secrets = frozenset({"client_secret"})
    settings = (
        Setting(name="client_id", required=True),
        Setting(name="client_secret", required=True, secret=True),
        Setting(name="domains", shape=Shape.LIST, required=True),
    )
    sent_to: Mapping[str, frozenset[str]] = {"client_secret": frozenset({"client_id"})}
    memory_sent_to = frozenset({"client_id"})

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        discovery: Discovery | None = None,
        entropy: Entropy | None = None,
        issuer: str = ISSUER,
    ) -> None:
        self._issuer = issuer
        self._flow = OidcFlow(fetcher, discovery or Discovery(fetcher), entropy or SystemEntropy())

    def read(self, settings: Document) -> Document:
        with reading(settings, self.trust | {"domain"}) as fields:
            return {
                "client_id": fields.text("client_id"),
                "client_secret": fields.required_secret("client_secret"),
                "domains": _domains(fields, older=bool(settings.get("domain"))),
            }

    def can_confirm(self, settings: Document) -> bool:  # noqa: ARG002  # Google always gives a token to ask with
        return True

    def depart(self, settings: Document, trip: Trip) -> Departure | Rejected:
        domains = texts(settings, "domains")
        shown = domains[0] if len(domains) == 1 else "*"  # which accounts Google offers; it proves nothing
        extra = {"access_type": "offline", "prompt": "consent", "hd": shown}
        return self._flow.depart(self._party(settings), trip, extra)

    def arrive(self, settings: Document, trip: Trip, request: Document, callback: Callback) -> Assertion | Rejected:
        proven = self._flow.arrive(self._party(settings), trip, request, callback)
        if isinstance(proven, Rejected):
            return proven
        if not _is_of_domain(proven.verified.claims, settings):
            return Rejected(code=Code.SSO_DOMAIN_NOT_ALLOWED, detail="hd is missing, or none of the domains")
        said = assertion(proven)
        trusted = said.email is not None and vouches(self.key, said.email_verified)
        return attrs.evolve(said, legacy=read_subject(said.email) if trusted else None)  # decision 24

    def recheck(self, settings: Document, memory: Document, now: datetime) -> Rechecked:
        return self._flow.recheck(
            self._party(settings), memory, now, admits=lambda claims: _is_of_domain(claims, settings)
        )

    def _party(self, settings: Document) -> RelyingParty:
        return RelyingParty(
            issuer=self._issuer,
            client_id=text(settings, "client_id") or "",
            client_secret=text(settings, "client_secret"),
            scopes=SCOPES,
            algorithms=frozenset({"RS256"}),
            userinfo=False,
        )


def _is_of_domain(claims: Document, settings: Document) -> bool:
    domain = text(claims, "hd")
    return domain is not None and domain not in PUBLIC_DOMAINS and domain in texts(settings, "domains")


def _domains(fields: Fields, *, older: bool) -> list[Json]:
    """Return the domains in lower case, sorted, each once; *older* settings name a single one beside the list."""
    single = fields.text("domain", default="").split()
    folded = sorted({domain.lower().removesuffix(".") for domain in (*fields.listed("domains"), *single)})
    if not folded and not older:
        fields.wrong("domains", MISSING)
    if not all(DOMAIN.fullmatch(domain) for domain in folded):
        fields.wrong("domains", "holds what is no domain name")
    if PUBLIC_DOMAINS & set(folded):
        fields.wrong("domains", "holds a domain in which everybody gets a mailbox")
    return [*folded]
