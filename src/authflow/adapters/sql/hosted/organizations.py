"""Organizations in a table of the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.hosted.conversion import (
    Expression,
    Ids,
    core,
    is_expression,
    read,
    readable,
    require_expression,
    require_flag,
    require_text,
)
from authflow.errors import ConfigInvalid
from authflow.ports import Organization
from authflow.values import OrganizationId, ProjectId, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from authflow.adapters.sql.connection import Connection
    from authflow.values import UserId

BATCH: Final = 16
"""How many organizations one statement asks for: a fixed number, so that the statement is built once."""

FLAGS: Final = (
    "active",
    "require_second_factor",
    "require_verified_address",
    "invites_bound_to_address",
    "can_invite",
    "join_requests",
    "member_limit_restricted",
)


@attrs.frozen(kw_only=True, eq=False)
class OrganizationTable:
    """The host's table of organizations, by its columns; what the host does not have is the same for all of them.

    What each means stands at `authflow.ports.Organization`. A null flag is false, but for *invites_bound_to_address*,
    whose false is the opt-out: there a null is true.

    Args:
        id: The id: a whole number, a UUID or a text of at most 64 characters. authflow knows it as text.
        slug: A column or an expression; the id's text if there is none.
        name: A column or an expression; the slug if there is none.
        default_role: A column, an expression or one for all; a null is ``member``.
        regions: The same tuple for all, or a column: of text (one region), of JSON or of an array (several).
        security_project: A column, an expression, one for all, or none.
        where: What is an organization at all; rows that do not match are unknown, such as softly deleted ones.
        id_type: ``int``, ``str`` or ``uuid.UUID``, where the type of the column does not say it.
        active, require_second_factor, require_verified_address, invites_bound_to_address, can_invite, join_requests,
            member_limit_restricted: Flags: a column, an expression, or the same for all.

    Raises:
        ConfigInvalid: A setting makes no sense: ``setting`` names it.
    """

    id: Expression = attrs.field(converter=core)
    slug: Expression | None = attrs.field(converter=core, default=None)
    name: Expression | None = attrs.field(converter=core, default=None)
    active: Expression | bool = attrs.field(converter=core, default=True)
    default_role: Expression | str = attrs.field(converter=core, default="member")
    require_second_factor: Expression | bool = attrs.field(converter=core, default=False)
    require_verified_address: Expression | bool = attrs.field(converter=core, default=False)
    invites_bound_to_address: Expression | bool = attrs.field(converter=core, default=True)
    can_invite: Expression | bool = attrs.field(converter=core, default=True)
    join_requests: Expression | bool = attrs.field(converter=core, default=True)
    member_limit_restricted: Expression | bool = attrs.field(converter=core, default=False)
    regions: Expression | Sequence[str] = attrs.field(converter=core, default=())
    security_project: Expression | str | None = attrs.field(converter=core, default=None)
    where: Expression | None = None
    id_type: type | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("id", "slug", "name"):
            if name == "id" or getattr(self, name) is not None:
                require_expression(getattr(self, name), setting=f"organizations.{name}")
        for name in FLAGS:
            require_flag(getattr(self, name), setting=f"organizations.{name}")
        require_text(self.default_role, setting="organizations.default_role")
        if self.security_project is not None:
            require_text(self.security_project, setting="organizations.security_project")
        if isinstance(self.regions, str):
            raise ConfigInvalid(setting="organizations.regions", problem="must be a column or a tuple of texts")
        self.ids()

    def ids(self) -> Ids:
        """Return how ids are read and written."""
        return Ids.of(self.id, self.id_type, setting="organizations.id_type")

    def reader(self, member: sa.Table) -> Callable[[Connection], HostedOrganizations]:
        """Return what makes the organizations of a transaction. *member* is our table that says who belongs where."""
        statements = HostedOrganizationStatements.of(self, member)
        return lambda connection: HostedOrganizations(connection, self, statements)


@attrs.frozen(kw_only=True)
class HostedOrganizationStatements:
    """Every statement about the host's organizations, built once.

    Memberships and organizations are read one after the other, never joined: their ids are text here, numbers or
    UUIDs there, and a cast in SQL has another form on every database and no index.
    """

    ids: Ids
    memberships: sa.Executable
    several: sa.Executable
    demand: sa.Executable | None

    @classmethod
    def of(cls, t: OrganizationTable, member: sa.Table) -> HostedOrganizationStatements:
        ids = t.ids()
        given: dict[str, Any] = attrs.asdict(
            t, recurse=False, filter=lambda field, _: field.name not in {"where", "id_type"}
        )
        mapped = [value.label(name) for name, value in given.items() if is_expression(value)]
        asked = [ids.bound(f"which_{number}") for number in range(BATCH)]
        where: tuple[Any, ...] = () if t.where is None else (t.where,)
        return cls(
            ids=ids,
            memberships=sa.select(member.c.organization_id).where(member.c.user_id == sa.bindparam("owner")),
            several=sa.select(*mapped).where(t.id.in_(asked), *where),
            demand=_demanding(t, ids),
        )


class HostedOrganizations:
    """`authflow.ports.Organizations` over the host's table. An organization is read once in a transaction."""

    def __init__(
        self, connection: Connection, table: OrganizationTable, statements: HostedOrganizationStatements
    ) -> None:
        self._connection = connection
        self._table = table
        self._sql = statements
        self._read: dict[OrganizationId, Organization | None] = {}

    def get(self, organization: OrganizationId) -> Organization | None:
        self._load([organization])
        return self._read[organization]

    def probe(self) -> None:
        """Read none, to see that the table is as it is mapped.

        Raises:
            ConfigInvalid: It is not.
        """
        with readable("organizations"):
            self._connection.run(self._sql.several, {f"which_{number}": None for number in range(BATCH)})

    def of_user(self, user: UserId) -> tuple[Organization, ...]:
        joined = sorted(row.organization_id for row in self._connection.run(self._sql.memberships, {"owner": user}))
        self._load([OrganizationId(key) for key in joined])
        return tuple(found for key in joined if (found := self._read[OrganizationId(key)]) is not None)

    def demand_second_factor(self, organization: OrganizationId, *, required: bool) -> bool:
        which = self._sql.ids.parse(organization)
        if self._sql.demand is None or which is None:
            return False
        self._read.pop(organization, None)
        return self._connection.changed(self._sql.demand, {"which": which, "required": required}) == 1

    def _load(self, wanted: list[OrganizationId]) -> None:
        unread = {key: self._sql.ids.parse(key) for key in wanted if key not in self._read}
        self._read.update(dict.fromkeys(unread))
        for batch in _batches([stored for stored in unread.values() if stored is not None]):
            rows = self._connection.run(
                self._sql.several, {f"which_{n}": stored for n, stored in enumerate(batch)}
            ).all()
            for row in rows:
                key = OrganizationId(self._sql.ids.text(row.id) or "")  # not always the one asked for, but alike
                self._read[key] = self._organization(key, row)

    def _organization(self, key: OrganizationId, row: Any) -> Organization:
        t = self._table
        slug, name = read(row, "slug", t.slug), read(row, "name", t.name)
        flags = {name: read(row, name, getattr(t, name)) for name in FLAGS}
        if flags["invites_bound_to_address"] is None:
            flags["invites_bound_to_address"] = True
        project = read(row, "security_project", t.security_project)
        return Organization(
            id=key,
            slug=key if slug is None else slug,
            name=(slug or key) if name is None else name,
            default_role=Role(read(row, "default_role", t.default_role) or "member"),
            regions=_regions(read(row, "regions", t.regions)),
            security_project=ProjectId(str(project)) if project else None,
            **{name: bool(value) for name, value in flags.items()},
        )


def _demanding(t: OrganizationTable, ids: Ids) -> sa.Executable | None:
    """Return what stores whether members need a second factor; none where that is no column beside the id."""
    flag = t.require_second_factor
    table: object = getattr(t.id, "table", None)  # an alias, too, for all that a mapping may be
    if not isinstance(flag, sa.Column) or not isinstance(table, sa.Table) or flag.table is not table:
        return None
    where: tuple[Any, ...] = () if t.where is None else (t.where,)
    mine = sa.update(cast("sa.TableClause", table)).where(t.id == ids.bound("which"), *where)
    return mine.values({flag.name: sa.bindparam("required")})


def _regions(stored: Any) -> tuple[str, ...]:
    if not stored:
        return ()
    return (stored,) if isinstance(stored, str) else tuple(str(region) for region in stored)


def _batches(ids: list[Any]) -> Iterator[list[Any]]:
    """Yield *ids* in lists of `BATCH`, the last one filled up with its first."""
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        yield batch + batch[:1] * (BATCH - len(batch))
