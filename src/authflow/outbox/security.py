"""Saving what happened as an event of the security project that it belongs to (decision 38)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import EventInvalid, UnknownProject
from authflow.outbox.delivery import Done, Park, Result
from authflow.values import ProjectId, Refused

if TYPE_CHECKING:
    from authflow.facts.records import Message, Scalar
    from authflow.outbox.ports import SaveSecurityEvent

DATA: Final = "data."
"""The prefix under which a fact's own fields travel in the payload."""

LOGGER: Final = "authflow.security"


@attrs.frozen(kw_only=True)
class SecurityEventHandler:
    """Saves the event of one message. Its id and time were fixed in the command: a second delivery is identical."""

    save: SaveSecurityEvent

    def __call__(self, message: Message) -> Result:
        """Save the event. An unknown project and a refused event are parked: the change they tell of stands."""
        try:
            answer = self.save(ProjectId(message.shard), security_event(message))
        except UnknownProject:
            return Park(reason="unknown_project")
        except EventInvalid as error:
            return Park(reason=str(error.code))
        return Park(reason=str(answer.code)) if isinstance(answer, Refused) else Done()


def security_event(message: Message) -> dict[str, object]:
    """Return the event that *message* tells, as a generic event. It names a person by id only and has no address."""
    told = message.payload
    data: dict[str, Scalar] = {k.removeprefix(DATA): v for k, v in told.items() if k.startswith(DATA)}
    user = told.get("user")
    return {
        "event_id": told.get("event_id"),
        "timestamp": told.get("timestamp"),
        "type": "generic",
        "level": "info",
        "platform": "other",
        "logger": LOGGER,
        "message": told.get("event"),
        "tags": [["event", told.get("event")]],
        "user": {} if user is None else {"id": user},
        "extra": {**data, "target": told.get("target")},
    }
