"""What a MariaDB installation can suffer, done to a real one. Each is one of our errors, the driver's its cause."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs
import pymysql
import pytest
import sqlalchemy as sa

from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import BUSY_TIMEOUT_MS, make_engine
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
from authflow.ports import Organization, User
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import at_once
from authflow.values import OrganizationId, Role, UserId
from tests.mariadb import server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.mariadb import Server

    Open = Callable[..., SqlUnitOfWork]

ANNE, BEN = UserId("anne"), UserId("ben")


@pytest.fixture
def opened(mariadb_url: str, mariadb_uow: SqlUnitOfWork) -> Iterator[Open]:
    """Open units of work on the emptied database, with settings of each session, and close them all in the end."""
    engines: list[sa.Engine] = []

    def uow(*, isolation: str | None = None, prefix: str = "authflow_", url: str = mariadb_url, **settings: str) -> Any:
        engine = make_engine(url)
        engines.append(engine)
        for name, value in settings.items():
            sa.event.listen(engine, "connect", setting(f"SET SESSION {name} = {value}"))
        if isolation is not None:
            engine = engine.execution_options(isolation_level=isolation)
            engines.append(engine)
        return SqlUnitOfWork(engine, build(prefix=prefix))

    yield uow
    for engine in engines:
        engine.dispose()


def setting(statement: str) -> Callable[[Any, object], None]:
    def set_it(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)

    return set_it


@contextmanager
def refused(kind: type[AuthflowError]) -> Iterator[None]:
    """The block raises exactly *kind*, with the driver's error as the cause, and quotes nothing of it."""
    with pytest.raises(AuthflowError) as raised:
        yield
    assert type(raised.value) is kind
    assert isinstance(raised.value.__cause__, pymysql.Error | sa.exc.DBAPIError)
    assert "INSERT" not in str(raised.value)


def write(uow: SqlUnitOfWork, *, label: str = "anne") -> None:
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label=label))


def kill(tx: Any, by: Server) -> None:
    """End the session of *tx* from the server's side, and wait until it is gone."""
    number = tx.connection.raw.thread_id()
    by.run(f"KILL CONNECTION {number}")
    while number in {row[0] for row in by.run("SHOW PROCESSLIST")}:
        time.sleep(0.01)


# --- sessions


def test_each_session_is_set_up(opened: Open):
    """READ COMMITTED, as on PostgreSQL; nothing is cut; nobody waits for hours; also after another isolation level."""
    names = ("tx_isolation", "sql_mode", "innodb_lock_wait_timeout", "lock_wait_timeout", "innodb_snapshot_isolation")
    for uow in (opened(), opened(isolation="SERIALIZABLE"), opened()):
        with uow.begin() as tx:
            asked = ", ".join(f"@@{name}" for name in (*names, "character_set_client", "collation_connection"))
            said = list(tx.connection.run(sa.text(f"SELECT {asked}")).one())
        seconds = BUSY_TIMEOUT_MS // 1000
        assert said[0] == ("SERIALIZABLE" if uow.engine.get_execution_options() else "READ-COMMITTED")
        assert "STRICT_ALL_TABLES" in said[1]
        assert said[2:] == [seconds, seconds, 1, "utf8mb4", "utf8mb4_nopad_bin"]


def test_a_session_that_was_ended(opened: Open, mariadb_server: Server):
    uow = opened()
    with refused(DatabaseUnavailable), uow.begin() as tx:
        kill(tx, mariadb_server)
        tx.users.get(ANNE)
    write(uow)


def test_a_session_that_was_ended_before_its_commit(opened: Open, mariadb_server: Server):
    """Whoever sent it cannot know whether the server came to read it."""
    uow = opened()
    with refused(CommitUnknown), uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        kill(tx, mariadb_server)
    write(uow)


def test_a_session_that_was_ended_inside_a_savepoint(opened: Open, mariadb_server: Server):
    """The loss cannot be passed over: what follows does not begin a second transaction."""
    uow = opened()
    with pytest.raises(DatabaseError), uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        with suppress(DatabaseUnavailable), uow.savepoint():
            kill(tx, mariadb_server)
            tx.users.get(ANNE)
        tx.accounts.lock(BEN)
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None
        assert tx.accounts.read(BEN).epoch == 1


def test_counts_outlive_a_lost_session(opened: Open, mariadb_server: Server):
    uow = opened()
    with refused(DatabaseUnavailable), uow.begin() as tx:
        tx.attempts.count("guess", expires_at=START)
        kill(tx, mariadb_server)
        tx.users.get(ANNE)
    with uow.begin() as tx:
        assert tx.attempts.read("guess") == 1


def test_a_session_that_was_ended_in_the_pool_is_not_noticed(opened: Open, mariadb_server: Server):
    uow = opened()
    with uow.begin() as tx:
        number = tx.connection.raw.thread_id()
    mariadb_server.run(f"KILL CONNECTION {number}")
    write(uow)


