"""The two things on which databases differ: "insert or else update", and how a transaction begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    import sqlalchemy as sa


def insert_or(dialect: str, table: sa.Table) -> Any:
    """Return an INSERT that has ``on_conflict_do_update`` and ``on_conflict_do_nothing``.

    Raises:
        ConfigInvalid: The database is neither SQLite nor PostgreSQL.
    """
    if dialect == "sqlite":
        return sqlite.insert(table)
    if dialect == "postgresql":
        return postgresql.insert(table)
    raise ConfigInvalid(setting="database", problem=f"{dialect} is not supported")
