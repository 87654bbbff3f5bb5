"""What a command reads ahead comes with the lock of its person: as whoever held that lock has left it."""

from __future__ import annotations

from functools import partial

import pytest
import sqlalchemy as sa

from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import DatabaseUnavailable, Retryable, StaleVersion
from authflow.mfa.kinds import TOTP
from authflow.sessions.states import Device
from authflow.testing.clocks import START
from authflow.testing.contracts.factors import ADA, UNUSED
from authflow.testing.contracts.threads import THREADS, at_once
from tests.adapters.test_visits import Heard


@pytest.fixture(params=["sqlite_uow", "postgresql_uow", "mariadb_uow"])
def uow(request: pytest.FixtureRequest) -> SqlUnitOfWork:
    found: SqlUnitOfWork = request.getfixturevalue(request.param)
    return found


def test_nobody_reads_ahead_of_whoever_holds_the_lock(uow: SqlUnitOfWork):
    def turn(number: int) -> None:
        with uow.begin() as tx:
            tx.factors.ahead(ADA)
            tx.devices.ahead(ADA)
            tx.accounts.lock(ADA)
            devices, version = len(tx.devices.of_user(ADA)), tx.factors.of_user(ADA).version(TOTP.id)
            assert devices == version
            tx.factors.save(ADA, TOTP.id, UNUSED, expected=version)
            tx.devices.add(Device(user=ADA, digest=bytes([number]), created_at=START, last_used_at=START))

    at_once(turn)
    with uow.begin() as tx:
        assert tx.factors.of_user(ADA).version(TOTP.id) == len(tx.devices.of_user(ADA)) == THREADS


def test_what_is_read_ahead_and_changed_is_read_as_changed(uow: SqlUnitOfWork):
    with uow.begin() as tx:
        tx.factors.ahead(ADA)
        tx.accounts.lock(ADA)
        tx.factors.save(ADA, TOTP.id, UNUSED, expected=0)
        assert tx.factors.of_user(ADA).version(TOTP.id) == 1


def test_a_held_row_that_is_gone_is_no_silent_loss(uow: SqlUnitOfWork):
    """Whoever removed it has asked for no lock: nothing of the command is kept, and it may be tried again."""
    with uow.begin() as tx:
        tx.factors.save(ADA, TOTP.id, UNUSED, expected=0)
    with pytest.raises(Retryable), uow.begin() as tx:
        tx.accounts.lock(ADA)
        assert tx.factors.of_user(ADA).version(TOTP.id) == 1
        tx.connection.run(sa.delete(uow.tables.mfa.factor), {})
        tx.factors.save(ADA, TOTP.id, UNUSED, expected=1)
    with uow.begin() as tx:
        assert tx.factors.of_user(ADA).version(TOTP.id) == 1


def test_a_version_that_was_never_read_is_stale_under_the_lock_too(uow: SqlUnitOfWork):
    with uow.begin() as tx:
        tx.accounts.lock(ADA)
        tx.factors.of_user(ADA)
        with pytest.raises(StaleVersion):
            tx.factors.save(ADA, TOTP.id, UNUSED, expected=3)


@pytest.mark.parametrize("server", ["postgresql_uow", "mariadb_uow"])
def test_no_count_is_lost_between_a_reading_and_its_count(request: pytest.FixtureRequest, server: str):
    """What is counted again after a rollback is counted without the lock of its person (decision 7)."""
    uow: SqlUnitOfWork = request.getfixturevalue(server)
    other = SqlUnitOfWork(uow.engine, uow.tables)

    def guess() -> None:
        with uow.begin() as tx:
            tx.attempts.ahead(ADA, "guess")
            tx.accounts.lock(ADA)
            assert tx.attempts.read("guess") == 0
            with other.begin() as apart:
                assert apart.attempts.count("guess", expires_at=START) == 1
            tx.attempts.count("guess", expires_at=START)

    uow.run(guess)
    with uow.begin() as tx:
        assert tx.attempts.read("guess") == 2


def test_what_is_read_ahead_counts_on_and_is_cleared(uow: SqlUnitOfWork):
    def counted(times: int, *, cleared: bool = False) -> list[int]:
        with uow.begin() as tx:
            tx.attempts.ahead(ADA, "guess")
            tx.accounts.lock(ADA)
            totals = [tx.attempts.count("guess", expires_at=START) for _ in range(times)]
            if cleared:
                tx.attempts.clear("guess")
            return [*totals, tx.attempts.read("guess")]

    assert uow.run(lambda: counted(2)) == [1, 2, 2]
    assert uow.run(lambda: counted(1)) == [3, 3]
    assert uow.run(lambda: counted(1, cleared=True)) == [4, 0]
    assert uow.run(lambda: counted(1)) == [1, 1]


def test_totals_of_one_person_are_read_together(sqlite_uow: SqlUnitOfWork):
    with sqlite_uow.begin() as tx:
        for key in "ab":
            tx.attempts.count(key, expires_at=START)
    sqlite_uow.tap = heard = Heard()
    with sqlite_uow.begin() as tx:
        tx.attempts.ahead(ADA, "a", "b", "none")
        assert [tx.attempts.read(key) for key in ("a", "b", "none")] == [1, 1, 0]
    assert len(heard.statements) == 1


def counted(uow: SqlUnitOfWork, key: str) -> None:
    with uow.begin() as tx:
        tx.attempts.count(key, expires_at=START)


def test_totals_that_were_asked_for_say_nothing_of_others(uow: SqlUnitOfWork):
    """Two commands in one transaction: what the second counts was not on its way when the first took the lock."""

    def commands() -> tuple[int, int]:
        with uow.begin() as tx:
            tx.attempts.ahead(ADA, "first")
            tx.accounts.lock(ADA)
            tx.attempts.ahead(ADA, "second")
            tx.accounts.lock(ADA)
            return tx.attempts.read("second"), tx.attempts.count("second", expires_at=START)

    assert [uow.run(commands) for _ in range(3)] == [(0, 1), (1, 2), (2, 3)]


def test_what_is_forgiven_is_not_brought_back_by_what_was_asked_for(uow: SqlUnitOfWork):
    for key in ("forgiven", "kept"):
        uow.run(partial(counted, uow, key))
    with uow.begin() as tx:
        tx.attempts.ahead(ADA, "forgiven", "kept")
        tx.accounts.lock(ADA)
        tx.attempts.clear("forgiven")
        assert [tx.attempts.read(key) for key in ("kept", "forgiven")] == [1, 0]
        assert tx.attempts.count("forgiven", expires_at=START) == 1


FULL = """CREATE FUNCTION pg_temp.full() RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53200'; END $$"""


def test_what_the_server_refuses_with_the_commit_was_not_cut_off(postgresql_uow: SqlUnitOfWork):
    """It said no: nothing is kept but the count (decision 7), and the host is not told that nobody knows."""

    def guess() -> None:
        with postgresql_uow.begin() as tx:
            tx.connection.run(sa.text(FULL))
            tx.attempts.count("guess", expires_at=START)
            tx.connection.later(sa.text("SELECT pg_temp.full()"))

    with pytest.raises(DatabaseUnavailable):
        postgresql_uow.run(guess)
    with postgresql_uow.begin() as tx:
        assert tx.attempts.read("guess") == 1
