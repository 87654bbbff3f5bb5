"""A pipeline's row, a link's, and an organization's, read with all that a sign-in is about to ask for.

A pipeline comes with its organization and its provider, and with the browser that began it, whose person may be a
member there; a link with its person and their account, their membership, whether a second factor protects them, and
what is remembered of its subject; an organization with its provider, whichever of the two is asked for. Only the
addresses are several, so that a statement brings few rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.mfa import protecting
from authflow.adapters.sql.visits import Browser, Part
from authflow.values import OrganizationId, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authflow.adapters.sql.accounts import SqlAccounts
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.former_subjects import SqlFormerSubjects
    from authflow.adapters.sql.members import SqlMembers
    from authflow.adapters.sql.mfa import SqlFactors
    from authflow.adapters.sql.organizations import SqlOrganizations
    from authflow.adapters.sql.people import SqlUsers
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.sessions import SqlSessions
    from authflow.adapters.sql.sso_providers import SqlProviders
    from authflow.adapters.sql.tables import Tables
    from authflow.sso.identity import Subject
    from authflow.sso.pipeline import PipelineId
    from authflow.values import ProviderId

KEPT_APART = frozenset({"answer_key", "answer"})
"""Columns of a pipeline that are large, and asked for once."""


@attrs.frozen(kw_only=True)
class PipelineVisit:
    """The statement that reads a pipeline, and the parts of its rows; *organization* is none where the host's are."""

    load: sa.Executable
    own: Part
    provider: Part
    organization: Part | None
    browser: Browser
    member: Part

    @classmethod
    def of(cls, tables: Tables, *, organizations: bool, people: bool) -> PipelineVisit:
        """Build the statement; *organizations* and *people* say whether they are in our tables."""
        row, provider, organization = tables.sso.pipeline, tables.sso.provider, tables.shared.organization
        session = tables.sessions.session
        joined: sa.FromClause = row.outerjoin(provider, provider.c.organization_id == row.c.organization_id)
        if organizations:
            joined = joined.outerjoin(organization, organization.c.id == row.c.organization_id)
        joined = joined.outerjoin(session, session.c.id == row.c.session_id)
        parts = _parts([row, provider, *([organization] if organizations else [])])
        browser = Browser.of(tables, people=people, to=joined, start=parts[-1].end)
        member = Part(tables.membership.member, browser.protected + 1)
        theirs = sa.and_(
            tables.membership.member.c.organization_id == row.c.organization_id,
            tables.membership.member.c.user_id == session.c.user_id,
        )
        return cls(
            load=sa.select(*_columns(parts), *browser.columns, *member.columns)
            .select_from(browser.joined.outerjoin(tables.membership.member, theirs))
            .where(row.c.id == sa.bindparam("which"))
            .order_by(*browser.order),
            own=parts[0],
            provider=parts[1],
            organization=parts[2] if organizations else None,
            browser=browser,
            member=member,
        )


@attrs.frozen(kw_only=True)
class LinkVisit:
    """The statement that reads a link, and the parts of its rows; *people* are none where they are the host's.

    It tells what is remembered of a subject that is not linked, too.
    """

    load: sa.Executable
    own: Part
    account: Part
    member: Part
    former: Part
    people: tuple[Part, Part] | None
    protected: int

    @classmethod
    def of(cls, tables: Tables, *, people: bool) -> LinkVisit:
        """Build the statement; *people* says whether they are in our tables."""
        link, former = tables.sso.link, tables.sso.former_subject
        user, address = tables.shared.user, tables.shared.user_address
        parts = _parts(
            [link, tables.shared.account, tables.membership.member, former, *((user, address) if people else ())]
        )
        whom = sa.bindparam("whom", type_=link.c.subject.type)
        meant = sa.and_(link.c.provider_id == sa.bindparam("place"), link.c.subject == whom)
        chosen = sa.select(*_columns(parts), protecting(tables.mfa.factor, link.c.user_id))
        chosen = chosen.order_by(address.c.folded) if people else chosen
        return cls(
            load=chosen.select_from(_beside_link(tables, _asked().outerjoin(link, meant), people=people)),
            own=parts[0],
            account=parts[1],
            member=parts[2],
            former=parts[3],
            people=(parts[4], parts[5]) if people else None,
            protected=parts[-1].end,
        )


@attrs.frozen(kw_only=True)
class PlaceVisit:
    """The statement that reads an organization and its provider, whichever there is, and the parts of its row."""

    load: sa.Executable
    organization: Part
    provider: Part

    @classmethod
    def of(cls, tables: Tables) -> PlaceVisit:
        """Build the statement."""
        organization, provider = tables.shared.organization, tables.sso.provider
        place: sa.BindParameter[str] = sa.bindparam("place", type_=sa.String())
        joined = _asked().outerjoin(organization, organization.c.id == place)
        joined = joined.outerjoin(provider, provider.c.organization_id == place)
        parts = _parts([organization, provider])
        return cls(load=sa.select(*_columns(parts)).select_from(joined), organization=parts[0], provider=parts[1])


