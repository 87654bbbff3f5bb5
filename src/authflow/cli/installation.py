"""Opens what the arguments name: a database, its tables, a key ring."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authflow.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Generator

    from authflow.adapters.sql.tables import Tables


def add_arguments(
    parser: ArgumentParser, *, database: str = "sqlite:///file.db or postgresql://user:password@host/name"
) -> None:
    """Add the arguments that name one installation of tables."""
    parser.add_argument("--database", metavar="URL", required=True, help=database)
    parser.add_argument("--prefix", help="what the names of the tables begin with (default: authflow_)")
    parser.add_argument("--schema", metavar="NAME", help="the PostgreSQL schema that holds them (default: the first)")


def named_tables(options: Namespace) -> Tables:
    """Return the tables that the arguments name."""
    from authflow.adapters.sql.tables import PREFIX, build

    return build(prefix=PREFIX if options.prefix is None else options.prefix, schema=options.schema)


@contextmanager
def opened(options: Namespace, *, new: bool = False) -> Generator[Any]:
    """Give the engine of the database that the arguments name; a SQLite file is made only where it may be *new*.

    Raises:
        DatabaseUnavailable: There is no such SQLite file.
    """
    from authflow.adapters.sql.engine import make_engine

    engine = make_engine(options.database)
    try:
        file = engine.url.database
        if not new and engine.dialect.name == "sqlite" and file and not Path(file).exists():
            missing = f"[no file {file}]"
            raise DatabaseUnavailable(missing)
        yield engine
    finally:
        engine.dispose()
