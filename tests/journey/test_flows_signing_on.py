"""Signing in through a provider, from the facade, on memory: each row of the tables as somebody meets it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import Policy, Secret, SsoPolicy
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.facts.records import Audit, MailKind
from authflow.journey.post_flow import InvitationFate
from authflow.journey.sso.answers import ChoiceOwed, MailSent, SignedOn
from authflow.membership.answers import Entered
from authflow.membership.standing import Member, MemberFlag
from authflow.policy import MembershipPolicy
from authflow.sessions.commands import EnrollmentOwed, SecondFactorOwed
from authflow.sso.case import Choice, Offer, Page
from authflow.sso.login import PROOF_LIFE
from authflow.testing.browsers import Browser
from authflow.values import NOBODY, Level, Refused
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT, STEP

if TYPE_CHECKING:
    from authflow.values import OrganizationId
    from tests.journey.sso_stage import Trip
    from tests.stage import Person

ADA = "ada@example.com"


@pytest.fixture
def stage() -> SsoStage:
    return SsoStage(MemoryUnitOfWork())


@pytest.fixture
def acme(stage: SsoStage) -> OrganizationId:
    return founded(stage)


def founded(stage: SsoStage, *, trusted: bool = False, **settings: Any) -> OrganizationId:
    """An organization with a provider that knows Ada; a *trusted* one says that it verified her address."""
    organization, kind = stage.organization(), stage.google if trusted else stage.idp
    stage.connect(organization, kind, **settings)
    kind.person("00u1", email=ADA, name="Ada", email_verified=True)
    return organization


def refused(answer: Any, code: Code) -> None:
    assert isinstance(answer, Refused), answer
    assert answer.code is code


def signed_on(answer: Any) -> SignedOn:
    assert isinstance(answer, SignedOn), answer
    return answer


def asked(answer: Any, page: Page | None) -> ChoiceOwed:
    assert isinstance(answer, ChoiceOwed), answer
    assert answer.page is page
    return answer


def token(stage: SsoStage, kind: MailKind) -> Secret:
    """Deliver what is due, and return what the newest mail of *kind* brings."""
    return Secret(str(stage.mails(kind)[-1].context["token"]))


def protected(stage: SsoStage) -> Person:
    ada = stage.person()
    stage.sign_in(ada)
    stage.enroll(ada)
    return ada


# --- whoever is known -------------------------------------------------------------------------------------------------


def test_a_known_identity_signs_its_person_in(stage: SsoStage, acme: OrganizationId):
    """L1; the mark is of this very link (decision 2), and proves nothing of the person's own (decision 1)."""
    ada = stage.person()
    link = stage.link(ada.user, acme, "00u1")
    answer = signed_on(stage.come(ada.browser, acme, "00u1").answer)
    assert (answer.user, answer.link, answer.linked, answer.code) == (ada.user, link.id, False, None)
    asker = stage.identify(ada)
    (mark,) = asker.marks
    assert (asker.user, asker.level, asker.elevated) == (ada.user, Level.NONE, False)
    assert (mark.organization, mark.link) == (acme, link.id)
    member = stage.member(ada.user, acme)
    assert isinstance(member, Member)
    assert member.flags == MemberFlag.SSO_LINKED
    assert isinstance(stage.flows.members.enter(ada.browser.session, organization=acme), Entered)


def test_the_asserted_address_does_not_matter_for_whoever_is_known(stage: SsoStage, acme: OrganizationId):
    """Sso 7: the external id alone decides, and the person's address is not overwritten."""
    ada, eve = stage.person(), stage.person("eve@example.com")
    stage.link(ada.user, acme, "00u1")
    stage.idp.person("00u1", email="eve@example.com", email_verified=True)
    assert signed_on(stage.come(Browser(), acme, "00u1").answer).user == ada.user
    assert stage.user(ada.user).verified_addresses() == (ADA,)
    assert stage.links_of(eve.user) == ()


