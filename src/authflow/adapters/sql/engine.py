"""Makes an engine that keeps the promises of the unit of work: WAL, real BEGINs, bounded waits."""

from __future__ import annotations

import weakref
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import event, exc, pool

from authflow.adapters.sql import alive, mariadb, unprepared
from authflow.errors import ConfigInvalid, ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine.interfaces import Dialect

BUSY_TIMEOUT_MS: Final = 5000
"""How long a statement waits for somebody else's lock before the answer is `Retryable` (decision 11)."""

DRIVERS: Final = {
    "sqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "mariadb": mariadb.DRIVER,
    "mysql": mariadb.DRIVER,  # what the URLs of MariaDB often say; SQLAlchemy refuses a MySQL behind this driver
}

SAME: Final = {
    "sqlite": {"sqlite", "sqlite+pysqlite", "sqlite+aiosqlite"},
    "postgresql": {"postgresql", "postgresql+psycopg", "postgresql+psycopg_async", "postgresql+asyncpg"},
    "mariadb": {"mariadb", "mariadb+pymysql"},
    "mysql": {"mysql", "mysql+pymysql"},
}
"""What a URL may say for that driver: nothing, its name, or an asynchronous one, as the async face is given it."""

READS: Final = "authflow_reads"
"""An execution option: what is begun only reads, so that on SQLite it waits for no writer."""

ENGINES: Final = (
    "sqlite+pysqlite",
    "sqlite+aiosqlite",
    "postgresql+psycopg",
    "postgresql+psycopg2",
    "postgresql+asyncpg",
    "mariadb+pymysql",
    "mariadb+mysqldb",
)
"""What an engine of the host's own may run on. The asynchronous ones are the synchronous half of an ``AsyncEngine``."""

EXTRAS: Final = {"postgresql": "postgres", "mariadb": "mariadb", "mysql": "mariadb"}
"""What to install for a driver."""

Database = str | sa.Engine
"""A database URL, or an engine that the host has made."""


def engine_of(database: Database) -> sa.Engine:
    """Return the engine itself, or one made from its URL by `make_engine`. The host prepares its own (`prepare`).

    Raises:
        ConfigInvalid: The URL means none (`make_engine`), or the engine runs on another driver than `ENGINES`.
        ExtraMissing: The driver is not installed.
    """
    if isinstance(database, str):
        return make_engine(database)
    _require_driver(database)
    return database


def make_engine(url: str) -> sa.Engine:
    """Return an engine for *url*: ``sqlite:///file.db``, ``postgresql://...`` or ``mariadb://...``.

    PostgreSQL is driven by psycopg 3 and MariaDB by PyMySQL. A URL of the async face serves as well: what it names is
    driven synchronously. Any other driver is refused, as its options would mean something else.

    SQLite: write-ahead log, full durability, and every transaction begins as a writer, so that no read is upgraded
    and no transaction fails half-way with a lock (sqlite.org/lang_transaction.html, "BEGIN IMMEDIATE").

    Raises:
        ConfigInvalid: The URL cannot be read, names another database or driver, or a database in memory: each thread
            would see its own.
        ExtraMissing: The driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
        engine = _created(parsed, parsed.get_backend_name())
    except (exc.ArgumentError, ValueError):
        # The parser's own error may quote a part of the password.
        raise ConfigInvalid(setting="database", problem="is not a database URL") from None
    if isinstance(engine.pool, pool.SingletonThreadPool):
        raise ConfigInvalid(setting="database", problem="must be a file: one in memory is another one in each thread")
    prepare(engine)
    if engine.dialect.name != "sqlite":
        alive.watch(engine)
    return engine


def prepare(engine: sa.Engine) -> None:
    """Give *engine*, which has not connected yet, the settings that suit the unit of work best.

    They hold for the host's own transactions, too: on SQLite each begins as a writer (those with the execution option
    `READS` do not), MariaDB runs at READ COMMITTED in strict mode, and on both servers no wait for a lock is longer
    than `BUSY_TIMEOUT_MS`.
    """
    _PREPARED.add(engine.dialect)
    if engine.dialect.name == "sqlite":
        prepare_sqlite(engine)
    elif engine.dialect.name == "mariadb":
        mariadb.set_up(engine, wait_ms=BUSY_TIMEOUT_MS)
    else:
        event.listen(engine, "connect", _set_timeouts)


def safety_of(engine: sa.Engine) -> Callable[[Any], None] | None:
    """Return what makes each transaction on *engine* safe, or none if nothing is to do or `prepare` did it."""
    return None if engine.dialect in _PREPARED else unprepared.safety_of(engine.dialect, wait_ms=BUSY_TIMEOUT_MS)


_PREPARED: Final[weakref.WeakSet[Dialect]] = weakref.WeakSet()
"""By dialect: an engine shares it with those that have other execution options."""


def hint(backend: str) -> str:
    """Return what helps with a *backend* that is not supported: some say ``postgres``, which SQLAlchemy gave up."""
    return ": say postgresql://" if backend == "postgres" else ""


def _require_driver(given: Any) -> None:
    if not isinstance(given, sa.Engine):
        problem = "must be a URL or a SQLAlchemy Engine; AsyncAuthflow takes an AsyncEngine"
        raise ConfigInvalid(setting="database", problem=problem)
    found = f"{given.dialect.name}+{given.dialect.driver}"
    if found not in ENGINES:
        problem = f"is an engine on {found}; an engine may run on {', '.join(ENGINES)}"
        raise ConfigInvalid(setting="database", problem=problem)


def _created(url: sa.URL, backend: str) -> sa.Engine:
    if backend not in DRIVERS:
        raise ConfigInvalid(setting="database", problem=f"{backend} is not supported{hint(backend)}")
    if url.drivername not in SAME[backend]:
        raise ConfigInvalid(setting="database", problem=f"must name no other driver than {DRIVERS[backend]}")
    driven = url.set(drivername=DRIVERS[backend])
    try:
        # Parameters stay out of errors and logs: addresses are among them.
        engine = sa.create_engine(driven, hide_parameters=True)
    except ImportError as error:
        raise ExtraMissing(extra=EXTRAS[backend]) from error
    engine.dialect.create_connect_args(engine.url)  # reads what the driver would read only when it connects
    return engine


def prepare_sqlite(engine: sa.Engine) -> None:
    """Give a SQLite *engine* the settings that the unit of work relies on."""
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_immediate)


PRAGMAS: Final = (
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
)


def _set_pragmas(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    run: Callable[[str], object] = connection.execute
    for pragma in PRAGMAS:
        run(f"PRAGMA {pragma}")


def _set_timeouts(connection: Any, _record: object) -> None:
    connection.autocommit = True  # a setting made in a transaction would go with its rollback
    with closing(connection.cursor()) as cursor:  # psycopg2's connection executes nothing itself
        cursor.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
    connection.autocommit = False


def _begin_immediate(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get(READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
