"""How a helper ends the command that called it: what was written before stays, but for what a savepoint undoes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from authflow import NOBODY, Code, Refused
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.journey.door import Askers, need
from authflow.sso.kinds import Single
from authflow.values import Answer
from tests.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.journey.ports import JourneyTransaction
    from authflow.values import Asker

NO: Final = Refused(code=Code.SSO_PIPELINE_INVALID)


@pytest.fixture
def stage() -> Stage:
    return Stage(MemoryUnitOfWork())


@pytest.fixture
def askers(stage: Stage) -> Askers:
    return Askers(uow=stage.uow, clock=stage.clock, sessions=stage.flows.sessions._sessions)


def once(stage: Stage) -> Single:
    return Single(key="an answer", expires_at=stage.clock.now() + timedelta(hours=1))


def spent(stage: Stage) -> bool:
    with stage.uow.begin() as tx:
        return not tx.single_use.spend(once(stage))


def spending(stage: Stage, found: Any) -> Callable[[JourneyTransaction, Asker], Any]:
    """Return a command that uses something up, and then needs what was *found*."""

    def command(tx: JourneyTransaction, _asker: Asker) -> Any:
        assert tx.single_use.spend(once(stage))
        return need(found)

    return command


def undoing(stage: Stage, found: Any) -> Callable[[JourneyTransaction, Asker], Any]:
    """Return the same under a savepoint."""

    def command(tx: JourneyTransaction, asker: Asker) -> Any:
        with stage.uow.savepoint():
            return spending(stage, found)(tx, asker)

    return command


@pytest.mark.parametrize("way", ["asked", "shown", "found"])
@pytest.mark.parametrize(("made", "kept"), [(spending, True), (undoing, False)])
def test_a_command_that_declines_keeps_what_no_savepoint_undoes(
    stage: Stage, askers: Askers, way: str, made: Any, *, kept: bool
):
    ada = stage.person()
    answer = getattr(askers, way)(ada.browser.session, made(stage, NO))
    assert isinstance(answer, Refused)
    assert answer.code is NO.code
    assert spent(stage) is kept


@pytest.mark.parametrize("way", ["asked", "shown", "found"])
@pytest.mark.parametrize("made", [spending, undoing])
def test_a_command_that_has_what_it_needs_keeps_all_of_it(stage: Stage, askers: Askers, way: str, made: Any):
    ada = stage.person()
    assert isinstance(getattr(askers, way)(ada.browser.session, made(stage, Answer())), Answer)
    assert spent(stage)


@pytest.mark.parametrize("way", ["asked", "shown", "found"])
def test_who_declines_carries_the_session_on_as_whoever_answers(stage: Stage, askers: Askers, way: str):
    """A value that is over is nobody's any more, whatever the answer is."""
    ada = stage.person()
    stage.sign_in(ada)
    before = ada.browser.session
    look = getattr(askers, way)
    assert look(before, lambda _tx, _asker: need(NO)).session == before
    stage.flows.sessions.sign_out(before, ada.browser.context)
    assert look(before, lambda _tx, _asker: need(NO)).session == NOBODY
