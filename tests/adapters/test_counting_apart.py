"""What must be remembered cannot be rolled back by the host (decision 7)."""

from __future__ import annotations

import os
import warnings
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from authflow.adapters.sql.counting_apart import counter_pool
from authflow.adapters.sql.engine import make_engine, prepare
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import NotOwned
from authflow.ports import Allowed, Limited
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import BUDGET, Boom
from authflow.testing.contracts.threads import at_once
from authflow.values import Budget, UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Place = Callable[[SqlUnitOfWork], AbstractContextManager[object]]

ANNE, BEN = UserId("anne"), UserId("ben")

FIVE = Budget(name="guesses", limit=5, window=timedelta(seconds=20))

WORKERS = 16


@pytest.fixture(params=["postgresql_uow", "mariadb_uow"])
def uow(request: pytest.FixtureRequest) -> SqlUnitOfWork:
    """A unit of work on a server, which has more than one writer; both persons have accounts."""
    found: SqlUnitOfWork = request.getfixturevalue(request.param)
    with found.begin() as tx:
        tx.accounts.lock(ANNE)
        tx.accounts.lock(BEN)
    return found


@contextmanager
def inside_a_connection(uow: SqlUnitOfWork) -> Iterator[None]:
    """A host on a connection of its own, which rolls everything back."""
    engine = sa.create_engine(uow.engine.url, poolclass=NullPool)
    with engine.connect() as connection:
        with uow.within(connection):
            yield
        connection.rollback()


@contextmanager
def inside_a_transaction(uow: SqlUnitOfWork) -> Iterator[None]:
    """A host in a transaction of the unit of work's, which it undoes by an exception."""
    with suppress(Boom), uow.begin():
        yield
        raise Boom


HOSTS = [inside_a_connection, inside_a_transaction]


def guess(uow: SqlUnitOfWork, *, at: UserId = ANNE) -> bool:
    """Compare one guess as a command does; false if it was limited instead."""

    def command() -> bool:
        uow.require_counters()
        with uow.begin() as tx:
            tx.accounts.lock(at)
            tx.attempts.count("flow", expires_at=START + timedelta(hours=1))
            return isinstance(tx.limits.hit(FIVE, "anne", START), Allowed)

    return uow.run(command)


def counted(uow: SqlUnitOfWork) -> int:
    with uow.begin() as tx:
        return tx.attempts.read("flow")


# --- a host that rolls back after every refusal


@pytest.mark.parametrize("host", HOSTS)
def test_the_sixth_guess_in_20_seconds_is_limited(uow: SqlUnitOfWork, host: Place):
    answers: list[bool] = []
    for _ in range(8):
        with host(uow):
            answers.append(guess(uow))
    assert answers == [True] * 5 + [False] * 3
    assert counted(uow) == 8


@pytest.mark.parametrize("host", HOSTS)
def test_workers_at_once_get_no_more_than_five(uow: SqlUnitOfWork, host: Place):
    """Nothing is left between the rollback and the count in which another one could guess."""
    answers: list[bool] = []

    def work(_: int) -> None:
        for _ in range(3):
            with host(uow):
                answers.append(guess(uow))

    at_once(work, threads=WORKERS)
    assert answers.count(True) == 5
    assert counted(uow) == len(answers) >= 3 * WORKERS


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_the_hosts_isolation_does_not_matter(uow: SqlUnitOfWork, isolation: str):
    """A host at SERIALIZABLE would see the counts as they stood when it began; they are not counted there."""
    plain = make_engine(uow.engine.url.render_as_string(hide_password=False))
    engine = plain.execution_options(isolation_level=isolation)
    strict = SqlUnitOfWork(engine, uow.tables)
    answers: list[bool] = []
    with strict.begin() as tx:
        tx.users.get(ANNE)  # the snapshot is taken here
        at_once(lambda _: guess(uow, at=BEN), threads=3)
        answers.extend(guess(strict) for _ in range(3))
    assert answers == [True, True, False]
    engine.dispose()
    plain.dispose()


@pytest.mark.parametrize("host", HOSTS)
def test_what_was_counted_stands_at_once(uow: SqlUnitOfWork, host: Place):
    with host(uow):
        guess(uow)
        with uow.begin() as tx:
            assert tx.attempts.read("flow") == 1
        found: list[int] = []
        at_once(lambda _: found.append(counted(uow)), threads=1)
        assert found == [1]


def test_a_savepoint_counts_once(uow: SqlUnitOfWork):
    with inside_a_connection(uow), uow.begin(), suppress(Boom), uow.savepoint():
        guess(uow)
        raise Boom
    assert counted(uow) == 1


def test_what_is_forgiven_is_forgiven_at_once(uow: SqlUnitOfWork):
    """A proof that was given was given, whatever the host makes of it; and no row stays locked for the next command."""
    guess(uow)
    with inside_a_transaction(uow), uow.begin() as tx:
        tx.attempts.clear("flow")
        tx.limits.reset(FIVE, "anne")
        guess(uow)
    assert counted(uow) == 1
    with uow.begin() as tx:
        assert tx.limits.peek(FIVE, "anne", START) == Allowed(4)


