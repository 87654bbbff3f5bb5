"""Stored replies in SQL."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.dialect import insert_or_update
from authflow.ports import Digest, Reply
from authflow.values import Sealed

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.replies import ReplyTables

CLAIMED: Final = 0
"""The ``expires_at`` of a row that is only claimed: it has always expired."""

NOTHING: Final[dict[str, Any]] = {
    "pepper": "",
    "arguments": b"",
    "sealing_key": "",
    "answer": "",
    "former_until": None,
    "created_at": CLAIMED,
    "expires_at": CLAIMED,
}


@attrs.frozen(kw_only=True)
class ReplyStatements:
    """Every statement about stored replies, built once."""

    claim: sa.Executable
    store: sa.Executable
    release: sa.Executable
    sweep: sa.Executable

    @classmethod
    def of(cls, t: ReplyTables, dialect: str) -> ReplyStatements:
        reply = t.reply
        mine = reply.c.key == sa.bindparam("which")
        new: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in NOTHING}
        claim = insert_or_update(
            dialect, reply, {"key": sa.bindparam("which"), **NOTHING}, lambda row: {"key": row.key}
        )
        return cls(
            claim=claim.returning(*reply.c),
            store=sa.update(reply).where(mine).values(new),
            release=sa.delete(reply).where(mine),
            sweep=sa.delete(reply).where(reply.c.expires_at <= sa.bindparam("now")),
        )


class SqlReplies:
    """`authflow.ports.Replies` in SQL: one statement makes the row if missing, waits for its lock, and reads it."""

    def __init__(self, connection: Connection, statements: ReplyStatements) -> None:
        self._connection = connection
        self._sql = statements

    def claim(self, key: bytes, now: datetime) -> Reply | None:
        row = self._connection.run(self._sql.claim, {"which": key}).one()
        return None if row.expires_at <= c.micros(now) else _reply(row)

    def store(self, reply: Reply) -> None:
        values = {
            "pepper": reply.arguments.key_id,
            "arguments": reply.arguments.value,
            "sealing_key": reply.answer.key_id,
            "answer": base64.b64encode(reply.answer.ciphertext).decode(),
            "former_until": c.micros_or_none(reply.former_until),
            "created_at": c.micros(reply.created_at),
            "expires_at": c.micros(reply.expires_at),
        }
        self._connection.run(
            self._sql.store, {"which": reply.key, **{f"new_{name}": value for name, value in values.items()}}
        )

    def release(self, key: bytes) -> None:
        self._connection.run(self._sql.release, {"which": key})

    def sweep(self, now: datetime) -> int:
        return self._connection.changed(self._sql.sweep, {"now": c.micros(now)})


def _reply(row: Any) -> Reply:
    return Reply(
        key=bytes(row.key),
        arguments=Digest(key_id=row.pepper, value=bytes(row.arguments)),
        answer=Sealed(key_id=row.sealing_key, ciphertext=base64.b64decode(row.answer)),
        former_until=c.moment_or_none(row.former_until),
        created_at=c.moment(row.created_at),
        expires_at=c.moment(row.expires_at),
    )
