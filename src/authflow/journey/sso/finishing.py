"""Going on with a sign-in through a provider: its table is asked, and what it says is done, in one transaction.

What is decided is `authflow.sso.finishing`'s; here it is driven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.journey.door import expect, need
from authflow.journey.sso.admitting import Arrival
from authflow.journey.sso.answers import ChoiceOwed, MailSent, PipelineAbandoned
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
    from authflow.journey.sso.admitting import Admitting
    from authflow.journey.sso.answers import Finished
    from authflow.journey.sso.circumstances import Circumstances, Situation
    from authflow.journey.sso.comers import Comer
    from authflow.journey.sso.mailed_proofs import MailedProofs
    from authflow.journey.sso.refusals import RefusalLog
    from authflow.journey.sso.standing import HeldPipeline, Standings
    from authflow.ports import Clock
    from authflow.sso.case import Page
    from authflow.sso.identity import Subject
    from authflow.sso.kinds import Rejected
    from authflow.sso.service import SignInTravelling
    from authflow.sso.service.exchange import Response
    from authflow.values import UserId


@attrs.frozen(kw_only=True)
class Finishing:
    """What one command makes of a pipeline; every method runs in its caller's transaction."""

    clock: Clock
    sign_ins: SignInTravelling
    circumstances: Circumstances
    standings: Standings
    refusals: RefusalLog
    proofs: MailedProofs
    admitting: Admitting

    # --- who has to be held -----------------------------------------------------------------------------------------

    def concerned(self, by: Comer, said: Assertion | Rejected | None) -> tuple[UserId, ...]:
        """Return whose accounts have to be held before the pipeline is: those that the identity leads to."""
        state = self.sign_ins.pipelines.peek(by.tx, by.who)
        if state is None:
            return ()
        if isinstance(state, Open):
            identity, prover = state.identity, state.user if isinstance(state, ProofMailed | Proven) else None
            own = self.circumstances.owners(by.tx, state.handle.provider, (identity.subject, identity.legacy))
            return own if prover is None else (*own, prover)
        return self.circumstances.owners(by.tx, state.handle.provider, _subjects(said))

    def expect(
        self, tx: JourneyTransaction, response: Response, said: Assertion | Rejected, *, lock: bool = False
    ) -> None:
        """Say whose link is going to be asked for: whom *response* means is known before its pipeline is read."""
        subject, *_ = _subjects(said) or (None,)
        if subject is not None:
            tx.links.expect(response.provider, subject, lock=lock)

    # --- the provider's answer --------------------------------------------------------------------------------------

    def take(self, by: Comer, response: Response, said: Assertion | Rejected) -> Refused | None:
        """Take the answer, once; return why it was not taken, or none."""
        self.expect(by.tx, response, said, lock=True)
        taken = self.sign_ins.responses.take(by.tx, by.who, response, said, self.clock.now())
        answer = taken if isinstance(taken, Refused) else taken.answer
        return None if isinstance(answer, Received) else self.refusals.told(by, answer)

    # --- what follows from it -----------------------------------------------------------------------------------------

    def finish(self, by: Comer, choice: Choice) -> Finished:
        """Decide about the identity with what is known now, and do it; whoever loses a race may choose again."""
        return self.refusals.done_or_told(by, lambda: self._finished(by, choice))

    def _finished(self, by: Comer, choice: Choice) -> Finished:
        token, allowance = self.sign_ins.desk.new_secret(), self.proofs.allowance(by, choice)
        held = self.standings.of(by, choice, lock=True)
        if isinstance(held, Refused):  # it answers, and declines nothing: nobody is told of it
            return by.carried(held)
        now = self.clock.now()
        known = Known() if held.at is None else self.circumstances.known(by.tx, held.at, now, lock=True)
        command = Choose(
            present=held.present, choice=choice, known=known, token=token_digest(token), allowance=allowance
        )
        step = self.sign_ins.pipelines.decide(held.stored, command, now)
        here = None if held.at is None else Arrival(by=by, at=held.at, known=known, now=now)
        if here is not None and isinstance(step.answer, Finish):  # it is over when that is done, and not before
            admitted = self.admitting.admit(here, step.answer.decision)
            expect(self.sign_ins.pipelines.store(by.tx, held.stored, step).answer, Finish)
            return admitted
        answer = self.sign_ins.pipelines.store(by.tx, held.stored, step).answer
        if here is None or isinstance(answer, Refused):
            return by.carried(self.refusals.told(by, answer))
        match answer:
            case FactorAsked(user=user):
                return self.admitting.challenge(here, user)
            case AddressAsked(taken=taken):
                self.proofs.mail_newcomer(here, token, taken=taken)
                return by.carried(MailSent())
            case _:
                return by.carried(_page(here.at, known, expect(answer, Asked).page))

    def look(self, by: Comer) -> ChoiceOwed | Refused:
        """Return the page that the pipeline waits at; nothing is written.

        Raises:
            Declined: There is no such sign-in here.
        """
        held, now = need(self.standings.of(by, Choice.NOTHING, lock=False)), self.clock.now()
        if held.at is None:
            return _stopped(held, now)
        known = self.circumstances.known(by.tx, held.at, now, lock=False)
        decision = decide(held.at.case(known), now)
        if isinstance(decision, Deny):
            return Refused(code=decision.code)
        return _page(held.at, known, decision.page if isinstance(decision, Ask) else None)

    def abandon(self, by: Comer) -> PipelineAbandoned | Refused:
        """End it, whatever it was for.

        Raises:
            Declined: There is none here.
        """
        stored = need(self.sign_ins.pipelines.load(by.tx, by.who, lock=True))
        command = Abandon(present=self.sign_ins.pipelines.present(by.tx, stored.state, by.who))
        answer = self.sign_ins.pipelines.step(by.tx, stored, command, self.clock.now()).answer
        return PipelineAbandoned() if isinstance(answer, Abandoned) else self.refusals.told(by, answer)


def _subjects(said: Assertion | Rejected | None) -> tuple[Subject | None, ...]:
    """Return whom a provider means: by what it calls them, and by what it called them before."""
    return (read_subject(said.subject), read_subject(said.legacy)) if isinstance(said, Assertion) else ()


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
