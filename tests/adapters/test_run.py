"""Whole commands on real databases: conflicts that happen by themselves, and errors that are injected."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.util.concurrency import greenlet_spawn

from authflow.adapters.retrying import Retry
from authflow.adapters.sql.asynchronous import make_async_engine
from authflow.adapters.sql.tap import Event, Kind
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import ConfigInvalid, DatabaseUnavailable, Retryable, SharedElsewhere
from authflow.facts.records import Audit, AuditEntry
from authflow.ports import User
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import at_once
from authflow.values import UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faces import Loop

ANNE, BEN = UserId("anne"), UserId("ben")

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")

COMMANDS = 1000

TRIES = 5


# --- reading


class Heard:
    """A tap that keeps the kinds of what was sent."""

    def __init__(self) -> None:
        self.kinds: list[Kind] = []

    def before(self, event: Event) -> None:
        self.kinds.append(event.kind)

    def after(self, event: Event) -> None:
        """Nothing is told of it."""


def test_whoever_looks_waits_for_no_writer(sqlite_uow: SqlUnitOfWork):
    """On SQLite every transaction is a writer's; what only reads is in none, and is let through."""

    def look() -> User | None:
        with sqlite_uow.begin() as tx:
            return tx.users.get(ANNE)

    with sqlite_uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        assert at_once(lambda _number: sqlite_uow.look(look), threads=1) == [None]


def test_whoever_looks_sends_their_questions_and_nothing_else(postgresql_uow: SqlUnitOfWork, sqlite_uow: SqlUnitOfWork):
    for uow in (postgresql_uow, sqlite_uow):
        uow.tap = heard = Heard()

        def look(uow: SqlUnitOfWork = uow) -> User | None:
            with uow.begin() as tx:
                return tx.users.get(ANNE)

        assert uow.look(look) is None
        assert heard.kinds == [Kind.STATEMENT]


# --- conflicts that happen by themselves


@pytest.fixture(params=LEVELS)
def strict(request: pytest.FixtureRequest, postgresql_uow: SqlUnitOfWork) -> Iterator[SqlUnitOfWork]:
    """A unit of work of its own at each isolation level, on an empty database."""
    url = postgresql_uow.engine.url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level=request.param, pool_size=16)
    yield SqlUnitOfWork(engine, postgresql_uow.tables, retry=Retry(tries=100))
    engine.dispose()


def test_the_level_is_that_of_the_engine(strict: SqlUnitOfWork, request: pytest.FixtureRequest):
    with strict.begin() as tx:
        level = tx.connection.run(sa.text("SHOW transaction_isolation")).scalar_one()
    assert level.upper() == request.node.callspec.params["strict"]


@pytest.mark.parametrize("level", LEVELS)
def test_the_level_may_be_an_option_of_the_engine(postgresql_uow: SqlUnitOfWork, level: Any):
    """It holds while a connection is lent, and is taken back from it."""
    engine = postgresql_uow.engine.execution_options(isolation_level=level)
    with SqlUnitOfWork(engine, postgresql_uow.tables).begin() as tx:
        assert tx.connection.run(sa.text("SHOW transaction_isolation")).scalar_one().upper() == level
    with postgresql_uow.begin() as tx:
        assert tx.connection.run(sa.text("SHOW transaction_isolation")).scalar_one() == "read committed"


@pytest.mark.parametrize("database", ["postgresql_uow", "mariadb_uow"])
@pytest.mark.parametrize("made", [True, False])
def test_an_engine_that_commits_by_itself_is_refused(database: str, request: pytest.FixtureRequest, *, made: bool):
    given: SqlUnitOfWork = request.getfixturevalue(database)
    if made:
        engine = sa.create_engine(given.engine.url, isolation_level="AUTOCOMMIT")
    else:
        engine = given.engine.execution_options(isolation_level="AUTOCOMMIT")
    with pytest.raises(ConfigInvalid), SqlUnitOfWork(engine, given.tables).begin():
        pytest.fail("began what nothing ends")
    with given.begin() as tx:
        assert tx.users.get(ANNE) is None
    if made:
        engine.dispose()


def test_increments_at_once_are_all_kept(strict: SqlUnitOfWork):
    """Each reads what stands and writes one more: whoever lost does it again from what stands then."""

    def increment() -> None:
        with strict.begin() as tx:
            account = tx.accounts.lock(ANNE)
            tx.accounts.save(attrs.evolve(account, epoch=account.epoch + 1))

    at_once(lambda _: [strict.run(increment) for _ in range(3)])
    with strict.begin() as tx:
        assert tx.accounts.read(ANNE).epoch == 1 + 3 * 16