@pytest.mark.parametrize("part", [{"database": "nowhere"}, {"username": "nobody"}])
def test_a_server_that_does_not_let_us_in(opened: Open, mariadb_url: str, part: dict[str, str]):
    url = sa.make_url(mariadb_url).set(**part).render_as_string(hide_password=False)
    with refused(DatabaseUnavailable):
        write(opened(url=url))


def test_a_server_that_is_not_there(opened: Open):
    with refused(DatabaseUnavailable):
        write(opened(url="mariadb://127.0.0.1:1/name"))


# --- locks


def test_a_writer_who_does_not_end_is_retryable(opened: Open):
    """MariaDB undoes the statement only; we undo the transaction."""
    uow, other = opened(innodb_lock_wait_timeout="0"), opened()
    with other.begin() as tx:
        tx.accounts.lock(ANNE)
        with refused(Retryable), uow.begin() as late:
            late.users.add(User(id=BEN, label="ben"))
            late.accounts.lock(ANNE)
    with uow.begin() as tx:
        assert tx.accounts.lock(ANNE).epoch == 1
        assert tx.users.get(BEN) is None


def test_a_lock_that_is_not_granted_undoes_no_more_than_the_savepoint(opened: Open):
    uow, other = opened(innodb_lock_wait_timeout="0"), opened()
    with other.begin() as tx:
        tx.accounts.lock(ANNE)
        with uow.begin() as late:
            late.users.add(User(id=BEN, label="ben"))
            with suppress(Retryable), uow.savepoint():
                late.accounts.lock(ANNE)
    with uow.begin() as tx:
        assert tx.users.get(BEN) is not None


def test_a_statement_that_takes_too_long_is_retryable(opened: Open):
    uow, other = opened(max_statement_time="0.01"), opened()
    with other.begin() as tx:
        tx.accounts.lock(ANNE)
        with refused(Retryable), uow.begin() as late:
            late.accounts.lock(ANNE)


@pytest.mark.parametrize("within", ["the transaction", "a savepoint"])
def test_a_deadlock_is_retryable(opened: Open, within: str):
    """One of two that lock in opposite orders is told to try again, and both end well when it does.

    A deadlock takes the whole transaction of whom it is told, savepoints included: what came before them is undone.
    """
    uow = opened()
    both, told = threading.Barrier(2), list[AuthflowError]()

    def lock(number: int) -> None:
        order = (ANNE, BEN) if number == 0 else (BEN, ANNE)
        try:
            with uow.begin() as tx:
                tx.attempts.count("tries", expires_at=START) if told else None
                tx.accounts.lock(order[0])
                if not told:
                    both.wait()
                if within == "a savepoint":
                    with uow.savepoint():
                        tx.accounts.lock(order[1])
                else:
                    tx.accounts.lock(order[1])
        except AuthflowError as error:
            told.append(error)
            raise

    at_once(lock, threads=2)
    assert [type(error) for error in told] == [Retryable]


def test_a_row_that_changed_since_the_snapshot_is_retryable(opened: Open):
    """At REPEATABLE READ, as on PostgreSQL; MariaDB by itself would go on with what it read before."""
    one, other = opened(isolation="REPEATABLE READ"), opened()
    with other.begin() as tx:
        tx.accounts.lock(ANNE)
    with refused(Retryable), one.begin() as first:
        assert first.accounts.read(ANNE).epoch == 1
        with other.begin() as second:
            second.accounts.save(attrs.evolve(second.accounts.lock(ANNE), epoch=2))
        first.accounts.lock(ANNE)
    with one.begin() as tx:
        assert tx.accounts.lock(ANNE).epoch == 2


def test_a_lock_shows_what_was_written_while_it_was_waited_for(opened: Open):
    one, other = opened(), opened()
    with one.begin() as first:
        assert first.users.get(ANNE) is None
        with other.begin() as second:
            second.users.add(User(id=ANNE, label="anne"))
        first.accounts.lock(ANNE)
        assert first.users.get(ANNE) is not None


def test_an_update_that_changes_nothing_has_found_its_row(opened: Open):
    """Compare-and-set counts rows that matched; MariaDB counts rows that became different unless it is told."""
    uow = opened()
    account = uow.tables.shared.account
    statement = sa.update(account).where(account.c.user_id == ANNE).values(epoch=1)
    with uow.begin() as tx:
        tx.accounts.lock(ANNE)
        assert [tx.connection.changed(statement) for _ in range(2)] == [1, 1]
        assert tx.connection.changed(statement.where(account.c.epoch == 2)) == 0


# --- what the server refuses


