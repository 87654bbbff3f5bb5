"""The one seam to the database: `Connection.run`. No driver error gets past it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from authflow.adapters.sql.autocommit import commits_by_itself, driver_begins, in_transaction
from authflow.adapters.sql.guard import LOG, UNFOUND
from authflow.adapters.sql.rows import Result
from authflow.adapters.sql.tap import Kind
from authflow.adapters.sql.wire_pipeline import Unsent, WirePipeline, finding
from authflow.errors import CommitUnknown, DatabaseUnavailable, NotInUnitOfWork, Retryable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import sqlalchemy as sa

    from authflow.adapters.sql.guard import Guard
    from authflow.adapters.sql.prepared import Parameters, Plan, Prepared
    from authflow.adapters.sql.rows import Row

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False)
class Connection:
    """A DB-API connection inside a transaction; repositories see nothing else of the database.

    After a failed statement PostgreSQL refuses everything up to the end of the savepoint or transaction, and turns
    COMMIT into a silent ROLLBACK; SQLite has ended the transaction itself after some errors, and would write what
    follows at once. So a connection that has failed, as its *guard* knows, runs nothing, and the unit of work does not
    commit it. One that is lost is gone, or nobody knows what it still expects: not even a rollback can be sent.

    One that *reads only* is in no transaction: what each statement finds is true when it is asked for.

    Where the driver has a *pipeline*, BEGIN and what is executed `later` wait for the next statement that is waited
    for, or for COMMIT, and travel with it. Nothing overtakes anything, unless somebody used *raw* or *cursor* directly.
    """

    raw: Any
    cursor: Any
    prepared: Prepared
    guard: Guard
    pipeline: WirePipeline | None = None
    reads_only: bool = False
    _depth: int = 0
    _unsent: list[str] = attrs.field(factory=list[str], init=False)
    _waiting: list[Unsent] = attrs.field(factory=list[Unsent], init=False)

    @property
    def dialect(self) -> str:
        """The name of the database: ``sqlite``, ``postgresql`` or ``mariadb``."""
        return self.prepared.dialect.name

    @property
    def alone(self) -> bool:
        """Tell whether nobody else writes anything before this transaction ends, so that what was read stays true."""
        return self.dialect == "sqlite"

    def run(self, statement: sa.Executable, parameters: Parameters | None = None) -> Result:
        """Execute *statement* with *parameters*; a sequence of mappings is one multi-row INSERT.

        Raises:
            UniqueViolated: A uniqueness rule of the domain refused a row.
            DatabaseError: Its subclass says what the installation has to do.
        """
        self.guard.require_sound()
        rows: list[Row] = []
        changed = 0
        for plan, values in self._plans(statement, {} if parameters is None else parameters):
            if not plan.only_reads:
                self._before_writing()
            answered, counted = self._ask(Kind.STATEMENT, plan.text, partial(self._answered, plan, values))
            rows.extend(answered)
            changed += counted
        return Result(rows, changed)

    def later(self, statement: sa.Executable, parameters: Parameters | None = None, *, one: bool = False) -> None:
        """Execute *statement*, which answers nothing that anybody waits for: no rows, no count, no rule of the domain.

        What it meets with may be raised by whatever is executed next, or by the commit.

        Args:
            statement: What is executed.
            parameters: Its own, or those of each row.
            one: It is an UPDATE or DELETE by the key of a row that is held, and has to find it: else nothing is
                committed.

        Raises:
            Retryable: Somebody has changed or removed the *one* row without asking who holds it.
        """
        if self.pipeline is None:
            changed = self.run(statement, parameters).rowcount
            if one and not changed:
                self.guard.failed = True  # as where the database itself refuses
                raise Retryable(UNFOUND)
            return
        self.guard.require_sound()
        self._before_writing()
        self.guard.finding = self.guard.finding or one
        for plan, values in self._plans(statement, {} if parameters is None else parameters):
            bound = self.guard.do(partial(plan.bind, values))
            self._waiting.append(Unsent(Kind.STATEMENT, finding(plan.text) if one else plan.text, bound))

    def soon(self, statement: sa.Executable, parameters: Mapping[str, Any]) -> Callable[[], Result]:
        """Execute *statement* with whatever is executed next, and return what gives its answer, once.

        Statements that are asked soon share one trip; where nothing shares a trip, each of them is executed at once.
        """
        if self.pipeline is None:
            answer = self.run(statement, parameters)
            return lambda: answer
        self.guard.require_sound()
        [(plan, values)] = self._plans(statement, parameters)
        if not plan.only_reads:
            self._before_writing()
        unsent = self.guard.do(lambda: Unsent(Kind.STATEMENT, plan.text, plan.bind(values), self.raw.cursor()))
        self._waiting.append(unsent)
        return partial(self._arrived, unsent, plan)

    def _arrived(self, unsent: Unsent, plan: Plan) -> Result:
        if unsent in self._waiting:
            self._settle()
        self.guard.require_sound()
        return self.guard.do(lambda: Result(plan.reader.read(unsent.cursor), unsent.cursor.rowcount))

    def changed(self, statement: sa.Executable, parameters: Parameters | None = None) -> int:
        """Execute a plain UPDATE or DELETE and return how many rows it changed. Single use is decided here."""
        return self.run(statement, parameters).rowcount

    # --- steps of a transaction

    def begin(self) -> None:
        """Begin a transaction, on SQLite as a writer; the drivers of servers begin with the first statement."""
        if self.dialect != "sqlite":
            self.guard.tell(Kind.BEGIN, "BEGIN", _nothing)
            ours = None if self.pipeline is None else self.pipeline.begin()
            self._waiting.extend([] if ours is None else [Unsent(None, ours)])
        elif not in_transaction(self.raw):
            self._send(Kind.BEGIN, "BEGIN IMMEDIATE")

    def look(self) -> None:
        """Begin nothing, and refuse whatever writes or locks; a driver that begins by itself does so."""
        self.reads_only = True
        if self.pipeline is not None:
            self.pipeline.take_over()

    def commit(self) -> None:
        """Commit the transaction.

        Raises:
            CommitUnknown: The connection was lost meanwhile.
            DatabaseError: The database refused; nothing is kept.
        """
        self.guard.require_sound()
        if [unsent.kind for unsent in self._waiting] == [None]:
            self._waiting.clear()  # nothing was done
        text = bool(self._waiting) or (self.dialect == "sqlite" and not driver_begins(self.raw))
        # As text where SQLite may have rolled back: the driver's own would do nothing then.
        commit = self._sent_alone() or (partial(self.cursor.execute, "COMMIT") if text else self.raw.commit)
        with self._trip() as arrive:
            try:
                self.guard.tell(Kind.COMMIT, "COMMIT", lambda: (commit(), arrive()))
            except DatabaseUnavailable as error:
                if self.pipeline is not None and self.pipeline.answered(error.__cause__):
                    raise  # it said no, and nothing is kept
                raise CommitUnknown from error.__cause__ or error

    def _sent_alone(self) -> Callable[[], object] | None:
        """Take the only statement of a transaction of which nothing was sent, and return what sends it; else none.

        By itself it is a transaction, without BEGIN and COMMIT.
        """
        match self._waiting:
            case [Unsent(kind=None, text="BEGIN"), Unsent(kind=Kind.STATEMENT, cursor=None) as only]:
                self._waiting.clear()
                self.guard.tell(Kind.STATEMENT, only.text, _nothing)
                return partial(self.cursor.execute, only.text, only.bound)
            case _:
                return None

    def rollback(self) -> None:
        """Undo everything. It raises nothing: whoever rolls back has a reason, and that one goes on."""
        if self.guard.lost or self._in_none():
            return
        try:
            if self.dialect == "sqlite" and not driver_begins(self.raw):
                self._send(Kind.ROLLBACK, "ROLLBACK")
            else:
                self.guard.tell(Kind.ROLLBACK, "ROLLBACK", self.raw.rollback)
        except Exception:  # noqa: BLE001  # whatever it is, nothing more can be undone
            LOG.debug("the rollback failed; the connection is given up", exc_info=True)
            self.guard.lost = True

    def _in_none(self) -> bool:
        if self.dialect == "sqlite":
            return not in_transaction(self.raw)
        return self.reads_only and commits_by_itself(self.raw, self.dialect)

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Undo what the block wrote if it fails; then the connection is sound again, and the exception goes on.

        It is sent in front of the first statement of the block that writes or locks, and with it where there is a
        pipeline: whatever only reads leaves nothing to be undone. A read that fails is undone by nothing but the end
        of the transaction.
        """
        self.guard.require_sound()
        name = f"SAVEPOINT authflow_{self._depth}"
        self._settle()  # what fails of these has nothing to do with the block
        self._unsent.append(name)
        self._depth += 1
        try:
            yield
            self._settle()
            self.guard.require_sound()
        except BaseException:
            if not self._never_sent(name):
                self._undo(name)
            raise
        finally:
            self._depth -= 1
        if self._never_sent(name):
            return
        if self.pipeline is None:
            self._send(Kind.RELEASE, f"RELEASE {name}")
        else:  # it cannot fail: everything inside was answered
            self._waiting.append(Unsent(Kind.RELEASE, f"RELEASE {name}"))

    def _before_writing(self) -> None:
        """Send the savepoints that were asked for, in front of whatever is sent next; they cannot fail themselves.

        Raises:
            NotInUnitOfWork: Here is only read.
        """
        if self.reads_only:
            raise NotInUnitOfWork
        unsent, self._unsent = self._unsent, []
        for text in unsent:
            if self.pipeline is None:
                self._send(Kind.SAVEPOINT, text)
            else:
                self._waiting.append(Unsent(Kind.SAVEPOINT, text))

    def _never_sent(self, name: str) -> bool:
        """Tell whether nothing has needed the innermost savepoint, which is called *name*, and forget it then."""
        if name not in self._unsent:
            return False
        self._unsent.remove(name)
        return True

    def _undo(self, name: str) -> None:
        """Go back to the savepoint *name*. Where that fails, the transaction is gone, and the first reason goes on."""
        waiting = [unsent.text for unsent in self._waiting]
        sent = name not in waiting
        del self._waiting[0 if sent else waiting.index(name) :]
        if self.guard.lost:
            return
        if not sent:  # nor anything else of the block
            self.guard.failed = False
            return
        try:
            self._send(Kind.ROLLBACK_TO, f"ROLLBACK TO {name}")
        except Exception:  # noqa: BLE001  # whatever it is, the first reason goes on
            LOG.debug("the savepoint is gone, and the transaction with it", exc_info=True)
        else:
            self.guard.failed = False

    # --- the driver

    def _plans(self, statement: sa.Executable, parameters: Parameters) -> list[tuple[Plan, Mapping[str, Any]]]:
        return self.guard.do(partial(self.prepared.plans, statement, parameters))

    def _answered(self, plan: Plan, values: Mapping[str, Any], arrive: Callable[[], None]) -> tuple[list[Row], int]:
        cursor = self.cursor
        cursor.execute(plan.text, plan.bind(values))
        arrive()
        return plan.reader.read(cursor), cursor.rowcount

    def _send(self, kind: Kind, text: str) -> None:
        def send(arrive: Callable[[], None]) -> None:
            self.cursor.execute(text)
            arrive()

        self._ask(kind, text, send)

    def _ask(self, kind: Kind, text: str, work: Callable[[Callable[[], None]], T]) -> T:
        """Let *work* send something behind what waits; it is given how to wait for all of it, and reads the answer."""
        if not self._waiting:
            return self.guard.tell(kind, text, partial(work, _nothing))
        with self._trip() as arrive:
            return self.guard.tell(kind, text, partial(work, arrive))

    def _settle(self) -> None:
        """Wait for every answer that may be an error: those of statements."""
        if any(unsent.kind is Kind.STATEMENT for unsent in self._waiting):
            with self._trip() as arrive:
                self.guard.do(arrive)

    @contextmanager
    def _trip(self) -> Generator[Callable[[], None]]:
        """Send what waits, and what the block sends; waiting for every answer is what the block is given to do."""
        with ExitStack() as trip:
            if self._waiting and self.pipeline is not None:
                waiting, self._waiting = self._waiting, []
                trip.enter_context(self.pipeline.together())
                for unsent in waiting:
                    send = partial((unsent.cursor or self.cursor).execute, unsent.text, unsent.bound)
                    do = self.guard.do if unsent.kind is None else partial(self.guard.tell, unsent.kind, unsent.text)
                    do(send)
            yield trip.close


def _nothing() -> None:
    """Do nothing: the driver sends it by itself, or nothing has to arrive that did not come with the answer."""
