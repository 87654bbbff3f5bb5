"""What a PostgreSQL installation can suffer, done to a real one. Each is one of our errors, the driver's its cause."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import (
    AuthflowError,
    CommitUnknown,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    Retryable,
    SchemaMissing,
    SchemaTooOld,
    UniqueViolated,
)
from authflow.ports import User
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import at_once
from authflow.values import UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANNE, BEN = UserId("anne"), UserId("ben")


@pytest.fixture
def opened(postgresql_url: str, postgresql_uow: SqlUnitOfWork) -> Iterator[Callable[..., SqlUnitOfWork]]:
    """Open units of work on the emptied database, with settings of each session, and close them all in the end."""
    engines: list[sa.Engine] = []

    def uow(*, isolation: str | None = None, prefix: str = "authflow_", **settings: str) -> SqlUnitOfWork:
        engine = make_engine(postgresql_url)
        engines.append(engine)
        for name, value in settings.items():
            sa.event.listen(engine, "connect", setting(name, value))
        if isolation is not None:
            engine = engine.execution_options(isolation_level=isolation)
            engines.append(engine)
        return SqlUnitOfWork(engine, build(prefix=prefix))

    yield uow
    for engine in engines:
        engine.dispose()


def setting(name: str, value: str) -> Callable[[Any, object], None]:
    def set_it(connection: Any, _record: object) -> None:
        connection.execute(f"SET {name} = {value}")
        connection.commit()

    return set_it


@contextmanager
def refused(kind: type[AuthflowError]) -> Iterator[None]:
    """The block raises exactly *kind*, with the driver's error as the cause, and quotes nothing of it."""
    with pytest.raises(AuthflowError) as raised:
        yield
    assert type(raised.value) is kind
    assert isinstance(raised.value.__cause__, psycopg.Error)
    assert "INSERT" not in str(raised.value)


def write(uow: SqlUnitOfWork, *, label: str = "anne") -> None:
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label=label))


def kill(tx: Any, by: SqlUnitOfWork) -> None:
    """End the session of *tx* from the server's side, and wait until it is gone."""
    end(by, tx.connection.raw.info.backend_pid)


