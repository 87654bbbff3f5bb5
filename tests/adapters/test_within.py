"""Inside a host's transaction: our writes are its writes, and nothing of ours outlives its rollback."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from psycopg.rows import dict_row
from sqlalchemy import orm
from sqlalchemy.pool import NullPool

from authflow.adapters.sql.tap import Kind
from authflow.errors import (
    ConfigInvalid,
    DatabaseError,
    InUnitOfWork,
    NoTransaction,
    Retryable,
    SchemaMissing,
    UniqueViolated,
)
from authflow.ports import User
from authflow.testing.contracts.deeds import Boom
from authflow.values import UserId
from tests.adapters.test_tap import Recorder, busy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork

ANNE, BEN = UserId("anne"), UserId("ben")

HOSTS = ("connection", "session", "scoped_session", "bare")


@pytest.fixture(params=["sqlite_uow", "postgresql_uow", "mariadb_uow"])
def uow(request: pytest.FixtureRequest) -> Iterator[SqlUnitOfWork]:
    """A unit of work, in a database that also has a table of the host's."""
    found: SqlUnitOfWork = request.getfixturevalue(request.param)
    with found.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE note (text VARCHAR(40) PRIMARY KEY)")
    yield found
    found.engine.dispose()
    with found.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE note")


class Base(orm.DeclarativeBase): ...


class Note(Base):
    __tablename__ = "note"
    text: orm.Mapped[str] = orm.mapped_column(sa.String(40), primary_key=True)


def bare(uow: SqlUnitOfWork, **settings: Any) -> Any:
    """Return a connection that the host has opened by itself, in its driver's own default mode."""
    url, connect = uow.engine.url, uow.engine.dialect.loaded_dbapi.connect
    if uow.engine.dialect.name == "sqlite":
        return connect(str(url.database), **settings)
    if uow.engine.dialect.name == "postgresql":
        return connect(url.set(drivername="postgresql").render_as_string(hide_password=False), **settings)
    given = {"unix_socket": url.query["unix_socket"], "user": url.username, "database": url.database}
    return connect(**{**given, **settings})


class Host:
    """A host on one connection: it writes notes, and commits or rolls back as it likes."""

    def __init__(self, lent: Any, write: Callable[[str], object]) -> None:
        self.lent, self.write = lent, write
        self.commit, self.rollback = lent.commit, lent.rollback


@contextmanager
def hosted(uow: SqlUnitOfWork, kind: str) -> Iterator[Host]:
    """Open a host of that *kind*. Its engine is its own, and nobody has prepared it for us."""
    insert = "INSERT INTO note VALUES ('{}')"
    if kind == "bare":
        with closing(bare(uow)) as raw, closing(raw.cursor()) as cursor:
            yield Host(raw, lambda text: cursor.execute(insert.format(text)))
        return
    engine = sa.create_engine(uow.engine.url, poolclass=NullPool)
    if kind == "connection":
        with engine.connect() as connection:
            yield Host(connection, lambda text: connection.exec_driver_sql(insert.format(text)))
    elif kind == "session":
        with orm.Session(engine) as session:
            yield Host(session, lambda text: session.add(Note(text=text)))
    else:
        sessions = orm.scoped_session(orm.sessionmaker(engine))
        yield Host(sessions, lambda text: sessions.add(Note(text=text)))
        sessions.remove()


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, uow: SqlUnitOfWork) -> Iterator[Host]:
    with hosted(uow, request.param) as opened:
        yield opened


def add(uow: SqlUnitOfWork, user: UserId = ANNE) -> None:
    with uow.begin() as tx:
        tx.users.add(User(id=user, label="somebody"))


def standing(uow: SqlUnitOfWork) -> tuple[set[str], set[str]]:
    """Return who stands, and which notes do, as another connection sees it."""
    with uow.engine.connect() as connection:
        users = connection.execute(sa.select(uow.tables.shared.user.c.id)).scalars().all()
        notes = connection.exec_driver_sql("SELECT text FROM note").scalars().all()
    return set(users), set(notes)


# --- whose transaction it is


def test_the_hosts_commit_is_ours(uow: SqlUnitOfWork, host: Host):
    host.write("before")
    with uow.within(host.lent):
        uow.run(lambda: add(uow))
    host.write("after")
    if uow.engine.dialect.name != "sqlite":
        assert standing(uow) == (set(), set())
    host.commit()
    assert standing(uow) == ({ANNE}, {"before", "after"})


def test_the_hosts_rollback_is_ours(uow: SqlUnitOfWork, host: Host):
    host.write("before")
    with uow.within(host.lent):
        uow.run(lambda: add(uow))
    host.rollback()
    assert standing(uow) == (set(), set())


def test_the_hosts_rollback_is_ours_where_we_came_first(uow: SqlUnitOfWork, host: Host):
    """A savepoint outside of a transaction would be a transaction of its own on SQLite, and stay."""
    with uow.within(host.lent):
        uow.run(lambda: add(uow))
    host.rollback()
    assert standing(uow) == (set(), set())


