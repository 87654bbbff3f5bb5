"""Whether a DB-API connection keeps what it is told until a commit, or commits every statement by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

IN_TRANSACTION: Final = 1
"""A bit of the server's status in the protocol of MariaDB (SERVER_STATUS_IN_TRANS)."""

IDLE: Final = 0
"""The transaction status of libpq outside a transaction (PQTRANS_IDLE)."""


def commits_by_itself(raw: Any, database: str) -> bool:
    """Tell whether a statement sent now on *raw* would be committed at once; not so in a transaction begun by hand.

    Args:
        raw: A DB-API connection, or an asynchronous one as SQLAlchemy adapts it.
        database: The name of its dialect.
    """
    return ALONE[database](raw)


def in_transaction(raw: Any) -> bool:
    """Tell whether the SQLite connection *raw*, perhaps an asynchronous one, is inside a transaction."""
    return bool(getattr(raw, "driver_connection", raw).in_transaction)


def driver_begins(raw: Any) -> bool:
    """Tell whether SQLite's driver keeps a transaction open at all times (Python 3.12, ``autocommit=False``)."""
    return getattr(raw, "autocommit", None) is False


def _sqlite_alone(raw: Any) -> bool:
    by_itself = raw.isolation_level is None and getattr(raw, "autocommit", -1) is not False
    return (by_itself or getattr(raw, "autocommit", -1) is True) and not in_transaction(raw)


def _postgresql_alone(raw: Any) -> bool:
    info = getattr(raw, "info", None)  # asyncpg's has none, and is never begun by hand
    return raw.autocommit is True and getattr(info, "transaction_status", IDLE) == IDLE


def _mariadb_alone(raw: Any) -> bool:
    if not raw.get_autocommit():
        return False
    status: int | None = getattr(raw, "server_status", None)
    if status is not None:
        return not status & IN_TRANSACTION
    with raw.cursor() as cursor:  # mysqlclient does not show the status
        cursor.execute("SELECT @@in_transaction")
        return not cursor.fetchone()[0]


ALONE: Final[dict[str, Callable[[Any], bool]]] = {
    "sqlite": _sqlite_alone,
    "postgresql": _postgresql_alone,
    "mariadb": _mariadb_alone,
    "mysql": _mariadb_alone,
}
"""By the name of the database."""
