"""Who goes on with a sign-in through a provider: in which browser, from where, as whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.journey.door import carried, hold
from authflow.sso.service.pipelines import bearer
from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import Clock
    from authflow.sessions.service import Sessions
    from authflow.sso.service import SignInPipelines
    from authflow.sso.service.pipelines import Bearer
    from authflow.values import Asker, BrowserSession, Context, Secret, UserId

AnswerT = TypeVar("AnswerT", bound=Answer)


@attrs.frozen(kw_only=True)
class Comer:
    """Who goes on with a pipeline, in the one transaction in which they do."""

    tx: JourneyTransaction
    session: BrowserSession
    context: Context
    asker: Asker
    who: Bearer

    def carried(self, answer: AnswerT) -> AnswerT:
        """Return *answer* with the value that their host goes on keeping."""
        return carried(answer, self.session, self.asker)


@attrs.frozen(kw_only=True)
class Comers:
    """Finds out who goes on; every method runs in its caller's transaction, and a refusal carries the session on."""

    clock: Clock
    sessions: Sessions
    pipelines: SignInPipelines

    def met(
        self, tx: JourneyTransaction, session: BrowserSession, context: Context, pipeline: Secret, *, lock: bool = False
    ) -> Comer | Refused:
        """Return who goes on with *pipeline*, with or without their account held."""
        self.pipelines.read_ahead(tx, pipeline)
        asker = self.sessions.identify(session, self.clock.now(), lock=lock)
        who = bearer(asker, pipeline)
        if isinstance(who, Refused):
            return carried(who, session, asker)
        return Comer(tx=tx, session=session, context=context, asker=asker, who=who)

    def held(
        self,
        tx: JourneyTransaction,
        session: BrowserSession,
        context: Context,
        pipeline: Secret,
        concerned: Callable[[Comer], Iterable[UserId]],
        *,
        lock: bool = False,
    ) -> Comer | Refused:
        """Return who goes on, with their account held and those of all who are *concerned*.

        They are met twice, because an account may have to be waited for, and whoever had it may have ended the session.
        With *lock* the pipeline is held in the same trip: for whoever holds it anyway, and counts in no budget before.
        """
        first = self.met(tx, session, context, pipeline)
        if isinstance(first, Refused):
            return first
        hold(tx, first.asker.user, *concerned(first))
        if lock:
            self.pipelines.read_ahead(tx, pipeline, lock=True)
        return self.met(tx, session, context, pipeline)