def test_the_second_factor_comes_first_and_the_sign_in_goes_on_behind_it(stage: SsoStage, acme: OrganizationId):
    """U3, U10, invariant 6: nothing is written before, and asking again forgives no wrong code."""
    ada = protected(stage)
    stage.link(ada.user, acme, "00u1")
    browser = Browser()
    trip = stage.come(browser, acme, "00u1")
    assert isinstance(trip.answer, SecondFactorOwed), trip.answer
    assert stage.flows.sessions.identify(browser.session).user is None
    assert not isinstance(stage.member(ada.user, acme), Member)
    stage.clock.advance(STEP)
    stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), browser)
    again = trip.resume()
    assert isinstance(again, SecondFactorOwed)
    assert again.attempts_left == trip.answer.attempts_left - 1
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)
    assert signed_on(trip.resume()).level is Level.ONE
    assert isinstance(stage.member(ada.user, acme), Member)


def test_an_enrollment_that_is_owed_after_a_reset_comes_first_with_a_proof_of_their_own(
    stage: SsoStage, acme: OrganizationId
):
    """Mfa 20.6, decision 1: the provider's word opens no enrollment, and learns nothing of a link."""
    ada, root = protected(stage), stage.administrator()
    stage.link(ada.user, acme, "00u1")
    root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="lost her phone")
    link, sessions = token(stage, MailKind.MFA_RESET), stage.flows.sessions
    trip = stage.come(ada.browser, acme, "00u1")
    assert isinstance(trip.answer, EnrollmentOwed), trip.answer
    for sent in (link, Secret("another")):
        refused(ada.browser.ask(sessions.redeem, CONTEXT, token=sent), Code.SESSION_ELEVATION_REQUIRED)
    stage.sign_in(ada)
    redeemed = ada.browser.ask(sessions.redeem, CONTEXT, token=link)
    assert isinstance(redeemed, EnrollmentOwed)
    assert redeemed.link_redeemed
    assert not isinstance(stage.member(ada.user, acme), Member), "nothing is written before"
    stage.enroll(ada)
    assert signed_on(trip.resume()).user == ada.user
    assert isinstance(stage.member(ada.user, acme), Member)


def test_somebody_elses_browser_is_taken_over_behind_the_second_factor(stage: SsoStage, acme: OrganizationId):
    """Whoever began is signed out by it; the identity's own person finishes what somebody else began."""
    ada, bob = protected(stage), stage.person("bob@example.com")
    stage.link(ada.user, acme, "00u1")
    stage.sign_in(bob)
    trip = stage.come(bob.browser, acme, "00u1")
    assert isinstance(trip.answer, SecondFactorOwed)
    stage.clock.advance(STEP)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), bob.browser)
    assert signed_on(trip.resume()).user == ada.user


@pytest.mark.parametrize("choice", [Choice.LINK, Choice.NEW_ACCOUNT])
def test_an_identity_of_somebody_who_may_not_sign_in_is_nobodys(stage: SsoStage, acme: OrganizationId, choice: Choice):
    """L4 to L6, CVE-2026-27197: neither a sign-in, a claim nor a sign-up touches it (decision 15)."""
    ada, bob = stage.person(), stage.person("bob@example.com")
    link = stage.link(ada.user, acme, "00u1")
    stage.save(attrs.evolve(stage.user(ada.user), active=False))
    stage.sign_in(bob)
    for browser in (Browser(), bob.browser):
        trip = stage.start(browser, acme)
        refused(trip.back("00u1"), Code.SSO_IDENTITY_DISABLED)
        refused(trip.resume(), Code.SSO_IDENTITY_DISABLED)
        refused(trip.choose(choice), Code.SSO_IDENTITY_DISABLED)
    assert stage.links_of(ada.user) == (link,)


def test_a_former_identifier_is_taken_over_by_policy_until_a_day(stage: SsoStage):
    """L2 and decision 24: on a trusted claim alone, and audited."""
    acme, ada = founded(stage, trusted=True), stage.person()
    stage.link(ada.user, acme, ADA)
    stage.google.person("00u1", email=ADA, email_verified=True, legacy=ADA)
    asked(stage.come(Browser(), acme, "00u1").answer, Page.STRANGER)
    until = stage.clock.now() + timedelta(days=1)
    stage.flows = stage.open(stage.ring, attrs.evolve(stage.policy, sso=SsoPolicy(migrate_until=until)))
    stage.google.person("00u1", email=ADA, email_verified="true", legacy=ADA)
    asked(stage.come(Browser(), acme, "00u1").answer, Page.STRANGER)
    stage.google.person("00u1", email=ADA, email_verified=True, legacy=ADA)
    assert signed_on(stage.come(Browser(), acme, "00u1").answer).linked
    (link,) = stage.links_of(ada.user)
    assert link.subject == "00u1"
    assert Audit.SSO_IDENTITY_MIGRATED in stage.audited(ada)


