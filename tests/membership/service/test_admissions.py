"""Looking, accepting, and going on after a detour: the writes, the log, and what must not be written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts.records import Audit, Category, MailKind, Signal
from authflow.membership.admission import Requirement
from authflow.membership.answers import (
    ConfirmationOwed,
    InvitationView,
    Joined,
    RequirementsOpen,
)
from authflow.membership.consent import Anonymous, Claimed, Given
from authflow.membership.offer import Absent, Accepted, Expired, Pending
from authflow.membership.standing import Member, MemberFlag, Outside
from authflow.policy import ADMIN, MANAGER, MEMBER, OWNER, MembershipPolicy
from authflow.ports import Sso
from authflow.testing.contracts.threads import at_once
from authflow.testing.samples.membership import ELSEWHERE, HOME, asker, entered, organization, person
from authflow.values import Asker, InvitationId, Level, OrganizationId, ProviderId, Refused, Secret, SessionId, UserId
from tests.membership.world import CONTEXT, World

STRANGER = asker(None)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(memory_uow: Any) -> World:
    return World(memory_uow)


@pytest.fixture
def anywhere(uow: Any) -> World:
    return World(uow)


def look(world: World, who: Asker, invitation: str, token: Secret | None, place: str = HOME) -> Any:
    return world.service.look(who, organization=OrganizationId(place), invitation=InvitationId(invitation), token=token)


def go_on(world: World, who: Asker, *, confirmed: bool = False) -> Any:
    return world.service.accept_consent(who, CONTEXT, world.clock.now(), confirmed=confirmed)


def waiting(world: World, who: Asker) -> Any:
    return world.service.consent_of(who.session, world.clock.now())


def refused(code: Code) -> Refused:
    return Refused(code=code)


# --- looking --------------------------------------------------------------------------------------------------------


def test_looking_changes_nothing_at_all(world: World):
    """Decision 13: no row, no session, no login, no count; so a mail scanner uses nothing up."""
    invitation, ada = world.invite(), world.known(person())
    token = world.token()
    before = world.everything()
    seen = [look(world, who, invitation, t) for who in (STRANGER, ada, world.olga) for t in (token, None, Secret("x"))]
    assert any(isinstance(view, InvitationView) for view in seen)
    world.clock.advance(timedelta(days=31))
    assert look(world, ada, invitation, token) == refused(Code.INVITATION_EXPIRED)
    assert world.everything() == before


def test_a_stranger_sees_what_they_need_to_know(world: World):
    world.change(require_second_factor=True)
    world.sso.answer = Sso(provider=ProviderId("p"), name="Acme SSO")
    view = look(world, STRANGER, world.invite(role=ADMIN), world.token())
    assert view == InvitationView(
        organization=HOME,
        slug="acme-slug",
        name="acme",
        role=ADMIN,
        needs_authentication=True,
        needs_sso=True,
        require_sso=False,
        existing_member=False,
        sso_provider="Acme SSO",
        needs_second_factor=True,
        needs_verified_address=False,
        wrong_user=False,
    )


BAD_IDS = ["", "x" * 65, "a\x00b", "a b", "ä", "nothing-like-it", "' OR 1=1 --"]


@pytest.mark.parametrize("bad", BAD_IDS)
def test_no_identifier_breaks_anything_or_tells_anything(anywhere: World, bad: str):
    invitation, ada = anywhere.invite(), anywhere.known(person())
    token = anywhere.token()
    for place, key in ((bad, invitation), (HOME, bad), (bad, bad)):
        assert look(anywhere, ada, key, token, place) == refused(Code.INVITATION_INVALID)
        answer = anywhere.accept(ada, InvitationId(key), token, organization=OrganizationId(place))
        assert answer == refused(Code.INVITATION_INVALID)


# --- accepting ------------------------------------------------------------------------------------------------------


def test_the_invited_person_joins_with_the_invitation_s_role_and_teams(anywhere: World):
    invitation = anywhere.invite(role=ADMIN, teams=["red", "blue"])
    ada = anywhere.known(person())
    answer = anywhere.accept(ada, invitation, anywhere.token())
    assert isinstance(answer, Joined)
    assert answer.member == anywhere.member("ada")
    assert (answer.member.role, answer.member.teams, answer.member.flags) == (ADMIN, ("blue", "red"), MemberFlag.NONE)
    after = anywhere.state(invitation)
    assert isinstance(after, Accepted)
    assert (after.by, after.member) == ("ada", answer.member.id)


def test_joining_is_logged_once_with_the_fields_of_the_specification(anywhere: World):
    """Decision 40; MEMBER_ACCEPT, and not MEMBER_ADD beside it (sso 10)."""
    invitation, ada = anywhere.invite(role=ADMIN, teams=["red"]), anywhere.known(person())
    before = len(anywhere.audit())
    joined = anywhere.accept(ada, invitation, anywhere.token()).member
    (entry,) = anywhere.audit()[before:]
    assert (entry.event, entry.actor, entry.actor_label, entry.target_user) == (
        Audit.MEMBER_ACCEPT,
        "ada",
        "ada",
        "ada",
    )
    assert (entry.target, entry.ip, entry.organization) == (joined.id, CONTEXT.ip, HOME)
    assert dict(entry.data) == {
        "email": "ada@example.org",
        "teams": "red",
        "role": "admin",
        "status": "approved",
        "user": "ada",
        "invitation": invitation,
    }


def test_one_signal_per_region_with_the_arguments_of_decision_39(world: World):
    world.change(regions=("eu", "us"))
    invitation, ada = world.invite(), world.known(person())
    joined = world.accept(ada, invitation, world.token()).member
    signals = [p for category, p in world.messages() if category == Category.SIGNAL]
    mine = [p for p in signals if p["signal"] == Signal.MEMBER_JOINED and p["arg.user_id"] == "ada"]
    expected = {"signal": Signal.MEMBER_JOINED, "arg.user_id": "ada", "arg.organization_member_id": joined.id}
    assert mine == [expected, expected]


@pytest.mark.parametrize("tampered", ["", "0" * 64, "token", "\ud800", "x" * 100_000])
def test_a_wrong_token_lets_nobody_in_and_is_forgotten(world: World, tampered: str):
    invitation, ada = world.invite(), world.known(person())
    before = world.everything()
    assert world.accept(ada, invitation, Secret(tampered)) == refused(Code.INVITATION_INVALID)
    assert world.accept(STRANGER, invitation, Secret(tampered)) == refused(Code.INVITATION_INVALID)
    assert {k: v for k, v in world.everything().items() if k != "account"} == {
        k: v for k, v in before.items() if k != "account"
    }


def test_the_right_token_of_another_organization_opens_nothing(world: World):
    world.put(organization(ELSEWHERE))
    invitation, ada = world.invite(), world.known(person())
    answer = world.accept(ada, invitation, world.token(), organization=ELSEWHERE)
    assert answer == refused(Code.INVITATION_INVALID)
    assert isinstance(world.state(invitation), Pending)


def test_the_holder_of_the_verified_address_needs_no_link(anywhere: World):
    invitation = anywhere.invite("ADA@example.org")
    ada, eve = anywhere.known(person()), anywhere.known(person("eve"))
    fresh = anywhere.known(person("new", "new@example.org", verified=False))
    assert anywhere.accept(eve, invitation, None) == refused(Code.INVITATION_INVALID)
    assert anywhere.accept(fresh, anywhere.invite("new@example.org"), None) == refused(Code.INVITATION_INVALID)
    assert isinstance(anywhere.accept(ada, invitation, None), Joined)


def test_a_used_invitation_tells_its_holder_so_and_its_person_that_they_are_a_member(world: World):
    invitation, ada = world.invite(), world.known(person())
    token = world.token()
    world.accept(ada, invitation, token)
    eve = world.known(person("eve"))
    assert world.accept(ada, invitation, token) == refused(Code.INVITATION_ALREADY_MEMBER)
    assert world.accept(eve, invitation, token) == refused(Code.INVITATION_USED)
    assert world.accept(eve, invitation, Secret("x")) == refused(Code.INVITATION_INVALID)
    assert world.members() == {"olga": OWNER, "ada": MEMBER}


def test_an_expired_invitation_is_stored_so_and_does_not_live_again_when_a_clock_goes_back(anywhere: World):
    invitation, ada = anywhere.invite(), anywhere.known(person())
    token, sent = anywhere.token(), anywhere.clock.now()
    anywhere.clock.advance(timedelta(days=30))
    assert anywhere.accept(ada, invitation, token) == refused(Code.INVITATION_EXPIRED)
    assert isinstance(anywhere.state(invitation), Expired)
    assert anywhere.audit()[-1].event is Audit.INVITE_REMOVE
    anywhere.clock.set(sent)
    assert anywhere.accept(ada, invitation, token) == refused(Code.INVITATION_EXPIRED)


def test_a_wrong_user_is_an_answer_of_its_own_unless_the_organization_opted_out(world: World):
    invitation, eve = world.invite(), world.known(person("eve"))
    token = world.token()
    assert world.accept(eve, invitation, token) == refused(Code.INVITATION_WRONG_USER)
    refusal = world.audit()[-1]
    assert (refusal.event, refusal.target_user, refusal.data["code"]) == (
        Audit.MEMBER_JOIN_REFUSED,
        "eve",
        Code.INVITATION_WRONG_USER,
    )
    world.change(invites_bound_to_address=False)
    assert isinstance(world.accept(eve, invitation, token), Joined)


def test_somebody_else_in_the_session_than_the_page_showed_is_a_wrong_user(world: World):
    """Decision 14: the user defaults to the session's, and every check concerns that one."""
    invitation, ada = world.invite(), world.known(person())
    token = world.token()
    assert world.accept(ada, invitation, token, user=UserId("olga")) == refused(Code.INVITATION_WRONG_USER)
    assert isinstance(world.accept(ada, invitation, token, user=UserId("ada")), Joined)


