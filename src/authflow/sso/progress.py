"""How far a sign-in through a provider has come, what may come next, and what is answered (sso 3)."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.errors import Code
    from authflow.ports import Allowed, Limited
    from authflow.sso.case import Choice, Decision, Known, Page
    from authflow.sso.identity import Identity
    from authflow.sso.pipeline import Handle, Present
    from authflow.values import Address, ProviderId, Sealed, UserId


# --- states -----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Away:
    """The browser was sent to the provider. *state* is the digest of what must come back with it, once.

    *request* is sealed: the nonce, the code verifier or the id of the request that the answer must match.
    """

    handle: Handle
    state: bytes = attrs.field(repr=False)
    request: Sealed


@attrs.frozen(kw_only=True)
class Identified:
    """The provider said who it is. Whose account that is, is not decided."""

    handle: Handle
    identity: Identity


@attrs.frozen(kw_only=True)
class Unconfirmed:
    """The provider said who it is, and nobody had asked: the person has to say that they meant it (decision 25)."""

    handle: Handle
    identity: Identity


@attrs.frozen(kw_only=True)
class ProofMailed:
    """A link was mailed to *user*, to prove that the mailbox, and so the account, is theirs (decision 20)."""

    handle: Handle
    identity: Identity
    user: UserId
    token: bytes = attrs.field(repr=False)
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Proven:
    """*user* opened the link in this browser: they may link this identity, and no other."""

    handle: Handle
    identity: Identity
    user: UserId


@attrs.frozen(kw_only=True)
class AddressMailed:
    """A link was mailed to the asserted address, before there is an account."""

    handle: Handle
    identity: Identity
    address: Address
    token: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class AddressProven:
    """A newcomer opened the link in this browser: *address* is theirs."""

    handle: Handle
    identity: Identity
    address: Address


@unique
class Why(StrEnum):
    """Why a pipeline is over."""

    FINISHED = "finished"
    EXPIRED = "expired"
    FAILED = "failed"
    ABANDONED = "abandoned"
    WITHDRAWN = "withdrawn"


@attrs.frozen(kw_only=True)
class Over:
    """It can never go on."""

    handle: Handle
    why: Why


Open = Identified | ProofMailed | Proven | AddressMailed | AddressProven
Login = Away | Open | Unconfirmed | Over


# --- commands ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Return:
    """The browser came back. *said* is the verified identity, or why there is none; *state* the digest of what came."""

    present: Present
    state: bytes = attrs.field(repr=False)
    said: Identity | Code


@attrs.frozen(kw_only=True)
class Choose:
    """Finish, with what the person chose. *token* is the digest of a fresh one, for an address to be proved by."""

    present: Present
    choice: Choice
    known: Known
    token: bytes = attrs.field(repr=False)
    allowance: Allowed | Limited


@attrs.frozen(kw_only=True)
class MailProof:
    """Mail a link to *user*, or to nobody if nobody can be mailed; the answer is the same."""

    present: Present
    user: UserId | None
    token: bytes = attrs.field(repr=False)
    allowance: Allowed | Limited


@attrs.frozen(kw_only=True)
class OpenLink:
    """The mailed link was opened; *token* is the digest of what it carried, *user* whom it would be mailed to now."""

    present: Present
    user: UserId | None
    token: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Abandon:
    """Give up."""

    present: Present


@attrs.frozen(kw_only=True)
class ConfirmUnasked:
    """Come in by the answer that nobody had asked for; the person pressed a button that says as whom."""

    present: Present
    known: Known


@attrs.frozen(kw_only=True)
class Withdraw:
    """*provider* ended the session there of which it had spoken: what it said is worth nothing any more."""

    provider: ProviderId


Command = Return | Choose | MailProof | OpenLink | Abandon | ConfirmUnasked | Withdraw


# --- answers ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Received(Answer):
    """The provider's answer was taken; it can be finished now."""


@attrs.frozen(kw_only=True)
class Finish(Answer):
    """Do what was decided; the pipeline is over."""

    decision: Decision


@attrs.frozen(kw_only=True)
class Asked(Answer):
    """Show *page*."""

    page: Page


@attrs.frozen(kw_only=True)
class FactorAsked(Answer):
    """Begin the sign-in of *user*, who owes a second factor; then choose again."""

    user: UserId


@attrs.frozen(kw_only=True)
class Mailed(Answer):
    """A mail is on its way, if there is anybody to mail; nobody who sees this answer can tell."""


@attrs.frozen(kw_only=True)
class AddressAsked(Answer):
    """A link is mailed to the asserted address; or, where it is *taken*, a warning to whoever has it.

    Nobody who sees what this comes to can tell which.
    """

    taken: bool


@attrs.frozen(kw_only=True)
class Opened(Answer):
    """The mailed link was theirs: choose again."""


@attrs.frozen(kw_only=True)
class Abandoned(Answer):
    """The pipeline is over."""


@attrs.frozen(kw_only=True)
class Withdrawn(Answer):
    """The provider took its word back; the pipeline is over."""


LoginAnswer = Received | Finish | Asked | FactorAsked | Mailed | AddressAsked | Opened | Abandoned | Withdrawn | Refused
