"""Finishing a sign-in through a provider: one ordered table from what is known to what is done (sso 5 to 7).

The first row that holds decides. An asserted address signs nobody in and links nobody: where it appears below, it is
that of an account to be made, or must be one that the person who is signed in has verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.errors import BrokenPromise, Code
from authflow.sso.case import (
    Ask,
    By,
    Challenge,
    Choice,
    Deny,
    Enter,
    LinkTo,
    Offer,
    Page,
    ProveAddress,
    Register,
    TakeOver,
)
from authflow.values import same_address
from authflow.witness import refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.sso.case import Case, Decision
    from authflow.sso.links import Link

# --- rows -------------------------------------------------------------------------------------------------------------


def too_old(case: Case, now: datetime) -> Decision | None:
    """The assertion is ten minutes old or more: it is made again (decision 25)."""
    return None if case.identity.is_fresh(now) else Deny(Code.SSO_IDENTITY_EXPIRED)


def begun_by_another(case: Case, _now: datetime) -> Decision | None:
    """Somebody else is signed in than when it began: they go on only if the identity is their own."""
    visitor, link = case.known.visitor, case.known.link or case.known.former
    if visitor is None or case.started_by in {None, visitor.user}:
        return None
    return None if link is not None and link.user == visitor.user else Deny(Code.SSO_IDENTITY_MISMATCH)


def disabled(case: Case, _now: datetime) -> Decision | None:
    """The identity's person may not sign in: neither linking nor a new account touches the link (decision 15)."""
    held = case.known.holder is not None and not case.known.holder.active
    return Deny(Code.SSO_IDENTITY_DISABLED) if held else None


def removed(case: Case, _now: datetime) -> Decision | None:
    """Whoever was removed does not walk back in, nor does their subject as somebody new (decision 15)."""
    barred = case.known.removed or (registers(case) and case.known.subject_removed)
    return Deny(Code.SSO_MEMBER_REMOVED) if barred else None


def known(case: Case, _now: datetime) -> Decision | None:
    """The identity is linked: its person comes in, behind their second factor; unless somebody else asks for it."""
    if case.known.link is None or _claims(case, case.known.link):
        return None
    return Challenge(case.known.link.user) if case.known.owes else Enter(case.known.link)


def former(case: Case, _now: datetime) -> Decision | None:
    """The provider's former subject is linked; the policy takes it over if the address is vouched for (decision 24).

    As of the subject itself, unless somebody else asks for it.
    """
    if case.known.former is None or case.known.link is not None or not case.identity.email_verified:
        return None
    if _claims(case, case.known.former):
        return None
    return Challenge(case.known.former.user) if case.known.owes else TakeOver(case.known.former)


def nameless(case: Case, _now: datetime) -> Decision | None:
    """A new account needs an address."""
    wanted = case.choice is Choice.NEW_ACCOUNT and case.identity.email is None
    return Deny(Code.SSO_IDENTITY_INCOMPLETE) if wanted else None


def closed(case: Case, _now: datetime) -> Decision | None:
    """No accounts are made here, or for whoever came to link; or the organization takes in only whom it invited.

    Whose address is not proved yet may prove it first: only then is it known, and told, whether they are invited.
    """
    if not registers(case):
        return None
    if case.to_link or not case.known.sign_up:
        return Deny(Code.SSO_SIGN_UP_CLOSED)
    return Deny(Code.SSO_JOIN_CLOSED) if not case.known.open_to_newcomers and _is_theirs(case) else None


def held(case: Case, _now: datetime) -> Decision | None:
    """A sign-up with an identity that is linked already is refused: it takes no link over (decision 15)."""
    return Deny(Code.SSO_IDENTITY_CONFLICT) if registers(case) and case.known.link is not None else None


def taken(case: Case, _now: datetime) -> Decision | None:
    """Somebody holds the address: told on the page to somebody signed in, to all others by mail (decisions 22, 26)."""
    if not registers(case) or not case.known.taken or case.known.second_accounts:
        return None
    return ProveAddress(taken=True) if case.known.visitor is None else Deny(Code.SSO_IDENTITY_CONFLICT)


def vouched(case: Case, _now: datetime) -> Decision | None:
    """A trusted provider, an invitation that left by mail only, or a mailed link says whose it is (decision 21).

    A second account under an address that is taken holds it unverified all the same (decision 26).
    """
    return Register(verified=not case.known.taken) if registers(case) and _is_theirs(case) else None


def unverified(case: Case, _now: datetime) -> Decision | None:
    """A new account, whose address is proved first by the policy, or where an invitation may be open for it."""
    if not registers(case):
        return None
    first = case.known.verify_first or not case.known.open_to_newcomers
    return ProveAddress(taken=False) if first else Register(verified=False)


def proven(case: Case, _now: datetime) -> Decision | None:
    """Somebody proved a mailbox for this identity, here: they may link, behind their second factor (decision 20).

    What is somebody's already no mail takes from them: for that a person asks who is signed in.
    """
    person, visitor = case.known.prover, case.known.visitor
    if person is None or person.user != case.proven or (visitor is not None and visitor.user != person.user):
        return None
    if not person.active:
        return Deny(Code.SSO_IDENTITY_DISABLED)
    if case.known.link is not None:
        return None
    if case.choice is not Choice.LINK:
        return Ask(Page.PROVEN)
    return Challenge(person.user) if case.known.owes else LinkTo(person.user, By.MAILED_PROOF)