def test_a_member_s_needless_invitation_is_deleted_silently(anywhere: World):
    """Decision 14: no audit, no signal, no change of role."""
    invitation = anywhere.invite(role=ADMIN)
    ada = anywhere.join(person())
    token, logged, sent = anywhere.token(), len(anywhere.audit()), len(anywhere.messages())
    assert anywhere.accept(ada, invitation, token) == refused(Code.INVITATION_ALREADY_MEMBER)
    assert anywhere.state(invitation) == Absent()
    assert anywhere.members()["ada"] == MEMBER
    assert (len(anywhere.audit()), len(anywhere.messages())) == (logged, sent)


def test_a_member_cannot_delete_an_invitation_that_is_not_theirs(world: World):
    """Posting somebody else's link, or one's own old one, deletes nothing (sso 13.3, the hazard)."""
    world.change(invites_bound_to_address=False)
    mine = world.join(person())
    other = world.invite("eve@example.org")
    assert world.accept(mine, other, world.token("eve@example.org")) == refused(Code.INVITATION_ALREADY_MEMBER)
    assert isinstance(world.state(other), Pending)
    assert isinstance(world.member("ada"), Member)


def test_a_removed_member_needs_a_newer_invitation(anywhere: World):
    """Decision 15. What waited under an address that was not proven yet is older, too."""
    ada = anywhere.join(person())
    old = anywhere.invite("work@example.org")
    token = anywhere.token("work@example.org")
    anywhere.clock.advance(MINUTE)
    anywhere.service.remove(anywhere.olga, CONTEXT, organization=HOME, member=anywhere.key("ada"))
    anywhere.save(person("ada", "ada@example.org", "work@example.org"))
    assert anywhere.accept(ada, old, token) == refused(Code.INVITATION_MEMBER_REMOVED)
    assert anywhere.accept(ada, old, None) == refused(Code.INVITATION_MEMBER_REMOVED)
    assert anywhere.service.add(ada, CONTEXT, organization=HOME, user=UserId("ada")) == refused(
        Code.INVITATION_MEMBER_REMOVED
    )
    anywhere.clock.advance(MINUTE)
    anywhere.service.resend(anywhere.olga, CONTEXT, organization=HOME, invitation=old)
    assert isinstance(anywhere.accept(ada, old, anywhere.token("work@example.org")), Joined)


