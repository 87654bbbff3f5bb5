"""The key ring, and the shipped cipher and pepper: contracts, formats, files."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import pickle
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.adapters.keys import AesGcmCipher, HmacPepper, Key, KeyRing
from authflow.adapters.system import SystemEntropy
from authflow.errors import InputInvalid, KeysInvalid, KeysMissing, SealBroken
from authflow.testing import ManualClock, SeededEntropy
from authflow.testing.contracts.secrets import ROW, SECRET, CipherContract, PepperContract
from authflow.values import Sealed, Secret

if TYPE_CHECKING:
    from pathlib import Path

NOW = ManualClock().now()
RING = KeyRing.generate(SeededEntropy(), NOW)


def named(name: str) -> Key:
    material = base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()
    return Key(id=f"key-{name}", created_at=NOW, material=Secret(material))


def ring_of(*names: str) -> KeyRing:
    return KeyRing(keys=tuple(named(name) for name in names))


class TestAesGcmCipher(CipherContract):
    def make_cipher(self, *keys: str) -> AesGcmCipher:
        return AesGcmCipher(ring_of(*keys), SystemEntropy())


class TestHmacPepper(PepperContract):
    def make_pepper(self, *keys: str) -> HmacPepper:
        return HmacPepper(ring_of(*keys))


# --- formats: what is stored today must open tomorrow ---------------------------------------------------------------


def hkdf(key: bytes, info: bytes) -> bytes:
    """RFC 5869 for one block of output, written out of the text."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_hkdf_of_this_module_is_that_of_rfc_5869() -> None:
    # Appendix A.3: no salt, no info; the first 32 of 42 bytes.
    assert hkdf(b"\x0b" * 22, b"").hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


def test_digest_is_hmac_sha256_under_the_subkey() -> None:
    key = hkdf(hashlib.sha256(b"one").digest(), b"authflow/v1/pepper")
    expected = hmac.digest(key, framed(b"authenticator-1", b"0123456789ABCDEF"), "sha256")
    assert HmacPepper(ring_of("one")).digests("authenticator-1", "0123456789ABCDEF")[0].value == expected


def test_ciphertext_is_version_nonce_and_aes_gcm_under_the_subkey() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    aead = AESGCM(hkdf(hashlib.sha256(b"one").digest(), b"authflow/v1/sealing"))
    bound_to = framed(*(part.encode() for part in ROW))
    made_by_hand = b"\x01" + bytes(12) + aead.encrypt(bytes(12), b"secret", bound_to)
    cipher = AesGcmCipher(ring_of("one"), SystemEntropy())
    assert cipher.open(Sealed(key_id="key-one", ciphertext=made_by_hand), bound_to=ROW) == Secret("secret")
    token = cipher.seal(SECRET, bound_to=ROW).ciphertext
    assert token[:1] == b"\x01"
    assert aead.decrypt(token[1:13], token[13:], bound_to).decode() == SECRET.reveal()


STORED_CIPHERTEXT = bytes.fromhex(
    "019a74d51e4a5f667bdbfb8a875f60d353087e694e8b4b1e806a99f3c72d3bd4"
    "84cabcbc3d035d9f76151e94d33cbe778a26a4efcb16830acfe61154cd"
)
STORED_DIGEST = bytes.fromhex("c99bca281b439f68ac8dac4aaa277867ee54b564baf7f13f7db4b95371f0f883")


def test_what_the_first_version_stored_is_understood() -> None:
    stored = Sealed(key_id="key-one", ciphertext=STORED_CIPHERTEXT)
    assert AesGcmCipher(ring_of("one"), SystemEntropy()).open(stored, bound_to=ROW) == SECRET
    assert HmacPepper(ring_of("one")).digests("authenticator-1", "0123456789ABCDEF")[0].value == STORED_DIGEST


def test_sealing_and_pepper_use_different_subkeys() -> None:
    assert len({named("one").subkey(b"authflow/v1/sealing"), named("one").subkey(b"authflow/v1/pepper")}) == 2


def test_another_version_is_broken() -> None:
    cipher = AesGcmCipher(ring_of("one"), SystemEntropy())
    sealed = cipher.seal(SECRET, bound_to=ROW)
    with pytest.raises(SealBroken):
        cipher.open(attrs.evolve(sealed, ciphertext=b"\x02" + sealed.ciphertext[1:]), bound_to=ROW)


# --- the ring -------------------------------------------------------------------------------------------------------


def test_rotation_puts_a_new_key_in_front() -> None:
    rotated = RING.rotate(SeededEntropy(2), NOW)
    assert rotated.keys[1:] == RING.keys
    assert rotated.active == rotated.keys[0] != RING.active


def test_retiring_drops_an_older_key_and_never_the_active_one() -> None:
    ring = ring_of("three", "two", "one")
    assert ring.retire("key-two") == ring_of("three", "one")
    for key_id, problem in (("key-three", "active"), ("key-four", "not in the ring")):
        with pytest.raises(InputInvalid, match=problem):
            ring.retire(key_id)


def test_an_ephemeral_ring_is_another_one_each_time() -> None:
    assert KeyRing.ephemeral(SystemEntropy()) != KeyRing.ephemeral(SystemEntropy())


