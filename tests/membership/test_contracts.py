"""The stores of membership keep their contracts in memory, SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.testing.contracts.members import ConsentRowsContract, MemberRowsContract
from authflow.testing.contracts.membership import InvitationRowsContract


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


class TestMemoryInvitations(Memory, InvitationRowsContract): ...


class TestSqliteInvitations(Sqlite, InvitationRowsContract): ...


class TestPostgresqlInvitations(Postgresql, InvitationRowsContract): ...


class TestMariadbInvitations(Mariadb, InvitationRowsContract): ...


class TestMemoryMembers(Memory, MemberRowsContract): ...


class TestSqliteMembers(Sqlite, MemberRowsContract): ...


class TestPostgresqlMembers(Postgresql, MemberRowsContract): ...


class TestMariadbMembers(Mariadb, MemberRowsContract): ...


class TestMemoryConsents(Memory, ConsentRowsContract): ...


class TestSqliteConsents(Sqlite, ConsentRowsContract): ...


class TestPostgresqlConsents(Postgresql, ConsentRowsContract): ...


class TestMariadbConsents(Mariadb, ConsentRowsContract): ...
