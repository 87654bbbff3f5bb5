"""What is known when a sign-in through a provider finishes, and what can be decided about it (sso 6.4)."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from authflow.errors import Code
    from authflow.sso.identity import Identity
    from authflow.sso.links import Holder, Link
    from authflow.values import Address, UserId


@unique
class Choice(StrEnum):
    """What the person chose on the confirmation page; nothing, when they come from the provider."""

    NOTHING = "nothing"
    LINK = "link"
    NEW_ACCOUNT = "new_account"


@attrs.frozen(kw_only=True)
class Visitor:
    """Who is signed in, in the browser that finishes.

    Args:
        user: The session's person.
        elevated: They proved recently who they are.
        member, linked: They belong to the organization, and have a link at this provider, with another subject; both
            are false where nothing depends on them.
        addresses: Their verified addresses.
    """

    user: UserId
    elevated: bool
    member: bool = False
    linked: bool = False
    addresses: tuple[Address, ...] = ()


@attrs.frozen(kw_only=True)
class Known:
    """What was read, in one transaction, to finish with. By default nobody is known, and nobody new may come in.

    Args:
        link: The link of this subject, or none.
        former: The link of the provider's former subject of the same person, while the policy takes it over.
        holder: Whose that link is, or none where there is none.
        visitor: Who is signed in here, or none.
        prover: Whoever proved a mailbox in this pipeline, as they are now; none where nobody did.
        owes: Whoever would come in (the link's person, else whoever proved a mailbox) has a second factor, or must
            enroll one, and is not signed in here.
        removed: The person was removed from the organization and may not come back, or somebody else was under this
            subject, and may not (decision 15).
        subject_removed: This subject was, and so nobody new comes in by it.
        taken: Somebody holds the asserted address verified, and there may be a new account.
        vouched: An invitation that only ever left by mail to the asserted address is open for it (decision 21).
        sign_up: Accounts are made here at all.
        open_to_newcomers: The organization takes people in at their first sign-in, or an invitation is open.
        verify_first: The policy asks for the address before there is an account.
        second_accounts: The policy lets somebody new have an address that is taken, unverified.
    """

    link: Link | None = None
    former: Link | None = None
    holder: Holder | None = None
    visitor: Visitor | None = None
    prover: Holder | None = None
    owes: bool = False
    removed: bool = False
    subject_removed: bool = False
    taken: bool = False
    vouched: bool = False
    sign_up: bool = False
    open_to_newcomers: bool = False
    verify_first: bool = False
    second_accounts: bool = False


@attrs.frozen(kw_only=True)
class Case:
    """Everything the table looks at.

    Args:
        identity: What the provider said.
        started_by: Who was signed in when the pipeline started, or none.
        to_link: It was started to link another identity to whoever is signed in.
        choice: What the person chose.
        proven: Whose mailbox was proved in this pipeline for this very identity, or none.
        registered: The address that a newcomer proved by a mailed link in this pipeline, or none.
        known: What was read.
    """

    identity: Identity
    started_by: UserId | None = None
    to_link: bool = False
    choice: Choice = Choice.NOTHING
    proven: UserId | None = None
    registered: Address | None = None
    known: Known


# --- decisions --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Enter:
    """Confirm *link* and sign its person in."""

    link: Link


@attrs.frozen
class TakeOver:
    """Let *link* go over to the provider's new subject, and sign its person in."""

    link: Link


@unique
class By(StrEnum):
    """On what ground a link is written."""

    OWN_SESSION = "own_session"
    MAILED_PROOF = "mailed_proof"


@attrs.frozen
class LinkTo:
    """Make the identity *user*'s."""

    user: UserId
    by: By


@attrs.frozen
class Challenge:
    """Ask *user* for their second factor first; the choice is kept."""

    user: UserId


@attrs.frozen
class Register:
    """Make an account with this identity; *verified*: its address is proven by somebody who may say so."""

    verified: bool


@attrs.frozen
class ProveAddress:
    """Mail a link to the asserted address; there is an account when it has been opened in this browser.

    *taken*: it is somebody's, who is told so by a mail, and nobody by anything else (decision 22).
    """

    taken: bool


@unique
class Page(StrEnum):
    """Which of three pages is shown. A stranger sees the same one whoever has an account (decision 22)."""

    STRANGER = "stranger"
    PROVEN = "proven"
    VISITOR = "visitor"


@unique
class Offer(StrEnum):
    """What a person may do next.

    Attributes:
        CONTINUE: Nothing has to be chosen: ``sso.resume``.
        SIGN_IN: Sign in with what they have here; then choose.
        MAIL_PROOF: Be mailed a link that proves the account is theirs: ``sso.mail_proof``.
        LINK: Make the identity their own: ``sso.choose``.
        NEW_ACCOUNT: Get a new account: ``sso.choose``.
    """

    CONTINUE = "continue"
    SIGN_IN = "sign_in"
    MAIL_PROOF = "mail_proof"
    LINK = "link"
    NEW_ACCOUNT = "new_account"


@attrs.frozen
class Ask:
    """Let the person choose on *page*; nothing is written."""

    page: Page


@attrs.frozen
class Deny:
    """No; nothing is written but the refusal's audit entry."""

    code: Code


Decision = Enter | TakeOver | LinkTo | Challenge | Register | ProveAddress | Ask | Deny
