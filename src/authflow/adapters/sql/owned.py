"""Transactions of our own, on pooled connections: begun, committed and rolled back here."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from authflow.adapters.sql.autocommit import commits_by_itself
from authflow.adapters.sql.connection import Connection
from authflow.adapters.sql.faults import translated
from authflow.adapters.sql.guard import LOG, Guard
from authflow.adapters.sql.wire_pipeline import wire_pipeline_of
from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import sqlalchemy as sa
    from sqlalchemy import pool
    from sqlalchemy.engine.interfaces import IsolationLevel

    from authflow.adapters.sql.faults import Rules
    from authflow.adapters.sql.prepared import Prepared
    from authflow.adapters.sql.tap import Tap


def isolation_of(engine: sa.Engine) -> IsolationLevel | None:
    """Return the isolation level that was chosen for *engine* by its execution options, or none."""
    chosen: IsolationLevel | None = engine.get_execution_options().get("isolation_level")
    return chosen


@attrs.frozen(kw_only=True)
class Source:
    """Where transactions of our own come from.

    Args:
        connect: Lends a connection of a pool.
        prepared: The statements, as its driver runs them.
        rules: What a violated constraint is called.
        isolation: Set on each connection while it is lent, or none for the engine's own.
        secure: Makes the next transaction of a connection safe, where its session was not set up for us.
    """

    connect: Callable[[], pool.PoolProxiedConnection]
    prepared: Prepared
    rules: Rules
    isolation: IsolationLevel | None = None
    secure: Callable[[Any], None] | None = None

    @contextmanager
    def transaction(self, tap: Tap | None) -> Generator[Connection]:
        """Open a transaction: leaving the block without an error commits, anything else rolls back.

        Raises:
            ConfigInvalid: The engine commits every statement by itself.
            DatabaseError: It cannot be begun or committed; its subclass says why.
        """
        with self._lent(tap) as connection:
            try:
                connection.begin()
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    @contextmanager
    def look(self, tap: Tap | None) -> Generator[Connection]:
        """Lend a connection on which is only read, in no transaction: on SQLite it waits for no writer.

        Raises:
            ConfigInvalid: As for `transaction`.
            DatabaseError: There is no connection; its subclass says why.
        """
        with self._lent(tap) as connection:
            try:
                connection.look()
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def _lent(self, tap: Tap | None) -> Generator[Connection]:
        with translated(self.rules, self.prepared.driver):
            lent = self.connect()
        connection: Connection | None = None
        try:
            connection = self._connection(lent.dbapi_connection, tap)
            yield connection
        finally:
            self._give_back(lent, connection)

    def _connection(self, raw: Any, tap: Tap | None) -> Connection:
        with translated(self.rules, self.prepared.driver):
            dialect = self.prepared.dialect
            if self.isolation is not None:
                dialect.set_isolation_level(raw, self.isolation)
            if dialect.name != "sqlite" and commits_by_itself(raw, dialect.name):  # there BEGIN is sent by hand
                raise ConfigInvalid(setting="database", problem="must not commit every statement by itself")
            if self.secure is not None:
                self.secure(raw)
            return Connection(
                raw=raw,
                cursor=raw.cursor(),
                prepared=self.prepared,
                guard=Guard(driver=self.prepared.driver, rules=self.rules, tap=tap),
                pipeline=wire_pipeline_of(raw),
            )

    def _give_back(self, lent: pool.PoolProxiedConnection, connection: Connection | None) -> None:
        """Give *lent* back to its pool; one that may be dead, or that never became usable, is thrown away.

        It raises nothing: the transaction is over, and its caller hears how it ended.
        """
        if connection is None or connection.guard.lost or not self._restored(connection):
            lent.invalidate()
        else:
            lent.close()

    def _restored(self, connection: Connection) -> bool:
        """Leave *connection* as it was found; false if it is of no more use."""
        try:
            connection.cursor.close()
            if connection.pipeline is not None:
                connection.pipeline.end()
            if self.isolation is not None:
                self.prepared.dialect.reset_isolation_level(connection.raw)
        except Exception:  # noqa: BLE001  # whatever it is, the transaction is over
            LOG.debug("the connection did not outlive its transaction, and is given up", exc_info=True)
            return False
        return True
