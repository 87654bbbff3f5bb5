"""What an administrator should do something about before people cannot sign in any more."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

import attrs

from authflow.adapters.providers.saml.certificates import certificate, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.adapters.providers.saml.metadata import Peer
    from authflow.adapters.providers.saml.settings import Settings

AHEAD: Final = timedelta(days=30)
"""How long before its end a date is told of."""


@unique
class Ending(StrEnum):
    """What ends."""

    CERTIFICATE = "certificate"
    """The provider's certificate. Its key stays good for us; providers change it about then."""

    OWN_CERTIFICATE = "own_certificate"
    """Ours. Its key stays good for us; some providers refuse it then."""

    METADATA = "metadata"
    """The provider's metadata: nobody can sign in from then on."""


@attrs.frozen(kw_only=True)
class Warned:
    """*what* ends *at*, or has ended. *fingerprint* is the SHA-256 of a certificate, empty for metadata."""

    what: Ending
    at: datetime
    fingerprint: str = ""


def warnings(settings: Settings, peer: Peer, now: datetime) -> tuple[Warned, ...]:
    """Return what ends within `AHEAD`, the earliest first; of *peer* as it is now.

    A certificate whose successor is there already is worth no warning.
    """
    found = sorted(_endings(settings, peer), key=lambda warned: warned.at)
    return tuple(warned for warned in found if warned.at <= now + AHEAD)


def _endings(settings: Settings, peer: Peer) -> Iterator[Warned]:
    yield _last_of(Ending.CERTIFICATE, peer.certificates)
    if settings.own is not None:
        yield _last_of(Ending.OWN_CERTIFICATE, (settings.own.certificate,))
    if peer.valid_until is not None:
        yield Warned(what=Ending.METADATA, at=peer.valid_until)


def _last_of(what: Ending, bodies: tuple[str, ...]) -> Warned:
    ends, body = max((certificate(body).not_valid_after_utc, body) for body in bodies)
    return Warned(what=what, at=ends, fingerprint=fingerprint(body))
