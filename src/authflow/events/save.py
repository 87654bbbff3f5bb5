"""Saving under the key (project, UTC day, event id): the latest ingested wins, and the caller learns what happened.

The key depends on nothing that a later copy may change, and the sequence decides among copies, not any clock:
whatever order they are saved in, the one with the highest sequence survives (outbox 3.10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.facts.events import EventStored
from authflow.machine import Machine, Step, on
from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.events.document import Document
    from authflow.events.extract import Extract
    from authflow.values import OrganizationId, ProjectId


@attrs.frozen(kw_only=True)
class SavedEvent:
    """An event as it is kept.

    Args:
        project: Whose event.
        columns: What it is found by.
        sequence: Its place among everything that was ever ingested here.
        content: Tells contents apart; see `authflow.events.draft.EventDraft`.
        data: The whole event as JSON.
    """

    project: ProjectId
    columns: Extract
    sequence: int
    content: str
    data: Document = attrs.field(repr=False)


# --- states ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Absent:
    """Nothing is kept under the key."""


@attrs.frozen(kw_only=True)
class Kept:
    """*event* is kept under the key."""

    event: SavedEvent


Saving = Absent | Kept


# --- the command ----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Delivery:
    """What travels to the stream beside the event, for whoever works on it after this commit (outbox 3.1, 3.13).

    Args:
        organization: Whose project it is.
        skip_consume: Index the event, but do nothing else with it (``raw``).
        start_time: When it entered the system, RFC 3339, for latencies only.
        cache_key: Where the sender's copy lies that may be deleted once the event is through.
        skip_first_transaction: Do not tell that this is the project's first transaction.
        has_attachments: Attachments wait under the event's key.
    """

    organization: OrganizationId
    skip_consume: bool = False
    start_time: str | None = None
    cache_key: str | None = None
    skip_first_transaction: bool = False
    has_attachments: bool = False


@attrs.frozen(kw_only=True)
class Save:
    """Keep *event*, whose sequence was minted after the state was read. *insert_only*: never replace another."""

    event: SavedEvent
    insert_only: bool
    delivery: Delivery


# --- answers --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Created(Answer):
    """The key was new.

    Args:
        event: As it is kept.
    """

    event: SavedEvent


@attrs.frozen(kw_only=True)
class Replaced(Answer):
    """Another content stood under the key, and is gone.

    Args:
        event: As it is kept.
    """

    event: SavedEvent


@attrs.frozen(kw_only=True)
class Identical(Answer):
    """This very content stands already, as *event*; at most its sequence was raised. Nobody is told.

    Args:
        event: As it is kept.
    """

    event: SavedEvent


@attrs.frozen(kw_only=True)
class Superseded(Answer):
    """*event* was ingested later and stands. Nothing was written: an older copy never wins.

    Args:
        event: As it is kept.
    """

    event: SavedEvent


SaveAnswer = Created | Replaced | Identical | Superseded | Refused


# --- rules ----------------------------------------------------------------------------------------------------------


def create(_state: Absent, command: Save, _now: datetime) -> Step[Kept, SaveAnswer]:
    """The first under its key."""
    return Step(Kept(event=command.event), Created(event=command.event), (_stored(command, "created"),))


def keep_latest(state: Kept, command: Save, _now: datetime) -> Step[Kept, SaveAnswer]:
    """The higher sequence wins, unless the project only inserts; the same content keeps its row and its readers."""
    same, later = state.event.content == command.event.content, command.event.sequence > state.event.sequence
    if same and (command.insert_only or not later):
        return Step(state, Identical(event=state.event))
    if command.insert_only:
        return Step(state, Refused(code=Code.EVENT_INSERT_ONLY))
    if not later:
        return Step(state, Superseded(event=state.event))
    if same:
        raised = attrs.evolve(state.event, sequence=command.event.sequence)
        return Step(Kept(event=raised), Identical(event=raised))
    return Step(Kept(event=command.event), Replaced(event=command.event), (_stored(command, "replaced"),))


def _stored(command: Save, outcome: str) -> EventStored:
    columns, delivery = command.event.columns, command.delivery
    return EventStored(
        project=command.event.project,
        organization=delivery.organization,
        event=columns.id,
        day=columns.day,
        key=f"{columns.day}.{columns.id}",
        kind=columns.kind,
        outcome=outcome,
        sequence=command.event.sequence,
        platform=columns.platform,
        timestamp=columns.timestamp.isoformat(),
        received=columns.received.isoformat(),
        release=columns.release,
        environment=columns.environment,
        skip_consume=delivery.skip_consume,
        start_time=delivery.start_time,
        cache_key=delivery.cache_key,
        skip_first_transaction=delivery.skip_first_transaction,
        has_attachments=delivery.has_attachments,
    )


MACHINE = Machine[Saving, Save, SaveAnswer](
    "events.save",
    (
        # state    command    rule          next
        on(Absent, Save).to(create, Kept),
        on(Kept, Save).to(keep_latest, Kept),
    ),
)
