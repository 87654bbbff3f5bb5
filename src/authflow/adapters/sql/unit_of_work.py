"""The unit of work in SQL: one connection, one transaction, joins and savepoints."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.util.concurrency import await_

from authflow.adapters.counted import Counted
from authflow.adapters.current import Current
from authflow.adapters.retrying import Retry
from authflow.adapters.sql.borrowed import host_of, lend
from authflow.adapters.sql.counting_apart import Apart, counter_pool
from authflow.adapters.sql.engine import safety_of
from authflow.adapters.sql.faults import Rules
from authflow.adapters.sql.owned import Source, isolation_of
from authflow.adapters.sql.prepared import Prepared
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.transaction import SqlTransaction, Statements
from authflow.errors import CommitUnknown, InUnitOfWork, NotInUnitOfWork, NotOwned, SharedElsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    import sqlalchemy as sa
    from sqlalchemy.engine.interfaces import Dialect

    from authflow.adapters.sql.borrowed import Host
    from authflow.adapters.sql.hosted import OrganizationTable, UserTable
    from authflow.adapters.sql.people import OrganizationsFactory, RegistrarFactory, UsersFactory
    from authflow.adapters.sql.tables import Tables
    from authflow.adapters.sql.tap import Tap

T = TypeVar("T")


class SqlUnitOfWork:
    """`authflow.ports.UnitOfWork` on an engine.

    Args:
        engine: From `authflow.adapters.sql.engine.make_engine`, or the host's, best prepared by
            `authflow.adapters.sql.engine.prepare`; if not, each transaction is made safe by itself.
        tables: From `authflow.adapters.sql.tables.build`; every statement is built from them here, once.
        users: The host's table of people, or a function that makes its ``Users`` from a `Connection`; else ours.
        organizations: Likewise.
        registrar: A function that makes the host's `authflow.sso.ports.Registrar` from a `Connection`. Without one,
            accounts are made in our own table of people, and in a host's not at all.
        tap: Told of every statement; may be changed between transactions.
        retry: How often a command is tried that lost to another one.

    Raises:
        ConfigInvalid: The engine is of a kind that is not supported; by the first transaction, too, if it commits
            every statement by itself.
    """

    def __init__(
        self,
        engine: sa.Engine,
        tables: Tables | None = None,
        *,
        users: UserTable | UsersFactory | None = None,
        organizations: OrganizationTable | OrganizationsFactory | None = None,
        registrar: RegistrarFactory | None = None,
        tap: Tap | None = None,
        retry: Retry | None = None,
    ) -> None:
        self.engine = engine
        self.tables = tables or build()
        self.tap = tap
        self._retry = retry or Retry()
        self._rules = Rules.of(self.tables.metadata)
        self._statements = Statements.of(
            self.tables, engine.dialect.name, users=users, organizations=organizations, registrar=registrar
        )
        self._prepared: dict[str, Prepared] = {}
        self._current: Current[SqlTransaction] = Current()
        self._host: Current[Host] = Current()
        prepared = self._prepared_for(engine.dialect)
        source = partial(Source, prepared=prepared, rules=self._rules, secure=safety_of(engine))
        self._source = source(connect=engine.raw_connection, isolation=isolation_of(engine))
        # SQLite has one writer at a time: a second connection would wait for the first one for ever.
        apart = engine.dialect.name != "sqlite"
        self._counters = source(connect=counter_pool(engine).connect) if apart else None

    def begin(self) -> AbstractContextManager[SqlTransaction]:
        """Open a transaction, or join the one that is open here."""
        joined = self._current.get()
        return self._begun() if joined is None else nullcontext(joined)

    @contextmanager
    def _begun(self) -> Generator[SqlTransaction]:
        host, apart = self._shared(), self._apart()
        if host is not None:
            with self._borrowed(host, apart) as tx:
                yield tx
            return
        counted = Counted()
        with self._repeating(lambda: counted), self._owned(counted, apart=apart, kept=apart is not None) as tx:
            yield tx

    def run(self, work: Callable[[], T]) -> T:
        """Do the whole command *work* in one transaction, again if it lost to another one."""
        if self._current.get() is not None or self._shared() is not None:
            with self.begin():
                return work()
        tries: list[Counted] = []

        def attempt() -> T:
            tries.append(Counted())
            with self._owned(tries[-1], kept=True):
                return work()

        with self._repeating(lambda: tries[-1]):
            return self._retry.call(attempt, sleep=self._sleep)

    def look(self, work: Callable[[], T]) -> T:
        """Do *work*, which only reads, in no transaction of its own: every statement is one."""
        if self._current.get() is not None or self._shared() is not None:
            with self.begin():
                return work()

        def attempt() -> T:
            with self._source.look(self.tap) as connection:
                tx = SqlTransaction(connection, self._statements, Counted())
                with self._current.holding(tx):
                    found = work()
                    tx.flush()
                    return found

        return self._retry.call(attempt, sleep=self._sleep)

    @contextmanager
    def within(self, host: object) -> Generator[None]:
        """Let the transactions begun in the block be savepoints of the transaction that *host* has open.

        Raises:
            ConfigInvalid: *host* is nothing of the kind.
            InUnitOfWork: One of our own is open here.
            SharedElsewhere: At the end, if no command in the block could have seen it.
        """
        if self._current.get() is not None:
            raise InUnitOfWork
        with self._host.holding(host_of(host, self.engine.dialect)) as seen:
            yield
            if not seen():
                raise SharedElsewhere

    def _shared(self) -> Host | None:
        """Return whose transaction is shared here, or none; a command that only seems to be inside must not commit."""
        if self._host.elsewhere():
            raise SharedElsewhere
        return self._host.get()

    def require_counters(self) -> None:
        """Refuse to compare guesses where the host could undo their count."""
        tx = self._current.get()
        kept = tx.kept if tx is not None else self._shared() is None or self._counters is not None
        if not kept:
            raise NotOwned

    def require_closed(self) -> None:
        """Refuse what must not run inside a transaction, be it ours or a host's."""
        if self._current.get() is not None or self._shared() is not None:
            raise InUnitOfWork

    def outside(self, work: Callable[[], T]) -> T:
        """Do *work* with no transaction open; under the async face in a thread, so that it holds nobody else up."""
        self.require_closed()
        return await_(asyncio.to_thread(work)) if self.engine.dialect.is_async else work()

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Undo what is written inside if it fails; counts stay."""
        tx = self._current.get()
        if tx is None:
            raise NotInUnitOfWork
        tx.flush_counts()
        with _counts_staying(tx), tx.connection.savepoint():
            yield
            tx.flush_counts()

    # --- transactions

    @contextmanager
    def _owned(self, counted: Counted, *, kept: bool, apart: Apart | None = None) -> Generator[SqlTransaction]:
        committing = False
        try:
            with self._source.transaction(self.tap) as connection:
                tx = SqlTransaction(connection, self._statements, counted, apart=apart, kept=kept)
                with self._current.holding(tx):
                    yield tx
                    tx.flush()
                committing = True
        except BaseException as error:
            if committing and (isinstance(error, CommitUnknown) or not isinstance(error, Exception)):
                counted.forget()  # cut off or interrupted: what was counted stands or falls with what was done
            raise

    @contextmanager
    def _borrowed(self, host: Host, apart: Apart | None) -> Generator[SqlTransaction]:
        with lend(host, self._prepared_for, self._rules, self.tap) as connection:
            tx = SqlTransaction(connection, self._statements, Counted(), apart=apart, kept=apart is not None)
            with _counts_staying(tx), connection.savepoint(), self._current.holding(tx):
                yield tx
                tx.flush()

    def _prepared_for(self, dialect: Dialect) -> Prepared:
        return self._prepared.setdefault(f"{dialect.name}+{dialect.driver}", Prepared(dialect))

    # --- counts

    @contextmanager
    def _repeating(self, counted: Callable[[], Counted]) -> Generator[None]:
        """Count again what a transaction counted that was rolled back."""
        try:
            yield
        except BaseException:
            if counted().mark():
                self._retry.call(lambda: self._repeat(counted()), sleep=self._sleep)
            raise

    def _repeat(self, counted: Counted) -> None:
        with self._owned(Counted(), kept=True) as again:
            counted.repeat(again)

    def _apart(self) -> Apart | None:
        return None if self._counters is None else Apart(partial(self._count, self._counters))

    def _count(self, counters: Source, work: Callable[[SqlTransaction], Any]) -> Any:
        def attempt() -> Any:
            with counters.transaction(self.tap) as connection:
                tx = SqlTransaction(connection, self._statements, Counted())
                done = work(tx)
                tx.flush()
                return done

        return self._retry.call(attempt, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        if self.engine.dialect.is_async:
            await_(asyncio.sleep(seconds))
        else:
            time.sleep(seconds)


@contextmanager
def _counts_staying(tx: SqlTransaction) -> Generator[None]:
    """Count again, in the same transaction, what was undone with a savepoint; what was kept back before it stays so."""
    mark, kept = tx.counted.mark(), tx.unwritten()
    try:
        yield
    except BaseException:
        tx.undone(kept)
        if not tx.connection.guard.failed:  # else the whole transaction is lost, and its outermost block counts again
            tx.counted.repeat(tx, since=mark)
            tx.flush_counts()
        raise
