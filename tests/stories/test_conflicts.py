"""Transactions that lose to others, as real drivers say it: tried again, or a typed error, and never half a write."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.retrying import Retry
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import Retryable
from authflow.testing.faults import conflicts, everywhere, injected, losses
from tests.nightly import often
from tests.stage import CONTEXT
from tests.stories.crashing import changed, rows_of
from tests.stories.playbook import Play, kind_of

if TYPE_CHECKING:
    from authflow.testing.faults import Faults
    from tests.stories.crashing import Rows

SHARE: Final = 0.1

COMMANDS: Final = {"sqlite": 1000, "postgresql": 300, "mariadb": 100}
"""Of one play."""

PLAYS: Final = range(7, often(8, 17))
"""Seeds."""

AT_ONCE: Final = Retry(first=timedelta(), longest=timedelta())
"""Five tries, as everywhere; nobody is there to wait for."""

COUNTS: Final = {"authflow_limit", "authflow_attempt"}
"""A count outlives its command, whatever that raised (decision 7): it is no part of the write."""


@pytest.fixture(params=COMMANDS)
def crowded(request: pytest.FixtureRequest) -> SqlUnitOfWork:
    """A database on which others win now and then."""
    uow = request.getfixturevalue(f"{request.param}_uow")
    return SqlUnitOfWork(uow.engine, uow.tables, retry=AT_ONCE)


def written(play: Play) -> Rows:
    return {name: rows for name, rows in rows_of(play.stage.uow).items() if name not in COUNTS}


def played(play: Play, calm: Play, commands: int, faults: Faults, *, watched: bool = False) -> Counter[str]:
    """Give *commands* to both, one of them among *faults*; count what came of them."""
    seen: Counter[str] = Counter()
    for _ in range(commands):
        expected, move = calm.next(), play.next()
        before = written(play) if watched else {}
        try:
            with injected(play.stage.uow, faults):
                answer = move.ask(CONTEXT)
            seen["succeeded"] += 1
        except Retryable:
            left = written(play) if watched else {}
            assert left == before, changed(before, left)
            seen["told to try again"] += 1
            answer = move.ask(CONTEXT)
        calm_answer = expected.ask(CONTEXT)
        assert kind_of(answer) == kind_of(calm_answer), move.name
        expected.then(calm_answer)
        move.then(answer)
    return seen


@pytest.mark.parametrize("seed", PLAYS)
def test_one_in_ten_transactions_loses_and_the_commands_succeed(crowded: SqlUnitOfWork, seed: int):
    """Five tries of which one in ten loses: all five do in one of 100,000."""
    commands = COMMANDS[crowded.engine.dialect.name]
    play, calm = Play(crowded, seed), Play(MemoryUnitOfWork(), seed)
    faults = conflicts(SHARE, losses(crowded), seed=seed)
    seen = played(play, calm, commands, faults)
    assert len(faults.raised) >= commands * SHARE / 4  # of 100 at 1 in 10 there are fewer than 3 in one of 500 plays
    assert seen["succeeded"] >= commands * 0.999
    assert play.record() == calm.record()


def test_one_in_ten_statements_loses_and_nothing_is_half_written(crowded: SqlUnitOfWork):
    """More than five tries can bear: whoever runs out of them is told so, and nothing was written."""
    play, calm = Play(crowded, 8), Play(MemoryUnitOfWork(), 8)
    faults = everywhere(SHARE, losses(crowded), seed=8)
    seen: Any = played(play, calm, 100, faults, watched=True)
    assert seen["succeeded"]
    assert seen["told to try again"]
    assert play.record() == calm.record()
