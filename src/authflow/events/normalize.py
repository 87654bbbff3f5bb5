"""Makes a legal event of any JSON object. A bad field is fixed or dropped and annotated, never a reason to refuse.

Pure: the receiving time and a fresh id are arguments. What each field becomes is `outbox_events` 3.3; the limits are
in `authflow.events.limits`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

import attrs

from authflow.events import names, people, tags, timestamps
from authflow.events.document import trim, trim_text
from authflow.events.limits import LIMITS
from authflow.values import EventId

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from authflow.events.document import Document, Notes
    from authflow.policy import EventPolicy

SECTIONS: Final = ("user", "request", "contexts", "breadcrumbs", "spans", "extra", "modules", "occurrence", "sdk")
"""Members that are kept as they are, cut to their limits."""

READ: Final = frozenset(
    {
        *SECTIONS,
        *("event_id", "type", "timestamp", "start_timestamp", "received", "sent_at", "level", "platform", "version"),
        *("message", "logentry", "logger", "transaction", "culprit", "server_name", "site", "tags", "errors"),
        *("release", "environment", "dist", "fingerprint", "checksum", "time_spent"),
    }
)
"""Every member that normalization knows; others are dropped and annotated."""

DECLARED: Final = ("transaction", "generic")
"""Types that are taken as given; all others are inferred from what the event holds."""

INFERRED: Final = {
    "exception": "error",
    "csp": "csp",
    "hpkp": "hpkp",
    "expectct": "expectct",
    "expectstaple": "expectstaple",
}
"""Which member makes an event which type; without any it is ``default``."""

DEFAULT_LEVEL: Final = {"transaction": "info"}

DEFAULT_VERSION: Final = "5"

DEFAULT_FINGERPRINT: Final = "{{ default }}"

EVENT_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""32 hexadecimal digits, or a UUID as RFC 9562 4 writes it; capitals are folded first."""

NIL: Final = "0" * 32


@attrs.frozen(kw_only=True)
class Receipt:
    """What the receiving side knows about an event.

    Args:
        received: When it was received.
        fresh_id: Minted; used when the event has no id.
        client_ip: Who sent it, or none.
        trusted: The event is our own, and its time is taken as it is.
    """

    received: datetime
    fresh_id: EventId
    client_ip: str | None = None
    trusted: bool = False


def event_id(given: object) -> EventId | None:
    """Return the id as 32 lower-case hexadecimal digits, or none if *given* is none, or is nil."""
    folded = given.lower() if isinstance(given, str) and given.isascii() else ""
    if not EVENT_ID.fullmatch(folded):
        return None
    compact = folded.replace("-", "")
    return None if compact == NIL else EventId(compact)


def kind_of(raw: Document) -> str:
    """Return the type of an event: declared or inferred."""
    declared = raw.get("type")
    if declared in DECLARED:
        return str(declared)
    return next((kind for member, kind in INFERRED.items() if raw.get(member)), "default")


def normalize(raw: Document, receipt: Receipt, policy: EventPolicy, notes: Notes) -> Document:
    """Return the legal event that *raw*, a clean document of our own, means. *raw* is used up.

    The result is JSON, within every limit, with empty members left out and ``errors`` saying what was changed.
    """
    times = timestamps.correct(raw, received=receipt.received, policy=policy, notes=notes, trusted=receipt.trusted)
    kind, platform = kind_of(raw), names.platform(raw.get("platform"), notes)
    found = tags.normalize(raw.get("tags"), notes)
    for field in ("server_name", "site"):
        found = tags.with_default(found, field, names.host(field, raw.get(field), notes))
    environment = raw.get("environment") or tags.value_of(found, "environment")
    sections = {field: _section(field, raw.get(field), notes) for field in SECTIONS}
    event: Document = {
        "event_id": _id(raw.get("event_id"), receipt, notes),
        "type": kind,
        "timestamp": timestamps.show(times.timestamp),
        "received": timestamps.show(times.received),
        "start_timestamp": raw.get("start_timestamp"),
        "level": names.level(raw.get("level"), DEFAULT_LEVEL.get(kind, "error"), notes),
        "platform": platform,
        "version": trim_text(names.text(raw.get("version")) or DEFAULT_VERSION, LIMITS["version"].size),
        "logentry": _logentry(raw, notes),
        "logger": names.logger(raw.get("logger"), notes),
        "transaction": names.word("transaction", raw.get("transaction"), notes),
        "culprit": names.word("culprit", raw.get("culprit"), notes),
        "release": names.name("release", raw.get("release"), notes),
        "environment": names.name("environment", environment, notes),
        "dist": names.dist(raw.get("dist"), notes),
        "tags": tags.without(found, "environment"),
        "fingerprint": _fingerprint(raw.get("fingerprint"), notes),
        "checksum": names.checksum(raw.get("checksum"), notes),
        "time_spent": _time_spent(raw.get("time_spent"), notes),
        **sections,
        "user": people.with_address(
            sections["user"],
            request=sections["request"],
            platform=platform,
            client_ip=receipt.client_ip,
            notes=notes,
        ),
    }
    _note_unknown(raw, notes)
    event["errors"] = notes.entries
    return {name: value for name, value in event.items() if value not in (None, {}, [])}


def _id(given: object, receipt: Receipt, notes: Notes) -> EventId:
    found = event_id(given)
    if found is None and given is not None and given != NIL:
        notes.add("invalid_data", "event_id", given)
    return found or receipt.fresh_id


def _section(field: str, given: object, notes: Notes) -> Document:
    wanted = (dict, list) if field in {"breadcrumbs", "spans"} else (dict,)
    if given is None:
        return {}
    if not isinstance(given, wanted):
        notes.add("invalid_data", field, given)
        return {}
    return cast("Document", trim(cast("object", given), LIMITS[field]))


def _logentry(raw: Document, notes: Notes) -> Document:
    given = raw.get("logentry")
    if isinstance(given, dict):
        entry = cast("Document", given)
        texts = {name: names.word("message", entry.get(name), notes) for name in ("message", "formatted")}
        kept = {name: text for name, text in texts.items() if text is not None}
        params = entry.get("params")
        return kept if not isinstance(params, dict | list) else {**kept, "params": _params(cast("object", params))}
    return _message(raw.get("message") if given is None else given, notes)


def _message(given: object, notes: Notes) -> Document:
    if isinstance(given, list):
        given = " ".join(str(part) for part in cast("list[object]", given))
    text = names.word("message", given, notes)
    return {} if text is None else {"formatted": text}


def _params(given: object) -> object:
    return trim(given, LIMITS["params"])


def _fingerprint(given: object, notes: Notes) -> list[str]:
    original = given
    parts = cast("list[object]", given if isinstance(given, list) else [])
    kept = [text for part in parts[: LIMITS["fingerprint"].size] if (text := names.text(part))]
    if len(kept) != len(parts) or (original is not None and not kept):
        notes.add("invalid_data", "fingerprint", original)
    most = LIMITS["fingerprint part"].size
    return [trim_text(text, most) for text in kept] or [DEFAULT_FINGERPRINT]


def _time_spent(given: object, notes: Notes) -> int | None:
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= LIMITS["time_spent"].size:
        return given
    notes.add("invalid_data", "time_spent", given)
    return None


def _note_unknown(raw: Document, notes: Notes) -> None:
    known: Iterable[str] = READ | set(INFERRED)
    for name in raw:
        if name not in known:
            notes.add("unknown_attribute", trim_text(name, LIMITS["original"].size))
