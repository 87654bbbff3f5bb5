"""A browser's row, read with all that a command is about to ask for.

That is the click that waits, the person, their account, and whether a second factor protects them. They are one to one,
so that one statement reads them, and the repositories that they belong to remember them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.mfa import protecting
from authflow.adapters.sql.rows import shape
from authflow.values import SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from authflow.adapters.sql.accounts import SqlAccounts
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.membership import SqlConsents
    from authflow.adapters.sql.mfa import SqlFactors
    from authflow.adapters.sql.people import SqlUsers
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tables import Tables


class Part:
    """The columns of one table among those of several, from position *start* on; the first one is never NULL.

    Columns that are called like one of *without* are left out.
    """

    def __init__(self, table: sa.Table, start: int, *, without: Collection[str] = ()) -> None:
        read = [column for column in table.c if column.name not in without]
        self.columns = [column.label(f"{table.name}_{column.name}") for column in read]
        self.end = start + len(self.columns)
        self._start = start
        self._make = shape([column.name for column in read])

    def of(self, row: Row) -> Row | None:
        """Return the row of this table, or none where an outer join found none."""
        return None if row[self._start] is None else self._make(row[self._start : self.end])


@attrs.frozen(kw_only=True)
class Browser:
    """A session and what is read beside it, among the columns of a statement; *people* are none where the host's are.

    *columns* are what the statement selects of it, with whether a second factor protects the person at *protected*;
    *joined* is what it selects from, and *order* what its rows have to be ordered by.
    """

    session: Part
    account: Part
    consent: Part
    people: tuple[Part, Part] | None
    protected: int
    columns: tuple[sa.ColumnElement[Any], ...]
    joined: sa.FromClause
    order: tuple[sa.ColumnElement[Any], ...]

    @classmethod
    def of(cls, tables: Tables, *, people: bool, to: sa.FromClause | None = None, start: int = 0) -> Browser:
        """Join to *to*, which has the sessions, or else to these alone; their columns begin at *start*."""
        shared, session, consent = tables.shared, tables.sessions.session, tables.membership.consent
        account, user, address = shared.account, shared.user, shared.user_address
        joined = (session if to is None else to).outerjoin(account, account.c.user_id == session.c.user_id)
        joined = joined.outerjoin(consent, consent.c.session_id == session.c.id)
        if people:
            joined = joined.outerjoin(user, user.c.id == session.c.user_id)
            joined = joined.outerjoin(address, address.c.user_id == user.c.id)
        parts: list[Part] = []
        for table in (session, account, consent, *((user, address) if people else ())):
            parts.append(Part(table, parts[-1].end if parts else start))
        return cls(
            session=parts[0],
            account=parts[1],
            consent=parts[2],
            people=(parts[3], parts[4]) if people else None,
            protected=parts[-1].end,
            columns=(
                *(column for part in parts for column in part.columns),
                protecting(tables.mfa.factor, session.c.user_id),
            ),
            joined=joined,
            order=(address.c.folded,) if people else (),
        )


@attrs.frozen(kw_only=True)
class VisitStatement:
    """The statement that reads one session."""

    load: sa.Executable
    browser: Browser

    @classmethod
    def of(cls, tables: Tables, *, people: bool) -> VisitStatement:
        """Build the statement; *people* says that they are in our tables."""
        browser = Browser.of(tables, people=people)
        load = sa.select(*browser.columns).select_from(browser.joined).order_by(*browser.order)
        return cls(load=load.where(tables.sessions.session.c.id == sa.bindparam("which")), browser=browser)


class SqlVisits:
    """Reads a session's row, and tells the other repositories what was read beside it."""

    def __init__(
        self,
        connection: Connection,
        statement: VisitStatement,
        *,
        accounts: SqlAccounts,
        factors: SqlFactors,
        consents: SqlConsents,
        users: SqlUsers | None,
    ) -> None:
        self._connection = connection
        self._sql = statement
        self._accounts = accounts
        self._factors = factors
        self._consents = consents
        self._users = users

    def read(self, session: SessionId) -> Row | None:
        """Return the session's row, or none."""
        rows = self._connection.run(self._sql.load, {"which": session}).all()
        return self.tell(self._sql.browser, rows)

    def tell(self, browser: Browser, rows: Sequence[Row]) -> Row | None:
        """Return the session's row among *rows*, of which the others are told what stands beside it; or none."""
        found = browser.session.of(rows[0]) if rows else None
        if found is None:
            return None
        self._consents.saw(SessionId(found.id), browser.consent.of(rows[0]))
        if found.user_id is not None:
            self._tell_of(UserId(found.user_id), browser, rows)
        return found

    def add(self, session: SessionId) -> None:
        """Tell that *session* is new here: nothing can wait under its id yet."""
        self._consents.saw(session, None)

    def _tell_of(self, user: UserId, browser: Browser, rows: Sequence[Row]) -> None:
        self._accounts.saw(user, browser.account.of(rows[0]))
        self._factors.saw(user, protected=rows[0][browser.protected])
        if self._users is None or browser.people is None:
            return
        person, address = browser.people
        addresses = [found for row in rows if (found := address.of(row)) is not None]
        self._users.saw(user, person.of(rows[0]), addresses)
