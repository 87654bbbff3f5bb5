"""What goes wrong in a database, as one of our errors: no driver's error gets past this page.

Each database numbers its errors in a way of its own, which every driver hands on: SQLite by result code, PostgreSQL by
SQLSTATE, MariaDB by error number.
"""

from __future__ import annotations

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

POSTGRES_UNAVAILABLE: Final = frozenset({"08", "28", "3D", "53", "57"})
"""Classes: connection exception, invalid authorization, no such database, insufficient resources, intervention."""

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


def fault_of(error: Exception, rules: Rules, driver: Any = None) -> AuthflowError | None:
    """Return what *error* is in our terms, or none if no database has raised it.

    Args:
        error: A driver's, SQLAlchemy's, or anybody's.
        rules: What a violated constraint is called.
        driver: The DB-API module that may have raised it without SQLAlchemy in between.
    """
    if isinstance(error, exc.DBAPIError):
        return _of_driver(error.orig, rules)
    if driver is not None and isinstance(error, driver.Error):
        return _of_driver(error, rules)
    if isinstance(error, exc.TimeoutError):
        return DatabaseUnavailable("[no connection became free in time]")
    if isinstance(error, OSError):  # some drivers let the socket's own error through
        return DatabaseUnavailable()
    if isinstance(error, exc.SQLAlchemyError | UnicodeError | OverflowError):  # the last two: it cannot write a value
        return DatabaseError(f"[{type(error).__name__}]")
    return None


@contextmanager
def translated(rules: Rules, driver: Any = None) -> Generator[None]:
    """Turn every database error of the block into one of ours; the driver's own is its cause."""
    try:
        yield
    except Exception as error:
        fault = fault_of(error, rules, driver)
        if fault is None:
            raise
        raise fault from error


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


def _of_driver(error: Any, rules: Rules) -> AuthflowError:
    number: int | None = getattr(error, "sqlite_errorcode", None)
    if number is not None:
        return _of_sqlite(number, str(error), rules)
    if error.args and isinstance(error.args[0], int):  # PyMySQL's has an SQLSTATE too, which says less
        return mariadb.error_of(error.args[0], str(error.args[-1]), rules.by_name)
    state: str | None = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)  # psycopg2 has the latter
    if state is not None:
        return _of_postgres(state, error, rules)
    names = {kind.__name__ for kind in type(error).__mro__}
    return DatabaseUnavailable() if names & {"OperationalError", "InterfaceError"} else _refused(error)


def _refused(error: object) -> DatabaseError:
    return DatabaseError(f"[{type(error).__name__}]")


def _of_sqlite(number: int, said: str, rules: Rules) -> AuthflowError:
    if number in {1555, 2067}:  # SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE
        return UniqueViolated(rule=rules.by_columns.get(said.partition(": ")[2], "unknown"))
    if said.startswith("no such table"):
        return SchemaMissing()
    if "no such column" in said or "has no column named" in said:
        return SchemaTooOld(found=UNKNOWN_REVISION, missing=UNKNOWN_REVISION)
    return SQLITE.get(number & 0xFF, DatabaseError)(f"[sqlite {number}]")


def _of_postgres(state: str, error: Any, rules: Rules) -> AuthflowError:
    if state == "23505":  # unique_violation
        source = getattr(error, "diag", None) or error.__cause__  # asyncpg's error stands behind SQLAlchemy's
        return UniqueViolated(rule=rules.by_name.get(getattr(source, "constraint_name", None) or "", "unknown"))
    if state == "42703":  # undefined_column
        return SchemaTooOld(found=UNKNOWN_REVISION, missing=UNKNOWN_REVISION)
    by_class = DatabaseUnavailable if state[:2] in POSTGRES_UNAVAILABLE else DatabaseError
    return POSTGRES.get(state, by_class)(f"[sqlstate {state}]")
