"""A pipeline's row, and a link's, read with all that a sign-in is about to ask for.

A pipeline comes with its organization and its provider; a link with its person and their account, their membership,
and what is remembered of its subject. Only the addresses are several, so that a statement brings few rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.visits import Part
from authflow.values import OrganizationId, UserId

if TYPE_CHECKING:
    from authflow.adapters.sql.accounts import SqlAccounts
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.former_subjects import SqlFormerSubjects
    from authflow.adapters.sql.members import SqlMembers
    from authflow.adapters.sql.people import SqlOrganizations, SqlUsers
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.sso import SqlProviders
    from authflow.adapters.sql.tables import Tables
    from authflow.sso.identity import Subject
    from authflow.sso.pipeline import PipelineId
    from authflow.values import ProviderId

KEPT_APART = frozenset({"answer_key", "answer"})
"""Columns of a pipeline that are large, and asked for once."""


@attrs.frozen(kw_only=True)
class SsoVisitStatements:
    """The two statements, and the parts of their rows; *organization* and *people* are none where the host's are."""

    pipeline: tuple[sa.Executable, Part, Part, Part | None]
    link: tuple[sa.Executable, Part, Part, Part, Part]
    people: tuple[Part, Part] | None

    @classmethod
    def of(cls, tables: Tables, *, organizations: bool, people: bool) -> SsoVisitStatements:
        """Build the statements; *organizations* and *people* say whether they are in our tables."""
        pipeline, beside = _pipeline(tables, organizations=organizations)
        first, provider, *place = beside
        link, rows = _link(tables, people=people)
        own, account, member, former, *persons = rows
        return cls(
            pipeline=(pipeline, first, provider, place[0] if place else None),
            link=(link, own, account, member, former),
            people=(persons[0], persons[1]) if persons else None,
        )


def _pipeline(tables: Tables, *, organizations: bool) -> tuple[sa.Executable, list[Part]]:
    row, provider, organization = tables.sso.pipeline, tables.sso.provider, tables.shared.organization
    joined: sa.FromClause = row.outerjoin(provider, provider.c.organization_id == row.c.organization_id)
    found = [row, provider]
    if organizations:
        joined = joined.outerjoin(organization, organization.c.id == row.c.organization_id)
        found.append(organization)
    parts = _parts(found)
    return _select(parts, joined).where(row.c.id == sa.bindparam("which")), parts


def _link(tables: Tables, *, people: bool) -> tuple[sa.Executable, list[Part]]:
    link, former, member = tables.sso.link, tables.sso.former_subject, tables.membership.member
    account, user, address = tables.shared.account, tables.shared.user, tables.shared.user_address
    here = sa.and_(member.c.organization_id == link.c.organization_id, member.c.user_id == link.c.user_id)
    names = ("organization_id", "provider_id", "subject")
    joined: sa.FromClause = link.outerjoin(account, account.c.user_id == link.c.user_id)
    joined = joined.outerjoin(member, here)
    joined = joined.outerjoin(former, sa.and_(*(former.c[name] == link.c[name] for name in names)))
    found = [link, account, member, former]
    if people:
        joined = joined.outerjoin(user, user.c.id == link.c.user_id)
        joined = joined.outerjoin(address, address.c.user_id == user.c.id)
        found += [user, address]
    parts, whom = _parts(found), sa.bindparam("whom", type_=link.c.subject.type)
    load = _select(parts, joined).where(link.c.provider_id == sa.bindparam("place"), link.c.subject == whom)
    return load.order_by(address.c.folded) if people else load, parts


def _parts(tables: list[sa.Table]) -> list[Part]:
    parts: list[Part] = []
    for table in tables:
        parts.append(Part(table, parts[-1].end if parts else 0, without=KEPT_APART))
    return parts


def _select(parts: list[Part], joined: sa.FromClause) -> sa.Select[tuple[object, ...]]:
    return sa.select(*(column for part in parts for column in part.columns)).select_from(joined)


@attrs.define(kw_only=True, eq=False)
class SqlSsoVisits:
    """Reads the row of a pipeline, or of a link, and tells the other repositories what was read beside it."""

    run: Connection
    sql: SsoVisitStatements
    accounts: SqlAccounts
    members: SqlMembers
    providers: SqlProviders
    former: SqlFormerSubjects
    users: SqlUsers | None
    organizations: SqlOrganizations | None

    def pipeline(self, pipeline: PipelineId) -> Row | None:
        """Return the pipeline's row, or none."""
        load, own, provider, organization = self.sql.pipeline
        row = self.run.run(load, {"which": pipeline}).one_or_none()
        found = None if row is None else own.of(row)
        if row is None or found is None:
            return None
        place = OrganizationId(found.organization_id)
        self.providers.saw(place, provider.of(row))
        if organization is not None and self.organizations is not None:
            self.organizations.saw(place, organization.of(row))
        return found

    def locking_pipeline(self) -> None:
        """Let the provider be read again behind the lock of a pipeline: it may be waited for."""
        self.providers.forget()

    def link(self, provider: ProviderId, subject: Subject) -> Row | None:
        """Return the link's row, or none."""
        load, own, account, member, former = self.sql.link
        rows = self.run.run(load, {"place": provider, "whom": subject.encode()}).all()
        found = own.of(rows[0]) if rows else None
        if found is None:
            return None
        user, place = UserId(found.user_id), OrganizationId(found.organization_id)
        self.accounts.saw(user, account.of(rows[0]))
        self.members.saw(place, user, member.of(rows[0]))
        self.former.saw(place, provider, subject, former.of(rows[0]))
        if self.users is not None and self.sql.people is not None:
            person, address = self.sql.people
            addresses = [one for row in rows if (one := address.of(row)) is not None]
            self.users.saw(user, person.of(rows[0]), addresses)
        return found
