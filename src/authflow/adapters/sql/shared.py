"""Accounts, counters, audit log and outbox in SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql import columns as c
from authflow.adapters.sql.dialect import insert_or_update
from authflow.facts.records import Audit, AuditEntry
from authflow.ports import Account, Allowed, Limited
from authflow.values import OrganizationId, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from authflow.adapters.counting import Counted
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.shared import SharedTables
    from authflow.facts.records import Message
    from authflow.values import Budget


@attrs.frozen(kw_only=True)
class AccountStatements:
    """Every statement about accounts, built once."""

    lock: sa.Executable
    read: sa.Executable
    save: sa.Executable
    remove: sa.Executable

    @classmethod
    def of(cls, t: SharedTables, dialect: str) -> AccountStatements:
        account = t.account
        new: dict[str, Any] = {"user_id": sa.bindparam("owner"), "epoch": 1, "enrollment_required": False}
        mine = account.c.user_id == sa.bindparam("owner")
        return cls(
            lock=insert_or_update(dialect, account, new, lambda row: {"user_id": row.user_id}).returning(
                account.c.epoch, account.c.enrollment_required
            ),
            read=sa.select(account.c.epoch, account.c.enrollment_required).where(mine),
            save=sa.update(account)
            .where(mine)
            .values(epoch=sa.bindparam("new_epoch"), enrollment_required=sa.bindparam("owed")),
            remove=sa.delete(account).where(mine),
        )


class SqlAccounts:
    """`authflow.ports.Accounts` in SQL: one statement makes the row if missing, locks it and reads it."""

    def __init__(
        self, connection: Connection, statements: AccountStatements, *, locked: Callable[[UserId], None]
    ) -> None:
        self._run = connection
        self._sql = statements
        self._tell_locked = locked
        self._locked: dict[UserId, Account] = {}

    def lock(self, user: UserId) -> Account:
        if user not in self._locked:
            self._tell_locked(user)
            row = self._run.run(self._sql.lock, {"owner": user}).one()
            self._locked[user] = Account(user=user, epoch=row.epoch, enrollment_required=row.enrollment_required)
        return self._locked[user]

    def read(self, user: UserId) -> Account:
        if user in self._locked:
            return self._locked[user]
        row = self._run.run(self._sql.read, {"owner": user}).one_or_none()
        if row is None:
            return Account(user=user, epoch=1)
        return Account(user=user, epoch=row.epoch, enrollment_required=row.enrollment_required)

    def save(self, account: Account) -> None:
        self._locked[account.user] = account
        values = {"owner": account.user, "new_epoch": account.epoch, "owed": account.enrollment_required}
        self._run.run(self._sql.save, values)

    def remove(self, user: UserId) -> None:
        self._locked.pop(user, None)
        self._run.run(self._sql.remove, {"owner": user})


@attrs.frozen(kw_only=True)
class CountStatements:
    """Every statement of the limiter and of the attempt counters, built once."""

    lock_hits: sa.Executable
    read_hits: sa.Executable
    save_hits: sa.Executable
    reset_hits: sa.Executable
    count: sa.Executable
    read: sa.Executable
    clear: sa.Executable
    sweep_hits: sa.Executable
    sweep_attempts: sa.Executable

    @classmethod
    def of(cls, t: SharedTables, dialect: str) -> CountStatements:
        limit, attempt = t.limit, t.attempt
        named = [limit.c.budget == sa.bindparam("which"), limit.c.key == sa.bindparam("whose")]
        first: dict[str, Any] = {"budget": sa.bindparam("which"), "key": sa.bindparam("whose"), "hits": "[]", "expires_at": 0}
        one: dict[str, Any] = {"key": sa.bindparam("whose"), "total": 1, "expires_at": sa.bindparam("until")}
        mine = attempt.c.key == sa.bindparam("whose")
        return cls(
            lock_hits=insert_or_update(dialect, limit, first, lambda row: {"key": row.key}).returning(limit.c.hits),
            read_hits=sa.select(limit.c.hits).where(*named),
            save_hits=sa.update(limit)
            .where(*named)
            .values(hits=sa.bindparam("new_hits"), expires_at=sa.bindparam("until")),
            reset_hits=sa.delete(limit).where(*named),
            count=insert_or_update(
                dialect, attempt, one, lambda row: {"total": attempt.c.total + 1, "expires_at": row.expires_at}
            ).returning(attempt.c.total),
            read=sa.select(attempt.c.total).where(mine),
            clear=sa.delete(attempt).where(mine),
            sweep_hits=sa.delete(limit).where(limit.c.expires_at <= sa.bindparam("now")),
            sweep_attempts=sa.delete(attempt).where(attempt.c.expires_at <= sa.bindparam("now")),
        )


class SqlLimits:
    """`authflow.ports.RateLimiter` in SQL: one statement locks and reads the row, one saves it.

    The row holds the last *limit* instants that counted, also those that fell out of the window: a clock that goes
    back finds them again (decisions 31 and 35).
    """

    def __init__(self, connection: Connection, statements: CountStatements, counted: Counted) -> None:
        self._run = connection
        self._sql = statements
        self._counted = counted

    def hit(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        named = {"which": budget.name, "whose": key}
        stored: list[int] = json.loads(self._run.run(self._sql.lock_hits, named).scalar_one())
        answer = _verdict(stored, budget, now)
        if isinstance(answer, Limited):
            return answer
        kept = sorted([*stored, c.micros(now)])[-budget.limit :]
        until = kept[-1] + budget.window // c.MICROSECOND
        self._run.run(self._sql.save_hits, {**named, "new_hits": json.dumps(kept), "until": until})
        self._counted.add(lambda tx: tx.limits.hit(budget, key, now))
        return Allowed(answer.left - 1)

    def peek(self, budget: Budget, key: str, now: datetime) -> Allowed | Limited:
        stored = self._run.run(self._sql.read_hits, {"which": budget.name, "whose": key}).scalar_one_or_none()
        return _verdict(json.loads(stored or "[]"), budget, now)

    def reset(self, budget: Budget, key: str) -> None:
        self._run.run(self._sql.reset_hits, {"which": budget.name, "whose": key})

    def sweep(self, now: datetime) -> int:
        """Delete the rows of which no hit counts any more."""
        return self._run.changed(self._sql.sweep_hits, {"now": c.micros(now)})


def _verdict(stored: list[int], budget: Budget, now: datetime) -> Allowed | Limited:
    oldest = c.micros(now - budget.window)
    live = [at for at in stored if at > oldest]
    if len(live) < budget.limit:
        return Allowed(budget.limit - len(live))
    return Limited(c.moment(live[-budget.limit]) + budget.window - now)


class SqlAttempts:
    """`authflow.ports.Attempts` in SQL: increment and read are one statement."""

    def __init__(self, connection: Connection, statements: CountStatements, counted: Counted) -> None:
        self._run = connection
        self._sql = statements
        self._counted = counted

    def count(self, key: str, *, expires_at: datetime) -> int:
        total = self._run.run(self._sql.count, {"whose": key, "until": c.micros(expires_at)}).scalar_one()
        self._counted.add(lambda tx: tx.attempts.count(key, expires_at=expires_at))
        return int(total)

    def read(self, key: str) -> int:
        return int(self._run.run(self._sql.read, {"whose": key}).scalar_one_or_none() or 0)

    def clear(self, key: str) -> None:
        self._run.run(self._sql.clear, {"whose": key})

    def sweep(self, now: datetime) -> int:
        """Delete the counters whose flows are over."""
        return self._run.changed(self._sql.sweep_attempts, {"now": c.micros(now)})


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


class SqlAudit:
    """`authflow.ports.AuditLog` in SQL."""

    def __init__(self, connection: Connection, statements: LogStatements) -> None:
        self._run = connection
        self._sql = statements

    def append(self, entries: Sequence[AuditEntry]) -> None:
        if entries:
            self._run.run(self._sql.append, [_entry_row(entry) for entry in entries])

    def of_user(self, user: UserId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        return tuple(_entry(row) for row in self._run.run(self._sql.of_user, {"owner": user, "most": limit}))

    def of_organization(self, organization: OrganizationId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        rows = self._run.run(self._sql.of_organization, {"owner": organization, "most": limit})
        return tuple(_entry(row) for row in rows)


def _entry_row(entry: AuditEntry) -> dict[str, Any]:
    values = attrs.asdict(entry, recurse=False)
    return {**values, "at": c.micros(entry.at), "data": c.dump(entry.data)}


def _entry(row: Any) -> AuditEntry:
    values = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's documented accessor
    del values["number"]
    values["at"], values["event"] = c.moment(row.at), Audit(row.event)
    values["data"] = json.loads(row.data)
    for name, kind in (("actor", UserId), ("target_user", UserId), ("session", SessionId)):
        values[name] = None if values[name] is None else kind(values[name])
    values["organization"] = None if row.organization is None else OrganizationId(row.organization)
    return AuditEntry(**values)


class SqlOutbox:
    """`authflow.ports.Outbox` in SQL: the messages of one command are one multi-row INSERT."""

    def __init__(self, connection: Connection, statements: LogStatements) -> None:
        self._run = connection
        self._sql = statements

    def append(self, messages: Sequence[Message]) -> None:
        if messages:
            self._run.run(self._sql.send, [_message_row(message) for message in messages])


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
