"""Mailed links of a sign-in through a provider: they prove a mailbox in the browser that asked, and nowhere else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs

from authflow.facts.sso import AddressHeld, AddressProofMailed, ProofMailed
from authflow.journey.door import expect
from authflow.journey.sso.answers import MailSent
from authflow.journey.sso.circumstances import mailable, written
from authflow.journey.sso.holding import Holding
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
from authflow.values import Refused, Secret, fold_address, token_digest

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.admitting import Arrival
    from authflow.machine import Fact
    from authflow.ports import Limited
    from authflow.sso.service.pipelines import Bearer
    from authflow.values import Address, Asker, Context


@attrs.frozen(kw_only=True)
class Proving(Holding):
    """Mailing links and opening them; every method runs in its caller's transaction."""

    def mail_proof(self, tx: JourneyTransaction, asker: Asker, context: Context, who: Bearer) -> MailSent | Refused:
        """Mail a link to whoever can be mailed; whether anybody is, nobody learns."""
        token, allowance = self.travelling.new_secret(), self._asked(tx, who)
        held = self.held(tx, who, asker, Choice.NOTHING, lock=True)
        if isinstance(held, Refused):
            return held
        found = None if held.at is None else mailable(tx, held.at.state)
        command = MailProof(
            present=held.present,
            user=None if found is None else found.user,
            token=token_digest(token),
            allowance=allowance,
        )
        step = self.travelling.step(tx, held.stored, command, self.clock.now())
        if not isinstance(step.answer, Mailed):
            return self.refused(tx, who, expect(step.answer, Refused), asker, context)
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
            self.record(tx, (fact,), asker, context)
        return MailSent()

    def open_link(
        self, tx: JourneyTransaction, asker: Asker, context: Context, who: Bearer, token: Secret
    ) -> Refused | None:
        """Use the mailed link; return why it proves nothing, or none."""
        held = self.held(tx, who, asker, Choice.NOTHING, lock=True)
        if isinstance(held, Refused):
            return held
        found = None if held.at is None else mailable(tx, held.at.state)
        command = OpenLink(present=held.present, user=None if found is None else found.user, token=token_digest(token))
        answer = self.travelling.step(tx, held.stored, command, self.clock.now()).answer
        if isinstance(answer, Opened):
            return None
        return self.refused(tx, who, expect(answer, Refused), asker, context)

    def _asked(self, tx: JourneyTransaction, who: Bearer) -> Allowed | Limited:
        """Count a proof for this organization alone: it is mailed to its members, and another's use up none of it."""
        state = self.travelling.peek(tx, who)
        if not isinstance(state, Open):
            return Allowed(0)
        return self._hit(tx, state.identity.email, at=state.handle.organization)

    def allowance(self, tx: JourneyTransaction, who: Bearer, choice: Choice) -> Allowed | Limited:
        """Count whatever may mail an address, or tell whether it is taken, whoever is signed in (decision 22).

        It is counted before any row is held: limits are counted in front of rows, everywhere.
        """
        state = self.travelling.peek(tx, who)
        email = state.identity.email if isinstance(state, Open) else None
        if not isinstance(state, Open) or email is None or not registers(case_of(state, choice, Known())):
            return Allowed(0)
        known = Known(taken=bool(tx.users.holders(email)))
        return self._hit(tx, email) if may_tell(case_of(state, choice, known)) else Allowed(0)

    def _hit(self, tx: JourneyTransaction, address: Address | None, *, at: str = "") -> Allowed | Limited:
        if address is None:
            return Allowed(0)
        key = hashlib.sha256(f"{at}\0{fold_address(address)}".encode()).hexdigest()
        return tx.limits.hit(self.mails, key, self.clock.now())

    def mail_newcomer(self, here: Arrival, token: Secret, asker: Asker, *, taken: bool) -> None:
        """Mail the link; or, of an address that is *taken*, tell whoever has it, and nobody else (decision 22)."""
        handle, email = here.at.state.handle, here.at.identity.email
        place, provider = handle.organization, handle.provider
        told: list[Fact] = [
            AddressHeld(organization=place, provider=provider, user=user, recipients=(own,))
            for user in (here.tx.users.holders(email) if email is not None and taken else ())
            for own in written(here.tx, user, email)
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
        self.record(here.tx, told, asker, here.context)