@given(names=st.lists(st.text(max_size=5), min_size=1, max_size=6, unique=True), seed=st.integers())
def test_text_gives_the_same_ring_back(names: list[str], seed: int) -> None:
    ring = KeyRing.generate(SeededEntropy(seed), NOW)
    for name in names:
        ring = ring.rotate(SeededEntropy(name), NOW)
    assert KeyRing.from_text(ring.to_text().reveal()) == ring


def test_a_ring_never_shows_its_material() -> None:
    material = RING.active.material.reveal()
    assert material not in repr(RING) + str(RING) + repr(RING.active) + str(RING.to_text())
    for refused in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            refused(RING)


@pytest.mark.parametrize("text", ["", " \n"])
def test_blank_text_is_a_missing_ring(text: str) -> None:
    with pytest.raises(KeysMissing, match="authflow keys new"):
        KeyRing.from_text(text)


def entry(**changes: object) -> dict[str, object]:
    good = {"id": "one", "created_at": "2026-01-01T00:00:00+00:00", "key": RING.active.material.reveal()}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def document(*keys: object, version: object = 1) -> str:
    return json.dumps({"version": version, "keys": keys})


MALFORMED = [
    "{",
    "[" * 60_000,
    "null",
    "[]",
    "{}",
    json.dumps({"version": 1, "keys": {}}),
    RING.active.material.reveal(),
    f'{{"version": 1, "keys": [{{"key": "{RING.active.material.reveal()}"',
    document(),
    document(entry(), version=2),
    document(entry(), version=None),
    document(RING.active.material.reveal()),
    document(entry(), entry(id="two")),  # one material under two ids
    document(entry(), entry(key=base64.b64encode(bytes(32)).decode())),  # two materials under one id
    *(document(entry(**{name: None})) for name in ("id", "created_at", "key")),
    *(
        document(entry(id=bad))
        for bad in ("", "a b", "x" * 65, "sch\u00fcssel", 7, RING.active.material.reveal() + " ")
    ),
    *(document(entry(created_at=bad)) for bad in ("", "today", "2026-01-01", 0, RING.active.material.reveal())),
    *(document(entry(key=bad)) for bad in ("", "%", "A" * 43, 7, base64.b64encode(bytes(31)).decode())),
    document(entry(key=RING.active.material.reveal() + "!")),
    document(entry(key=RING.active.material.reveal()[:-2] + "\u00fc=")),
]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_ring_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(KeysInvalid) as refusal:
        KeyRing.from_text(text)
    error = refusal.value
    assert error.__context__ is None  # nothing that a log could follow to the parser's copy of the text
    assert RING.active.material.reveal() not in "".join(traceback.format_exception(error))


def test_a_ring_is_made_of_32_random_bytes() -> None:
    class Short:
        def random_bytes(self, count: int) -> bytes:
            return bytes(count - 1)

    with pytest.raises(KeysInvalid):
        KeyRing.generate(Short(), NOW)


def test_rotating_with_a_source_that_repeats_itself_is_refused() -> None:
    with pytest.raises(KeysInvalid, match="twice"):
        RING.rotate(SeededEntropy(), NOW)


def test_a_key_needs_an_aware_time() -> None:
    with pytest.raises(KeysInvalid, match="time zone"):
        KeyRing.generate(SeededEntropy(), NOW.replace(tzinfo=None))


# --- its file -------------------------------------------------------------------------------------------------------


def test_a_saved_ring_is_loaded_again(tmp_path: Path) -> None:
    RING.save(tmp_path / "keys.json")
    assert KeyRing.load(tmp_path / "keys.json") == KeyRing.load(str(tmp_path / "keys.json")) == RING


def test_a_file_takes_a_rotation_and_a_retirement(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    for ring in (ring_of("one"), ring_of("two", "one"), ring_of("two")):
        ring.save(path)
        assert KeyRing.load(path) == ring


@pytest.mark.parametrize("other", [ring_of("two"), ring_of("three", "one"), KeyRing.ephemeral(SystemEntropy())])
def test_a_ring_without_the_active_key_does_not_replace_it(tmp_path: Path, other: KeyRing) -> None:
    standing = ring_of("two2", "one")
    standing.save(tmp_path / "keys.json")
    with pytest.raises(KeysInvalid, match="another ring"):
        other.save(tmp_path / "keys.json")
    assert KeyRing.load(tmp_path / "keys.json") == standing


def test_an_id_with_other_material_does_not_replace_the_key(tmp_path: Path) -> None:
    ring_of("one").save(tmp_path / "keys.json")
    forged = KeyRing(keys=(attrs.evolve(named("two"), id="key-one"),))
    with pytest.raises(KeysInvalid, match="another ring"):
        forged.save(tmp_path / "keys.json")


def test_a_file_that_is_no_ring_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    for content in ("dear diary", ""):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(KeysInvalid):
            RING.save(path)
        assert path.read_text() == content


# --- first use ------------------------------------------------------------------------------------------------------


def test_cryptography_is_imported_on_first_use() -> None:
    program = (
        "import sys; from authflow.adapters.keys import *; from authflow.adapters.system import SystemEntropy;"
        "from authflow.values import Secret; ring = KeyRing.ephemeral(SystemEntropy());"
        "cipher, pepper = AesGcmCipher(ring, SystemEntropy()), HmacPepper(ring);"
        "print('cryptography' in sys.modules, end=' '); pepper.digests('x'); print('cryptography' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True"]