def test_policy_lets_removed_members_back_in(memory_uow: Any):
    world = World(memory_uow, MembershipPolicy(rejoin=True))
    ada = world.join(person())
    world.service.remove(ada, CONTEXT, organization=HOME, member=world.key("ada"))
    assert isinstance(world.service.add(ada, CONTEXT, organization=HOME, user=UserId("ada")), Joined)


def test_a_role_that_left_the_policy_is_no_way_back_and_nobody_is_called_a_member(anywhere: World):
    """What the member table refuses is answered as it refused it, and the invitation is not used up."""
    ada = anywhere.join(person(), ADMIN)
    anywhere.service.demote(anywhere.olga, CONTEXT, organization=HOME, member=anywhere.key("ada"))
    token = anywhere.token()
    [way_back] = {InvitationId(mail["invitation"]) for mail in anywhere.mails() if "invitation" in mail}
    before = anywhere.state(way_back)
    anywhere.service = attrs.evolve(anywhere.service, policy=MembershipPolicy(roles=(MEMBER, MANAGER, OWNER)))
    no = Refused(code=Code.MEMBERSHIP_INPUT_INVALID, problems={"role": "is not a role of this installation"})
    assert anywhere.accept(ada, way_back, token) == no
    assert (anywhere.state(way_back), anywhere.member("ada")) == (before, Outside())


