"""Going on with a sign-in through a provider: its table is asked, and what it says is done, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code, StaleVersion, UniqueViolated
from authflow.journey.door import carried, expect
from authflow.journey.sso.admitting import Admitting, Arrival, Undone
from authflow.journey.sso.answers import ChoiceOwed, MailSent, PipelineAbandoned
from authflow.journey.sso.proving import Proving
from authflow.ports import Allowed
from authflow.sso import login
from authflow.sso.case import Ask, Choice, Deny, Known
from authflow.sso.finishing import decide, offers
from authflow.sso.identity import read_subject
from authflow.sso.kinds import Assertion
from authflow.sso.progress import (
    Abandon,
    Abandoned,
    AddressAsked,
    Asked,
    Choose,
    FactorAsked,
    Finish,
    Open,
    ProofMailed,
    Proven,
    Received,
)
from authflow.values import Refused, token_digest

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.answers import Finished
    from authflow.journey.sso.circumstances import Situation
    from authflow.journey.sso.holding import Comer, HeldPipeline
    from authflow.sso.case import Page
    from authflow.sso.kinds import Rejected
    from authflow.sso.service.pipelines import Bearer
    from authflow.sso.service.trips import Back
    from authflow.values import Asker, Context, UserId


@attrs.frozen(kw_only=True)
class Concluding(Proving):
    """What one command makes of a pipeline; every method runs in its caller's transaction."""

    admitting: Admitting

    # --- who has to be held -----------------------------------------------------------------------------------------

    def concerned(self, tx: JourneyTransaction, who: Bearer, came: Assertion | Rejected | None) -> tuple[UserId, ...]:
        """Return whose accounts have to be held before the pipeline is: those that the identity leads to."""
        state = self.travelling.peek(tx, who)
        if state is None:
            return ()
        if isinstance(state, Open):
            identity, prover = state.identity, state.user if isinstance(state, ProofMailed | Proven) else None
            own = self.circumstances.owners(tx, state.handle.provider, (identity.subject, identity.legacy))
            return own if prover is None else (*own, prover)
        if not isinstance(came, Assertion):
            return ()
        return self.circumstances.owners(
            tx, state.handle.provider, (read_subject(came.subject), read_subject(came.legacy))
        )

    # --- the provider's answer --------------------------------------------------------------------------------------

    def take(self, tx: JourneyTransaction, by: Comer, back: Back, came: Assertion | Rejected) -> Refused | None:
        """Take the answer, once; return why it was not taken, or none."""
        taken = self.travelling.take(tx, by.who, back, came, self.clock.now())
        answer = taken if isinstance(taken, Refused) else taken.answer
        if isinstance(answer, Received):
            return None
        return self.refused(tx, by.who, expect(answer, Refused), by.asker, by.context)

    # --- what follows from it -----------------------------------------------------------------------------------------

    def finish(self, tx: JourneyTransaction, by: Comer, choice: Choice) -> Finished:
        """Decide about the identity with what is known now, and do it; whoever loses a race may choose again."""
        try:
            with self.uow.savepoint():
                return self._finished(tx, by, choice)
        except Undone as undone:
            answer = undone.answer
        except (UniqueViolated, StaleVersion):
            answer = Refused(code=Code.SSO_IDENTITY_CONFLICT)
        return carried(self.refused(tx, by.who, answer, by.asker, by.context), by.session, by.asker)

    def _finished(self, tx: JourneyTransaction, by: Comer, choice: Choice) -> Finished:
        session, context, asker, who = by.session, by.context, by.asker, by.who
        token = self.travelling.new_secret()
        allowance = self.allowance(tx, who, choice)
        held = self.held(tx, who, asker, choice, lock=True)
        if isinstance(held, Refused):
            return carried(held, session, asker)
        now = self.clock.now()
        known = Known() if held.at is None else self.circumstances.known(tx, held.at, now, lock=True)
        command = Choose(
            present=held.present, choice=choice, known=known, token=token_digest(token), allowance=allowance
        )
        answer = self.travelling.step(tx, held.stored, command, now).answer
        if held.at is None or isinstance(answer, Refused):
            refused = self.refused(tx, who, expect(answer, Refused), asker, context)
            return carried(refused, session, asker)
        here = Arrival(tx=tx, session=session, context=context, at=held.at, known=known, now=now)
        match answer:
            case Finish(decision=decision):
                return self.admitting.admit(here, decision)
            case FactorAsked(user=user):
                return self.admitting.challenge(here, user)
            case AddressAsked(taken=taken):
                self.mail_newcomer(here, token, asker, taken=taken)
                return carried(MailSent(), session, asker)
            case _:
                return carried(_page(held.at, known, expect(answer, Asked).page), session, asker)

    def look(self, tx: JourneyTransaction, asker: Asker, who: Bearer) -> ChoiceOwed | Refused:
        """Return the page that the pipeline waits at; nothing is written."""
        held, now = self.held(tx, who, asker, Choice.NOTHING, lock=False), self.clock.now()
        if isinstance(held, Refused):
            return held
        if held.at is None:
            return _stopped(held, now)
        known = self.circumstances.known(tx, held.at, now, lock=False)
        decision = decide(held.at.case(known), now)
        if isinstance(decision, Deny):
            return Refused(code=decision.code)
        return _page(held.at, known, decision.page if isinstance(decision, Ask) else None)

    def abandon(
        self, tx: JourneyTransaction, asker: Asker, context: Context, who: Bearer
    ) -> PipelineAbandoned | Refused:
        """End it, whatever it was for."""
        stored = self.travelling.load(tx, who, lock=True)
        if isinstance(stored, Refused):
            return stored
        command = Abandon(present=self.travelling.present(tx, stored.state, who))
        answer = self.travelling.step(tx, stored, command, self.clock.now()).answer
        if isinstance(answer, Abandoned):
            return PipelineAbandoned()
        return self.refused(tx, who, expect(answer, Refused), asker, context)


def _stopped(held: HeldPipeline, now: datetime) -> Refused:
    """Return why nothing can be chosen: what the table would say to a choice. Nothing is stored of it."""
    choice = Choose(present=held.present, choice=Choice.NOTHING, known=Known(), token=b"", allowance=Allowed(0))
    return expect(login.MACHINE.step(held.stored.state, choice, now).answer, Refused)


def _page(at: Situation, known: Known, page: Page | None) -> ChoiceOwed:
    return ChoiceOwed(
        page=page,
        offers=offers(at.case(known), page),
        organization=at.provider.organization,
        provider=at.provider.name,
        email=at.identity.email,
        name=at.identity.name,
        user=at.asker.user,
        expires_at=at.state.handle.expires_at,
    )
