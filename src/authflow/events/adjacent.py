"""The rows beside an event: its release, its environment, and where the two were seen together (outbox 3.6).

Each has when it was first and last seen. The first is never lowered by an older event; the last is raised only by an
event more than a minute newer, so that a burst of events does not write the same row with each.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.events.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.events.extract import Extract
    from authflow.values import OrganizationId, ProjectId

RAISED_AFTER: Final = timedelta(seconds=60)
"""By how much an event must be newer to raise a last sight (outbox 3.6)."""


@attrs.frozen(kw_only=True)
class Project:
    """Where events go. A *security* project takes its events from authflow only, and never replaces one."""

    id: ProjectId
    organization: OrganizationId
    slug: str
    security: bool = False


@attrs.frozen(kw_only=True)
class Release:
    """A version of an organization's software."""

    organization: OrganizationId
    version: str


@attrs.frozen(kw_only=True)
class ReleaseProject:
    """A project uses a release."""

    project: ProjectId
    version: str


@attrs.frozen(kw_only=True)
class Dist:
    """A distribution of a release."""

    organization: OrganizationId
    version: str
    dist: str


@attrs.frozen(kw_only=True)
class Environment:
    """A place where an organization's software runs; the empty name stands for "not said"."""

    organization: OrganizationId
    environment: str


@attrs.frozen(kw_only=True)
class EnvironmentProject:
    """A project has events in an environment."""

    project: ProjectId
    environment: str


@attrs.frozen(kw_only=True)
class ReleaseEnvironment:
    """A release was seen in an environment."""

    organization: OrganizationId
    version: str
    environment: str


@attrs.frozen(kw_only=True)
class ReleaseProjectEnvironment:
    """A release was seen in an environment by a project."""

    project: ProjectId
    version: str
    environment: str


Place = (
    Release | ReleaseProject | Dist | Environment | EnvironmentProject | ReleaseEnvironment | ReleaseProjectEnvironment
)
"""One row beside an event; its fields are its key."""

PLACES: Final[tuple[type[Place], ...]] = (
    Release,
    ReleaseProject,
    Dist,
    Environment,
    EnvironmentProject,
    ReleaseEnvironment,
    ReleaseProjectEnvironment,
)
"""Every kind of row, in the order in which they are written everywhere, so that two savers never wait in a circle."""

RAISED: Final = frozenset({ReleaseEnvironment, ReleaseProjectEnvironment})
"""The rows whose last sight is kept up."""


@attrs.frozen(kw_only=True)
class Sighting:
    """When a row's events happened, from the first that made it."""

    first_seen: datetime
    last_seen: datetime


def legacy_version(project: Project, version: str) -> str | None:
    """Return the older spelling of a release, ``<project slug>-<version>``, or none if it would be too long."""
    spelled = f"{project.slug}-{version}"
    return spelled if len(spelled) <= LIMITS["release"].size else None


def places(project: Project, event: Extract, version: str | None) -> Iterator[Place]:
    """Yield the rows that *event* needs, in the order of `PLACES`. *version* is the release's spelling, or none."""
    if version is not None:
        yield Release(organization=project.organization, version=version)
        yield ReleaseProject(project=project.id, version=version)
        if event.dist is not None:
            yield Dist(organization=project.organization, version=version, dist=event.dist)
    where = event.environment
    yield Environment(organization=project.organization, environment=where)
    yield EnvironmentProject(project=project.id, environment=where)
    if version is not None:
        yield ReleaseEnvironment(organization=project.organization, version=version, environment=where)
        yield ReleaseProjectEnvironment(project=project.id, version=version, environment=where)


def raises(place: Place, known: Sighting, at: datetime) -> bool:
    """Tell whether an event at *at* raises the last sight of *place*."""
    return type(place) in RAISED and at - known.last_seen > RAISED_AFTER
