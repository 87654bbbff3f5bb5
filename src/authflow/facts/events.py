"""What happens to events of the host's projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from authflow.values import EventId, ProjectId


@attrs.frozen(kw_only=True)
class EventStored(Fact):
    """An event was created or replaced; *outcome* says which. An identical save stores nothing."""

    project: ProjectId
    event: EventId
    day: str
    kind: str
    outcome: str
    release: str | None
    environment: str
