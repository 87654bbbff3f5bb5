"""Keys that sign tokens, written out by hand: what is verified with one library is not signed with the same one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Literal

import attrs
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def encode(octets: bytes) -> str:
    """Return *octets* in base64url without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def segment(members: Mapping[str, object]) -> str:
    """Return a JSON object as a part of a token."""
    return encode(json.dumps(members, separators=(",", ":")).encode())


@attrs.frozen(kw_only=True)
class SigningKey:
    """A private key, the algorithm it is used with, and its name in the key set."""

    kid: str
    algorithm: Algorithm
    key: PrivateKey = attrs.field(repr=False)

    @classmethod
    def generate(cls, algorithm: Algorithm = "ES256", *, kid: str = "key-1", bits: int = 2048) -> SigningKey:
        """Make a key from the operating system's randomness."""
        key: PrivateKey
        if algorithm == "ES256":
            key = ec.generate_private_key(ec.SECP256R1())
        elif algorithm == "EdDSA":
            key = ed25519.Ed25519PrivateKey.generate()
        else:
            key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        return cls(kid=kid, algorithm=algorithm, key=key)

    @property
    def jwk(self) -> dict[str, object]:
        """The public key as a member of a key set (RFC 7517)."""
        return {**_members(self.key), "kid": self.kid, "use": "sig", "alg": self.algorithm}

    @property
    def public_pem(self) -> bytes:
        """The public key as everybody may have it: what a confused verifier takes for a secret."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form)

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object] | None = None) -> str:
        """Return *claims* signed; *header* is added to the usual one, and may contradict it."""
        said = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
        signing = f"{segment(said)}.{segment(claims)}"
        return f"{signing}.{encode(self.signature(signing.encode()))}"

    def signature(self, signing: bytes) -> bytes:
        """Return the signature of *signing* as RFC 7518 and RFC 8037 write it."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(signing)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.key.sign(signing, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return self.key.sign(signing, pss if self.algorithm == "PS256" else padding.PKCS1v15(), hashes.SHA256())


def sign_with_secret(claims: Mapping[str, object], secret: bytes, header: Mapping[str, object]) -> str:
    """Return *claims* under HS256, as an attacker signs them who has only the public key."""
    signing = f"{segment({'alg': 'HS256', **header})}.{segment(claims)}"
    return f"{signing}.{encode(hmac.digest(secret, signing.encode(), hashlib.sha256))}"


def unsigned(claims: Mapping[str, object], header: Mapping[str, object]) -> str:
    """Return *claims* under no signature at all."""
    return f"{segment({'alg': 'none', **header})}.{segment(claims)}."


def _members(key: PrivateKey) -> dict[str, object]:
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": encode(public.public_bytes_raw())}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _number(point.x, 32), "y": _number(point.y, 32)}
    numbers = public.public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n, public.key_size // 8), "e": _number(numbers.e, 3)}


def _number(number: int, octets: int) -> str:
    return encode(number.to_bytes(octets, "big"))
