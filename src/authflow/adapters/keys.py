"""The key ring, and the two ports it serves: `AesGcmCipher` seals secrets, `HmacPepper` digests codes (mfa 20.5).

Every key of the ring is 32 random bytes. It is never used itself: HKDF-SHA256 (RFC 5869) makes one subkey of it for
sealing and another for the pepper, once, so that one file serves both and neither can stand for the other.
Losing a key makes what was sealed under that key unavailable, and locks nothing else.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar, cast

import attrs

from authflow.adapters.keyfile import create_private, read_private, replace_private
from authflow.adapters.system import SystemClock
from authflow.errors import InputInvalid, KeysInvalid, KeysMissing, SealBroken, SecretUnavailable
from authflow.ports import Digest
from authflow.values import Sealed, Secret, identifier, new_identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hmac import HMAC

    from authflow.ports import Entropy

T = TypeVar("T")

KEY_BYTES: Final = 32
"""256 bits: AES-256, and as much entropy as HMAC-SHA256 can use."""

KEY_ID_BYTES: Final = 16

RING_VERSION: Final = 1
"""The format of `KeyRing.to_text`."""

NONCE_BYTES: Final = 12
"""96 random bits: NIST SP 800-38D 8.3 allows 2**32 messages under one key."""

TAG_BYTES: Final = 16

SEALED_VERSION: Final = b"\x01"
"""The first byte of every ciphertext; the nonce follows, and the tag is at the end."""

SEALING: Final = b"authflow/v1/sealing"
PEPPER: Final = b"authflow/v1/pepper"
"""What a subkey is for: the ``info`` of HKDF."""


@attrs.frozen(kw_only=True)
class Key:
    """One key of a ring. *material* is base64 of 32 bytes and never shows itself.

    Raises:
        KeysInvalid: The id is no identifier, the time has no zone, or the material is not 32 bytes.
    """

    id: str
    created_at: datetime
    material: Secret

    def __attrs_post_init__(self) -> None:
        if _quietly(lambda text: identifier(text, field="id"), self.id) is None:
            raise KeysInvalid(problem="the id of a key is malformed")
        if self.created_at.utcoffset() is None:
            raise KeysInvalid(problem="the creation time of a key has no time zone")
        if len(_decoded(self.material)) != KEY_BYTES:
            raise KeysInvalid(problem=f"a key is not {KEY_BYTES} bytes in base64")

    def subkey(self, purpose: bytes) -> bytes:
        """Return the 32 bytes that stand for this key in one *purpose* (RFC 5869, without salt)."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(_decoded(self.material))


