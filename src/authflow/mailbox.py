"""Reads an e-mail address that somebody typed or a host stored: one mailbox, whose mails are counted, or none."""

from __future__ import annotations

import hashlib
from typing import Final

from authflow.values import ADDRESS_MAX, Address, fold_address

LOCAL_MAX: Final = 64
"""RFC 5321 4.5.3.1.1: the local part is at most 64 octets."""

_FORBIDDEN: Final = frozenset('()<>[]:;,\\"')
"""RFC 5322 3.2.3 "specials": legal only inside a quoted local part, which nobody has and attackers use."""


def read_address(text: object) -> Address | None:
    """Return *text* if it can be the one mailbox a mail goes to, exactly as it was typed; else none.

    One ``@``, both sides present, no blank, control character, quote or comma, at most 254 bytes (RFC 5321). A list
    of addresses is no address (CVE-2023-7028).
    """
    if not isinstance(text, str) or not text.isprintable() or any(c.isspace() or c in _FORBIDDEN for c in text):
        return None
    local, at, domain = text.partition("@")
    if not (local and at and domain) or "@" in domain or not _dotted(local) or not _dotted(domain):
        return None
    short = len(text.encode()) <= ADDRESS_MAX and len(local.encode()) <= LOCAL_MAX
    return Address(text) if short else None


def mails_key(address: Address, *, place: str = "") -> str:
    """Return the key under which mails to *address* are counted, whoever asks and in whatever way (decision 22).

    It is a digest, because an address may be longer than a key. *place* has a budget of its own.
    """
    return hashlib.sha256(f"{place}\0{fold_address(address)}".encode()).hexdigest()


def _dotted(part: str) -> bool:
    return not (part.startswith(".") or part.endswith(".") or ".." in part)