def renumbered(case: Case, _now: datetime) -> Decision | None:
    """A member's changed subject is linked without asking, if a trusted provider names their address (sso 6.4)."""
    visitor, identity = case.known.visitor, case.identity
    if (
        visitor is None
        or case.choice is not Choice.NOTHING
        or case.known.link is not None
        or not identity.email_verified
    ):
        return None
    email = identity.email
    own = email is not None and any(same_address(email, address) for address in visitor.addresses)
    sure = own and visitor.linked and visitor.member and visitor.elevated
    return LinkTo(visitor.user, By.OWN_SESSION) if sure else None


def asked_for(case: Case, _now: datetime) -> Decision | None:
    """Whoever is signed in chose to link the identity: a lasting change, behind a recent proof (decision 5)."""
    if case.choice is not Choice.LINK:
        return None
    if case.known.visitor is None:
        return Deny(Code.SSO_LINK_UNPROVEN)
    if not case.known.visitor.elevated:
        return Deny(Code.SESSION_ELEVATION_REQUIRED)
    return LinkTo(case.known.visitor.user, By.OWN_SESSION)


def undecided(case: Case, _now: datetime) -> Decision | None:
    """Nobody knows yet: the person chooses."""
    return Ask(Page.STRANGER if case.known.visitor is None else Page.VISITOR)


def unlinked(case: Case, _now: datetime) -> Decision | None:
    """Nobody had asked, and the identity is nobody's: it becomes nobody's here (decision 25)."""
    return Deny(Code.SSO_UNASKED_UNLINKED) if case.known.link is None else None


def another_visitor(case: Case, _now: datetime) -> Decision | None:
    """Nobody had asked, and somebody else is signed in: they are not made somebody else by it (security 22)."""
    visitor, link = case.known.visitor, case.known.link
    same = visitor is None or link is None or visitor.user == link.user
    return None if same else Deny(Code.SSO_IDENTITY_MISMATCH)


TABLE: Final[tuple[Callable[[Case, datetime], Decision | None], ...]] = (
    too_old,
    begun_by_another,
    disabled,
    removed,
    known,
    former,
    nameless,
    held,
    closed,
    taken,
    vouched,
    unverified,
    proven,
    renumbered,
    asked_for,
    undecided,
)
"""The rows, in their order."""


UNASKED: Final[tuple[Callable[[Case, datetime], Decision | None], ...]] = (
    too_old,
    unlinked,
    another_visitor,
    disabled,
    removed,
    known,
)
"""The rows for an answer that nobody asked for: a link that stands is the only way, and none makes one (25)."""


def decide(case: Case, now: datetime) -> Decision:
    """Return what the first row that holds decides."""
    return _first(TABLE, case, now)


def decide_unasked(case: Case, now: datetime) -> Decision:
    """Return what the first row of `UNASKED` that holds decides: `Enter`, `Challenge` or `Deny`."""
    return _first(UNASKED, case, now)


def _first(table: tuple[Callable[[Case, datetime], Decision | None], ...], case: Case, now: datetime) -> Decision:
    for row in table:
        decision = row(case, now)
        if decision is not None:
            if isinstance(decision, Deny):
                refused(row, decision.code, case, now)
            return decision
    raise BrokenPromise(answer="a case that no row decides")


# --- what is asked of a case before, and after, it is decided ---------------------------------------------------------


def registers(case: Case) -> bool:
    """Tell whether there is to be a new account: it was chosen, or the address that was asked for is proved by now."""
    if case.choice is Choice.NEW_ACCOUNT:
        return True
    return case.choice is Choice.NOTHING and _proved_address(case)


def offers(case: Case, page: Page | None) -> frozenset[Offer]:
    """Return what the person may do on *page*; where no page asks for anything, they only go on.

    Nothing is offered that is denied for what they cannot mend.
    """
    if page is None:
        return frozenset({Offer.CONTINUE})
    mail = {Offer.MAIL_PROOF} if case.identity.email is not None else set[Offer]()
    account = {Offer.NEW_ACCOUNT} if _may_register(case) else set[Offer]()
    match page:
        case Page.STRANGER:
            return frozenset({Offer.SIGN_IN} | mail | account)
        case Page.PROVEN:
            return frozenset({Offer.LINK})
        case Page.VISITOR:
            return frozenset({Offer.LINK} | account)


def tells(decision: Decision) -> bool:
    """Tell whether whoever sees what follows learns of an address, or has it mailed: both have one budget."""
    return isinstance(decision, ProveAddress) or decision == Deny(Code.SSO_IDENTITY_CONFLICT)


def may_tell(case: Case) -> bool:
    """Tell whether what is decided may tell of the address, or mail it; of what is known, *taken* is enough to ask."""
    proved = case.identity.email_verified or _proved_address(case)
    return registers(case) and (case.known.taken or not proved)


def _claims(case: Case, link: Link) -> bool:
    """Tell whether somebody who is signed in here asks for an identity that is another's by *link*."""
    visitor = case.known.visitor
    return (case.to_link or case.choice is Choice.LINK) and visitor is not None and visitor.user != link.user


def _may_register(case: Case) -> bool:
    """Tell whether there may be a new account: for whoever may come in, or may when their address is proved."""
    known = case.known
    return (
        known.sign_up
        and not known.subject_removed
        and not case.to_link
        and case.identity.email is not None
        and (known.open_to_newcomers or not _is_theirs(case))
    )


def _is_theirs(case: Case) -> bool:
    """Tell whether somebody who may say so says that the asserted address is theirs."""
    return case.identity.email_verified or case.known.vouched or _proved_address(case)


def _proved_address(case: Case) -> bool:
    email = case.identity.email
    return case.registered is not None and email is not None and same_address(case.registered, email)
