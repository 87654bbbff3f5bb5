"""The async face under the same tests: its commands are awaited on a loop of their own, from whatever thread asks."""

from __future__ import annotations

import asyncio
import threading
from copy import copy
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

from authflow.adapters.sql.asynchronous import bridge, make_async_engine
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.awaitable import AsyncAuthflow
from authflow.command import AsyncFace

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from authflow.wiring import Authflow

    Known = dict[str, tuple[AsyncEngine, SqlUnitOfWork]]

FACES = ("aiosqlite", "asyncpg")
"""Every service runs on these. psycopg is the third: ``adapters/test_drivers.py`` runs what depends on a driver."""


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what *coroutine* returns, once it has."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Waiting:
    """A service's async face, whose commands are waited for."""

    def __init__(self, face: AsyncFace, loop: Loop) -> None:
        self._face, self._loop = face, loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        command = getattr(self._face, name)
        return lambda *args, **kwargs: self._loop.wait(command(*args, **kwargs))


class WaitedFor:
    """The async flows as `Stage` uses them; *uow* is a synchronous one on the same database, for the host's part."""

    def __init__(self, flows: Authflow, uow: SqlUnitOfWork, loop: Loop) -> None:
        self._flows, self._loop = AsyncAuthflow(flows), loop
        self.uow, self.clock, self.policy = uow, flows.clock, flows.policy

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._flows, name)
        return Waiting(found, self._loop) if isinstance(found, AsyncFace) else found


def awaited(contract: type) -> type:
    """Return *contract* with every test on the loop, in a greenlet; threads are none of the async face's."""

    def through(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def run(self: Any, **given: Any) -> None:
            self.loop.wait(bridge(lambda: test(self, **given)))

        return run

    tests = {name: getattr(contract, name) for name in dir(contract) if name.startswith("test_")}
    taken = {name: None if "thread" in name or "nobody_reads" in name else through(t) for name, t in tests.items()}
    return type(f"Awaited{contract.__name__}", (contract,), taken)


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    """The one loop of this run: a driver's connections belong to it."""
    made = Loop()
    yield made
    made.close()


@pytest.fixture(scope="session")
def known(loop: Loop) -> Iterator[Known]:
    """What the async face has opened in this run, by URL: each statement is compiled once."""
    opened: Known = {}
    yield opened
    for engine, _ in opened.values():
        loop.wait(engine.dispose())


@pytest.fixture
def aiosqlite_uow(sqlite_uow: SqlUnitOfWork, loop: Loop, known: Known) -> Iterator[tuple[SqlUnitOfWork, SqlUnitOfWork]]:
    """The same SQLite file twice: for the host, and for the async face."""
    url = f"sqlite:///{sqlite_uow.engine.url.database}"
    yield _both(sqlite_uow, url, known)
    engine, _ = known[url]
    loop.wait(engine.dispose())  # the next test has another file


@pytest.fixture
def asyncpg_uow(postgresql_uow: SqlUnitOfWork, known: Known) -> tuple[SqlUnitOfWork, SqlUnitOfWork]:
    """The same PostgreSQL twice: for the host, and for the async face."""
    return _both(postgresql_uow, _url(postgresql_uow, "asyncpg"), known)


@pytest.fixture
def psycopg_async_uow(postgresql_uow: SqlUnitOfWork, known: Known) -> tuple[SqlUnitOfWork, SqlUnitOfWork]:
    """The same, with psycopg under the async face, too."""
    return _both(postgresql_uow, _url(postgresql_uow, "psycopg"), known)


def _url(uow: SqlUnitOfWork, driver: str) -> str:
    return uow.engine.url.set(drivername=f"postgresql+{driver}").render_as_string(hide_password=False)


def _both(uow: SqlUnitOfWork, url: str, known: Known) -> tuple[SqlUnitOfWork, SqlUnitOfWork]:
    if url not in known:
        made = make_async_engine(url)
        known[url] = made, SqlUnitOfWork(made.sync_engine, uow.tables)
    return uow, copy(known[url][1])
