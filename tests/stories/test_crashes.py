"""Killed before and after every statement and every commit: all of it is there or nothing, and a repetition answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.nightly import often
from tests.stories import crash_stories as stories
from tests.stories.crash_stories import Teller
from tests.stories.crashing import FLOWS
from tests.stories.small_scenes import HOSTS, SMALL, TIMED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork


@pytest.fixture(scope="module")
def teller() -> Iterator[Teller]:
    with Teller() as teller:
        yield teller


def url_of(uow: SqlUnitOfWork) -> str:
    return uow.engine.url.render_as_string(hide_password=False)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_all_or_nothing_and_one_answer(request: pytest.FixtureRequest, teller: Teller, backend: str, flow: str):
    """Done: another try changes nothing and is told the very answer that was lost. Not done: it is done now, once."""
    teller.tell(url_of(request.getfixturevalue(f"{backend}_uow")), stories.all_or_nothing, flow)


@pytest.mark.parametrize("flow", SMALL)
@pytest.mark.parametrize("backend", often(["sqlite"], ["sqlite", "postgresql"]))
def test_a_small_command_is_all_or_nothing_too(request: pytest.FixtureRequest, teller: Teller, backend: str, flow: str):
    teller.tell(url_of(request.getfixturevalue(f"{backend}_uow")), stories.all_or_nothing, flow)


# --- what is no command with a key ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", HOSTS)
@pytest.mark.parametrize("backend", often(["sqlite"], ["sqlite", "postgresql"]))
def test_what_a_host_does_is_done_once(request: pytest.FixtureRequest, teller: Teller, backend: str, command: str):
    """Done: another try changes nothing. Not done: it is done now, once."""
    teller.tell(url_of(request.getfixturevalue(f"{backend}_uow")), stories.host, command)


@pytest.mark.parametrize("command", TIMED)
@pytest.mark.parametrize("backend", often(["sqlite"], ["sqlite", "postgresql"]))
def test_what_a_timer_calls_goes_on(request: pytest.FixtureRequest, teller: Teller, backend: str, command: str):
    """It has many transactions: whoever comes next goes on, and in the end all is as if nobody had died."""
    teller.tell(url_of(request.getfixturevalue(f"{backend}_uow")), stories.timer, command)


def test_a_sign_in_without_a_browser_session_is_done_anew(teller: Teller, sqlite_uow: SqlUnitOfWork):
    """Nobody can be told from anybody else: the value that was lost with the answer opens nothing for anybody."""
    teller.tell(url_of(sqlite_uow), stories.sign_in)


def test_an_event_is_saved_once_under_its_own_id(teller: Teller, sqlite_uow: SqlUnitOfWork):
    """Saved again it is the very same: nobody is told twice, nothing is counted twice."""
    teller.tell(url_of(sqlite_uow), stories.event)


def test_a_relay_that_dies_loses_nothing_and_repeats_only_the_same_message(teller: Teller, sqlite_uow: SqlUnitOfWork):
    """At least once, in the order of the lane; whoever comes after the lease sends the rest."""
    teller.tell(url_of(sqlite_uow), stories.relay)


def test_a_sweep_over_members_goes_on_where_it_died(teller: Teller, sqlite_uow: SqlUnitOfWork):
    """Each member is a transaction of its own: whole or not at all, and nobody is demoted or mailed twice."""
    teller.tell(url_of(sqlite_uow), stories.sweep)
