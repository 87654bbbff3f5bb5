"""On an engine that the host has made and nobody has prepared, our own transactions are safe all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from authflow.adapters.sql.engine import BUSY_TIMEOUT_MS, prepare
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import ConfigInvalid, DatabaseError
from authflow.ports import User
from authflow.testing.contracts.threads import at_once
from authflow.values import UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Made = Callable[..., SqlUnitOfWork]

ANNE = UserId("anne")

COUNT = sa.text("SELECT COUNT(*) FROM authflow_user")

STANDING = {"active": True, "administrator": False}

CHOSEN = {"isolation_level": "REPEATABLE READ"}

REPEATABLE: list[dict[str, Any]] = [{}, CHOSEN, {"execution_options": CHOSEN}]

STRICT = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"

LOCK_TIMEOUT = sa.text("SHOW lock_timeout")


def made_on(uow: SqlUnitOfWork) -> Iterator[Made]:
    engines: list[sa.Engine] = []

    def make(*, ready: bool = False, sql_mode: str = STRICT, **settings: Any) -> SqlUnitOfWork:
        if uow.engine.dialect.name == "mariadb":
            settings["connect_args"] = {"sql_mode": sql_mode}
        engines.append(sa.create_engine(uow.engine.url, **settings))
        if ready:
            prepare(engines[-1])
        return SqlUnitOfWork(engines[-1], uow.tables)

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def on_mariadb(mariadb_uow: SqlUnitOfWork) -> Iterator[Made]:
    """Make an engine as a host does."""
    yield from made_on(mariadb_uow)


@pytest.fixture
def on_postgresql(postgresql_uow: SqlUnitOfWork) -> Iterator[Made]:
    """Make an engine as a host does."""
    yield from made_on(postgresql_uow)


@pytest.mark.parametrize("settings", REPEATABLE)
def test_whoever_waited_for_a_lock_reads_what_stands_then(on_mariadb: Made, settings: dict[str, Any]):
    """At REPEATABLE READ, MariaDB's own level, the others would read what stood before they waited, and go on."""
    uow = on_mariadb(pool_size=8, **settings)
    with uow.begin() as tx:
        tx.accounts.lock(ANNE)
    seen: list[int] = []

    def command() -> None:
        with uow.begin() as tx:
            tx.users.get(ANNE)  # a snapshot would be taken here
            tx.accounts.lock(ANNE)
            found = tx.connection.run(COUNT).scalar_one()
            seen.append(found)
            tx.users.add(User(id=UserId(f"user-{found}"), label="somebody"))

    at_once(lambda _: uow.run(command), threads=6)
    assert sorted(seen) == list(range(6))


@pytest.mark.parametrize("settings", REPEATABLE)
def test_what_others_commit_is_seen(mariadb_uow: SqlUnitOfWork, on_mariadb: Made, settings: dict[str, Any]):
    uow = on_mariadb(**settings)
    with uow.begin() as tx:
        assert tx.connection.run(COUNT).scalar_one() == 0
        with mariadb_uow.engine.begin() as other:
            other.execute(sa.insert(uow.tables.shared.user), {"id": "ben", "label": "", "name": ""} | STANDING)
        assert tx.connection.run(COUNT).scalar_one() == 1


@pytest.mark.parametrize("level", ["READ COMMITTED", "SERIALIZABLE"])
@pytest.mark.parametrize("option", [True, False])
def test_a_level_that_is_safe_is_the_engines_to_choose(on_mariadb: Made, level: Any, *, option: bool):
    chosen = {"isolation_level": level}
    uow = on_mariadb(**({"execution_options": chosen} if option else chosen))
    with uow.begin() as tx:
        assert uow.engine.dialect.get_isolation_level(tx.connection.raw) == level


def test_the_hosts_own_sessions_keep_their_level(on_mariadb: Made):
    uow = on_mariadb(pool_size=1, max_overflow=0)
    with uow.begin() as tx:
        tx.users.get(ANNE)
    with uow.engine.connect() as connection:
        assert connection.get_isolation_level() == "REPEATABLE READ"


@pytest.mark.parametrize("sql_mode", ["", "NO_ENGINE_SUBSTITUTION,ANSI_QUOTES"])
def test_a_session_that_cuts_what_is_too_long_is_refused(mariadb_uow: SqlUnitOfWork, on_mariadb: Made, sql_mode: str):
    """Two names that differ after their end would become one."""
    uow = on_mariadb(sql_mode=sql_mode)
    with pytest.raises(ConfigInvalid, match="strict"), uow.begin() as tx:
        tx.users.add(User(id=UserId("x" * 100), label="somebody"))
    with mariadb_uow.begin() as tx:
        assert tx.connection.run(COUNT).scalar_one() == 0


@pytest.mark.parametrize("sql_mode", [STRICT, "STRICT_ALL_TABLES", "TRADITIONAL"])
def test_a_session_that_is_strict_refuses_what_is_too_long(on_mariadb: Made, sql_mode: str):
    uow = on_mariadb(sql_mode=sql_mode)
    with pytest.raises(DatabaseError), uow.begin() as tx:
        tx.users.add(User(id=UserId("x" * 100), label="somebody"))
    with uow.begin() as tx:
        assert tx.connection.run(COUNT).scalar_one() == 0


def test_a_prepared_engine_is_strict_whatever_its_sessions_were(on_mariadb: Made):
    uow = on_mariadb(ready=True, sql_mode="")
    with pytest.raises(DatabaseError), uow.begin() as tx:
        tx.users.add(User(id=UserId("x" * 100), label="somebody"))


def test_a_wait_for_a_lock_is_bounded(on_postgresql: Made):
    uow = on_postgresql(pool_size=1, max_overflow=0)
    with uow.begin() as tx:
        assert tx.connection.run(LOCK_TIMEOUT).scalar_one() == f"{BUSY_TIMEOUT_MS // 1000}s"
    with uow.engine.connect() as connection:
        assert connection.execute(LOCK_TIMEOUT).scalar_one() == "0"


def test_a_bound_of_the_hosts_own_stays(on_postgresql: Made):
    uow = on_postgresql(connect_args={"options": "-c lock_timeout=700"})
    with uow.begin() as tx:
        assert tx.connection.run(LOCK_TIMEOUT).scalar_one() == "700ms"


def test_a_prepared_engine_is_asked_nothing(on_postgresql: Made):
    """It is set up once for each connection, not for each transaction."""
    uow = on_postgresql(ready=True)
    with uow.begin() as tx:
        tx.connection.run(sa.text("SET lock_timeout = 0"))
        tx.connection.run(sa.text("COMMIT"))
    with uow.begin() as tx:
        assert tx.connection.run(LOCK_TIMEOUT).scalar_one() == "0"
