"""The one seam to the database: `Connection.run`. No driver error gets past it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from authflow.adapters.sql.autocommit import in_transaction
from authflow.adapters.sql.faults import fault_of
from authflow.adapters.sql.rows import Result
from authflow.adapters.sql.tap import Event, Kind
from authflow.errors import CommitUnknown, DatabaseError, DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    import sqlalchemy as sa

    from authflow.adapters.sql.faults import Rules
    from authflow.adapters.sql.prepared import Parameters, Plan, Prepared
    from authflow.adapters.sql.rows import Row
    from authflow.adapters.sql.tap import Tap

T = TypeVar("T")

LOG: Final = logging.getLogger("authflow.sql")
"""Hears the text of every statement at DEBUG, and never a parameter."""


@attrs.define(kw_only=True, eq=False)
class Connection:
    """A DB-API connection inside a transaction; repositories see nothing else of the database.

    After a failed statement PostgreSQL refuses everything up to the end of the savepoint or transaction, and turns
    COMMIT into a silent ROLLBACK; SQLite has ended the transaction itself after some errors, and would write what
    follows at once. So a *failed* connection runs nothing, and the unit of work does not commit it. A *lost* one is
    gone, or nobody knows what it still expects: not even a rollback can be sent.
    """

    raw: Any
    cursor: Any
    prepared: Prepared
    rules: Rules
    tap: Tap | None = None
    failed: bool = False
    lost: bool = False
    _depth: int = 0
    _unsent: list[str] = attrs.field(factory=list[str], init=False)

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
        self.require_sound()
        rows: list[Row] = []
        changed = 0
        for plan, values in self._plans(statement, {} if parameters is None else parameters):
            if self._unsent and not _only_reads(plan.text):
                self._send_savepoints()
            answered, counted = self._do(Kind.STATEMENT, plan.text, partial(self._execute, plan, values))
            rows.extend(answered)
            changed += counted
        return Result(rows, changed)

    def changed(self, statement: sa.Executable, parameters: Parameters | None = None) -> int:
        """Execute a plain UPDATE or DELETE and return how many rows it changed. Single use is decided here."""
        return self.run(statement, parameters).rowcount

    # --- steps of a transaction

    def begin(self, *, writes: bool = True) -> None:
        """Begin a transaction, on SQLite as a writer if it *writes*; drivers of servers begin with the first statement.

        One that began as a reader must not write: where somebody else has written meanwhile, SQLite refuses at once.
        """
        if self.dialect != "sqlite":
            self._do(Kind.BEGIN, "BEGIN", _nothing)
        elif not in_transaction(self.raw):
            self._send(Kind.BEGIN, "BEGIN IMMEDIATE" if writes else "BEGIN")

    def commit(self) -> None:
        """Commit the transaction.

        Raises:
            CommitUnknown: The connection was lost meanwhile.
            DatabaseError: The database refused; nothing is kept.
        """
        self.require_sound()
        try:
            if self.dialect == "sqlite" and not _driver_begins(self.raw):
                self._send(Kind.COMMIT, "COMMIT")  # the driver's own would do nothing if SQLite had rolled back
            else:
                self._do(Kind.COMMIT, "COMMIT", self.raw.commit)
        except DatabaseUnavailable as error:
            raise CommitUnknown from error.__cause__ or error

    def rollback(self) -> None:
        """Undo everything. It raises nothing: whoever rolls back has a reason, and that one goes on."""
        if self.lost or (self.dialect == "sqlite" and not in_transaction(self.raw)):
            return
        try:
            if self.dialect == "sqlite" and not _driver_begins(self.raw):
                self._send(Kind.ROLLBACK, "ROLLBACK")
            else:
                self._do(Kind.ROLLBACK, "ROLLBACK", self.raw.rollback)
        except Exception:
            LOG.debug("the rollback failed; the connection is given up", exc_info=True)
            self.lost = True

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Undo what the block wrote if it fails; then the connection is sound again, and the exception goes on.

        It is sent in front of the first statement of the block that writes or locks: whatever only reads leaves
        nothing to be undone. A read that fails is undone by nothing but the end of the transaction.
        """
        self.require_sound()
        name = f"authflow_{self._depth}"
        self._unsent.append(name)
        self._depth += 1
        try:
            yield
            self.require_sound()
        except BaseException:
            if not self._never_sent(name):
                self._undo(name)
            raise
        finally:
            self._depth -= 1
        if not self._never_sent(name):
            self._send(Kind.RELEASE, f"RELEASE SAVEPOINT {name}")

    def _send_savepoints(self) -> None:
        unsent, self._unsent = self._unsent, []
        for name in unsent:
            self._send(Kind.SAVEPOINT, f"SAVEPOINT {name}")

    def _never_sent(self, name: str) -> bool:
        """Tell whether nothing has needed the innermost savepoint, which is called *name*, and forget it then."""
        if name not in self._unsent:
            return False
        self._unsent.remove(name)
        return True

    def _undo(self, name: str) -> None:
        """Go back to the savepoint. Where that fails, the transaction is gone, and the first reason goes on."""
        if self.lost:
            return
        try:
            self._send(Kind.ROLLBACK_TO, f"ROLLBACK TO SAVEPOINT {name}")
        except Exception:
            LOG.debug("the savepoint is gone, and the transaction with it", exc_info=True)
        else:
            self.failed = False

    def require_sound(self) -> None:
        """Refuse to go on after a failed statement.

        Raises:
            DatabaseError: An error was caught inside the transaction, but not around a savepoint.
        """
        if self.failed:
            detail = "[a statement of this transaction failed, and no savepoint undid it]"
            raise DatabaseError(detail)

    # --- the driver

    def _plans(self, statement: sa.Executable, parameters: Parameters) -> list[tuple[Plan, Mapping[str, Any]]]:
        try:
            return self.prepared.plans(statement, parameters)
        except Exception as error:
            self._give_up(error)
            raise

    def _execute(self, plan: Plan, values: Mapping[str, Any]) -> tuple[list[Row], int]:
        cursor = self.cursor
        cursor.execute(plan.text, plan.bind(values))
        return ([] if cursor.description is None else plan.reader.read(cursor)), cursor.rowcount

    def _send(self, kind: Kind, text: str) -> None:
        self._do(kind, text, lambda: self.cursor.execute(text))

    def _do(self, kind: Kind, text: str, work: Callable[[], T]) -> T:
        """Let the driver do *work*: this is the only place where it does anything, and where it fails."""
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug("%s", text)
        try:
            if self.tap is None:
                return work()
            event = Event(kind, text)
            self.tap.before(event)
            done = work()
            self.tap.after(event)
        except Exception as error:
            self._give_up(error)
            raise
        except BaseException:
            self.failed = self.lost = True  # interrupted in the middle: nobody knows what the server still sends
            raise
        return done

    def _give_up(self, error: Exception) -> None:
        """Mark the connection as failed, and raise what *error* is in our terms, if it was the database's."""
        self.failed = True
        fault = fault_of(error, self.rules, self.prepared.driver)
        self.lost = self.lost or isinstance(fault or error, DatabaseUnavailable)
        if fault is not None:
            raise fault from error


def _driver_begins(raw: Any) -> bool:
    """Tell whether Python's driver keeps a transaction open at all times (Python 3.12, ``autocommit=False``)."""
    return getattr(raw, "autocommit", None) is False


def _only_reads(text: str) -> bool:
    """Tell whether a statement is a plain SELECT: it writes nothing, and holds no row."""
    return text.startswith("SELECT") and " FOR " not in text


def _nothing() -> None:
    """Do nothing: the driver sends it by itself."""
