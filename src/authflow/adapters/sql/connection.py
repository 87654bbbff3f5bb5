"""The one seam to the database: `Connection.run`. No driver error gets past it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs
import sqlalchemy as sa
from sqlalchemy import exc

from authflow.adapters.sql import mariadb
from authflow.errors import (
    AuthflowError,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    Retryable,
    SchemaMissing,
    SchemaTooOld,
    UniqueViolated,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

T = TypeVar("T")

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]

UNKNOWN_REVISION: Final = "unknown"

POSTGRES: Final[dict[str, type[DatabaseError]]] = {
    "40001": Retryable,  # serialization_failure
    "40P01": Retryable,  # deadlock_detected
    "55P03": Retryable,  # lock_not_available
    "25006": DatabaseReadOnly,  # read_only_sql_transaction
    "53100": DatabaseReadOnly,  # disk_full
    "57014": Retryable,  # query_canceled: statement_timeout
    "25P03": DatabaseUnavailable,  # idle_in_transaction_session_timeout: the server hung up
    "25P04": DatabaseUnavailable,  # transaction_timeout: likewise
    "42P01": SchemaMissing,  # undefined_table
    "3F000": SchemaMissing,  # invalid_schema_name
}
"""SQLSTATE to error (PostgreSQL appendix A). What is not here goes by its class."""

POSTGRES_UNAVAILABLE: Final = frozenset({"08", "53", "57"})
"""Classes of SQLSTATE: connection exception, insufficient resources, operator intervention."""

SQLITE: Final[dict[int, type[DatabaseError]]] = {
    5: Retryable,  # SQLITE_BUSY
    6: Retryable,  # SQLITE_LOCKED
    8: DatabaseReadOnly,  # SQLITE_READONLY
    13: DatabaseReadOnly,  # SQLITE_FULL
    10: DatabaseUnavailable,  # SQLITE_IOERR
    11: DatabaseUnavailable,  # SQLITE_CORRUPT
    14: DatabaseUnavailable,  # SQLITE_CANTOPEN
    15: Retryable,  # SQLITE_PROTOCOL: lost a race for the locks of the write-ahead log
    26: DatabaseUnavailable,  # SQLITE_NOTADB
}
"""Primary result code to error (sqlite.org/rescode.html); an extended code's low byte is its primary code."""


@attrs.frozen
class Rules:
    """Which domain rule a violated constraint is: by constraint name, and by the columns that SQLite names."""

    by_name: dict[str, str]
    by_columns: dict[str, str]

    @classmethod
    def of(cls, metadata: sa.MetaData) -> Rules:
        """Read the rules from the tables' own constraints."""
        by_name: dict[str, str] = {}
        by_columns: dict[str, str] = {}
        for table in metadata.tables.values():
            uniques = [c for c in table.constraints if isinstance(c, sa.UniqueConstraint | sa.PrimaryKeyConstraint)]
            for unique in (*uniques, *(index for index in table.indexes if index.unique)):
                rule = str(unique.info.get("rule", "primary_key"))
                by_name[str(unique.name or f"{table.name}_pkey")] = rule
                by_columns[", ".join(f"{table.name}.{column.name}" for column in unique.columns)] = rule
        return cls(by_name, by_columns)


