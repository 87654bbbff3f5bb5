"""The confirmation of an address: a token that is mailed to it, and comes back once from the person who holds it.

::

    absent ──► sent ──► confirmed
                 │
                 ├────► expired
                 └────► voided

Every mail has a token of its own, for one person and one address. What is over keeps the digest of its token, so that
a second click on a used link is no failure, and an old one is told what became of it; nobody else is told anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.accounts.commands import (
    Answer,
    Command,
    Confirm,
    ConfirmationSent,
    ConfirmationView,
    Ended,
    Holder,
    Look,
    NothingToConfirm,
    Send,
    Verified,
    Void,
)
from authflow.accounts.states import Absent, Confirmation, Confirmed, Expired, Mailing, Over, Sent, Voided
from authflow.errors import Code
from authflow.facts import accounts as facts
from authflow.machine import Machine, Step, on
from authflow.mailbox import read_address
from authflow.ports import Limited
from authflow.values import Level, Refused, same_address, token_digest
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.ports import Allowed, User, UserAddress
    from authflow.values import Asker, UserId

# --- gates ----------------------------------------------------------------------------------------------------------


@gate
def may_confirm(asker: Asker) -> Code | None:
    """Refuse who is not signed in, or only through an organization's provider.

    What that one asserts opens the organization, and never a way into the person's account (decision 1).
    """
    if asker.user is None:
        return asker.why_not or Code.SESSION_REQUIRED
    return None if asker.level >= Level.ONE else Code.SESSION_ELEVATION_REQUIRED


def may_send(asker: Asker, named: UserId | None) -> Code | None:
    """Refuse as `may_confirm` whoever asks for themselves; the host may ask for anybody whom it has *named*."""
    return may_confirm(asker) if named is None else None


@gate
def mailable(person: User | None) -> Code | None:
    """Refuse where there is no such person, or none who may sign in to confirm anything."""
    if person is None:
        return Code.ACCOUNT_UNKNOWN
    return None if person.active else Code.SESSION_USER_INACTIVE


@gate
def open_address(held: UserAddress | None) -> Refused | None:
    """Refuse an address that is not the person's, is verified, or is none to which a mail could go."""
    if held is None:
        return Refused(code=Code.ACCOUNT_ADDRESS_UNKNOWN)
    if held.verified_at is not None:
        return Refused(code=Code.ACCOUNT_ADDRESS_VERIFIED)
    if read_address(held.address) is None:
        return Refused(code=Code.ACCOUNT_INPUT_INVALID, problems={"address": "is not an e-mail address"})
    return None


@gate
def over_budget(*allowances: Allowed | Limited) -> Refused | None:
    """Refuse what a limiter has not counted."""
    waits = [allowance.retry_after for allowance in allowances if isinstance(allowance, Limited)]
    return Refused(code=Code.ACCOUNT_RATE_LIMITED, retry_after=max(waits)) if waits else None


@gate
def not_theirs(mailing: Mailing, command: Look | Confirm) -> Code | None:
    """Refuse everybody but the person it was mailed for, as if there were no such token."""
    person = command.person
    mine = person is not None and person.active and person.id == mailing.user == command.asker.user
    return None if mine else Code.ACCOUNT_CONFIRMATION_INVALID


@gate
def flaw(mailing: Mailing, command: Look | Confirm, now: datetime) -> Code | None:
    """Tell why this token confirms nothing any more; asked for the person it was mailed for."""
    held = held_by(command.person, mailing.address)
    if now >= mailing.expires_at:
        return Code.ACCOUNT_CONFIRMATION_EXPIRED
    if held is None or held.verified_at is not None:
        return Code.ACCOUNT_CONFIRMATION_INVALID
    return Code.ACCOUNT_ADDRESS_TAKEN if command.taken else None


# --- rules ----------------------------------------------------------------------------------------------------------


def send(state: Absent, command: Send, now: datetime) -> Step[Confirmation, Answer]:
    """Mail a token, unless the address is verified by now; one that is somebody else's gets a warning instead.

    Whoever asks cannot tell the two apart, not even by what is stored (decision 22): that token is never mailed.
    """
    refused = open_address(command.held) or over_budget(command.asked, command.mailed)
    if refused is not None or command.held is None:
        return Step(state, refused or Refused(code=Code.ACCOUNT_ADDRESS_UNKNOWN))
    mailing = Mailing(
        user=command.person.id,
        address=command.held.address,
        token=token_digest(command.token),
        expires_at=now + command.life,
    )
    sent = ConfirmationSent(address=mailing.address)
    if command.holder is not None:
        withheld = facts.ConfirmationWithheld(user=mailing.user, address=mailing.address)
        return Step(Sent(mailing=mailing), sent, (withheld, _claimed(command.holder)))
    mailed = facts.ConfirmationSent(
        user=mailing.user,
        address=mailing.address,
        token=command.token,
        expires_at=mailing.expires_at,
        recipients=(mailing.address,),
    )
    return Step(Sent(mailing=mailing), sent, (mailed,))


