"""Whoever was removed does not come back under another name: one they let go of, or one of a merged account."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code
from authflow.journey.people import AccountsMerged
from authflow.journey.providers.answers import ProviderAdded, ProviderRemoved, ProviderTried
from authflow.journey.sso.answers import AccountLinked, ChoiceOwed, LinkEnded, SentAway, SignedOn
from authflow.membership.standing import Member, Removed
from authflow.policy import Policy, SsoPolicy
from authflow.sso.case import Choice
from authflow.testing.browsers import Browser
from authflow.testing.clocks import START
from authflow.values import OrganizationId, Refused
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT, STEP

if TYPE_CHECKING:
    from tests.stage import Person

OWN, OTHER = "00u1", "00u2"


@pytest.fixture
def stage() -> SsoStage:
    stage = SsoStage(MemoryUnitOfWork())
    stage.google.person(OWN, email="new@example.com", email_verified=True)
    stage.google.person(OTHER, email="newer@example.com", email_verified=True)
    return stage


@pytest.fixture
def acme(stage: SsoStage) -> OrganizationId:
    """An organization that takes in whoever its provider sends."""
    acme = stage.organization()
    stage.connect(acme, stage.google, required=False)
    return acme


@pytest.fixture
def boss(stage: SsoStage, acme: OrganizationId) -> Person:
    return stage.owner(acme, "boss@example.com")


def member(stage: SsoStage, acme: OrganizationId, address: str, subject: str) -> Person:
    """Somebody who is linked, and signed in."""
    person = stage.person(address)
    stage.found(person, acme)
    stage.link(person.user, acme, subject)
    stage.sign_in(person)
    return person


def remove(stage: SsoStage, acme: OrganizationId, boss: Person, person: Person) -> None:
    found = stage.member(person.user, acme)
    assert isinstance(found, Member)
    gone = boss.browser.ask(stage.flows.members.remove, CONTEXT, organization=acme, member=found.id)
    assert not isinstance(gone, Refused), gone


def merge(stage: SsoStage, source: Person, target: Person) -> None:
    root = stage.administrator()
    stage.elevate(root)
    merged = root.browser.ask(stage.flows.accounts.merge, CONTEXT, source=source.user, target=target.user)
    assert isinstance(merged, AccountsMerged), merged


def as_somebody_new(stage: SsoStage, acme: OrganizationId, subject: str) -> Any:
    return stage.come(Browser(), acme, subject).choose(Choice.NEW_ACCOUNT)


def stays_out(stage: SsoStage, acme: OrganizationId, subject: str) -> None:
    answer = as_somebody_new(stage, acme, subject)
    assert isinstance(answer, Refused), answer
    assert answer.code is Code.SSO_MEMBER_REMOVED


def unlink(stage: SsoStage, person: Person) -> None:
    (link,) = stage.links_of(person.user)
    assert isinstance(person.browser.ask(stage.flows.sso.unlink, CONTEXT, link=link.id), LinkEnded)


def claim(stage: SsoStage, acme: OrganizationId, person: Person, subject: str) -> None:
    trip = stage.come(person.browser, acme, subject, link=True)
    assert isinstance(trip.choose(Choice.LINK), AccountLinked)


# --- a subject that was let go of -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["unlinked", "released", "renumbered", "swapped"])
def test_a_subject_that_was_let_go_of_before_the_removal_leads_nobody_back(
    stage: SsoStage, acme: OrganizationId, boss: Person, way: str
):
    """Decision 15: whoever sees a removal coming keeps no subject back; the others go as their links do."""
    ada = member(stage, acme, "ada@example.com", OWN)
    if way == "unlinked":
        unlink(stage, ada)
    elif way == "released":
        root = stage.administrator()
        (link,) = stage.links_of(ada.user)
        assert isinstance(root.browser.ask(stage.flows.sso.release, CONTEXT, link=link.id), LinkEnded)
    else:
        if way == "swapped":
            member(stage, acme, "eve@example.com", OTHER)
        claim(stage, acme, ada, OTHER)
    remove(stage, acme, boss, ada)
    stays_out(stage, acme, OWN)
    if way in {"renumbered", "swapped"}:
        stays_out(stage, acme, OTHER)


def test_whoever_lets_go_of_a_subject_and_stays_bars_nobody(stage: SsoStage, acme: OrganizationId):
    unlink(stage, member(stage, acme, "ada@example.com", OWN))
    assert isinstance(as_somebody_new(stage, acme, OWN), SignedOn)


def test_a_removal_bars_no_subject_that_is_somebody_elses_by_then(stage: SsoStage, acme: OrganizationId, boss: Person):
    """Of two who had it the last one counts, whether they belong to the organization or only came through it."""
    ada, eve = member(stage, acme, "ada@example.com", OWN), stage.person("eve@example.com")
    unlink(stage, ada)
    connected(stage, boss, acme, newcomers=False)
    stage.sign_in(eve)
    claim(stage, acme, eve, OWN)
    remove(stage, acme, boss, ada)
    assert isinstance(stage.come(Browser(), acme, OWN).answer, SignedOn)
    stage.sign_in(eve)
    unlink(stage, eve)
    connected(stage, boss, acme, newcomers=True)
    assert isinstance(as_somebody_new(stage, acme, OWN), SignedOn)


@pytest.mark.parametrize("deleted", [False, True], ids=["stands", "deleted"])
def test_no_member_frees_the_subject_of_somebody_removed_by_linking_it(
    stage: SsoStage, acme: OrganizationId, boss: Person, *, deleted: bool
):
    """Decision 15: it is linked by nobody else, before an invitation that is newer than the removal."""
    ada, bob = member(stage, acme, "ada@example.com", OWN), member(stage, acme, "bob@example.com", OTHER)
    remove(stage, acme, boss, ada)
    if deleted:
        stage.sign_in(ada)
        assert not isinstance(ada.browser.ask(stage.flows.accounts.delete, CONTEXT, user=ada.user), Refused)
    stage.sign_in(bob)
    assert stage.come(bob.browser, acme, OWN, link=True).answer.code is Code.SSO_MEMBER_REMOVED
    stranger = stage.come(Browser(), acme, OWN)
    stage.sign_in(bob, stranger.browser)
    assert stranger.choose(Choice.LINK).code is Code.SSO_MEMBER_REMOVED
    assert isinstance(stage.come(Browser(), acme, OTHER).answer, SignedOn)
    stays_out(stage, acme, OWN)


@pytest.mark.parametrize("removed", [False, True], ids=["stays", "removed_again"])
def test_whoever_is_invited_again_links_their_own_subject_again(
    stage: SsoStage, acme: OrganizationId, boss: Person, *, removed: bool
):
    """The former removal is over; the next one is one of it, too, though nothing is linked to it by then."""
    ada = member(stage, acme, "ada@example.com", OWN)
    remove(stage, acme, boss, ada)
    stage.clock.advance(STEP)
    stage.sign_in(boss)
    stage.invite(boss, acme, "ada@example.com")
    stage.sign_in(ada)
    claim(stage, acme, ada, OWN)
    unlink(stage, ada)
    if not removed:
        assert isinstance(as_somebody_new(stage, acme, OWN), SignedOn)
        return
    remove(stage, acme, boss, ada)
    stays_out(stage, acme, OWN)


def test_a_subject_that_the_provider_uses_no_more_counts_as_its_persons(boss_of: tuple[SsoStage, Person]):
    """Decision 24: whoever is removed after it was taken over does not come back by it under yet another one.

    Nor does whoever came back by right, and is removed again.
    """
    stage, boss = boss_of
    acme = OrganizationId("acme")
    for subject in ("s1", "s2"):
        stage.google.person(subject, email="ada@corp.example", email_verified=True, legacy="ada@corp.example")
    ada = member(stage, acme, "ada@example.com", "ada@corp.example")
    assert isinstance(stage.come(Browser(), acme, "s1").answer, SignedOn)
    remove(stage, acme, boss, ada)
    for subject in ("s1", "s2"):
        stays_out(stage, acme, subject)
    stage.clock.advance(STEP)
    stage.sign_in(boss)
    stage.invite(boss, acme, "ada@example.com")
    stage.sign_in(ada)
    claim(stage, acme, ada, "s1")
    remove(stage, acme, boss, ada)
    for subject in ("s1", "s2"):
        stays_out(stage, acme, subject)


@pytest.fixture
def boss_of() -> tuple[SsoStage, Person]:
    """A stage whose links go over to a provider's new subjects, and the owner of its organization."""
    until = START + timedelta(days=30)
    stage = SsoStage(MemoryUnitOfWork(), Policy(sso=SsoPolicy(migrate_until=until)))
    acme = stage.organization()
    stage.connect(acme, stage.google, required=False)
    return stage, stage.owner(acme, "boss@example.com")