@attrs.define(kw_only=True, eq=False)
class Connection:
    """A database connection inside a transaction; repositories see nothing else of SQLAlchemy's engine.

    After a failed statement PostgreSQL refuses everything up to the end of the savepoint or transaction, and turns
    COMMIT into a silent ROLLBACK; SQLite has ended the transaction itself after some errors, and would write what
    follows at once. So a *failed* connection runs nothing, and the unit of work does not commit it.
    """

    raw: sa.Connection
    rules: Rules
    failed: bool = False

    def run(self, statement: sa.Executable, parameters: Parameters | None = None) -> sa.CursorResult[Any]:
        """Execute *statement* with *parameters*; a sequence of mappings is one multi-row statement.

        Raises:
            UniqueViolated: A uniqueness rule of the domain refused a row.
            DatabaseError: Its subclass says what the installation has to do.
        """
        self.require_sound()
        with self._watched():
            return self.raw.execute(statement, parameters)

    def changed(self, statement: sa.Executable, parameters: Parameters | None = None) -> int:
        """Execute a plain UPDATE or DELETE and return how many rows it changed. Single use is decided here."""
        return self.run(statement, parameters).rowcount

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Undo what the block wrote if it fails; then the connection is sound again, and the exception goes on."""
        self.require_sound()
        with self._watched():
            nested = self.raw.begin_nested()
        try:
            yield
            self.require_sound()
        except BaseException:
            with self._watched():
                nested.rollback()
            self.failed = self.raw.invalidated
            raise
        with self._watched():
            nested.commit()

    def require_sound(self) -> None:
        """Refuse to go on after a failed statement.

        Raises:
            DatabaseError: An error was caught inside the transaction, but not around a savepoint.
        """
        if self.failed:
            detail = "[a statement of this transaction failed, and no savepoint undid it]"
            raise DatabaseError(detail)

    @contextmanager
    def _watched(self) -> Generator[None]:
        try:
            with translated(self.rules):
                yield
        except AuthflowError:
            self.failed = True
            raise

    @property
    def dialect(self) -> str:
        """The name of the database: ``sqlite`` or ``postgresql``."""
        return self.raw.dialect.name


@contextmanager
def translated(rules: Rules) -> Generator[None]:
    """Turn every database error of the block into one of ours; the driver's own is its cause."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translate(error, rules) from error
    except exc.TimeoutError as error:
        detail = "[no connection became free in time]"
        raise DatabaseUnavailable(detail) from error
    except (exc.SQLAlchemyError, UnicodeError, OverflowError) as error:  # the last two: a driver cannot write a value
        detail = f"[{type(error).__name__}]"
        raise DatabaseError(detail) from error


@attrs.frozen
class Bracket(AbstractContextManager[T], Generic[T]):
    """Enters and leaves *inner* with its own errors translated; what the block between raises goes through as it is."""

    inner: AbstractContextManager[T]
    rules: Rules

    def __enter__(self) -> T:
        with translated(self.rules):
            return self.inner.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None:
        with translated(self.rules):
            return self.inner.__exit__(kind, error, trace)


def _translate(error: exc.DBAPIError, rules: Rules) -> AuthflowError:
    state: str | None = getattr(error.orig, "sqlstate", None)
    number: int | None = getattr(error.orig, "sqlite_errorcode", None)
    if number is not None:
        return _of_sqlite(number, str(error.orig), rules)
    if state is not None:
        return _of_postgres(state, error.orig, rules)
    match getattr(error.orig, "args", ()):
        case (int() as code, str() as said):  # as the drivers of MariaDB raise them
            return mariadb.error_of(code, said, rules.by_name)
        case _:
            pass
    if isinstance(error, exc.OperationalError | exc.InterfaceError) or error.connection_invalidated:
        return DatabaseUnavailable()
    return DatabaseError(f"[{type(error.orig).__name__}]")


def _of_sqlite(number: int, said: str, rules: Rules) -> AuthflowError:
    if number in {1555, 2067}:  # SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE
        return UniqueViolated(rule=rules.by_columns.get(said.partition(": ")[2], "unknown"))
    if said.startswith("no such table"):
        return SchemaMissing()
    if "no such column" in said or "has no column named" in said:
        return SchemaTooOld(found=UNKNOWN_REVISION, missing=UNKNOWN_REVISION)
    return SQLITE.get(number & 0xFF, DatabaseError)(f"[sqlite {number}]")


def _of_postgres(state: str, original: Any, rules: Rules) -> AuthflowError:
    if state == "23505":  # unique_violation
        return UniqueViolated(rule=rules.by_name.get(original.diag.constraint_name or "", "unknown"))
    if state == "42703":  # undefined_column
        return SchemaTooOld(found=UNKNOWN_REVISION, missing=UNKNOWN_REVISION)
    by_class = DatabaseUnavailable if state[:2] in POSTGRES_UNAVAILABLE else DatabaseError
    return POSTGRES.get(state, by_class)(f"[sqlstate {state}]")
