"""A browser's row, read with all that a command is about to ask for: the account, the waiting click and the person.

They are one to one, so that one statement reads them, and the repositories that they belong to remember them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.rows import shape
from authflow.values import UserId

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from authflow.adapters.sql.accounts import SqlAccounts
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.membership import SqlConsents
    from authflow.adapters.sql.people import SqlUsers
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tables import Tables
    from authflow.values import SessionId


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
class VisitStatement:
    """The statement and the parts of its rows; *people* are none where they are the host's."""

    load: sa.Executable
    session: Part
    account: Part
    consent: Part
    people: tuple[Part, Part] | None

    @classmethod
    def of(cls, tables: Tables, *, people: bool) -> VisitStatement:
        """Build the statement; *people* says that they are in our tables."""
        shared, session, consent = tables.shared, tables.sessions.session, tables.membership.consent
        account, user, address = shared.account, shared.user, shared.user_address
        joined = session.outerjoin(account, account.c.user_id == session.c.user_id)
        joined = joined.outerjoin(consent, consent.c.session_id == session.c.id)
        found = [session, account, consent]
        if people:
            joined = joined.outerjoin(user, user.c.id == session.c.user_id)
            joined = joined.outerjoin(address, address.c.user_id == user.c.id)
            found += [user, address]
        parts: list[Part] = []
        for table in found:
            parts.append(Part(table, parts[-1].end if parts else 0))
        load = sa.select(*(column for part in parts for column in part.columns)).select_from(joined)
        load = load.where(session.c.id == sa.bindparam("which"))
        return cls(
            load=load.order_by(address.c.folded) if people else load,
            session=parts[0],
            account=parts[1],
            consent=parts[2],
            people=(parts[3], parts[4]) if people else None,
        )


class SqlVisits:
    """Reads a session's row, and tells the other repositories what was read beside it."""

    def __init__(
        self,
        connection: Connection,
        statement: VisitStatement,
        *,
        accounts: SqlAccounts,
        consents: SqlConsents,
        users: SqlUsers | None,
    ) -> None:
        self._run = connection
        self._sql = statement
        self._accounts = accounts
        self._consents = consents
        self._users = users

    def read(self, session: SessionId) -> Row | None:
        """Return the session's row, or none."""
        rows = self._run.run(self._sql.load, {"which": session}).all()
        found = self._sql.session.of(rows[0]) if rows else None
        if found is None:
            return None
        self._consents.saw(session, self._sql.consent.of(rows[0]))
        if found.user_id is not None:
            self._tell_of(UserId(found.user_id), rows)
        return found

    def add(self, session: SessionId) -> None:
        """Tell that *session* is new here: nothing can wait under its id yet."""
        self._consents.saw(session, None)

    def _tell_of(self, user: UserId, rows: Sequence[Row]) -> None:
        self._accounts.saw(user, self._sql.account.of(rows[0]))
        if self._users is None or self._sql.people is None:
            return
        person, address = self._sql.people
        addresses = [found for row in rows if (found := address.of(row)) is not None]
        self._users.saw(user, person.of(rows[0]), addresses)
