"""What was accepted once, in SQL."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.dialect import insert_or_tell
from authflow.adapters.sql.inserted import inserted

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.sso import SsoTables
    from authflow.sso.kinds import Single


@attrs.frozen(kw_only=True)
class OnceStatements:
    """Every statement about what was accepted once, built once."""

    spend: sa.Executable
    spend_tells: bool
    sweep: sa.Executable

    @classmethod
    def of(cls, t: SsoTables, dialect: str) -> OnceStatements:
        single = t.single_use
        spent: dict[str, Any] = {"digest": sa.bindparam("which"), "expires_at": sa.bindparam("until")}
        spend, tells = insert_or_tell(dialect, single, spent)
        return cls(
            spend=spend,
            spend_tells=tells,
            sweep=sa.delete(single).where(single.c.expires_at < sa.bindparam("now")),
        )


class SqlSingleUse:
    """`authflow.sso.ports.SingleUse` in SQL. A key is stored as its digest: an issuer's may be of any length."""

    def __init__(self, connection: Connection, statements: OnceStatements) -> None:
        self._connection = connection
        self._sql = statements

    def spend(self, single: Single) -> bool:
        digest = hashlib.sha256(single.key.encode(errors="surrogatepass")).digest()
        values = {"which": digest, "until": c.micros(single.expires_at)}
        return inserted(self._connection, self._sql.spend, values, tells=self._sql.spend_tells)

    def sweep(self, now: datetime) -> int:
        return self._connection.changed(self._sql.sweep, {"now": c.micros(now)})
