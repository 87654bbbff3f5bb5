"""Whose an identity is: the conflicts of section 9 from the facade, ending a link, and letting go of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code, UniqueViolated
from authflow.facts.records import Audit, MailKind
from authflow.journey.sso.answers import AccountLinked, ChoiceOwed, LinkEnded, LinkList, SignedOn
from authflow.membership.standing import Member, MemberFlag
from authflow.sso.case import Choice
from authflow.sso.sealing import memory_binding
from authflow.testing.browsers import Browser
from authflow.values import LinkId, Refused
from tests.journey.sso_stage import SsoStage
from tests.stage import STEP

if TYPE_CHECKING:
    from authflow.values import OrganizationId
    from tests.journey.sso_stage import Trip
    from tests.stage import Person


@pytest.fixture
def stage() -> SsoStage:
    return SsoStage(MemoryUnitOfWork())


@pytest.fixture
def acme(stage: SsoStage) -> OrganizationId:
    organization = stage.organization()
    stage.connect(organization)
    for subject in ("one", "two"):
        stage.idp.person(subject)
    return organization


@pytest.fixture
def ada(stage: SsoStage, acme: OrganizationId) -> Person:
    """A member who is signed in."""
    return member(stage, acme, "ada@example.com")


@pytest.fixture
def eve(stage: SsoStage, acme: OrganizationId) -> Person:
    """Another one."""
    return member(stage, acme, "eve@example.com")


def member(stage: SsoStage, acme: OrganizationId, address: str) -> Person:
    person = stage.person(address)
    stage.found(person, acme)
    stage.sign_in(person)
    return person


def refused(answer: Any, code: Code) -> None:
    assert isinstance(answer, Refused), answer
    assert answer.code is code


def claimed(stage: SsoStage, acme: OrganizationId, person: Person, subject: str) -> Any:
    """Let *person*, who is signed in, go and link *subject*."""
    trip: Trip = stage.come(person.browser, acme, subject, link=True)
    return trip.choose(Choice.LINK) if isinstance(trip.answer, ChoiceOwed) else trip.answer


def subjects(stage: SsoStage, *people: Person) -> list[list[str]]:
    return [[str(link.subject) for link in stage.links_of(person.user)] for person in people]


def flags(stage: SsoStage, acme: OrganizationId, person: Person) -> MemberFlag:
    found = stage.member(person.user, acme)
    assert isinstance(found, Member)
    return found.flags


# --- the conflicts of section 9 ---------------------------------------------------------------------------------------


def test_a_free_identity_of_somebody_without_one(stage: SsoStage, acme: OrganizationId, ada: Person):
    answer = claimed(stage, acme, ada, "one")
    assert isinstance(answer, AccountLinked), answer
    assert answer.linked
    assert subjects(stage, ada) == [["one"]]
    assert flags(stage, acme, ada) == MemberFlag.SSO_LINKED
    assert Audit.SSO_IDENTITY_LINK in stage.audited(ada)


def test_a_free_identity_of_somebody_with_another(stage: SsoStage, acme: OrganizationId, ada: Person):
    """Their link takes the new subject: the row stays."""
    before = stage.link(ada.user, acme, "two")
    answer = claimed(stage, acme, ada, "one")
    assert isinstance(answer, AccountLinked), answer
    assert answer.link == before.id
    assert subjects(stage, ada) == [["one"]]
    assert stage.audited(ada)[-2:] == [Audit.REAUTHENTICATED, Audit.SSO_IDENTITY_RENUMBERED]


def test_their_own_identity(stage: SsoStage, acme: OrganizationId, ada: Person):
    """Confirmed, and nobody is told."""
    before = stage.link(ada.user, acme, "one")
    stage.clock.advance(STEP)
    answer = claimed(stage, acme, ada, "one")
    assert isinstance(answer, AccountLinked), answer
    assert (answer.link, answer.linked) == (before.id, False)
    (after,) = stage.links_of(ada.user)
    assert after == attrs.evolve(before, verified_at=stage.clock.now(), synced_at=stage.clock.now())
    assert stage.mails(MailKind.SSO_LINKED) == []


@pytest.mark.parametrize("own", [False, True])
def test_somebody_elses_identity(stage: SsoStage, acme: OrganizationId, ada: Person, eve: Person, *, own: bool):
    """It moves, as a new row, and both are told; whoever had it is marked by the relay (decisions 5, 15, 27)."""
    former = stage.link(eve.user, acme, "one")
    assert isinstance(stage.come(eve.browser, acme, "one").answer, SignedOn)
    if own:
        stage.link(ada.user, acme, "two")
    answer = claimed(stage, acme, ada, "one")
    assert isinstance(answer, AccountLinked), answer
    assert answer.link != former.id
    assert subjects(stage, ada, eve) == [["one"], []]
    refused(stage.flows.members.enter(eve.browser.session, organization=acme), Code.ORGANIZATION_SSO_REQUIRED)
    assert flags(stage, acme, eve) == MemberFlag.SSO_LINKED
    assert {mail.to for mail in stage.mails(MailKind.SSO_MOVED)} == {"ada@example.com", "eve@example.com"}
    assert flags(stage, acme, eve) == MemberFlag.SSO_INVALID
    assert stage.audited_in(acme).count(Audit.SSO_IDENTITY_MOVED) == 1


def test_whoever_has_another_link_by_then_is_left_alone(
    stage: SsoStage, acme: OrganizationId, ada: Person, eve: Person
):
    """Decision 27: the handler reads again, in each region."""
    stage.link(eve.user, acme, "one")
    claimed(stage, acme, ada, "one")
    claimed(stage, acme, eve, "two")
    stage.flows.relay.drain_until_quiet()
    assert flags(stage, acme, eve) == MemberFlag.SSO_LINKED


def test_a_member_s_renumbered_identity_is_taken_over_by_itself(stage: SsoStage, acme: OrganizationId):
    """U6: a trusted provider names an address that the member, signed in and elevated, has verified."""
    globex = stage.organization("globex")
    stage.connect(globex, stage.google)
    ada = member(stage, globex, "ada@example.com")
    stage.link(ada.user, globex, "old")
    stage.google.person("new", email="ADA@example.com", email_verified=True)
    answer = stage.come(ada.browser, globex, "new").answer
    assert isinstance(answer, SignedOn), answer
    assert subjects(stage, ada) == [["new"]]
    stage.google.person("newer", email="other@example.com", email_verified=True)
    assert isinstance(stage.come(ada.browser, globex, "newer").answer, ChoiceOwed)


# --- a lost race ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["sso_link.subject", "sso_link.user"])
def test_a_lost_race_is_a_conflict_and_nobody_is_looked_up_instead(
    stage: SsoStage, acme: OrganizationId, ada: Person, monkeypatch: pytest.MonkeyPatch, rule: str
):
    """CVE-2025-61783: a violated rule is an answer; the pipeline waits, and may choose again."""
    from authflow.adapters.memory.sso import MemoryLinks

    def lose(_self: Any, _link: Any) -> None:
        raise UniqueViolated(rule=rule)

    trip = stage.come(ada.browser, acme, "one")
    with monkeypatch.context() as patched:
        patched.setattr(MemoryLinks, "add", lose)
        with stage.writes("audit", "outbox", "limit"):
            refused(trip.choose(Choice.LINK), Code.SSO_IDENTITY_CONFLICT)
    assert isinstance(trip.choose(Choice.LINK), SignedOn)


# --- what a link remembers --------------------------------------------------------------------------------------------


def test_a_link_keeps_what_to_ask_again_with_sealed_for_itself(stage: SsoStage, acme: OrganizationId, ada: Person):
    """What a provider gives only once is kept when the next answer lacks it (sso 4.1)."""
    stage.idp.secret = True
    claimed(stage, acme, ada, "one")
    (link,) = stage.links_of(ada.user)
    assert link.memory is not None
    kept = stage.cipher.open(link.memory, bound_to=memory_binding(link.provider, link.subject))
    assert "refresh-one" in kept.reveal()
    stage.idp.secret = False
    assert isinstance(stage.come(Browser(), acme, "one").answer, SignedOn)
    (later,) = stage.links_of(ada.user)
    assert later.memory is not None
    stage.idp.secret = True
    claimed(stage, acme, ada, "two")
    (moved,) = stage.links_of(ada.user)
    assert moved.memory is not None
    assert (
        "refresh-two"
        in stage.cipher.open(moved.memory, bound_to=memory_binding(moved.provider, moved.subject)).reveal()
    )
    assert "refresh" not in str(stage.snapshot())


# --- ending links -----------------------------------------------------------------------------------------------------


def test_people_see_and_end_their_own_links(stage: SsoStage, acme: OrganizationId, ada: Person, eve: Person):
    mine, theirs = stage.link(ada.user, acme, "one"), stage.link(eve.user, acme, "two")
    assert isinstance(stage.come(ada.browser, acme, "one").answer, SignedOn)
    listed = ada.browser.ask(stage.flows.sso.links)
    assert isinstance(listed, LinkList)
    assert [view.id for view in listed.links] == [mine.id]
    end: Any = stage.flows.sso.unlink
    refused(ada.browser.ask(end, ada.browser.context, link=theirs.id), Code.SSO_LINK_UNKNOWN)
    assert isinstance(ada.browser.ask(end, ada.browser.context, link=mine.id), LinkEnded)
    refused(ada.browser.ask(end, ada.browser.context, link=mine.id), Code.SSO_LINK_UNKNOWN)
    assert subjects(stage, ada, eve) == [[], ["two"]]
    assert flags(stage, acme, ada) == MemberFlag.NONE
    assert stage.audited(ada)[-1] == Audit.SSO_IDENTITY_RELEASED
    refused(stage.joining.members.enter(ada.browser.session, organization=acme), Code.ORGANIZATION_SSO_REQUIRED)


def test_a_provider_s_word_ends_no_link(stage: SsoStage, acme: OrganizationId):
    """Decision 1: an account-level command needs a proof of the person's own."""
    ada = stage.person()
    link = stage.link(ada.user, acme, "one")
    browser = Browser()
    assert isinstance(stage.come(browser, acme, "one").answer, SignedOn)
    answer = browser.ask(stage.flows.sso.unlink, browser.context, link=link.id)
    refused(answer, Code.SESSION_ELEVATION_REQUIRED)
    refused(Browser().ask(stage.flows.sso.links), Code.SESSION_REQUIRED)


