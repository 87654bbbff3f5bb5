"""The story of `test_sso_crashes`, told in a process that has imported this module, and nothing but it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from authflow.testing.crashes import deaths, undisturbed
from tests.stories.crashing import changed, shown
from tests.stories.test_sso_faults import SCENES

if TYPE_CHECKING:
    from authflow.testing.crashes import Outside
    from tests.stories.crash_stories import Scene


def all_or_nothing(scene: Scene, command: str, which: int) -> None:
    """It has several transactions, all but one of which read: everything is as it was, or as it is in the end."""
    where, setting = SCENES[command][which]
    uow, database = scene.stage.uow, scene.database
    with uow.engine.begin() as connection:  # what the stage of the scene had put there
        for table in reversed(uow.tables.metadata.sorted_tables):
            connection.execute(sa.delete(table))
    stage = where(uow)
    ask = setting(stage)
    database.save()
    before = database.rows()

    def act(outside: Outside) -> str:
        stage.uow.tap = outside.tap
        return shown(ask())

    life = undisturbed(act, prepare=database.restore)
    after = database.rows()
    assert before != after
    done = []
    for death in deaths(act, prepare=database.restore):
        left = database.rows()
        assert left in (before, after), (death.name, changed(before, left))
        done.append(left == after)
    assert len(done) == len(life.points)
    assert done == sorted(done), "what is done stays done"
    assert (done[0], done[-1]) == (False, True)