def test_an_inviter_who_may_no_longer_give_the_role_invites_nobody(anywhere: World):
    """Decision 12: for a request, the approver stands for the inviter."""
    max_ = anywhere.join(person("max"), MANAGER)
    ada, bob = anywhere.known(person()), anywhere.known(person("bob"))
    invitation, asked = anywhere.invite(by=max_), anywhere.ask(bob)
    anywhere.service.approve(max_, CONTEXT, organization=HOME, invitation=asked)
    tokens = anywhere.token(), anywhere.token("bob@example.org")
    change = {"organization": HOME, "member": anywhere.key("max")}
    anywhere.service.change_role(anywhere.olga, CONTEXT, **change, role=ADMIN)
    no = refused(Code.INVITATION_INVITER_NOT_ENTITLED)
    assert (anywhere.accept(ada, invitation, tokens[0]), anywhere.accept(bob, asked, tokens[1])) == (no, no)
    anywhere.service.change_role(anywhere.olga, CONTEXT, **change, role=MANAGER)
    assert isinstance(anywhere.accept(ada, invitation, tokens[0]), Joined)
    anywhere.service.remove(anywhere.olga, CONTEXT, **change)
    assert anywhere.accept(bob, asked, tokens[1]) == no


def test_who_joins_over_the_limit_is_restricted_and_a_link_is_remembered(world: World):
    world.change(member_limit_restricted=True)
    world.sso.answer = Sso(linked=True)
    invitation, ada = world.invite(), world.known(person())
    joined = world.accept(ada, invitation, world.token())
    assert joined.member.flags == MemberFlag.MEMBER_LIMIT_RESTRICTED | MemberFlag.SSO_LINKED
    assert joined.member == world.member("ada")


def test_an_invite_makes_no_address_verified(world: World):
    """Decision 21 is not yet used: nothing here touches an address."""
    world.change(invites_bound_to_address=False)
    ada = world.known(person(verified=False))
    world.accept(ada, world.invite(), world.token())
    with world.uow.begin() as tx:
        assert tx.users.get(UserId("ada")) == person(verified=False)


def test_a_foreign_provider_s_proof_accepts_nothing(world: World):
    """Decision 1."""
    invitation, ada = world.invite(), world.known(person())
    foreign = attrs.evolve(ada, level=Level.NONE, marks=(entered(ELSEWHERE),))
    answer = world.accept(foreign, invitation, world.token())
    assert isinstance(answer, RequirementsOpen)
    assert answer.requirements == {Requirement.SIGN_IN}
    assert world.accept(foreign, invitation, None) == refused(Code.INVITATION_INVALID)
    own = attrs.evolve(foreign, marks=(entered(HOME),))
    assert isinstance(world.accept(own, invitation, world.token()), RequirementsOpen), "it does not stand any more"
    world.sso.answer = Sso(linked=True, marked=True)
    assert isinstance(world.accept(own, invitation, world.token()), Joined)


