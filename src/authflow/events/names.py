"""The short names of an event: release, environment, dist, and the words around them."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from authflow.events.document import trim_text
from authflow.events.limits import ALLOWANCE, LIMITS

if TYPE_CHECKING:
    from authflow.events.document import Notes

FORBIDDEN: Final = re.compile(r"[/\\\r\n\t\f]")
"""In releases and environments; the backslash too, which would be refused later otherwise (outbox 3.4, 3.6)."""

RESERVED: Final = {"release": {".", "..", "latest"}, "environment": {".", "..", "none"}}
"""Compared in lower case."""

DIST: Final = re.compile(r"[a-zA-Z0-9_.-]+")

PLATFORM: Final = re.compile(r"[a-z0-9_.-]+")

HEX: Final = re.compile(r"[0-9a-fA-F]+")

LEVELS: Final = ("fatal", "error", "warning", "info", "debug")


def text(value: object) -> str | None:
    """Return *value* as text if it is a text or a number, else none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


def name(field: str, value: object, notes: Notes) -> str | None:
    """Return a release or an environment, or none if there is none or it is not legal."""
    if value is None:
        return None
    given = (text(value) or "").strip()
    if given == "" and isinstance(value, str):
        return None
    legal = given and not FORBIDDEN.search(given) and given.lower() not in RESERVED[field]
    if not legal or len(given) > LIMITS[field].size:
        notes.add("invalid_data", field, value)
        return None
    return given


def dist(value: object, notes: Notes) -> str | None:
    """Return the distribution of a release, or none."""
    given = (text(value) or "").strip()
    if value is None or (given == "" and isinstance(value, str)):
        return None
    if not DIST.fullmatch(given) or len(given) > LIMITS["dist"].size:
        notes.add("invalid_data", "dist", value)
        return None
    return given


def word(field: str, value: object, notes: Notes) -> str | None:
    """Return a trimmed text such as a transaction or a culprit, or none."""
    given = text(value)
    if given is None and value is not None:
        notes.add("invalid_data", field, value)
    return trim_text(given, LIMITS[field].size) if given else None


def logger(value: object, notes: Notes) -> str | None:
    """Return the logger's name, or none; a line break removes it."""
    given = word("logger", value, notes)
    if given is not None and re.search(r"[\r\n]", given):
        notes.add("invalid_data", "logger", value)
        return None
    return given


def host(field: str, value: object, notes: Notes) -> str | None:
    """Return ``server_name`` or ``site``; a few code points too many are let pass."""
    given = text(value)
    if given is None and value is not None:
        notes.add("invalid_data", field, value)
    if not given:
        return None
    most = LIMITS[field].size
    return given if len(given) <= most + ALLOWANCE else trim_text(given, most)


def level(value: object, default: str, notes: Notes) -> str:
    """Return the level, or *default*."""
    given = value.lower() if isinstance(value, str) else value
    if given in LEVELS:
        return str(given)
    if value is not None:
        notes.add("invalid_data", "level", value)
    return default


def platform(value: object, notes: Notes) -> str:
    """Return the platform, or ``other``."""
    given = value.lower() if isinstance(value, str) else ""
    if PLATFORM.fullmatch(given) and len(given) <= LIMITS["platform"].size:
        return given
    if value is not None:
        notes.add("invalid_data", "platform", value)
    return "other"


def checksum(value: object, notes: Notes) -> str | None:
    """Return the checksum; one that is no hash is hashed (outbox 3.4)."""
    given = word("checksum", value, notes)
    if given is None or HEX.fullmatch(given):
        return given
    return hashlib.sha256(given.encode()).hexdigest()
