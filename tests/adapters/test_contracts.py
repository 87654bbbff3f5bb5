"""Every shipped adapter of the shared ports keeps every promise: memory, SQLite, PostgreSQL, MariaDB."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from authflow.adapters.sql.columns import moment, moment_or_none
from authflow.adapters.sql.tables import build
from authflow.facts.records import Category, Message, Scope
from authflow.membership.standing import Member
from authflow.testing.contracts.accounts import AccountsContract
from authflow.testing.contracts.counting import AttemptsContract, RateLimiterContract
from authflow.testing.contracts.logs import AuditLogContract, OutboxContract
from authflow.testing.contracts.organizations import OrganizationsContract
from authflow.testing.contracts.people import UsersContract
from authflow.testing.contracts.unit_of_work import UnitOfWorkContract
from authflow.values import MemberId, Role

NEXT = count()

TABLES = build()


class Memory:
    @pytest.fixture
    def uow(self, memory_uow: Any) -> Any:
        return memory_uow


class Sqlite:
    @pytest.fixture
    def uow(self, sqlite_uow: Any) -> Any:
        return sqlite_uow


class Postgresql:
    @pytest.fixture
    def uow(self, postgresql_uow: Any) -> Any:
        return postgresql_uow


class Mariadb:
    @pytest.fixture
    def uow(self, mariadb_uow: Any) -> Any:
        return mariadb_uow


class TestMemoryUnitOfWork(Memory, UnitOfWorkContract): ...


class TestSqliteUnitOfWork(Sqlite, UnitOfWorkContract): ...


class TestPostgresqlUnitOfWork(Postgresql, UnitOfWorkContract): ...


class TestMariadbUnitOfWork(Mariadb, UnitOfWorkContract): ...


class Users(UsersContract):
    def add_user(self, tx: Any, user: Any) -> None:
        tx.users.add(user)

    def add_password_reset(self, tx: Any, user: Any) -> None:
        tx.users.add_password_reset(user, next(NEXT).to_bytes(32, "big"))


class TestMemoryUsers(Memory, Users): ...


class TestSqliteUsers(Sqlite, Users): ...


class TestPostgresqlUsers(Postgresql, Users): ...


class TestMariadbUsers(Mariadb, Users): ...


class Organizations(OrganizationsContract):
    def add_organization(self, tx: Any, organization: Any) -> None:
        tx.organizations.add(organization)

    def add_member(self, tx: Any, organization: Any, user: Any) -> None:
        row = Member(organization=organization, user=user, id=MemberId(f"member-{next(NEXT)}"), role=Role("member"))
        tx.members.save(organization, user, row, expected=0)


class TestMemoryOrganizations(Memory, Organizations): ...


class TestSqliteOrganizations(Sqlite, Organizations): ...


class TestPostgresqlOrganizations(Postgresql, Organizations): ...


class TestMariadbOrganizations(Mariadb, Organizations): ...


class TestMemoryAccounts(Memory, AccountsContract): ...


class TestSqliteAccounts(Sqlite, AccountsContract): ...


class TestPostgresqlAccounts(Postgresql, AccountsContract): ...


class TestMariadbAccounts(Mariadb, AccountsContract): ...


class TestMemoryRateLimiter(Memory, RateLimiterContract): ...


class TestSqliteRateLimiter(Sqlite, RateLimiterContract): ...


class TestPostgresqlRateLimiter(Postgresql, RateLimiterContract): ...


class TestMariadbRateLimiter(Mariadb, RateLimiterContract): ...


class TestMemoryAttempts(Memory, AttemptsContract): ...


class TestSqliteAttempts(Sqlite, AttemptsContract): ...


class TestPostgresqlAttempts(Postgresql, AttemptsContract): ...


class TestMariadbAttempts(Mariadb, AttemptsContract): ...


class TestMemoryAuditLog(Memory, AuditLogContract): ...


class TestSqliteAuditLog(Sqlite, AuditLogContract): ...


class TestPostgresqlAuditLog(Postgresql, AuditLogContract): ...


class TestMariadbAuditLog(Mariadb, AuditLogContract): ...


class TestMemoryOutbox(Memory, OutboxContract):
    def written(self, tx: Any) -> Any:
        return tx.store.table("outbox").rows()


class SqlOutbox(OutboxContract):
    def written(self, tx: Any) -> Any:
        tx.flush()
        outbox = TABLES.shared.outbox
        rows = tx.connection.run(sa.select(outbox).order_by(outbox.c.number))
        return [message(row) for row in rows]


class TestSqliteOutbox(Sqlite, SqlOutbox): ...


class TestPostgresqlOutbox(Postgresql, SqlOutbox): ...


class TestMariadbOutbox(Mariadb, SqlOutbox): ...


def message(row: Any) -> Message:
    return Message(
        id=row.id,
        scope=Scope(row.scope),
        shard=row.shard,
        category=Category(row.category),
        object=row.object,
        destination=row.destination or None,
        payload=json.loads(row.payload),
        at=moment(row.at),
        due_at=moment(row.due_at),
        expires_at=moment_or_none(row.expires_at),
    )
