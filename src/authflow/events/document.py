"""An event as a JSON document: cleaned, cut to size, compared by its content."""

from __future__ import annotations

import hashlib
import json
import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from authflow.errors import EventInvalid, EventTooLarge
from authflow.events.limits import DOCUMENT_DEPTH, LIMITS

if TYPE_CHECKING:
    from authflow.events.limits import Limit

Document = dict[str, Any]
"""A JSON object. Its values are none, bool, int, float, str, list and dict; nothing else."""

UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL's text cannot hold, and lone surrogates, which UTF-8 cannot."""

REPLACEMENT: Final = "\ufffd"
"""Stands where a character could not be kept (Unicode 3.2, U+FFFD)."""

NUMBER_BITS: Final = 64
"""Longer integers become text: other readers of JSON would change them."""

TEXT_BITS: Final = 1024
"""Integers longer than this become null; turning them into text takes quadratic time (CVE-2020-10735)."""

ELLIPSIS: Final = "..."

MEMBER_MIN: Final = 32
"""Bytes that must be left for a member: no number, and no text cut to nothing, is longer."""


class Notes:
    """Collects what was wrong with an event: the ``errors`` that it is saved with (outbox 3.3)."""

    def __init__(self) -> None:
        self.entries: list[Document] = []

    def add(self, kind: str, field: str, original: object = None, **more: str) -> None:
        """Note once that *field* had a problem of *kind*; *original* is what it held, cut short."""
        if len(self.entries) >= LIMITS["errors"].size:
            return
        shown = {} if original is None else {"value": str(original)[: LIMITS["original"].size]}
        entry = {"type": kind, "name": field, **shown, **more}
        if entry not in self.entries:
            self.entries.append(entry)


def read(given: object, notes: Notes, *, max_bytes: int) -> Document:
    """Return *given*, a JSON object or its text, as a clean document of its own.

    Args:
        given: A mapping of JSON values, or JSON text as ``str`` or UTF-8 ``bytes``.
        notes: Where it is annotated what had to be replaced.
        max_bytes: The largest event, in bytes of UTF-8 JSON.

    Raises:
        EventInvalid: It is no JSON object.
        EventTooLarge: It is larger than *max_bytes*.
    """
    if isinstance(given, str | bytes):
        given = _parse(given, max_bytes)
    if not isinstance(given, Mapping):
        raise EventInvalid(detail="[not an object]")
    members = cast("Mapping[object, object]", given)
    document = {_member(name): _Cleaner(notes, _member(name)).clean(value, 1) for name, value in members.items()}
    if size(document) > max_bytes:
        raise EventTooLarge(detail=f"[over {max_bytes} bytes]")
    return document


def _parse(given: str | bytes, max_bytes: int) -> object:
    if len(given) > max_bytes:
        raise EventTooLarge(detail=f"[over {max_bytes} bytes]")
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        raise EventInvalid(detail="[not JSON]") from error


def _member(name: object) -> str:
    if not isinstance(name, str):
        raise EventInvalid(detail="[a member's name is no text]")
    return UNSTORABLE.sub(REPLACEMENT, name)


@attrs.frozen
class _Cleaner:
    """Replaces in one member of an event what no database or reader can hold, and notes it under the member's name."""

    notes: Notes
    field: str

    def clean(self, value: object, depth: int) -> object:
        match value:
            case str():
                return self._kept(value, UNSTORABLE.sub(REPLACEMENT, value))
            case None | bool():
                return value
            case int():
                return self._kept(value, _integer(value))
            case float():
                return self._kept(value, value if math.isfinite(value) else None)
            case Mapping() | list() | tuple():
                return self._nested(cast("object", value), depth)
            case _:
                raise EventInvalid(detail=f"[{type(value).__name__} is no JSON]")

    def _nested(self, value: object, depth: int) -> object:
        if depth >= DOCUMENT_DEPTH:
            self.notes.add("too_deep", self.field)
            return None
        if isinstance(value, Mapping):
            members = cast("Mapping[object, object]", value)
            return {_member(name): self.clean(member, depth + 1) for name, member in members.items()}
        return [self.clean(item, depth + 1) for item in cast("list[object]", value)]

    def _kept(self, before: object, after: object) -> object:
        if after != before:
            self.notes.add("unstorable", self.field)
        return after


def _integer(value: int) -> int | str | None:
    if value.bit_length() <= NUMBER_BITS:
        return value
    return str(value) if value.bit_length() <= TEXT_BITS else None


def size(value: object) -> int:
    """Return how many bytes *value* has as compact UTF-8 JSON."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def content_digest(document: Document) -> str:
    """Return what tells two contents apart: SHA-256 over the document with its members in order, as hex."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def trim_text(text: str, most: int) -> str:
    """Return *text*, cut to *most* code points with an ellipsis if it is longer."""
    return text if len(text) <= most else text[: most - len(ELLIPSIS)] + ELLIPSIS


def trim(value: object, limit: Limit) -> object:
    """Return *value* cut to the depth and bytes of *limit*: what comes first stays, what is too deep is text."""
    return _Budget(limit.size).take(value, limit.depth or DOCUMENT_DEPTH)


class _Budget:
    """Bytes that are left for a value; every member and item pays for itself and its comma."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, value: object, depth: int) -> object:
        if isinstance(value, dict | list) and value and depth == 0:
            value = ELLIPSIS
        if isinstance(value, dict):
            return self._members(cast("Document", value), depth)
        if isinstance(value, list):
            return self._items(cast("list[object]", value), depth)
        if isinstance(value, str):
            return self._text(value)
        self._left -= size(value)
        return value

    def _members(self, value: Document, depth: int) -> Document:
        self._left -= len("{}")
        kept: Document = {}
        for name, member in value.items():
            cost = size(name) + len(":,")
            if self._left < cost + MEMBER_MIN:
                break
            self._left -= cost
            kept[name] = self.take(member, depth - 1)
        return kept

    def _items(self, value: list[object], depth: int) -> list[object]:
        self._left -= len("[]")
        kept: list[object] = []
        for item in value:
            if self._left < MEMBER_MIN + len(","):
                break
            self._left -= len(",")
            kept.append(self.take(item, depth - 1))
        return kept

    def _text(self, value: str) -> str:
        most = max(self._left, MEMBER_MIN)
        if size(value) > most:
            fitting = bisect_right(range(most), most, key=lambda length: size(value[:length])) - 1
            value = value[:fitting]
        self._left -= size(value)
        return value