# --- whoever is not ---------------------------------------------------------------------------------------------------


def test_a_stranger_is_asked_the_same_whoever_has_the_address(stage: SsoStage, acme: OrganizationId):
    """U4, U13, decision 22: by every answer up to the mail, nobody can tell an account from none."""
    stage.person()
    stage.idp.person("00u2", email="nobody@example.com", name="Ada", email_verified=True)
    pages, sent = [], []
    for subject in ("00u1", "00u2"):
        trip = stage.come(Browser(), acme, subject)
        page = asked(trip.answer, Page.STRANGER)
        assert page.offers == {Offer.SIGN_IN, Offer.MAIL_PROOF, Offer.NEW_ACCOUNT}
        assert attrs.evolve(trip.look(), session=page.session) == page
        refused(trip.choose(Choice.LINK), Code.SSO_LINK_UNPROVEN)
        pages.append(attrs.evolve(page, email=None, session=stage.start(Browser(), acme).away.session))
        sent.append(
            [type(trip.mail_proof()), type(trip.choose(Choice.NEW_ACCOUNT)), asked(trip.look(), Page.STRANGER).offers]
        )
    assert attrs.evolve(pages[0], session=pages[1].session) == pages[1]
    assert sent[0] == sent[1]
    assert {mail.to for mail in stage.mails(MailKind.SSO_ADDRESS_HELD)} == {ADA}
    assert {mail.to for mail in stage.mails(MailKind.SSO_ADDRESS_PROOF)} == {"nobody@example.com"}


def test_signing_in_on_the_way_leads_to_the_page_of_whoever_is_signed_in(stage: SsoStage, acme: OrganizationId):
    """U9, U5: whoever signs in, it is their own account that is linked, and never the address's owner."""
    ada, bob = stage.person(), stage.person("bob@example.com")
    trip = stage.come(bob.browser, acme, "00u1")
    stage.sign_in(bob)
    assert asked(trip.resume(), Page.VISITOR).user == bob.user
    answer = signed_on(trip.choose(Choice.LINK))
    assert (answer.user, answer.linked) == (bob.user, True)
    assert stage.links_of(ada.user) == ()
    (mail,) = stage.mails(MailKind.SSO_LINKED)
    assert mail.to == "bob@example.com"


def test_whoever_began_is_whoever_finishes(stage: SsoStage, acme: OrganizationId):
    """Section 3.6: somebody else in that browser by now does not inherit it."""
    ada, bob = stage.person(), stage.person("bob@example.com")
    stage.sign_in(ada)
    trip = stage.come(ada.browser, acme, "00u1")
    stage.sign_in(bob, ada.browser)
    refused(trip.choose(Choice.LINK), Code.SSO_IDENTITY_MISMATCH)
    assert stage.links_of(bob.user) == ()


def test_linking_needs_a_recent_proof(stage: SsoStage, acme: OrganizationId):
    """Decision 5; the same choice succeeds once it is given."""
    ada = protected(stage)
    stage.elevate(ada)
    trip = stage.come(ada.browser, acme, "00u1")
    stage.clock.advance(timedelta(minutes=9))
    stage.flows = stage.open(
        stage.ring,
        attrs.evolve(stage.policy, sessions=attrs.evolve(stage.policy.sessions, elevation_age=timedelta(minutes=5))),
    )
    refused(trip.choose(Choice.LINK), Code.SESSION_ELEVATION_REQUIRED)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()))
    assert signed_on(trip.choose(Choice.LINK)).linked


# --- a mailed proof ---------------------------------------------------------------------------------------------------


def mailed(stage: SsoStage, acme: OrganizationId) -> tuple[Person, Trip]:
    """Ada is a member, without a link; somebody comes with her address, and has the link mailed."""
    ada = stage.person()
    stage.found(ada, acme)
    trip = stage.come(Browser(), acme, "00u1")
    assert isinstance(trip.mail_proof(), MailSent)
    return ada, trip


