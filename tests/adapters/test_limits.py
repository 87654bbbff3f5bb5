"""What the rows of the limiter hold and who reads them: no answer shows it, but they grow with every call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from authflow.adapters.sql.limits import CountStatements
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import BUDGET

if TYPE_CHECKING:
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork


def test_a_row_holds_no_more_calls_than_may_stand_at_once(sqlite_uow: SqlUnitOfWork):
    for number in range(3 * BUDGET.limit):
        with sqlite_uow.begin() as tx:
            tx.limits.hit(BUDGET, "a", START + number * BUDGET.window)
    with sqlite_uow.engine.connect() as connection:
        (held,) = connection.execute(sa.select(sqlite_uow.tables.shared.limit.c.hits)).scalars()
    assert len(json.loads(held)) == BUDGET.limit


def test_only_the_row_of_the_key_is_read(sqlite_uow: SqlUnitOfWork):
    with sqlite_uow.begin() as tx:
        for key in "abc":
            tx.limits.hit(BUDGET, key, START)
    read = CountStatements.of(sqlite_uow.tables.shared, "sqlite").read_hits
    with sqlite_uow.engine.connect() as connection:
        found = connection.execute(read, {"which": [BUDGET.name], "whose": "b"}).all()
    assert [(row.budget, row.key) for row in found] == [(BUDGET.name, "b")]
