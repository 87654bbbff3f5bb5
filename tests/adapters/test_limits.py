"""What the rows of the limiter hold and who reads them: no answer shows it, but they grow with every call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.limits import CountStatements
from authflow.ports import Allowed
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import BUDGET
from tests.adapters.test_visits import Heard

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


def test_what_is_forgiven_of_one_key_is_deleted_at_once(sqlite_uow: SqlUnitOfWork):
    budgets = [attrs.evolve(BUDGET, name=name) for name in ("long", "short", "kept")]
    with sqlite_uow.begin() as tx:
        tx.limits.hit_all(budgets, "a", START)
    sqlite_uow.tap = heard = Heard()
    with sqlite_uow.begin() as tx:
        for budget in budgets[:2]:
            tx.limits.reset(budget, "a")
        tx.limits.hit(budgets[1], "a", START)
        tx.limits.reset(budgets[1], "a")
    assert [text.split()[0] for text in heard.statements] == ["DELETE"]
    with sqlite_uow.begin() as tx:
        left = [tx.limits.peek(budget, "a", START) for budget in budgets]
    assert left == [Allowed(BUDGET.limit), Allowed(BUDGET.limit), Allowed(BUDGET.limit - 1)]


def test_what_is_hit_after_it_was_forgiven_counts(sqlite_uow: SqlUnitOfWork):
    for _ in range(2):
        with sqlite_uow.begin() as tx:
            tx.limits.hit(BUDGET, "a", START)
            tx.limits.reset(BUDGET, "a")
            tx.limits.hit(BUDGET, "a", START)
    with sqlite_uow.begin() as tx:
        assert tx.limits.peek(BUDGET, "a", START) == Allowed(BUDGET.limit - 1)
