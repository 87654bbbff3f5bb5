"""The story of the post flow, told on every database; a host tells it over its own unit of work in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from authflow.testing.browsers import installed
from authflow.testing.stories import PostFlowStory

if TYPE_CHECKING:
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
    from authflow.ports import Mailer
    from authflow.testing import ManualClock
    from authflow.wiring import Authflow


def told(examples: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )


def test_in_memory():
    run_state_machine_as_test(PostFlowStory, settings=told(100))


@pytest.mark.parametrize("database", ["sqlite_uow", "postgresql_uow"])
def test_on_a_database(database: str, request: pytest.FixtureRequest):
    uow: SqlUnitOfWork = request.getfixturevalue(database)

    class Story(PostFlowStory):
        def make_flows(self, clock: ManualClock, mailer: Mailer) -> Authflow:
            with uow.engine.begin() as connection:
                for table in uow.tables.metadata.tables.values():
                    connection.execute(sa.delete(table))
            return installed(uow, clock=clock, mailer=mailer)

    run_state_machine_as_test(Story, settings=told(8))


FAULTS: dict[str, tuple[str, Any]] = {
    "a step is accepted again": ("authflow.mfa.totp.match", None),
    "a recovery code is accepted again": ("authflow.adapters.memory.mfa.MemoryRecoveryCodes.consume", True),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_story_finds_a_planted_fault(fault: str, monkeypatch: pytest.MonkeyPatch):
    """The invariants bite: with a guard taken away Hypothesis finds the way to it."""
    from authflow.mfa import totp

    target, answer = FAULTS[fault]
    if answer is None:
        compare = totp.match
        monkeypatch.setattr(target, lambda *args, **given: compare(*args, **{**given, "after": None}))
        monkeypatch.setattr("authflow.mfa.standing.use_step.__code__", _always_use.__code__)
    else:
        monkeypatch.setattr(target, lambda *_args: answer)
    quick = settings(told(300), phases=[Phase.generate])  # the shortest way there is not asked for
    with pytest.raises(AssertionError, match="accepted twice"):
        run_state_machine_as_test(PostFlowStory, settings=quick)


def _always_use(state: Any, command: Any, now: Any) -> Any:
    import attrs

    from authflow.machine import Step
    from authflow.mfa.answers import Done
    from authflow.mfa.factor import with_authenticator

    used = attrs.evolve(state.authenticator, last_accepted_step=command.step, last_used_at=now)
    return Step(with_authenticator(state, used), Done())
