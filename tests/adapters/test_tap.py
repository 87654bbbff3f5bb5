"""Whoever listens hears every step, and what they raise counts as raised by the driver."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pymysql
import pytest

from authflow.adapters.sql.tap import Event, Kind
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import CommitUnknown, DatabaseError, DatabaseUnavailable, Retryable
from authflow.ports import User
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import Boom
from authflow.values import UserId

ANNE = UserId("anne@example.org")


class Recorder:
    """Writes down what it hears, and raises *fault* once, at the step that *when* names."""

    def __init__(self, when: tuple[str, Kind] | None = None, fault: BaseException | None = None) -> None:
        self.heard: list[tuple[str, Event]] = []
        self._when, self._fault = when, fault

    def before(self, event: Event) -> None:
        self._hear("before", event)

    def after(self, event: Event) -> None:
        self._hear("after", event)

    def _hear(self, side: str, event: Event) -> None:
        self.heard.append((side, event))
        if (side, event.kind) == self._when and self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault

    def events(self, side: str) -> list[Event]:
        return [event for heard, event in self.heard if heard == side]


@pytest.fixture(params=["sqlite_uow", "postgresql_uow", "mariadb_uow"])
def uow(request: pytest.FixtureRequest) -> SqlUnitOfWork:
    found: SqlUnitOfWork = request.getfixturevalue(request.param)
    return found


def lost(uow: SqlUnitOfWork) -> Exception:
    """Return what the driver raises when its server is gone."""
    gone: dict[str, Exception] = {
        "sqlite": numbered(sqlite3.OperationalError("disk I/O error"), 10),
        "postgresql": psycopg.OperationalError("server closed the connection unexpectedly"),
        "mariadb": pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query"),
    }
    return gone[uow.engine.dialect.name]


def busy(uow: SqlUnitOfWork) -> Exception:
    """Return what the driver raises when the transaction loses to another one."""
    beaten: dict[str, Exception] = {
        "sqlite": numbered(sqlite3.OperationalError("database is locked"), 5),
        "postgresql": psycopg.errors.SerializationFailure("could not serialize access"),
        "mariadb": pymysql.err.OperationalError(1213, "Deadlock found when trying to get lock"),
    }
    return beaten[uow.engine.dialect.name]


def numbered(error: Any, number: int) -> Exception:
    error.sqlite_errorcode = number
    return error


def write(uow: SqlUnitOfWork) -> None:
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))


def stands(uow: SqlUnitOfWork) -> bool:
    uow.tap = None
    with uow.begin() as tx:
        return tx.users.get(ANNE) is not None


def test_every_step_is_told_before_and_after(uow: SqlUnitOfWork):
    uow.tap = tap = Recorder()
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        with uow.savepoint():
            tx.accounts.lock(ANNE)
        with suppress(Boom), uow.savepoint():
            tx.users.remove(ANNE)
            raise Boom
    with suppress(Boom), uow.begin():
        raise Boom
    k = Kind
    saved = [k.SAVEPOINT, k.STATEMENT, k.RELEASE, k.SAVEPOINT, *[k.STATEMENT] * 3, k.ROLLBACK_TO]
    assert [event.kind for event in tap.events("before")] == [
        k.BEGIN,
        k.STATEMENT,
        *saved,
        k.COMMIT,
        k.BEGIN,
        k.ROLLBACK,
    ]
    assert tap.events("after") == tap.events("before")


def test_a_savepoint_is_sent_once_something_could_be_undone(uow: SqlUnitOfWork):
    """Whatever only reads needs none, and one that holds others is sent in front of them."""
    with uow.begin() as tx:
        uow.tap = tx.connection.guard.tap = tap = Recorder()
        with uow.savepoint(), suppress(Boom), uow.savepoint():
            tx.users.get(ANNE)
            raise Boom
        assert [event.kind for event in tap.events("before")] == [Kind.STATEMENT]
        with uow.savepoint():
            tx.users.get(ANNE)
            with uow.savepoint():
                tx.users.add(User(id=ANNE, label="anne"))
            tx.users.get(ANNE)
    sent = [event.text for event in tap.events("before") if event.kind is not Kind.STATEMENT]
    marks = [
        "SAVEPOINT authflow_0",
        "SAVEPOINT authflow_1",
        "RELEASE SAVEPOINT authflow_1",
        "RELEASE SAVEPOINT authflow_0",
    ]
    assert sent == [*marks, "COMMIT"]


def test_no_parameter_is_told_or_logged(uow: SqlUnitOfWork, caplog: pytest.LogCaptureFixture):
    uow.tap = tap = Recorder()
    with caplog.at_level(logging.DEBUG):
        write(uow)
    assert "INSERT INTO authflow_user" in caplog.text
    assert "anne" not in caplog.text + repr(tap.heard)


def test_what_is_raised_before_a_statement_keeps_it_from_being_sent(uow: SqlUnitOfWork):
    uow.tap = Recorder(("before", Kind.STATEMENT), busy(uow))
    with pytest.raises(Retryable) as raised:
        write(uow)
    assert raised.value.__cause__ is not None
    assert not stands(uow)


def test_a_statement_that_failed_fails_the_transaction(uow: SqlUnitOfWork):
    uow.tap = Recorder(("after", Kind.STATEMENT), busy(uow))
    with pytest.raises(DatabaseError) as raised, uow.begin() as tx:
        with suppress(Retryable):
            tx.users.add(User(id=ANNE, label="anne"))
        assert tx.connection.guard.failed
    assert type(raised.value) is DatabaseError
    assert not stands(uow)


def test_a_savepoint_undoes_a_statement_that_failed(uow: SqlUnitOfWork):
    uow.tap = Recorder(("after", Kind.STATEMENT), busy(uow))
    with uow.begin() as tx:
        with pytest.raises(Retryable), uow.savepoint():
            tx.users.add(User(id=ANNE, label="lost"))
        tx.users.add(User(id=ANNE, label="anne"))
    assert stands(uow)


def test_a_lost_statement_gives_the_connection_up(uow: SqlUnitOfWork):
    uow.tap = Recorder(("before", Kind.STATEMENT), lost(uow))
    with pytest.raises(DatabaseUnavailable) as raised, uow.begin() as tx:
        raw = tx.connection.raw
        tx.users.add(User(id=ANNE, label="anne"))
    assert type(raised.value) is DatabaseUnavailable
    with uow.begin() as tx:
        assert tx.connection.raw is not raw


def test_the_lost_answer_of_a_commit_leaves_it_unknown(uow: SqlUnitOfWork):
    uow.tap = Recorder(("after", Kind.COMMIT), lost(uow))
    with pytest.raises(CommitUnknown) as raised:
        write(uow)
    assert raised.value.__cause__ is not None
    assert stands(uow)


def test_a_commit_that_never_left_is_unknown_too(uow: SqlUnitOfWork):
    uow.tap = Recorder(("before", Kind.COMMIT), lost(uow))
    with pytest.raises(CommitUnknown):
        write(uow)
    assert not stands(uow)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_count_stands_or_falls_with_an_unknown_commit(uow: SqlUnitOfWork, side: str):
    """No answer was given, so nothing was learned that would have to be counted; and nothing is counted twice."""

    def guess() -> None:
        with uow.begin() as tx:
            tx.attempts.count("guess", expires_at=START + timedelta(hours=1))

    uow.tap = Recorder((side, Kind.COMMIT), lost(uow))
    with pytest.raises(CommitUnknown):
        uow.run(guess)
    uow.tap = None
    with uow.begin() as tx:
        assert tx.attempts.read("guess") == (side == "after")


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_count_stands_or_falls_with_an_interrupted_commit(uow: SqlUnitOfWork, side: str):
    """A task that is cancelled while it commits knows no more of its commit than one that was cut off."""

    def guess() -> None:
        with uow.begin() as tx:
            tx.attempts.count("guess", expires_at=START + timedelta(hours=1))

    uow.tap = Recorder((side, Kind.COMMIT), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        uow.run(guess)
    uow.tap = None
    with uow.begin() as tx:
        assert tx.attempts.read("guess") == (side == "after")


class Closing(Recorder):
    """Closes the connection once its commit was answered."""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw

    def after(self, event: Event) -> None:
        if event.kind is Kind.COMMIT:
            self._raw.close()


def test_a_connection_that_dies_after_the_commit_does_not_hide_it(uow: SqlUnitOfWork):
    strict = SqlUnitOfWork(uow.engine.execution_options(isolation_level="SERIALIZABLE"), uow.tables)
    with strict.begin() as tx:
        raw = tx.connection.raw
        tx.users.add(User(id=ANNE, label="anne"))
        tx.connection.guard.tap = Closing(raw)
    assert stands(strict)
    with strict.begin() as tx:
        assert tx.connection.raw is not raw


def test_a_commit_that_was_refused_is_not_unknown(uow: SqlUnitOfWork):
    uow.tap = Recorder(("before", Kind.COMMIT), busy(uow))
    with pytest.raises(Retryable):
        write(uow)
    assert not stands(uow)


def test_an_interrupt_in_the_middle_of_a_statement_gives_the_connection_up(uow: SqlUnitOfWork):
    uow.tap = Recorder(("after", Kind.STATEMENT), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt), uow.begin() as tx:
        raw = tx.connection.raw
        tx.users.add(User(id=ANNE, label="anne"))
    assert not stands(uow)
    with uow.begin() as tx:
        assert tx.connection.raw is not raw


def test_what_is_no_drivers_error_goes_through_as_it_is(uow: SqlUnitOfWork):
    uow.tap = Recorder(("before", Kind.STATEMENT), boom := Boom())
    with pytest.raises(Boom) as raised:
        write(uow)
    assert raised.value is boom
    assert not stands(uow)


@pytest.mark.parametrize("kind", [Kind.BEGIN, Kind.ROLLBACK, Kind.ROLLBACK_TO])
def test_a_step_that_fails_hides_no_earlier_reason(uow: SqlUnitOfWork, kind: Kind):
    uow.tap = Recorder(("before", kind), lost(uow))
    expected = DatabaseUnavailable if kind is Kind.BEGIN else Boom
    with pytest.raises(expected), uow.begin() as tx, uow.savepoint():
        tx.users.add(User(id=ANNE, label="anne"))
        raise Boom
    assert not stands(uow)
