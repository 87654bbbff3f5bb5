"""What comes of an answer that nobody had asked for: its table is asked, and what it says is done (decision 25)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code, StaleVersion, UniqueViolated
from authflow.journey.door import carried, expect
from authflow.journey.sso.admitting import Admitting, Arrival, Undone
from authflow.journey.sso.answers import ConfirmationOwed, SignedOn
from authflow.journey.sso.circumstances import Situation
from authflow.journey.sso.holding import HeldPipeline, Holding
from authflow.sso.case import Choice, Deny, Known
from authflow.sso.finishing import decide_unasked
from authflow.sso.login import case_of
from authflow.sso.pipeline import Flow, barred, not_theirs
from authflow.sso.progress import ConfirmUnasked, FactorAsked, Finish, Over, Unconfirmed
from authflow.sso.provider import Connected
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.holding import Comer
    from authflow.policy import SsoPolicy
    from authflow.sessions.commands import EnrollmentOwed, SecondFactorOwed
    from authflow.sso.pipeline import Handle
    from authflow.sso.service.pipelines import Bearer
    from authflow.values import Asker, Secret, UserId

    Confirmed = SignedOn | SecondFactorOwed | EnrollmentOwed | Refused


@attrs.frozen(kw_only=True)
class Confirming(Holding):
    """What one command makes of such a pipeline; every method runs in its caller's transaction."""

    admitting: Admitting
    policy: SsoPolicy

    def concerned(self, tx: JourneyTransaction, who: Bearer) -> tuple[UserId, ...]:
        """Return whose accounts have to be held before the pipeline is: whose the identity is."""
        state = self.travelling.peek(tx, who)
        if not isinstance(state, Unconfirmed):
            return ()
        return self.circumstances.owners(tx, state.handle.provider, (state.identity.subject,))

    def page(self, tx: JourneyTransaction, asker: Asker, who: Bearer, pipeline: Secret) -> ConfirmationOwed | Refused:
        """Return what there is to confirm; nothing is written."""
        held, now = self._unconfirmed(tx, who, asker, lock=False), self.clock.now()
        if isinstance(held, Refused):
            return held
        state, at = held.stored.state, held.at
        if at is None:
            return Refused(code=barred(state.handle, held.present, now) or Code.SSO_PIPELINE_EXPIRED)
        known = self.circumstances.known(tx, at, now, lock=False)
        decision = decide_unasked(case_of(at.state, Choice.NOTHING, known), now)
        if isinstance(decision, Deny) or known.link is None:
            code = decision.code if isinstance(decision, Deny) else Code.SSO_UNASKED_UNLINKED
            return Refused(code=code)
        return ConfirmationOwed(
            pipeline=pipeline,
            organization=at.provider.organization,
            provider=at.provider.name,
            email=at.identity.email,
            name=at.identity.name,
            user=known.link.user,
            expires_at=state.handle.expires_at,
        )

    def finish(self, tx: JourneyTransaction, by: Comer) -> Confirmed:
        """Decide with what is known now, and let whoever confirmed in; nothing is linked, and nobody is made."""
        try:
            with self.uow.savepoint():
                return self._finished(tx, by)
        except Undone as undone:
            answer = undone.answer
        except (UniqueViolated, StaleVersion):
            answer = Refused(code=Code.SSO_IDENTITY_CONFLICT)
        return carried(self.refused(tx, by.who, answer, by.asker, by.context), by.session, by.asker)

    def _finished(self, tx: JourneyTransaction, by: Comer) -> Confirmed:
        held = self._unconfirmed(tx, by.who, by.asker, lock=True)
        if isinstance(held, Refused):
            return carried(held, by.session, by.asker)
        now = self.clock.now()
        known = Known() if held.at is None else self.circumstances.known(tx, held.at, now, lock=True)
        command = ConfirmUnasked(present=held.present, known=known)
        answer = self.travelling.step(tx, held.stored, command, now).answer
        if held.at is None or isinstance(answer, Refused):
            return carried(
                self.refused(tx, by.who, expect(answer, Refused), by.asker, by.context), by.session, by.asker
            )
        here = Arrival(tx=tx, session=by.session, context=by.context, at=held.at, known=known, now=now)
        if isinstance(answer, FactorAsked):
            return self.admitting.challenge(here, answer.user)
        return expect(self.admitting.admit(here, expect(answer, Finish).decision), SignedOn)

    def _unconfirmed(self, tx: JourneyTransaction, who: Bearer, asker: Asker, *, lock: bool) -> HeldPipeline | Refused:
        """Return the pipeline as it stands, for the browser that was given it; any other one goes on elsewhere."""
        stored = self.travelling.load(tx, who, lock=lock)
        if isinstance(stored, Refused):
            return stored
        provider = tx.providers.load(stored.state.handle.organization, lock=lock).state
        state, present = stored.state, self.travelling.present(tx, stored.state, who)
        theirs = state.handle.flow is Flow.UNASKED and not_theirs(state.handle, present) is None
        if not theirs or not isinstance(state, Unconfirmed | Over):
            return Refused(code=Code.SSO_PIPELINE_INVALID)
        closed = self._closed(tx, state.handle)
        if closed is not None:
            return Refused(code=closed)
        if isinstance(state, Over) or barred(state.handle, present, self.clock.now()) is not None:
            return HeldPipeline(stored=stored, present=present, at=None)
        if not isinstance(provider, Connected):  # `barred` has seen it in this very transaction
            return Refused(code=Code.SSO_PROVIDER_CHANGED)
        at = Situation(state=state, provider=provider, asker=asker, choice=Choice.NOTHING)
        return HeldPipeline(stored=stored, present=present, at=at)

    def _closed(self, tx: JourneyTransaction, handle: Handle) -> Code | None:
        """Return why no such pipeline goes on now: a browser that waits for its own answer takes no other (25)."""
        if not self.policy.idp_initiated:
            return Code.SSO_UNASKED_CLOSED
        waits = tx.pipelines.waits(handle.session, handle.provider, self.clock.now())
        return Code.SSO_STATE_INVALID if waits else None