def test_a_mailed_proof_links_the_account_in_the_browser_that_asked(stage: SsoStage, acme: OrganizationId):
    """U2 and decision 20: the click leads to the page, and the link is written on the choice."""
    ada, trip = mailed(stage, acme)
    page = asked(trip.open_link(token(stage, MailKind.SSO_PROOF)), Page.PROVEN)
    assert page.offers == {Offer.LINK}
    assert stage.links_of(ada.user) == ()
    answer = signed_on(trip.choose(Choice.LINK))
    assert (answer.user, answer.linked, answer.level) == (ada.user, True, Level.NONE)


def test_a_mailed_proof_counts_here_and_once_and_for_ten_minutes(stage: SsoStage, acme: OrganizationId):
    """CVE-2026-9087, GHSA-w699: another pipeline, another browser, another subject, a second click, an old link."""
    _, trip = mailed(stage, acme)
    stage.idp.person("00u2", email=ADA)
    proof, other = token(stage, MailKind.SSO_PROOF), stage.come(Browser(), acme, "00u2")
    refused(other.open_link(proof), Code.SSO_PROOF_INVALID)
    refused(trip.open_link(proof, Browser()), Code.SSO_PIPELINE_INVALID)
    refused(trip.open_link(Secret("wrong")), Code.SSO_PROOF_INVALID)
    stage.clock.advance(PROOF_LIFE - timedelta(seconds=1))
    asked(trip.open_link(proof), Page.PROVEN)
    refused(trip.open_link(proof), Code.SSO_PROOF_INVALID)
    later = stage.come(Browser(), acme, "00u1")
    later.mail_proof()
    late = token(stage, MailKind.SSO_PROOF)
    stage.clock.advance(PROOF_LIFE)
    refused(later.open_link(late), Code.SSO_PROOF_EXPIRED)


def test_a_mailed_proof_stands_behind_the_second_factor(stage: SsoStage, acme: OrganizationId):
    """U3: the mailbox alone opens nothing of an account that has one."""
    ada, trip = mailed(stage, acme)
    stage.sign_in(ada)
    stage.enroll(ada)
    asked(trip.open_link(token(stage, MailKind.SSO_PROOF)), Page.PROVEN)
    assert isinstance(trip.choose(Choice.LINK), SecondFactorOwed)
    assert stage.links_of(ada.user) == ()
    stage.clock.advance(STEP)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), trip.browser)
    assert stage.flows.sessions.identify(trip.browser.session).marks == ()
    assert signed_on(trip.choose(Choice.LINK)).level is Level.ONE


@pytest.mark.parametrize("case", ["address gone", "another's", "inactive", "removed"])
@pytest.mark.parametrize("when", ["before the mail", "before the click", "before the choice"])
def test_a_mailed_proof_is_worth_what_the_address_is_now(stage: SsoStage, acme: OrganizationId, case: str, when: str):
    """Decisions 20 and 37: whoever lost the mailbox, or the membership, is mailed nothing and links nothing."""
    boss = stage.owner(acme, "boss@example.com")
    ada, trip = mailed(stage, acme)
    if when != "before the mail":
        proof = token(stage, MailKind.SSO_PROOF)
    if when == "before the choice":
        asked(trip.open_link(proof), Page.PROVEN)
    person = stage.user(ada.user)
    if case == "removed":
        boss.browser.ask(stage.flows.members.remove, CONTEXT, organization=acme, member=stage.member(ada.user, acme).id)
    elif case == "inactive":
        stage.save(attrs.evolve(person, active=False))
    else:
        stage.save(attrs.evolve(person, addresses=()))
        if case == "another's":
            bob = stage.person("bob@example.com")
            stage.found(bob, acme)
            stage.give_address(bob.user, ADA)
    if when == "before the mail":
        assert stage.mails(MailKind.SSO_PROOF) == []
        return
    if when == "before the click":
        refused(trip.open_link(proof), Code.SSO_PROOF_INVALID)
    refused(trip.choose(Choice.LINK), Code.SSO_LINK_UNPROVEN)
    assert stage.links_of(ada.user) == ()


