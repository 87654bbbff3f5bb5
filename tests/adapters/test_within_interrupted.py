"""A command that is interrupted inside a host's transaction is never half committed, whoever commits."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util.concurrency import greenlet_spawn

from authflow.facts.records import Audit, AuditEntry
from authflow.ports import User
from authflow.testing.clocks import START
from authflow.values import UserId
from tests.adapters import test_within
from tests.adapters.test_tap import lost
from tests.adapters.test_within import HOSTS, Host, hosted, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.tap import Event
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
    from tests.faces import Loop

uow = test_within.uow  # the fixture

ANNE, BEN = UserId("anne"), UserId("ben")

ERRORS = (sa.exc.SQLAlchemyError, sqlite3.Error, psycopg.Error, pymysql.err.Error)
"""What a host can meet when it commits."""


class Interrupted(BaseException): ...


class At:
    """Acts once: on that *side* of the step of that *number*."""

    def __init__(self, side: str, number: int, act: Callable[[], object]) -> None:
        self.done = False
        self._side, self._left, self._act = side, number, act

    def before(self, _event: Event) -> None:
        self._step("before")

    def after(self, _event: Event) -> None:
        self._step("after")

    def _step(self, side: str) -> None:
        if side != self._side or self.done:
            return
        self.done = self._left == 0
        self._left -= 1
        if self.done:
            self._act()


def command(uow: SqlUnitOfWork) -> None:
    """Write on both sides of a savepoint, and what is written together at the end."""
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        with uow.savepoint():
            tx.users.add(User(id=BEN, label="ben"))
        tx.audit.append([AuditEntry(id="entry", at=START, event=Audit.MFA_ADDED, target_user=ANNE)])


def throw(fault: BaseException) -> None:
    raise fault


def interrupted(uow: SqlUnitOfWork, host: Host, at: At) -> bool:
    """Give the command, and let the host commit whatever came of it: true if it could."""
    uow.tap = at
    with uow.within(host.lent), suppress(Interrupted, Exception):
        uow.run(lambda: command(uow))
    uow.tap = None
    try:
        host.commit()
    except ERRORS:
        return False
    return True


@pytest.mark.parametrize("kind", HOSTS)
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("cause", ["interrupted", "lost"])
def test_the_host_commits_no_half_of_it(uow: SqlUnitOfWork, kind: str, side: str, cause: str):
    """What the driver was doing nobody knows: neither whether it is done, nor whether it can be undone."""
    for number in range(20):
        at = At(side, number, lambda: throw(Interrupted() if cause == "interrupted" else lost(uow)))
        with suppress(*ERRORS), hosted(uow, kind) as host:  # a bare connection cannot be closed twice
            committed = interrupted(uow, host, at)
        if not at.done:
            break
        assert not committed
        assert standing(uow) == (set(), set())
    assert number > 6
    assert standing(uow)[0] == {ANNE, BEN}


@pytest.mark.parametrize("kind", ["connection", "session", "scoped_session"])
def test_the_host_may_roll_back_and_go_on(uow: SqlUnitOfWork, kind: str):
    with hosted(uow, kind) as host:
        host.write("before")
        assert not interrupted(uow, host, At("after", 2, lambda: throw(Interrupted())))
        host.rollback()
        host.write("again")
        with uow.within(host.lent):
            command(uow)
        host.commit()
    assert standing(uow) == ({ANNE, BEN}, {"again"})


def test_what_interrupts_between_statements_is_undone_by_our_savepoint(uow: SqlUnitOfWork):
    """The driver is idle then, and the host may keep the rest."""
    with hosted(uow, "connection") as host:
        host.write("kept")
        with uow.within(host.lent), suppress(Interrupted), uow.begin():
            command(uow)
            raise Interrupted
        host.commit()
    assert standing(uow) == (set(), {"kept"})


@pytest.mark.parametrize("kind", HOSTS)
@pytest.mark.parametrize("ending", ["well", "in an error"])
def test_nothing_of_ours_runs_on_a_connection_that_was_given_back(uow: SqlUnitOfWork, kind: str, ending: str):
    """A statement that is still in progress on our cursor would keep SQLite from committing."""
    with hosted(uow, kind) as host, uow.within(host.lent):
        with suppress(Interrupted), uow.begin() as tx:
            cursor = tx.connection.cursor
            if ending != "well":
                raise Interrupted
        with pytest.raises(ERRORS):
            cursor.execute("SELECT 1")
        host.rollback()


# --- a task that is cancelled


@pytest.fixture(params=["aiosqlite_uow", "asyncpg_uow", "psycopg_async_uow"])
def awaited(request: pytest.FixtureRequest) -> tuple[SqlUnitOfWork, SqlUnitOfWork]:
    """The same database twice: for the host, and under the async face."""
    found: tuple[SqlUnitOfWork, SqlUnitOfWork] = request.getfixturevalue(request.param)
    return found


async def cancelled(uow: SqlUnitOfWork, made: Any, at: At) -> bool:
    async with made as host:
        uow.tap = at
        with uow.within(host), suppress(asyncio.CancelledError):
            await greenlet_spawn(uow.run, lambda: command(uow))
        uow.tap = None
        try:
            await host.commit()
        except sa.exc.SQLAlchemyError:
            return False
    return True


@pytest.mark.parametrize("kind", ["connection", "session"])
def test_a_host_commits_no_half_of_what_was_cancelled(
    awaited: tuple[SqlUnitOfWork, SqlUnitOfWork], loop: Loop, kind: str
):
    """The driver waits for an answer just then; afterwards nobody is locked out."""
    plain, uow = awaited
    engine = AsyncEngine(uow.engine)

    def cancel() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    for number in range(20):
        at = At("before", number, cancel)
        made = engine.connect() if kind == "connection" else AsyncSession(engine)
        committed = loop.wait(cancelled(uow, made, at))
        if not at.done:
            break
        assert not committed
        with plain.begin() as tx:
            assert (tx.users.get(ANNE), tx.users.get(BEN)) == (None, None)
    assert number > 6
    with plain.begin() as tx:
        assert tx.users.get(BEN) is not None
