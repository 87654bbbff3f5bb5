"""The story of single sign-on, told in memory and on a database; and with one guard taken away, to its bad end."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.nightly import often
from tests.stories.sso_story import SsoStory


def told(examples: int, steps: int = 40, **more: Any) -> settings:
    quiet = list(HealthCheck)
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=quiet, **more
    )


def test_in_memory():
    run_state_machine_as_test(SsoStory, settings=told(often(40, 2000)))


def test_on_a_database(sqlite_uow: Any):
    class Story(SsoStory):
        def make_uow(self) -> Any:
            with sqlite_uow.engine.begin() as connection:
                for table in reversed(sqlite_uow.tables.metadata.sorted_tables):
                    connection.execute(sa.delete(table))
            return sqlite_uow

    run_state_machine_as_test(Story, settings=told(often(3, 100), steps=25))
