"""Django's database as ours: what its settings say in a URL, and its transaction on a server."""

from __future__ import annotations

import sys
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import attrs
import pymysql
import pytest
import sqlalchemy as sa
from django.db import IntegrityError, connections, transaction

from authflow import Authflow, ConfigInvalid, Context, KeyRing, Method, Proof
from authflow.adapters.sql import schema
from authflow.adapters.sql.tables import build
from authflow.errors import UniqueViolated
from authflow.ports import User
from authflow.testing import ManualClock, SeededEntropy, add_organization, add_user
from authflow.testing.browsers import Browser, Phone
from tests.empty import empty_database
from tests.integrations.django_host import FILE  # configures Django, which is global
from tests.integrations.django_settings import settings_of

from authflow.integrations.django.database import atomic, database_url  # isort: skip  # settings first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from authflow.values import UserId

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
    """Let PyMySQL stand in for mysqlclient where it is not installed: nothing connects."""
    if find_spec("MySQLdb") is not None:
        return
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


# --- Django's transaction on a server


@attrs.frozen(kw_only=True)
class Served:
    """An installation in a server's database, which Django's settings know as *alias* and which has a table `note`."""

    flows: Authflow
    alias: str

    def note(self, text: str) -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute("INSERT INTO note VALUES (%s)", [text])

    def standing(self, user: UserId) -> tuple[int, list[str]]:
        """Return of how many organizations *user* is a member, and the notes, as other connections see them."""
        with self.flows.uow.begin() as tx:
            members = len(tx.members.of_user(user))
            return members, [*tx.connection.run(sa.text("SELECT text FROM note ORDER BY text")).scalars()]


@pytest.fixture(params=["postgresql", "mariadb"])
def served(request: pytest.FixtureRequest, configured: Callable[..., str], tmp_path: Path) -> Iterator[Served]:
    with empty_database(request, request.param, tmp_path) as engine:
        alias = configured("dummy", **settings_of(engine.url))
        schema.upgrade(engine, build())
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE note (text VARCHAR(40) PRIMARY KEY)")
        keys, clock = KeyRing.ephemeral(SeededEntropy()), ManualClock()
        with closing(Authflow.open(database_url(alias), keys=keys, clock=clock)) as flows:
            yield Served(flows=flows, alias=alias)
        connections[alias].close()


@pytest.mark.parametrize("kept", [False, True])
def test_ours_goes_with_djangos(served: Served, *, kept: bool):
    flows, alias = served.flows, served.alias
    acme, ada = add_organization(flows, "acme"), add_user(flows, "ada@example.com")
    with atomic(flows, using=alias):
        served.note("before")
        flows.members.add(Context(), organization=acme, user=ada)
        served.note("after")
        transaction.set_rollback(not kept, using=alias)
    assert served.standing(ada) == ((1, ["after", "before"]) if kept else (0, []))


def test_an_error_of_djangos_undoes_ours(served: Served):
    flows = served.flows
    acme, ada = add_organization(flows, "acme"), add_user(flows, "ada@example.com")
    with pytest.raises(IntegrityError), atomic(flows, using=served.alias):
        flows.members.add(Context(), organization=acme, user=ada)
        served.note("twice")
        served.note("twice")
    assert served.standing(ada) == (0, [])


def test_an_error_of_ours_leaves_django_its_transaction(served: Served):
    flows = served.flows
    ada = add_user(flows, "ada@example.com")
    with atomic(flows, using=served.alias):
        served.note("before")
        with pytest.raises(UniqueViolated), flows.uow.begin() as tx:
            tx.users.add(User(id=ada, label="again"))
        served.note("after")
    assert served.standing(ada) == (0, ["after", "before"])


def test_a_savepoint_of_djangos_holds_ours(served: Served):
    flows, alias = served.flows, served.alias
    acme, ada = add_organization(flows, "acme"), add_user(flows, "ada@example.com")
    with transaction.atomic(using=alias):
        served.note("before")
        with atomic(flows, using=alias):
            flows.members.add(Context(), organization=acme, user=ada)
            transaction.set_rollback(True, using=alias)
    assert served.standing(ada) == (0, ["before"])


def test_a_guess_stays_counted_although_django_rolls_back(served: Served):
    """On a connection of its own (decision 7)."""
    flows, alias, browser = served.flows, served.alias, Browser()
    ada, now = add_user(flows, "ada@example.com"), flows.clock.now()
    proof = Proof(method=Method.PASSWORD, at=now)
    browser.ask(flows.sessions.establish, Context(), user=ada, proof=proof)
    begun = browser.ask(flows.mfa.begin_totp, Context(), account="ada")
    phone = Phone(begun.secret)
    browser.ask(flows.mfa.complete_totp, Context(), begun.flow, code=phone.code(now))
    other = Browser()
    other.ask(flows.sessions.establish, Context(), user=ada, proof=proof)
    left = []
    for _ in range(3):
        with atomic(flows, using=alias):
            answer = flows.mfa.verify(other.session, Context(), "totp", phone.wrong(now))
            transaction.set_rollback(True, using=alias)
        left.append(answer.attempts_left)
    assert left == [9, 8, 7]
