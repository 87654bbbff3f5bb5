"""What the metadata of providers says now: fetched, remembered for a while, and kept while it cannot be fetched."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from authflow.adapters.providers.cache import REFETCH_EVERY, Cache
from authflow.adapters.providers.saml.metadata import Peer, read_metadata
from authflow.adapters.providers.saml.xml import Unacceptable
from authflow.errors import Code
from authflow.sso.fetching import Failure, Request, Unfetched
from authflow.sso.kinds import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.adapters.providers.saml.settings import Settings
    from authflow.sso.fetching import Errand, Fetcher

LOG: Final = logging.getLogger("authflow.sso")

LIFE: Final = timedelta(hours=1)
"""How soon a new certificate is known without anybody's signature having failed."""

_OK: Final = 200


class Peers:
    """The providers whose settings name an URL of metadata; for the others, what was set is what is.

    A document that cannot be fetched or read, or that is another provider's by now, leaves what was known before.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._cache: Cache[Peer] = Cache(LIFE, pause=REFETCH_EVERY)

    def current(self, settings: Settings, now: datetime, errand: Errand) -> Peer:
        """Return what is to be believed of the provider.

        Raises:
            Unacceptable: That is not valid any more.
        """
        if not settings.metadata_url:
            return _valid(settings.peer, now)
        found = self._cache.get(_key(settings), now, self._fetching(settings, errand), within=errand.left())
        peer = found if isinstance(found, Peer) else self.last(settings)
        return self.newer(settings, peer, now, errand) if _over(peer, now) else peer

    def newer(self, settings: Settings, than: Peer, now: datetime, errand: Errand) -> Peer:
        """Return what is to be believed after *than* did not fit a signature: fetched again, once a minute at most.

        Raises:
            Unacceptable: As for `current`.
        """
        if not settings.metadata_url:
            return than
        fetch = self._fetching(settings, errand)
        found = self._cache.newer(_key(settings), now, than, fetch, within=errand.left())
        return _valid(found if isinstance(found, Peer) else than, now)

    def last(self, settings: Settings) -> Peer:
        """Return what was known last, by a former document or by the settings; nothing is fetched."""
        return self._cache.last(_key(settings)) or settings.peer

    def fetch(self, url: str, errand: Errand) -> bytes:
        """Return the document at *url*.

        Whoever sets it is not told whether a name is unknown or leads inside, which would list the names of an
        installation's own network; the log is.

        Raises:
            Unacceptable: There is none.
        """
        answer = errand.fetch(Request(url=url))
        if isinstance(answer, Unfetched):
            LOG.info("metadata could not be fetched: %s, %s", answer.failure, answer.detail)
            told = Failure.UNREACHABLE if answer.failure is Failure.FORBIDDEN else answer.failure
            msg = f"could not be fetched: {told}"
            raise Unacceptable(msg, code=Code.SSO_PROVIDER_UNREACHABLE)
        if answer.status != _OK:
            msg = f"could not be fetched: status {answer.status}"
            raise Unacceptable(msg, code=Code.SSO_PROVIDER_UNREACHABLE)
        return answer.body

    def _fetching(self, settings: Settings, errand: Errand) -> Callable[[], Peer | Rejected]:
        return lambda: self._fetched(settings, errand)

    def _fetched(self, settings: Settings, errand: Errand) -> Peer | Rejected:
        try:
            peer = read_metadata(self.fetch(settings.metadata_url, errand), entity_id=settings.peer.entity_id)
        except Unacceptable as refused:
            return Rejected(code=refused.code, detail=refused.problem)
        if not all(self._fetcher.permits(url) for url in (peer.sso_url, peer.slo_url) if url):
            return Rejected(code=Code.SSO_RESPONSE_INVALID, detail="metadata: sends people where settings could not")
        return peer


def _key(settings: Settings) -> str:
    """Return the name under which a provider is remembered.

    One document may describe several (metadata 2.3.1); and what one organization has known longest is not believed by
    another that has set other certificates since.
    """
    trusted = hashlib.sha256(" ".join(settings.peer.certificates).encode()).hexdigest()
    return f"{settings.metadata_url} {settings.peer.entity_id} {trusted}"


def _over(peer: Peer, now: datetime) -> bool:
    return peer.valid_until is not None and now >= peer.valid_until


def _valid(peer: Peer, now: datetime) -> Peer:
    if peer.valid_until is not None and _over(peer, now):
        msg = f"metadata: valid until {peer.valid_until.isoformat()}"
        raise Unacceptable(msg, code=Code.SSO_PROVIDER_UNREACHABLE)
    return peer
