"""Killed before and after every statement and every commit: all of it is there or nothing, and a repetition answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow.adapters.sql.tap import Kind
from authflow.testing.crashes import deaths, undisturbed
from tests.nightly import often
from tests.stage import CONTEXT, Stage
from tests.stories.crashing import BOTH, FLOWS, Draw, PostgresqlDatabase, SqliteDatabase, acting, changed, shown

if TYPE_CHECKING:
    from authflow.testing.crashes import Death

DATABASES: Final = {"sqlite": SqliteDatabase, "postgresql": PostgresqlDatabase}

KILLED: Final = [
    *(("sqlite", flow) for flow in FLOWS),
    *(("postgresql", flow) for flow in often(BOTH, tuple(FLOWS))),
]
"""Every point of every flow on SQLite; on PostgreSQL every point of the flows that write most."""

KEYED: Final = attrs.evolve(CONTEXT, idempotency_key="k-1")


@attrs.frozen
class Scene:
    """A stage that is put back before each run."""

    stage: Stage
    database: Any


@pytest.fixture
def backend() -> str:
    """Where a test does not say it."""
    return "sqlite"


@pytest.fixture
def scene(request: pytest.FixtureRequest, backend: str) -> Scene:
    stage = Stage(request.getfixturevalue(f"{backend}_uow"), entropy=Draw())
    return Scene(stage, DATABASES[backend](stage.uow))


def is_over(death: Death) -> bool:
    """Tell whether the database had said that it committed."""
    return (death.point.kind, death.point.side) == (Kind.COMMIT, "after")


@pytest.mark.parametrize(("backend", "flow"), KILLED)
def test_all_or_nothing_and_one_answer(scene: Scene, backend: str, flow: str):  # the fixture reads it
    """Done: another try changes nothing and is told the very answer that was lost. Not done: it is done now, once."""
    stage, database = scene.stage, scene.database
    ask = FLOWS[flow](stage)
    database.save()
    before = database.rows()
    act = acting(stage, lambda: ask(KEYED))
    life = undisturbed(act, prepare=database.restore)
    after = database.rows()
    assert before != after
    assert [point.kind for point in life.points].count(Kind.COMMIT) == 2, "one transaction, heard on both sides"
    died = 0
    for death in deaths(act, prepare=database.restore):
        died += 1
        left = database.rows()
        assert left == (after if is_over(death) else before), (death.name, changed(before, left))
        stage.entropy.begin("other" if is_over(death) else "first")
        assert shown(ask(KEYED)) == life.returned, death.name
        assert database.rows() == after, (death.name, changed(after, database.rows()))
    assert died == len(life.points)
