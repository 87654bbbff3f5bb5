"""Projects, the rows beside events, and the events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.events.adjacent import (
    PLACES,
    Dist,
    Environment,
    EnvironmentProject,
    Release,
    ReleaseEnvironment,
    ReleaseProject,
    ReleaseProjectEnvironment,
)
from authflow.events.limits import LIMITS

if TYPE_CHECKING:
    from authflow.events.adjacent import Place

NAMES: Final[dict[type[Place], str]] = {
    Release: "release",
    ReleaseProject: "release_project",
    Dist: "dist",
    Environment: "environment",
    EnvironmentProject: "environment_project",
    ReleaseEnvironment: "release_environment",
    ReleaseProjectEnvironment: "release_project_environment",
}
"""The table of each kind of row; its key columns are the fields of the kind."""


@attrs.frozen(kw_only=True)
class EventTables:
    """The tables of the events slice. *places* has one table per kind of row beside an event."""

    project: sa.Table
    places: dict[type[Place], sa.Table]
    sequence: sa.Table
    event: sa.Table


def event_tables(metadata: sa.MetaData, prefix: str) -> EventTables:
    """Define the tables in *metadata*, each name behind *prefix*."""
    return EventTables(
        project=_project(metadata, prefix),
        places={kind: _place(metadata, prefix, kind) for kind in PLACES},
        sequence=_sequence(metadata, prefix),
        event=_event(metadata, prefix),
    )


def _project(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}project",
        metadata,
        c.identifier("id", primary_key=True),
        c.identifier("organization"),
        c.word("slug"),
        c.flag("security"),
        c.unique(prefix, "project.slug", "organization", "slug"),
    )


def _place(metadata: sa.MetaData, prefix: str, kind: type[Place]) -> sa.Table:
    keys = [_name(field.name, primary_key=True) for field in attrs.fields(kind)]
    return sa.Table(f"{prefix}{NAMES[kind]}", metadata, *keys, c.instant("first_seen"), c.instant("last_seen"))


def _name(field: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    """Return a column as long as the limit of *field*, in code points, as databases count (outbox 3.4)."""
    limit = LIMITS.get({"version": "release"}.get(field, field))
    if limit is None:
        return c.identifier(field, primary_key=primary_key, nullable=nullable)
    return sa.Column(field, sa.String(limit.size), primary_key=primary_key, nullable=nullable)


def _sequence(metadata: sa.MetaData, prefix: str) -> sa.Table:
    """Gives every save a number of its own; its rows live for one statement."""
    return sa.Table(f"{prefix}event_sequence", metadata, c.sequence("number"), sqlite_autoincrement=True)


def _event(metadata: sa.MetaData, prefix: str) -> sa.Table:
    return sa.Table(
        f"{prefix}event",
        metadata,
        c.identifier("project", primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        c.word("kind"),
        c.instant("timestamp"),
        c.instant("received"),
        c.word("platform"),
        _name("release", nullable=True),
        _name("dist", nullable=True),
        _name("environment"),
        c.text("data"),
        c.number("version"),
        sa.Index(f"{prefix}ix_event_id", "project", "id"),
        sa.Index(f"{prefix}ix_event_sequence", "project", "sequence"),
    )
