"""Projects, the rows beside events, and the events in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.errors import StaleVersion
from authflow.events.adjacent import Sighting
from authflow.events.save import Absent, Kept
from authflow.ports import Stored

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.memory.store import Store, Table
    from authflow.events.adjacent import Place, Project
    from authflow.events.save import SavedEvent, Saving
    from authflow.values import EventId, ProjectId


class MemoryProjects:
    """`authflow.events.ports.Projects` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._projects: Table[ProjectId, Project] = store.table("project")

    def get(self, project: ProjectId) -> Project | None:
        return self._projects.get(project)

    def add(self, project: Project) -> None:
        """Insert *project*."""
        self._projects.add(project.id, project)


class MemorySightings:
    """`authflow.events.ports.Sightings` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._seen: Table[Place, Sighting] = store.table("sighting")

    def get(self, place: Place) -> Sighting | None:
        return self._seen.get(place)

    def add(self, place: Place, at: datetime) -> None:
        self._seen.add(place, Sighting(first_seen=at, last_seen=at))

    def raise_last_seen(self, place: Place, at: datetime) -> bool:
        known = self._seen.get(place)
        if known is None or known.last_seen >= at:
            return False
        self._seen.put(place, Sighting(first_seen=known.first_seen, last_seen=at))
        return True


class MemoryEvents:
    """`authflow.events.ports.EventStore` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events: Table[tuple[ProjectId, str, EventId], Stored[Kept]] = store.table("event")

    def next_sequence(self) -> int:
        return self._store.next_number()

    def load(self, project: ProjectId, day: str, event: EventId) -> Stored[Saving]:
        found = self._events.get((project, day, event))
        return Stored(Absent(), 0) if found is None else Stored(found.state, found.version)

    def save(self, state: Kept, *, expected: int) -> None:
        columns = state.event.columns
        if self.load(state.event.project, columns.day, columns.id).version != expected:
            raise StaleVersion
        self._events.put((state.event.project, columns.day, columns.id), Stored(state, expected + 1))

    def find(self, project: ProjectId, event: EventId, *, day: str | None = None) -> SavedEvent | None:
        same = (kept for kept in self._of(project) if kept.columns.id == event and day in {None, kept.columns.day})
        return next(same, None)

    def latest(self, project: ProjectId, *, limit: int) -> tuple[SavedEvent, ...]:
        return tuple(self._of(project)[:limit])

    def _of(self, project: ProjectId) -> list[SavedEvent]:
        mine = (kept.state.event for kept in self._events.rows() if kept.state.event.project == project)
        return sorted(mine, key=lambda event: event.sequence, reverse=True)
