"""The times of an event: read, and moved together when the sender's clock is wrong (outbox 3.3)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

import attrs

from authflow.values import UTC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.events.document import Document, Notes
    from authflow.policy import EventPolicy

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

RFC3339: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII)
"""RFC 3339 5.6, with its own relaxation of the blank, and a missing zone, which means UTC."""

MICROSECOND_DIGITS: Final = 6

DRIFT_MIN: Final = timedelta(minutes=55)
"""A sender's clock that is less wrong than this is believed (outbox 3.3)."""

STILL: Final = timedelta()


@attrs.frozen(kw_only=True)
class Times:
    """When an event happened, and when it was received."""

    timestamp: datetime
    received: datetime


def parse(value: object) -> datetime | None:
    """Return the instant that *value* names, an RFC 3339 text or seconds since 1970, or none if it names none."""
    try:
        if isinstance(value, str):
            return _parse_text(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return EPOCH + timedelta(seconds=value)
    except (ValueError, OverflowError):
        return None
    return None


def _parse_text(value: str) -> datetime | None:
    found = RFC3339.fullmatch(value.strip())
    if found is None:
        return None
    day, time, fraction, zone = found.groups()
    micros = (fraction or "")[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0")
    zone = "+00:00" if zone is None or zone in "Zz" else zone
    return datetime.fromisoformat(f"{day}T{time}.{micros}{zone}").astimezone(UTC)


def show(moment: datetime) -> str:
    """Return *moment* as RFC 3339 text in UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def correct(raw: Document, *, received: datetime, policy: EventPolicy, notes: Notes, trusted: bool) -> Times:
    """Decide when the event happened, and move all of its times by the drift of the sender's clock, in place.

    Args:
        raw: A document of our own. Its ``sent_at`` says what the sender's clock showed when it sent the event.
        received: What our clock shows.
        policy: How old and how early an event may be.
        notes: Where a correction is annotated, with both times.
        trusted: The time was fixed by ourselves and is taken as it is.
    """
    claimed = _claimed(raw, notes)
    kind, drift = (None, STILL) if trusted else _drift(claimed, parse(raw.get("sent_at")), received, policy)
    if kind is not None:
        notes.add(kind, "timestamp", client_time=show(claimed or received - drift), server_time=show(received))
    for holder, field, name in _others(raw):
        _move(holder, field, name, drift, notes)
    return Times(timestamp=(claimed and _shifted(claimed, drift)) or received, received=received)


def _claimed(raw: Document, notes: Notes) -> datetime | None:
    given = raw.get("timestamp")
    claimed = parse(given)
    if claimed is None and given is not None:
        notes.add("invalid_data", "timestamp", given)
    return claimed


def _drift(
    claimed: datetime | None, sent_at: datetime | None, received: datetime, policy: EventPolicy
) -> tuple[str | None, timedelta]:
    """Return what is wrong with the sender's clock, and by how much; a time exactly at a bound is right."""
    drift = STILL if sent_at is None else received - sent_at
    if abs(drift) < DRIFT_MIN:
        drift = STILL
    behind = STILL if claimed is None else received - claimed - drift
    if claimed is not None and behind > policy.oldest:
        return "past_timestamp", received - claimed
    if claimed is not None and behind < -policy.future:
        return "future_timestamp", received - claimed
    return ("clock_drift" if drift else None), drift


def _others(raw: Document) -> Iterator[tuple[Document, str, str]]:
    """Yield every other place of the event that holds a time, and what it is called in an annotation."""
    yield raw, "start_timestamp", "start_timestamp"
    for crumb in _list(raw.get("breadcrumbs")):
        yield crumb, "timestamp", "breadcrumbs.timestamp"
    for span in _list(raw.get("spans")):
        yield span, "start_timestamp", "spans.start_timestamp"
        yield span, "timestamp", "spans.timestamp"


def _list(value: object) -> list[Document]:
    inner: object = cast("Document", value).get("values") if isinstance(value, dict) else value
    items = cast("list[object]", inner) if isinstance(inner, list) else []
    return [cast("Document", item) for item in items if isinstance(item, dict)]


def _move(holder: Document, field: str, name: str, drift: timedelta, notes: Notes) -> None:
    given = holder.get(field)
    if given is None:
        return
    moment = parse(given)
    moved = None if moment is None else _shifted(moment, drift)
    if moved is None:
        notes.add("invalid_data", name, given)
        del holder[field]
        return
    holder[field] = show(moved)


def _shifted(moment: datetime, drift: timedelta) -> datetime | None:
    try:
        return moment + drift
    except OverflowError:
        return None
