"""The relay's repositories in SQL: lanes, the queue, parked messages, receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql import outbox_rows as rows
from authflow.adapters.sql.dialect import among, insert_or_keep, insert_or_update
from authflow.errors import StaleVersion
from authflow.outbox.delivery import Leased, Parked, Waiting
from authflow.outbox.lanes import ALONE, Lane, Queued
from authflow.ports import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Result
    from authflow.adapters.sql.tables import Tables
    from authflow.outbox.delivery import Delivery
    from authflow.outbox.ports import ParkedMessage


@attrs.frozen(kw_only=True)
class RelayStatements:
    """Every statement of the relay, built once."""

    due: sa.Executable
    load: sa.Executable
    update: sa.Executable
    drop: sa.Executable
    page: sa.Executable
    remove: tuple[sa.Executable, ...]
    remove_named: sa.Executable
    depths: sa.Executable
    set_aside: sa.Executable
    newest_parked: sa.Executable
    load_parked: sa.Executable
    put_back: sa.Executable
    remove_parked: sa.Executable
    expired_parked: sa.Executable
    receipts: sa.Executable
    add_receipt: sa.Executable
    forget: sa.Executable

    @classmethod
    def of(cls, tables: Tables, dialect: str) -> RelayStatements:
        return cls(
            **_lanes(tables, dialect),
            **_queue(tables, dialect),
            remove=_remove(tables, dialect),
            **_parked(tables, dialect),
            **_receipts(tables, dialect),
        )


def _named(table: sa.Table) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == sa.bindparam(f"lane_{name}") for name in ("destination", "scope", "shard")]


def _is_due(outbox: sa.Table) -> sa.ColumnElement[bool]:
    now = sa.bindparam("now", type_=sa.BigInteger())
    return sa.or_(outbox.c.due_at <= now, outbox.c.at > now)


def _lanes(tables: Tables, dialect: str) -> dict[str, sa.Executable]:
    outbox, lane = tables.shared.outbox, tables.outbox_relay.lane
    keys = [outbox.c.destination, outbox.c.scope, outbox.c.shard]
    blocked = sa.and_(lane.c.until > sa.bindparam("now"), lane.c.until <= sa.bindparam("horizon"))
    same = sa.and_(*(lane.c[column.name] == column for column in keys))
    oldest = (sa.func.min(outbox.c.due_at), sa.func.min(outbox.c.number))
    mine = [*_named(lane), lane.c.version == sa.bindparam("expected")]
    new: dict[str, sa.BindParameter[Any]] = {
        name: sa.bindparam(f"new_{name}") for name in ("state", "head", "token", "until", "attempts", "version")
    }
    named: dict[str, Any] = {column.name: sa.bindparam(f"lane_{column.name}") for column in keys}
    first = {**named, "state": rows.DUE, "head": "", "token": None, "until": 0, "attempts": 0, "version": 0}
    return {
        "due": sa.select(*keys)
        .select_from(outbox.outerjoin(lane, same))
        .where(_is_due(outbox), sa.or_(lane.c.until.is_(None), sa.not_(blocked)))
        .group_by(*keys)
        .order_by(*oldest)
        .limit(sa.bindparam("most")),
        "load": insert_or_update(dialect, lane, first, lambda row: {"shard": row.shard}).returning(lane),
        "update": sa.update(lane).where(*mine).values(new),
        "drop": sa.delete(lane).where(*mine),
    }


def _queue(tables: Tables, dialect: str) -> dict[str, sa.Executable]:
    outbox = tables.shared.outbox
    keys = [outbox.c.destination, outbox.c.scope, outbox.c.shard]
    count = sa.func.count().label("depth")
    return {
        "page": _page(outbox, dialect),
        "remove_named": sa.delete(outbox).where(among(dialect, outbox.c.id, "ids")),
        "depths": sa.select(*keys, count)
        .group_by(*keys)
        .order_by(count.desc(), sa.func.min(outbox.c.number))
        .limit(sa.bindparam("most")),
    }


def _remove(tables: Tables, dialect: str) -> tuple[sa.Executable, ...]:
    """Return what deletes messages with their receipts: only PostgreSQL deletes from two tables in one statement."""
    outbox, forget = tables.shared.outbox, _forget(tables, dialect)
    remove = sa.delete(outbox).where(among(dialect, outbox.c.number, "numbers"))
    return (remove.add_cte(forget.cte("forgotten")),) if dialect == "postgresql" else (remove, forget)


def _page(outbox: sa.Table, dialect: str) -> sa.Executable:
    """Return the first messages of a lane, and those behind them that are of the same groups, in one statement."""
    columns = [outbox.c[name] for name in rows.QUEUED]
    waiting = sa.select(*columns).where(*_named(outbox), _is_due(outbox))
    page = waiting.order_by(outbox.c.number).limit(sa.bindparam("most")).cte("page")
    coalescing = sa.select(page.c.category, page.c.object).where(page.c.category.not_in(sorted(ALONE)))
    belongs: sa.ColumnElement[bool] = sa.tuple_(outbox.c.category, outbox.c.object).in_(coalescing)
    if dialect == "postgresql":  # a list is hashed; a join of a queue whose size it underrates compares each with each
        belongs = belongs.is_(sa.true())
    behind = waiting.where(outbox.c.number > sa.select(sa.func.max(page.c.number)).scalar_subquery(), belongs)
    return sa.union_all(sa.select(page), behind).order_by("number")


def _parked(tables: Tables, dialect: str) -> dict[str, sa.Executable]:
    outbox, parked = tables.shared.outbox, tables.outbox_relay.parked
    copied = [column.name for column in outbox.c]
    why = {name: sa.bindparam(f"new_{name}", type_=parked.c[name].type) for name in ("reason", "attempts", "parked_at")}
    aside = sa.select(*(outbox.c[name] for name in copied), *why.values()).where(among(dialect, outbox.c.id, "ids"))
    returned = sa.select(*(parked.c[name] for name in copied)).where(among(dialect, parked.c.id, "ids"))
    return {
        "set_aside": sa.insert(parked).from_select([*copied, *why], aside),
        "newest_parked": sa.select(parked)
        .order_by(parked.c.parked_at.desc(), parked.c.number.desc())
        .limit(sa.bindparam("most")),
        "load_parked": sa.select(parked)
        .where(among(dialect, parked.c.id, "ids"))
        .order_by(parked.c.number)
        .with_for_update(),
        "put_back": sa.insert(outbox).from_select(copied, returned),
        "remove_parked": sa.delete(parked).where(among(dialect, parked.c.id, "ids")),
        "expired_parked": sa.select(parked.c.id).where(parked.c.expires_at <= sa.bindparam("now")),
    }


def _receipts(tables: Tables, dialect: str) -> dict[str, sa.Executable]:
    receipt = tables.outbox_relay.receipt
    return {
        "receipts": sa.select(receipt.c.receiver).where(receipt.c.message == sa.bindparam("which")),
        "add_receipt": insert_or_keep(dialect, receipt, {k.name: sa.bindparam(k.name) for k in receipt.c}),
        "forget": _forget(tables, dialect),
    }


def _forget(tables: Tables, dialect: str) -> sa.Delete:
    receipt = tables.outbox_relay.receipt
    return sa.delete(receipt).where(among(dialect, receipt.c.message, "ids"))


class SqlLanes:
    """`authflow.outbox.ports.Lanes` in SQL: one statement makes the row if missing, locks it and reads it.

    Nobody else writes a row that is locked here, so that what was loaded is saved without waiting for a count.
    """

    def __init__(self, connection: Connection, statements: RelayStatements) -> None:
        self._connection = connection
        self._sql = statements
        self._locked: dict[Lane, int] = {}
        self._coming: dict[Lane, Callable[[], Result]] = {}

    def due(self, now: datetime, *, blocked_until: datetime, limit: int) -> tuple[Lane, ...]:
        values = {"now": c.micros(now), "horizon": c.micros(blocked_until), "most": limit}
        return tuple(rows.load_lane(row) for row in self._connection.run(self._sql.due, values))

    def lock_soon(self, lane: Lane) -> None:
        self._coming[lane] = self._connection.soon(self._sql.load, rows.key(lane))

    def load(self, lane: Lane) -> Stored[Delivery]:
        if lane not in self._coming:
            self.lock_soon(lane)
        row = self._coming.pop(lane)().one()
        self._locked[lane] = row.version
        return Stored(rows.load_state(row), row.version)

    def save(self, lane: Lane, state: Delivery, *, expected: int) -> None:
        statement, values = self._sql.drop, {**rows.key(lane), "expected": expected}
        if isinstance(state, Leased | Waiting):
            new = {f"new_{name}": value for name, value in rows.dump_state(state).items()}
            statement, values = self._sql.update, {**values, **new, "new_version": expected + 1}
        if self._locked.pop(lane, None) == expected:
            self._connection.later(statement, values)
        elif self._connection.changed(statement, values) != 1:
            raise StaleVersion


class SqlQueue:
    """`authflow.outbox.ports.Queue` in SQL, on the table that `SqlOutbox` fills."""

    def __init__(self, connection: Connection, statements: RelayStatements) -> None:
        self._connection = connection
        self._sql = statements

    def page(self, lane: Lane, now: datetime, *, limit: int) -> tuple[Queued, ...]:
        found = self._connection.run(self._sql.page, {**rows.key(lane), "now": c.micros(now), "most": limit})
        return tuple(rows.load_queued(row, lane) for row in found)

    def remove(self, messages: Sequence[Queued]) -> None:
        gone = {"numbers": [queued.number for queued in messages], "ids": [queued.id for queued in messages]}
        for statement in self._sql.remove:
            self._connection.later(statement, gone)

    def depths(self, *, limit: int | None) -> tuple[tuple[Lane, int], ...]:
        most = limit if limit is not None else EVERY
        return tuple((rows.load_lane(row), row.depth) for row in self._connection.run(self._sql.depths, {"most": most}))


EVERY = 2**31 - 1
"""A limit that no table reaches."""


class SqlParked:
    """`authflow.outbox.ports.ParkedMessages` in SQL: rows move between two tables and never pass through here."""

    def __init__(self, connection: Connection, statements: RelayStatements) -> None:
        self._connection = connection
        self._sql = statements

    def add(self, ids: Sequence[str], parked: Parked) -> int:
        why = {"new_reason": parked.reason, "new_attempts": parked.attempts, "new_parked_at": c.micros(parked.at)}
        self._connection.run(self._sql.set_aside, {"ids": list(ids), **why})
        return self._connection.changed(self._sql.remove_named, {"ids": list(ids)})

    def newest(self, *, limit: int) -> tuple[ParkedMessage, ...]:
        return tuple(rows.load_parked(row) for row in self._connection.run(self._sql.newest_parked, {"most": limit}))

    def load(self, ids: Sequence[str]) -> tuple[ParkedMessage, ...]:
        return tuple(rows.load_parked(row) for row in self._connection.run(self._sql.load_parked, {"ids": list(ids)}))

    def take(self, ids: Sequence[str], *, back: bool) -> int:
        if back:
            self._connection.run(self._sql.put_back, {"ids": list(ids)})
        return self._connection.changed(self._sql.remove_parked, {"ids": list(ids)})

    def expired(self, now: datetime) -> tuple[str, ...]:
        return tuple(self._connection.run(self._sql.expired_parked, {"now": c.micros(now)}).scalars())


class SqlReceipts:
    """`authflow.outbox.ports.Receipts` in SQL."""

    def __init__(self, connection: Connection, statements: RelayStatements) -> None:
        self._connection = connection
        self._sql = statements

    def of(self, message: str) -> frozenset[str]:
        return frozenset(self._connection.run(self._sql.receipts, {"which": message}).scalars())

    def add(self, message: str, receiver: str) -> None:
        self._connection.later(self._sql.add_receipt, {"message": message, "receiver": receiver})

    def forget(self, messages: Sequence[str]) -> None:
        self._connection.later(self._sql.forget, {"ids": list(messages)})
