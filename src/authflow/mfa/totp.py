"""Time-based one-time codes (RFC 4226, RFC 6238): pure functions over a secret, a code and an instant.

Which step matched is part of the answer: it must never be accepted again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import attrs

from authflow.errors import ConfigInvalid, InputInvalid
from authflow.values import UTC, Secret, require_aware

if TYPE_CHECKING:
    from collections.abc import Sequence

TOTP_SECRET_BYTES: Final = 20
"""160 bits, what RFC 4226 R6 recommends."""

SECRET_BYTES_MIN: Final = 16
"""128 bits: the least that RFC 4226 R6 allows, whoever made the secret."""

COUNTERS: Final = range(1 << 64)
"""RFC 4226 5.1: a counter has eight bytes."""

CODE_TEXT_MAX: Final = 20
"""Characters of a code as typed, blanks and hyphens included; longer text is not looked at."""

WINDOW_MAX: Final = 2
"""Steps of clock skew to either side that a policy may allow (mfa 6)."""

DIGITS: Final = range(6, 9)
"""RFC 4226 5.3: at least 6, and possibly 7 or 8."""

PERIODS: Final = range(10, 121)
"""Seconds: no authenticator in use is faster, and NIST 800-63B-4 3.1.4.1 wants a new code every two minutes."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

DAY_SECONDS: Final = 86_400

_FOUR_BYTES: Final = struct.Struct(">I").unpack_from

Algorithm = Literal["SHA1", "SHA256", "SHA512"]

DIGESTS: Final = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}


@attrs.frozen(kw_only=True)
class Parameters:
    """How codes are made from a secret. Every authenticator app knows the defaults; few know anything else.

    Args:
        digits: Length of a code, 6 to 8.
        period: Seconds in one step, 10 to 120.
        algorithm: The hash inside the HMAC.

    Raises:
        ConfigInvalid: A value is out of its range.
    """

    digits: int = 6
    period: int = 30
    algorithm: Algorithm = "SHA1"

    def __attrs_post_init__(self) -> None:
        if self.digits not in DIGITS:
            raise ConfigInvalid(setting="totp.digits", problem="must be 6, 7 or 8")
        if self.period not in PERIODS:
            raise ConfigInvalid(setting="totp.period", problem="must be 10 to 120 whole seconds")
        if self.algorithm not in DIGESTS:
            raise ConfigInvalid(setting="totp.algorithm", problem="must be SHA1, SHA256 or SHA512")


DEFAULTS: Final = Parameters()


@attrs.frozen(kw_only=True)
class MatchedStep:
    """Proof that a code was right, and new. Store *step*: it and all older ones are burnt (mfa 7.5)."""

    step: int


@attrs.frozen(kw_only=True)
class Replayed:
    """The code was right, but *step* was accepted before, or is older than one that was.

    For the log only: the person gets the same answer as for a wrong code.
    """

    step: int


def step_at(now: datetime, parameters: Parameters = DEFAULTS) -> int:
    """Return the time step of *now*: whole periods since 1970, in exact arithmetic.

    Raises:
        NaiveDatetime: *now* has no time zone.
    """
    since = require_aware(now) - EPOCH
    return (since.days * DAY_SECONDS + since.seconds) // parameters.period


def code_at(secret: Secret, step: int, parameters: Parameters = DEFAULTS) -> str:
    """Return the code of *secret* at *step* (RFC 4226 5.3).

    Raises:
        InputInvalid: *step* is negative or has more than eight bytes, or *secret* is not base32 of at least 128 bits.
    """
    if step not in COUNTERS:
        raise InputInvalid(field="step", problem="must have eight bytes and not be negative")
    return _codes(secret, (step,), parameters)[0].decode()


def parse_code(text: object, digits: int = DEFAULTS.digits) -> str | None:
    """Return the *digits* ASCII digits that a person typed, or none if *text* cannot be a code.

    Hyphens and blanks are dropped wherever they stand. Full-width and other foreign digits are refused, although
    ``int`` takes them. Nothing is computed from what is refused.

    >>> parse_code(" 123-456 ")
    '123456'
    """
    if not isinstance(text, str) or len(text) > CODE_TEXT_MAX or not text.isascii():
        return None
    code = "".join(text.split()).replace("-", "")
    return code if len(code) == digits and code.isdigit() else None


