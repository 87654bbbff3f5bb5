"""The signature of an ID token: which of the provider's keys made it, if any of them did (RFC 7515, RFC 8725).

What the token says about keys is not listened to: the header chooses among the keys of the provider's own set, by
``kid``, and nothing else in it is looked at. The algorithm must be one of those that the settings allow.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final

import attrs
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authflow.adapters.providers.documents import parse

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from joserfc.jwa import JWSAlgModel
    from joserfc.jwk import Key

    from authflow.sso.kinds import Document, Json

HEADER_MAX: Final = 2**14
"""Bytes of a header: real providers put a chain of certificates there (security 1.5)."""

TOKEN_MAX: Final = 2**17
"""Bytes of a whole token."""

KEYS_MAX: Final = 50
"""Keys of one set; the others are not looked at."""

MEMBER_MAX: Final = 1400
"""Characters of a number in a key: one of 8192 bits has 1366. What is longer is padding, and would be kept."""

KID_MAX: Final = 255
"""Characters of a key's name."""

RSA_BITS: Final = range(2048, 8193)
"""RFC 7518 3.3 asks for 2048 at least; a longer key than 8192 bits costs whoever verifies with it."""

COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
"""RFC 7515 7.1: three parts, none of them empty. One of JWE has five."""

TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""Every algorithm that may be allowed, and the type of its keys: none of them takes a public key for a secret."""

CURVES: Final = {"EC": "P-256", "OKP": "Ed25519"}

KNOWN_TYPES: Final = {"jwt", "application/jwt"}
"""What an ID token may call itself: nothing, or this. An access token is an ``at+jwt`` (RFC 8725 3.11)."""


@attrs.frozen(kw_only=True)
class PublicKey:
    """One key of a provider's set."""

    kid: str | None
    type: str
    algorithm: str | None
    key: Key = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class VerifiedToken:
    """A token whose signature holds."""

    claims: Document = attrs.field(repr=False)
    algorithm: str


@attrs.frozen(kw_only=True)
class RefusedToken:
    """A token that proves nothing. *unknown_key*: the set has no such key, and a newer one may have it."""

    problem: str
    unknown_key: bool = False


def read_keys(key_set: Document) -> tuple[PublicKey, ...]:
    """Return the keys of a JWK set that an allowed algorithm could use; others are left out (RFC 7517 5)."""
    listed = key_set.get("keys")
    read = (_read_key(jwk) for jwk in (listed if isinstance(listed, list) else [])[:KEYS_MAX])
    return tuple(key for key in read if key is not None)


def verify(token: str, keys: Sequence[PublicKey], algorithms: Collection[str]) -> VerifiedToken | RefusedToken:
    """Return the claims of *token* if one of *keys* signed it under one of *algorithms*."""
    header = _read_header(token)
    if isinstance(header, RefusedToken):
        return header
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in TYPES:
        return RefusedToken(problem="its algorithm is not allowed")
    found = _chosen(keys, algorithm, header)
    if isinstance(found, RefusedToken):
        return found
    try:
        payload = jws.deserialize_compact(token, found.key, registry=_Only(algorithm)).payload
    except (JoseError, ValueError, TypeError):
        return RefusedToken(problem="its signature does not hold")
    claims = parse(payload)
    return (
        RefusedToken(problem="its claims are no JSON object")
        if claims is None
        else VerifiedToken(claims=claims, algorithm=algorithm)
    )


class _Only(jws.JWSRegistry):
    """One algorithm, whatever joserfc recommends, and headers as long as they really are."""

    max_header_length = HEADER_MAX * 4 // 3 + 4
    max_payload_length = TOKEN_MAX

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)

    def get_alg(self, name: str) -> JWSAlgModel:
        if name not in (self.allowed or ()):
            raise JoseError
        return self.algorithms[name]  # the original warns of EdDSA, whose name RFC 9864 would have be Ed25519


def _read_header(token: str) -> Document | RefusedToken:
    if len(token) > TOKEN_MAX or COMPACT.fullmatch(token) is None:
        return RefusedToken(problem="it is no signed token in compact form")
    encoded = token.partition(".")[0]
    header = None if len(encoded) > HEADER_MAX * 4 // 3 else parse(_decoded(encoded))
    if header is None:
        return RefusedToken(problem="its header is no JSON object, or too long")
    if "crit" in header or "b64" in header:  # RFC 7515 4.1.11: no extension is understood here
        return RefusedToken(problem="its header has an extension")
    if "typ" in header and str(header["typ"]).lower() not in KNOWN_TYPES:
        return RefusedToken(problem="it is another type of token")
    return header


def _chosen(keys: Sequence[PublicKey], algorithm: str, header: Document) -> PublicKey | RefusedToken:
    """Return the one key of the set that *header* means; only where the set has one may it be left unsaid."""
    fitting = [key for key in keys if key.type == TYPES[algorithm] and key.algorithm in {None, algorithm}]
    if "kid" in header:
        fitting = [key for key in fitting if key.kid is not None and key.kid == header["kid"]]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        return RefusedToken(problem="several keys could have signed it")
    return RefusedToken(problem="the provider has no such key", unknown_key=True)


def _read_key(jwk: Json) -> PublicKey | None:
    if not isinstance(jwk, dict) or not _is_for_signatures(jwk):
        return None
    kty, kid, alg = jwk.get("kty"), jwk.get("kid"), jwk.get("alg")
    if not isinstance(kty, str) or not isinstance(kid, str | None) or not isinstance(alg, str | None):
        return None
    if jwk.get("crv") != CURVES.get(kty) or len(kid or "") > KID_MAX or (alg is not None and alg not in TYPES):
        return None
    members = {name: text for name in ("kty", "crv", "n", "e", "x", "y") if isinstance(text := jwk.get(name), str)}
    key = None if any(len(text) > MEMBER_MAX for text in members.values()) else _imported(kty, members)
    return None if key is None else PublicKey(kid=kid, type=kty, algorithm=alg, key=key)


def _is_for_signatures(jwk: Document) -> bool:
    use, operations = jwk.get("use"), jwk.get("key_ops")
    verifies = operations is None or (isinstance(operations, list) and "verify" in operations)
    return verifies and (use is None or use == "sig")


def _imported(kty: str, members: dict[str, str]) -> Key | None:
    """Return the public key of these members, or none if they are those of no key, or of one that is too weak."""
    kinds: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    modulus = int.from_bytes(_decoded(members.get("n", "")), "big")
    if kty == "RSA" and modulus.bit_length() not in RSA_BITS:
        return None
    try:
        key = kinds[kty].import_key(dict(members))
        _ = key.public_key  # computed here, so that no token is the first to find out that it is none
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key


def _decoded(encoded: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        return b""
