"""The history on an asynchronous engine of the host's own, which nobody has prepared, through the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from authflow.adapters.sql import schema
from authflow.adapters.sql.asynchronous import bridge
from authflow.adapters.sql.migrations import REVISIONS
from authflow.adapters.sql.tables import build
from authflow.errors import DatabaseError, SchemaMissing
from tests.adapters.test_schema import mend, names, scripts  # noqa: F401  # a fixture
from tests.empty import empty_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import sqlalchemy as sa

    from tests.faces import Loop

DRIVERS = {"sqlite+aiosqlite": "sqlite", "postgresql+asyncpg": "postgresql", "postgresql+psycopg": "postgresql"}

TABLES = build()


class Bridged:
    """The host's engine as a synchronous function sees it, and what runs such a function on the host's loop."""

    def __init__(self, url: sa.URL, loop: Loop) -> None:
        self.made, self._loop = create_async_engine(url), loop
        self.engine = self.made.sync_engine

    def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self._loop.wait(bridge(work, *args, **kwargs))

    def close(self) -> None:
        self._loop.wait(self.made.dispose())


@pytest.fixture(params=DRIVERS)
def host(request: pytest.FixtureRequest, tmp_path: Path, loop: Loop) -> Iterator[Bridged]:
    """An engine on an empty database, as SQLAlchemy makes it."""
    with empty_database(request, DRIVERS[request.param], tmp_path) as empty:
        host = Bridged(empty.url.set(drivername=request.param), loop)
        yield host
        host.close()


def test_the_tables_are_made_and_found(host: Bridged):
    """And made once, whoever asks again."""
    with pytest.raises(SchemaMissing):
        host.run(schema.check, host.engine, TABLES)
    host.run(schema.upgrade, host.engine, TABLES)
    host.run(schema.upgrade, host.engine, TABLES)
    host.run(schema.check, host.engine, TABLES)
    assert host.run(schema.current, host.engine, TABLES) == REVISIONS[-1]
    assert host.run(schema.differences, host.engine, TABLES) == ()


def test_a_step_that_fails_leaves_what_stood_before(host: Bridged, scripts: Path):  # noqa: F811  # a fixture
    host.run(schema.upgrade, host.engine, TABLES)
    before = host.run(names, host.engine, TABLES)
    with pytest.raises(DatabaseError):
        host.run(schema.upgrade, host.engine, TABLES, scripts=scripts)
    assert host.run(names, host.engine, TABLES) == before
    mend(scripts)
    host.run(schema.upgrade, host.engine, TABLES, scripts=scripts)
    assert host.run(names, host.engine, TABLES) == before | {f"{TABLES.prefix}extra"}


def test_a_way_back_deletes_them_all(host: Bridged):
    host.run(schema.upgrade, host.engine, TABLES)
    host.run(schema.downgrade, host.engine, TABLES, to="base")
    assert host.run(names, host.engine, TABLES) <= {f"{TABLES.prefix}schema_version"}
