"""The unit of work in SQL: one connection, one transaction, joins and savepoints."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from authflow.adapters.counting import Counted
from authflow.adapters.current import Current
from authflow.adapters.sql.connection import Bracket, Connection, Rules
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.transaction import SqlTransaction, Statements
from authflow.errors import NotInUnitOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import sqlalchemy as sa

    from authflow.adapters.sql.hosted import OrganizationTable, UserTable
    from authflow.adapters.sql.people import OrganizationsFactory, UsersFactory
    from authflow.adapters.sql.tables import Tables

T = TypeVar("T")


class SqlUnitOfWork:
    """`authflow.ports.UnitOfWork` on an engine of its own.

    Args:
        engine: From `authflow.adapters.sql.engine.make_engine`, or the host's; a SQLite engine of the host needs
            `prepare_sqlite`.
        tables: From `authflow.adapters.sql.tables.build`; every statement is built from them here, once.
        users: The host's table of people, or a function that makes its ``Users`` from a `Connection`; else ours.
        organizations: Likewise.
    """

    def __init__(
        self,
        engine: sa.Engine,
        tables: Tables | None = None,
        *,
        users: UserTable | UsersFactory | None = None,
        organizations: OrganizationTable | OrganizationsFactory | None = None,
    ) -> None:
        self.engine = engine
        self.tables = tables or build()
        self._rules = Rules.of(self.tables.metadata)
        self._statements = Statements.of(self.tables, engine.dialect.name, users=users, organizations=organizations)
        self._current: Current[SqlTransaction] = Current()

    @contextmanager
    def begin(self) -> Generator[SqlTransaction]:
        """Open a transaction, or join the one that is open here."""
        joined = self._current.get()
        if joined is not None:
            yield joined
            return
        counted = Counted()
        try:
            with self._transaction(counted) as tx:
                yield tx
        except BaseException:
            if counted.mark():
                with self._transaction(Counted()) as again:
                    counted.repeat(again)
            raise

    @contextmanager
    def _transaction(self, counted: Counted) -> Generator[SqlTransaction]:
        with Bracket(self.engine.begin(), self._rules) as raw:
            tx = SqlTransaction(Connection(raw=raw, rules=self._rules), self._statements, counted)
            with self._current.holding(tx):
                yield tx
            tx.connection.require_sound()

    def run(self, work: Callable[[], T]) -> T:
        """Do the whole command *work* in one transaction."""
        with self.begin():
            return work()

    def require_counters(self) -> None:
        """Every count outlives a rollback here."""

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Undo what is written inside if it fails; counts stay."""
        tx = self._current.get()
        if tx is None:
            raise NotInUnitOfWork
        mark = tx.counted.mark()
        try:
            with tx.connection.savepoint():
                yield
        except BaseException:
            tx.bind()
            if not tx.connection.failed:  # else the whole transaction is lost, and `begin` counts again
                tx.counted.repeat(tx, since=mark)
            raise
