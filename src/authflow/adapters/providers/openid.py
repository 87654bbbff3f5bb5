"""The kinds of provider that speak OpenID Connect and OAuth 2, ready for a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.errors import ExtraMissing

try:
    from authflow.adapters.providers.discovery import Discovery
    from authflow.adapters.providers.fetcher import HttpFetcher
    from authflow.adapters.providers.github import GithubKind
    from authflow.adapters.providers.google import GoogleKind
    from authflow.adapters.providers.oauth2 import Oauth2Kind
    from authflow.adapters.providers.oidc import OidcKind
except ModuleNotFoundError as error:
    if error.name not in {"httpx2", "httpcore2", "joserfc"}:
        raise
    raise ExtraMissing(extra="oidc") from error

if TYPE_CHECKING:
    from authflow.ports import Entropy
    from authflow.sso.fetching import Fetcher
    from authflow.sso.kinds import Kind

__all__ = ["GithubKind", "GoogleKind", "HttpFetcher", "Oauth2Kind", "OidcKind", "openid_kinds"]


def openid_kinds(fetcher: Fetcher | None = None, *, entropy: Entropy | None = None) -> tuple[Kind, ...]:
    """Return one of each kind, which remember together what providers publish.

    Args:
        fetcher: Reaches them; over HTTPS on the public Internet unless given.
        entropy: The operating system's unless given.
    """
    reached = fetcher or HttpFetcher()
    discovery = Discovery(reached)
    return (
        GithubKind(reached, entropy=entropy),
        GoogleKind(reached, discovery=discovery, entropy=entropy),
        Oauth2Kind(reached, entropy=entropy),
        OidcKind(reached, discovery=discovery, entropy=entropy),
    )
