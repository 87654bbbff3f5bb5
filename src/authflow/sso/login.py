"""Signing in through a provider, and linking another identity: from the first redirect to the last choice (sso 3 to 6).

The provider's answer is taken once, in the browser that asked for it. What it means is decided by the table of
`authflow.sso.finishing`, as often as the person chooses, until one decision ends the pipeline.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from authflow.errors import Code
from authflow.machine import Machine, Step, on
from authflow.ports import Limited
from authflow.sso import finishing
from authflow.sso.case import Ask, Case, Challenge, Choice, Deny, ProveAddress
from authflow.sso.pipeline import Flow
from authflow.sso.pipeline_rules import abandon, asserted, failed, live, repeat, too_late
from authflow.sso.progress import (
    Abandon,
    AddressAsked,
    AddressMailed,
    AddressProven,
    Asked,
    Away,
    Choose,
    Command,
    ConfirmUnasked,
    FactorAsked,
    Finish,
    Identified,
    Login,
    LoginAnswer,
    Mailed,
    MailProof,
    Open,
    Opened,
    OpenLink,
    Over,
    ProofMailed,
    Proven,
    Received,
    Return,
    Unconfirmed,
    Why,
    Withdraw,
    Withdrawn,
)
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.case import Decision, Known

LoginStep = Step[Login, LoginAnswer]

PROOF_LIFE: Final = timedelta(minutes=10)
"""How long a mailed link works that proves an account's mailbox (sso 12)."""


# --- rules ------------------------------------------------------------------------------------------------------------


@live
def receive(state: Away, command: Return, _now: datetime) -> LoginStep:
    """The answer that was asked for is taken once, and ends the pipeline if it names nobody; any other changes nothing.

    Anybody can send this browser back with a state of their own, and so does an older tab of it.
    """
    said = asserted(state, command)
    if isinstance(said, Step):
        return said
    return Step(Identified(handle=state.handle, identity=said), Received())


@live
def choose(state: Open, command: Choose, now: datetime) -> LoginStep:
    """The table of finishing decides; whoever is asked, or refused for what they can mend, may choose again."""
    decision = finishing.decide(case_of(state, command.choice, command.known), now)
    if isinstance(command.allowance, Limited) and finishing.tells(decision):
        return Step(state, Refused(code=Code.SSO_RATE_LIMITED, retry_after=command.allowance.retry_after))
    return _decided(state, command, decision)


def _decided(state: Open, command: Choose, decision: Decision) -> LoginStep:
    match decision:
        case Ask():
            return Step(state, Asked(page=decision.page))
        case ProveAddress(taken=taken):
            return _mail_address(state, command, taken=taken)
        case _:
            return _entering(state, decision)


@live
def confirm(state: Unconfirmed, command: ConfirmUnasked, now: datetime) -> LoginStep:
    """Whoever meant it comes in by the link that stands, behind their second factor; no link is made (decision 25)."""
    return _entering(state, finishing.decide_unasked(case_of(state, Choice.NOTHING, command.known), now))


@live
def too_early(state: Away, _command: Choose | MailProof | OpenLink, _now: datetime) -> LoginStep:
    """There is nothing to choose and nothing to prove before the provider has answered."""
    return Step(state, Refused(code=Code.SSO_PROVIDER_UNTRIED))


@live
def only_confirmed(state: Unconfirmed, _command: Choose | MailProof | OpenLink, _now: datetime) -> LoginStep:
    """What nobody had asked for is confirmed or given up: nothing else can be made of it."""
    return Step(state, Refused(code=Code.SSO_PIPELINE_INVALID))


@live
def nothing_to_confirm(state: Away | Open, _command: ConfirmUnasked, _now: datetime) -> LoginStep:
    """This answer was asked for, or is: while a pipeline waits for its own, it takes no other (decision 25)."""
    return Step(state, Refused(code=Code.SSO_PIPELINE_INVALID))


@live
def mail_proof(state: Open, command: MailProof, now: datetime) -> LoginStep:
    """A link is mailed to whoever can be mailed, and all are told the same (decisions 20 and 22)."""
    if isinstance(command.allowance, Limited):
        return Step(state, Refused(code=Code.SSO_RATE_LIMITED, retry_after=command.allowance.retry_after))
    if command.user is None:
        return Step(state, Mailed())
    after = ProofMailed(
        handle=state.handle,
        identity=state.identity,
        user=command.user,
        token=command.token,
        expires_at=now + PROOF_LIFE,
    )
    return Step(after, Mailed())


