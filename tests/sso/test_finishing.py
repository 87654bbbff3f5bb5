"""The table of finishing: held against its laws over the whole product of what can be known."""

from __future__ import annotations

from itertools import chain, islice, product
from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.errors import Code
from authflow.sso.case import (
    Ask,
    By,
    Case,
    Challenge,
    Choice,
    Deny,
    Enter,
    Known,
    LinkTo,
    Offer,
    Page,
    ProveAddress,
    Register,
    TakeOver,
)
from authflow.sso.finishing import TABLE, UNASKED, decide, decide_unasked, may_tell, offers, tells
from authflow.sso.identity import AHEAD
from authflow.testing.samples.finishing import (
    MALLORY,
    MIGRATING,
    PLAIN,
    PROVERS,
    RARE,
    STRANGE,
    VISITORS,
    cases,
    visitor,
)
from authflow.testing.samples.links import ADA, EVE, FORMER, MAILBOX, NOW, TICK, holder, identity, link, welcoming
from authflow.values import Address, UserId, same_address
from authflow.witness import Refusal, listen, unlisten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.sso.case import Decision

APART = 31
"""A prime: every so many cases have every value of everything that is known among them."""


def migrating() -> Iterator[Case]:
    """Yield what differs where the provider's former subject is somebody's, and this one nobody's yet."""
    for user, who, (proven, prover), owes in product((ADA, EVE), VISITORS, PROVERS, (True, False)):
        former = link(user, FORMER)
        known = welcoming(former=former, holder=holder(user), visitor=who, prover=prover, owes=owes)
        for choice, verified, registered, to_link in product(
            Choice, (True, False), (None, MAILBOX, STRANGE), (True, False)
        ):
            yield Case(
                identity=identity(email_verified=verified),
                to_link=to_link,
                choice=choice,
                proven=proven,
                registered=registered,
                known=known,
            )


def returning() -> Iterator[Case]:
    """Yield some of everything again, where the subject was somebody's who was removed."""
    for case in islice(cases(), 0, None, APART):
        yield attrs.evolve(case, known=attrs.evolve(case.known, subject_removed=True))


def everything() -> Iterator[Case]:
    return chain(cases(), migrating(), returning())


@pytest.fixture(scope="module")
def decided() -> list[tuple[Case, Decision]]:
    return [(case, decide(case, NOW)) for case in everything()]


def asked_for_by_another(case: Case, user: UserId) -> bool:
    """Tell whether somebody else than *user* is signed in, and asks for the identity."""
    who = case.known.visitor
    return (case.to_link or case.choice is Choice.LINK) and who is not None and who.user != user


def proved(case: Case) -> bool:
    """Tell whether somebody proved a mailbox for this identity, may sign in, and nobody else is signed in here."""
    known = case.known
    if known.prover is None or known.prover.user != case.proven or not known.prover.active:
        return False
    return known.visitor is None or known.visitor.user == case.proven


def test_the_row_that_refuses_is_written_down_for_whoever_explains_it():
    """The name of the row goes to the log, with what it saw; no other decision is a refusal."""
    for case in islice(cases(), 0, None, APART):
        token = listen(heard := [])
        decision = decide(case, NOW)
        unlisten(token)
        assert [entry.answer for entry in heard] == ([decision.code] if isinstance(decision, Deny) else [])
        assert all(isinstance(entry, Refusal) and entry.gate in TABLE for entry in heard)


# --- the invariants (sso 19) ----------------------------------------------------------------------------------------


def test_a_link_needs_the_sessions_own_person_or_a_proved_mailbox(decided: list[tuple[Case, Decision]]):
    """Invariants 1 and 2; CVE-2025-22146, CVE-2026-27197."""
    seen = set[By]()
    for case, decision in decided:
        if not isinstance(decision, LinkTo):
            continue
        seen.add(decision.by)
        who = case.known.visitor
        if decision.by is By.MAILED_PROOF:
            assert proved(case)
            assert decision.user == case.proven
            assert case.choice is Choice.LINK
            assert not case.known.owes
            assert case.known.link is None
        else:
            assert who is not None
            assert decision.user == who.user
            assert who.elevated
            assert case.choice is Choice.LINK or (who.linked and who.member and case.identity.email_verified)
    assert seen == set(By)