def match(
    secret: Secret,
    code: str,
    now: datetime,
    *,
    after: int | None,
    window: int = 1,
    parameters: Parameters = DEFAULTS,
) -> MatchedStep | Replayed | None:
    """Say which time step around *now* has this *code*, the newest if several have it (decision 43).

    All steps of the window are computed and compared in constant time, wherever the match is.

    Args:
        secret: The opened secret, base32.
        code: As `parse_code` gave it; anything else is a wrong code.
        now: Aware.
        after: The step accepted last for this very secret, or none: only newer ones match.
        window: Steps of clock skew to either side, 0 to 2.
        parameters: How the codes of this secret are made.

    Returns:
        The matched step, to be stored by compare-and-set; `Replayed` for a right code of a burnt step; else none.

    Raises:
        NaiveDatetime: *now* has no time zone.
        ConfigInvalid: *window* is out of its range.
        InputInvalid: *secret* is not base32 of at least 128 bits.
    """
    if not 0 <= window <= WINDOW_MAX:
        raise ConfigInvalid(setting="totp.window", problem=f"must be 0 to {WINDOW_MAX}")
    present = step_at(now, parameters)
    steps = range(present + window, max(present - window, 0) - 1, -1)
    given = code.encode("utf-8", "surrogatepass")
    codes = _codes(secret, steps, parameters)
    hits = [step for step, made in zip(steps, codes, strict=True) if hmac.compare_digest(given, made)]
    if not hits:
        return None
    newest = hits[0]
    return MatchedStep(step=newest) if after is None or newest > after else Replayed(step=newest)


def new_secret(random: bytes) -> Secret:
    """Return *random* as a secret: 20 bytes become 32 characters of base32.

    Raises:
        InputInvalid: Fewer than 20 bytes, or not a multiple of 5, which would need padding.
    """
    if len(random) < TOTP_SECRET_BYTES or len(random) % 5:
        raise InputInvalid(field="random", problem=f"must be {TOTP_SECRET_BYTES} bytes, or more in fives")
    return Secret(base64.b32encode(random).decode())


def provisioning_uri(secret: Secret, *, issuer: str, account: str, parameters: Parameters = DEFAULTS) -> str:
    """Return the ``otpauth`` address that an authenticator app scans. It contains the secret.

    The label is ``issuer:account``, so that two deployments with one e-mail address stay apart in the app (mfa 7.1).
    Parameters are named only where they differ from what every app assumes.

    Raises:
        InputInvalid: *issuer* or *account* is blank.
    """
    from urllib.parse import quote

    for field, text in (("issuer", issuer), ("account", account)):
        if not (text or "").strip():  # a host may hand on a field that is missing
            raise InputInvalid(field=field, problem="must not be blank")
    maker, owner = (quote(text, safe="", errors="replace") for text in (issuer, account))
    chosen = (
        ("digits", parameters.digits, DEFAULTS.digits),
        ("period", parameters.period, DEFAULTS.period),
        ("algorithm", parameters.algorithm, DEFAULTS.algorithm),
    )
    unusual = "".join(f"&{name}={value}" for name, value, default in chosen if value != default)
    return f"otpauth://totp/{maker}:{owner}?issuer={maker}&secret={secret.reveal()}{unusual}"


def grouped(secret: Secret) -> str:
    """Return the secret in blocks of four, for whoever types it.

    >>> grouped(Secret("JBSWY3DPEHPK3PXP"))
    'JBSW Y3DP EHPK 3PXP'
    """
    text = secret.reveal()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _codes(secret: Secret, steps: Sequence[int], parameters: Parameters) -> list[bytes]:
    """Return the code of each step, in ASCII: the secret is decoded once for all of them."""
    key, digest, modulus = _key(secret), DIGESTS[parameters.algorithm], 10**parameters.digits
    macs = [hmac.digest(key, step.to_bytes(8, "big"), digest) for step in steps]
    return [b"%0*d" % (parameters.digits, _truncated(mac) % modulus) for mac in macs]


def _key(secret: Secret) -> bytes:
    """Return the bytes of *secret*, which may come in small letters and without its padding."""
    text = secret.reveal()
    try:
        key = base64.b32decode(text + "=" * (-len(text) % 8), casefold=True)
    except ValueError:
        key = b""
    if len(key) < SECRET_BYTES_MIN:
        # Not chained, because what base64 says may quote the secret.
        raise InputInvalid(field="secret", problem="must be base32 of at least 128 bits")
    return key


def _truncated(mac: bytes) -> int:
    """Return the 31 bits of *mac* that begin where its last four bits say (RFC 4226 5.3)."""
    bits: int = _FOUR_BYTES(mac, mac[-1] & 0xF)[0]
    return bits & 0x7FFFFFFF
