"""Mailed links of a sign-in through a provider: they prove a mailbox in the browser that asked, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.facts.sso import AddressHeld, AddressProofMailed, ProofMailed
from authflow.journey.door import need
from authflow.journey.sso.answers import MailSent
from authflow.journey.sso.circumstances import mailable, written
from authflow.mailbox import mails_key
from authflow.ports import Allowed
from authflow.sso.case import Choice, Known
from authflow.sso.finishing import may_tell, registers
from authflow.sso.login import case_of
from authflow.sso.progress import (
    Mailed,
    MailProof,
    Open,
    Opened,
    OpenLink,
)
from authflow.sso.progress import ProofMailed as ProofOpen
from authflow.values import Secret, token_digest

if TYPE_CHECKING:
    from authflow.journey.sso.admitting import Arrival
    from authflow.journey.sso.comers import Comer
    from authflow.journey.sso.refusals import RefusalLog
    from authflow.journey.sso.standing import Standings
    from authflow.machine import Fact
    from authflow.ports import Clock, Limited
    from authflow.recording import Recorder
    from authflow.sso.service import SignInTravelling
    from authflow.values import Address, Budget, Refused


@attrs.frozen(kw_only=True)
class MailedProofs:
    """Mailing links and opening them; every method runs in its caller's transaction."""

    clock: Clock
    recorder: Recorder
    sign_ins: SignInTravelling
    standings: Standings
    refusals: RefusalLog
    mails: Budget

    def mail(self, by: Comer) -> MailSent | Refused:
        """Mail a link to whoever can be mailed; whether anybody is, nobody learns.

        Raises:
            Declined: There is no such sign-in here.
        """
        token, allowance = self.sign_ins.desk.new_secret(), self._asked(by)
        held = need(self.standings.of(by, Choice.NOTHING, lock=True))
        found = None if held.at is None else mailable(by.tx, held.at.state)
        command = MailProof(
            present=held.present,
            user=None if found is None else found.user,
            token=token_digest(token),
            allowance=allowance,
        )
        now = self.clock.now()
        step = self.sign_ins.pipelines.step(by.tx, held.stored, command, now)
        if not isinstance(step.answer, Mailed):
            return self.refusals.told(by, step.answer)
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
            self.recorder.record(by.tx, (fact,), asker=by.asker, context=by.context, now=now)
        return MailSent()

    def open(self, by: Comer, token: Secret) -> Refused | None:
        """Use the mailed link; return why it proves nothing, or none.

        Raises:
            Declined: There is no such sign-in here.
        """
        held = need(self.standings.of(by, Choice.NOTHING, lock=True))
        found = None if held.at is None else mailable(by.tx, held.at.state)
        command = OpenLink(present=held.present, user=None if found is None else found.user, token=token_digest(token))
        answer = self.sign_ins.pipelines.step(by.tx, held.stored, command, self.clock.now()).answer
        return None if isinstance(answer, Opened) else self.refusals.told(by, answer)

    def mail_newcomer(self, here: Arrival, token: Secret, *, taken: bool) -> None:
        """Mail the link; or, of an address that is *taken*, tell whoever has it, and nobody else (decision 22)."""
        by, handle, email = here.by, here.at.state.handle, here.at.identity.email
        place, provider = handle.organization, handle.provider
        told: list[Fact] = [
            AddressHeld(organization=place, provider=provider, user=user, recipients=(own,))
            for user in (by.tx.users.holders(email) if email is not None and taken else ())
            for own in written(by.tx, user, email)
        ]
        if not taken and email is not None:
            mailed = AddressProofMailed(
                organization=place,
                provider=provider,
                pipeline=handle.id,
                token=token,
                expires_at=handle.expires_at,
                recipients=(email,),
            )
            told = [mailed]
        self.recorder.record(by.tx, told, asker=by.asker, context=by.context, now=here.now)

    # --- how often --------------------------------------------------------------------------------------------------

    def allowance(self, by: Comer, choice: Choice) -> Allowed | Limited:
        """Count whatever may mail an address, or tell whether it is taken, whoever is signed in (decision 22).

        It is counted before any row is held: limits are counted in front of rows, everywhere.
        """
        state = self.sign_ins.pipelines.peek(by.tx, by.who)
        email = state.identity.email if isinstance(state, Open) else None
        if not isinstance(state, Open) or email is None or not registers(case_of(state, choice, Known())):
            return Allowed(0)
        known = Known(taken=bool(by.tx.users.holders(email)))
        return self._hit(by, email) if may_tell(case_of(state, choice, known)) else Allowed(0)

    def _asked(self, by: Comer) -> Allowed | Limited:
        """Count a proof for this organization alone: it is mailed to its members, and another's use up none of it."""
        state = self.sign_ins.pipelines.peek(by.tx, by.who)
        if not isinstance(state, Open):
            return Allowed(0)
        return self._hit(by, state.identity.email, at=state.handle.organization)

    def _hit(self, by: Comer, address: Address | None, *, at: str = "") -> Allowed | Limited:
        if address is None:
            return Allowed(0)
        return by.tx.limits.hit(self.mails, mails_key(address, place=at), self.clock.now())
