"""Certificates and keys: the provider's, which are taken as bare keys, and our own pair."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.utils import CryptographyDeprecationWarning

from authflow.adapters.providers.saml.xml import Unacceptable
from authflow.values import Secret

if TYPE_CHECKING:
    from datetime import datetime

CERTIFICATES_MAX: Final = 10
"""Of one provider: an answer that none of them signed is checked with each."""

CERTIFICATE_MAX: Final = 8192
"""Characters of base64: of a real one up to 4000. What is longer would be kept, too."""

RSA_BITS_MIN: Final = 2048
CURVE_BITS_MIN: Final = 256
"""NIST SP 800-131A: 112 bits of strength and more."""

OWN_KEY_BITS: Final = 3072
OWN_LIFE: Final = timedelta(days=3650)
"""A key that is exchanged by hand in two places; the date of its certificate is for people."""

_HEAD: Final = "-----BEGIN CERTIFICATE-----"
_FOOT: Final = "-----END CERTIFICATE-----"
_OUTDATED: Final = "is not as RFC 5280 wants it, such as a serial number that is not positive"


@attrs.frozen(kw_only=True)
class OwnKeys:
    """A key of ours as PEM, and its certificate as the settings hold it: base64 of DER."""

    private_key: Secret
    certificate: str


def read_certificate(pasted: object) -> str:
    """Return a certificate, as PEM or as bare base64, in the form that settings hold: base64 of DER in one line.

    Raises:
        Unacceptable: No certificate, one of a weak key, or one that is read today and by no later version.
    """
    if not isinstance(pasted, str):
        msg = "is no text"
        raise Unacceptable(msg)
    body = "".join(pasted.replace(_HEAD, "").replace(_FOOT, "").split())
    if len(body) > CERTIFICATE_MAX:
        msg = f"is longer than {CERTIFICATE_MAX} characters"
        raise Unacceptable(msg)
    try:
        found = certificate(body)
        key, _ = found.public_key(), found.not_valid_after_utc
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        msg = "is no X.509 certificate, or of a key that is not known"
        raise Unacceptable(msg) from error
    except CryptographyDeprecationWarning as warning:  # where the host makes errors of warnings
        raise Unacceptable(_OUTDATED) from warning
    if found.serial_number <= 0:  # RFC 5280 4.1.2.2; cryptography warns that it will not load it any more
        raise Unacceptable(_OUTDATED)
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS_MIN) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= CURVE_BITS_MIN
    )
    if not strong:
        msg = f"is of a key that is no RSA of {RSA_BITS_MIN} bits, nor a curve of {CURVE_BITS_MIN}"
        raise Unacceptable(msg)
    return body


def certificate(body: str) -> x509.Certificate:
    """Return the certificate that settings hold as *body*.

    Raises:
        ValueError: It is none.
    """
    return x509.load_der_x509_certificate(base64.b64decode(body, validate=True))


def pem(body: str) -> str:
    """Return the certificate that settings hold as *body*, in PEM."""
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join((_HEAD, *lines, _FOOT, ""))


def fingerprint(body: str) -> str:
    """Return the SHA-256 fingerprint by which people compare certificates."""
    return certificate(body).fingerprint(hashes.SHA256()).hex(":").upper()


def rsa_key(private_key: Secret, *, check: bool = False) -> rsa.RSAPrivateKey:
    """Return the key that the PEM in *private_key* holds; to *check* its numbers takes 50 ms, once, when it is set.

    Raises:
        Unacceptable: It holds none that is RSA and not encrypted.
    """
    markup = private_key.reveal().encode(errors="surrogatepass")
    try:
        key = load_pem_private_key(markup, None, unsafe_skip_rsa_key_validation=not check)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        msg = "is no unencrypted private key in PEM"
        raise Unacceptable(msg) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        msg = "is no RSA key"
        raise Unacceptable(msg)
    return key


def new_keys(common_name: str, now: datetime, *, bits: int = OWN_KEY_BITS, life: timedelta = OWN_LIFE) -> OwnKeys:
    """Return a new pair for signing requests and opening assertions; the certificate signs itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name[:64])])
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + life)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return OwnKeys(private_key=Secret(pem), certificate=base64.b64encode(made.public_bytes(Encoding.DER)).decode())
