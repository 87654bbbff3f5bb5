"""What an organization's single sign-on means for a session, and what ends it, through the facade."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import AccessShown, AccountLinked, Code, Refused, SecondFactorOwed
from authflow.facts.records import Audit
from authflow.membership.admission import Requirement
from authflow.membership.answers import Entered, MemberGone
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.sso.access import CONFIRMED_WITHIN
from authflow.sso.case import Choice
from authflow.sso.identity import Subject
from authflow.testing.browsers import Browser
from authflow.values import NOBODY, OrganizationId
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.sso.links import Link
    from authflow.values import UserId
    from tests.stage import Letter, Person

SECOND = timedelta(seconds=1)


@pytest.fixture
def stage(memory_uow: Any) -> SsoStage:
    return SsoStage(memory_uow)


def code(answer: object) -> Code:
    assert isinstance(answer, Refused), answer
    return answer.code


def access(stage: SsoStage, person: Person, organization: OrganizationId) -> Any:
    return person.browser.ask(stage.flows.sso.access, organization=organization)


def enters(stage: SsoStage, person: Person, organization: OrganizationId) -> Any:
    return person.browser.ask(stage.flows.members.enter, organization=organization)


def joined(stage: SsoStage, organization: OrganizationId, address: str, role: str = "member") -> Person:
    person = stage.person(address)
    stage.flows.members.add(CONTEXT, organization=organization, user=person.user, role=role)
    return person


def linked(stage: SsoStage, person: Person, organization: OrganizationId, subject: str, **facts: Any) -> Link:
    """Let *person* have been linked, with the flag that says so."""
    made = stage.link(person.user, organization, subject)
    if facts:
        with stage.uow.begin() as tx:
            tx.links.save(made, attrs.evolve(made, **facts))
    flag(stage, person.user, organization, MemberFlag.SSO_LINKED)
    return made


def flag(stage: SsoStage, user: UserId, organization: OrganizationId, flags: MemberFlag) -> None:
    stage.flows.members.set_flags(CONTEXT, organization=organization, user=user, group=FlagGroup.SSO, flags=flags)


def signed_on(stage: SsoStage, person: Person, organization: OrganizationId, subject: str) -> None:
    stage.idp.person(subject)
    stage.come(person.browser, organization, subject)


def why(stage: SsoStage, person: Person, organization: OrganizationId) -> str | None:
    """Return what is missing, where ``members.enter`` and ``sso.access`` say the same."""
    shown, entered = access(stage, person, organization), enters(stage, person, organization)
    assert isinstance(shown, AccessShown)
    assert shown.met == isinstance(entered, Entered)
    assert shown.met or code(entered) is Code.ORGANIZATION_SSO_REQUIRED
    return shown.why_not


# --- meeting it -------------------------------------------------------------------------------------------------------


def test_a_password_opens_nothing_and_the_sign_on_lasts_a_week(stage: SsoStage):
    """Invariant 15, decision 2: link, flag and this session's own mark; nothing of it stands for another part."""
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com")
    stage.connect(acme)
    stage.sign_in(ben)
    assert why(stage, ben, acme) == "not_linked"
    linked(stage, ben, acme, "00u1")
    assert why(stage, ben, acme) == "not_signed_in"
    signed_on(stage, ben, acme, "00u1")
    assert why(stage, ben, acme) is None
    stage.clock.advance(stage.policy.sso.mark_life - SECOND)
    assert why(stage, ben, acme) is None
    stage.clock.advance(SECOND)
    assert why(stage, ben, acme) == "sign_in_too_old"
    stage.sign_in(ben)
    assert why(stage, ben, acme) == "sign_in_too_old"