@attrs.frozen(kw_only=True)
class KeyRing:
    """Keys in order: the first is active and makes everything new, the others open what is older.

    Raises:
        KeysInvalid: There is no key, or two share an id or their material.
    """

    keys: tuple[Key, ...]

    def __attrs_post_init__(self) -> None:
        ids, materials = {key.id for key in self.keys}, {key.material for key in self.keys}
        if not self.keys:
            raise KeysInvalid(problem="there is no key in it")
        if not len(ids) == len(materials) == len(self.keys):
            raise KeysInvalid(problem="a key stands in it twice")

    @classmethod
    def generate(cls, entropy: Entropy, now: datetime) -> KeyRing:
        """Return a ring of one new key."""
        return cls(keys=(_new_key(entropy, now),))

    @classmethod
    def ephemeral(cls, entropy: Entropy) -> KeyRing:
        """Return a ring that is meant to die with this process, and everything sealed under it."""
        return cls.generate(entropy, SystemClock().now())

    @classmethod
    def load(cls, path: str | Path) -> KeyRing:
        """Return the ring that `save` wrote.

        Raises:
            KeysMissing: There is no such file.
            KeysInvalid: It is open to others than its owner, unreadable, or not a key ring.
        """
        return cls.from_text(read_private(path))

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Return the ring that `to_text` wrote, as an environment variable or a secret store gives it.

        Raises:
            KeysMissing: *text* is blank.
            KeysInvalid: It is not a key ring.
        """
        if not text.strip():
            raise KeysMissing(source="blank text")
        document = _document(text)
        entries = document.get("keys")
        if document.get("version") != RING_VERSION or not isinstance(entries, list):
            raise KeysInvalid(problem=f"not JSON with version {RING_VERSION} and keys")
        return cls(keys=tuple(_key(entry) for entry in cast("list[object]", entries)))

    def to_text(self) -> Secret:
        """Return the ring as JSON: all key material, in clear."""
        entries = [
            {"id": key.id, "created_at": key.created_at.isoformat(), "key": key.material.reveal()} for key in self.keys
        ]
        return Secret(json.dumps({"version": RING_VERSION, "keys": entries}, indent=2) + "\n")

    def save(self, path: str | Path) -> None:
        """Write the ring to a file of mode 0600, whole or not at all.

        A file is replaced only by a ring that holds its active key: neither a second ring nor a rotation made beside
        this one at the same time overwrites a key that something may be sealed under.

        Raises:
            KeysInvalid: The file holds another ring, or cannot be written.
        """
        try:
            standing = KeyRing.load(path)
        except KeysMissing:
            create_private(path, self.to_text().reveal())
            return
        if self.get(standing.active.id) != standing.active:
            raise KeysInvalid(problem=f"{path} holds another ring")
        replace_private(path, self.to_text().reveal())

    @property
    def active(self) -> Key:
        """The key under which everything new is sealed and digested."""
        return self.keys[0]

    def get(self, key_id: str) -> Key | None:
        """Return the key of this id, or none."""
        return next((key for key in self.keys if key.id == key_id), None)

    def rotate(self, entropy: Entropy, now: datetime) -> KeyRing:
        """Return this ring with a new active key in front of the old ones."""
        return KeyRing(keys=(_new_key(entropy, now), *self.keys))

    def retire(self, key_id: str) -> KeyRing:
        """Return this ring without one of its older keys.

        What is still sealed under that key is unavailable from then on, and recovery codes made while it was active
        are refused: they cannot be digested anew, only regenerated by their owners.

        Raises:
            InputInvalid: *key_id* is the active key, or not in the ring.
        """
        if key_id == self.active.id:
            raise InputInvalid(field="key_id", problem="is the active key: rotate first")
        if self.get(key_id) is None:
            raise InputInvalid(field="key_id", problem="is not in the ring")
        return KeyRing(keys=tuple(key for key in self.keys if key.id != key_id))


class AesGcmCipher:
    """The port ``Cipher`` by AES-256-GCM: version byte, 12-byte nonce, ciphertext with its tag.

    Args:
        ring: Opens with any of its keys, seals with the active one.
        entropy: Gives the nonces.
    """

    def __init__(self, ring: KeyRing, entropy: Entropy) -> None:
        self._ring = ring
        self._entropy = entropy

    @cached_property
    def _held(self) -> Mapping[str, AESGCM]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return {key.id: AESGCM(key.subkey(SEALING)) for key in self._ring.keys}

    def seal(self, secret: Secret, *, bound_to: Sequence[str]) -> Sealed:
        """Return *secret* sealed under the active key."""
        key_id = self._ring.active.id
        nonce = self._entropy.random_bytes(NONCE_BYTES)
        ciphertext = self._held[key_id].encrypt(nonce, _encoded(secret.reveal()), _framed(bound_to))
        return Sealed(key_id=key_id, ciphertext=SEALED_VERSION + nonce + ciphertext)

    def open(self, sealed: Sealed, *, bound_to: Sequence[str]) -> Secret:
        """Return the secret.

        Raises:
            SecretUnavailable: The ring does not hold the key.
            SealBroken: The ciphertext was altered, cut, or belongs to another owner or row.
        """
        from cryptography.exceptions import InvalidTag

        key, token = self._held.get(sealed.key_id), sealed.ciphertext
        if key is None:
            raise SecretUnavailable(key_id=sealed.key_id)
        if len(token) < 1 + NONCE_BYTES + TAG_BYTES or not token.startswith(SEALED_VERSION):
            raise SealBroken(key_id=sealed.key_id)
        try:
            text = key.decrypt(token[1 : 1 + NONCE_BYTES], token[1 + NONCE_BYTES :], _framed(bound_to))
        except InvalidTag:
            raise SealBroken(key_id=sealed.key_id) from None
        return Secret(text.decode("utf-8", "surrogatepass"))

    def needs_reseal(self, sealed: Sealed) -> bool:
        """Tell whether *sealed* is under another key than the active one."""
        return sealed.key_id != self._ring.active.id


class HmacPepper:
    """The port ``Pepper`` by HMAC-SHA256."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    @cached_property
    def _held(self) -> tuple[tuple[str, HMAC], ...]:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.hmac import HMAC

        return tuple((key.id, HMAC(key.subkey(PEPPER), SHA256())) for key in self._ring.keys)

    def digests(self, *parts: str) -> tuple[Digest, ...]:
        """Return HMAC-SHA256 over the length-prefixed *parts* under every key of the ring, the active key's first."""
        message = _framed(parts)
        return tuple([Digest(key_id=key_id, value=_mac(keyed, message)) for key_id, keyed in self._held])


def _framed(parts: Sequence[str]) -> bytes:
    """Return *parts*, each behind its length in 4 bytes, so that no two lists of parts become the same bytes."""
    encoded = [_encoded(part) for part in parts]
    return b"".join([len(part).to_bytes(4, "big") + part for part in encoded])


def _mac(keyed: HMAC, message: bytes) -> bytes:
    # A copy of what has taken in the key already costs a fraction of a new one, and half of a copy by `hmac`.
    mac = keyed.copy()
    mac.update(message)
    return mac.finalize()


def _encoded(text: str) -> bytes:
    # A lone surrogate is no reason to fail, least of all with an error that quotes the secret.
    return text.encode("utf-8", "surrogatepass")


def _new_key(entropy: Entropy, now: datetime) -> Key:
    material = base64.b64encode(entropy.random_bytes(KEY_BYTES)).decode()
    return Key(id=new_identifier(entropy.random_bytes(KEY_ID_BYTES)), created_at=now, material=Secret(material))


def _key(entry: object) -> Key:
    match entry:
        case {"id": str(key_id), "created_at": str(created_at), "key": str(material)}:
            moment = _quietly(datetime.fromisoformat, created_at)
        case _:
            moment, key_id, material = None, "", ""
    if moment is None:
        raise KeysInvalid(problem="a key needs an id, the time of its creation, and itself in base64")
    return Key(id=key_id, created_at=moment, material=Secret(material))


def _document(text: str) -> dict[str, object]:
    document = _quietly(json.loads, text)
    return cast("dict[str, object]", document) if isinstance(document, dict) else {}


def _decoded(material: Secret) -> bytes:
    return _quietly(lambda text: base64.b64decode(text, validate=True), material.reveal()) or b""


def _quietly(parse: Callable[[str], T], text: str) -> T | None:
    """Return what *parse* makes of *text*, or none: its own error would carry the text along."""
    try:
        return parse(text)
    except (ValueError, RecursionError, InputInvalid):
        return None
