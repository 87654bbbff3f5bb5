"""Tables for a while: made under a prefix that nobody else has, and dropped with everything in them."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.faults import Rules, translated
from authflow.adapters.sql.tables import build

if TYPE_CHECKING:
    from collections.abc import Generator

    import sqlalchemy as sa

    from authflow.adapters.sql.tables import Tables

PREFIX_BYTES: Final = 4
"""Random bytes in the prefix: nothing else in the same database is ever touched."""


@attrs.frozen(kw_only=True)
class Ground:
    """A database and the tables that were made in it."""

    engine: sa.Engine
    tables: Tables


@contextmanager
def throwaway_tables(url: str, *, keep: bool = False) -> Generator[Ground]:
    """Make all tables in the database at *url* under a prefix of their own, and drop them when the block is left.

    A SQLite file that was not there before is deleted. With *keep* everything stays.

    Raises:
        ConfigInvalid, DatabaseError: The database cannot be used.
    """
    engine, tables = make_engine(url), build(prefix=f"demo_{secrets.token_hex(PREFIX_BYTES)}_")
    new_file = _new_file(engine)
    try:
        schema.upgrade(engine, tables)
        try:
            yield Ground(engine=engine, tables=tables)
        finally:
            if not keep:
                _drop(engine, tables)
    finally:
        engine.dispose()
        if new_file is not None and not keep:
            new_file.unlink(missing_ok=True)


def _drop(engine: sa.Engine, tables: Tables) -> None:
    schema.downgrade(engine, tables, to="base")
    with translated(Rules({}, {})), engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {tables.prefix}schema_version")


def _new_file(engine: sa.Engine) -> Path | None:
    if engine.dialect.name != "sqlite":
        return None
    file = Path(engine.url.database or "")
    return None if file.exists() else file