@pytest.mark.parametrize("case", ["no member", "inactive", "unverified", "ambiguous", "nobody"])
def test_a_proof_goes_to_the_one_member_who_has_the_address(stage: SsoStage, acme: OrganizationId, case: str):
    ada = stage.person(verified=case != "unverified", active=case != "inactive") if case != "nobody" else None
    if case == "ambiguous":
        bob = stage.person("bob@example.com")
        stage.found(bob, acme)
        stage.give_address(bob.user, ADA)
    if ada is not None and case != "no member":
        stage.found(ada, acme)
    trip = stage.come(Browser(), acme, "00u1")
    assert isinstance(trip.mail_proof(), MailSent)
    assert stage.mails(MailKind.SSO_PROOF) == []


def test_mails_to_one_address_have_a_budget(stage: SsoStage, acme: OrganizationId):
    """Decision 22: five in 300 seconds, whoever asks and in however many pipelines."""
    stage.found(stage.person(), acme)
    answers = [stage.come(Browser(), acme, "00u1").mail_proof() for _ in range(6)]
    assert [type(answer) for answer in answers] == [MailSent] * 5 + [Refused]
    refused(answers[-1], Code.SSO_RATE_LIMITED)
    stage.clock.advance(timedelta(seconds=300))
    assert isinstance(stage.come(Browser(), acme, "00u1").mail_proof(), MailSent)


def test_one_organization_uses_up_no_proof_of_another(stage: SsoStage, acme: OrganizationId):
    """Its provider may assert any address, as often as it likes: a member of another one is mailed all the same."""
    stage.found(stage.person(), acme)
    evil = stage.organization("evil")
    stage.connect(evil)
    for _ in range(5):
        trip = stage.come(Browser(), evil, "00u1")
        assert isinstance(trip.mail_proof(), MailSent)
        trip.choose(Choice.NEW_ACCOUNT)
    assert isinstance(stage.come(Browser(), acme, "00u1").mail_proof(), MailSent)
    assert len(stage.mails(MailKind.SSO_PROOF)) == 1


@pytest.mark.parametrize("taken", [True, False])
def test_whoever_is_signed_in_mails_and_asks_within_the_same_budget(
    stage: SsoStage,
    acme: OrganizationId,
    taken: bool,  # noqa: FBT001  # a table's column
):
    """Decision 22: a session of one's own is no way around it, and neither mails nor tells who has an account."""
    if taken:
        stage.person()
    eve = stage.person("eve@example.com")
    stage.sign_in(eve)
    trip = stage.come(eve.browser, acme, "00u1")
    answers = [trip.choose(Choice.NEW_ACCOUNT) for _ in range(6)]
    assert [getattr(answer, "code", None) is Code.SSO_RATE_LIMITED for answer in answers] == [False] * 5 + [True]
    assert len(stage.mails(MailKind.SSO_ADDRESS_PROOF)) <= 5


def test_an_address_has_one_budget_whichever_way_it_is_mailed(stage: SsoStage, acme: OrganizationId):
    """Decision 22: a confirmation of whoever typed it and a newcomer's proof are mails to one mailbox."""
    claimant = stage.person("grace@example.org", verified=False)
    stage.idp.person("00u9", email="Grace@example.org", name="Grace")
    for _ in range(3):
        stage.flows.accounts.send_confirmations(NOBODY, CONTEXT, user=claimant.user)
    asking = [stage.come(Browser(), acme, "00u9").choose(Choice.NEW_ACCOUNT) for _ in range(3)]
    assert [type(answer) for answer in asking] == [MailSent, MailSent, Refused]
    late = stage.flows.accounts.send_confirmations(NOBODY, CONTEXT, user=claimant.user)
    assert late.code is Code.ACCOUNT_RATE_LIMITED


# --- newcomers --------------------------------------------------------------------------------------------------------


def test_a_newcomer_proves_their_address_first(stage: SsoStage, acme: OrganizationId):
    """U8, U1, 6.7: no account before the click, and one after it."""
    trip = stage.come(Browser(), acme, "00u1")
    with stage.writes("sso_pipeline", "outbox", "limit"):
        assert isinstance(trip.choose(Choice.NEW_ACCOUNT), MailSent)
    page = asked(trip.open_link(token(stage, MailKind.SSO_ADDRESS_PROOF)), None)
    assert page.offers == {Offer.CONTINUE}
    answer = signed_on(trip.resume())
    person = stage.user(answer.user)
    assert (person.name, person.verified_addresses()) == ("Ada", (ADA,))
    assert answer.member is not None
    assert stage.audited_in(acme)[-1:] == [Audit.MEMBER_ADD]
    refused(trip.resume(), Code.SSO_PIPELINE_EXPIRED)
    assert signed_on(stage.come(Browser(), acme, "00u1").answer).user == answer.user


