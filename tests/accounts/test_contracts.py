"""The store of mailed tokens keeps its contract in memory, SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authflow.testing.contracts.confirmations import ConfirmationsContract

if TYPE_CHECKING:
    from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork


class TestMemory(ConfirmationsContract):
    @pytest.fixture
    def uow(self, memory_uow: MemoryUnitOfWork) -> MemoryUnitOfWork:
        return memory_uow


class TestSqlite(ConfirmationsContract):
    @pytest.fixture
    def uow(self, sqlite_uow: SqlUnitOfWork) -> SqlUnitOfWork:
        return sqlite_uow


class TestPostgresql(ConfirmationsContract):
    @pytest.fixture
    def uow(self, postgresql_uow: SqlUnitOfWork) -> SqlUnitOfWork:
        return postgresql_uow


class TestMariadb(ConfirmationsContract):
    @pytest.fixture
    def uow(self, mariadb_uow: SqlUnitOfWork) -> SqlUnitOfWork:
        return mariadb_uow