@attrs.frozen(kw_only=True)
class SsoVisitStatements:
    """All of them; *place* is none where organizations are the host's."""

    pipeline: PipelineVisit
    link: LinkVisit
    place: PlaceVisit | None

    @classmethod
    def of(cls, tables: Tables, *, organizations: bool, people: bool) -> SsoVisitStatements:
        """Build the statements; *organizations* and *people* say whether they are in our tables."""
        return cls(
            pipeline=PipelineVisit.of(tables, organizations=organizations, people=people),
            link=LinkVisit.of(tables, people=people),
            place=PlaceVisit.of(tables) if organizations else None,
        )


def _asked() -> sa.FromClause:
    """Return one row of nothing, to which is joined what there is."""
    return sa.select(sa.literal_column("1", sa.Integer).label("one")).subquery("asked")


def _beside_link(tables: Tables, link: sa.FromClause, *, people: bool) -> sa.FromClause:
    """Join to *link* what stands beside a link; whom it is asked about stands in the parameters."""
    own, former, member = tables.sso.link.c, tables.sso.former_subject, tables.membership.member
    account, user, address = tables.shared.account, tables.shared.user, tables.shared.user_address
    whom = sa.bindparam("whom", type_=former.c.subject.type)
    remembered = [former.c.provider_id == sa.bindparam("place"), former.c.subject == whom]
    remembered.append(sa.or_(own.organization_id.is_(None), former.c.organization_id == own.organization_id))
    joined = link.outerjoin(account, account.c.user_id == own.user_id)
    joined = joined.outerjoin(
        member, sa.and_(member.c.organization_id == own.organization_id, member.c.user_id == own.user_id)
    )
    joined = joined.outerjoin(former, sa.and_(*remembered))
    if people:
        joined = joined.outerjoin(user, user.c.id == own.user_id)
        joined = joined.outerjoin(address, address.c.user_id == user.c.id)
    return joined


def _parts(tables: list[sa.Table]) -> list[Part]:
    parts: list[Part] = []
    for table in tables:
        parts.append(Part(table, parts[-1].end if parts else 0, without=KEPT_APART))
    return parts


def _columns(parts: list[Part]) -> list[sa.ColumnElement[Any]]:
    return [column for part in parts for column in part.columns]


@attrs.define(kw_only=True, eq=False)
class SqlSsoVisits:
    """Reads one of the rows, and tells the other repositories what was read beside it."""

    run: Connection
    sql: SsoVisitStatements
    sessions: SqlSessions
    accounts: SqlAccounts
    factors: SqlFactors
    members: SqlMembers
    providers: SqlProviders
    former: SqlFormerSubjects
    users: SqlUsers | None
    organizations: SqlOrganizations | None

    def pipeline(self, pipeline: PipelineId) -> Row | None:
        """Return the pipeline's row, or none."""
        sql = self.sql.pipeline
        rows = self.run.run(sql.load, {"which": pipeline}).all()
        found = sql.own.of(rows[0]) if rows else None
        if found is None:
            return None
        place = OrganizationId(found.organization_id)
        self.sessions.saw(SessionId(found.session_id), sql.browser, rows)
        self.providers.saw(place, sql.provider.of(rows[0]))
        if sql.organization is not None and self.organizations is not None:
            self.organizations.saw(place, sql.organization.of(rows[0]))
        member = sql.member.of(rows[0])
        if member is not None:
            self.members.saw(place, UserId(member.user_id), member)
        return found

    def behind_pipeline(self, organization: OrganizationId | None) -> None:
        """Let the provider be read again behind the lock of a pipeline, which was waited for; it is about to be held.

        *organization* is none where it is not known before.
        """
        self.providers.forget()
        if organization is not None:
            self.providers.lock_soon(organization)

    def bind(self) -> None:
        """Let an organization and its provider be read together from now on, if both are in our tables."""
        sql, organizations = self.sql.place, self.organizations
        if sql is None or organizations is None:
            return

        def organization(place: OrganizationId) -> Row | None:
            row = self.run.run(sql.load, {"place": place}).one()
            self.providers.saw(place, sql.provider.of(row))
            return sql.organization.of(row)

        def provider(place: OrganizationId) -> Row | None:
            row = self.run.run(sql.load, {"place": place}).one()
            organizations.saw(place, sql.organization.of(row))
            return sql.provider.of(row)

        organizations.beside(organization)
        self.providers.beside(provider)

    def link(self, provider: ProviderId, subject: Subject) -> Callable[[], Row | None]:
        """Ask soon for a link, and return what gives its row, or none."""
        asked = self.run.soon(self.sql.link.load, {"place": provider, "whom": subject.encode()})
        return lambda: self._told_of_link(provider, subject, asked().all())

    def _told_of_link(self, provider: ProviderId, subject: Subject, rows: Sequence[Row]) -> Row | None:
        sql = self.sql.link
        self.former.saw(provider, subject, sql.former.of(rows[0]))
        found = sql.own.of(rows[0])
        if found is None:
            return None
        user, place = UserId(found.user_id), OrganizationId(found.organization_id)
        self.accounts.saw(user, sql.account.of(rows[0]))
        self.factors.saw(user, protected=rows[0][sql.protected])
        self.members.saw(place, user, sql.member.of(rows[0]))
        if self.users is not None and sql.people is not None:
            person, address = sql.people
            addresses = [one for row in rows if (one := address.of(row)) is not None]
            self.users.saw(user, person.of(rows[0]), addresses)
        return found
