"""Opening an encrypted assertion with our own key. Nothing in the message says where a key or a text is fetched from.

The algorithms are listed: RSA-OAEP around an AES key, AES in GCM or CBC inside. RSAES-PKCS1-v1_5 is not among them
(CVE-2026-28490). What comes out is as little believed as any message, until a signature was checked.

CBC, which Entra ID and Okta use, does not notice a changed text. Whatever is found wrong behind it has therefore one
code, and the log alone knows what it was; a provider that can should use GCM.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from authflow.adapters.providers.saml.certificates import rsa_key
from authflow.adapters.providers.saml.xml import PREFIXES, Unacceptable, name, only, text

if TYPE_CHECKING:
    from authflow.adapters.providers.saml.xml import Element
    from authflow.values import Secret

_XENC: Final = PREFIXES["xenc"]
_XENC_11: Final = "http://www.w3.org/2009/xmlenc11#"

TRANSPORTS: Final = frozenset({f"{_XENC}rsa-oaep-mgf1p", f"{_XENC_11}rsa-oaep"})
"""How the key of the message may be encrypted with ours (XML Encryption 5.5.2)."""

GCM: Final = {f"{_XENC_11}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
CHAINED: Final = {f"{_XENC}aes{bits}-cbc": bits // 8 for bits in (128, 192, 256)}
"""What the message may be encrypted with, and the bytes of its key (XML Encryption 5.2)."""

HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    f"{PREFIXES['ds']}sha1": hashes.SHA1,  # of OAEP, where nothing rests on collisions (RFC 8017 7.1)
    f"{_XENC}sha256": hashes.SHA256,
    f"{_XENC}sha512": hashes.SHA512,
}

_NONCE: Final = 12
_BLOCK: Final = 16
_UNOPENED: Final = "EncryptedAssertion: our key does not open it"
"""One sentence for every failure: which one it was would be an oracle."""


def open_assertion(encrypted: Element, private_key: Secret) -> bytes:
    """Return the text of an ``EncryptedAssertion``.

    Raises:
        Unacceptable: Another shape, an algorithm that is not listed, or not for our key.
    """
    content = only(encrypted, "xenc", "EncryptedData")
    algorithm, cipher = _algorithm(content), _cipher_value(content)
    length = {**GCM, **CHAINED}.get(algorithm)
    if length is None:
        msg = "EncryptedData: its algorithm is not allowed"
        raise Unacceptable(msg)
    opened = _unwrap(_encrypted_key(encrypted), private_key)
    if len(opened) != length:
        raise Unacceptable(_UNOPENED)
    return _open_gcm(opened, cipher) if algorithm in GCM else _open_chained(opened, cipher)


def _encrypted_key(encrypted: Element) -> Element:
    """Return the one key, inside the ``KeyInfo`` of the text or beside it; no reference to one is followed."""
    found = list(encrypted.iter(name("xenc", "EncryptedKey")))
    if len(found) != 1:
        msg = f"EncryptedAssertion: {len(found)} keys, not one"
        raise Unacceptable(msg)
    return found[0]


def _algorithm(element: Element) -> str:
    return only(element, "xenc", "EncryptionMethod").get("Algorithm", "")


def _cipher_value(element: Element) -> bytes:
    value = text(only(only(element, "xenc", "CipherData"), "xenc", "CipherValue"))
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unacceptable(_UNOPENED) from error


def _unwrap(key: Element, private_key: Secret) -> bytes:
    if _algorithm(key) not in TRANSPORTS:
        msg = "EncryptedKey: its algorithm is not allowed"
        raise Unacceptable(msg)
    padding = OAEP(mgf=MGF1(hashes.SHA1()), algorithm=_hash(key), label=None)  # noqa: S303  # the mask of both
    try:
        return rsa_key(private_key).decrypt(_cipher_value(key), padding)
    except ValueError as error:
        raise Unacceptable(_UNOPENED) from error


def _hash(key: Element) -> hashes.HashAlgorithm:
    """Return the one parameter of OAEP that may be set; SHA-1 where it is not (XML Encryption 5.5.2)."""
    parameters = list(only(key, "xenc", "EncryptionMethod"))
    if not parameters:
        return hashes.SHA1()  # noqa: S303  # of OAEP, where nothing rests on collisions
    listed = HASHES.get(parameters[0].get("Algorithm", ""))
    if listed is None or len(parameters) > 1 or parameters[0].tag != name("ds", "DigestMethod"):
        msg = "EncryptedKey: its algorithm is not allowed"
        raise Unacceptable(msg)
    return listed()


def _open_gcm(key: bytes, cipher: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(cipher[:_NONCE], cipher[_NONCE:], None)
    except (InvalidTag, ValueError) as error:
        raise Unacceptable(_UNOPENED) from error


def _open_chained(key: bytes, cipher: bytes) -> bytes:
    """Return the text without its padding: the last byte says how long that is (XML Encryption 5.2.1)."""
    if len(cipher) < 2 * _BLOCK or len(cipher) % _BLOCK:
        raise Unacceptable(_UNOPENED)
    decryptor = Cipher(AES(key), CBC(cipher[:_BLOCK])).decryptor()
    padded = decryptor.update(cipher[_BLOCK:]) + decryptor.finalize()
    if not 1 <= padded[-1] <= _BLOCK:
        raise Unacceptable(_UNOPENED)
    return padded[: -padded[-1]]
