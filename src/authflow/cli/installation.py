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
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Kinds
    from authflow.wiring import Authflow


def add_database(parser: ArgumentParser) -> None:
    """Add the arguments that name one installation of tables in one database."""
    says = "sqlite:///file.db, postgresql://user:password@host/name or mariadb://..."
    parser.add_argument("--database", metavar="URL", required=True, help=says)
    add_installation(parser)


def add_installation(parser: ArgumentParser) -> None:
    """Add the arguments that say what the tables are called."""
    parser.add_argument("--prefix", help="what the names of the tables begin with (default: authflow_)")
    parser.add_argument("--schema", metavar="NAME", help="the PostgreSQL schema that holds them (default: the first)")


def add_keys(parser: ArgumentParser) -> None:
    """Add the argument that names the key ring."""
    parser.add_argument("--keys", metavar="FILE", required=True, help="the key ring that `authflow keys new` made")


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


@contextmanager
def running(
    options: Namespace, *, kinds: Kinds | None = None, endpoints: Endpoints | None = None
) -> Generator[Authflow]:
    """Give authflow on the database, the tables and the key ring that the arguments name.

    Raises:
        KeysMissing, KeysInvalid: The key ring cannot be read.
        DatabaseError: The database cannot be used, or its tables do not fit.
    """
    from authflow.adapters.keys import KeyRing
    from authflow.wiring import Authflow

    ring = KeyRing.load(options.keys)
    with opened(options) as engine:
        yield Authflow.open(
            engine, keys=ring, prefix=options.prefix, schema=options.schema, kinds=kinds, endpoints=endpoints
        )