def end(by: SqlUnitOfWork, pid: int) -> None:
    with by.begin() as other:
        ended = other.connection.run(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        assert ended.scalar_one() is True


# --- connections


def test_a_session_that_was_ended(opened: Callable[..., SqlUnitOfWork]):
    uow, admin = opened(), opened()
    with refused(DatabaseUnavailable), uow.begin() as tx:
        kill(tx, admin)
        tx.users.get(ANNE)
    write(uow)


def test_a_session_that_was_ended_before_its_commit(opened: Callable[..., SqlUnitOfWork]):
    """Whoever sent it cannot know whether the server came to read it."""
    uow, admin = opened(), opened()
    with refused(CommitUnknown), uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        kill(tx, admin)
    write(uow)


def test_a_session_that_was_ended_inside_a_savepoint(opened: Callable[..., SqlUnitOfWork]):
    """The loss cannot be passed over: what follows does not begin a second transaction."""
    uow, admin = opened(), opened()
    with pytest.raises(DatabaseError), uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        with suppress(DatabaseUnavailable), uow.savepoint():
            kill(tx, admin)
            tx.users.get(ANNE)
        tx.accounts.lock(BEN)
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None
        assert tx.accounts.read(BEN).epoch == 1


def test_counts_outlive_a_lost_session(opened: Callable[..., SqlUnitOfWork]):
    uow, admin = opened(), opened()
    with refused(DatabaseUnavailable), uow.begin() as tx:
        tx.attempts.count("guess", expires_at=START)
        kill(tx, admin)
        tx.users.get(ANNE)
    with uow.begin() as tx:
        assert tx.attempts.read("guess") == 1


def test_a_session_that_was_ended_in_the_pool_is_not_noticed(opened: Callable[..., SqlUnitOfWork]):
    uow, admin = opened(), opened()
    with uow.begin() as tx:
        pid = tx.connection.raw.info.backend_pid
    end(admin, pid)
    write(uow)


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/name", "postgresql:///name?host=/nowhere"])
def test_a_server_that_is_not_there(url: str):
    uow = SqlUnitOfWork(make_engine(url))
    with refused(DatabaseUnavailable):
        write(uow)


@pytest.mark.parametrize("part", [{"database": "nowhere"}, {"username": "nobody"}])
def test_a_server_that_does_not_let_us_in(postgresql_url: str, part: dict[str, str]):
    url = sa.make_url(postgresql_url).set(**part).render_as_string(hide_password=False)
    with refused(DatabaseUnavailable):
        write(SqlUnitOfWork(make_engine(url)))


def test_a_pool_that_is_used_up(postgresql_url: str, postgresql_uow: SqlUnitOfWork):
    url = sa.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    one, other = SqlUnitOfWork(engine), SqlUnitOfWork(engine)
    with one.begin(), pytest.raises(DatabaseUnavailable) as raised, other.begin():
        pytest.fail("began without a connection")
    engine.dispose()
    assert isinstance(raised.value.__cause__, sa.exc.TimeoutError)


# --- locks


def test_a_writer_who_does_not_end_is_retryable(opened: Callable[..., SqlUnitOfWork]):
    uow, other = opened(lock_timeout="1"), opened()
    with other.begin() as tx:
        tx.accounts.lock(ANNE)
        with refused(Retryable), uow.begin() as late:
            late.accounts.lock(ANNE)
    with uow.begin() as tx:
        assert tx.accounts.lock(ANNE).epoch == 1


def test_a_statement_that_takes_too_long_is_retryable(opened: Callable[..., SqlUnitOfWork]):
    uow, other = opened(statement_timeout="1"), opened()
    with other.begin() as tx:
        tx.accounts.lock(ANNE)
        with refused(Retryable), uow.begin() as late:
            late.accounts.lock(ANNE)


def test_a_deadlock_is_retryable(opened: Callable[..., SqlUnitOfWork]):
    """Of two that lock in opposite orders one is told to try again, maybe twice, and both end well when it does."""
    uow = opened(deadlock_timeout="1")
    both, told = threading.Barrier(2), list[AuthflowError]()

    def lock(number: int) -> None:
        order = (ANNE, BEN) if number == 0 else (BEN, ANNE)
        try:
            with uow.begin() as tx:
                tx.accounts.lock(order[0])
                if not told:
                    both.wait()
                tx.accounts.lock(order[1])
        except AuthflowError as error:
            told.append(error)
            raise

    at_once(lock, threads=2)
    assert {type(error) for error in told} == {Retryable}


def test_what_cannot_be_put_in_a_row_is_retryable(opened: Callable[..., SqlUnitOfWork]):
    """Two transactions each write what the other one read: at SERIALIZABLE one of them has to go."""
    one, other = opened(isolation="SERIALIZABLE"), opened(isolation="SERIALIZABLE")
    with refused(Retryable), one.begin() as first:
        first.attempts.count("guess", expires_at=START)
        with other.begin() as second:
            assert (first.users.get(ANNE), second.accounts.read(BEN).epoch) == (None, 1)
            second.users.add(User(id=ANNE, label="anne"))
        first.accounts.lock(BEN)
    with one.begin() as tx:
        assert tx.users.get(ANNE) is not None
        assert tx.attempts.read("guess") == 1


# --- what the server refuses


def test_a_read_only_database(opened: Callable[..., SqlUnitOfWork]):
    uow = opened(default_transaction_read_only="on")
    with refused(DatabaseReadOnly):
        write(uow)
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_no_tables(opened: Callable[..., SqlUnitOfWork]):
    with refused(SchemaMissing):
        write(opened(prefix="absent_"))


@pytest.mark.parametrize("change", ["DROP COLUMN name", "RENAME COLUMN name TO old_name"])
def test_a_table_without_a_column(opened: Callable[..., SqlUnitOfWork], change: str):
    uow = opened(prefix="worn_")
    uow.tables.metadata.create_all(uow.engine)
    try:
        with uow.engine.begin() as raw:
            raw.exec_driver_sql(f"ALTER TABLE worn_user {change}")
        with refused(SchemaTooOld):
            write(uow)
        with refused(SchemaTooOld), uow.begin() as tx:
            tx.users.get(ANNE)
        with refused(SchemaTooOld), uow.begin() as tx:
            tx.users.save(User(id=ANNE, label="anne"))
    finally:
        uow.tables.metadata.drop_all(uow.engine)


def test_a_commit_that_fails(opened: Callable[..., SqlUnitOfWork]):
    """Here by the host's own deferred constraint. The transaction is undone, what it counted is not."""
    uow = opened()
    table = "CREATE TEMPORARY TABLE host (a int PRIMARY KEY, b int REFERENCES host DEFERRABLE INITIALLY DEFERRED)"
    with refused(DatabaseError), uow.begin() as tx:
        tx.attempts.count("guess", expires_at=START)
        tx.users.add(User(id=ANNE, label="anne"))
        tx.connection.run(sa.text(table))
        tx.connection.run(sa.text("INSERT INTO host VALUES (1, 2)"))
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None
        assert tx.attempts.read("guess") == 1


def test_a_failed_statement_is_not_passed_over(opened: Callable[..., SqlUnitOfWork]):
    """PostgreSQL answers the COMMIT of a failed transaction with a silent ROLLBACK."""
    uow = opened()
    with pytest.raises(DatabaseError), uow.begin() as tx:
        tx.accounts.lock(BEN)
        tx.users.add(User(id=ANNE, label="anne"))
        with suppress(UniqueViolated):
            tx.users.add(User(id=ANNE, label="anne"))
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


@pytest.mark.parametrize("label", ["a\x00b", "\ud800", "a" * 255])
def test_values_that_cannot_be_stored(opened: Callable[..., SqlUnitOfWork], label: str):
    """Nothing is cut or replaced on the way."""
    uow = opened()
    with pytest.raises(DatabaseError) as raised:
        write(uow, label=label)
    assert type(raised.value) is DatabaseError
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_a_number_that_is_too_large(opened: Callable[..., SqlUnitOfWork]):
    uow = opened()
    with refused(DatabaseError), uow.begin() as tx:
        tx.accounts.save(attrs.evolve(tx.accounts.lock(ANNE), epoch=2**31))
    with uow.begin() as tx:
        assert tx.accounts.lock(ANNE).epoch == 1
