from __future__ import annotations

import re
import sqlite3
import sys
import traceback
from typing import TYPE_CHECKING, Any, cast

import pytest
import sqlalchemy as sa

from authflow.adapters.sql.asynchronous import async_engine_of, make_async_engine
from authflow.adapters.sql.engine import BUSY_TIMEOUT_MS, ENGINES, engine_of, make_engine
from authflow.errors import ConfigInvalid, ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.db",
        "mssql://host/name",
        "postgres://host/name",
        "oracle://host",
        "postgresql://host:many/name",
        "postgresql://[::1/name",
        "sqlite://host/app.db",
        "sqlite:///app.db?timeout=soon",
        "sqlite://",
        "sqlite:///:memory:",
        None,
        5,
    ],
)
def test_a_bad_url_is_a_bad_setting(url: Any):
    with pytest.raises(ConfigInvalid) as raised:
        make_engine(url)
    assert raised.value.setting == "database"


@pytest.mark.parametrize("url", ["postgresql://me:se:cret@h:o/name", "sqlite://me:secret@host/x"])
def test_a_bad_url_does_not_tell_its_password(url: str):
    with pytest.raises(ConfigInvalid) as raised:
        make_engine(url)
    assert "cret" not in "".join(traceback.format_exception(raised.value))


def test_a_missing_driver_is_an_extra_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ExtraMissing) as raised:
        make_engine("postgresql://host/name")
    assert raised.value.extra == "postgres"


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_missing_asynchronous_driver_is_an_extra_to_install(monkeypatch: pytest.MonkeyPatch, driver: str):
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ExtraMissing) as raised:
        make_async_engine(f"postgresql+{driver}://host/name")
    assert raised.value.extra == {"psycopg": "postgres", "asyncpg": "asyncio"}[driver]


@pytest.mark.parametrize(
    ("scheme", "supported"),
    [
        ("postgresql+psycopg2", "postgresql+psycopg"),
        ("postgresql+pg8000", "postgresql+psycopg"),
        ("mysql+mysqldb", "mariadb+pymysql"),
        ("mariadb+mariadbconnector", "mariadb+pymysql"),
        ("sqlite+pysqlcipher", "sqlite+pysqlite"),
    ],
)
def test_another_driver_is_refused_and_not_replaced(scheme: str, supported: str):
    """Its options would mean something else; SQLCipher's file could not even be read."""
    with pytest.raises(ConfigInvalid, match=re.escape(supported)):
        make_engine(f"{scheme}://me:secret@host/name")


def test_an_engine_on_another_driver_is_refused_with_those_that_serve():
    """SQLAlchemy takes a database that is called ``mysql`` for another dialect than MariaDB."""
    with pytest.raises(ConfigInvalid, match=re.escape("mysql+pymysql")) as raised:
        engine_of(sa.create_engine("mysql+pymysql://host/name"))
    assert [name for name in ENGINES if name not in str(raised.value)] == []


@pytest.mark.parametrize("given", [None, 5, b"sqlite:///app.db", sqlite3])
def test_what_is_no_engine_is_refused(given: Any):
    for take in (engine_of, async_engine_of):
        with pytest.raises(ConfigInvalid, match="must be a URL or"):
            take(given)


def test_each_face_takes_an_engine_of_its_own(tmp_path: Path):
    engine = make_async_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(ConfigInvalid, match="AsyncAuthflow takes"):
        engine_of(cast("sa.Engine", engine))
    with pytest.raises(ConfigInvalid, match="AsyncEngine"):
        async_engine_of(cast("Any", engine.sync_engine))


@pytest.mark.parametrize("make", [make_engine, make_async_engine])
@pytest.mark.parametrize("scheme", ["postgres", "postgres+asyncpg"])
def test_the_old_name_of_postgresql_is_refused_with_the_new_one(make: Callable[[str], object], scheme: str):
    with pytest.raises(ConfigInvalid, match="say postgresql://"):
        make(f"{scheme}://me:secret@host/name")


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgresql+psycopg", "postgresql+asyncpg", "postgresql+psycopg_async"]
)
def test_postgresql_is_driven_by_psycopg(scheme: str):
    """The async face's URL serves here too: an application has one, and the command line is given it."""
    assert make_engine(f"{scheme}://host/name").url.drivername == "postgresql+psycopg"


@pytest.mark.parametrize("scheme", ["postgresql+psycopg2", "postgresql+pg8000", "sqlite+pysqlite"])
def test_a_driver_that_would_block_is_refused(scheme: str):
    """Whether it is installed or not: no extra would help."""
    with pytest.raises(ConfigInvalid, match="asynchronous driver"):
        make_async_engine(f"{scheme}:///app.db")


def test_sqlite_is_durable_and_waits(tmp_path: Path):
    engine = make_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        said = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS]
    engine.dispose()
    assert dict(zip(PRAGMAS, said, strict=True)) == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_TIMEOUT_MS}


def test_every_sqlite_transaction_begins_as_a_writer(tmp_path: Path):
    """So none of them fails half-way because it read first and another one wrote."""
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection, engine.connect() as other:
        other.exec_driver_sql("PRAGMA busy_timeout = 0")
        other.commit()
        connection.begin()
        with pytest.raises(sa.exc.OperationalError, match="database is locked"):
            other.begin()
    engine.dispose()


def test_postgresql_waits_no_longer_than_sqlite(postgresql_url: str):
    engine = make_engine(postgresql_url)
    for _ in range(2):  # a rollback keeps it
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == f"{BUSY_TIMEOUT_MS // 1000}s"
    engine.dispose()


def test_parameters_stay_out_of_errors(tmp_path: Path):
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    parameters = {"who": "anne@example.org"}
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError) as raised:
        connection.execute(sa.text("INSERT INTO missing VALUES (:who)"), parameters)
    engine.dispose()
    assert "anne" not in "".join(traceback.format_exception(raised.value))