# --- detours --------------------------------------------------------------------------------------------------------


def test_a_click_waits_for_the_second_factor_and_completes_exactly_once(anywhere: World):
    """The main road of the post flow: refused for want of a factor, enrolled, joined."""
    anywhere.change(require_second_factor=True)
    invitation, ada = anywhere.invite(), anywhere.known(person())
    first = anywhere.accept(ada, invitation, anywhere.token())
    assert isinstance(first, RequirementsOpen)
    assert (first.requirements, first.consent) == ({Requirement.SECOND_FACTOR}, True)
    assert isinstance(waiting(anywhere, ada), Given)
    still = go_on(anywhere, ada)
    assert isinstance(still, RequirementsOpen)
    assert still.consent
    anywhere.protect("ada")
    joined = go_on(anywhere, ada)
    assert isinstance(joined, Joined)
    assert joined.member == anywhere.member("ada")
    assert waiting(anywhere, ada) is None
    assert go_on(anywhere, ada) == refused(Code.INVITATION_CONSENT_VOID)


def test_every_requirement_survives_its_detour(world: World):
    world.change(require_second_factor=True, require_verified_address=True)
    ada, invitation = world.known(person(verified=False)), world.invite()
    world.sso.answer = Sso(provider=ProviderId("p"), required=True)
    first = world.accept(ada, invitation, world.token())
    assert first.requirements == set(Requirement) - {Requirement.SIGN_IN}
    world.save(person())
    assert go_on(world, ada).requirements == {Requirement.SECOND_FACTOR, Requirement.SSO_LINK}
    world.protect("ada")
    assert go_on(world, ada).requirements == {Requirement.SSO_LINK}
    world.sso.answer = Sso(provider=ProviderId("p"), required=True, linked=True, marked=True)
    assert isinstance(go_on(world, ada), Joined)


def test_the_first_account_that_signs_in_is_asked_once(anywhere: World):
    """Decision 13, and the complaint behind sso 20: the invitation survives the login."""
    invitation = anywhere.invite()
    browser = SessionId("shared-browser")
    stranger = attrs.evolve(STRANGER, session=browser)
    click = anywhere.accept(stranger, invitation, anywhere.token())
    assert (click.requirements, click.consent) == ({Requirement.SIGN_IN}, True)
    assert isinstance(waiting(anywhere, stranger), Anonymous)
    assert go_on(anywhere, stranger) == refused(Code.INVITATION_SIGN_IN_REQUIRED)
    ada = attrs.evolve(anywhere.known(person()), session=browser)
    assert go_on(anywhere, ada) == ConfirmationOwed(organization=HOME, invitation=invitation)
    assert isinstance(waiting(anywhere, ada), Claimed)
    assert anywhere.member("ada") == Outside()
    assert isinstance(go_on(anywhere, ada, confirmed=True), Joined)


def test_a_wrong_account_switches_and_the_right_one_finds_the_click(world: World):
    invitation, browser = world.invite(), SessionId("b")
    world.accept(attrs.evolve(STRANGER, session=browser), invitation, world.token())
    eve = attrs.evolve(world.known(person("eve")), session=browser)
    ada = attrs.evolve(world.known(person()), session=browser)
    assert go_on(world, eve, confirmed=True) == refused(Code.INVITATION_WRONG_USER)
    assert isinstance(go_on(world, ada, confirmed=True), Joined)


def test_a_click_belongs_to_its_browser(world: World):
    world.change(require_second_factor=True)
    invitation, ada = world.invite(), world.known(person())
    world.accept(ada, invitation, world.token())
    world.protect("ada")
    other = attrs.evolve(ada, session=SessionId("another-browser"))
    assert go_on(world, other) == refused(Code.INVITATION_CONSENT_VOID)
    assert world.member("ada") == Outside()


def test_a_resend_in_between_voids_the_click(anywhere: World):
    anywhere.change(require_second_factor=True)
    invitation, ada = anywhere.invite(), anywhere.known(person())
    anywhere.accept(ada, invitation, anywhere.token())
    anywhere.service.resend(anywhere.olga, CONTEXT, organization=HOME, invitation=invitation)
    anywhere.protect("ada")
    assert go_on(anywhere, ada) == refused(Code.INVITATION_CONSENT_VOID)
    assert anywhere.member("ada") == Outside()
    assert waiting(anywhere, ada) is None
    assert isinstance(anywhere.accept(ada, invitation, anywhere.token()), Joined)


