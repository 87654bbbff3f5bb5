"""Writes many rows at once: one prepared INSERT on SQLite, COPY on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa


def write(engine: sa.Engine, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write *rows* into *table*, in one transaction."""
    names = ", ".join(f'"{column}"' for column in columns)
    connection = engine.raw_connection()
    try:
        cursor: Any = connection.cursor()
        if engine.dialect.name == "sqlite":
            marks = ", ".join("?" * len(columns))
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)  # noqa: S608  # our own names
        else:
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        connection.commit()
    finally:
        connection.close()