def test_a_trusted_claim_makes_a_verified_account_at_once(stage: SsoStage):
    """6.5.1, invariant 8: whoever held the address unverified loses it (decision 19)."""
    acme, squatter = founded(stage, trusted=True), stage.person(verified=False)
    trip = stage.come(Browser(), acme, "00u1")
    answer = signed_on(trip.choose(Choice.NEW_ACCOUNT))
    assert stage.user(answer.user).verified_addresses() == (ADA,)
    assert stage.user(squatter.user).addresses == ()
    assert [str(entry.event) for entry in stage.flows.audit.of_user(answer.user)][::-1][:3] == [
        Audit.LOGIN_SUCCEEDED,
        Audit.USER_SIGNED_UP,
        Audit.ADDRESS_VERIFIED,
    ]


def test_without_proof_first_the_account_is_made_and_its_address_asked_for(stage: SsoStage, acme: OrganizationId):
    stage.flows = stage.open(stage.ring, attrs.evolve(stage.policy, sso=SsoPolicy(verify_first=False)))
    stage.idp.person("00u1", email=ADA, name="A" * 300)
    answer = signed_on(stage.come(Browser(), acme, "00u1").choose(Choice.NEW_ACCOUNT))
    person = stage.user(answer.user)
    assert (len(person.name), person.verified_addresses()) == (200, ())
    assert [mail.to for mail in stage.mails(MailKind.ADDRESS_CONFIRMATION)] == [ADA]


def test_an_address_that_is_taken_makes_no_second_account(stage: SsoStage):
    """6.6, decision 26: told on the page to somebody signed in, by mail to everybody else; the policy may relax it."""
    acme, ada = founded(stage, trusted=True), stage.person()
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    refused(stage.come(bob.browser, acme, "00u1").choose(Choice.NEW_ACCOUNT), Code.SSO_IDENTITY_CONFLICT)
    trip = stage.come(Browser(), acme, "00u1")
    assert isinstance(trip.choose(Choice.NEW_ACCOUNT), MailSent)
    assert [mail.to for mail in stage.mails(MailKind.SSO_ADDRESS_HELD)] == [ADA]
    stage.flows = stage.open(stage.ring, attrs.evolve(stage.policy, sso=SsoPolicy(second_accounts=True)))
    made = signed_on(stage.come(Browser(), acme, "00u1").choose(Choice.NEW_ACCOUNT))
    assert made.user != ada.user
    assert stage.user(made.user).verified_addresses() == ()


def test_an_account_needs_an_address_and_somebody_who_makes_it(stage: SsoStage, acme: OrganizationId):
    stage.idp.person("00u1", email=None)
    trip = stage.come(Browser(), acme, "00u1")
    assert asked(trip.answer, Page.STRANGER).offers == {Offer.SIGN_IN}
    refused(trip.choose(Choice.NEW_ACCOUNT), Code.SSO_IDENTITY_INCOMPLETE)
    assert isinstance(trip.mail_proof(), MailSent)


def test_an_organization_may_take_in_only_whom_it_invited(stage: SsoStage):
    """`newcomers` off: neither an account nor a membership without an invitation."""
    acme = founded(stage, trusted=True, newcomers=False)
    trip = stage.come(Browser(), acme, "00u1")
    assert Offer.NEW_ACCOUNT not in asked(trip.answer, Page.STRANGER).offers
    refused(trip.choose(Choice.NEW_ACCOUNT), Code.SSO_JOIN_CLOSED)
    ada = stage.person()
    stage.sign_in(ada)
    answer = signed_on(stage.come(ada.browser, acme, "00u1").choose(Choice.LINK))
    assert (answer.member, answer.code) == (None, Code.SSO_JOIN_CLOSED)


