"""The claims of an ID token, once its signature is good: is it ours, is it now, is it the answer to this request?

Pure: OpenID Connect Core 3.1.3.7, rule by rule. A claim of another type than the standard's is a claim that is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.sso.identity import FRESH, read_subject

if TYPE_CHECKING:
    from authflow.sso.identity import Subject
    from authflow.sso.kinds import Document

LEEWAY: Final = timedelta(seconds=60)
"""How far the provider's clock may be from ours (security 4)."""

HALVES: Final = {"RS256": hashlib.sha256, "PS256": hashlib.sha256, "ES256": hashlib.sha256, "EdDSA": hashlib.sha512}
"""Core 3.1.3.6: ``at_hash`` takes the hash of the signature's algorithm; that of Ed25519 is SHA-512 (RFC 8032)."""


@attrs.frozen(kw_only=True)
class ExpectedClaims:
    """What an ID token must say.

    Args:
        issuer: Of the discovery document, which is that of the settings.
        audience: Our client id.
        nonce: Of this very request; none where a refreshed token is checked, which has none (Core 12.2).
        max_age: How long ago the person may have proven who they are, or none where nothing was asked.
        access_token: What came beside the ID token, for ``at_hash``.
    """

    issuer: str
    audience: str
    nonce: str | None = attrs.field(repr=False)
    max_age: timedelta | None = None
    access_token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class WrongClaim:
    """Which claim is not as expected. Its value is not said: it may be somebody's."""

    claim: str


@attrs.frozen(kw_only=True)
class VerifiedClaims:
    """An ID token that holds: whom it means, everything it says, and until when it could be shown again."""

    subject: Subject
    claims: Document = attrs.field(repr=False)
    acceptable_until: datetime


def check_claims(
    claims: Document, algorithm: str, expected: ExpectedClaims, now: datetime
) -> VerifiedClaims | WrongClaim:
    """Return what *claims* prove, or the first claim that is wrong."""
    subject = read_subject(claims.get("sub"))
    rules = (
        ("iss", claims.get("iss") == expected.issuer),
        ("sub", subject is not None),
        ("aud", _is_for(claims, expected.audience)),
        ("azp", claims.get("azp", expected.audience) == expected.audience),
        ("nonce", _is_answer(claims, expected.nonce)),
        ("exp", _has_not_passed(claims.get("exp"), now)),
        ("iat", _is_recent(claims.get("iat"), FRESH, now)),
        ("nbf", "nbf" not in claims or _has_passed(claims["nbf"], now)),
        ("auth_time", expected.max_age is None or _is_recent(claims.get("auth_time"), expected.max_age, now)),
        ("at_hash", "at_hash" not in claims or _is_hash(claims["at_hash"], algorithm, expected.access_token)),
    )
    wrong = next((claim for claim, holds in rules if not holds), None)
    if wrong is not None or subject is None:
        return WrongClaim(claim=wrong or "sub")
    return VerifiedClaims(subject=subject, claims=claims, acceptable_until=now + FRESH + 2 * LEEWAY)


def _is_for(claims: Document, client: str) -> bool:
    """Tell whether we are the audience; with others beside us it must have been issued to us, too (3.1.3.7, 3 to 5)."""
    said = claims.get("aud")
    if isinstance(said, str):
        return said == client
    if not isinstance(said, list) or client not in said or not all(isinstance(each, str) for each in said):
        return False
    return len(said) == 1 or claims.get("azp") == client


def _is_answer(claims: Document, nonce: str | None) -> bool:
    if nonce is None:
        return True
    said = claims.get("nonce")
    return bool(nonce) and isinstance(said, str) and hmac.compare_digest(_bytes(said), _bytes(nonce))


def _has_not_passed(said: object, now: datetime) -> bool:
    instant = _instant(said)
    return instant is not None and now < instant + LEEWAY


def _has_passed(said: object, now: datetime) -> bool:
    instant = _instant(said)
    return instant is not None and instant <= now + LEEWAY


def _is_recent(said: object, max_age: timedelta, now: datetime) -> bool:
    instant = _instant(said)
    return instant is not None and -LEEWAY <= now - instant <= max_age + LEEWAY


def _instant(said: object) -> datetime | None:
    """Return a NumericDate as an instant; none if it is no number, or of no century near ours."""
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < 2**33:  # NaN is in no range
        return None
    return datetime.fromtimestamp(said, UTC)


def _is_hash(said: object, algorithm: str, access_token: str) -> bool:
    """Compare with the left half of the hash; under an algorithm whose hash is not known nothing is equal."""
    hashed = HALVES.get(algorithm)
    if hashed is None or not isinstance(said, str):
        return False
    digest = hashed(_bytes(access_token)).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    return hmac.compare_digest(half, _bytes(said))


def _bytes(said: str) -> bytes:
    return said.encode(errors="surrogatepass")
