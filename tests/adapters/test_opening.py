"""A worker starts while somebody writes: to look at the tables it waits for nobody on SQLite, which has one writer."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from authflow import AsyncAuthflow, Authflow, KeyRing
from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine, prepare
from authflow.adapters.sql.hosted import AddressColumn, RowsOf, UserTable
from authflow.adapters.sql.tables import build
from authflow.errors import Retryable, SchemaMissing
from authflow.testing import SeededEntropy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = KeyRing.ephemeral(SeededEntropy())

PERSON = sa.Table(
    "person",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("email", sa.String(254)),
    sa.Column("confirmed", sa.Boolean),
)

MAPPED = UserTable(
    id=PERSON.c.id,
    label=PERSON.c.email,
    addresses=AddressColumn(address=PERSON.c.email, verified=PERSON.c.confirmed),
    drop_password_resets=lambda *_: 0,
    remove=RowsOf(PERSON.c.id),
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A database with our tables and the host's, whose writer's lock somebody else holds."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    engine = make_engine(url)
    schema.upgrade(engine, build())
    PERSON.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield url


def own(url: str, *, prepared: bool) -> sa.Engine:
    """Return an engine of the host's that waits for no lock."""
    engine = sa.create_engine(url)
    if prepared:
        prepare(engine)
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout = 0"))
    return engine


@pytest.mark.parametrize("given", [{}, {"users": MAPPED}])
@pytest.mark.parametrize("prepared", [True, False])
def test_a_worker_starts_while_somebody_writes(url: str, given: dict[str, Any], *, prepared: bool):
    engine = own(url, prepared=prepared)
    flows = Authflow.open(engine, keys=KEYS, **given)
    with pytest.raises(Retryable):  # the lock is held all the time, and whoever writes waits for it
        flows.upkeep.sweep()
    engine.dispose()


def test_a_worker_of_the_async_face_starts_while_somebody_writes(url: str):
    async def start() -> None:
        async with await AsyncAuthflow.open(url, keys=KEYS, users=MAPPED) as flows:
            assert flows.policy is not None

    asyncio.run(start())


def test_what_is_missing_is_found_while_somebody_writes(url: str):
    engine = own(url, prepared=True)
    with pytest.raises(SchemaMissing):
        Authflow.open(engine, keys=KEYS, prefix="other_")
    engine.dispose()
