"""What a SQLite installation can suffer, done to a real one. Each is one of our errors, the driver's its cause."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import (
    AuthflowError,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    Retryable,
    SchemaMissing,
    SchemaTooOld,
)
from authflow.ports import User
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import Boom
from authflow.values import UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ANNE = UserId("anne")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / "app.db"


@pytest.fixture
def opened(file: Path) -> Iterator[Callable[..., SqlUnitOfWork]]:
    """Open units of work on *file*, with settings of each connection, and close them all in the end."""
    engines: list[sa.Engine] = []

    def uow(*pragmas: str, query: str = "", made: bool = True) -> SqlUnitOfWork:
        engine, tables = make_engine(f"sqlite:///file:{file}?uri=true{query}"), build()
        engines.append(engine)
        if made:
            tables.metadata.create_all(engine)
            engine.dispose()
        event.listen(engine, "connect", lambda raw, _: [raw.execute(f"PRAGMA {pragma}") for pragma in pragmas])
        return SqlUnitOfWork(engine, tables)

    yield uow
    for engine in engines:
        engine.dispose()


@contextmanager
def refused(kind: type[AuthflowError]) -> Iterator[None]:
    """The block raises exactly *kind*, with the driver's error as the cause, and quotes nothing of it."""
    with pytest.raises(AuthflowError) as raised:
        yield
    assert type(raised.value) is kind
    assert isinstance(raised.value.__cause__, sqlite3.Error)
    assert "INSERT" not in str(raised.value)


def write(uow: SqlUnitOfWork, *, label: str = "anne") -> None:
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label=label))


def test_a_writer_who_does_not_end_is_retryable(opened: Callable[..., SqlUnitOfWork]):
    uow, other = opened("busy_timeout = 1"), opened()
    with other.begin(), refused(Retryable):
        write(uow)
    write(uow)


def test_a_read_only_file(opened: Callable[..., SqlUnitOfWork], file: Path):
    opened()
    uow = opened(query="&mode=ro", made=False)
    with refused(DatabaseReadOnly):
        write(uow)
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_a_file_that_is_no_database(opened: Callable[..., SqlUnitOfWork], file: Path):
    file.write_text("Dear diary, " * 1000)
    with refused(DatabaseUnavailable):
        write(opened(made=False))


def test_a_database_with_broken_pages(opened: Callable[..., SqlUnitOfWork], file: Path):
    uow = opened()
    size = file.stat().st_size
    with file.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * (size - 4096))
    with refused(DatabaseUnavailable):
        write(uow)


def test_a_folder_that_was_never_there(opened: Callable[..., SqlUnitOfWork], file: Path):
    file.parent.rmdir()
    with refused(DatabaseUnavailable):
        write(opened(made=False))


def test_a_folder_that_is_gone(opened: Callable[..., SqlUnitOfWork], file: Path):
    uow = opened()
    shutil.rmtree(file.parent)
    with refused(DatabaseUnavailable):
        write(uow)


def test_no_tables(opened: Callable[..., SqlUnitOfWork]):
    with refused(SchemaMissing):
        write(opened(made=False))


@pytest.mark.parametrize("change", ["DROP COLUMN name", "RENAME COLUMN name TO old_name"])
def test_a_table_without_a_column(opened: Callable[..., SqlUnitOfWork], file: Path, change: str):
    uow = opened()
    with closing(sqlite3.connect(file)) as raw:
        raw.execute(f"ALTER TABLE authflow_user {change}")
    with refused(SchemaTooOld):
        write(uow)
    with refused(SchemaTooOld), uow.begin() as tx:
        tx.users.get(ANNE)
    with refused(SchemaTooOld), uow.begin() as tx:
        tx.users.save(User(id=ANNE, label="anne"))


def test_a_full_disk(opened: Callable[..., SqlUnitOfWork]):
    uow = opened("max_page_count = 1")  # SQLite never goes below what is used already
    with refused(DatabaseReadOnly):
        write(uow, label="a" * 100_000)
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_nothing_is_written_behind_a_full_disk(opened: Callable[..., SqlUnitOfWork]):
    """SQLite has ended the transaction by itself; what followed would be written at once, outside of any."""
    uow = opened("max_page_count = 1")
    with pytest.raises(DatabaseError), uow.begin() as tx:
        with suppress(DatabaseReadOnly), uow.savepoint():
            tx.users.add(User(id=UserId("ben"), label="a" * 100_000))
        tx.users.add(User(id=ANNE, label="anne"))
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


@pytest.fixture
def unlawful(opened: Callable[..., SqlUnitOfWork], file: Path) -> SqlUnitOfWork:
    """A database in which the host's own table makes every COMMIT fail."""
    uow = opened()
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("CREATE TABLE host (a PRIMARY KEY, b REFERENCES host (a) DEFERRABLE INITIALLY DEFERRED)")
        raw.execute("CREATE TRIGGER t AFTER INSERT ON authflow_user BEGIN INSERT INTO host VALUES (1, 2); END")
        raw.commit()
    return uow


def test_a_commit_that_fails(unlawful: SqlUnitOfWork):
    with refused(DatabaseError):
        write(unlawful)
    with unlawful.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_counts_outlive_a_commit_that_fails(unlawful: SqlUnitOfWork):
    with refused(DatabaseError), unlawful.begin() as tx:
        tx.attempts.count("guess", expires_at=START)
        tx.users.add(User(id=ANNE, label="anne"))
    with unlawful.begin() as tx:
        assert tx.attempts.read("guess") == 1


def test_counts_that_cannot_be_repeated_are_an_error(opened: Callable[..., SqlUnitOfWork], file: Path):
    """It fails closed: whoever asked is told of the database, not of the guess."""
    uow = opened("busy_timeout = 1")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        event.listen(uow.engine, "checkin", lambda *_: other.execute("BEGIN IMMEDIATE"), once=True)
        with refused(Retryable), uow.begin() as tx:
            tx.attempts.count("guess", expires_at=START)
            raise Boom


@pytest.mark.parametrize("value", ["\ud800", 2**70])
def test_values_that_the_driver_cannot_write(opened: Callable[..., SqlUnitOfWork], value: Any):
    with pytest.raises(DatabaseError) as raised:
        write(opened(), label=value)
    assert type(raised.value) is DatabaseError
    assert isinstance(raised.value.__cause__, UnicodeError | OverflowError)


def test_what_the_host_raises_in_the_block_is_its_own(opened: Callable[..., SqlUnitOfWork]):
    """Only our statements, BEGIN and COMMIT are translated: a host catches its own errors as it always did."""
    uow = opened()
    with pytest.raises(sqlite3.OperationalError), uow.begin() as tx:
        tx.connection.raw.execute("SELECT * FROM hosts")
    with pytest.raises(sa.exc.NoSuchTableError), uow.begin(), uow.savepoint():
        raise sa.exc.NoSuchTableError


def test_an_account_is_untouched_by_a_fault(opened: Callable[..., SqlUnitOfWork]):
    uow = opened()
    with uow.begin() as tx:
        tx.accounts.save(attrs.evolve(tx.accounts.lock(ANNE), epoch=7))
    with suppress(DatabaseError), uow.begin() as tx:
        tx.accounts.save(attrs.evolve(tx.accounts.lock(ANNE), epoch=8))
        tx.accounts.save(attrs.evolve(tx.accounts.lock(ANNE), epoch=2**70))
    with uow.begin() as tx:
        assert tx.accounts.lock(ANNE).epoch == 7
