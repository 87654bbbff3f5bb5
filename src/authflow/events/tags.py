"""The tags of an event: pairs of short texts, the first of a key wins (outbox 3.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from authflow.events.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from authflow.events.document import Document, Notes

Pair = list[str | None]
"""Key and value; a half that was not legal is null."""

Tags = list[Pair | None]
"""An entry that was no pair at all is null, and skipped when it is read."""

KEY: Final = re.compile(r"[a-zA-Z0-9_.:-]+")

RESERVED: Final = frozenset({"release", "dist", "user", "filename", "function"})
"""A client may not set these: what we derive ourselves is called that, behind `PREFIX`."""

PREFIX: Final = "authflow:"
"""Before the tags that are derived from the event: ``authflow:release``, ``authflow:dist``, ``authflow:user``."""


def normalize(given: object, notes: Notes) -> Tags:
    """Return the tags of a client, given as a list of pairs or as a map."""
    if given is None:
        return []
    if isinstance(given, dict):
        given = [[key, value] for key, value in cast("Document", given).items()]
    if not isinstance(given, list):
        notes.add("invalid_data", "tags", given)
        return []
    items = cast("list[object]", given)
    if len(items) > LIMITS["tags"].size:
        notes.add("too_many", "tags", len(items))
    return _first_of_each(_pair(item, notes) for item in items[: LIMITS["tags"].size])


def _first_of_each(pairs: Iterable[Pair | None]) -> Tags:
    seen: set[str] = set(RESERVED)
    kept: Tags = []
    for pair in pairs:
        key = None if pair is None else pair[0]
        if key is None or key not in seen:
            kept.append(pair)
        if key is not None:
            seen.add(key)
    return kept


def _pair(item: object, notes: Notes) -> Pair | None:
    if not isinstance(item, list):
        notes.add("invalid_data", "tags", item)
        return None
    halves = cast("list[object]", item)
    if len(halves) != len(("key", "value")):
        notes.add("invalid_data", "tags", halves)
        return None
    return [_half("tag key", halves[0], notes), _half("tag value", halves[1], notes)]


def _half(field: str, given: object, notes: Notes) -> str | None:
    """Client tags are never truncated: a half that is too long is null (outbox 3.3)."""
    text = _text(given)
    if text is not None and 0 < len(text) <= LIMITS[field].size and _legal(field, text):
        return text
    notes.add("invalid_data", field, given)
    return None


def _text(given: object) -> str | None:
    if isinstance(given, bool):
        return "true" if given else "false"
    return str(given) if isinstance(given, str | int | float) else None


def _legal(field: str, text: str) -> bool:
    return KEY.fullmatch(text) is not None if field == "tag key" else not re.search(r"[\r\n]", text)


def value_of(tags: Tags, key: str) -> str | None:
    """Return the value of *key*, or none."""
    return next((pair[1] for pair in tags if pair is not None and pair[0] == key), None)


def without(tags: Tags, key: str) -> Tags:
    """Return *tags* without *key*."""
    return [pair for pair in tags if pair is None or pair[0] != key]


def with_default(tags: Tags, key: str, value: str | None) -> Tags:
    """Return *tags* with *key* added, unless it is there or *value* is none."""
    return tags if value is None or _holds(tags, key) else [*tags, [key, value]]


def with_ours(tags: Tags, key: str, value: str | None) -> Tags:
    """Return *tags* with *key* as we say: cut to its limit, in place of what a client said."""
    rest = without(tags, key)
    return rest if not value else [*rest, [key, value[: LIMITS["tag value"].size]]]


def _holds(tags: Tags, key: str) -> bool:
    return any(pair is not None and pair[0] == key for pair in tags)
