"""What our own transactions need on an engine that nobody has prepared: asked for in each of them, and gone with it.

The sessions are the host's too, so nothing here outlives a transaction. SQLite needs nothing.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine.interfaces import Dialect

UNSAFE: Final = "REPEATABLE-READ"
"""MariaDB's default, without *innodb_snapshot_isolation*: whoever has waited for a lock goes on reading older rows."""

STRICT: Final = frozenset({"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"})
"""With one of these modes MariaDB refuses a value that does not fit (decision 10); it has none for one transaction."""


def safety_of(dialect: Dialect, *, wait_ms: int) -> Callable[[Any], None] | None:
    """Return what makes the next transaction of a DB-API connection safe, or none if nothing is to do.

    MariaDB's is at READ COMMITTED, unless a stricter or a weaker level than `UNSAFE` was chosen; a wait for a row is
    bounded there by the server (*innodb_lock_wait_timeout*). PostgreSQL waits without end, so there it is bounded,
    unless the host has done so.

    On MariaDB it raises `ConfigInvalid` where the session is not strict: the server would cut text that is too long.

    Args:
        dialect: The engine's.
        wait_ms: How long a statement waits for somebody else's lock.
    """

    def read_committed(raw: Any) -> None:
        level, modes = _asked(raw, "SELECT @@tx_isolation, @@sql_mode")
        if STRICT.isdisjoint(modes.split(",")):
            problem = "must be strict on MariaDB: set sql_mode to STRICT_TRANS_TABLES, or prepare the engine"
            raise ConfigInvalid(setting="database", problem=problem)
        if level == UNSAFE:
            _run(raw, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED")  # of the next one only

    def bound_waits(raw: Any) -> None:
        _run(raw, f"SELECT set_config('lock_timeout', '{wait_ms}', true) WHERE current_setting('lock_timeout') = '0'")

    return {"mariadb": read_committed, "mysql": read_committed, "postgresql": bound_waits}.get(dialect.name)


def _asked(raw: Any, statement: str) -> Any:
    with closing(raw.cursor()) as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


def _run(raw: Any, statement: str) -> None:
    with closing(raw.cursor()) as cursor:
        cursor.execute(statement)
