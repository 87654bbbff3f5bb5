"""Django's database as ours: what its settings say in a URL, and its transaction on PostgreSQL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
import sqlalchemy as sa
from django.db import connections, transaction

from authflow import Authflow, ConfigInvalid, Context, KeyRing
from authflow.adapters.sql import schema
from authflow.adapters.sql.tables import build
from authflow.testing import SeededEntropy, add_organization, add_user
from tests.empty import empty_database
from tests.integrations.django_host import FILE  # configures Django, which is global

from authflow.integrations.django.database import atomic, database_url  # isort: skip  # settings first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BACKENDS = "django.db.backends"


@pytest.fixture
def configured() -> Iterator[Callable[..., str]]:
    """Return what adds a database to Django's settings, and returns its alias."""

    def add(engine: str, **settings: Any) -> str:
        connections.settings["other"] = {
            **connections.settings["default"],
            **dict.fromkeys(("USER", "PASSWORD", "HOST", "PORT"), ""),
            "NAME": "app",
            "OPTIONS": {},
            "ENGINE": f"{BACKENDS}.{engine}",
            **settings,
        }
        return "other"

    yield add
    if "other" in connections.settings:
        connections["other"].close()
        del connections["other"], connections.settings["other"]


@pytest.fixture
def mysql(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyMySQL stand in for the driver that Django imports."""
    for name in ("", ".constants", ".converters"):
        monkeypatch.setitem(sys.modules, f"MySQLdb{name}", sys.modules[f"pymysql{name}"])
    monkeypatch.setattr(pymysql, "version_info", (2, 2, 7, "final", 0))


def test_a_file_is_a_file():
    assert database_url() == f"sqlite:///{FILE}"


def test_a_server_is_told_as_it_is(configured: Callable[..., str]):
    alias = configured(
        "postgresql",
        NAME="app/1",
        USER="me@here",
        PASSWORD="p:/@ss %",
        HOST="db.example",
        PORT="5433",
        OPTIONS={"sslmode": "verify-full", "connect_timeout": 5, "pool": True, "server_side_binding": True},
    )
    read = sa.make_url(database_url(alias))
    assert (read.database, read.username, read.password) == ("app/1", "me@here", "p:/@ss %")
    assert (read.host, read.port) == ("db.example", 5433)
    assert dict(read.query) == {"sslmode": "verify-full", "connect_timeout": "5"}


@pytest.mark.parametrize(("host", "port"), [("", ""), ("db", ""), ("::1", 5433), ("/run/postgresql", "")])
def test_a_server_without_a_user_is_a_url_too(configured: Callable[..., str], host: str, port: str | int):
    read = sa.make_url(database_url(configured("postgresql", HOST=host, PORT=port)))
    assert (read.host or read.query.get("host", ""), read.port, read.username) == (host, port or None, None)


@pytest.mark.usefixtures("mysql")
def test_mysql_means_mariadb(configured: Callable[..., str]):
    alias = configured("mysql", USER="me", HOST="/run/db.sock", OPTIONS={"charset": "utf8mb4"})
    read = sa.make_url(database_url(alias))
    assert (read.get_backend_name(), read.query["unix_socket"]) == ("mariadb", "/run/db.sock")


@pytest.mark.usefixtures("mysql")
def test_an_option_that_no_url_can_say_is_refused(configured: Callable[..., str]):
    alias = configured("mysql", OPTIONS={"ssl": {"ca": "/ca.pem"}})
    with pytest.raises(ConfigInvalid, match="ssl"):
        database_url(alias)


def test_an_option_that_is_no_text_is_refused(configured: Callable[..., str]):
    with pytest.raises(ConfigInvalid, match="context"):
        database_url(configured("postgresql", OPTIONS={"context": object()}))


@pytest.mark.parametrize("name", [":memory:", "file:memorydb_default?mode=memory&cache=shared"])
def test_a_database_in_memory_is_refused(configured: Callable[..., str], name: str):
    with pytest.raises(ConfigInvalid, match="TEST NAME"):
        database_url(configured("sqlite3", NAME=name))


def test_a_database_that_we_do_not_know_is_refused(configured: Callable[..., str], monkeypatch: pytest.MonkeyPatch):
    alias = configured("sqlite3")
    monkeypatch.setattr(connections[alias], "vendor", "oracle")
    with pytest.raises(ConfigInvalid, match="oracle"):
        database_url(alias)


def test_on_postgresql_ours_goes_with_djangos(
    request: pytest.FixtureRequest, configured: Callable[..., str], tmp_path: Path
):
    with empty_database(request, "postgresql", tmp_path) as engine:
        schema.upgrade(engine, build())
        url = engine.url
        host = str(url.host or url.query.get("host", ""))
        settings = {"NAME": url.database, "USER": url.username or "", "PASSWORD": url.password or "", "HOST": host}
        alias = configured("postgresql", PORT=url.port or "", **settings)
        flows = Authflow.open(database_url(alias), keys=KeyRing.ephemeral(SeededEntropy()))
        try:
            acme, ada = add_organization(flows, "acme"), add_user(flows, "ada@example.com")
            for kept in (False, True):
                with atomic(flows, using=alias):
                    flows.members.add(Context(), organization=acme, user=ada)
                    transaction.set_rollback(not kept, using=alias)
                with flows.uow.begin() as tx:
                    assert len(tx.members.of_user(ada)) == kept
        finally:
            flows.uow.engine.dispose()
            connections[alias].close()