def test_the_mark_of_a_link_that_is_gone_opens_nothing(stage: SsoStage):
    """All three ids are compared: the same person at the same provider under another link has to come again."""
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com")
    stage.connect(acme)
    stage.sign_in(ben)
    first = linked(stage, ben, acme, "00u1")
    signed_on(stage, ben, acme, "00u1")
    assert why(stage, ben, acme) is None
    with stage.uow.begin() as tx:
        tx.links.remove(first.id)
    stage.link(ben.user, acme, "00u1", "another-link")
    assert why(stage, ben, acme) == "not_signed_in"


def test_the_sign_on_of_one_organization_is_none_of_another(stage: SsoStage):
    """Decision 1."""
    acme, globex = stage.organization(), stage.organization("globex")
    ben = joined(stage, acme, "ben@example.com")
    stage.flows.members.add(CONTEXT, organization=globex, user=ben.user)
    for place in (acme, globex):
        stage.connect(place)
    stage.sign_in(ben)
    linked(stage, ben, acme, "00u1")
    linked(stage, ben, globex, "00u2")
    signed_on(stage, ben, globex, "00u2")
    assert (why(stage, ben, acme), why(stage, ben, globex)) == ("not_signed_in", None)
    signed_on(stage, ben, acme, "00u1")
    assert (why(stage, ben, acme), why(stage, ben, globex)) == (None, None)


def test_a_flag_of_the_membership_shuts_out_whoever_has_link_and_mark(stage: SsoStage):
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com")
    stage.connect(acme)
    stage.sign_in(ben)
    linked(stage, ben, acme, "00u1")
    signed_on(stage, ben, acme, "00u1")
    for shut in (MemberFlag.SSO_LINKED | MemberFlag.SSO_INVALID, MemberFlag.NONE):
        flag(stage, ben.user, acme, shut)
        assert why(stage, ben, acme) == "link_invalid"


def test_a_provider_that_can_be_asked_must_have_confirmed_within_a_week(stage: SsoStage):
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com")
    stage.connect(acme, confirms=True)
    stage.sign_in(ben)
    linked(stage, ben, acme, "00u1", verified_at=stage.clock.now() - CONFIRMED_WITHIN)
    assert why(stage, ben, acme) == "link_unconfirmed"
    signed_on(stage, ben, acme, "00u1")
    assert why(stage, ben, acme) is None


def test_whom_a_link_kept_out_unconfirmed_it_lets_in_no_more_when_a_clock_goes_back(stage: SsoStage):
    """Decision 35: nobody signed on after the last confirmation of their link, and that is seen to be too old, too."""
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com")
    stage.connect(acme, confirms=True)
    stage.sign_in(ben)
    linked(stage, ben, acme, "00u1")
    signed_on(stage, ben, acme, "00u1")
    stage.clock.advance(CONFIRMED_WITHIN)
    assert why(stage, ben, acme) == "link_unconfirmed"
    stage.clock.advance(-CONFIRMED_WITHIN / 2)
    assert why(stage, ben, acme) == "sign_in_too_old"


def test_where_it_is_not_required_it_keeps_nobody_out(stage: SsoStage):
    acme, plain = stage.organization(), stage.organization("plain")
    ben = joined(stage, acme, "ben@example.com")
    stage.flows.members.add(CONTEXT, organization=plain, user=ben.user)
    stage.connect(acme, required=False)
    stage.sign_in(ben)
    shown = access(stage, ben, acme)
    assert (shown.met, shown.required, shown.why_not, shown.name) == (True, False, "not_linked", "Fake")
    assert access(stage, ben, plain) == AccessShown(met=True, session=ben.browser.session)
    assert isinstance(enters(stage, ben, acme), Entered)


def test_who_is_no_member_is_told_nothing_of_a_provider(stage: SsoStage):
    acme, gone = stage.organization(), stage.organization("gone", active=False)
    stage.connect(acme)
    eve, root = stage.person("eve@example.com"), stage.administrator()
    assert code(access(stage, eve, acme)) is Code.SESSION_REQUIRED
    stage.sign_in(eve)
    assert code(access(stage, eve, acme)) is Code.MEMBERSHIP_FORBIDDEN
    for place in (gone, OrganizationId("nowhere")):
        assert code(access(stage, eve, place)) is Code.ORGANIZATION_UNKNOWN
    assert access(stage, root, acme).met