@live
def prove(state: ProofMailed, command: OpenLink, now: datetime) -> LoginStep:
    """The mailed link proves the mailbox here and now, once; what is too old or another one proves nothing.

    Nor does one whose mailbox is not theirs any more.
    """
    if not hmac.compare_digest(state.token, command.token):
        return Step(state, Refused(code=Code.SSO_PROOF_INVALID))
    if now >= state.expires_at:
        return Step(Identified(handle=state.handle, identity=state.identity), Refused(code=Code.SSO_PROOF_EXPIRED))
    if command.user != state.user:
        return Step(Identified(handle=state.handle, identity=state.identity), Refused(code=Code.SSO_PROOF_INVALID))
    return Step(Proven(handle=state.handle, identity=state.identity, user=state.user), Opened())


@live
def prove_address(state: AddressMailed, command: OpenLink, now: datetime) -> LoginStep:
    """The mailed link proves a newcomer's address, once, for as long as the pipeline lives (sso 6.7)."""
    if not hmac.compare_digest(state.token, command.token):
        return Step(state, Refused(code=Code.SSO_PROOF_INVALID))
    return Step(AddressProven(handle=state.handle, identity=state.identity, address=state.address), Opened())


@live
def prove_nothing(state: Identified | Proven | AddressProven, _command: OpenLink, _now: datetime) -> LoginStep:
    """No link is open here: the second click, or another pipeline's mail."""
    return Step(state, Refused(code=Code.SSO_PROOF_INVALID))


def withdraw(state: Open | Unconfirmed, command: Withdraw, _now: datetime) -> LoginStep:
    """Whose session ended at the provider does not come in by what it said of them before; it alone may say so.

    No browser asks for it, so none has to show that the pipeline is its own (SAML core 3.7.3.1).
    """
    if command.provider != state.handle.provider:
        return Step(state, Refused(code=Code.SSO_PIPELINE_INVALID))
    return Step(Over(handle=state.handle, why=Why.WITHDRAWN), Withdrawn())


def nothing_said(state: Away, _command: Withdraw, _now: datetime) -> LoginStep:
    """What was not said yet cannot be taken back."""
    return Step(state, Refused(code=Code.SSO_PROVIDER_UNTRIED))


def said_in_vain(state: Over, _command: Withdraw, _now: datetime) -> LoginStep:
    """What it said was used, or is worth nothing already."""
    return Step(state, Refused(code=Code.SSO_PIPELINE_EXPIRED))


