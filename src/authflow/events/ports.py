"""What event saving asks of the world: projects, the rows beside events, and the events themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from authflow.ports import Stored, Transaction

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.events.adjacent import Place, Project, Sighting
    from authflow.events.save import Kept, SavedEvent, Saving
    from authflow.values import EventId, ProjectId


class Projects(Protocol):
    """The host's projects. A host with its own table brings its own."""

    def get(self, project: ProjectId) -> Project | None:
        """Return the project, or none."""
        ...


class Sightings(Protocol):
    """Releases, environments, and where they were seen: one row per `Place`."""

    def get(self, place: Place) -> Sighting | None:
        """Return when *place* was seen, or none if it never was."""
        ...

    def add(self, place: Place, at: datetime) -> None:
        """Insert *place*, first and last seen *at*.

        Raises:
            UniqueViolated: It stands already. Call this inside a savepoint and read the winner.
        """
        ...

    def raise_last_seen(self, place: Place, at: datetime) -> bool:
        """Raise when *place* was last seen to *at* if that is later; one conditional write. Tell whether it was."""
        ...


class EventStore(Protocol):
    """The events themselves, one per key (project, UTC day, event id)."""

    def next_sequence(self) -> int:
        """Return a number higher than that of every event whose saving this transaction can see. Gaps are normal."""
        ...

    def load(self, project: ProjectId, day: str, event: EventId) -> Stored[Saving]:
        """Return what is kept under the key, and lock it until the transaction ends; *day* is ``YYYY-MM-DD``.

        `Absent` in version 0 if nothing is kept. That cannot be locked: of two who save then, one loses.
        """
        ...

    def save(self, state: Kept, *, expected: int) -> None:
        """Keep the event of *state* under its key.

        Raises:
            StaleVersion: The key is no longer in version *expected*. Nothing was written.
            UniqueViolated: Another made it first. Undo it with a savepoint and decide anew.
        """
        ...

    def find(self, project: ProjectId, event: EventId, *, day: str | None = None) -> SavedEvent | None:
        """Return the latest ingested event with this id, of *day* or of whatever day, or none. Locks nothing."""
        ...

    def latest(self, project: ProjectId, *, limit: int) -> tuple[SavedEvent, ...]:
        """Return the latest ingested events of *project*, newest first."""
        ...


class EventsTransaction(Transaction, Protocol):
    """What event saving needs of a transaction."""

    @property
    def projects(self) -> Projects: ...
    @property
    def sightings(self) -> Sightings: ...
    @property
    def events(self) -> EventStore: ...