def test_those_who_lock_in_opposite_orders_both_end_well(strict: SqlUnitOfWork):
    """A deadlock on purpose: the one who is told to try again waits for nobody then."""
    both = threading.Barrier(2)
    met: set[int] = set()

    def lock(number: int) -> None:
        with strict.begin() as tx:
            tx.accounts.lock((ANNE, BEN)[number])
            if number not in met:
                met.add(number)
                both.wait()
            tx.accounts.lock((BEN, ANNE)[number])

    at_once(lambda number: strict.run(lambda: lock(number)), threads=2)
    assert met == {0, 1}


def test_what_cannot_be_put_in_a_row_is_done_again(postgresql_uow: SqlUnitOfWork):
    """Each writes unless the other one has written; only SERIALIZABLE sees it, and only one of them may write."""
    engine = postgresql_uow.engine.execution_options(isolation_level="SERIALIZABLE")
    uow = SqlUnitOfWork(engine, postgresql_uow.tables)
    both = threading.Barrier(2)
    met: set[int] = set()

    def write(number: int) -> bool:
        with uow.begin() as tx:
            absent = tx.users.get((BEN, ANNE)[number]) is None
            if number not in met:
                met.add(number)
                both.wait()
            if absent:
                tx.users.add(User(id=(ANNE, BEN)[number], label="first"))
            return absent

    assert sorted(at_once(lambda number: uow.run(lambda: write(number)), threads=2)) == [False, True]


# --- errors that are injected


class Saboteur:
    """Fails one in ten tries, at any of its steps, as a database does that is too busy."""

    def __init__(self, errors: list[Exception], seed: int) -> None:
        self._errors, self._chance = errors, random.Random(seed)  # noqa: S311  # a seed that can be played again
        self._at = 0
        self.failed = 0

    def before(self, event: Event) -> None:
        if event.kind is Kind.BEGIN:
            self._at = self._chance.randint(1, 4) if self._chance.random() < 0.1 else 0
        elif event.kind in {Kind.STATEMENT, Kind.COMMIT}:
            self._at -= 1
            if self._at == 0:
                self.failed += 1
                raise self._chance.choice(self._errors)

    def after(self, event: Event) -> None: ...


def busy(name: str) -> list[Exception]:
    if name == "sqlite":
        locked: Any = sqlite3.OperationalError("database is locked")
        locked.sqlite_errorcode = 5
        return [locked]
    if name == "postgresql":
        return [psycopg.errors.SerializationFailure(), psycopg.errors.DeadlockDetected()]
    return [pymysql.err.OperationalError(code, "busy") for code in (1205, 1213, 1020)]


@pytest.mark.parametrize("database", ["sqlite_uow", "postgresql_uow", "mariadb_uow"])
def test_commands_survive_a_database_that_is_often_busy(database: str, request: pytest.FixtureRequest):
    """At least 999 in 1000 succeed within five tries, and whoever does not has written nothing."""
    given: SqlUnitOfWork = request.getfixturevalue(database)
    saboteur = Saboteur(busy(given.engine.dialect.name), seed=1)
    no_time = attrs.evolve(Retry(tries=TRIES), first=START - START)
    uow = SqlUnitOfWork(given.engine, given.tables, tap=saboteur, retry=no_time)
    done = 0
    for number in range(COMMANDS):
        try:
            uow.run(lambda number=number: enter(uow, number))
            done += 1
        except Retryable:
            continue
    with given.begin() as tx:
        entries = tx.audit.of_user(ANNE, limit=COMMANDS)
        assert tx.accounts.read(ANNE).epoch == 1 + done == 1 + len(entries)
        assert tx.attempts.read("guess") >= done
    assert saboteur.failed > COMMANDS * 0.05
    assert done >= COMMANDS * 0.999


def enter(uow: SqlUnitOfWork, number: int) -> None:
    with uow.begin() as tx:
        account = tx.accounts.lock(ANNE)
        tx.attempts.count("guess", expires_at=START)
        tx.accounts.save(attrs.evolve(account, epoch=account.epoch + 1))
        tx.audit.append([AuditEntry(id=f"entry-{number}", at=START, event=Audit.MFA_ADDED, target_user=ANNE)])


# --- under the async face


@pytest.fixture(params=["aiosqlite_uow", "asyncpg_uow", "psycopg_async_uow"])
def awaited(request: pytest.FixtureRequest) -> tuple[SqlUnitOfWork, SqlUnitOfWork]:
    """The same database twice: for the host, and under the async face."""
    found: tuple[SqlUnitOfWork, SqlUnitOfWork] = request.getfixturevalue(request.param)
    return found


