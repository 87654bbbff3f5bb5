"""A host's own transaction: its connection, borrowed for as long as one of our savepoints lasts."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import attrs
import sqlalchemy as sa
from sqlalchemy import exc, orm

from authflow.adapters.sql.autocommit import commits_by_itself
from authflow.adapters.sql.connection import Connection
from authflow.adapters.sql.faults import translated
from authflow.adapters.sql.guard import LOG, Guard
from authflow.errors import ConfigInvalid, NoTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy.engine.interfaces import Dialect

    from authflow.adapters.sql.faults import Rules
    from authflow.adapters.sql.prepared import Prepared
    from authflow.adapters.sql.tap import Tap

BARE: Final = {
    "sqlite3": "sqlite+pysqlite",
    "psycopg": "postgresql+psycopg",
    "psycopg2": "postgresql+psycopg2",
    "pymysql": "mariadb+pymysql",
    "MySQLdb": "mariadb+mysqldb",
}
"""The DB-API modules whose connections may be shared as they are, and what SQLAlchemy calls them."""


@attrs.frozen
class Lent:
    """The DB-API connection on which a host's transaction is open."""

    raw: Any
    dialect: Dialect
    give_up: Callable[[], object]
    """Ends the connection, and the transaction with it: whoever commits it after that meets an error."""


class Host(Protocol):
    """Whose transaction it is."""

    def borrow(self) -> Lent:
        """Return the connection on which the host's transaction is open or begins now."""
        ...

    def flush(self) -> None:
        """Send what the host holds back. What its database answers is the host's to understand, and raised as it is."""
        ...


@attrs.frozen
class ConnectionHost:
    """A SQLAlchemy ``Connection``, which begins a transaction as it does by itself."""

    connection: sa.Connection

    def borrow(self) -> Lent:
        if not self.connection.in_transaction():
            self.connection.begin()
        raw = self.connection.connection.dbapi_connection
        return Lent(raw, self.connection.dialect, self.connection.invalidate)

    def flush(self) -> None:
        """Do nothing: it sends everything at once."""


@attrs.frozen
class SessionHost:
    """A SQLAlchemy ``Session``: what it holds back is sent first, so that our statements find it."""

    session: Callable[[], orm.Session]
    database: Dialect

    def borrow(self) -> Lent:
        session = self.session()
        try:
            bound = session.get_bind()
        except exc.UnboundExecutionError as error:
            raise ConfigInvalid(setting="host", problem="is bound to no database") from error
        _require_same(bound.dialect, self.database)
        return ConnectionHost(session.connection()).borrow()

    def flush(self) -> None:
        self.session().flush()


@attrs.frozen
class BareHost:
    """A DB-API connection without SQLAlchemy, as Django has one."""

    raw: Any
    dialect: Dialect

    def borrow(self) -> Lent:
        return Lent(self.raw, self.dialect, self.raw.close)

    def flush(self) -> None:
        """Do nothing: it sends everything at once."""


def host_of(host: Any, database: Dialect) -> Host:
    """Return *host* as something that lends its connection.

    Args:
        host: What the host has given.
        database: What the installation runs on.

    Raises:
        ConfigInvalid: It is nothing that can be shared, or of another kind of database.
    """
    sync = _sync_half(host)
    if isinstance(sync, sa.Connection):
        _require_same(sync.dialect, database)
        return ConnectionHost(sync)
    if isinstance(sync, orm.Session):
        return SessionHost(lambda: sync, database)
    if isinstance(sync, orm.scoped_session):
        return SessionHost(cast("Callable[[], orm.Session]", sync), database)
    dialect = _dialect_of(sync, database)
    if dialect is None:
        problem = "must be a SQLAlchemy connection or session, or a connection of " + ", ".join(BARE)
        raise ConfigInvalid(setting="host", problem=problem)
    _require_same(dialect, database)
    return BareHost(sync, dialect)