def test_an_invitation_says_which_provider_it_takes_and_is_accepted_behind_it(stage: SsoStage):
    """To a stranger too; whoever came through it by a link of theirs meets it before they are a member."""
    acme = stage.organization()
    olga = stage.owner(acme)
    letter = stage.invite(olga, acme, "ada@example.com")
    stage.connect(acme)
    seen = stage.flows.invitations.look(NOBODY, **letter.where())
    assert (seen.needs_sso, seen.require_sso, seen.sso_provider) == (True, True, "Fake")
    ada = stage.person()
    stage.sign_in(ada)
    waits = stage.accept(ada, letter)
    assert waits.requirements == {Requirement.SSO_LINK}
    stage.link(ada.user, acme, "00u1")
    signed_on(stage, ada, acme, "00u1")
    assert MemberFlag.SSO_LINKED in stage.member(ada.user, acme).flags  # type: ignore[union-attr]  # they are a member
    assert why(stage, ada, acme) is None


# --- breaking the glass (decision 6) ----------------------------------------------------------------------------------


def glass(stage: SsoStage, person: Person, organization: OrganizationId) -> bool:
    """Tell whether *person* breaks the glass; of whoever does not, nothing is written."""
    before = stage.audited_in(organization)
    shown = access(stage, person, organization)
    assert shown.met == shown.broken_glass == isinstance(enters(stage, person, organization), Entered)
    assert shown.broken_glass or stage.audited_in(organization) == before
    return bool(shown.broken_glass)


def test_the_last_owner_comes_in_without_a_link_and_it_is_written_down(stage: SsoStage):
    """Once an hour, whatever they ask; and they can manage: that is how the provider is mended."""
    acme = stage.organization()
    olga = stage.owner(acme)
    stage.connect(acme)
    assert glass(stage, olga, acme)
    assert glass(stage, olga, acme)
    assert stage.audited_in(acme).count(Audit.SSO_BREAK_GLASS) == 1
    (entry,) = [e for e in stage.flows.audit.of_organization(acme) if e.event is Audit.SSO_BREAK_GLASS]
    assert (entry.actor, entry.target_user, dict(entry.data)) == (olga.user, olga.user, {"reason": "not_linked"})
    stage.clock.advance(timedelta(hours=1))
    assert glass(stage, olga, acme)
    assert stage.audited_in(acme).count(Audit.SSO_BREAK_GLASS) == 2
    stage.elevate(olga)
    gone = olga.browser.ask(stage.flows.providers.disable, CONTEXT, organization=acme)
    assert not isinstance(gone, Refused)


def test_it_takes_a_second_factor_an_owner_and_no_link_that_would_do(stage: SsoStage):
    acme = stage.organization()
    plain, mia = joined(stage, acme, "plain@example.com", "owner"), joined(stage, acme, "mia@example.com", "manager")
    stage.connect(acme)
    stage.sign_in(plain)
    assert not glass(stage, plain, acme)
    stage.sign_in(mia)
    stage.enroll(mia)
    assert not glass(stage, mia, acme)
    stage.enroll(plain)
    assert glass(stage, plain, acme)
    linked(stage, plain, acme, "00u1")
    assert not glass(stage, plain, acme)
    flag(stage, plain.user, acme, MemberFlag.SSO_LINKED | MemberFlag.SSO_INVALID)
    assert glass(stage, plain, acme)
    assert Audit.SSO_BREAK_GLASS in stage.audited_in(acme)


