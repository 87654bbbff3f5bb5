"""Engines for the async face: SQLAlchemy's ``AsyncEngine``, on whose synchronous half the unit of work runs."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import greenlet_spawn

from authflow.adapters.sql.alive import watch
from authflow.adapters.sql.engine import hint, prepare
from authflow.errors import ConfigInvalid, ExtraMissing

AsyncDatabase = str | AsyncEngine
"""The URL of a database with an asynchronous driver, or an engine that the host has made."""

DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
"""What a URL without a driver means."""

EXTRAS: Final = {
    "sqlite+aiosqlite": "asyncio",
    "postgresql+asyncpg": "asyncio",
    "postgresql+psycopg": "postgres",
    "postgresql+psycopg_async": "postgres",
}
"""What a URL may name, and what to install for it."""

bridge: Final = greenlet_spawn
"""Runs a synchronous function in a greenlet that gives way to the event loop where its driver waits."""


def async_engine_of(database: AsyncDatabase) -> AsyncEngine:
    """Return the engine itself, or one made from its URL by `make_async_engine`.

    Raises:
        ConfigInvalid: The URL means none (`make_async_engine`), or this is no ``AsyncEngine``.
        ExtraMissing: The driver is not installed.
    """
    if isinstance(database, str):
        return make_async_engine(database)
    _require_engine(database)
    return database


def _require_engine(given: Any) -> None:
    if not isinstance(given, AsyncEngine):
        raise ConfigInvalid(setting="database", problem="must be a URL or a SQLAlchemy AsyncEngine")


def make_async_engine(url: str) -> AsyncEngine:
    """Return an engine for *url*: ``sqlite:///file.db``, ``postgresql://...``, with or without an asynchronous driver.

    Raises:
        ConfigInvalid: The URL cannot be read, names another database, one in memory, or a driver that would block.
        ExtraMissing: The driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
        backend = parsed.get_backend_name()
        if backend not in DRIVERS:
            problem = f"{backend} is not supported by the async face{hint(backend)}"
            raise ConfigInvalid(setting="database", problem=problem)
        if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
            raise ConfigInvalid(setting="database", problem="must be a file")
        driven = parsed if "+" in parsed.drivername else parsed.set(drivername=DRIVERS[backend])
        if driven.drivername not in EXTRAS:
            problem = "must name an asynchronous driver: " + ", ".join(EXTRAS)
            raise ConfigInvalid(setting="database", problem=problem)
        engine = _created(driven)
    except (exc.ArgumentError, ValueError):
        # The parser's own error may quote a part of the password.
        raise ConfigInvalid(setting="database", problem="is not a database URL") from None
    prepare(engine.sync_engine)
    if engine.dialect.name != "sqlite":
        watch(engine.sync_engine)
    return engine


def _created(url: sa.URL) -> AsyncEngine:
    try:
        return create_async_engine(url, hide_parameters=True)
    except ImportError as error:
        raise ExtraMissing(extra=EXTRAS[url.drivername]) from error