def test_a_provider_s_word_tells_nothing_of_other_organizations_and_ends_no_session(
    stage: SsoStage, acme: OrganizationId
):
    """Decision 1: whoever runs one tenant's provider sees what its own word reached."""
    ada, globex = stage.person(), stage.organization("globex")
    stage.connect(globex)
    came, elsewhere = stage.link(ada.user, acme, "one"), stage.link(ada.user, globex, "two")
    stage.found(ada, acme)
    stage.found(ada, globex)
    stage.sign_in(ada)
    browser = Browser()
    assert isinstance(stage.come(browser, acme, "one").answer, SignedOn)
    assert [view.id for view in browser.ask(stage.flows.sso.links).links] == [came.id]
    refused(browser.ask(stage.flows.sso.access, organization=globex), Code.SESSION_ELEVATION_REQUIRED)
    assert browser.ask(stage.flows.sso.access, organization=acme).met
    refused(browser.ask(stage.flows.sessions.end_others, browser.context), Code.SESSION_ELEVATION_REQUIRED)
    assert stage.identify(ada).user == ada.user
    stage.sign_in(ada, browser)
    assert {view.id for view in browser.ask(stage.flows.sso.links).links} == {came.id, elsewhere.id}


def test_an_administrator_lets_go_of_a_disabled_persons_link(stage: SsoStage, acme: OrganizationId, ada: Person):
    """Decision 15: after that, and not before, the identity may be somebody else's."""
    gone = stage.person("gone@example.com")
    link = stage.link(gone.user, acme, "one")
    stage.save(attrs.evolve(stage.user(gone.user), active=False))
    refused(claimed(stage, acme, ada, "one"), Code.SSO_IDENTITY_DISABLED)
    root = stage.administrator()
    release: Any = stage.flows.sso.release
    refused(ada.browser.ask(release, ada.browser.context, link=link.id), Code.ACCOUNT_FORBIDDEN)
    answer = root.browser.ask(release, root.browser.context, link=link.id)
    assert answer == LinkEnded(session=root.browser.session, link=link.id)
    refused(root.browser.ask(release, root.browser.context, link=LinkId("nowhere")), Code.SSO_LINK_UNKNOWN)
    (entry,) = [e for e in stage.audit(gone) if e.event == Audit.SSO_IDENTITY_RELEASED]
    assert (entry.actor, entry.data["reason"]) == (root.user, "administrator")
    assert isinstance(claimed(stage, acme, ada, "one"), AccountLinked)