def test_budgets_are_swept_and_read_apart(uow: SqlUnitOfWork):
    with inside_a_transaction(uow), uow.begin() as tx:
        assert tx.limits.hit(BUDGET, "anne", START) == Allowed(BUDGET.limit - 1)
        assert tx.limits.peek(BUDGET, "anne", START) == Allowed(BUDGET.limit - 1)
        assert tx.limits.sweep(START + timedelta(days=1)) == 1
        tx.attempts.count("flow", expires_at=START)
        assert tx.attempts.sweep(START + timedelta(days=1)) == 1
    assert counted(uow) == 0


def test_counters_have_an_isolation_of_their_own(postgresql_uow: SqlUnitOfWork):
    """At SERIALIZABLE a crowd at one counter would mostly be told to try again."""
    engine = sa.create_engine(postgresql_uow.engine.url, isolation_level="SERIALIZABLE")
    for connect, level in ((engine.raw_connection, "serializable"), (counter_pool(engine).connect, "read committed")):
        lent = connect()
        assert lent.cursor().execute("SHOW transaction_isolation").fetchone()[0] == level
        lent.close()
    engine.dispose()


def test_counters_do_not_wait_for_the_pool(uow: SqlUnitOfWork):
    """Everybody holds the last connection of the engine, and still finds one to count on."""
    url = uow.engine.url
    engine = sa.create_engine(url, pool_size=1, max_overflow=0, pool_timeout=1)
    prepare(engine)
    narrow = SqlUnitOfWork(engine, uow.tables)
    with narrow.begin():
        assert guess(narrow)
    engine.dispose()


def test_a_fork_leaves_its_parents_connections_alone(uow: SqlUnitOfWork):
    """Closed in the child, a connection would be told goodbye on the very socket that its parent goes on using."""
    uow.engine.dispose()  # of what earlier tests left in the pool
    pool = counter_pool(uow.engine)
    with closing(pool.connect()) as lent:
        raw = lent.dbapi_connection
    child = forked(lambda: (uow.engine.dispose(close=False), guess_once(uow)))
    assert os.waitpid(child, 0)[1] == 0
    with closing(pool.connect()) as lent:
        assert lent.dbapi_connection is raw
        with closing(lent.cursor()) as cursor:
            cursor.execute("SELECT 1")
    with uow.begin() as tx:
        assert tx.limits.peek(FIVE, "anne", START) == Allowed(FIVE.limit - 1)


def guess_once(uow: SqlUnitOfWork) -> None:
    with uow.begin():
        guess(uow)


def forked(work: Callable[[], object]) -> int:
    """Do *work* in a child that ends with status 0 if it succeeded, and return its process id."""
    with warnings.catch_warnings(action="ignore"):  # Python 3.12 warns of the threads that earlier tests left behind
        child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


# --- where there is no other connection


@pytest.mark.parametrize("host", HOSTS)
def test_sqlite_refuses_guesses_in_a_hosts_transaction(sqlite_uow: SqlUnitOfWork, host: Place):
    for _ in range(8):
        with host(sqlite_uow):
            with pytest.raises(NotOwned):
                guess(sqlite_uow)
            with pytest.raises(NotOwned):
                sqlite_uow.require_counters()
    assert counted(sqlite_uow) == 0


def test_sqlite_counts_what_is_no_guess_in_the_hosts_transaction(sqlite_uow: SqlUnitOfWork):
    """It goes with the host's rollback; an error of ours does not take it along."""

    def invite() -> None:
        with sqlite_uow.begin() as tx:
            tx.limits.hit(BUDGET, "anne", START)
            raise Boom

    with sqlite_uow.engine.connect() as connection:
        with sqlite_uow.within(connection):
            with suppress(Boom):
                sqlite_uow.run(invite)
            with sqlite_uow.begin() as tx:
                assert tx.limits.peek(BUDGET, "anne", START) == Allowed(BUDGET.limit - 1)
        connection.rollback()
    with sqlite_uow.begin() as tx:
        assert tx.limits.peek(BUDGET, "anne", START) == Allowed(BUDGET.limit)


def test_on_sqlite_workers_at_once_get_no_more_than_five(sqlite_uow: SqlUnitOfWork):
    """Commands of their own, each in a transaction of ours."""
    answers = at_once(lambda _: [guess(sqlite_uow) for _ in range(3)], threads=WORKERS)
    assert [answer for each in answers for answer in each].count(True) == 5
    with sqlite_uow.begin() as tx:
        assert isinstance(tx.limits.peek(FIVE, "anne", START), Limited)


# --- memory


def test_memory_counts_before_anybody_else_may_begin(memory_uow: SqlUnitOfWork):
    def work(_: int) -> list[bool]:
        answers: list[bool] = []
        for _ in range(3):
            with inside_a_transaction(memory_uow):
                answers.append(guess(memory_uow))
        return answers

    answers = [answer for each in at_once(work, threads=WORKERS) for answer in each]
    assert answers.count(True) == 5
