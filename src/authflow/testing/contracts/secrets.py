"""What every ``Cipher`` and every ``Pepper`` must keep (mfa 20.5, decision 30)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import SealBroken, SecretUnavailable
from authflow.values import Secret

if TYPE_CHECKING:
    from authflow.ports import Cipher, Pepper
    from authflow.values import Sealed

SECRET: Final = Secret("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")

ROW: Final = ("user-1", "authenticator-1", "totp")

PLACES: Final = tuple(parts for length in (1, 2, 3) for parts in product(("", "a", "b", "ab"), repeat=length))
"""Every list of up to three such parts: many of them are the same text when they are only joined."""


class CipherContract:
    """Subclass this, supply `make_cipher`, and pytest checks your ``Cipher``."""

    def make_cipher(self, *keys: str) -> Cipher:
        """Return a cipher whose ring holds exactly the named keys, the first of them active.

        A name stands for the same key in every call; what key ids the ciphertexts bear is the cipher's own affair.
        """
        raise NotImplementedError

    @pytest.mark.parametrize("text", [SECRET.reveal(), "", "\u00e4\U0001f511\x00 ", "x" * 4096])
    def test_opens_what_it_sealed(self, text: str) -> None:
        """Any text comes back unchanged, from another cipher of the same ring too."""
        sealed = self.make_cipher("one").seal(Secret(text), bound_to=ROW)
        assert self.make_cipher("one").open(sealed, bound_to=ROW).reveal() == text

    def test_shows_nothing(self) -> None:
        """Neither the ciphertext nor its repr contains the secret."""
        sealed = self.make_cipher("one").seal(SECRET, bound_to=ROW)
        assert SECRET.reveal().encode() not in sealed.ciphertext
        assert SECRET.reveal() not in repr(sealed)

    def test_never_seals_twice_alike(self) -> None:
        """One secret in one place gives another ciphertext each time."""
        cipher = self.make_cipher("one")
        assert len({cipher.seal(SECRET, bound_to=ROW).ciphertext for _ in range(100)}) == 100

    @pytest.mark.parametrize("place", range(len(ROW)))
    def test_does_not_open_elsewhere(self, place: int) -> None:
        """A ciphertext moved to another owner, row or kind is broken."""
        elsewhere = [*ROW]
        elsewhere[place] += "x"
        cipher = self.make_cipher("one")
        sealed = cipher.seal(SECRET, bound_to=ROW)
        assert self._broken(cipher, sealed, *elsewhere)

    def test_keeps_the_parts_apart(self) -> None:
        """What is bound to ("ab", "c") does not open at ("a", "bc"), nor at any other list of parts."""
        cipher = self.make_cipher("one")
        for place in PLACES:
            sealed = cipher.seal(SECRET, bound_to=place)
            opening = [other for other in PLACES if not self._broken(cipher, sealed, *other)]
            assert opening == [place]

    def test_finds_every_altered_byte(self) -> None:
        """Each byte of the ciphertext, changed to each other value, breaks it."""
        cipher = self.make_cipher("one")
        sealed = cipher.seal(SECRET, bound_to=ROW)
        for at, mask in product(range(len(sealed.ciphertext)), range(1, 256)):
            altered = bytearray(sealed.ciphertext)
            altered[at] ^= mask
            assert self._broken(cipher, attrs.evolve(sealed, ciphertext=bytes(altered)), *ROW), (at, mask)

    def test_finds_every_cut(self) -> None:
        """A ciphertext that lost bytes at either end, or won some, is broken."""
        cipher = self.make_cipher("one")
        sealed = cipher.seal(SECRET, bound_to=ROW)
        whole = sealed.ciphertext
        others = [whole[:end] for end in range(len(whole))] + [whole[start:] for start in range(1, len(whole))]
        for other in (*others, whole + b"\x00", b"\x00" + whole):
            assert self._broken(cipher, attrs.evolve(sealed, ciphertext=other), *ROW), other

    def test_rotation_opens_the_old_and_seals_under_the_new(self) -> None:
        """After a rotation everything opens, and only what is older asks to be sealed anew."""
        before, after = self.make_cipher("one"), self.make_cipher("two", "one")
        old, new = before.seal(SECRET, bound_to=ROW), after.seal(SECRET, bound_to=ROW)
        assert after.open(old, bound_to=ROW) == after.open(new, bound_to=ROW) == SECRET
        assert old.key_id != new.key_id
        assert (before.needs_reseal(old), after.needs_reseal(old), after.needs_reseal(new)) == (False, True, False)

    def test_an_unknown_key_is_unavailable_and_not_broken(self) -> None:
        """Without the key nothing is said about the ciphertext, so that it is never taken for a wrong code."""
        sealed = self.make_cipher("one").seal(SECRET, bound_to=ROW)
        with pytest.raises(SecretUnavailable) as refusal:
            self.make_cipher("two").open(sealed, bound_to=ROW)
        assert type(refusal.value) is SecretUnavailable
        assert refusal.value.key_id == sealed.key_id

    def test_a_lost_key_locks_nothing_else(self) -> None:
        """What is sealed under the other keys still opens."""
        kept = self.make_cipher("two", "one").seal(SECRET, bound_to=ROW)
        assert self.make_cipher("three", "two").open(kept, bound_to=ROW) == SECRET

    def test_does_not_open_under_another_key(self) -> None:
        """A ciphertext labelled with another key of the ring is broken."""
        cipher = self.make_cipher("two", "one")
        mine, other = cipher.seal(SECRET, bound_to=ROW), self.make_cipher("one").seal(SECRET, bound_to=ROW)
        assert self._broken(cipher, attrs.evolve(mine, key_id=other.key_id), *ROW)

    @staticmethod
    def _broken(cipher: Cipher, sealed: Sealed, *bound_to: str) -> bool:
        try:
            cipher.open(sealed, bound_to=bound_to)
        except SealBroken as error:
            refusal = error
        else:
            return False
        assert refusal.key_id == sealed.key_id
        assert SECRET.reveal() not in str(refusal)
        return True


class PepperContract:
    """Subclass this, supply `make_pepper`, and pytest checks your ``Pepper``."""

    def make_pepper(self, *keys: str) -> Pepper:
        """Return a pepper whose ring holds exactly the named keys, the first of them active.

        A name stands for the same key in every call; what key ids the digests bear is the pepper's own affair.
        """
        raise NotImplementedError

    def test_is_the_same_every_time(self) -> None:
        """Equal parts under equal keys give equal digests of 32 bytes."""
        (first,) = self.make_pepper("one").digests("authenticator-1", "0123456789ABCDEF")
        assert self.make_pepper("one").digests("authenticator-1", "0123456789ABCDEF") == (first,)
        assert len(first.value) == 32

    def test_keeps_the_parts_apart(self) -> None:
        """No two lists of parts have the same digest, ("ab", "c") and ("a", "bc") included."""
        pepper = self.make_pepper("one")
        assert len({pepper.digests(*parts)[0].value for parts in PLACES}) == len(PLACES)

    def test_takes_any_text(self) -> None:
        """Foreign letters and NUL are text like any other."""
        pepper = self.make_pepper("one")
        assert pepper.digests("\u00e4\x00\U0001f511") != pepper.digests("a\u0308\x00\U0001f511")

    def test_depends_on_the_key(self) -> None:
        """Without the key a digest tells nothing: another key makes another one."""
        assert self.make_pepper("one").digests("x")[0].value != self.make_pepper("two").digests("x")[0].value

    def test_shows_nothing(self) -> None:
        """Neither the digest nor its repr contains a part, and the repr does not contain the digest."""
        (digest,) = self.make_pepper("one").digests("0123456789ABCDEF")
        assert b"0123456789ABCDEF" not in digest.value
        assert repr(digest.value) not in repr(digest)

    def test_rotation_digests_under_the_new_key_first(self) -> None:
        """Every key of the ring gives its digest, the active key's first: store that one, look up any."""
        (old,) = self.make_pepper("one").digests("x")
        (new,) = self.make_pepper("two").digests("x")
        assert self.make_pepper("two", "one").digests("x") == (new, old)
        assert new.key_id != old.key_id

    def test_a_lost_key_locks_nothing_else(self) -> None:
        """The digests under the other keys stay what they were."""
        (kept,) = self.make_pepper("two").digests("x")
        assert kept in self.make_pepper("three", "two").digests("x")
