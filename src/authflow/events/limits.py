"""Every limit of an event, in one table, with where it comes from.

Lengths are counted in code points, as databases count them, unless the row says bytes: bytes are those of the value
as UTF-8 JSON. A name of 200 two-byte letters is a legal release, and 400 bytes long (outbox 3.4).
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Final

import attrs


@unique
class Unit(Enum):
    """What a size counts."""

    CODE_POINTS = "code points"
    BYTES = "bytes of UTF-8 JSON"
    ITEMS = "items"
    NUMBER = "the number itself"


@unique
class Over(Enum):
    """What becomes of a value above its limit. Every removal and every null is annotated."""

    TRIMMED = "trimmed"
    REMOVED = "removed"
    NULL = "null"
    REFUSED = "the whole event is refused"


@attrs.frozen(kw_only=True)
class Limit:
    """One row: *field* holds at most *size* of *unit*, nested at most *depth* deep where that applies."""

    field: str
    size: int
    unit: Unit
    over: Over
    source: str
    depth: int | None = None


_OURS = "ours: the specification names none"

TABLE: Final[tuple[Limit, ...]] = (
    Limit(field="release", size=200, unit=Unit.CODE_POINTS, over=Over.REMOVED, source="outbox 3.4"),
    Limit(field="environment", size=64, unit=Unit.CODE_POINTS, over=Over.REMOVED, source="outbox 3.4"),
    Limit(field="dist", size=64, unit=Unit.CODE_POINTS, over=Over.REMOVED, source="outbox 3.4"),
    Limit(field="transaction", size=200, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="culprit", size=200, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="logger", size=64, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="message", size=8192, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="server_name", size=256, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="site", size=256, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="checksum", size=128, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="tag key", size=32, unit=Unit.CODE_POINTS, over=Over.NULL, source="outbox 3.3"),
    Limit(field="tag value", size=200, unit=Unit.CODE_POINTS, over=Over.NULL, source="outbox 3.3"),
    Limit(field="tags", size=200, unit=Unit.ITEMS, over=Over.REMOVED, source=_OURS),
    Limit(field="fingerprint", size=32, unit=Unit.ITEMS, over=Over.TRIMMED, source=_OURS),
    Limit(field="fingerprint part", size=200, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source=_OURS),
    Limit(field="errors", size=100, unit=Unit.ITEMS, over=Over.TRIMMED, source=_OURS),
    Limit(field="original", size=200, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source=_OURS),
    Limit(field="platform", size=64, unit=Unit.CODE_POINTS, over=Over.REMOVED, source=_OURS),
    Limit(field="version", size=16, unit=Unit.CODE_POINTS, over=Over.TRIMMED, source=_OURS),
    Limit(field="time_spent", size=2**31 - 2, unit=Unit.NUMBER, over=Over.REMOVED, source="outbox 3.4"),
    Limit(field="extra", size=262_144, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="modules", size=8192, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="spans", size=819_200, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source="outbox 3.4"),
    Limit(field="params", size=8192, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source=_OURS),
    Limit(field="user", size=16_384, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source=_OURS),
    Limit(field="request", size=262_144, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source=_OURS),
    Limit(field="contexts", size=262_144, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source=_OURS),
    Limit(field="breadcrumbs", size=262_144, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source=_OURS),
    Limit(field="occurrence", size=262_144, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source=_OURS),
    Limit(field="sdk", size=8192, unit=Unit.BYTES, depth=7, over=Over.TRIMMED, source=_OURS),
)

LIMITS: Final[dict[str, Limit]] = {limit.field: limit for limit in TABLE}

ALLOWANCE: Final = 20
"""Code points by which ``server_name`` and ``site`` may be too long before they are trimmed (outbox 3.4)."""

DOCUMENT_DEPTH: Final = 64
"""Levels of nesting in a whole event; what lies deeper becomes null. Ours: deep JSON must not exhaust the stack."""
