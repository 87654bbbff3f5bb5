"""The envelope in which a saved event goes to a stream: made of the outbox message and the event that it names.

A receiver of ``Category.EVENT_STORED`` reads the event by its key and calls `envelope`. What is sent is the event as
it stands then: saves of one event coalesce, and a later copy is told once more (outbox 3.13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from authflow.events import timestamps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authflow.events.document import Document
    from authflow.events.save import SavedEvent
    from authflow.facts.records import Scalar

VERSION: Final = 2
"""Of the protocol between saver and consumers (outbox 3.13)."""

OPERATION: Final = "insert"

TOPICS: Final = {"generic": "events.generic"}
"""Which topic each type of event goes to; the queue of its post-processing is called the same."""


@attrs.frozen(kw_only=True)
class Envelope:
    """One message to the stream.

    Args:
        topic: By the event's type.
        partition_key: None lets the stream choose: generic events have no order among each other.
        headers: The routing facts as text, so that a forwarder need not parse the body. What is none is absent.
        body: Everything a consumer indexes.
        state: What is known of the event's aggregate, and what is to be done with the event.
    """

    topic: str
    partition_key: str | None
    headers: Mapping[str, str]
    body: Document = attrs.field(repr=False)
    state: Document

    def to_json(self) -> list[Any]:
        """Return the envelope as consumers of the protocol read it: version, operation, body, state."""
        return [VERSION, OPERATION, self.body, self.state]


def envelope(told: Mapping[str, Scalar], event: SavedEvent) -> Envelope:
    """Return the envelope of *event*.

    Args:
        told: The payload of the ``EVENT_STORED`` message.
        event: What stands under the key that the message names.
    """
    columns, topic = event.columns, TOPICS[event.columns.kind]
    state: Document = {
        "is_new": False,
        "is_regression": False,
        "is_new_group_environment": False,
        "queue": topic,
        "skip_consume": bool(told["skip_consume"]),
        "group_states": [],
    }
    body: Document = {
        "event_id": columns.id,
        "organization_id": told["organization"],
        "project_id": event.project,
        "message": _search_message(event.data),
        "platform": columns.platform,
        "datetime": timestamps.show(columns.timestamp),
        "data": event.data,
    }
    headers = {
        "received_timestamp": timestamps.show(columns.received),
        "event_id": columns.id,
        "project_id": event.project,
        **{name: str(int(value)) for name, value in state.items() if isinstance(value, bool)},
        "group_states": "[]",
        "queue": topic,
        "operation": OPERATION,
        "version": str(VERSION),
    }
    return Envelope(topic=topic, partition_key=None, headers=headers, body=body, state=state)


def _search_message(data: Document) -> str:
    entry = cast("Document", data.get("logentry") or {})
    parts = [entry.get("formatted") or entry.get("message"), data.get("culprit")]
    return " ".join(str(part) for part in parts if part)
