"""How every composed command begins and ends: the session is turned into who asks, and the answer carries it on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.errors import IllegalCommand
from authflow.values import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import Clock, UnitOfWork
    from authflow.sessions.service import Sessions
    from authflow.values import Asker, BrowserSession

AnswerT = TypeVar("AnswerT", bound=Answer)
ExpectedT = TypeVar("ExpectedT")


@attrs.frozen(kw_only=True)
class Door:
    """What the composed services share: the unit of work that makes one transaction of several slices."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions

    def asked(self, session: BrowserSession, command: Callable[[Asker], AnswerT]) -> AnswerT:
        """Let *command* run for whoever *session* is, in the same transaction; the answer carries the session on."""
        with self.uow.begin():
            asker = self.sessions.identify(session, self.clock.now())
            return carried(command(asker), session)


def expect(answer: object, kind: type[ExpectedT]) -> ExpectedT:
    """Return *answer*, which a slice has promised to be a *kind* under the lock that is held.

    Raises:
        IllegalCommand: It is something else: a bug. The transaction is rolled back.
    """
    if not isinstance(answer, kind):
        raise IllegalCommand(machine="journey", state=type(answer).__name__, command=kind.__name__)
    return answer


def carried(answer: AnswerT, session: BrowserSession) -> AnswerT:
    """Return *answer* with *session*, which the host has stored already, as the value it goes on keeping."""
    return attrs.evolve(answer, session=attrs.evolve(session, renew=False))
