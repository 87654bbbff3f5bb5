"""The story of the post flow, told on every database; and, with one guard taken away at a time, told to its bad end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from authflow.machine import Step
from authflow.membership import admission
from authflow.membership.service import invitations
from authflow.mfa import totp
from authflow.mfa.answers import Done
from authflow.mfa.factor import with_authenticator
from authflow.recording import Recorder
from authflow.sessions import standing, visit
from authflow.sessions.states import EndReason
from authflow.testing.browsers import installed
from authflow.testing.story import PostFlowStory

if TYPE_CHECKING:
    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
    from authflow.ports import Mailer
    from authflow.testing import ManualClock
    from authflow.wiring import Authflow


def told(examples: int, steps: int = 40, **more: Any) -> settings:
    quiet = list(HealthCheck)
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=quiet, **more
    )


def test_in_memory():
    run_state_machine_as_test(PostFlowStory, settings=told(120))


@pytest.mark.parametrize("database", ["sqlite_uow", "postgresql_uow"])
def test_on_a_database(database: str, request: pytest.FixtureRequest):
    uow: SqlUnitOfWork = request.getfixturevalue(database)

    class Story(PostFlowStory):
        def make_flows(self, clock: ManualClock, mailer: Mailer) -> Authflow:
            with uow.engine.begin() as connection:
                for table in uow.tables.metadata.tables.values():
                    connection.execute(sa.delete(table))
            return installed(uow, clock=clock, mailer=mailer)

    run_state_machine_as_test(Story, settings=told(6))


# --- the invariants bite ----------------------------------------------------------------------------------------------


def any_step(patch: pytest.MonkeyPatch) -> None:
    """A time step may be accepted again. The table holds the rule itself, so it is the rule's code that is replaced."""
    compare = totp.match

    def use_step(state: Any, command: Any, now: Any) -> Any:
        used = attrs.evolve(state.authenticator, last_accepted_step=command.step, last_used_at=now)
        return Step(with_authenticator(state, used), Done())

    patch.setattr(totp, "match", lambda *args, **given: compare(*args, **{**given, "after": None}))
    patch.setattr("authflow.mfa.standing.use_step.__code__", use_step.__code__)


def any_recovery_code(patch: pytest.MonkeyPatch) -> None:
    """A recovery code is never used up."""

    def found(self: Any, authenticator: Any, digests: Any, _now: Any) -> bool:
        wanted = {(authenticator, digest.value) for digest in digests}
        return any((row.authenticator, row.digest) in wanted for _, row in self._codes.items())

    patch.setattr("authflow.adapters.memory.mfa.MemoryRecoveryCodes.consume", found)


def no_second_factor(patch: pytest.MonkeyPatch) -> None:
    """A first factor signs in, whatever is enrolled."""
    honest = visit.Person
    patch.setattr(visit, "Person", lambda **facts: honest(**{**facts, "has_factor": False}))


def no_epoch(patch: pytest.MonkeyPatch) -> None:
    """A session outlives the epoch it began in."""
    honest = standing.over

    def lenient(*facts: Any) -> EndReason | None:
        reason = honest(*facts)
        return None if reason is EndReason.ENDED_ELSEWHERE else reason

    patch.setattr(standing, "over", lenient)


def no_generation(patch: pytest.MonkeyPatch) -> None:
    """A value that was replaced goes on opening the row."""
    patch.setattr(standing, "recognize", lambda *_: None)


def no_attempts(patch: pytest.MonkeyPatch) -> None:
    """Guesses are counted and forgotten."""
    patch.setattr("authflow.adapters.memory.shared.MemoryAttempts.count", lambda *_, **__: 1)
    patch.setattr("authflow.adapters.memory.shared.MemoryAttempts.read", lambda *_: 0)


def any_addressee(patch: pytest.MonkeyPatch) -> None:
    """An invitation is for whoever holds it."""
    patch.setattr(admission, "addressed_to", lambda *_: True)
    patch.setattr(admission, "missing", lambda *_: frozenset())


def any_number_of_members(patch: pytest.MonkeyPatch) -> None:
    """An invitation is not used up by who joins."""
    patch.setattr("authflow.adapters.memory.membership.MemoryInvitations.accept", lambda *_: True)


def sessions_without_an_owner(patch: pytest.MonkeyPatch) -> None:
    """A deleted account leaves its sessions behind, for whoever registers under the same id."""
    patch.setattr("authflow.adapters.memory.sessions.MemorySessions.remove_of_user", lambda *_: 0)


def no_cascade(patch: pytest.MonkeyPatch) -> None:
    """Recovery codes stay when the last factor goes."""
    patch.setattr("authflow.mfa.service.keeping.Keeping.fall", lambda *_, **__: None)


def one_region(patch: pytest.MonkeyPatch) -> None:
    """Only the first region hears of a new member."""
    honest = Recorder._signals
    patch.setattr(Recorder, "_signals", lambda *args: list(honest(*args))[:1])


def no_log(patch: pytest.MonkeyPatch) -> None:
    """Nobody writes down who joined."""
    patch.setattr("authflow.adapters.memory.shared.MemoryAudit.append", lambda *_: None)


def invited_again(patch: pytest.MonkeyPatch) -> None:
    """An address is invited as often as somebody likes."""
    patch.setattr(invitations, "_taken", lambda *_: False)
    patch.setattr("authflow.adapters.memory.store.Table._refuse", lambda *_: None)


GUARDS: dict[Any, str] = {
    any_step: "a time step was accepted twice",
    any_recovery_code: "a recovery code was accepted",
    no_second_factor: "a password alone signed in",
    no_epoch: "a password alone signed in|came back",
    no_generation: "came back",
    no_attempts: "got a try back",
    any_addressee: "a letter of their own",
    any_number_of_members: "not used up",
    sessions_without_an_owner: "came back",
    no_cascade: "recovery codes stand alone",
    one_region: "a region was not told",
    no_log: "not in the log",
    invited_again: "invited twice",
}


SEEDS: Final = range(23, 73)
"""The first of them finds every bad end; the others are tried where the story is told in another way by then."""


def tell_a_dozen(number: int) -> None:
    @seed(number)
    class Story(PostFlowStory):
        pass

    run_state_machine_as_test(Story, settings=told(12, database=None, phases=[Phase.generate]))


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_the_story_ends_badly_without_the_guard(guard: Any, monkeypatch: pytest.MonkeyPatch):
    guard(monkeypatch)
    with pytest.raises(AssertionError, match=GUARDS[guard]):
        for number in SEEDS:
            tell_a_dozen(number)
