"""The story of single sign-on, told in memory and on databases: by chance, and once from every session state."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final, get_args

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from authflow.errors import Code
from authflow.sessions.states import Session
from authflow.sso.case import Choice
from tests.nightly import often
from tests.stories.sso_story import ACME, GLOBEX, SsoStory, Standing, mailbox

if TYPE_CHECKING:
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork

TOLD: Final = {"sqlite": (20, 500), "postgresql": (5, 100)}
"""Stories on every commit, and every night; their rows are deleted between them."""

SAID: Final = (
    ("s1", mailbox("cat"), True),
    ("s1", None, None),
    ("owner", mailbox("ada"), True),
    ("ada", "ADA@example.com", "true"),
    ("ADA", "new@example.com", 1),
    ("s2", "newer@example.com", True),
)
"""What the hostile provider says: Cat's subject, others' addresses, and that they are verified, which it cannot."""

ROWS: Final = {kind.__name__ for kind in get_args(Session)} | {Code.SESSION_REQUIRED, Code.SESSION_SUPERSEDED}
"""What there may be behind a browser's value: every state of a row, none, and one that has another value by now."""


def told(examples: int, steps: int = 40, **more: Any) -> settings:
    quiet = list(HealthCheck)
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=quiet, **more
    )


def on(uow: SqlUnitOfWork) -> type[SsoStory]:
    """Return the story on a database, which is emptied before each."""

    class Story(SsoStory):
        def make_uow(self) -> Any:
            with uow.engine.begin() as connection:
                for table in reversed(uow.tables.metadata.sorted_tables):
                    connection.execute(sa.delete(table))
            return uow

    return Story


def test_in_memory():
    run_state_machine_as_test(SsoStory, settings=told(often(60, 2000)))


@pytest.mark.parametrize("database", TOLD)
def test_on_a_database(database: str, request: pytest.FixtureRequest):
    uow = request.getfixturevalue(f"{database}_uow")
    run_state_machine_as_test(on(uow), settings=told(often(*TOLD[database]), steps=50))


@pytest.mark.parametrize("then", [Choice.LINK, Choice.NEW_ACCOUNT])
def test_from_every_session_state_to_both_providers(sqlite_uow: SqlUnitOfWork, then: Choice):
    """Everybody goes to the honest provider, and three to the hostile one, as their browsers may stand before it."""
    story = on(sqlite_uow)()
    story.begin()
    for standing in Standing:
        for name, link in product(story.humans, sorted({False, standing is Standing.SIGNED_IN})):
            story.visit(name, ACME, standing, then, link=link, kept=True)
            story.whoever_acted_has_what_is_theirs()
        for said, name in product(SAID, ("mallory", "bob", "ada")):
            story.visit(name, GLOBEX, standing, then, said=said)
            story.whoever_acted_has_what_is_theirs()
        story.everything_holds()
    story.teardown()
    assert story.stood >= ROWS, ROWS - story.stood