@pytest.mark.parametrize(
    ("what", "comes_in"),
    [
        ("linked", True),
        ("unlinked", False),
        ("invalid", False),
        ("unflagged", False),
        ("unconfirmed", False),
        ("inactive", False),
        ("restricted", False),
        ("manager", False),
        ("elsewhere", False),
    ],
)
def test_another_owner_keeps_the_glass_whole_only_if_they_could_come_in(stage: SsoStage, what: str, *, comes_in: bool):
    """Sso 14.3: it strands nobody, and does not fail open. The others are the organization's, and never oneself."""
    acme, globex = stage.organization(), stage.organization("globex")
    olga = stage.owner(acme)
    stage.connect(acme, confirms=True)
    stage.connect(globex)
    place = globex if what == "elsewhere" else acme
    otto = joined(stage, place, "otto@example.com", "manager" if what == "manager" else "owner")
    if what != "unlinked":
        old = {"verified_at": stage.clock.now() - CONFIRMED_WITHIN} if what == "unconfirmed" else {}
        linked(stage, otto, place, "00u9", **old)
    flags = {"invalid": MemberFlag.SSO_LINKED | MemberFlag.SSO_INVALID, "unflagged": MemberFlag.NONE}
    if what in flags:
        flag(stage, otto.user, acme, flags[what])
    if what == "inactive":
        stage.save(attrs.evolve(stage.user(otto.user), active=False))
    if what == "restricted":
        over = MemberFlag.MEMBER_LIMIT_RESTRICTED
        stage.flows.members.set_flags(CONTEXT, organization=acme, user=otto.user, group=FlagGroup.LIMIT, flags=over)
    assert glass(stage, olga, acme) == (not comes_in)


# --- how long the provider's word counts ------------------------------------------------------------------------------


def disabled(stage: SsoStage, acme: OrganizationId, _ben: Person) -> None:
    olga = stage.owner(acme)
    stage.elevate(olga)
    assert not isinstance(olga.browser.ask(stage.flows.providers.disable, CONTEXT, organization=acme), Refused)


def unlinked(stage: SsoStage, _acme: OrganizationId, ben: Person) -> None:
    elsewhere, (link,) = Browser(CONTEXT), stage.links_of(ben.user)
    stage.sign_in(ben, elsewhere)
    assert not isinstance(elsewhere.ask(stage.flows.sso.unlink, CONTEXT, link=link.id), Refused)


def released(stage: SsoStage, _acme: OrganizationId, ben: Person) -> None:
    root, (link,) = stage.administrator(), stage.links_of(ben.user)
    stage.elevate(root)
    assert not isinstance(root.browser.ask(stage.flows.sso.release, CONTEXT, link=link.id), Refused)


def moved(stage: SsoStage, acme: OrganizationId, _ben: Person) -> None:
    eve = joined(stage, acme, "eve@example.com")
    stage.sign_in(eve)
    assert isinstance(stage.come(eve.browser, acme, "00u1", link=True).choose(Choice.LINK), AccountLinked)


def revoked(stage: SsoStage, acme: OrganizationId, ben: Person) -> None:
    flag(stage, ben.user, acme, MemberFlag.SSO_INVALID)


def aged(stage: SsoStage, _acme: OrganizationId, _ben: Person) -> None:
    stage.clock.advance(stage.policy.sso.mark_life)


@pytest.mark.parametrize("ended", [disabled, unlinked, released, moved, revoked, aged])
@pytest.mark.parametrize("required", [False, True])
def test_nobody_acts_by_the_word_of_a_provider_that_no_longer_stands_by_it(
    stage: SsoStage, ended: Callable[..., None], *, required: bool
):
    """Decisions 1, 2, required or not; whoever has a proof of their own goes on where it is not required."""
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com", "manager")
    stage.connect(acme, required=required)
    linked(stage, ben, acme, "00u1")
    signed_on(stage, ben, acme, "00u1")
    letter = stage.invite(ben, acme, "mia@example.com")
    ended(stage, acme, ben)
    refused = {code(enters(stage, ben, acme)), code(resent(stage, ben, letter))}
    gone = ended is disabled or not required
    assert refused == {Code.SESSION_ELEVATION_REQUIRED if gone else Code.ORGANIZATION_SSO_REQUIRED}
    stage.sign_in(ben)
    assert isinstance(enters(stage, ben, acme), Entered) == gone


