"""Sessions that came by a provider, under the names that the provider gave them: to end both together."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.values import LinkId, ProviderId, Sealed, SessionId, UserId


def name_digest(name: str) -> bytes:
    """Return what a provider's name for somebody, or for a session of theirs, is found by: it may be of any length."""
    return hashlib.sha256(name.encode(errors="surrogatepass")).digest()


@attrs.frozen(kw_only=True)
class ProviderSession:
    """A session of ours, and the one at *provider* by which it came. One per session and provider, the newest.

    Args:
        session: Ours.
        provider: Whose.
        link: By which it came.
        user: Whose session ours is.
        name: Digest of what the provider calls them.
        index: Digest of what it calls its session; that of the empty text where it has no name for it.
        memory: What the provider is asked by to end its session, sealed for this row.
        expires_at: When ours is over at the latest.
    """

    session: SessionId
    provider: ProviderId
    link: LinkId
    user: UserId
    name: bytes = attrs.field(repr=False)
    index: bytes = attrs.field(repr=False)
    memory: Sealed
    expires_at: datetime


class ProviderSessionRows(Protocol):
    """One row per session and provider."""

    def put(self, row: ProviderSession) -> None:
        """Insert *row*, or replace the one of the same session and provider."""
        ...

    def of_session(self, session: SessionId) -> tuple[ProviderSession, ...]:
        """Return every row of *session*, in the order of the providers' ids."""
        ...

    def named(self, provider: ProviderId, name: bytes) -> tuple[ProviderSession, ...]:
        """Return every row under the digest *name* at *provider*, in the order of the sessions' ids."""
        ...

    def sealing_keys(self) -> frozenset[str]:
        """Return the ids of all keys under which a memory is sealed."""
        ...

    def sealed_under(
        self, keys: Collection[str], *, limit: int, after: tuple[SessionId, ProviderId] | None = None
    ) -> tuple[ProviderSession, ...]:
        """Return up to *limit* rows behind *after*, by session and provider, whose memory is under one of *keys*."""
        ...

    def reseal(self, row: ProviderSession, memory: Sealed) -> bool:
        """Give *row* another *memory*; false, and nothing is written, if its own is another by now, or it is gone."""
        ...

    def remove(self, session: SessionId, provider: ProviderId) -> bool:
        """Delete the row; false if there is none."""
        ...

    def remove_of_user(self, user: UserId) -> int:
        """Delete every row of *user*; return how many there were."""
        ...

    def remove_over(self, now: datetime) -> int:
        """Delete every row whose session is over at *now*; return how many there were."""
        ...