def losing(uow: SqlUnitOfWork, times: int) -> Callable[[], int]:
    tries: list[int] = []

    def command() -> int:
        tries.append(1)
        with uow.begin() as tx:
            tx.accounts.lock(ANNE)
            if len(tries) <= times:
                raise Retryable
            return len(tries)

    return command


def test_the_event_loop_goes_on_while_a_command_waits(
    awaited: tuple[SqlUnitOfWork, SqlUnitOfWork], loop: Loop, monkeypatch: pytest.MonkeyPatch
):
    """The pauses between tries are the loop's, never the thread's."""
    _, uow = awaited
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("held the loop"))

    async def both() -> list[int]:
        first = greenlet_spawn(uow.run, losing(uow, 2))
        second = greenlet_spawn(uow.run, losing(uow, 3))
        return await asyncio.gather(first, second)

    assert loop.wait(both()) == [3, 4]


@pytest.mark.parametrize("kind", ["connection", "session", "scoped_session"])
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_an_asynchronous_host_shares_its_transaction(
    awaited: tuple[SqlUnitOfWork, SqlUnitOfWork], loop: Loop, kind: str, end: str
):
    plain, uow = awaited

    def write() -> None:
        with uow.begin() as tx:
            tx.users.add(User(id=ANNE, label="anne"))

    async def share() -> None:
        async with AsyncExitHost(AsyncEngine(uow.engine), kind) as host:
            with uow.within(host):
                await greenlet_spawn(uow.run, write)
            await getattr(host, end)()

    loop.wait(share())
    with plain.begin() as tx:
        assert (tx.users.get(ANNE) is not None) == (end == "commit")


class AsyncExitHost:
    """A host's connection or session, closed in the end."""

    def __init__(self, engine: AsyncEngine, kind: str) -> None:
        made: dict[str, Callable[[], Any]] = {
            "connection": engine.connect,
            "session": lambda: AsyncSession(engine),
            "scoped_session": lambda: async_scoped_session(async_sessionmaker(engine), asyncio.current_task),
        }
        self._made = made[kind]()

    async def __aenter__(self) -> Any:
        if hasattr(self._made, "start"):
            await self._made.start()
        return self._made

    async def __aexit__(self, *_: object) -> None:
        await self._made.close()


def test_a_task_does_not_join_the_one_that_made_it(awaited: tuple[SqlUnitOfWork, SqlUnitOfWork], loop: Loop):
    """It has a copy of the context, and may not have the connection: two would speak on it at once."""
    plain, uow = awaited

    def add() -> None:
        with uow.begin() as tx:
            tx.users.add(User(id=ANNE, label="anne"))

    async def commands() -> None:
        async with AsyncExitHost(AsyncEngine(uow.engine), "connection") as host:
            with uow.within(host):
                for command in (add, lambda: uow.run(add), uow.require_counters, uow.require_closed):
                    with pytest.raises(SharedElsewhere):
                        await asyncio.create_task(greenlet_spawn(command))
            await host.commit()

    loop.wait(commands())
    with plain.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_a_violated_rule_has_its_name(awaited: tuple[SqlUnitOfWork, SqlUnitOfWork], loop: Loop):
    """Asyncpg's error stands behind SQLAlchemy's."""
    _, uow = awaited

    def twice() -> None:
        with uow.begin() as tx:
            for _ in range(2):
                tx.users.add(User(id=ANNE, label="anne"))

    async def command() -> None:
        await greenlet_spawn(uow.run, twice)

    with pytest.raises(Exception, match="primary_key"):
        loop.wait(command())


@pytest.mark.parametrize("place", ["127.0.0.1:1", "nowhere.invalid"])
def test_an_asynchronous_driver_finds_no_server(loop: Loop, place: str):
    uow = SqlUnitOfWork(make_async_engine(f"postgresql://{place}/name").sync_engine)

    async def command() -> None:
        await greenlet_spawn(uow.run, losing(uow, 0))

    with pytest.raises(DatabaseUnavailable):
        loop.wait(command())


def test_a_hosts_sqlite_engine_needs_no_preparation(sqlite_uow: SqlUnitOfWork):
    """Whatever it does with transactions by itself, ours begin as writers and end with COMMIT or ROLLBACK."""
    modes: list[Any] = [None, "", "DEFERRED", "EXCLUSIVE"]
    for mode in modes:
        engine = sa.create_engine(sqlite_uow.engine.url, connect_args={"isolation_level": mode})
        uow = SqlUnitOfWork(engine, sqlite_uow.tables)
        with pytest.raises(Retryable), uow.begin() as tx:
            tx.users.add(User(id=ANNE, label="anne"))
            raise Retryable
        with uow.begin() as tx:
            assert tx.users.get(ANNE) is None
            assert tx.connection.raw.in_transaction
        engine.dispose()