def test_a_click_by_the_address_waits_too_and_is_voided_too(world: World):
    world.change(require_second_factor=True)
    first, ada = world.invite(), world.known(person())
    assert world.accept(ada, first, None).consent
    world.service.resend(world.olga, CONTEXT, organization=HOME, invitation=first)
    world.protect("ada")
    assert go_on(world, ada) == refused(Code.INVITATION_CONSENT_VOID)


def test_a_click_waits_an_hour(world: World):
    world.change(require_second_factor=True)
    invitation, ada = world.invite(), world.known(person())
    world.accept(ada, invitation, world.token())
    world.protect("ada")
    world.clock.advance(60 * MINUTE)
    assert waiting(world, ada) is None
    assert go_on(world, ada) == refused(Code.INVITATION_CONSENT_VOID)


@pytest.mark.parametrize("ending", ["withdrawn", "used"])
def test_a_click_that_can_lead_nowhere_waits_no_longer(world: World, ending: str):
    world.change(require_second_factor=True)
    invitation, ada = world.invite(), world.known(person())
    world.accept(ada, invitation, world.token())
    world.protect("ada")
    if ending == "withdrawn":
        world.service.withdraw(world.olga, CONTEXT, organization=HOME, invitation=invitation)
        expected = refused(Code.INVITATION_REJECTED)
    else:
        world.accept(attrs.evolve(ada, session=SessionId("other")), invitation, world.token())
        expected = refused(Code.INVITATION_ALREADY_MEMBER)
    assert go_on(world, ada) == expected
    assert waiting(world, ada) is None


def test_a_browser_without_a_row_is_told_that_nothing_waits(world: World):
    bare = attrs.evolve(STRANGER, session=SessionId(""))
    answer = world.accept(bare, world.invite(), world.token())
    assert isinstance(answer, RequirementsOpen)
    assert not answer.consent
    assert go_on(world, bare) == refused(Code.INVITATION_CONSENT_VOID)


def test_the_newest_click_of_a_browser_is_the_one_that_waits(world: World):
    world.change(require_second_factor=True)
    ada = world.known(person("ada", "ada@example.org", "work@example.org"))
    first, token = world.invite(), world.token()
    second = world.invite("work@example.org")
    world.accept(ada, first, token)
    world.accept(ada, second, world.token("work@example.org"))
    assert waiting(world, ada).click.invitation == second
    other = world.accept(ada, first, Secret("x"))
    assert other == refused(Code.INVITATION_INVALID)
    assert waiting(world, ada).click.invitation == second


def test_two_clicks_of_one_browser_at_once_leave_one_waiting(anywhere: World):
    invitation, browser = anywhere.invite(), SessionId("b")
    token, stranger = anywhere.token(), attrs.evolve(STRANGER, session=browser)
    answers = at_once(lambda _: anywhere.accept(stranger, invitation, token))
    assert all(isinstance(answer, RequirementsOpen) for answer in answers)
    assert isinstance(waiting(anywhere, stranger), Anonymous)


# --- mails ----------------------------------------------------------------------------------------------------------


def test_a_mail_is_worth_sending_until_something_newer_happens(world: World):
    """Decision 37."""
    invitation = world.invite()
    old = world.token()
    assert world.service.carries(HOME, invitation, old)
    world.service.resend(world.olga, CONTEXT, organization=HOME, invitation=invitation)
    assert [world.service.carries(HOME, invitation, t) for t in (old, world.token())] == [False, True]
    world.clock.advance(timedelta(days=30))
    assert not world.service.carries(HOME, invitation, world.token())


def test_the_token_is_in_the_sealed_part_of_one_mail_and_nowhere_else(world: World):
    invitation = world.invite()
    token = world.token().reveal()
    assert token not in repr(world.everything())
    assert [mail["to"] for mail in world.mails(MailKind.INVITATION)] == ["ada@example.org"]
    assert world.mails()[0]["invitation"] == invitation
