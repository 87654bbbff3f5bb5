"""Subjects whose link ended, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.dialect import insert_or_update
from authflow.adapters.sql.read_once import ReadOnce
from authflow.sso.identity import Subject
from authflow.sso.links import Former
from authflow.values import OrganizationId, ProviderId, UserId

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tables.sso import SsoTables


@attrs.frozen(kw_only=True)
class FormerStatements:
    """Every statement about former subjects, built once."""

    find: sa.Executable
    of_user: sa.Executable
    remember: sa.Executable
    remember_known: sa.Executable
    remember_rest: sa.Executable
    bar: sa.Executable
    clear: sa.Executable
    forget_free: sa.Executable
    forget_removed: sa.Executable

    @classmethod
    def of(cls, t: SsoTables, dialect: str) -> FormerStatements:
        row, link = t.former_subject, t.link
        names = {"organization_id": "place", "provider_id": "whose", "subject": "whom"}
        key: dict[str, Any] = {column: sa.bindparam(name, type_=row.c[column].type) for column, name in names.items()}
        same, mine = [row.c[column] == value for column, value in key.items()], row.c.user_id == sa.bindparam("owner")
        linked = sa.exists().where(link.c.provider_id == row.c.provider_id, link.c.subject == row.c.subject)
        here = [link.c.provider_id == sa.bindparam("whose"), link.c.provider_id == row.c.provider_id]
        here += [link.c.subject == row.c.subject, link.c.organization_id == row.c.organization_id]
        whose = sa.select(link.c.user_id).where(*here).correlate(row)
        place = sa.select(sa.func.min(link.c.organization_id)).where(here[0]).scalar_subquery()  # of all
        there = [row.c.organization_id == place, row.c.provider_id == sa.bindparam("whose")]
        rest = sa.select(*(link.c[name] for name in (*names, "user_id"))).where(here[0], ~sa.exists().where(*here[1:]))
        new: dict[str, Any] = {**key, "user_id": sa.bindparam("holder"), "removed_at": sa.null()}
        return cls(
            find=sa.select(row).where(*same),
            of_user=sa.select(row).where(mine),
            remember=insert_or_update(dialect, row, new, lambda given: {"user_id": given.user_id}),
            remember_known=sa.update(row).where(*there, whose.exists()).values(user_id=whose.scalar_subquery()),
            # whoever let go of one at this moment has remembered it since we looked: on PostgreSQL it would stand twice
            remember_rest=insert_or_update(dialect, row, None, lambda given: {"user_id": given.user_id}).from_select(
                [*names, "user_id"], rest
            ),
            bar=sa.update(row)
            .where(row.c.organization_id == sa.bindparam("place"), mine, ~linked)
            .values(removed_at=sa.bindparam("since")),
            clear=sa.delete(row).where(*same),
            forget_free=sa.delete(row).where(mine, row.c.removed_at.is_(None)),
            forget_removed=sa.update(row).where(mine).values(user_id=sa.null()),
        )


class SqlFormerSubjects:
    """`authflow.sso.ports.FormerSubjects` in SQL. A row is read once in a transaction."""

    def __init__(self, connection: Connection, statements: FormerStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._read: ReadOnce[tuple[OrganizationId, ProviderId, Subject], Former | None] = ReadOnce(connection)
        self._unknown: set[tuple[ProviderId, Subject]] = set()

    def reread(self) -> None:
        """Read again what is not held: a lock was waited for."""
        self._read.forget()
        if not self._connection.alone:
            self._unknown.clear()

    def saw(self, provider: ProviderId, subject: Subject, row: Row | None) -> None:
        """Remember the row of *subject*, or that there is none, for whichever organization."""
        if row is None:
            self._unknown.add((provider, subject))
            return
        former = _former(row)
        self._read.saw((former.organization, provider, subject), former)

    def find(self, organization: OrganizationId, provider: ProviderId, subject: Subject) -> Former | None:
        if (provider, subject) in self._unknown:
            return None

        def read() -> Former | None:
            row = self._connection.run(self._sql.find, _key(organization, provider, subject)).one_or_none()
            return None if row is None else _former(row)

        return self._read.get((organization, provider, subject), read)

    def _changed(self) -> None:
        self._read.clear()
        self._unknown.clear()

    def of_user(self, user: UserId) -> tuple[Former, ...]:
        found = (_former(row) for row in self._connection.run(self._sql.of_user, {"owner": user}))
        return tuple(sorted(found, key=lambda row: (row.organization, row.provider, row.subject.encode())))

    def remember(self, organization: OrganizationId, provider: ProviderId, subject: Subject, user: UserId) -> None:
        self._changed()
        self._connection.run(self._sql.remember, {**_key(organization, provider, subject), "holder": user})

    def remember_all(self, provider: ProviderId) -> None:
        self._changed()
        self._connection.run(self._sql.remember_known, {"whose": provider})
        self._connection.run(self._sql.remember_rest, {"whose": provider})

    def bar(self, organization: OrganizationId, user: UserId, at: datetime) -> None:
        self._changed()
        self._connection.run(self._sql.bar, {"place": organization, "owner": user, "since": c.micros(at)})

    def clear(self, organization: OrganizationId, provider: ProviderId, subject: Subject) -> None:
        self._changed()
        self._connection.run(self._sql.clear, _key(organization, provider, subject))

    def forget(self, user: UserId) -> None:
        self._changed()
        self._connection.run(self._sql.forget_free, {"owner": user})
        self._connection.run(self._sql.forget_removed, {"owner": user})


def _key(organization: OrganizationId, provider: ProviderId, subject: Subject) -> dict[str, Any]:
    return {"place": organization, "whose": provider, "whom": subject.encode()}


def _former(row: Any) -> Former:
    return Former(
        organization=OrganizationId(row.organization_id),
        provider=ProviderId(row.provider_id),
        subject=Subject(bytes(row.subject).decode()),
        user=None if row.user_id is None else UserId(row.user_id),
        removed_at=c.moment_or_none(row.removed_at),
    )
