"""Empty databases, one for each test that migrates."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from authflow.adapters.sql.engine import make_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    import sqlalchemy as sa

NEXT = count()


@contextmanager
def empty_database(request: pytest.FixtureRequest, backend: str, folder: Path) -> Iterator[sa.Engine]:
    """Give an engine on a new database of *backend*: a file in *folder*, or a database of the server of this run."""
    if backend == "sqlite":
        with disposing(make_engine(f"sqlite:///{folder / 'app.db'}")) as engine:
            yield engine
        return
    name = f"empty_{next(NEXT)}"
    with disposing(make_engine(request.getfixturevalue(f"{backend}_url"))) as server:
        run_alone(server, f"CREATE DATABASE {name}")
        with disposing(make_engine(server.url.set(database=name).render_as_string(hide_password=False))) as engine:
            yield engine
        run_alone(server, f"DROP DATABASE {name}" + (" WITH (FORCE)" if backend == "postgresql" else ""))


@contextmanager
def disposing(engine: sa.Engine) -> Iterator[sa.Engine]:
    """Close every connection of *engine* afterwards."""
    yield engine
    engine.dispose()


def run_alone(engine: sa.Engine, statement: str) -> None:
    """Run what a server refuses inside a transaction."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)
