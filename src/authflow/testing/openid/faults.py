"""What the fake provider does wrong when a test wants it to."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.testing.openid.keys import encode

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from datetime import datetime


@unique
class Fault(StrEnum):
    """What the provider does wrong, for as long as it is among its ``faults``."""

    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    SECOND_AUDIENCE = "second_audience"
    WRONG_NONCE = "wrong_nonce"
    NO_NONCE = "no_nonce"
    EXPIRED = "expired"
    FROM_THE_FUTURE = "from_the_future"
    WRONG_HASH = "wrong_hash"
    CHANGED_SUBJECT = "changed_subject"
    UNKNOWN_KEY = "unknown_key"
    KEY_IN_HEADER = "key_in_header"
    ALGORITHM_NONE = "algorithm_none"
    PUBLIC_KEY_AS_SECRET = "public_key_as_secret"  # noqa: S105  # the name of an attack
    NO_ID_TOKEN = "no_id_token"  # noqa: S105  # the name of a fault
    TERSE = "terse"
    """Its ID tokens say nothing about people: UserInfo does."""

    LYING_USERINFO = "lying_userinfo"
    REUSABLE_CODE = "reusable_code"
    IGNORED_PKCE = "ignored_pkce"
    FOREIGN_METADATA = "foreign_metadata"
    NO_PKCE = "no_pkce"
    NO_ANSWERING_ISSUER = "no_answering_issuer"
    FOREIGN_ANSWERING_ISSUER = "foreign_answering_issuer"
    SLOW = "slow"
    HUGE = "huge"
    REDIRECTING = "redirecting"
    BROKEN = "broken"
    NO_JSON = "no_json"

    ECHOING = "echoing"
    """It refuses every code, and says again what it was sent."""


@attrs.frozen(kw_only=True)
class Grant:
    """What somebody agreed to at the authorization endpoint."""

    subject: str
    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str | None


def wrong_claims(faults: AbstractSet[Fault], grant: Grant, now: datetime) -> dict[str, object]:
    """Return the claims of an ID token that *faults* make wrong; none for one that is left out."""
    seconds = int(now.timestamp())
    table: dict[Fault, tuple[str, object]] = {
        Fault.WRONG_ISSUER: ("iss", "https://somebody.example"),
        Fault.WRONG_AUDIENCE: ("aud", "another client"),
        Fault.SECOND_AUDIENCE: ("aud", [grant.client_id, "another client"]),
        Fault.WRONG_NONCE: ("nonce", "another request's"),
        Fault.NO_NONCE: ("nonce", None),
        Fault.EXPIRED: ("exp", seconds - 3600),
        Fault.FROM_THE_FUTURE: ("iat", seconds + 3600),
        Fault.WRONG_HASH: ("at_hash", encode(b"another token's ")),
        Fault.CHANGED_SUBJECT: ("sub", "somebody else"),
    }
    return dict(table[fault] for fault in sorted(faults) if fault in table)