MACHINE = Machine[Login, Command, LoginAnswer](
    "sso.login",
    rows=(
        # state               command           rule           next
        on(Away, Return).to(receive, Away, Identified, Over),
        on(Away, Choose).to(too_early, Away, Over),
        on(Away, MailProof).to(too_early, Away, Over),
        on(Away, OpenLink).to(too_early, Away, Over),
        on(Away, Abandon).to(abandon, Away, Over),
        on(Away, ConfirmUnasked).to(nothing_to_confirm, Away, Over),
        on(Away, Withdraw).to(nothing_said, Away),
        on(Unconfirmed, ConfirmUnasked).to(confirm, Unconfirmed, Over),
        on(Unconfirmed, Choose).to(only_confirmed, Unconfirmed, Over),
        on(Unconfirmed, MailProof).to(only_confirmed, Unconfirmed, Over),
        on(Unconfirmed, OpenLink).to(only_confirmed, Unconfirmed, Over),
        on(Unconfirmed, Return).to(repeat, Unconfirmed, Over),
        on(Unconfirmed, Abandon).to(abandon, Unconfirmed, Over),
        on(Unconfirmed, Withdraw).to(withdraw, Unconfirmed, Over),
        on(Identified, Choose).to(choose, Identified, AddressMailed, Over),
        on(Identified, MailProof).to(mail_proof, Identified, ProofMailed, Over),
        on(Identified, OpenLink).to(prove_nothing, Identified, Over),
        on(Identified, Return).to(repeat, Identified, Over),
        on(Identified, Abandon).to(abandon, Identified, Over),
        on(Identified, ConfirmUnasked).to(nothing_to_confirm, Identified, Over),
        on(Identified, Withdraw).to(withdraw, Identified, Over),
        on(ProofMailed, Choose).to(choose, ProofMailed, AddressMailed, Over),
        on(ProofMailed, MailProof).to(mail_proof, ProofMailed, Over),
        on(ProofMailed, OpenLink).to(prove, ProofMailed, Proven, Identified, Over),
        on(ProofMailed, Return).to(repeat, ProofMailed, Over),
        on(ProofMailed, Abandon).to(abandon, ProofMailed, Over),
        on(ProofMailed, ConfirmUnasked).to(nothing_to_confirm, ProofMailed, Over),
        on(ProofMailed, Withdraw).to(withdraw, ProofMailed, Over),
        on(Proven, Choose).to(choose, Proven, AddressMailed, Over),
        on(Proven, MailProof).to(mail_proof, Proven, ProofMailed, Over),
        on(Proven, OpenLink).to(prove_nothing, Proven, Over),
        on(Proven, Return).to(repeat, Proven, Over),
        on(Proven, Abandon).to(abandon, Proven, Over),
        on(Proven, ConfirmUnasked).to(nothing_to_confirm, Proven, Over),
        on(Proven, Withdraw).to(withdraw, Proven, Over),
        on(AddressMailed, Choose).to(choose, AddressMailed, Over),
        on(AddressMailed, MailProof).to(mail_proof, AddressMailed, ProofMailed, Over),
        on(AddressMailed, OpenLink).to(prove_address, AddressMailed, AddressProven, Over),
        on(AddressMailed, Return).to(repeat, AddressMailed, Over),
        on(AddressMailed, Abandon).to(abandon, AddressMailed, Over),
        on(AddressMailed, ConfirmUnasked).to(nothing_to_confirm, AddressMailed, Over),
        on(AddressMailed, Withdraw).to(withdraw, AddressMailed, Over),
        on(AddressProven, Choose).to(choose, AddressProven, AddressMailed, Over),
        on(AddressProven, MailProof).to(mail_proof, AddressProven, ProofMailed, Over),
        on(AddressProven, OpenLink).to(prove_nothing, AddressProven, Over),
        on(AddressProven, Return).to(repeat, AddressProven, Over),
        on(AddressProven, Abandon).to(abandon, AddressProven, Over),
        on(AddressProven, ConfirmUnasked).to(nothing_to_confirm, AddressProven, Over),
        on(AddressProven, Withdraw).to(withdraw, AddressProven, Over),
        on(Over, Return).to(too_late, Over),
        on(Over, Choose).to(too_late, Over),
        on(Over, MailProof).to(too_late, Over),
        on(Over, OpenLink).to(too_late, Over),
        on(Over, Abandon).to(too_late, Over),
        on(Over, ConfirmUnasked).to(too_late, Over),
        on(Over, Withdraw).to(said_in_vain, Over),
    ),
)


# --- pieces -----------------------------------------------------------------------------------------------------------


def _entering(state: Open | Unconfirmed, decision: Decision) -> LoginStep:
    """Return the step of somebody who comes in by what was decided, or does not, or owes a second factor first."""
    match decision:
        case Deny():
            return _denied(state, decision.code)
        case Challenge():
            return Step(state, FactorAsked(user=decision.user))
        case _:
            return Step(Over(handle=state.handle, why=Why.FINISHED), Finish(decision=decision))


def _denied(state: Open | Unconfirmed, code: Code) -> Step[Login, Refused]:
    """An assertion that is too old has to be made again, in another pipeline; all else may be mended in this one."""
    return failed(state, code) if code is Code.SSO_IDENTITY_EXPIRED else Step(state, Refused(code=code))


def case_of(state: Open | Unconfirmed, choice: Choice, known: Known) -> Case:
    """Return what the table of finishing looks at."""
    return Case(
        identity=state.identity,
        started_by=state.handle.started_by,
        to_link=state.handle.flow is Flow.LINK,
        choice=choice,
        proven=state.user if isinstance(state, Proven) else None,
        registered=state.address if isinstance(state, AddressProven) else None,
        known=known,
    )


def _mail_address(state: Open, command: Choose, *, taken: bool) -> LoginStep:
    address = state.identity.email
    if address is None:
        return Step(state, Refused(code=Code.SSO_IDENTITY_INCOMPLETE))
    after = AddressMailed(handle=state.handle, identity=state.identity, address=address, token=command.token)
    return Step(after, AddressAsked(taken=taken))