def test_whoever_is_invited_proves_their_address_and_comes_in(stage: SsoStage):
    """Nobody is told who is invited before that: whoever is not learns it when the address is theirs (decision 22)."""
    acme = founded(stage, newcomers=False)
    stage.invite(owner(stage, acme), acme, ADA, role="admin")
    stage.idp.person("00u2", email="uninvited@example.com")
    invited, uninvited = (stage.come(Browser(), acme, subject) for subject in ("00u1", "00u2"))
    pages = [attrs.evolve(asked(trip.answer, Page.STRANGER), email=None, name="") for trip in (invited, uninvited)]
    assert pages[0].offers == pages[1].offers == {Offer.SIGN_IN, Offer.MAIL_PROOF, Offer.NEW_ACCOUNT}
    for trip in (invited, uninvited):
        assert isinstance(trip.choose(Choice.NEW_ACCOUNT), MailSent)
        trip.open_link(token(stage, MailKind.SSO_ADDRESS_PROOF))
    member = stage.member(signed_on(invited.resume()).user, acme)
    assert isinstance(member, Member)
    assert member.role == "admin"
    with stage.writes("audit", "outbox", "limit"):
        refused(uninvited.resume(), Code.SSO_JOIN_CLOSED)


def test_whoever_came_to_link_gets_no_new_account(stage: SsoStage, acme: OrganizationId):
    ada = stage.person("ada@example.net")
    stage.sign_in(ada)
    trip = stage.come(ada.browser, acme, "00u1", link=True)
    assert asked(trip.answer, Page.VISITOR).offers == {Offer.LINK}
    refused(trip.choose(Choice.NEW_ACCOUNT), Code.SSO_SIGN_UP_CLOSED)


# --- membership -------------------------------------------------------------------------------------------------------


def owner(stage: SsoStage, acme: OrganizationId) -> Person:
    """An owner who comes in through the provider, as it requires."""
    person = stage.person("owner@example.com")
    stage.found(person, acme, role="owner")
    stage.link(person.user, acme, "owner")
    stage.idp.person("owner")
    stage.google.person("owner")
    signed_on(stage.come(person.browser, acme, "owner").answer)
    stage.sign_in(person)
    return person


def test_a_request_to_join_is_gone_once_they_came_in(stage: SsoStage, acme: OrganizationId):
    """Section 10, step 3: nobody need decide about it any more, and the log says so."""
    ada, boss = stage.person(), stage.owner(acme, "boss@example.com")
    stage.sign_in(ada)
    ada.browser.ask(stage.flows.invitations.request_join, CONTEXT, organization=acme)
    assert boss.browser.ask(stage.flows.invitations.pending, organization=acme).invitations
    trip = stage.come(ada.browser, acme, "00u1")
    assert signed_on(trip.choose(Choice.LINK)).member is not None
    assert boss.browser.ask(stage.flows.invitations.pending, organization=acme).invitations == ()
    assert Audit.INVITE_REQUEST_REMOVE.value in stage.audited_in(acme)


@pytest.mark.parametrize("newcomers", [True, False])
def test_an_open_invitation_to_a_verified_address_wins(stage: SsoStage, *, newcomers: bool):
    """Section 10: role and teams of the invitation, and no default beside it; also where nobody else is taken in."""
    acme = founded(stage, trusted=True, newcomers=newcomers)
    stage.invite(owner(stage, acme), acme, ADA, role="admin", teams=["blue"])
    answer = signed_on(stage.come(Browser(), acme, "00u1").choose(Choice.NEW_ACCOUNT))
    member = stage.member(answer.user, acme)
    assert isinstance(member, Member)
    assert (member.role, member.teams, member.flags) == ("admin", ("blue",), MemberFlag.SSO_LINKED)
    assert stage.audited_in(acme)[-1] == Audit.MEMBER_ACCEPT


def test_a_click_that_waits_is_asked_about_and_not_overtaken(stage: SsoStage, acme: OrganizationId):
    """Decision 13: clicked before anybody was signed in, it waits for a yes; the default role does not eat it."""
    letter = stage.invite(owner(stage, acme), acme, ADA, role="admin")
    browser = Browser()
    browser.ask(stage.flows.invitations.accept, browser.context, **letter.where())
    answer = signed_on(stage.come(browser, acme, "00u1").choose(Choice.NEW_ACCOUNT))
    assert stage.user(answer.user).verified_addresses() == (ADA,), "the invitation left by mail only (decision 21)"
    assert (answer.invitation.fate, answer.member) == (InvitationFate.KEPT, None)
    assert stage.resume(browser, confirmed=True).fate is InvitationFate.JOINED
    member = stage.member(answer.user, acme)
    assert isinstance(member, Member)
    assert member.role == "admin"


