"""At every level of isolation that a host may choose one wins, others are told so, and what collides is repeated."""

from __future__ import annotations

import pytest

from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.testing.races import race
from tests.nightly import often
from tests.stage import STEP
from tests.stories.contests import Table
from tests.stories.test_single_use import CONTESTS

WORKERS = 4
"""Where each collides with each, as many as five tries bear: who runs out of them is repeated by whoever races."""


@pytest.fixture(params=["REPEATABLE READ", "SERIALIZABLE"])
def table(request: pytest.FixtureRequest, postgresql_uow: SqlUnitOfWork) -> Table:
    """Where the rounds are played; at READ COMMITTED `test_single_use` plays them."""
    engine = postgresql_uow.engine.execution_options(isolation_level=request.param)
    return Table(SqlUnitOfWork(engine, postgresql_uow.tables))


@pytest.mark.parametrize("contest", CONTESTS)
def test_one_wins(table: Table, contest: str):
    for _ in range(often(1, 50)):
        table.stage.clock.advance(STEP)
        one = CONTESTS[contest](table, WORKERS)
        one.judge(race(WORKERS, one.command))