def resent(stage: SsoStage, by: Person, letter: Letter) -> Any:
    return by.browser.ask(
        stage.flows.invitations.resend, CONTEXT, organization=letter.organization, invitation=letter.invitation
    )


def test_whoever_is_removed_while_a_second_factor_is_owed_begins_again(stage: SsoStage):
    """Decision 15: a proof that waits is no better than one that was finished."""
    acme = stage.organization()
    olga, ben = stage.owner(acme), joined(stage, acme, "ben@example.com")
    stage.connect(acme, required=False)
    stage.sign_in(ben)
    stage.enroll(ben)
    linked(stage, ben, acme, "00u1")
    own, browser = ben.browser, Browser(CONTEXT)
    stage.idp.person("00u1")
    assert isinstance(stage.come(browser, acme, "00u1").answer, SecondFactorOwed)
    remove(stage, olga, ben, acme)
    assert code(stage.verify(ben, "totp", ben.codes[0], browser)) is Code.SESSION_NO_PENDING_LOGIN
    assert stage.flows.sessions.identify(own.session).user == ben.user


# --- ends -------------------------------------------------------------------------------------------------------------


def remove(stage: SsoStage, by: Person, person: Person, organization: OrganizationId) -> Any:
    key = stage.member(person.user, organization).id  # type: ignore[union-attr]  # they are a member
    return by.browser.ask(stage.flows.members.remove, CONTEXT, organization=organization, member=key)


def test_whoever_is_removed_loses_link_and_sign_on_and_does_not_walk_back_in(stage: SsoStage):
    """Decision 15: two tombstones, and either of them suffices."""
    acme, globex = stage.organization(), stage.organization("globex")
    olga, ben = stage.owner(acme), joined(stage, acme, "ben@example.com")
    stage.connect(acme)
    stage.connect(globex)
    stage.flows.members.add(CONTEXT, organization=globex, user=ben.user)
    stage.sign_in(ben)
    linked(stage, ben, acme, "00u1")
    linked(stage, ben, globex, "00u2")
    signed_on(stage, ben, acme, "00u1")
    signed_on(stage, ben, globex, "00u2")
    assert isinstance(remove(stage, olga, ben, acme), MemberGone)
    assert [link.organization for link in stage.links_of(ben.user)] == [globex]
    assert stage.identify(ben).organizations == {globex}
    assert why(stage, ben, globex) is None
    assert Audit.SSO_IDENTITY_RELEASED in stage.audited(ben)
    answer = stage.come(ben.browser, acme, "00u1").answer
    assert code(answer) is Code.SSO_MEMBER_REMOVED
    stranger = stage.person("eve@example.com")
    stage.sign_in(stranger)
    assert code(stage.come(stranger.browser, acme, "00u1").answer) is Code.SSO_MEMBER_REMOVED
    assert [link.organization for link in stage.links_of(ben.user)] == [globex]


def test_an_organization_without_a_provider_removes_as_before(stage: SsoStage):
    acme = stage.organization()
    olga, ben = stage.owner(acme), joined(stage, acme, "ben@example.com")
    with stage.writes("member", "removed_member", "audit", "outbox"):
        remove(stage, olga, ben, acme)


def test_a_deactivated_person_keeps_the_link(stage: SsoStage):
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com")
    stage.connect(acme)
    linked(stage, ben, acme, "00u1")
    stage.save(attrs.evolve(stage.user(ben.user), active=False))
    eve = stage.person("eve@example.com")
    stage.idp.person("00u1")
    assert code(stage.come(eve.browser, acme, "00u1").answer) is Code.SSO_IDENTITY_DISABLED
    assert len(stage.links_of(ben.user)) == 1


