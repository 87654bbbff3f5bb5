"""Organizations in SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.ports import Organization
from authflow.values import OrganizationId, ProjectId, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tables.shared import SharedTables
    from authflow.values import UserId


@attrs.frozen(kw_only=True)
class OrganizationStatements:
    """Every statement about organizations, built once. *member* is the table that says who belongs where."""

    get: sa.Executable
    of_user: sa.Executable
    demand: sa.Executable
    add: sa.Executable
    remove: sa.Executable

    @classmethod
    def of(cls, t: SharedTables, member: sa.Table) -> OrganizationStatements:
        organization = t.organization
        mine = sa.select(member.c.organization_id).where(member.c.user_id == sa.bindparam("owner"))
        return cls(
            get=sa.select(organization).where(organization.c.id == sa.bindparam("which")),
            of_user=sa.select(organization).where(organization.c.id.in_(mine)),
            demand=sa.update(organization)
            .where(organization.c.id == sa.bindparam("which"))
            .values(require_second_factor=sa.bindparam("required")),
            add=sa.insert(organization),
            remove=sa.delete(organization).where(organization.c.id == sa.bindparam("which")),
        )


class SqlOrganizations:
    """`authflow.ports.Organizations` in SQL. An organization is read once in a transaction."""

    def __init__(self, connection: Connection, statements: OrganizationStatements) -> None:
        self._connection, self._sql = connection, statements
        self._read: dict[OrganizationId, Organization | None] = {}
        self._beside: Callable[[OrganizationId], Row | None] = self._alone

    def get(self, organization: OrganizationId) -> Organization | None:
        if organization not in self._read:
            self.saw(organization, self._beside(organization))
        return self._read[organization]

    def _alone(self, organization: OrganizationId) -> Row | None:
        return self._connection.run(self._sql.get, {"which": organization}).one_or_none()

    def beside(self, read: Callable[[OrganizationId], Row | None]) -> None:
        """Let *read* read rows from now on: it brings the organization's provider with it."""
        self._beside = read

    def saw(self, organization: OrganizationId, row: Row | None) -> None:
        """Remember the row of *organization*, or that there is none."""
        self._read[organization] = None if row is None else _organization(row)

    def of_user(self, user: UserId) -> tuple[Organization, ...]:
        found = (_organization(row) for row in self._connection.run(self._sql.of_user, {"owner": user}))
        return tuple(sorted(found, key=lambda organization: organization.id))

    def demand_second_factor(self, organization: OrganizationId, *, required: bool) -> bool:
        self._read.pop(organization, None)
        return self._connection.changed(self._sql.demand, {"which": organization, "required": required}) == 1

    def add(self, organization: Organization) -> None:
        """Insert *organization*."""
        self._read.pop(organization.id, None)
        values = attrs.asdict(organization, recurse=False)
        self._connection.run(self._sql.add, {**values, "regions": json.dumps(organization.regions)})

    def save(self, organization: Organization) -> None:
        """Replace *organization*."""
        self._connection.run(self._sql.remove, {"which": organization.id})
        self.add(organization)


def _organization(row: Any) -> Organization:
    values = row.as_dict()
    values["regions"] = tuple(json.loads(values["regions"]))
    values["id"] = OrganizationId(values["id"])
    values["default_role"] = Role(values["default_role"])
    project = values["security_project"]
    values["security_project"] = None if project is None else ProjectId(project)
    return Organization(**values)
