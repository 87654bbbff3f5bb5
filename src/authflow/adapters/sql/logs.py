"""Audit log and outbox in SQL: what one transaction appends is written together, before it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.facts.records import Audit, AuditEntry
from authflow.values import OrganizationId, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.shared import SharedTables
    from authflow.facts.records import Message

FIELDS: Final = tuple(field.name for field in attrs.fields(AuditEntry))
"""Of an audit entry; the columns are called alike."""


@attrs.frozen(kw_only=True)
class LogStatements:
    """Every statement of the audit log and of the outbox's writing half, built once."""

    append: sa.Executable
    of_user: sa.Executable
    of_organization: sa.Executable
    send: sa.Executable

    @classmethod
    def of(cls, t: SharedTables) -> LogStatements:
        audit = t.audit
        newest = sa.select(audit).order_by(audit.c.number.desc()).limit(sa.bindparam("most"))
        return cls(
            append=sa.insert(audit),
            of_user=newest.where(audit.c.target_user == sa.bindparam("owner"), audit.c.organization.is_(None)),
            of_organization=newest.where(audit.c.organization == sa.bindparam("owner")),
            send=sa.insert(t.outbox),
        )


class Appended:
    """Rows that wait to be written together by *insert*."""

    def __init__(self, connection: Connection, insert: sa.Executable) -> None:
        self._connection = connection
        self._insert = insert
        self._unwritten: list[dict[str, Any]] = []

    def flush(self) -> None:
        """Write what was appended, as one multi-row INSERT."""
        rows, self._unwritten = self._unwritten, []
        if rows:
            self._connection.later(self._insert, rows)

    def unwritten(self) -> list[dict[str, Any]]:
        """Return what waits to be written, to `keep` it."""
        return list(self._unwritten)

    def keep(self, unwritten: list[dict[str, Any]]) -> None:
        """Let *unwritten* wait, and nothing else: what was appended later was undone with a savepoint."""
        self._unwritten = unwritten


class SqlAudit(Appended):
    """`authflow.ports.AuditLog` in SQL. What was appended is written by `flush`, before anything is read."""

    def __init__(self, connection: Connection, statements: LogStatements) -> None:
        super().__init__(connection, statements.append)
        self._sql = statements

    def append(self, entries: Sequence[AuditEntry]) -> None:
        self._unwritten.extend(_entry_row(entry) for entry in entries)

    def of_user(self, user: UserId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        self.flush()
        return tuple(_entry(row) for row in self._connection.run(self._sql.of_user, {"owner": user, "most": limit}))

    def of_organization(self, organization: OrganizationId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        self.flush()
        rows = self._connection.run(self._sql.of_organization, {"owner": organization, "most": limit})
        return tuple(_entry(row) for row in rows)


def _entry_row(entry: AuditEntry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in FIELDS}
    return {**values, "at": c.micros(entry.at), "data": c.dump(entry.data)}


def _entry(row: Any) -> AuditEntry:
    values = row.as_dict()
    del values["number"]
    values["at"], values["event"] = c.moment(row.at), Audit(row.event)
    values["data"] = json.loads(row.data)
    for name, kind in (("actor", UserId), ("target_user", UserId), ("session", SessionId)):
        values[name] = None if values[name] is None else kind(values[name])
    values["organization"] = None if row.organization is None else OrganizationId(row.organization)
    return AuditEntry(**values)


class SqlOutbox(Appended):
    """`authflow.ports.Outbox` in SQL. What was appended is written by `flush`, before any queue is read."""

    def __init__(self, connection: Connection, statements: LogStatements) -> None:
        super().__init__(connection, statements.send)

    def append(self, messages: Sequence[Message]) -> None:
        self._unwritten.extend(_message_row(message) for message in messages)


def _message_row(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "destination": message.destination or "",
        "scope": int(message.scope),
        "shard": message.shard,
        "category": int(message.category),
        "object": message.object,
        "payload": c.dump(message.payload),
        "at": c.micros(message.at),
        "due_at": c.micros(message.due_at),
        "expires_at": c.micros_or_none(message.expires_at),
    }