def test_a_host_may_commit_in_between(uow: SqlUnitOfWork, host: Host):
    with uow.within(host.lent):
        add(uow, ANNE)
        host.commit()
        add(uow, BEN)
        host.rollback()
        host.write("later")
        host.commit()
    assert standing(uow) == ({ANNE}, {"later"})


def test_what_a_session_holds_back_is_sent_first(uow: SqlUnitOfWork):
    with hosted(uow, "session") as host, uow.within(host.lent):
        host.write("pending")
        with uow.begin() as tx:
            found = tx.connection.run(sa.text("SELECT text FROM note")).scalars()
    assert found == ["pending"]


@pytest.mark.parametrize("kind", ["session", "scoped_session"])
def test_what_a_session_cannot_send_is_the_hosts_own_error(uow: SqlUnitOfWork, kind: str):
    """It knows its own tables, and what to make of a duplicate there; we would call it a rule of ours."""
    with hosted(uow, kind) as host:
        host.write("twice")
        host.commit()
    with hosted(uow, kind) as host, uow.within(host.lent):
        host.write("twice")
        with pytest.raises(sa.exc.IntegrityError), uow.begin():
            pytest.fail("began without what was written before")
        host.rollback()
        add(uow)
        host.commit()
    assert standing(uow) == ({ANNE}, {"twice"})


def test_a_savepoint_of_the_hosts_holds_ours(uow: SqlUnitOfWork):
    with hosted(uow, "connection") as host:
        host.write("kept")
        nested = host.lent.begin_nested()
        with uow.within(host.lent):
            add(uow)
        nested.rollback()
        host.commit()
    assert standing(uow) == (set(), {"kept"})


# --- what fails undoes itself, and nothing else


def test_an_error_undoes_our_savepoint_only(uow: SqlUnitOfWork, host: Host):
    host.write("before")
    with uow.within(host.lent):
        add(uow, ANNE)
        with pytest.raises(Boom), uow.begin() as tx:
            tx.users.add(User(id=BEN, label="ben"))
            raise Boom
    host.write("after")
    host.commit()
    assert standing(uow) == ({ANNE}, {"before", "after"})


def test_a_refused_statement_leaves_the_host_its_connection(uow: SqlUnitOfWork, host: Host):
    host.write("before")
    with uow.within(host.lent):
        add(uow)
        with pytest.raises(UniqueViolated):
            add(uow)
    host.write("after")
    host.commit()
    assert standing(uow) == ({ANNE}, {"before", "after"})


def test_a_rule_caught_elsewhere_does_not_reach_the_host(uow: SqlUnitOfWork, host: Host):
    """As in a transaction of ours: leaving the block raises, and undoes what it wrote."""
    with uow.within(host.lent):
        add(uow)
        with pytest.raises(DatabaseError), uow.begin() as tx:
            tx.users.add(User(id=BEN, label="ben"))
            with suppress(UniqueViolated):
                tx.users.add(User(id=ANNE, label="again"))
    host.write("after")
    host.commit()
    assert standing(uow) == ({ANNE}, {"after"})


def test_savepoints_nest(uow: SqlUnitOfWork, host: Host):
    with uow.within(host.lent), uow.begin():
        add(uow, ANNE)
        with suppress(Boom), uow.savepoint():
            add(uow, BEN)
            raise Boom
    host.commit()
    assert standing(uow) == ({ANNE}, set())


def test_nothing_is_tried_again(uow: SqlUnitOfWork, host: Host):
    """The host's own part would be missing: it gets the error, and does everything again."""
    tries: list[int] = []

    def command() -> None:
        tries.append(1)
        add(uow)
        raise Retryable

    with uow.within(host.lent), pytest.raises(Retryable):
        uow.run(command)
    host.write("after")
    host.commit()
    assert (len(tries), standing(uow)) == (1, (set(), {"after"}))


def test_a_drivers_error_is_ours(uow: SqlUnitOfWork, host: Host):
    uow.tap = Recorder(("before", Kind.STATEMENT), busy(uow))
    with uow.within(host.lent), pytest.raises(Retryable):
        uow.run(lambda: add(uow))
    host.write("after")
    host.commit()
    assert standing(uow) == (set(), {"after"})


def test_only_savepoints_are_sent(uow: SqlUnitOfWork, host: Host):
    host.write("before")
    with uow.within(host.lent):
        uow.tap = tap = Recorder()
        add(uow)
        with suppress(Boom), uow.begin() as tx:
            tx.users.remove(ANNE)
            raise Boom
    kinds = {event.kind for event in tap.events("before")}
    own_begin = {Kind.BEGIN} if uow.engine.dialect.name == "sqlite" and "session" in str(type(host.lent)) else set()
    assert kinds - own_begin == {Kind.SAVEPOINT, Kind.STATEMENT, Kind.RELEASE, Kind.ROLLBACK_TO}
    host.rollback()


# --- who sees it


