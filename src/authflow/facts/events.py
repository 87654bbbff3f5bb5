"""What happens to events of the host's projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from authflow.values import EventId, OrganizationId, ProjectId


@attrs.frozen(kw_only=True)
class EventStored(Fact):
    """An event was created or replaced; *outcome* says which. An identical save stores nothing.

    The event itself is read by *project*, *day* and *event*; *key* joins the two. The rest is what the stream's
    envelope needs beside it (outbox 3.13).
    """

    project: ProjectId
    organization: OrganizationId
    event: EventId
    day: str
    key: str
    kind: str
    outcome: str
    sequence: int
    platform: str
    timestamp: str
    received: str
    release: str | None
    environment: str
    skip_consume: bool
    start_time: str | None
    cache_key: str | None
    skip_first_transaction: bool
    has_attachments: bool
