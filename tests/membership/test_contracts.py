"""The stores of membership keep their contracts in memory, SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from authflow.membership.offer import expired
from authflow.testing.contracts.members import ConsentRowsContract, MemberRowsContract
from authflow.testing.contracts.membership import ACME, INSTANT, InvitationRowsContract, accepted, pending
from authflow.values import InvitationId


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


def test_a_row_without_an_end_reads_as_expired(sqlite_uow: Any):
    """An absent expiry is an expired one (decision 12): no such token opens anything, and a sweep takes it."""
    with sqlite_uow.begin() as tx:
        tx.invitations.save(ACME, InvitationId("i1"), pending(), expected=0)
        tx.connection.run(sa.update(sqlite_uow.tables.membership.invitation).values(expires_at=None))
    with sqlite_uow.begin() as tx:
        endless = tx.invitations.load(ACME, InvitationId("i1")).state
        assert expired(endless, INSTANT)
        assert not tx.invitations.accept(endless, accepted(endless), INSTANT)
        assert tx.invitations.remove_over(INSTANT) == 1


class TestMemoryMembers(Memory, MemberRowsContract): ...


class TestSqliteMembers(Sqlite, MemberRowsContract): ...


class TestPostgresqlMembers(Postgresql, MemberRowsContract): ...


class TestMariadbMembers(Mariadb, MemberRowsContract): ...


class TestMemoryConsents(Memory, ConsentRowsContract): ...


class TestSqliteConsents(Sqlite, ConsentRowsContract): ...


class TestPostgresqlConsents(Postgresql, ConsentRowsContract): ...


class TestMariadbConsents(Mariadb, ConsentRowsContract): ...