def test_outside_of_the_block_transactions_are_our_own(uow: SqlUnitOfWork, host: Host):
    with uow.within(host.lent):
        pass
    uow.run(lambda: add(uow))
    assert standing(uow) == ({ANNE}, set())


def test_another_thread_does_not_see_it(uow: SqlUnitOfWork):
    with hosted(uow, "bare") as host, uow.within(host.lent):
        other = threading.Thread(target=lambda: uow.run(lambda: add(uow)))
        other.start()
        other.join()
        host.rollback()
    assert standing(uow) == ({ANNE}, set())


@pytest.mark.parametrize("uow", ["postgresql_uow", "mariadb_uow"], indirect=True)
def test_blocks_nest(uow: SqlUnitOfWork):
    """On SQLite the second host would wait for the first one."""
    with hosted(uow, "bare") as outer, hosted(uow, "bare") as inner, uow.within(outer.lent):
        with uow.within(inner.lent):
            add(uow, ANNE)
        add(uow, BEN)
        inner.rollback()
        outer.commit()
    assert standing(uow) == ({BEN}, set())


def test_a_transaction_of_ours_shares_nothing(uow: SqlUnitOfWork, host: Host):
    with uow.begin(), pytest.raises(InUnitOfWork), uow.within(host.lent):
        pytest.fail("changed the connection under an open transaction")


def test_a_hosts_transaction_is_not_closed(uow: SqlUnitOfWork, host: Host):
    with uow.within(host.lent):
        with pytest.raises(InUnitOfWork):
            uow.require_closed()
        add(uow)
        with pytest.raises(InUnitOfWork):
            uow.require_closed()
    uow.require_closed()


# --- what cannot be shared


def test_a_connection_that_commits_by_itself_is_refused(uow: SqlUnitOfWork):
    mode: dict[str, dict[str, Any]] = {
        "sqlite": {"isolation_level": None},
        "postgresql": {"autocommit": True},
        "mariadb": {"autocommit": True},
    }
    with closing(bare(uow, **mode[uow.engine.dialect.name])) as raw, uow.within(raw):
        for attempt in (uow.begin, lambda: uow.run(lambda: pytest.fail("began"))):
            with pytest.raises(NoTransaction):
                attempt().__enter__()
        begin_by_hand(raw)
        add(uow)
        raw.rollback()
        begin_by_hand(raw)
        add(uow, BEN)
        raw.commit()
    assert standing(uow) == ({BEN}, set())


def begin_by_hand(raw: Any) -> None:
    cursor = raw.cursor()
    cursor.execute("BEGIN")
    cursor.close()


def test_a_sqlalchemy_connection_that_commits_by_itself_is_refused(uow: SqlUnitOfWork):
    engine = sa.create_engine(uow.engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection, uow.within(connection), pytest.raises(NoTransaction), uow.begin():
        pytest.fail("began")


def test_another_kind_of_database_is_refused(uow: SqlUnitOfWork, tmp_path: Any):
    sqlite = uow.engine.dialect.name == "sqlite"
    url = "postgresql+psycopg://host/name" if sqlite else f"sqlite:///{tmp_path / 'other.db'}"
    session = orm.Session(sa.create_engine(url))
    with pytest.raises(ConfigInvalid) as raised, uow.within(session), uow.begin():
        pytest.fail("began")
    assert raised.value.setting == "host"


def test_a_session_of_no_database_is_refused(uow: SqlUnitOfWork):
    with uow.within(orm.Session()), pytest.raises(ConfigInvalid), uow.begin():
        pytest.fail("began")


def test_an_asynchronous_driver_is_no_bare_connection(uow: SqlUnitOfWork):
    class AsyncConnection(psycopg.AsyncConnection[Any]):
        def __init__(self) -> None:
            self._closed = True

        def __del__(self) -> None: ...

    with pytest.raises(ConfigInvalid), uow.within(AsyncConnection()):
        pytest.fail("shared what nobody can wait for")


# --- what a host has made of its connection


def test_rows_are_read_whatever_the_host_makes_of_its_own(uow: SqlUnitOfWork):
    settings: dict[str, dict[str, Any]] = {
        "sqlite": {},
        "postgresql": {"row_factory": dict_row},
        "mariadb": {"cursorclass": pymysql.cursors.DictCursor},
    }
    with closing(bare(uow, **settings[uow.engine.dialect.name])) as raw:
        if uow.engine.dialect.name == "sqlite":
            raw.row_factory = lambda cursor, row: {
                name[0]: value for name, value in zip(cursor.description, row, strict=True)
            }
        with uow.within(raw), uow.begin() as tx:
            tx.users.add(User(id=ANNE, label="anne"))
            assert tx.users.get(ANNE) == User(id=ANNE, label="anne")
        raw.rollback()


@pytest.mark.parametrize("uow", ["sqlite_uow"], indirect=True)
def test_a_host_without_our_tables_is_told(uow: SqlUnitOfWork, tmp_path: Any):
    with closing(sqlite3.connect(tmp_path / "empty.db")) as raw, uow.within(raw), pytest.raises(SchemaMissing):
        add(uow)