def test_a_subject_that_somebody_new_came_in_by_is_no_former_one_of_anybody_else(
    stage: SsoStage, acme: OrganizationId, boss: Person
):
    """Nor is it once their account is gone."""
    ada = member(stage, acme, "ada@example.com", OWN)
    unlink(stage, ada)
    new = as_somebody_new(stage, acme, OWN)
    assert isinstance(new, SignedOn)
    root = stage.administrator()
    stage.elevate(root)
    gone = root.browser.ask(stage.flows.accounts.delete, CONTEXT, user=new.user)
    assert not isinstance(gone, Refused), gone
    remove(stage, acme, boss, ada)
    assert isinstance(as_somebody_new(stage, acme, OWN), SignedOn)


def connected(stage: SsoStage, boss: Person, acme: OrganizationId, **settings: Any) -> None:
    stage.sign_in(boss)
    saved = boss.browser.ask(stage.flows.providers.configure, CONTEXT, organization=acme, **settings)
    assert not isinstance(saved, Refused), saved


def test_a_deleted_account_leaves_its_removal_and_not_its_name(stage: SsoStage, acme: OrganizationId, boss: Person):
    ada = member(stage, acme, "ada@example.com", OWN)
    unlink(stage, ada)
    remove(stage, acme, boss, ada)
    stage.sign_in(ada)
    assert not isinstance(ada.browser.ask(stage.flows.accounts.delete, CONTEXT, user=ada.user), Refused)
    stays_out(stage, acme, OWN)
    assert str(ada.user) not in str(stage.snapshot()["former_subject"])


