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

# --- rows -------------------------------------------------------------------------------------------------------------


def too_old(case: Case, now: datetime) -> Decision | None:
    """The assertion is ten minutes old or more: it is made again (decision 25)."""
    return None if case.identity.is_fresh(now) else Deny(Code.SSO_IDENTITY_EXPIRED)


def begun_by_another(case: Case, _now: datetime) -> Decision | None:
    """Somebody else is signed in than when it began, and it is not the identity's own person, who came in by it."""
    visitor, link = case.known.visitor, case.known.link or case.known.former
    if visitor is None or case.started_by in {None, visitor.user}:
        return None
    return None if link is not None and link.user == visitor.user else Deny(Code.SSO_IDENTITY_MISMATCH)


def disabled(case: Case, _now: datetime) -> Decision | None:
    """The identity's person may not sign in: neither linking nor a new account touches the link (decision 15)."""
    held = case.known.holder is not None and not case.known.holder.active
    return Deny(Code.SSO_IDENTITY_DISABLED) if held else None


def removed(case: Case, _now: datetime) -> Decision | None:
    """Whoever was removed does not walk back in (decision 15)."""
    return Deny(Code.SSO_MEMBER_REMOVED) if case.known.removed else None


def known(case: Case, _now: datetime) -> Decision | None:
    """The identity is linked: its person comes in, behind their second factor; unless somebody else asks for it."""
    if case.known.link is None:
        return None
    visitor = case.known.visitor
    wanted = case.to_link or case.choice is Choice.LINK
    if wanted and visitor is not None and visitor.user != case.known.link.user:
        return None
    return Challenge(case.known.link.user) if case.known.owes else Enter(case.known.link)


def former(case: Case, _now: datetime) -> Decision | None:
    """The provider's former subject is linked; the policy takes it over if the address is vouched for (decision 24)."""
    if case.known.former is None or case.known.link is not None or not case.identity.email_verified:
        return None
    return Challenge(case.known.former.user) if case.known.owes else TakeOver(case.known.former)


def nameless(case: Case, _now: datetime) -> Decision | None:
    """A new account needs an address."""
    wanted = case.choice is Choice.NEW_ACCOUNT and case.identity.email is None
    return Deny(Code.SSO_IDENTITY_INCOMPLETE) if wanted else None


def closed(case: Case, _now: datetime) -> Decision | None:
    """No accounts are made here; or the organization takes in nobody new, and no invitation is open."""
    if not _registers(case):
        return None
    if not case.known.sign_up:
        return Deny(Code.SSO_SIGN_UP_CLOSED)
    return None if case.known.open_to_newcomers else Deny(Code.SSO_JOIN_CLOSED)


def held(case: Case, _now: datetime) -> Decision | None:
    """The identity has a person: a sign-up never takes a link over (decision 15)."""
    return Deny(Code.SSO_IDENTITY_CONFLICT) if _registers(case) and case.known.link is not None else None


def taken(case: Case, _now: datetime) -> Decision | None:
    """Somebody holds the address: told on the page to somebody signed in, to all others by mail (decisions 22, 26)."""
    if not _registers(case) or not case.known.taken:
        return None
    return ProveAddress() if case.known.visitor is None else Deny(Code.SSO_IDENTITY_CONFLICT)


def vouched(case: Case, _now: datetime) -> Decision | None:
    """A trusted provider, or an invitation that left by mail only, says that the address is theirs (decision 21)."""
    good = case.identity.email_verified or case.known.vouched or _proved_address(case)
    return Register(verified=True) if _registers(case) and good else None


def unverified(case: Case, _now: datetime) -> Decision | None:
    """A new account, whose address is proved before or after by the policy."""
    if not _registers(case):
        return None
    return ProveAddress() if case.known.verify_first else Register(verified=False)


def proven(case: Case, _now: datetime) -> Decision | None:
    """Somebody proved a mailbox for this identity, here: they may link, behind their second factor (decision 20)."""
    person, visitor = case.known.prover, case.known.visitor
    if person is None or person.user != case.proven or (visitor is not None and visitor.user != person.user):
        return None
    if not person.active:
        return Deny(Code.SSO_IDENTITY_DISABLED)
    if case.choice is not Choice.LINK:
        return Ask(Page.PROVEN)
    if case.known.link is not None:
        return Deny(Code.SSO_IDENTITY_CONFLICT)
    return Challenge(person.user) if case.known.owes else LinkTo(person.user, By.MAILED_PROOF)


def renumbered(case: Case, _now: datetime) -> Decision | None:
    """A member's own subject changed, and a trusted provider names an address of theirs: nobody need ask (sso 6.4)."""
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


def _registers(case: Case) -> bool:
    """Tell whether there is to be a new account: it was chosen, or the address that was asked for is proved by now."""
    if case.choice is Choice.NEW_ACCOUNT:
        return True
    return case.choice is Choice.NOTHING and _proved_address(case)


def _proved_address(case: Case) -> bool:
    email = case.identity.email
    return case.registered is not None and email is not None and same_address(case.registered, email)
