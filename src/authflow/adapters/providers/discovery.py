"""What providers publish about themselves: discovery documents, kept for a day, and key sets, kept for an hour.

A document is kept by its issuer, a key set by its issuer and its URL: no provider says anything about another one's,
nor uses up how often it may be fetched again. Time is the caller's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.adapters.providers.cache import Cache
from authflow.adapters.providers.documents import document, invalid, text, texts
from authflow.adapters.providers.signatures import PublicKey, RefusedToken, VerifiedToken, read_keys, verify
from authflow.sso.fetching import Request
from authflow.sso.kinds import Rejected

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.sso.fetching import Errand, Fetcher
    from authflow.sso.kinds import Document

METADATA_LIFE: Final = timedelta(hours=24)
KEYS_LIFE: Final = timedelta(hours=1)

PAUSE: Final = timedelta(seconds=30)
"""How long a discovery document that could not be had is not asked for again: anybody may begin a sign-in."""

WELL_KNOWN: Final = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 4."""

JSON: Final = {"accept": "application/json"}

BASIC: Final = "client_secret_basic"
POST: Final = "client_secret_post"
METHODS: Final = {"basic": BASIC, "post": POST}
"""Ways to tell a token endpoint a secret, as settings call them, the best one first."""

CLIENT_AUTH: Final = frozenset(METHODS.values())
"""How a token endpoint is told who asks (OIDC Core 9)."""

S256: Final = "S256"
"""The method of PKCE (RFC 7636 4.2)."""


@attrs.frozen(kw_only=True)
class Metadata:
    """What of a discovery document is used.

    No more is kept of any document than a few URLs and these words, however long it is.

    Args:
        answers_issuer: The provider names itself in every answer (RFC 9207).
        client_auth: Which of `CLIENT_AUTH` its token endpoint takes.
        checks_pkce: It says that it checks `S256` (RFC 8414).
    """

    issuer: str
    authorization_url: str
    token_url: str
    keys_url: str
    userinfo_url: str | None
    answers_issuer: bool
    client_auth: frozenset[str]
    checks_pkce: bool


class Discovery:
    """Discovery documents and key sets. One for all kinds of an installation; safe to share between threads."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._metadata = Cache[Metadata](METADATA_LIFE, pause=PAUSE)
        self._keys = Cache[tuple[PublicKey, ...]](KEYS_LIFE)

    def metadata(self, issuer: str, errand: Errand, now: datetime) -> Metadata | Rejected:
        """Return what *issuer* publishes; what another issuer wrote is refused (Discovery 4.3).

        After a refusal it is not asked again for half a minute.
        """

        def fetch() -> Metadata | Rejected:
            fetched = errand.fetch(Request(url=issuer.rstrip("/") + WELL_KNOWN, headers=JSON))
            read = document(fetched, "the discovery document")
            return read if isinstance(read, Rejected) else _read(read, issuer, self._fetcher)

        return self._metadata.get(issuer, now, fetch, within=errand.left())

    def verified(
        self, token: str, metadata: Metadata, algorithms: Collection[str], errand: Errand, now: datetime
    ) -> VerifiedToken | Rejected:
        """Return *token* verified with a key of the issuer's set, which is fetched again for an unknown key."""

        def fetch() -> tuple[PublicKey, ...] | Rejected:
            read = document(errand.fetch(Request(url=metadata.keys_url, headers=JSON)), "the key set")
            return read if isinstance(read, Rejected) else read_keys(read)

        name = f"{metadata.issuer} {metadata.keys_url}"
        keys = self._keys.get(name, now, fetch, within=errand.left())
        if isinstance(keys, Rejected):
            return keys
        signed = verify(token, keys, algorithms)
        if isinstance(signed, RefusedToken) and signed.unknown_key:
            newer = self._keys.newer(name, now, keys, fetch, within=errand.left())
            if isinstance(newer, Rejected):
                return newer
            signed = verify(token, newer, algorithms)
        return invalid(f"the ID token is refused: {signed.problem}") if isinstance(signed, RefusedToken) else signed


def _read(published: Document, issuer: str, fetcher: Fetcher) -> Metadata | Rejected:
    if published.get("issuer") != issuer:
        return invalid("the discovery document is another issuer's")
    userinfo = text(published, "userinfo_endpoint")
    metadata = Metadata(
        issuer=issuer,
        authorization_url=text(published, "authorization_endpoint") or "",
        token_url=text(published, "token_endpoint") or "",
        keys_url=text(published, "jwks_uri") or "",
        userinfo_url=userinfo,
        answers_issuer=published.get("authorization_response_iss_parameter_supported") is True,
        client_auth=CLIENT_AUTH.intersection(texts(published, "token_endpoint_auth_methods_supported") or (BASIC,)),
        checks_pkce=S256 in texts(published, "code_challenge_methods_supported"),
    )
    urls = (metadata.authorization_url, metadata.token_url, metadata.keys_url, *((userinfo,) if userinfo else ()))
    if not all(fetcher.permits(url) for url in urls):
        return invalid("the discovery document has an endpoint that is missing, or no https URL")
    return metadata
