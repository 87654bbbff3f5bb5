"""What comes of an answer that nobody had asked for: its table is asked, and what it says is done (decision 25)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.journey.door import expect, need
from authflow.journey.sso.admitting import Arrival
from authflow.journey.sso.answers import ConfirmationOwed, SignedOn
from authflow.sso.case import Choice, Deny, Known
from authflow.sso.finishing import decide_unasked
from authflow.sso.login import case_of
from authflow.sso.pipeline import barred
from authflow.sso.progress import ConfirmUnasked, FactorAsked, Finish, Unconfirmed
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.sso.admitting import Admitting
    from authflow.journey.sso.circumstances import Circumstances
    from authflow.journey.sso.comers import Comer
    from authflow.journey.sso.refusals import RefusalLog
    from authflow.journey.sso.standing import Standings
    from authflow.ports import Clock
    from authflow.sessions.commands import EnrollmentOwed, SecondFactorOwed
    from authflow.sso.service import SignInPipelines
    from authflow.values import Secret, UserId

    Confirmed = SignedOn | SecondFactorOwed | EnrollmentOwed | Refused


@attrs.frozen(kw_only=True)
class Confirming:
    """What one command makes of such a pipeline; every method runs in its caller's transaction."""

    clock: Clock
    pipelines: SignInPipelines
    circumstances: Circumstances
    standings: Standings
    refusals: RefusalLog
    admitting: Admitting

    def concerned(self, by: Comer) -> tuple[UserId, ...]:
        """Return whose accounts have to be held before the pipeline is: whose the identity is."""
        state = self.pipelines.peek(by.tx, by.who)
        if not isinstance(state, Unconfirmed):
            return ()
        return self.circumstances.owners(by.tx, state.handle.provider, (state.identity.subject,))

    def page(self, by: Comer, pipeline: Secret) -> ConfirmationOwed | Refused:
        """Return what there is to confirm; nothing is written.

        Raises:
            Declined: There is no such sign-in here.
        """
        held, now = need(self.standings.of_unasked(by, lock=False)), self.clock.now()
        state, at = held.stored.state, held.at
        if at is None:
            return Refused(code=barred(state.handle, held.present, now) or Code.SSO_PIPELINE_EXPIRED)
        known = self.circumstances.known(by.tx, at, now, lock=False)
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

    def finish(self, by: Comer) -> Confirmed:
        """Decide with what is known now, and let whoever confirmed in; nothing is linked, and nobody is made."""
        return self.refusals.done_or_told(by, lambda: self._finished(by))

    def _finished(self, by: Comer) -> Confirmed:
        held = self.standings.of_unasked(by, lock=True)
        if isinstance(held, Refused):  # it answers, and declines nothing: nobody is told of it
            return by.carried(held)
        now = self.clock.now()
        known = Known() if held.at is None else self.circumstances.known(by.tx, held.at, now, lock=True)
        command = ConfirmUnasked(present=held.present, known=known)
        step = self.pipelines.decide(held.stored, command, now)
        here = None if held.at is None else Arrival(by=by, at=held.at, known=known, now=now)
        if here is not None and isinstance(step.answer, Finish):  # it is over when that is done, and not before
            admitted = self.admitting.admit(here, step.answer.decision)
            expect(self.pipelines.store(by.tx, held.stored, step).answer, Finish)
            return expect(admitted, SignedOn)
        answer = self.pipelines.store(by.tx, held.stored, step).answer
        if here is None or isinstance(answer, Refused):
            return by.carried(self.refusals.told(by, answer))
        return self.admitting.challenge(here, expect(answer, FactorAsked).user)