# --- a provider that is set up anew -----------------------------------------------------------------------------------


@pytest.mark.parametrize("removed_first", [True, False])
@pytest.mark.parametrize("let_go", [True, False])
def test_a_provider_that_is_set_up_anew_leads_nobody_back(
    stage: SsoStage, boss_first: Person, *, removed_first: bool, let_go: bool
):
    """Decision 15: the same subjects are the same people, whoever disabled their provider, and when."""
    acme = OrganizationId("acme")
    set_up(stage, acme, boss_first)
    ada = stage.person("ada@example.com")
    stage.found(ada, acme)
    stage.sign_in(ada)
    claim(stage, acme, ada, OWN)
    if let_go:
        unlink(stage, ada)
    if removed_first:
        remove(stage, acme, boss_first, ada)
    disable(stage, acme, boss_first)
    if not removed_first:
        remove(stage, acme, boss_first, ada)
    set_up(stage, acme, boss_first)
    stays_out(stage, acme, OWN)
    assert isinstance(as_somebody_new(stage, acme, OTHER), SignedOn)
    disable(stage, acme, boss_first)
    set_up(stage, acme, boss_first, issuer="https://elsewhere.example")
    assert isinstance(as_somebody_new(stage, acme, OWN), SignedOn)


@pytest.fixture
def boss_first(stage: SsoStage) -> Person:
    """An owner with a second factor, whose organization has no provider yet."""
    return stage.owner(stage.organization(), "boss@example.com")


def set_up(stage: SsoStage, acme: OrganizationId, boss: Person, **settings: Any) -> None:
    stage.elevate(boss)
    stage.google.person("boss", email="boss@example.com")
    away = boss.browser.ask(
        stage.flows.providers.start_setup,
        CONTEXT,
        organization=acme,
        kind=stage.google.key,
        settings=settings,
        required=False,
    )
    assert isinstance(away, SentAway), away
    back = stage.google.answer(away.url, "boss")
    tried = boss.browser.ask(stage.flows.providers.resume, CONTEXT, pipeline=away.pipeline, callback=back)
    assert isinstance(tried, ProviderTried), tried
    added = boss.browser.ask(stage.flows.providers.confirm, CONTEXT, pipeline=away.pipeline)
    assert isinstance(added, ProviderAdded), added