@contextmanager
def lend(host: Host, prepared: Callable[[Dialect], Prepared], rules: Rules, tap: Tap | None) -> Generator[Connection]:
    """Lend the connection of *host* to the block, inside its transaction.

    Where the block leaves it lost (a cancelled task, a dead server), our savepoint could not be undone, and the
    connection is given up, as SQLAlchemy does with one of its own: the host must not commit half a command.

    Raises:
        ConfigInvalid: It is of another kind of database.
        NoTransaction: Nobody would commit it.
        DatabaseError: Its database is gone, or cannot be used.
        Exception: Whatever the host's own pending writes met with.
    """
    with translated(rules):
        lent = host.borrow()
    host.flush()
    ready = prepared(lent.dialect)
    with translated(rules, ready.driver):
        if commits_by_itself(lent.raw, lent.dialect.name):
            raise NoTransaction
        cursor = _cursor(lent.raw)
    connection = Connection(
        raw=lent.raw, cursor=cursor, prepared=ready, guard=Guard(driver=ready.driver, rules=rules, tap=tap)
    )
    try:
        if lent.dialect.name == "sqlite":
            # A savepoint outside of a transaction would be one, and the host's rollback would not undo it.
            connection.begin()
        yield connection
    finally:
        _give_back(lent, connection)


def _give_back(lent: Lent, connection: Connection) -> None:
    """Close our cursor, on which a statement may still run and hinder the host's commit; give up what is lost."""
    try:
        connection.cursor.close()
    except BaseException as error:
        connection.guard.lost = True
        if not isinstance(error, Exception):
            raise
    finally:
        if connection.guard.lost:
            _give_up(lent)


def _give_up(lent: Lent) -> None:
    """End the connection. One that cannot even be closed is closed already: whatever ended the block goes on."""
    try:
        lent.give_up()
    except Exception:  # noqa: BLE001  # whatever it is, it is no news to the host
        LOG.debug("the host's connection was closed already", exc_info=True)


def _sync_half(host: Any) -> Any:
    # Whoever has anything of this module has loaded it. It needs greenlet, which the extra `sql` does not bring.
    asynchronous: Any = sys.modules.get("sqlalchemy.ext.asyncio")
    if asynchronous is None:
        return host
    given: Any = host() if isinstance(host, asynchronous.async_scoped_session) else host
    if isinstance(given, asynchronous.AsyncSession):
        return given.sync_session
    return given.sync_connection if isinstance(given, asynchronous.AsyncConnection) else given


def _dialect_of(raw: Any, database: Dialect) -> Dialect | None:
    """Return the dialect that speaks through *raw*: the installation's own, if it has the same driver."""
    kinds = {kind.__module__.partition(".")[0] for kind in type(raw).__mro__}
    name = next((name for module, name in BARE.items() if module in kinds), None)
    if name is None or not callable(getattr(raw, "cursor", None)) or type(raw).__name__.startswith("Async"):
        return None
    if f"{database.name}+{database.driver}" == name:
        return database
    kind: Any = sa.make_url(f"{name}://").get_dialect()
    dialect: Dialect = kind(dbapi=kind.import_dbapi())
    return dialect


def _require_same(dialect: Dialect, database: Dialect) -> None:
    if dialect.name.replace("mysql", "mariadb") != database.name.replace("mysql", "mariadb"):
        problem = f"is a {dialect.name} connection, and the tables are in {database.name}"
        raise ConfigInvalid(setting="host", problem=problem)


def _cursor(raw: Any) -> Any:
    """Return a cursor that gives plain rows, whatever the host has chosen for its own."""
    modules = {kind.__module__.partition(".")[0] for kind in type(raw).__mro__}
    if "psycopg" in modules:
        return raw.cursor(row_factory=import_module("psycopg.rows").tuple_row)
    if "psycopg2" in modules:
        return raw.cursor(cursor_factory=import_module("psycopg2.extensions").cursor)
    for module in modules & {"pymysql", "MySQLdb"}:
        return raw.cursor(import_module(f"{module}.cursors").Cursor)
    cursor = raw.cursor()
    if "sqlite3" in modules:
        cursor.row_factory = None
    return cursor
