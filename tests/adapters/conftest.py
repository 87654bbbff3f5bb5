"""Hosts with tables of their own, on every database that they run on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from tests.adapters.hosts import HOSTS, Host, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACES = [
    (host, backend)
    for host in HOSTS
    for backend in ("sqlite", "postgresql", "mariadb")
    if (host, backend) != ("django", "mariadb")  # Django's own tables need another driver there
]


@pytest.fixture(scope="session")
def django_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables that Django's own migrations make; each test copies it."""
    file = tmp_path_factory.mktemp("django") / "django.sqlite3"
    migrate(sa.make_url(f"sqlite:///{file}"))
    return file


@pytest.fixture(params=PLACES, ids="-".join)
def place(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Which host on which database."""
    return request.param


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path, place: tuple[str, str]) -> Iterator[SqlUnitOfWork]:
    """An installation of ours, emptied, in the database that holds the host's tables."""
    host, backend = place
    if backend != "sqlite":
        yield request.getfixturevalue(f"{backend}_uow")
        return
    file = tmp_path / "host.sqlite3"
    if host == "django":
        shutil.copy(request.getfixturevalue("django_file"), file)
    engine, tables = make_engine(f"sqlite:///{file}"), build()
    tables.metadata.create_all(engine)
    yield SqlUnitOfWork(engine, tables)
    engine.dispose()


@pytest.fixture
def host(place: tuple[str, str], database: SqlUnitOfWork) -> Host:
    if place[0] == "django" and not sa.inspect(database.engine).has_table("auth_user"):
        migrate(database.engine.url)
    return HOSTS[place[0]](database.engine)


@pytest.fixture
def hosted_uow(host: Host, database: SqlUnitOfWork) -> SqlUnitOfWork:
    return SqlUnitOfWork(database.engine, database.tables, users=host.users, organizations=host.organizations)
