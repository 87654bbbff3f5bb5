"""What an authenticator app shows (RFC 4226, RFC 6238), for programs that have to type it in."""

from __future__ import annotations

import base64
import hmac
import struct
import time


def code_at(secret: bytes, step: int) -> str:
    """Return the six digits of *secret* at *step*."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def shown(secret: str) -> str:
    """Return what an app that scanned the base32 *secret* shows now."""
    return code_at(base64.b32decode(secret), int(time.time()) // 30)
