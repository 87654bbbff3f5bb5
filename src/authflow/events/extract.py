"""What saving reads off a normalized event, and the tags it derives from it (outbox 3.3, 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import attrs

from authflow.errors import EventInvalid
from authflow.events import people, tags, timestamps
from authflow.events.limits import LIMITS
from authflow.events.normalize import event_id
from authflow.values import UTC

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.events.document import Document
    from authflow.values import EventId

NO_ENVIRONMENT: Final = ""
"""The environment of an event that names none: a real row (outbox 3.6)."""


@attrs.frozen(kw_only=True)
class Extract:
    """The columns of an event. *day* is the UTC day of *timestamp*, ``YYYY-MM-DD``; a missing name is none.

    Args:
        id: 32 hexadecimal digits.
        kind: The type of the event.
        timestamp: When it happened.
        received: When it came.
        platform: What sent it.
        release: Of which version, or none.
        dist: Of which build of it, or none.
        environment: From where.
    """

    id: EventId
    kind: str
    timestamp: datetime
    received: datetime
    platform: str
    release: str | None
    dist: str | None
    environment: str

    @property
    def day(self) -> str:
        """The UTC day that the event happened on: a part of its key (outbox 3.10)."""
        return self.timestamp.astimezone(UTC).date().isoformat()


def extract(event: Document) -> Extract:
    """Return the columns of *event*, which has been normalized, or is said to have been.

    Raises:
        EventInvalid: It has not: a field that is a column is missing or not as normalization leaves it.
    """
    key = event_id(event.get("event_id"))
    timestamp, received = timestamps.parse(event.get("timestamp")), timestamps.parse(event.get("received"))
    if key is None or timestamp is None or received is None:
        raise EventInvalid(detail="[not normalized: event_id, timestamp or received]")
    release = _name(event, "release")
    return Extract(
        id=key,
        kind=_name(event, "type", limit="platform") or "default",
        timestamp=timestamp,
        received=received,
        platform=_name(event, "platform") or "other",
        release=release,
        dist=None if release is None else _name(event, "dist"),
        environment=_name(event, "environment") or NO_ENVIRONMENT,
    )


def _name(event: Document, field: str, *, limit: str | None = None) -> str | None:
    value = event.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LIMITS[limit or field].size:
        raise EventInvalid(detail=f"[not normalized: {field}]")
    return value


def with_derived(event: Document, found: Extract) -> Document:
    """Return *event* with the tags that we set, and the person's place among the contexts (outbox 3.5, 3.13)."""
    user = _object(event, "user")
    kept = cast("tags.Tags", event.get("tags") or [])
    for key, value in (
        ("level", _text(event, "level")),
        ("logger", _text(event, "logger")),
        ("environment", found.environment),
        ("transaction", _text(event, "transaction")),
        (f"{tags.PREFIX}release", found.release),
        (f"{tags.PREFIX}dist", found.dist),
        (f"{tags.PREFIX}user", people.label(user)),
    ):
        kept = tags.with_ours(kept, key, value)
    contexts, geo = _object(event, "contexts"), user.get("geo")
    if geo and "geo" not in contexts:
        contexts = {**contexts, "geo": geo}
    return {**event, "tags": kept, **({"contexts": contexts} if contexts else {})}


def _object(event: Document, field: str) -> Document:
    value = event.get(field)
    return cast("Document", value) if isinstance(value, dict) else {}


def _text(event: Document, field: str) -> str | None:
    value = event.get(field)
    return value if isinstance(value, str) else None