def look(state: Sent, command: Look, now: datetime) -> Step[Confirmation, Answer]:
    """Show the address to its person, and change nothing: a link scanner confirms nothing (decision 13)."""
    refused = may_confirm(command.asker) or not_theirs(state.mailing, command)
    if refused is not None:
        return Step(state, Refused(code=refused))
    over = flaw(state.mailing, command, now)
    if over is not None:
        return Step(state, _friendly(state.mailing, command) or Refused(code=over))
    return Step(state, ConfirmationView(address=state.mailing.address, expires_at=state.mailing.expires_at))


def confirm(state: Sent, command: Confirm, now: datetime) -> Step[Confirmation, Answer]:
    """The person of this mail verifies its address, once and in time; what is found over is stored so (decision 35)."""
    mailing, person = state.mailing, command.person
    refused = may_confirm(command.asker) or not_theirs(mailing, command)
    if refused is not None or person is None:
        return Step(state, Refused(code=refused or Code.ACCOUNT_CONFIRMATION_INVALID))
    over = flaw(mailing, command, now)
    if over is not None:
        ended = Expired if over is Code.ACCOUNT_CONFIRMATION_EXPIRED else Voided
        return Step(ended(mailing=mailing, at=now), _friendly(mailing, command) or Refused(code=over))
    verified = Verified(address=mailing.address, first=not person.verified_addresses())
    fact = facts.AddressVerified(user=mailing.user, address=mailing.address)
    return Step(Confirmed(mailing=mailing, at=now), verified, (fact,))


def tell(state: Over, command: Look | Confirm, _now: datetime) -> Step[Confirmation, Answer]:
    """A second click is no failure while nothing is open; otherwise its person is told what became of the link."""
    refused = may_confirm(command.asker) or not_theirs(state.mailing, command)
    if refused is not None:
        return Step(state, Refused(code=refused))
    return Step(state, _friendly(state.mailing, command) or Refused(code=_TOLD[type(state)]))


def tell_nothing(state: Absent, command: Look | Confirm, _now: datetime) -> Step[Confirmation, Answer]:
    """An unknown token does nothing; where every address is verified that is no failure either (sso 11)."""
    refused = may_confirm(command.asker)
    if refused is not None:
        return Step(state, Refused(code=refused))
    done = _nothing_open(command.person)
    return Step(state, NothingToConfirm() if done else Refused(code=Code.ACCOUNT_CONFIRMATION_INVALID))


def void(state: Sent, _command: Void, now: datetime) -> Step[Confirmation, Answer]:
    """No token made before an address was verified, changed or removed works after it."""
    return Step(Voided(mailing=state.mailing, at=now), Ended())


def stay(state: Absent | Over, _command: Void, _now: datetime) -> Step[Confirmation, Answer]:
    """It was over already."""
    return Step(state, Ended())


_TOLD: Final[dict[type[Over], Code]] = {
    Confirmed: Code.ACCOUNT_CONFIRMATION_INVALID,
    Expired: Code.ACCOUNT_CONFIRMATION_EXPIRED,
    Voided: Code.ACCOUNT_CONFIRMATION_INVALID,
}


MACHINE = Machine[Confirmation, Command, Answer](
    "accounts.confirmation",
    rows=(
        # state      command        rule          next
        on(Absent, Send).to(send, Absent, Sent),
        on(Absent, Look).to(tell_nothing, Absent),
        on(Absent, Confirm).to(tell_nothing, Absent),
        on(Absent, Void).to(stay, Absent),
        on(Sent, Look).to(look, Sent),
        on(Sent, Confirm).to(confirm, Sent, Confirmed, Expired, Voided),
        on(Sent, Void).to(void, Voided),
        on(Confirmed, Look).to(tell, Confirmed),
        on(Confirmed, Confirm).to(tell, Confirmed),
        on(Confirmed, Void).to(stay, Confirmed),
        on(Expired, Look).to(tell, Expired),
        on(Expired, Confirm).to(tell, Expired),
        on(Expired, Void).to(stay, Expired),
        on(Voided, Look).to(tell, Voided),
        on(Voided, Confirm).to(tell, Voided),
        on(Voided, Void).to(stay, Voided),
    ),
)


# --- pieces of a step -----------------------------------------------------------------------------------------------


def held_by(person: User | None, address: object) -> UserAddress | None:
    """Return *address* as *person* holds it, verified or not; none if they do not, or if it is no text at all."""
    if person is None or not isinstance(address, str):
        return None
    return next((held for held in person.addresses if same_address(held.address, address)), None)


def _claimed(holder: Holder) -> facts.AddressClaimed:
    return facts.AddressClaimed(user=holder.user, address=holder.address, recipients=(holder.address,))


def _friendly(mailing: Mailing, command: Look | Confirm) -> NothingToConfirm | None:
    """Nothing is left to do where the link's address is verified for its person, or every address of theirs is."""
    held = held_by(command.person, mailing.address)
    done = held is not None and held.verified_at is not None
    return NothingToConfirm() if done or _nothing_open(command.person) else None


def _nothing_open(person: User | None) -> bool:
    held = () if person is None else person.addresses
    return bool(held) and all(address.verified_at is not None for address in held)
