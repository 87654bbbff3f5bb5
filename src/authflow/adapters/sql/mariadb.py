"""What is MariaDB's own: how a session of ours is set up, and what its error numbers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from authflow.adapters.sql.columns import BYTEWISE
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
    from collections.abc import Mapping

    import sqlalchemy as sa

DRIVER: Final = "mariadb+pymysql"

SQL_MODE: Final = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""A value that does not fit is refused; without it MariaDB stores a part of it and warns (decision 10)."""

UNIQUE: Final = 1062  # ER_DUP_ENTRY
NO_COLUMN: Final = 1054  # ER_BAD_FIELD_ERROR

ERRORS: Final[dict[int, type[DatabaseError]]] = {
    0: DatabaseUnavailable,  # PyMySQL: the connection was closed on this side
    1020: Retryable,  # ER_CHECKREAD: the row has changed since this transaction's snapshot
    1205: Retryable,  # ER_LOCK_WAIT_TIMEOUT
    1213: Retryable,  # ER_LOCK_DEADLOCK
    1305: Retryable,  # ER_SP_DOES_NOT_EXIST: no such savepoint, as the deadlock before took the whole transaction
    1317: Retryable,  # ER_QUERY_INTERRUPTED
    1969: Retryable,  # ER_STATEMENT_TIMEOUT: max_statement_time
    1021: DatabaseReadOnly,  # ER_DISK_FULL
    1036: DatabaseReadOnly,  # ER_OPEN_AS_READONLY
    1114: DatabaseReadOnly,  # ER_RECORD_FILE_FULL
    1290: DatabaseReadOnly,  # ER_OPTION_PREVENTS_STATEMENT: --read-only
    1792: DatabaseReadOnly,  # ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    1836: DatabaseReadOnly,  # ER_READ_ONLY_MODE
    1040: DatabaseUnavailable,  # ER_CON_COUNT_ERROR
    1044: DatabaseUnavailable,  # ER_DBACCESS_DENIED_ERROR
    1045: DatabaseUnavailable,  # ER_ACCESS_DENIED_ERROR
    1049: DatabaseUnavailable,  # ER_BAD_DB_ERROR
    1053: DatabaseUnavailable,  # ER_SERVER_SHUTDOWN
    1129: DatabaseUnavailable,  # ER_HOST_IS_BLOCKED
    1203: DatabaseUnavailable,  # ER_TOO_MANY_USER_CONNECTIONS
    1226: DatabaseUnavailable,  # ER_USER_LIMIT_REACHED
    1698: DatabaseUnavailable,  # ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    1927: DatabaseUnavailable,  # ER_CONNECTION_KILLED
    1146: SchemaMissing,  # ER_NO_SUCH_TABLE
}
"""Error number to error (mariadb.com/kb/en/mariadb-error-code-reference). The driver's own are from 2000 to 2999."""


def set_up(engine: sa.Engine, *, wait_ms: int) -> None:
    """Give each session of *engine*, which has not connected yet, the settings that the unit of work relies on.

    READ COMMITTED, as on PostgreSQL: at MariaDB's default, REPEATABLE READ, a transaction that has waited for a lock
    goes on reading what stood there before it waited. A host that asks for REPEATABLE READ nevertheless gets what it
    says: with *innodb_snapshot_isolation* a row that has changed since cannot be locked or written.

    Args:
        engine: On a driver that speaks as PyMySQL does.
        wait_ms: How long a statement waits for somebody else's lock, on a row or on a table; whole seconds.
    """
    seconds = wait_ms // 1000
    settings = (
        f"SET SESSION sql_mode = '{SQL_MODE}', innodb_snapshot_isolation = ON",
        f"SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}",
    )

    def set_isolation(connection: Any, _record: object) -> None:
        _run(connection, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def set_the_rest(connection: Any, _record: object) -> None:
        # Any character, compared as bytes, also where no column of ours is in the comparison.
        connection.set_character_set("utf8mb4", BYTEWISE)
        _run(connection, *settings)

    # Before SQLAlchemy looks which isolation level to go back to after another one; after it names a character set.
    event.listen(engine, "connect", set_isolation, insert=True)
    event.listen(engine, "connect", set_the_rest)


def _run(connection: Any, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def error_of(number: int, said: str, rules: Mapping[str, str]) -> AuthflowError:
    """Return what error *number* is for us; *rules* are the domain's uniqueness rules by the names of their keys.

    MariaDB does not say whose key it was: every primary key is called PRIMARY, the host's too.
    """
    if number == UNIQUE:
        return UniqueViolated(rule={"PRIMARY": "primary_key", **rules}.get(_last_quoted(said), "unknown"))
    if number == NO_COLUMN:
        return SchemaTooOld(found="unknown", missing="unknown")
    by_range = DatabaseUnavailable if 2000 <= number < 3000 else DatabaseError  # noqa: PLR2004  # the driver's own
    return ERRORS.get(number, by_range)(f"[mariadb {number}]")


def _last_quoted(said: str) -> str:
    """Return the name at the end of *said*. What was entered twice stands before it, and may quote anything."""
    return said.rstrip("'").rpartition("'")[2]