def test_an_invitation_vouches_for_its_own_address_alone(stage: SsoStage, acme: OrganizationId):
    letter = stage.invite(owner(stage, acme), acme, "somebody@example.com")
    browser = Browser()
    browser.ask(stage.flows.invitations.accept, browser.context, **letter.where())
    assert isinstance(stage.come(browser, acme, "00u1").choose(Choice.NEW_ACCOUNT), MailSent)


def test_whoever_was_removed_does_not_walk_back_in(stage: SsoStage):
    """Decision 15: by the person or by the subject, until an invitation that is newer, or by policy."""
    acme, ada = founded(stage, trusted=True), stage.person()
    boss = owner(stage, acme)
    stage.link(ada.user, acme, "00u1")
    member = signed_on(stage.come(ada.browser, acme, "00u1").answer).member
    gone = boss.browser.ask(stage.flows.members.remove, boss.browser.context, organization=acme, member=member)
    assert not isinstance(gone, Refused), gone
    assert stage.links_of(ada.user) == ()
    stage.google.person("00u1", email="new@example.com", email_verified=True)
    refused(stage.come(Browser(), acme, "00u1").choose(Choice.NEW_ACCOUNT), Code.SSO_MEMBER_REMOVED)
    stage.google.person("00u9", email=ADA, email_verified=True)
    stage.sign_in(ada)
    refused(stage.come(ada.browser, acme, "00u9").answer, Code.SSO_MEMBER_REMOVED)
    stage.clock.advance(timedelta(seconds=1))
    stage.invite(boss, acme, ADA, role="admin")
    back = signed_on(stage.come(ada.browser, acme, "00u1").choose(Choice.LINK))
    assert back.member not in {None, member}
    assert isinstance(stage.member(ada.user, acme), Member)


def test_whoever_was_removed_stays_so_under_the_subject_that_follows(stage: SsoStage):
    """Decisions 15 and 24: the provider says itself that the new subject is the former person."""
    acme, ada = founded(stage, trusted=True), stage.person()
    boss = owner(stage, acme)
    stage.link(ada.user, acme, "00u1")
    member = signed_on(stage.come(ada.browser, acme, "00u1").answer).member
    boss.browser.ask(stage.flows.members.remove, boss.browser.context, organization=acme, member=member)
    stage.google.person("00u2", email="new@example.com", email_verified=True, legacy="00u1")
    refused(stage.come(Browser(), acme, "00u2").choose(Choice.NEW_ACCOUNT), Code.SSO_MEMBER_REMOVED)


def test_a_policy_may_let_them(stage: SsoStage, acme: OrganizationId):
    ada, boss = stage.person(), owner(stage, acme)
    stage.link(ada.user, acme, "00u1")
    member = signed_on(stage.come(ada.browser, acme, "00u1").answer).member
    boss.browser.ask(stage.flows.members.remove, boss.browser.context, organization=acme, member=member)
    stage.flows = stage.open(stage.ring, Policy(membership=MembershipPolicy(rejoin=True)))
    stage.sign_in(ada)
    assert signed_on(stage.come(ada.browser, acme, "00u1").choose(Choice.LINK)).member is not None


def test_a_membership_that_is_refused_leaves_account_and_link(stage: SsoStage):
    """6.6: a role that the installation does not know; the sign-in stands, and says why nobody joined."""
    acme = founded(stage, trusted=True, default_role="emperor")
    answer = signed_on(stage.come(Browser(), acme, "00u1").choose(Choice.NEW_ACCOUNT))
    assert (answer.member, answer.code) == (None, Code.MEMBERSHIP_INPUT_INVALID)
    assert len(stage.links_of(answer.user)) == 1


def test_a_full_organization_takes_newcomers_in_restricted(stage: SsoStage):
    acme = founded(stage, trusted=True)
    stage.change(acme, member_limit_restricted=True)
    answer = signed_on(stage.come(Browser(), acme, "00u1").choose(Choice.NEW_ACCOUNT))
    member = stage.member(answer.user, acme)
    assert isinstance(member, Member)
    assert member.flags == MemberFlag.SSO_LINKED | MemberFlag.MEMBER_LIMIT_RESTRICTED