def test_somebody_comes_in_by_their_link_alone(decided: list[tuple[Case, Decision]]):
    """Invariants 2 and 7: the subject decides, and no address does."""
    for case, decision in decided:
        if isinstance(decision, Enter):
            assert decision.link == case.known.link
        if isinstance(decision, TakeOver):
            assert case.known.link is None
            assert decision.link == case.known.former
            assert case.identity.email_verified, "who the former subject was is a trusted claim"
            told = attrs.evolve(case.identity, email=STRANGE)
            assert decide(attrs.evolve(case, identity=told), NOW) == decision
        if isinstance(decision, Enter | TakeOver):
            assert not asked_for_by_another(case, decision.link.user)


@pytest.mark.parametrize("visitor", [UserId("0"), UserId("~")])
def test_whoever_asks_for_an_identity_does_not_come_in_as_somebody_else(visitor: UserId):
    """Invariant 1: an id that sorts before the other one, or behind it, is another one."""
    for case in islice(everything(), 0, None, APART):
        known, asks = case.known, case.to_link or case.choice is Choice.LINK
        if asks and (known.link or known.former) is not None and known.visitor is not None:
            turned = attrs.evolve(known, visitor=attrs.evolve(known.visitor, user=visitor))
            assert not isinstance(decide(attrs.evolve(case, known=turned), NOW), Enter | TakeOver | Challenge)


def test_another_asserted_address_changes_nothing_for_anybody_who_has_an_account(decided: list[tuple[Case, Decision]]):
    """Invariant 2 again, turned: whatever a hostile provider asserts, the people there are do not feel it."""
    for case, decision in decided:
        if isinstance(decision, Register | ProveAddress) or case.choice is Choice.NEW_ACCOUNT:
            continue
        if isinstance(decision, LinkTo) and case.choice is Choice.NOTHING:
            continue  # a member's own subject changed: it takes an address of their own
        if case.known.former is not None and case.identity.email_verified:
            continue  # so did somebody's who is linked: it takes a trusted claim, and no address
        if case.registered is not None:
            continue
        told = attrs.evolve(case.identity, email=STRANGE, email_verified=False)
        assert decide(attrs.evolve(case, identity=told), NOW) == decision


def test_an_account_is_made_only_for_whoever_has_none(decided: list[tuple[Case, Decision]]):
    """Invariants 10 and 13, decision 15: never over a link, never beside the holder of the address."""
    for case, decision in decided:
        if isinstance(decision, Register):
            assert case.known.link is None
            assert case.known.former is None or not case.identity.email_verified
            assert case.known.second_accounts or not case.known.taken
            assert case.known.open_to_newcomers
            assert case.choice is Choice.NEW_ACCOUNT or case.registered == MAILBOX
            assert not case.to_link
            good = case.identity.email_verified or case.known.vouched or case.registered == MAILBOX
            assert decision.verified == (good and not case.known.taken), "nobody's verified address is verified twice"


def test_a_stranger_cannot_tell_who_has_an_account(decided: list[tuple[Case, Decision]]):
    """Decision 22: where the address is proved first, a taken one answers like a free one."""
    for case, decision in decided:
        known = case.known
        vouched = case.identity.email_verified or known.vouched or case.registered == MAILBOX
        if known.visitor is None and not vouched and known.verify_first:
            turned = decide(attrs.evolve(case, known=attrs.evolve(known, taken=not known.taken)), NOW)
            assert turned == decision or {type(turned), type(decision)} == {ProveAddress}


def test_a_stranger_cannot_tell_who_is_invited(decided: list[tuple[Case, Decision]]):
    """Decision 22: before they proved the address, an organization that takes in nobody new asks everybody for it."""
    for case, decision in decided:
        theirs = case.identity.email_verified or case.known.vouched or case.registered == MAILBOX
        if case.known.verify_first and not theirs:
            turned = attrs.evolve(
                case, known=attrs.evolve(case.known, open_to_newcomers=not case.known.open_to_newcomers)
            )
            assert decide(turned, NOW) == decision
            if isinstance(decision, Ask):
                assert offers(turned, decision.page) == offers(case, decision.page)
        if not case.known.open_to_newcomers:
            assert not isinstance(decision, Register)


def test_whatever_tells_of_an_address_was_counted(decided: list[tuple[Case, Decision]]):
    """The budget is asked in front of every row, when no more is known than whether the address is taken."""
    told = 0
    for case, decision in decided:
        if tells(decision) and case.known.link is None:
            told += 1
            assert may_tell(attrs.evolve(case, known=Known(taken=case.known.taken)))
    assert told


