"""The story of `test_sso_crashes`, told in a process that has imported this module, and nothing but it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from authflow.adapters.sql.tap import Kind
from authflow.testing.crashes import deaths, undisturbed
from tests.stories.crash_stories import KEYED
from tests.stories.crashing import changed, shown
from tests.stories.test_sso_faults import SCENES
from tests.test_command import ALL

if TYPE_CHECKING:
    from authflow.testing.crashes import Outside
    from tests.stories.crash_stories import Scene


def all_or_nothing(scene: Scene, command: str, which: int) -> None:
    """It has several transactions, all but one of which read: everything is as it was, or as it is in the end.

    Where the command takes a key, whoever repeats it is told the very answer that was lost, and it is done once. It is
    repeated on both sides of its commit: at every other death the rows are those of one of these two.
    """
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
        return shown(ask(KEYED))

    def repeat(_outside: Outside) -> str:
        if done[-1]:  # and what is drawn then is something else
            stage.entropy.random_bytes(16)
        return shown(ask(KEYED))

    life = undisturbed(act, prepare=database.restore)
    after = database.rows()
    assert before != after
    done, repeated = list[bool](), 0
    for death in deaths(act, prepare=database.restore):
        left = database.rows()
        assert left in (before, after), (death.name, changed(before, left))
        done.append(left == after)
        if ALL[command].repeatable and death.point.kind is Kind.COMMIT:  # in a process whose browser knows no answer
            repeated += 1
            assert undisturbed(repeat, prepare=uow.engine.dispose).returned == life.returned, death.name
            assert database.rows() == after, (death.name, changed(after, database.rows()))
    assert len(done) == len(life.points)
    assert repeated == 2 * ALL[command].repeatable, "before its one commit and after it"
    assert done == sorted(done), "what is done stays done"
    assert (done[0], done[-1]) == (False, True)
