"""Where the confirmation of addresses asks the world; `authflow.accounts.confirmation` decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.accounts.commands import (
    Confirm,
    ConfirmationSent,
    ConfirmationsSent,
    Holder,
    Look,
    Send,
    Void,
)
from authflow.accounts.confirmation import MACHINE, held_by, mailable, may_send, open_address
from authflow.accounts.states import Absent, Confirmed, Sent
from authflow.errors import Code, StaleVersion
from authflow.facts.accounts import AddressClaimed, AddressLost
from authflow.mailbox import mails_key
from authflow.nobody import SYSTEM
from authflow.ports import Allowed, Limited
from authflow.values import Asker, Context, Refused, Secret, new_identifier, token_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from authflow.accounts.commands import Answer
    from authflow.accounts.ports import AccountsTransaction
    from authflow.accounts.states import Confirmation, Over
    from authflow.machine import Step
    from authflow.policy import AccountsPolicy
    from authflow.ports import Clock, Entropy, UnitOfWork, User, UserAddress
    from authflow.recording import Recorder
    from authflow.values import Address, UserId

TOKEN_MAX: Final = 128
"""Twice the length of a token of ours; what is longer is not even hashed."""

NOBODY_ASKS: Final = SYSTEM
"""Whose doing it was stands in no log of the person at the other end: they may be a stranger to each other."""


@attrs.frozen(kw_only=True)
class Addresses:
    """The addresses of people: mailed tokens, and their single use."""

    uow: UnitOfWork[AccountsTransaction]
    clock: Clock
    entropy: Entropy
    recorder: Recorder
    policy: AccountsPolicy

    def send(
        self, asker: Asker, context: Context, *, user: UserId | None, address: Address | None
    ) -> ConfirmationsSent | Refused:
        """Mail a token to *address*, or to each unverified address, of *user* or else of whoever asks."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            whose = asker.user if user is None else user
            person = None if whose is None else tx.users.get(whose)
            refusal = may_send(asker, user) or mailable(person)
            if refusal is not None or person is None:
                return Refused(code=refusal or Code.ACCOUNT_UNKNOWN)
            wanted = _unverified(person) if address is None else (held_by(person, address),)
            asked = tx.limits.hit(self.policy.confirmations, person.id, now) if wanted else Allowed(0)
            steps = [self._send(tx, person, held, asked, now) for held in wanted]
            for step in steps:
                self._record(tx, step, asker, context, now)
            return _summed(wanted, [step.answer for step in steps])

    def look(self, asker: Asker, *, token: Secret) -> Answer:
        """Answer what a click on the link of *token* would confirm. It writes nothing, and locks nothing."""
        with self.uow.begin() as tx:
            found = tx.confirmations.load(digest) if (digest := _presented(token)) is not None else Absent()
            person, taken = self._read(tx, asker, found)
            command = Look(asker=asker, person=person, taken=taken)
            return MACHINE.step(found, command, self.clock.now()).answer

    def confirm(self, asker: Asker, context: Context, *, token: Secret) -> Answer:
        """Verify the address to which *token* was mailed, for the person it was mailed for; they are locked."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            found = self._held(tx, token)
            person, taken = self._read(tx, asker, found)
            step = MACHINE.step(found, Confirm(asker=asker, person=person, taken=taken), now)
            if isinstance(found, Sent) and not isinstance(step.state, Sent | Absent):
                try:
                    with self.uow.savepoint():
                        self._close(tx, found, step.state, now)
                except StaleVersion:
                    return self._lost(tx, found, now)
            self._record(tx, step, asker, context, now)
            return step.answer

    def record(self, user: UserId, address: Address) -> bool:
        """Store that the host verified *address* of *user*; false if they do not hold it."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            tx.confirmations.hold(address, now)
            known = tx.users.record_verified(user, address, now)
            if known:
                self._settle(tx, user, address, now)
            return known

    def free(self, address: Address) -> bool:
        """Hold *address*, and tell whether nobody has it verified: somebody new may be given it, verified."""
        with self.uow.begin() as tx:
            tx.confirmations.hold(address, self.clock.now())
            return not tx.users.holders(address)

    def settle(self, user: UserId, address: Address) -> None:
        """Let nothing be left of what others wanted with *address*, which is held, and was given to *user* verified."""
        with self.uow.begin() as tx:
            self._settle(tx, user, address, self.clock.now())

    def void(self, user: UserId, address: Address) -> int:
        """End every token to *address* of *user*; return how many waited."""
        with self.uow.begin() as tx:
            return tx.confirmations.void(address, self.clock.now(), user=user)

    def carries(self, user: UserId, token: Secret) -> bool:
        """Tell whether a mail with *token* is still worth sending: it waits, and so does the address of *user*."""
        with self.uow.begin() as tx:
            found, person = tx.confirmations.load(token_digest(token)), tx.users.get(user)
            if not isinstance(found, Sent) or found.mailing.user != user or mailable(person) is not None:
                return False
            return open_address(held_by(person, found.mailing.address)) is None

    def of_user(self, user: UserId) -> tuple[Sent | Over, ...]:
        """Return what was mailed to *user*, without the tokens."""
        with self.uow.begin() as tx:
            return tx.confirmations.of_user(user)

    def forget(self, user: UserId) -> int:
        """Delete every token of *user*; return how many there were."""
        with self.uow.begin() as tx:
            return tx.confirmations.remove_of_user(user)

    def sweep(self, now: datetime) -> int:
        """Delete the tokens that expired long enough ago; return how many there were."""
        with self.uow.begin() as tx:
            return tx.confirmations.remove_over(now - self.policy.ended_kept)

    # --- sending --------------------------------------------------------------------------------------------------

    def _send(
        self, tx: AccountsTransaction, person: User, held: UserAddress | None, asked: Allowed | Limited, now: datetime
    ) -> Step[Confirmation, Answer]:
        """Store the token of one mail; a mail that is not sent is not counted."""
        mailed: Allowed | Limited = asked
        if held is not None and open_address(held) is None and isinstance(asked, Allowed):
            mailed = tx.limits.hit(self.policy.mails, mails_key(held.address), now)
        command = Send(
            person=person,
            held=held,
            holder=None if held is None else self._holder(tx, person, held.address),
            asked=asked,
            mailed=mailed,
            token=Secret(new_identifier(self.entropy.random_bytes(32))),
            life=self.policy.confirmation_ttl,
        )
        step = MACHINE.step(Absent(), command, now)
        if isinstance(step.state, Sent):
            tx.confirmations.add(step.state)
        return step

    def _holder(self, tx: AccountsTransaction, person: User, address: Address) -> Holder | None:
        for user in tx.users.holders(address):
            held = held_by(tx.users.get(user), address)
            if user != person.id and held is not None:
                return Holder(user=user, address=held.address)
        return None

    # --- confirming -----------------------------------------------------------------------------------------------

    def _held(self, tx: AccountsTransaction, token: Secret) -> Confirmation:
        """Return what stands under *token*, after holding its address."""
        digest = _presented(token)
        found = Absent() if digest is None else tx.confirmations.load(digest)
        if not isinstance(found, Sent):
            return found
        waiting = tx.confirmations.hold(found.mailing.address, self.clock.now())
        return found if found in waiting else tx.confirmations.load(found.mailing.token, lock=True)

    def _read(self, tx: AccountsTransaction, asker: Asker, found: Confirmation) -> tuple[User | None, bool]:
        person = None if asker.user is None else tx.users.get(asker.user)
        if person is None or isinstance(found, Absent) or found.mailing.user != person.id:
            return person, False
        return person, self._holder(tx, person, found.mailing.address) is not None

    def _close(self, tx: AccountsTransaction, before: Sent, after: Over, now: datetime) -> None:
        """Use the token up, and verify the address: both, or neither.

        Raises:
            StaleVersion: Somebody else ended the token, or the host changed the address, at this very moment.
        """
        mailing = before.mailing
        if not tx.confirmations.close(before, after):
            raise StaleVersion
        if not isinstance(after, Confirmed):
            return
        if not tx.users.record_verified(mailing.user, mailing.address, now):
            raise StaleVersion
        self._settle(tx, mailing.user, mailing.address, now)

    def _lost(self, tx: AccountsTransaction, before: Sent, now: datetime) -> Refused:
        step = MACHINE.step(before, Void(), now)
        if not isinstance(step.state, Sent | Absent):
            tx.confirmations.close(before, step.state)
        return Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID)

    def _settle(self, tx: AccountsTransaction, user: UserId, address: Address, now: datetime) -> None:
        """Let nothing be left of what others wanted with an address that *user* verified just now (decision 19)."""
        tx.confirmations.void(address, now)
        losers = tx.users.drop_unverified(address, keep=user)
        lost = tuple(AddressLost(user=loser, address=address) for loser in losers)
        self.recorder.record(tx, lost, asker=NOBODY_ASKS, context=Context(), now=now)

    def _record(
        self, tx: AccountsTransaction, step: Step[Confirmation, Answer], asker: Asker, context: Context, now: datetime
    ) -> None:
        """Record what happened; a warning to whoever holds the address does not say who asked for it."""
        own = tuple(fact for fact in step.facts if not isinstance(fact, AddressClaimed))
        told = tuple(fact for fact in step.facts if isinstance(fact, AddressClaimed))
        self.recorder.record(tx, own, asker=asker, context=context, now=now)
        self.recorder.record(tx, told, asker=NOBODY_ASKS, context=Context(), now=now)


def _presented(token: Secret) -> bytes | None:
    """Return the digest of a *token* that somebody showed; none for what cannot be one of ours."""
    text = token.reveal()
    return token_digest(token) if text.isascii() and len(text) <= TOKEN_MAX else None


def _unverified(person: User) -> tuple[UserAddress, ...]:
    return tuple(held for held in person.addresses if held.verified_at is None)


def _summed(wanted: Sequence[UserAddress | None], answers: Sequence[Answer]) -> ConfirmationsSent | Refused:
    """Return which mails were sent, and which were not; the refusal itself where none was."""
    refusals = [answer for answer in answers if isinstance(answer, Refused)]
    sent = tuple(answer.address for answer in answers if isinstance(answer, ConfirmationSent))
    if refusals and not sent:
        return refusals[0]
    unsent = tuple(held.address for held in wanted if held is not None and held.address not in sent)
    return ConfirmationsSent(addresses=sent, unsent=unsent)