def test_a_second_factor_comes_before_the_sign_in_and_before_the_link(decided: list[tuple[Case, Decision]]):
    """Invariant 6: asked of whoever would come in, and nobody who owes it does."""
    seen = set[str]()
    for case, decision in decided:
        known = case.known
        if isinstance(decision, Enter | TakeOver) or (isinstance(decision, LinkTo) and decision.by is By.MAILED_PROOF):
            assert not known.owes
        if isinstance(decision, Challenge):
            assert known.owes
            by_link = known.link is not None and decision.user == known.link.user
            by_former = known.former is not None and decision.user == known.former.user
            by_proof = proved(case) and case.choice is Choice.LINK and decision.user == case.proven
            assert by_link or by_former or by_proof
            seen |= {"link"} if by_link else {"former"} if by_former else {"proof"}
    assert seen == {"link", "former", "proof"}


def test_pages_say_who_is_there(decided: list[tuple[Case, Decision]]):
    for case, decision in decided:
        if isinstance(decision, Ask):
            by_mail = proved(case) and case.known.link is None
            expected = Page.PROVEN if by_mail else Page.STRANGER if case.known.visitor is None else Page.VISITOR
            assert decision.page is expected


def test_whatever_a_page_offers_is_done_or_can_be_mended(decided: list[tuple[Case, Decision]]):
    """Nobody is led to a dead end: a recent proof can be given, and whether an address is taken no page tells."""
    mendable = {
        Choice.LINK: {Deny(Code.SESSION_ELEVATION_REQUIRED)},
        Choice.NEW_ACCOUNT: {Deny(Code.SSO_IDENTITY_CONFLICT)},
    }
    seen = set[Offer]()
    for case, page in ((case, decision.page) for case, decision in decided if isinstance(decision, Ask)):
        offered = offers(case, page)
        seen |= offered
        assert (Offer.SIGN_IN in offered) == (Offer.MAIL_PROOF in offered) == (page is Page.STRANGER)
        for choice, mended in mendable.items():
            then = decide(attrs.evolve(case, choice=choice), NOW)
            if Offer(choice) in offered:
                assert not isinstance(then, Deny) or then in mended
                assert then != Deny(Code.SSO_IDENTITY_CONFLICT) or (case.known.taken and page is Page.VISITOR)
            elif page is not Page.PROVEN:
                assert isinstance(then, Deny), "what would be done is offered"
    assert seen == set(Offer) - {Offer.CONTINUE}


def test_nobody_proves_the_mailbox_of_a_provider_that_names_none():
    nameless = Case(identity=identity(email=None), known=welcoming())
    assert offers(nameless, Page.STRANGER) == {Offer.SIGN_IN}
    assert offers(nameless, None) == {Offer.CONTINUE}


def test_every_decision_is_taken(decided: list[tuple[Case, Decision]]):
    kinds = {type(decision) for _, decision in decided}
    assert kinds == {Enter, TakeOver, LinkTo, Challenge, Register, ProveAddress, Ask, Deny}


def test_every_row_decides_something(decided: list[tuple[Case, Decision]]):
    """A row that the ones above it make needless would be a lie in the table."""
    first = dict.fromkeys(TABLE, False)
    for case in (*(case for case, _ in decided), *RARE):
        first[next(row for row in TABLE if row(case, NOW) is not None)] = True
    assert [row.__name__ for row, used in first.items() if not used] == []


# --- the rows at the top --------------------------------------------------------------------------------------------

DENIED = [
    Deny(Code.SSO_IDENTITY_EXPIRED),
    Deny(Code.SSO_IDENTITY_MISMATCH),
    Deny(Code.SSO_IDENTITY_DISABLED),
    Deny(Code.SSO_MEMBER_REMOVED),
    TakeOver(link(ADA, FORMER)),
    Challenge(ADA),
    Deny(Code.SSO_IDENTITY_INCOMPLETE),
    Deny(Code.SSO_SIGN_UP_CLOSED),
    Deny(Code.SSO_MEMBER_REMOVED),
]


@pytest.mark.parametrize(("case", "decision"), list(zip(RARE, DENIED, strict=True)))
def test_the_rare_ones(case: Case, decision: Decision):
    assert decide(case, NOW) == decision


