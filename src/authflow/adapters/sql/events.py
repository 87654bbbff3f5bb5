"""Projects, the rows beside events, and the events in SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.errors import StaleVersion
from authflow.events.adjacent import Project, Sighting
from authflow.events.extract import Extract
from authflow.events.save import Absent, Kept, SavedEvent
from authflow.ports import Stored
from authflow.values import EventId, OrganizationId, ProjectId

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.events import EventTables
    from authflow.events.adjacent import Place
    from authflow.events.save import Saving

KEY: Final = ("project", "day", "id")

CONTENT: Final = (
    *("sequence", "content", "kind", "timestamp", "received", "platform", "release", "dist", "environment", "data"),
    "version",
)
"""What changes when an event is replaced."""


@attrs.frozen(kw_only=True)
class EventStatements:
    """Every statement about projects and events, built once."""

    project: sa.Executable
    add_project: sa.Executable
    places: dict[type[Place], PlaceStatements]
    number: sa.Executable
    forget_number: sa.Executable
    load: sa.Executable
    add: sa.Executable
    replace: sa.Executable
    of_day: sa.Executable
    newest: sa.Executable
    latest: sa.Executable

    @classmethod
    def of(cls, t: EventTables) -> EventStatements:
        event, sequence = t.event, t.sequence
        key = [event.c[name] == sa.bindparam(f"key_{name}") for name in KEY]
        mine = sa.select(event).where(event.c.project == sa.bindparam("key_project"))
        new: dict[str, sa.BindParameter[Any]] = {name: sa.bindparam(f"new_{name}") for name in CONTENT}
        newest_first = event.c.sequence.desc()
        return cls(
            project=sa.select(t.project).where(t.project.c.id == sa.bindparam("which")),
            add_project=sa.insert(t.project),
            places={kind: PlaceStatements.of(table, kind) for kind, table in t.places.items()},
            number=sa.insert(sequence).returning(sequence.c.number),
            forget_number=sa.delete(sequence).where(sequence.c.number == sa.bindparam("which")),
            load=sa.select(event).where(*key).with_for_update(),
            of_day=sa.select(event).where(*key),
            add=sa.insert(event),
            replace=sa.update(event).where(*key, event.c.version == sa.bindparam("expected")).values(new),
            newest=mine.where(event.c.id == sa.bindparam("key_id")).order_by(newest_first).limit(1),
            latest=mine.order_by(newest_first).limit(sa.bindparam("most")),
        )


@attrs.frozen(kw_only=True)
class PlaceStatements:
    """Every statement about one kind of row beside an event."""

    get: sa.Executable
    add: sa.Executable
    raise_last_seen: sa.Executable

    @classmethod
    def of(cls, table: sa.Table, kind: type[Place]) -> PlaceStatements:
        names: list[str] = [field.name for field in attrs.fields(kind)]
        key = [table.c[name] == sa.bindparam(f"key_{name}") for name in names]
        later = table.c.last_seen < sa.bindparam("at")
        return cls(
            get=sa.select(table.c.first_seen, table.c.last_seen).where(*key),
            add=sa.insert(table),
            raise_last_seen=sa.update(table).where(*key, later).values(last_seen=sa.bindparam("at")),
        )


class SqlProjects:
    """`authflow.events.ports.Projects` in SQL."""

    def __init__(self, connection: Connection, statements: EventStatements) -> None:
        self._connection = connection
        self._sql = statements

    def get(self, project: ProjectId) -> Project | None:
        row = self._connection.run(self._sql.project, {"which": project}).one_or_none()
        if row is None:
            return None
        organization = OrganizationId(row.organization)
        return Project(id=ProjectId(row.id), organization=organization, slug=row.slug, security=row.security)

    def add(self, project: Project) -> None:
        """Insert *project*."""
        self._connection.run(self._sql.add_project, attrs.asdict(project, recurse=False))


class SqlSightings:
    """`authflow.events.ports.Sightings` in SQL: one table per kind of row."""

    def __init__(self, connection: Connection, statements: EventStatements) -> None:
        self._connection = connection
        self._sql = statements.places

    def get(self, place: Place) -> Sighting | None:
        row = self._connection.run(self._sql[type(place)].get, _named(place)).one_or_none()
        if row is None:
            return None
        return Sighting(first_seen=c.moment(row.first_seen), last_seen=c.moment(row.last_seen))

    def add(self, place: Place, at: datetime) -> None:
        seen = {"first_seen": c.micros(at), "last_seen": c.micros(at)}
        self._connection.run(self._sql[type(place)].add, {**attrs.asdict(place), **seen})

    def raise_last_seen(self, place: Place, at: datetime) -> bool:
        values = {**_named(place), "at": c.micros(at)}
        return self._connection.changed(self._sql[type(place)].raise_last_seen, values) == 1


def _named(place: Place) -> dict[str, Any]:
    return {f"key_{name}": value for name, value in attrs.asdict(place).items()}


class SqlEvents:
    """`authflow.events.ports.EventStore` in SQL."""

    def __init__(self, connection: Connection, statements: EventStatements) -> None:
        self._connection = connection
        self._sql = statements

    def next_sequence(self) -> int:
        number = int(self._connection.run(self._sql.number).scalar_one())
        self._connection.run(self._sql.forget_number, {"which": number})
        return number

    def load(self, project: ProjectId, day: str, event: EventId) -> Stored[Saving]:
        key = {"key_project": project, "key_day": day, "key_id": event}
        row = self._connection.run(self._sql.load, key).one_or_none()
        return Stored(Absent(), 0) if row is None else Stored(Kept(event=_event(row)), row.version)

    def save(self, state: Kept, *, expected: int) -> None:
        row = {**_row(state.event), "version": expected + 1}
        if not expected:
            self._connection.run(self._sql.add, row)
            return
        key = {f"key_{name}": row[name] for name in KEY}
        new = {f"new_{name}": row[name] for name in CONTENT}
        if self._connection.changed(self._sql.replace, {**key, **new, "expected": expected}) != 1:
            raise StaleVersion

    def find(self, project: ProjectId, event: EventId, *, day: str | None = None) -> SavedEvent | None:
        key = {"key_project": project, "key_id": event}
        statement = self._sql.newest if day is None else self._sql.of_day
        row = self._connection.run(statement, key if day is None else {**key, "key_day": day}).one_or_none()
        return None if row is None else _event(row)

    def latest(self, project: ProjectId, *, limit: int) -> tuple[SavedEvent, ...]:
        rows = self._connection.run(self._sql.latest, {"key_project": project, "most": limit})
        return tuple(_event(row) for row in rows)


def _row(event: SavedEvent) -> dict[str, Any]:
    columns = event.columns
    return {
        **attrs.asdict(columns, recurse=False),
        "project": event.project,
        "day": columns.day,
        "sequence": event.sequence,
        "content": event.content,
        "timestamp": c.micros(columns.timestamp),
        "received": c.micros(columns.received),
        "data": c.dump(event.data),
    }


def _event(row: Any) -> SavedEvent:
    columns = Extract(
        id=EventId(row.id),
        kind=row.kind,
        timestamp=c.moment(row.timestamp),
        received=c.moment(row.received),
        platform=row.platform,
        release=row.release,
        dist=row.dist,
        environment=row.environment,
    )
    return SavedEvent(
        project=ProjectId(row.project),
        columns=columns,
        sequence=row.sequence,
        content=row.content,
        data=json.loads(row.data),
    )