def test_links_are_deleted_with_their_person(stage: SsoStage):
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com")
    stage.connect(acme)
    stage.sign_in(ben)
    linked(stage, ben, acme, "00u1")
    stage.start(ben.browser, acme)
    stage.flows.accounts.delete(ben.browser.session, CONTEXT, user=ben.user)
    assert stage.links_of(ben.user) == ()
    assert [rows for name, rows in stage.snapshot().items() if "sso_link" in name or "sso_pipeline" in name] == []


def test_a_merge_moves_links_where_the_other_account_has_none_and_belongs(stage: SsoStage):
    """A new row for each: the owner of a row never changes, and no session's mark survives (CVE-2026-27197)."""
    places = [stage.organization(name) for name in ("acme", "globex", "soylent", "initech")]
    acme, globex, soylent, initech = places
    root, ada, ben = stage.administrator(), stage.person("ada@example.com"), stage.person("ben@example.com")
    for place in places:
        stage.connect(place)
        stage.flows.members.add(CONTEXT, organization=place, user=ada.user)
        linked(stage, ada, place, f"ada-{place}")
    owner = stage.owner(soylent)
    for place in (globex, soylent, initech):
        stage.flows.members.add(CONTEXT, organization=place, user=ben.user)
    linked(stage, ben, globex, "ben-globex")
    remove(stage, owner, ben, soylent)
    signed_on(stage, ben, globex, "ben-globex")
    before = {link.id for link in stage.links_of(ada.user)}
    merged = root.browser.ask(stage.flows.accounts.merge, CONTEXT, source=ada.user, target=ben.user)
    assert not isinstance(merged, Refused), merged
    links = stage.links_of(ben.user)
    subjects = {acme: "ada-acme", globex: "ben-globex", initech: "ada-initech"}
    assert {link.organization: link.subject for link in links} == subjects
    assert not {link.id for link in links} & before
    assert stage.links_of(ada.user) == ()
    for place in subjects:
        assert MemberFlag.SSO_LINKED in stage.member(ben.user, place).flags  # type: ignore[union-attr]  # they are a member
    assert stage.flows.sessions.identify(ben.browser.session).user is None
    assert [stage.audited_in(place).count(Audit.SSO_IDENTITY_MOVED) for place in places] == [1, 0, 0, 1]


@pytest.mark.parametrize("removed_first", [True, False])
def test_a_merge_takes_former_subjects_along_for_a_removal_to_bar(stage: SsoStage, *, removed_first: bool):
    """Decision 15: whoever is removed as one of two accounts does not walk back in by what was the other's."""
    acme = stage.organization()
    owner, root, ada = stage.owner(acme), stage.administrator(), stage.person("ada@example.com")
    ben, eve = joined(stage, acme, "ben@example.com"), stage.person("eve@example.com")
    stage.connect(acme)
    with stage.uow.begin() as tx:
        provider = tx.providers.load(acme).state.id
        tx.former_subjects.remember(acme, provider, Subject("ada-0"), ada.user)
    if removed_first:
        remove(stage, owner, ben, acme)
    merged = root.browser.ask(stage.flows.accounts.merge, CONTEXT, source=ada.user, target=ben.user)
    assert not isinstance(merged, Refused), merged
    if not removed_first:
        remove(stage, owner, ben, acme)
    stage.sign_in(eve)
    stage.idp.person("ada-0")
    assert code(stage.come(eve.browser, acme, "ada-0").answer) is Code.SSO_MEMBER_REMOVED


def test_a_sign_on_elevates_nobody(stage: SsoStage):
    """Decision 1: what an organization's provider says opens that organization, and nothing of the person's."""
    acme = stage.organization()
    ben = joined(stage, acme, "ben@example.com")
    stage.connect(acme)
    linked(stage, ben, acme, "00u1")
    signed_on(stage, ben, acme, "00u1")
    asker = stage.identify(ben)
    assert (asker.user, asker.elevated, int(asker.level)) == (ben.user, False, 0)
    assert [mark.organization for mark in asker.marks] == [acme]
