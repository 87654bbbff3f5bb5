"""Recovery codes: 80 random bits each, shown once, stored as a keyed digest, consumed once (mfa 10.4).

The text is Crockford's base32: letter case does not matter, and what looks like a one or a zero is one.
A code of 80 bits cannot be guessed, so an HMAC under a key outside the database protects it as well as a slow hash
would, and one indexed update can consume it (decision 30, NIST 800-63B-4 3.1.2).
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final, NewType

from authflow.errors import InputInvalid
from authflow.values import UTC, Secret, require_aware

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from authflow.ports import Digest, Pepper
    from authflow.values import AuthenticatorId

RECOVERY_CODE_COUNT: Final = 10
"""Codes in one set (mfa 22)."""

RECOVERY_CODE_BYTES: Final = 10
"""80 bits; NIST 800-63B-4 wants at least 64 of a saved recovery code."""

RECOVERY_CODE_CHARS: Final = RECOVERY_CODE_BYTES * 8 // 5
"""16 characters of 5 bits."""

CODE_TEXT_MAX: Final = 64
"""Characters of a code as typed, blanks and hyphens included; longer text is not looked at."""

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The alphabet: no I, L, O, which look like digits, and no U."""

ALPHABET: Final = frozenset(CROCKFORD)

FROM_RFC_4648: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", CROCKFORD)

LOOKALIKES: Final = str.maketrans("ILO", "110")

RecoveryCode = NewType("RecoveryCode", str)
"""A code in the one form that is digested: 16 capitals and digits of Crockford's alphabet, nothing between."""


def new_codes(random: bytes, count: int = RECOVERY_CODE_COUNT) -> tuple[Secret, ...]:
    """Return *count* codes as they are shown, ``XXXX-XXXX-XXXX-XXXX``, no two the same.

    Args:
        random: Exactly 10 unpredictable bytes for each code.
        count: How many.

    Raises:
        InputInvalid: The number of bytes does not fit, or they repeat: then they are not random.
    """
    if count < 1 or len(random) != count * RECOVERY_CODE_BYTES:
        raise InputInvalid(field="random", problem=f"must be {RECOVERY_CODE_BYTES} bytes for each of 1 or more codes")
    text = base64.b32encode(random).decode().translate(FROM_RFC_4648)
    codes = [_grouped(text[at : at + RECOVERY_CODE_CHARS]) for at in range(0, len(text), RECOVERY_CODE_CHARS)]
    if len(set(codes)) != count:
        raise InputInvalid(field="random", problem="must not repeat itself")
    return tuple(Secret(code) for code in codes)


def parse_recovery_code(text: object) -> RecoveryCode | None:
    """Return the code that a person typed in its one form, or none if *text* cannot be a code.

    Hyphens and blanks are dropped wherever they stand, small letters are made capitals, I and L are read as one and
    O as zero. Foreign letters are refused, never folded.

    >>> parse_recovery_code(" 0123-4567 89ab-cdeO ")
    '0123456789ABCDE0'
    """
    if not isinstance(text, str) or len(text) > CODE_TEXT_MAX or not text.isascii():
        return None
    code = "".join(text.split()).replace("-", "").upper().translate(LOOKALIKES)
    return RecoveryCode(code) if len(code) == RECOVERY_CODE_CHARS and ALPHABET.issuperset(code) else None


def digest(pepper: Pepper, authenticator: AuthenticatorId, code: RecoveryCode) -> tuple[Digest, ...]:
    """Return the digests under which *code* of *authenticator* may be stored: one for each key of the pepper.

    Always all of them, whatever is stored, so that the work tells nothing.
    """
    return pepper.digests(authenticator, code)


def digests_to_store(pepper: Pepper, authenticator: AuthenticatorId, codes: Sequence[Secret]) -> tuple[Digest, ...]:
    """Return the digest to store for each of the new *codes*, in their order, under the pepper's active key."""
    return tuple(digest(pepper, authenticator, _ungrouped(code))[0] for code in codes)


def render_text(codes: Sequence[Secret], issuer: str, account: str, created_at: datetime) -> str:
    """Return the file that a person downloads when new codes are shown. It contains the codes.

    Raises:
        NaiveDatetime: *created_at* has no time zone.
    """
    made = require_aware(created_at).astimezone(UTC)
    numbered = [f"{number:>3}. {code.reveal()}" for number, code in enumerate(codes, start=1)]
    lines = [
        f"Recovery codes of {_one_line(account)} at {_one_line(issuer)}",
        f"Made on {made:%Y-%m-%d %H:%M} UTC",
        "",
        *numbered,
        "",
        "Each code signs you in once when your second factor is lost.",
        "Keep them as you keep a password. New codes make all of these worthless.",
        "",
    ]
    return "\n".join(lines)


def _grouped(code: str) -> str:
    return f"{code[:4]}-{code[4:8]}-{code[8:12]}-{code[12:]}"


def _ungrouped(code: Secret) -> RecoveryCode:
    return RecoveryCode(code.reveal().replace("-", ""))


def _one_line(text: str) -> str:
    """Return *text* without line breaks: an account's label must not write lines of its own into the file."""
    return " ".join(text.split())