def test_whoever_owned_the_identity_may_finish_what_somebody_else_began():
    """They passed their second factor on the way: the browser is theirs by now, and the identity always was."""
    changed = attrs.evolve(PLAIN, started_by=EVE)
    assert decide(changed, NOW) == Enter(link())
    strange = attrs.evolve(changed, known=attrs.evolve(PLAIN.known, link=link(EVE), holder=holder(EVE)))
    assert decide(attrs.evolve(strange, started_by=MALLORY), NOW) == Deny(Code.SSO_IDENTITY_MISMATCH)
    unlinked = attrs.evolve(changed, known=attrs.evolve(PLAIN.known, link=None, holder=None))
    assert decide(unlinked, NOW) == Deny(Code.SSO_IDENTITY_MISMATCH)


def test_the_first_rows_hold_whatever_else_is_true():
    for case in everything():
        if case.known.verify_first or case.known.vouched or case.to_link:
            continue
        early = attrs.evolve(case, identity=identity(at=NOW + AHEAD + TICK))
        assert decide(early, NOW) == Deny(Code.SSO_IDENTITY_EXPIRED)
        who, linked = case.known.visitor, case.known.link or case.known.former
        if who is not None:
            of_another = decide(attrs.evolve(case, started_by=MALLORY), NOW) == Deny(Code.SSO_IDENTITY_MISMATCH)
            assert of_another == (linked is None or linked.user != who.user)
        gone = attrs.evolve(case, known=attrs.evolve(case.known, removed=True))
        assert decide(gone, NOW) == Deny(Code.SSO_MEMBER_REMOVED)
        if linked is not None:
            idle = attrs.evolve(case, known=attrs.evolve(case.known, holder=holder(active=False)))
            assert decide(idle, NOW) == Deny(Code.SSO_IDENTITY_DISABLED)


def test_whoever_is_here_to_link_is_not_signed_in_as_the_person_of_a_former_subject():
    case = Case(
        identity=identity(email_verified=True), to_link=True, known=attrs.evolve(MIGRATING, visitor=visitor(EVE))
    )
    assert decide(case, NOW) == Ask(Page.VISITOR)
    own = attrs.evolve(MIGRATING, visitor=visitor(ADA))
    assert decide(attrs.evolve(case, known=own), NOW) == TakeOver(link(ADA, FORMER))


def test_a_former_subject_needs_a_trusted_claim():
    case = Case(identity=identity(email_verified=False), known=MIGRATING)
    assert decide(case, NOW) == Ask(Page.STRANGER)


def test_a_former_subject_moves_nothing_where_this_one_is_somebodys():
    both = attrs.evolve(MIGRATING, link=link(EVE), holder=holder(EVE), visitor=visitor(ADA))
    case = Case(identity=identity(email_verified=True), to_link=True, known=both)
    assert decide(case, NOW) == Ask(Page.VISITOR)


def test_whoever_began_signed_in_may_finish_signed_out():
    case = Case(identity=identity(), started_by=ADA, known=welcoming())
    assert decide(case, NOW) == Ask(Page.STRANGER)


def test_addresses_fold_as_everywhere():
    assert same_address(MAILBOX, Address(MAILBOX.upper()))
    case = Case(identity=identity(email=Address(MAILBOX.upper())), registered=MAILBOX, known=welcoming())
    assert decide(case, NOW) == Register(verified=True)


# --- what nobody asked for ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unasked() -> list[tuple[Case, Decision]]:
    """Decide about as many cases as differ: nothing is chosen, and nobody proves a mailbox."""
    plain = (
        case for case in everything() if case.choice is Choice.NOTHING and case.proven is None and not case.to_link
    )
    return [(case, decide_unasked(case, NOW)) for case in (*plain, *RARE)]


def test_what_nobody_asked_for_makes_nothing_and_makes_nobody_somebody_else(unasked: list[tuple[Case, Decision]]):
    """Decision 25 and security 22: no link, no account, no mail; and whoever is signed in stays who they are."""
    assert {type(decision) for _, decision in unasked} == {Enter, Challenge, Deny}
    for case, decision in unasked:
        known = case.known
        if isinstance(decision, Enter):
            assert decision.link == known.link
            assert not known.owes
        if isinstance(decision, Enter | Challenge):
            assert known.link is not None
            assert known.visitor is None or known.visitor.user == known.link.user
        if known.link is None and case.identity.is_fresh(NOW):
            assert decision == Deny(Code.SSO_UNASKED_UNLINKED)


def test_every_row_about_it_decides_something(unasked: list[tuple[Case, Decision]]):
    first = {next(row for row in UNASKED if row(case, NOW) is not None) for case, _ in unasked}
    assert first == set(UNASKED)
