"""Going on with a sign-in through a provider: its table is asked, and what it says is done, in one transaction."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.errors import Code, StaleVersion, UniqueViolated
from authflow.facts.sso import AddressHeld, AddressProofMailed, ProofMailed, SignOnRefused
from authflow.journey.admitting import Admitting, Arrival, Undone
from authflow.journey.circumstances import Circumstances, Situation
from authflow.journey.door import carried, expect
from authflow.journey.sso_answers import ChoiceOwed, MailSent, Offer, PipelineAbandoned
from authflow.ports import Allowed, Stored
from authflow.sso.case import Ask, Choice, Deny, Known, Page
from authflow.sso.finishing import decide
from authflow.sso.kinds import Assertion
from authflow.sso.login import PROOF_LIFE, case_of
from authflow.sso.pipeline import barred, not_theirs
from authflow.sso.progress import (
    Abandon,
    Abandoned,
    AddressProven,
    Asked,
    Away,
    Choose,
    FactorAsked,
    Finish,
    Mailed,
    MailProof,
    Open,
    Opened,
    OpenLink,
    Over,
    Received,
)
from authflow.sso.progress import ProofMailed as ProofOpen
from authflow.sso.provider import Connected
from authflow.values import Refused, Secret, fold_address, token_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.signing_on import Finished
    from authflow.machine import Fact
    from authflow.ports import Clock, Limited, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sso.kinds import Rejected
    from authflow.sso.pipeline import Present
    from authflow.sso.service import Travelling
    from authflow.sso.service.pipelines import Bearer
    from authflow.sso.service.travelling import Back
    from authflow.values import Address, Asker, BrowserSession, Budget, Context, UserId


UNTOLD: Final = frozenset(
    {Code.SSO_PIPELINE_INVALID, Code.SSO_PIPELINE_EXPIRED, Code.SSO_PROVIDER_UNTRIED, Code.SSO_RATE_LIMITED}
)
"""Refusals that no log of an organization keeps: whoever asked may be anybody, or may ask again and again."""


@attrs.frozen(kw_only=True)
class _Held:
    """A sign-in as it stands: *at* is none where it cannot go on, and its table says why."""

    stored: Stored[Any]
    present: Present
    at: Situation | None


@attrs.frozen(kw_only=True)
class Concluding:
    """What one command makes of a pipeline; every method runs in its caller's transaction."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    recorder: Recorder
    travelling: Travelling
    circumstances: Circumstances
    admitting: Admitting
    mails: Budget

    # --- who has to be held -----------------------------------------------------------------------------------------

    def concerned(self, tx: JourneyTransaction, who: Bearer, came: Assertion | Rejected | None) -> tuple[UserId, ...]:
        """Return whose accounts have to be held before the pipeline is: those that the identity leads to."""
        found = self.travelling.load(tx, who)
        if isinstance(found, Refused):
            return ()
        state = found.state
        if isinstance(state, Open):
            identity, prover = state.identity, getattr(state, "user", None)
            own = self.circumstances.owners(tx, state.handle.provider, (identity.subject, identity.legacy))
            return own if prover is None else (*own, prover)
        if not isinstance(came, Assertion):
            return ()
        return self.circumstances.owners(tx, state.handle.provider, (came.subject, came.legacy))

    # --- the provider's answer --------------------------------------------------------------------------------------

    def take(
        self,
        tx: JourneyTransaction,
        asker: Asker,
        context: Context,
        who: Bearer,
        back: Back,
        came: Assertion | Rejected,
    ) -> Refused | None:
        """Take the answer, once; return why it was not taken, or none."""
        taken = self.travelling.take(tx, who, back, came, self.clock.now())
        answer = taken if isinstance(taken, Refused) else taken.answer
        if isinstance(answer, Received):
            return None
        return self._refused(tx, who, expect(answer, Refused), asker, context)

    # --- what follows from it -----------------------------------------------------------------------------------------

    def finish(
        self,
        tx: JourneyTransaction,
        session: BrowserSession,
        context: Context,
        asker: Asker,
        who: Bearer,
        choice: Choice,
    ) -> Finished:
        """Decide about the identity with what is known now, and do it; whoever loses a race may choose again."""
        try:
            with self.uow.savepoint():
                return self._finished(tx, session, context, asker, who, choice)
        except Undone as undone:
            answer = undone.answer
        except (UniqueViolated, StaleVersion):
            answer = Refused(code=Code.SSO_IDENTITY_CONFLICT)
        return carried(self._refused(tx, who, answer, asker, context), session, asker)

    def _finished(
        self,
        tx: JourneyTransaction,
        session: BrowserSession,
        context: Context,
        asker: Asker,
        who: Bearer,
        choice: Choice,
    ) -> Finished:
        now, token = self.clock.now(), self.travelling.new_secret()
        allowance = self._allowance(tx, who, asker, choice)
        held = self._held(tx, who, asker, choice, lock=True)
        if isinstance(held, Refused):
            return carried(held, session, asker)
        known = Known() if held.at is None else self.circumstances.known(tx, held.at, now)
        command = Choose(
            present=held.present, choice=choice, known=known, token=token_digest(token), allowance=allowance
        )
        answer = self.travelling.step(tx, held.stored, command, now).answer
        if held.at is None or isinstance(answer, Refused):
            refused = self._refused(tx, who, expect(answer, Refused), asker, context)
            return carried(refused, session, asker)
        here = Arrival(tx=tx, session=session, context=context, at=held.at, known=known, now=now)
        match answer:
            case Finish(decision=decision):
                return self.admitting.admit(here, decision)
            case FactorAsked(user=user):
                return self.admitting.challenge(here, user)
            case Mailed():
                self._mail_newcomer(here, token, asker)
                return carried(MailSent(), session, asker)
            case _:
                return carried(_page(held.at, known, expect(answer, Asked).page), session, asker)

    def look(self, tx: JourneyTransaction, asker: Asker, who: Bearer) -> ChoiceOwed | Refused:
        """Return the page that the pipeline waits at; nothing is written."""
        held, now = self._held(tx, who, asker, Choice.NOTHING, lock=False), self.clock.now()
        if isinstance(held, Refused):
            return held
        if held.at is None:
            return Refused(code=barred(held.stored.state.handle, held.present, now) or Code.SSO_PIPELINE_EXPIRED)
        known = self.circumstances.known(tx, held.at, now)
        decision = decide(case_of(held.at.state, Choice.NOTHING, known), now)
        if isinstance(decision, Deny):
            return Refused(code=decision.code)
        return _page(held.at, known, decision.page if isinstance(decision, Ask) else None)

    # --- mailed links -------------------------------------------------------------------------------------------------

    def mail_proof(self, tx: JourneyTransaction, asker: Asker, context: Context, who: Bearer) -> MailSent | Refused:
        """Mail a link to whoever can be mailed; whether anybody is, nobody learns."""
        token, allowance = self.travelling.new_secret(), self._hit(tx, self._asserted(tx, who))
        held = self._held(tx, who, asker, Choice.NOTHING, lock=True)
        if isinstance(held, Refused):
            return held
        found = None if held.at is None else self.circumstances.mailable(tx, held.at)
        command = MailProof(
            present=held.present,
            user=None if found is None else found.user,
            token=token_digest(token),
            allowance=allowance,
        )
        step = self.travelling.step(tx, held.stored, command, self.clock.now())
        if not isinstance(step.answer, Mailed):
            return self._refused(tx, who, expect(step.answer, Refused), asker, context)
        if found is not None and isinstance(step.state, ProofOpen):
            handle = step.state.handle
            fact = ProofMailed(
                organization=handle.organization,
                provider=handle.provider,
                pipeline=handle.id,
                user=found.user,
                token=token,
                expires_at=step.state.expires_at,
                recipients=(found.address,),
            )
            self._record(tx, (fact,), asker, context)
        return MailSent()

    def open_link(
        self, tx: JourneyTransaction, asker: Asker, context: Context, who: Bearer, token: Secret
    ) -> Refused | None:
        """Use the mailed link; return why it proves nothing, or none."""
        held = self._held(tx, who, asker, Choice.NOTHING, lock=True)
        if isinstance(held, Refused):
            return held
        command = OpenLink(present=held.present, token=token_digest(token))
        answer = self.travelling.step(tx, held.stored, command, self.clock.now()).answer
        if isinstance(answer, Opened):
            return None
        return self._refused(tx, who, expect(answer, Refused), asker, context)

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
        return self._refused(tx, who, expect(answer, Refused), asker, context)

    # --- pieces -----------------------------------------------------------------------------------------------------

    def _held(
        self, tx: JourneyTransaction, who: Bearer, asker: Asker, choice: Choice, *, lock: bool
    ) -> _Held | Refused:
        """Return the sign-in as it stands, for the browser that began it and for nobody else.

        A setup goes on elsewhere; one whose browser is at the provider has nothing to go on with yet.
        """
        stored = self.travelling.load(tx, who, lock=lock)
        if isinstance(stored, Refused):
            return stored
        state, present = stored.state, self.travelling.present(tx, stored.state, who)
        if not_theirs(state.handle, present) is not None or not isinstance(state, Away | Open | Over):
            return Refused(code=Code.SSO_PIPELINE_INVALID)
        if isinstance(state, Away):
            return Refused(code=Code.SSO_PROVIDER_UNTRIED)
        provider = tx.providers.load(state.handle.organization).state
        fit = isinstance(state, Open) and barred(state.handle, present, self.clock.now()) is None
        if not fit or not isinstance(provider, Connected) or isinstance(state, Over):
            return _Held(stored=stored, present=present, at=None)
        at = Situation(state=state, provider=provider, asker=asker, choice=choice)
        return _Held(stored=stored, present=present, at=at)

    def _asserted(self, tx: JourneyTransaction, who: Bearer) -> Address | None:
        found = self.travelling.load(tx, who)
        return found.state.identity.email if isinstance(found, Stored) and isinstance(found.state, Open) else None

    def _allowance(self, tx: JourneyTransaction, who: Bearer, asker: Asker, choice: Choice) -> Allowed | Limited:
        """Count a mail that may follow, before any row is held: limits are counted in front of rows, everywhere."""
        found = self.travelling.load(tx, who)
        state = None if isinstance(found, Refused) else found.state
        registers = choice is Choice.NEW_ACCOUNT or isinstance(state, AddressProven)
        if not isinstance(state, Open) or not registers or asker.user is not None:
            return Allowed(0)
        email, proven = state.identity.email, state.identity.email_verified or isinstance(state, AddressProven)
        mails = email is not None and (not proven or bool(tx.users.holders(email)))
        return self._hit(tx, email) if mails else Allowed(0)

    def _hit(self, tx: JourneyTransaction, address: Address | None) -> Allowed | Limited:
        if address is None:
            return Allowed(0)
        key = hashlib.sha256(fold_address(address).encode()).hexdigest()
        return tx.limits.hit(self.mails, key, self.clock.now())

    def _mail_newcomer(self, here: Arrival, token: Secret, asker: Asker) -> None:
        """Mail the link; or tell whoever has that address already, and nobody else (decision 22)."""
        handle, email = here.at.state.handle, here.at.identity.email
        place = {"organization": handle.organization, "provider": handle.provider}
        told: list[Fact] = [
            AddressHeld(**place, user=user, recipients=(own,))
            for user in (here.tx.users.holders(email) if email is not None and here.known.taken else ())
            for own in self.circumstances.written(here.tx, user, email)
        ]
        if not here.known.taken and email is not None:
            told = [
                AddressProofMailed(
                    **place, pipeline=handle.id, token=token, expires_at=handle.expires_at, recipients=(email,)
                )
            ]
        self._record(here.tx, told, asker, here.context)

    def _refused(
        self, tx: JourneyTransaction, who: Bearer, refused: Refused, asker: Asker, context: Context
    ) -> Refused:
        """Return *refused*, after the organization's log was told of what concerns it: nothing of a stranger's tries."""
        if refused.code not in UNTOLD:
            stored = self.travelling.load(tx, who)
            if not isinstance(stored, Refused):
                handle = stored.state.handle
                fact = SignOnRefused(
                    organization=handle.organization, provider=handle.provider, code=refused.code.value
                )
                self._record(tx, (fact,), asker, context)
        return refused

    def _record(self, tx: JourneyTransaction, facts: Sequence[Fact], asker: Asker, context: Context) -> None:
        self.recorder.record(tx, facts, asker=asker, context=context, now=self.clock.now())


def _page(at: Situation, known: Known, page: Page | None) -> ChoiceOwed:
    signs_up = known.sign_up and known.open_to_newcomers and at.identity.email is not None
    wanted: dict[Page | None, set[Offer]] = {
        None: {Offer.CONTINUE},
        Page.STRANGER: {Offer.SIGN_IN, Offer.NEW_ACCOUNT, *([Offer.MAIL_PROOF] if at.identity.email else [])},
        Page.PROVEN: {Offer.LINK},
        Page.VISITOR: {Offer.LINK, Offer.NEW_ACCOUNT},
    }
    offers = wanted[page] - (set() if signs_up else {Offer.NEW_ACCOUNT})
    return ChoiceOwed(
        page=page,
        offers=frozenset(offers),
        organization=at.provider.organization,
        provider=at.provider.name,
        email=at.identity.email,
        name=at.identity.name,
        user=at.asker.user,
        expires_at=at.state.handle.expires_at,
    )
