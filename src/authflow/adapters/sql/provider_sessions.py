"""Sessions by their names at providers, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.dialect import insert_or_update
from authflow.sso.provider_session import ProviderSession
from authflow.values import LinkId, ProviderId, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.sso import SsoTables
    from authflow.values import Sealed


@attrs.frozen(kw_only=True)
class ProviderSessionStatements:
    """Every statement about them, built once."""

    put: sa.Executable
    of_session: sa.Executable
    named: sa.Executable
    sealing_keys: sa.Executable
    sealed_under: sa.Executable
    reseal: sa.Executable
    remove: sa.Executable
    remove_of_user: sa.Executable
    remove_over: sa.Executable

    @classmethod
    def of(cls, t: SsoTables, dialect: str) -> ProviderSessionStatements:
        row = t.provider_session
        values = {column.name: sa.bindparam(f"new_{column.name}", type_=column.type) for column in row.c}
        key = {column.name for column in row.primary_key}
        session: sa.BindParameter[str] = sa.bindparam("after_session")
        provider: sa.BindParameter[str] = sa.bindparam("after_provider")
        behind = sa.or_(row.c.session_id > session, sa.and_(row.c.session_id == session, row.c.provider_id > provider))
        here, there = row.c.session_id == sa.bindparam("here"), row.c.provider_id == sa.bindparam("there")
        return cls(
            put=insert_or_update(
                dialect, row, values, lambda new: {name: new[name] for name in values if name not in key}
            ),
            of_session=sa.select(row).where(here).order_by(row.c.provider_id),
            named=sa.select(row).where(there, row.c.name == sa.bindparam("whom")).order_by(row.c.session_id),
            sealing_keys=sa.select(row.c.sealing_key).distinct(),
            sealed_under=sa.select(row)
            .where(row.c.sealing_key.in_(sa.bindparam("keys", expanding=True)), behind)
            .order_by(row.c.session_id, row.c.provider_id)
            .limit(sa.bindparam("most")),
            reseal=sa.update(row)
            .where(here, there, row.c.sealing_key == sa.bindparam("old_key"), row.c.memory == sa.bindparam("old"))
            .values(sealing_key=sa.bindparam("new_key"), memory=sa.bindparam("new")),
            remove=sa.delete(row).where(here, there),
            remove_of_user=sa.delete(row).where(row.c.user_id == sa.bindparam("owner")),
            remove_over=sa.delete(row).where(row.c.expires_at <= sa.bindparam("now")),
        )


class SqlProviderSessions:
    """`authflow.sso.provider_session.ProviderSessionRows` in SQL."""

    def __init__(self, connection: Connection, statements: ProviderSessionStatements) -> None:
        self._connection = connection
        self._sql = statements

    def put(self, row: ProviderSession) -> None:
        key, memory = c.dump_seal(row.memory)
        values = {
            "session_id": row.session,
            "provider_id": row.provider,
            "link_id": row.link,
            "user_id": row.user,
            "name": row.name,
            "session_index": row.index,
            "sealing_key": key,
            "memory": memory,
            "expires_at": c.micros(row.expires_at),
        }
        self._connection.run(self._sql.put, {f"new_{name}": value for name, value in values.items()})

    def of_session(self, session: SessionId) -> tuple[ProviderSession, ...]:
        return tuple(_read(row) for row in self._connection.run(self._sql.of_session, {"here": session}))

    def named(self, provider: ProviderId, name: bytes) -> tuple[ProviderSession, ...]:
        return tuple(_read(row) for row in self._connection.run(self._sql.named, {"there": provider, "whom": name}))

    def sealing_keys(self) -> frozenset[str]:
        return frozenset(row.sealing_key for row in self._connection.run(self._sql.sealing_keys))

    def sealed_under(
        self, keys: Collection[str], *, limit: int, after: tuple[SessionId, ProviderId] | None = None
    ) -> tuple[ProviderSession, ...]:
        session, provider = after or ("", "")
        behind = {"keys": sorted(keys), "after_session": session, "after_provider": provider, "most": limit}
        return tuple(_read(row) for row in self._connection.run(self._sql.sealed_under, behind))

    def reseal(self, row: ProviderSession, memory: Sealed) -> bool:
        (old_key, old), (new_key, new) = c.dump_seal(row.memory), c.dump_seal(memory)
        values = {"old_key": old_key, "old": old, "new_key": new_key, "new": new}
        return self._connection.changed(self._sql.reseal, {"here": row.session, "there": row.provider, **values}) == 1

    def remove(self, session: SessionId, provider: ProviderId) -> bool:
        return self._connection.changed(self._sql.remove, {"here": session, "there": provider}) == 1

    def remove_of_user(self, user: UserId) -> int:
        return self._connection.changed(self._sql.remove_of_user, {"owner": user})

    def remove_over(self, now: datetime) -> int:
        return self._connection.changed(self._sql.remove_over, {"now": c.micros(now)})


def _read(row: Any) -> ProviderSession:
    return ProviderSession(
        session=SessionId(row.session_id),
        provider=ProviderId(row.provider_id),
        link=LinkId(row.link_id),
        user=UserId(row.user_id),
        name=bytes(row.name),
        index=bytes(row.session_index),
        memory=c.load_seal((row.sealing_key, row.memory)),
        expires_at=c.moment(row.expires_at),
    )