def test_a_read_only_session(opened: Open):
    uow = opened(tx_read_only="ON")
    with refused(DatabaseReadOnly):
        write(uow)
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_a_read_only_server(opened: Open, mariadb_server: Server, mariadb_url: str):
    """As a replica is, for everybody but its administrator."""
    mariadb_server.run("CREATE USER app IDENTIFIED BY 'secret'")
    mariadb_server.run("GRANT ALL ON authflow.* TO app")
    mariadb_server.run("SET GLOBAL read_only = ON")
    try:
        url = sa.make_url(mariadb_url).set(username="app", password="secret").render_as_string(hide_password=False)
        with refused(DatabaseReadOnly):
            write(opened(url=url))
    finally:
        mariadb_server.run("SET GLOBAL read_only = OFF")
        mariadb_server.run("DROP USER app")


def test_no_tables(opened: Open):
    with refused(SchemaMissing):
        write(opened(prefix="absent_"))


@pytest.mark.parametrize("change", ["DROP COLUMN name", "RENAME COLUMN name TO old_name"])
def test_a_table_without_a_column(opened: Open, change: str):
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


def test_a_failed_statement_is_not_passed_over(opened: Open):
    """MariaDB would go on."""
    uow = opened()
    with pytest.raises(DatabaseError), uow.begin() as tx:
        tx.accounts.lock(BEN)
        tx.users.add(User(id=ANNE, label="anne"))
        with suppress(UniqueViolated):
            tx.users.add(User(id=ANNE, label="anne"))
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


@pytest.mark.parametrize("slug", ["acme", "x' for key 'PRIMARY", "PRIMARY'", "'", "ä" * 64])
def test_a_violated_rule_is_found_whatever_was_entered_twice(opened: Open, slug: str):
    uow = opened()
    one = Organization(id=OrganizationId("one"), slug=slug, name="One", default_role=Role("member"), regions=("local",))
    with pytest.raises(UniqueViolated) as violated, uow.begin() as tx:
        tx.organizations.add(one)
        tx.organizations.add(attrs.evolve(one, id=OrganizationId("two")))
    assert violated.value.rule == "organization.slug"


@pytest.mark.parametrize("label", ["\ud800", "a" * 255])
def test_values_that_cannot_be_stored(opened: Open, label: str):
    """Nothing is cut or replaced on the way."""
    uow = opened()
    with pytest.raises(DatabaseError) as raised:
        write(uow, label=label)
    assert type(raised.value) is DatabaseError
    with uow.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_a_number_that_is_too_large(opened: Open):
    uow = opened()
    with refused(DatabaseError), uow.begin() as tx:
        tx.accounts.save(attrs.evolve(tx.accounts.lock(ANNE), epoch=2**31))
    with uow.begin() as tx:
        assert tx.accounts.lock(ANNE).epoch == 1


def test_every_table_keeps_transactions_and_compares_bytes(mariadb_uow: SqlUnitOfWork):
    """Also in a database whose own character set and collation are others."""
    ours = "FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)"
    where = "WHERE table_schema = DATABASE() AND table_name LIKE 'authflow_%'"
    with mariadb_uow.begin() as tx:
        found = tx.connection.run(sa.text(f"SELECT DISTINCT engine, collation_name {ours} {where}"))
        assert tx.connection.run(sa.text("SELECT @@collation_database")).scalar_one() == "latin1_swedish_ci"
    assert {tuple(row) for row in found} == {("InnoDB", "utf8mb4_nopad_bin"), ("InnoDB", None)}


# --- a server that dies


@pytest.fixture(scope="module")
def mortal(mariadb_server: Server) -> Iterator[Server]:  # the other one says first whether there can be any
    """A server of one's own."""
    with server() as own:
        yield own


def test_a_server_that_is_killed_and_comes_back(opened: Open, mortal: Server):
    uow = opened(url=mortal.url())
    schema.upgrade(uow.engine, uow.tables)
    with uow.begin() as tx:
        tx.accounts.lock(BEN)
    with refused(DatabaseUnavailable), uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        mortal.kill()
        tx.users.get(BEN)
    mortal.start()
    with refused(CommitUnknown), uow.begin() as tx:
        tx.accounts.save(attrs.evolve(tx.accounts.lock(BEN), epoch=7))
        mortal.kill()
    mortal.start()
    with uow.begin() as tx:
        assert (tx.users.get(ANNE), tx.accounts.lock(BEN).epoch) == (None, 1)


@pytest.mark.parametrize("after", range(0, 60, 6))
def test_an_upgrade_that_was_killed_is_taken_up_again(opened: Open, mortal: Server, after: int):
    """After any number of statements, each of which MariaDB has committed by itself."""
    uow = opened(url=mortal.url(), prefix=f"killed_{after}_")
    left = after

    @sa.event.listens_for(uow.engine, "before_cursor_execute")
    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal left
        if statement.lstrip().startswith(("CREATE", "INSERT", "UPDATE")):
            left -= 1
            if left < 0:
                mortal.kill()

    with pytest.raises(DatabaseError):
        schema.upgrade(uow.engine, uow.tables)
    sa.event.remove(uow.engine, "before_cursor_execute", die)
    mortal.start()
    schema.upgrade(uow.engine, uow.tables)
    assert schema.differences(uow.engine, uow.tables) == ()
    schema.check(uow.engine, uow.tables)