def disable(stage: SsoStage, acme: OrganizationId, boss: Person) -> None:
    stage.elevate(boss)
    gone = boss.browser.ask(stage.flows.providers.disable, CONTEXT, organization=acme)
    assert isinstance(gone, ProviderRemoved), gone


# --- merged accounts --------------------------------------------------------------------------------------------------


def test_who_is_one_with_somebody_removed_is_removed(stage: SsoStage, acme: OrganizationId, boss: Person):
    """6a: neither the person nor a subject of either comes in, until an invitation that is newer than the removal."""
    ada, bob = member(stage, acme, "ada@example.com", OWN), stage.person("bob@example.com")
    remove(stage, acme, boss, ada)
    at = stage.clock.now()
    stage.clock.advance(timedelta(hours=1))
    merge(stage, ada, bob)
    assert stage.member(bob.user, acme) == Removed(organization=acme, user=bob.user, at=at)
    stays_out(stage, acme, OWN)
    stage.sign_in(bob)
    trip = stage.come(bob.browser, acme, OTHER)
    assert trip.choose(Choice.LINK).code is Code.SSO_MEMBER_REMOVED
    stage.clock.advance(STEP)
    stage.sign_in(boss)
    stage.invite(boss, acme, "bob@example.com")
    assert isinstance(trip.choose(Choice.LINK), SignedOn)
    assert isinstance(stage.member(bob.user, acme), Member)


def test_a_member_stays_one_whoever_they_are_merged_with(stage: SsoStage, acme: OrganizationId, boss: Person):
    ada, bob = member(stage, acme, "ada@example.com", OWN), member(stage, acme, "bob@example.com", OTHER)
    remove(stage, acme, boss, ada)
    merge(stage, ada, bob)
    assert isinstance(stage.member(bob.user, acme), Member)
    assert isinstance(stage.come(Browser(), acme, OTHER).answer, SignedOn)
    stays_out(stage, acme, OWN)


@pytest.mark.parametrize("let_go", [False, True])
def test_a_removed_person_gains_no_subject_by_a_merge(
    stage: SsoStage, acme: OrganizationId, boss: Person, *, let_go: bool
):
    """The subjects of whoever is merged into them are theirs, and so is the removal of each."""
    ada, bob = member(stage, acme, "ada@example.com", OWN), member(stage, acme, "bob@example.com", OTHER)
    if let_go:
        unlink(stage, ada)
    remove(stage, acme, boss, bob)
    merge(stage, ada, bob)
    for subject in (OWN, OTHER):
        stays_out(stage, acme, subject)


def test_a_removal_after_the_merge_is_one_of_every_subject(stage: SsoStage, acme: OrganizationId, boss: Person):
    """Of those too that the merged account had, and could not bring along."""
    ada, bob = member(stage, acme, "ada@example.com", OWN), member(stage, acme, "bob@example.com", OTHER)
    merge(stage, ada, bob)
    remove(stage, acme, boss, bob)
    for subject in (OWN, OTHER):
        stays_out(stage, acme, subject)


@pytest.mark.parametrize("linked", [False, True], ids=["alone", "both_linked"])
@pytest.mark.parametrize("belongs", [False, True], ids=["outside", "member"])
@pytest.mark.parametrize("suspended", ["source", "target", "both"])
def test_nobody_suspended_becomes_somebody_new_by_a_merge(
    stage: SsoStage, acme: OrganizationId, suspended: str, *, belongs: bool, linked: bool
):
    """Decision 15: whichever of the two accounts may not sign in, and whatever becomes of the links."""
    ada, bob = member(stage, acme, "ada@example.com", OWN), stage.person("bob@example.com")
    if belongs:
        stage.found(bob, acme)
    if linked:
        stage.link(bob.user, acme, OTHER)
    for person, name in ((ada, "source"), (bob, "target")):
        if suspended in {name, "both"}:
            stage.save(attrs.evolve(stage.user(person.user), active=False))
    merge(stage, ada, bob)
    for subject in (OWN, OTHER) if linked and suspended != "source" else (OWN,):
        trip = stage.come(Browser(), acme, subject)
        answer = trip.choose(Choice.NEW_ACCOUNT) if isinstance(trip.answer, ChoiceOwed) else trip.answer
        assert isinstance(answer, Refused), answer
        assert answer.code in {Code.SSO_IDENTITY_DISABLED, Code.SSO_MEMBER_REMOVED}
