"""Where a lock holds nobody back, the version decides: whoever lost is answered, and their transaction lives.

Our adapters serialize the commands about one person; a host's may not. So somebody else writes here, always between
the reading and the writing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts.records import Audit
from authflow.mfa.answers import Proven
from authflow.mfa.factor import Enrolled, Proposed, Unenrolled
from authflow.mfa.kinds import TOTP
from tests.mfa.world import CONTEXT, World, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator


class Meddler:
    """A unit of work in which, when it is *armed*, somebody saves a person's factor as soon as it was read."""

    def __init__(self, uow: Any) -> None:
        self.uow, self.armed = uow, False

    @contextmanager
    def begin(self) -> Iterator[Any]:
        with self.uow.begin() as tx:
            yield Meddled(tx, self)

    def savepoint(self) -> Any:
        return self.uow.savepoint()

    def meddle(self, tx: Any, user: Any, held: Any) -> None:
        if self.armed:
            self.armed = False
            found = held.factor(TOTP)
            tx.factors.save(user, TOTP.id, found.state, expected=found.version)


class Meddled:
    """A transaction, or its factors, behind which the meddler sits."""

    def __init__(self, tx: Any, by: Meddler) -> None:
        self._tx, self._by = tx, by

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    @property
    def factors(self) -> Any:
        return MeddledFactors(self._tx, self._by)


class MeddledFactors(Meddled):
    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx.factors, name)

    def of_user(self, user: Any) -> Any:
        held = self._tx.factors.of_user(user)
        self._by.meddle(self._tx, user, held)
        return held


@pytest.fixture
def meddled(world: World) -> World:
    """Return the installation with somebody who meddles once, whenever they are asked to."""
    world.service = attrs.evolve(world.service, uow=Meddler(world.uow))
    return world


def lost(world: World, command: Any) -> str:
    """Return what *command* is answered that loses its row to somebody else."""
    world.service.uow.armed = True  # type: ignore[attr-defined]  # the meddler's
    answer = command()
    assert not world.service.uow.armed  # type: ignore[attr-defined]  # as above
    return refusal(answer)


def test_a_lost_beginning_proposes_nothing(meddled: World):
    answer = lost(meddled, lambda: meddled.service.begin(meddled.ada, CONTEXT, account="ada@example.org"))
    assert answer == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert meddled.held().factor(TOTP).state == Unenrolled()
    assert isinstance(meddled.complete(meddled.begin()), Proven)


def test_a_lost_proof_enrolls_nothing_and_tells_nobody(meddled: World):
    begun = meddled.begin()
    assert lost(meddled, lambda: meddled.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert isinstance(meddled.held().factor(TOTP).state, Proposed)
    assert meddled.audited() == []
    assert isinstance(meddled.complete(begun), Proven)


def test_a_lost_step_is_a_wrong_code(meddled: World):
    """Somebody else may have used this very step: it is not accepted, and the guess stays counted."""
    secret = meddled.enroll()
    burnt = meddled.held().factor(TOTP).state.authenticator.last_accepted_step
    assert lost(meddled, lambda: meddled.verify(meddled.code(secret))) == Code.MFA_CODE_REJECTED
    assert meddled.held().factor(TOTP).state.authenticator.last_accepted_step == burnt
    assert meddled.audited()[-1] == Audit.MFA_FAILED
    assert meddled.verify(meddled.code(secret)).failures == 1


def test_a_lost_change_changes_nothing(meddled: World):
    meddled.enroll()
    key = meddled.held().id_of(TOTP)
    service, who = meddled.service, meddled.ada
    for command in (
        lambda: service.rename(who, CONTEXT, authenticator=key, name="Work"),
        lambda: service.remove(who, CONTEXT, authenticator=key),
    ):
        assert lost(meddled, command) == Code.MFA_ENROLLMENT_STATE_CHANGED
    state = meddled.held().factor(TOTP).state
    assert isinstance(state, Enrolled)
    assert state.authenticator.name == "Authenticator app"
    assert meddled.audited() == [Audit.MFA_ADDED]
