"""Members: entering, roles, teams, flags, removing, demoting, sweeping, and the last owner under any race."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code, DatabaseUnavailable
from authflow.facts.records import Audit, Category, MailKind, Signal
from authflow.membership.answers import Entered, Joined, MemberGone, MemberList, MemberSaved, RequirementsEnforced
from authflow.membership.changes import FlagGroup
from authflow.membership.offer import Pending
from authflow.membership.standing import Member, MemberFlag, Outside, Removed
from authflow.policy import ADMIN, MANAGER, MEMBER, OWNER
from authflow.ports import Sso, User, UserAddress
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.testing.samples.membership import ELSEWHERE, HOME, NOW, asker, organization, person
from authflow.values import Address, Asker, InvitationId, MemberId, OrganizationId, ProjectId, Refused, UserId
from tests.membership.world import CONTEXT, World


@pytest.fixture
def world(memory_uow: Any) -> World:
    return World(memory_uow)


@pytest.fixture
def anywhere(uow: Any) -> World:
    return World(uow)


def refused(code: Code) -> Refused:
    return Refused(code=code)


def events(world: World) -> list[Audit]:
    return [entry.event for entry in world.audit()]


def remove(world: World, who: Asker, user: str) -> Any:
    return world.service.remove(who, CONTEXT, organization=HOME, member=world.key(user))


def demote(world: World, who: Asker, user: str, **given: Any) -> Any:
    return world.service.demote(who, CONTEXT, organization=HOME, member=world.key(user), **given)


def change_role(world: World, who: Asker, user: str, role: str) -> Any:
    return world.service.change_role(who, CONTEXT, organization=HOME, member=world.key(user), role=role)


# --- entering -------------------------------------------------------------------------------------------------------


def test_a_member_enters_as_what_they_are(world: World):
    ada = world.join(person())
    assert world.service.enter(ada, organization=HOME) == Entered(member=world.member("ada"))
    root = world.known(person("root", administrator=True))
    assert world.service.enter(root, organization=HOME) == Entered(member=None)
    eve = world.known(person("eve"))
    assert world.service.enter(eve, organization=HOME) == refused(Code.MEMBERSHIP_FORBIDDEN)


def test_what_the_organization_requires_now_is_asked_at_the_door(anywhere: World):
    """Mfa 17.3: a member without a factor is refused until they enroll."""
    ada = anywhere.join(person())
    anywhere.change(require_second_factor=True)
    assert anywhere.service.enter(ada, organization=HOME) == refused(Code.ORGANIZATION_SECOND_FACTOR_REQUIRED)
    anywhere.protect("ada")
    assert isinstance(anywhere.service.enter(ada, organization=HOME), Entered)
    anywhere.sso.answer = Sso(required=True, linked=True)
    assert anywhere.service.enter(ada, organization=HOME) == refused(Code.ORGANIZATION_SSO_REQUIRED)


@pytest.mark.parametrize("place", ["", "nowhere", "a\x00b", "x" * 65])
def test_there_is_no_such_organization(anywhere: World, place: str):
    key = OrganizationId(place)
    assert anywhere.service.enter(anywhere.olga, organization=key) == refused(Code.ORGANIZATION_UNKNOWN)
    assert anywhere.service.members(anywhere.olga, organization=key) == refused(Code.ORGANIZATION_UNKNOWN)
    assert anywhere.service.add(anywhere.olga, CONTEXT, organization=key, user=UserId("olga")) == refused(
        Code.ORGANIZATION_UNKNOWN
    )


def test_members_list_each_other_in_pages(anywhere: World):
    ada = anywhere.join(person())
    first = anywhere.service.members(ada, organization=HOME, limit=1)
    assert isinstance(first, MemberList)
    rest = anywhere.service.members(ada, organization=HOME, limit=5, after=first.members[0].id)
    assert isinstance(rest, MemberList)
    assert {m.user for m in (*first.members, *rest.members)} == {"ada", "olga"}


# --- adding ---------------------------------------------------------------------------------------------------------


def test_adding_twice_is_adding_once(anywhere: World):
    ada = anywhere.join(person(), ADMIN)
    again = anywhere.service.add(ada, CONTEXT, organization=HOME, user=UserId("ada"), role=OWNER)
    assert again == Joined(member=anywhere.member("ada"))
    assert events(anywhere).count(Audit.MEMBER_ADD) == 2


def test_many_at_once_add_a_person_once(anywhere: World):
    ada = anywhere.known(person())

    def add(_: int) -> Any:
        return anywhere.service.add(ada, CONTEXT, organization=HOME, user=UserId("ada"))

    assert at_once(add) == [Joined(member=anywhere.member("ada"))] * THREADS
    joined = [p for c, p in anywhere.messages() if c == Category.SIGNAL and p.get("arg.user_id") == "ada"]
    assert len(joined) == 1


def test_only_known_people_and_roles_are_added(world: World):
    add = world.service.add
    assert add(world.olga, CONTEXT, organization=HOME, user=UserId("nobody")) == refused(Code.ACCOUNT_UNKNOWN)
    world.known(person())
    wrong = add(world.olga, CONTEXT, organization=HOME, user=UserId("ada"), role="root")
    assert isinstance(wrong, Refused)
    assert (wrong.code, set(wrong.problems)) == (Code.MEMBERSHIP_INPUT_INVALID, {"role"})


# --- changing -------------------------------------------------------------------------------------------------------


def test_roles_and_teams_are_changed_and_logged(anywhere: World):
    anywhere.join(person())
    assert isinstance(change_role(anywhere, anywhere.olga, "ada", ADMIN), MemberSaved)
    teams = anywhere.service.set_teams(
        anywhere.olga, CONTEXT, organization=HOME, member=anywhere.key("ada"), teams=["red", "blue"]
    )
    assert isinstance(teams, MemberSaved)
    state = anywhere.member("ada")
    assert isinstance(state, Member)
    assert (state.role, state.teams) == (ADMIN, ("blue", "red"))
    assert [dict(e.data) for e in anywhere.audit()[-2:]] == [
        {"role": "admin", "teams": "", "changed": "role"},
        {"role": "admin", "teams": "blue,red", "changed": "teams"},
    ]


def test_malformed_teams_are_a_refusal_that_names_the_field(world: World):
    bad = world.service.set_teams(world.olga, CONTEXT, organization=HOME, member=world.key("olga"), teams=["a b"])
    assert isinstance(bad, Refused)
    assert (bad.code, set(bad.problems)) == (Code.MEMBERSHIP_INPUT_INVALID, {"teams"})


def test_each_setter_keeps_to_its_own_flags(anywhere: World):
    ada = anywhere.join(person())
    set_flags = anywhere.service.set_flags
    given = {"organization": HOME, "user": UserId("ada")}
    set_flags(ada, CONTEXT, **given, group=FlagGroup.IDP, flags=MemberFlag.IDP_PROVISIONED | MemberFlag.SSO_INVALID)
    set_flags(ada, CONTEXT, **given, group=FlagGroup.SSO, flags=MemberFlag.SSO_LINKED)
    set_flags(ada, CONTEXT, **given, group=FlagGroup.LIMIT, flags=MemberFlag.MEMBER_LIMIT_RESTRICTED)
    set_flags(ada, CONTEXT, **given, group=FlagGroup.SSO, flags=MemberFlag.NONE)
    state = anywhere.member("ada")
    assert isinstance(state, Member)
    assert state.flags == MemberFlag.IDP_PROVISIONED | MemberFlag.MEMBER_LIMIT_RESTRICTED
    assert anywhere.service.enter(ada, organization=HOME) == refused(Code.MEMBERSHIP_RESTRICTED)
    nobody = set_flags(ada, CONTEXT, organization=HOME, user=UserId("eve"), group=FlagGroup.SSO, flags=MemberFlag.NONE)
    assert nobody == refused(Code.MEMBERSHIP_NOT_MEMBER)


@pytest.mark.parametrize("member", ["", "nobody", "a\x00b", "x" * 65])
def test_there_is_no_such_member(anywhere: World, member: str):
    given: dict[str, Any] = {"organization": HOME, "member": MemberId(member)}
    service, olga = anywhere.service, anywhere.olga
    answers = [
        service.change_role(olga, CONTEXT, **given, role=MEMBER),
        service.set_teams(olga, CONTEXT, **given, teams=[]),
        service.remove(olga, CONTEXT, **given),
        service.demote(olga, CONTEXT, **given),
    ]
    assert answers == [refused(Code.MEMBERSHIP_NOT_MEMBER)] * 4


# --- removing -------------------------------------------------------------------------------------------------------


def test_a_removal_is_remembered_logged_and_signalled(anywhere: World):
    anywhere.join(person())
    key = anywhere.key("ada")
    assert remove(anywhere, anywhere.olga, "ada") == MemberGone(organization=HOME, user=UserId("ada"))
    assert anywhere.member("ada") == Removed(organization=HOME, user=UserId("ada"), at=NOW)
    assert (anywhere.audit()[-1].event, anywhere.audit()[-1].target) == (Audit.MEMBER_REMOVE, key)
    signal = [p for c, p in anywhere.messages() if c == Category.SIGNAL][-1]
    assert signal == {"signal": Signal.MEMBER_REMOVED, "arg.user_id": "ada", "arg.organization_member_id": key}
    with anywhere.uow.begin() as tx:
        assert tx.organizations.of_user(UserId("ada")) == ()


def test_what_else_a_removal_ends_is_told_once_and_for_every_removal(world: World):
    """Decision 15: a removal, leaving, and the withdrawal of a demoted member's way back; nothing else."""
    ada, ben = world.join(person("ada")), world.join(person("ben"))
    world.join(person("cyd"))
    world.service.remove(world.olga, CONTEXT, organization=HOME, member=world.key("ada"))
    world.service.remove(ada, CONTEXT, organization=HOME, member=MemberId("member-ada"))
    world.service.remove(ben, CONTEXT, organization=HOME, member=world.key("ben"))
    demoted = world.service.demote(world.olga, CONTEXT, organization=HOME, member=world.key("cyd"))
    assert world.aftermath.removals == [(HOME, "ada", "olga"), (HOME, "ben", "ben")]
    assert isinstance(demoted, MemberGone)
    assert demoted.invitation is not None
    world.service.withdraw(world.olga, CONTEXT, organization=HOME, invitation=demoted.invitation)
    assert world.aftermath.removals[2:] == [(HOME, "cyd", "olga")]


def test_a_member_may_leave_and_a_manager_removes_up_to_their_own_role(world: World):
    ada, max_ = world.join(person()), world.join(person("max"), MANAGER)
    assert isinstance(remove(world, ada, "ada"), MemberGone)
    assert remove(world, max_, "olga") == refused(Code.ROLE_NOT_ALLOWED)
    assert isinstance(remove(world, max_, "max"), MemberGone)


# --- the last owner -------------------------------------------------------------------------------------------------


def test_the_last_active_owner_stays(anywhere: World):
    """Decision 17. An inactive owner is none."""
    last = refused(Code.MEMBERSHIP_LAST_OWNER)
    anywhere.join(person("idle", active=False), OWNER)
    assert remove(anywhere, anywhere.olga, "olga") == last
    assert change_role(anywhere, anywhere.olga, "olga", MEMBER) == last
    assert demote(anywhere, anywhere.olga, "olga") == last
    anywhere.join(person("otto"), OWNER)
    assert isinstance(remove(anywhere, anywhere.olga, "olga"), MemberGone)
    assert anywhere.members() == {"idle": OWNER, "otto": OWNER}


@pytest.mark.parametrize("end", [remove, demote, lambda w, who, user: change_role(w, who, user, MEMBER)])
def test_two_owners_who_end_each_other_at_once_leave_one(anywhere: World, end: Any):
    otto = anywhere.join(person("otto"), OWNER)
    keys = {"olga": anywhere.key("olga"), "otto": anywhere.key("otto")}
    anywhere.key = keys.__getitem__  # type: ignore[method-assign]  # read before the race, as two pages did
    pairs = [(anywhere.olga, "otto"), (otto, "olga")]
    told = at_once(lambda number: end(anywhere, *pairs[number]), threads=2)
    assert sum(isinstance(answer, MemberGone | MemberSaved) for answer in told) == 1
    (loser,) = [answer for answer in told if isinstance(answer, Refused)]
    assert loser.code in {Code.MEMBERSHIP_LAST_OWNER, Code.MEMBERSHIP_FORBIDDEN}
    assert list(anywhere.members().values()).count(OWNER) == 1


def test_of_many_owners_who_leave_at_once_one_stays(anywhere: World):
    owners = [anywhere.join(person(f"o{n:02}"), OWNER) for n in range(THREADS)]
    remove(anywhere, anywhere.olga, "olga")
    keys = [anywhere.key(f"o{n:02}") for n in range(THREADS)]

    def leave(number: int) -> Any:
        return anywhere.service.remove(owners[number], CONTEXT, organization=HOME, member=keys[number])

    told = at_once(leave)
    assert told.count(refused(Code.MEMBERSHIP_LAST_OWNER)) == 1
    assert list(anywhere.members().values()) == [OWNER]


# --- demoting -------------------------------------------------------------------------------------------------------


def test_a_demoted_member_comes_back_as_what_they_were_and_nobody_else_does(anywhere: World):
    """Decision 16."""
    ada = anywhere.join(person(), ADMIN)
    anywhere.service.set_flags(
        ada,
        CONTEXT,
        organization=HOME,
        user=UserId("ada"),
        group=FlagGroup.IDP,
        flags=MemberFlag.IDP_PROVISIONED,
    )
    gone = demote(anywhere, anywhere.olga, "ada")
    assert isinstance(gone, MemberGone)
    way_back = gone.invitation
    assert way_back is not None
    waiting = anywhere.state(way_back)
    assert isinstance(waiting, Pending)
    assert (waiting.bound_to, waiting.expires_at) == ("ada", NOW + anywhere.service.policy.invitation_ttl)
    (mail,) = anywhere.mails(MailKind.SETUP_SECOND_FACTOR)
    assert (mail["to"], mail["invitation"]) == ("ada@example.org", way_back)
    assert anywhere.audit()[-1].event is Audit.MEMBER_PENDING
    anywhere.change(invites_bound_to_address=False)
    eve = anywhere.known(person("eve"))
    token = anywhere.token()
    assert anywhere.accept(eve, way_back, token) == refused(Code.INVITATION_WRONG_USER)
    assert anywhere.accept(eve, way_back, None) == refused(Code.INVITATION_INVALID)
    joined = anywhere.accept(ada, way_back, None)
    assert isinstance(joined, Joined)
    assert (joined.member.role, joined.member.flags) == (ADMIN, MemberFlag.IDP_PROVISIONED)


def test_a_way_back_is_not_the_holder_s_of_the_same_address(world: World):
    """Two people may hold one address; the way back belongs to the person, not to the mailbox."""
    world.join(person("ada", "shared@example.org"))
    eve = world.known(person("eve", "shared@example.org"))
    gone = demote(world, world.olga, "ada")
    token = world.token("shared@example.org")
    assert world.accept(eve, gone.invitation, token) == refused(Code.INVITATION_WRONG_USER)
    assert world.accept(eve, gone.invitation, None) == refused(Code.INVITATION_INVALID)


def test_a_demotion_is_mailed_to_verified_addresses_only(world: World):
    both = User(
        id=UserId("ada"),
        label="ada",
        addresses=(
            UserAddress(address=Address("new@example.org"), primary=True),
            UserAddress(address=Address("old@example.org"), primary=False, verified_at=NOW),
        ),
    )
    world.join(both)
    gone = demote(world, world.olga, "ada")
    assert [mail["to"] for mail in world.mails(MailKind.SETUP_SECOND_FACTOR)] == ["old@example.org"]
    world.service.resend(world.olga, CONTEXT, organization=HOME, invitation=gone.invitation)
    assert [mail["to"] for mail in world.mails(MailKind.INVITATION)] == ["old@example.org"]


def test_who_was_let_in_again_and_is_demoted_again_has_one_way_back(world: World):
    ada = world.join(person())
    first = demote(world, world.olga, "ada").invitation
    old = world.token()
    world.service.add(ada, CONTEXT, organization=HOME, user=UserId("ada"))
    assert not world.service.carries(HOME, first, old)
    second = demote(world, world.olga, "ada").invitation
    assert [one.id for one in world.service.mine(ada).invitations] == [second]


def test_nobody_is_demoted_who_has_no_address(world: World):
    world.join(attrs.evolve(person(), addresses=()))
    answer = demote(world, world.olga, "ada")
    assert isinstance(answer, Refused)
    assert answer.code is Code.MEMBERSHIP_INPUT_INVALID
    assert isinstance(world.member("ada"), Member)


# --- the sweep ------------------------------------------------------------------------------------------------------


def test_a_new_requirement_demotes_whoever_lacks_it_and_nobody_else(anywhere: World):
    """Mfa 17.1, sso 13.6; and the second run changes nothing."""
    ada = anywhere.join(person())
    anywhere.join(person("bob"))
    anywhere.protect("bob")
    otto = anywhere.join(person("otto"), OWNER)
    lacking = {anywhere.key("ada"), anywhere.key("otto")}
    anywhere.change(require_second_factor=True)
    swept = anywhere.service.enforce(anywhere.olga, CONTEXT, organization=HOME)
    assert isinstance(swept, RequirementsEnforced)
    assert (set(swept.demoted), swept.kept) == (lacking, {})
    assert anywhere.members() == {"olga": OWNER, "bob": MEMBER}
    again = anywhere.service.enforce(anywhere.olga, CONTEXT, organization=HOME)
    assert again == RequirementsEnforced(demoted=(), kept={})
    assert len(anywhere.mails(MailKind.SETUP_SECOND_FACTOR)) == 2
    (back,) = anywhere.service.mine(ada).invitations
    first = anywhere.accept(ada, back.id, None)
    assert first.consent
    anywhere.protect("ada")
    joined = anywhere.service.accept_consent(ada, CONTEXT, anywhere.clock.now())
    assert isinstance(joined, Joined)
    assert anywhere.service.enter(otto, organization=HOME) == refused(Code.MEMBERSHIP_FORBIDDEN)


def test_a_sweep_over_more_than_one_page(world: World):
    for number in range(101):
        world.join(person(f"u{number}"))
    world.change(require_second_factor=True)
    swept = world.service.enforce(world.olga, CONTEXT, organization=HOME)
    assert isinstance(swept, RequirementsEnforced)
    assert len(swept.demoted) == 101


def test_the_last_owner_and_who_has_no_address_are_kept_and_named(world: World):
    world.join(attrs.evolve(person(), addresses=()))
    root = world.known(person("root", administrator=True))
    world.save(person("olga", verified=False))
    world.change(require_verified_address=True)
    swept = world.service.enforce(root, CONTEXT, organization=HOME)
    assert isinstance(swept, RequirementsEnforced)
    assert swept.demoted == ()
    assert swept.kept == {
        world.key("ada"): Code.MEMBERSHIP_INPUT_INVALID,
        world.key("olga"): Code.MEMBERSHIP_LAST_OWNER,
    }


def test_whom_an_error_keeps_is_named_and_nobody_else_stays(world: World):
    """One member's event is larger than a message may be; the organization had no security project before."""
    for name in ("ada", "bob", "cleo", "dora"):
        world.join(person(name))
    quoted = [f"{number:02}".ljust(64, '"') for number in range(32)]
    world.service.set_teams(world.olga, CONTEXT, organization=HOME, member=world.key("bob"), teams=quoted)
    world.change(require_second_factor=True, security_project=ProjectId("security"))
    bob, others = world.key("bob"), {world.key(name) for name in ("ada", "cleo", "dora")}
    swept = world.service.enforce(world.olga, CONTEXT, organization=HOME)
    assert isinstance(swept, RequirementsEnforced)
    assert (set(swept.demoted), swept.kept) == (others, {bob: Code.OUTBOX_MESSAGE_INVALID})
    assert set(world.members()) == {"olga", "bob"}


def test_a_database_that_goes_away_ends_the_sweep(world: World):
    """Who was not looked at is not said to be kept."""

    class Away(MemoryUnitOfWork):
        def begin(self) -> Any:
            if len(world.members()) < 4:
                raise DatabaseUnavailable
            return world.uow.begin()

    for name in ("ada", "bob", "cleo"):
        world.join(person(name))
    world.change(require_second_factor=True)
    with pytest.raises(DatabaseUnavailable):
        attrs.evolve(world.service, uow=Away()).enforce(world.olga, CONTEXT, organization=HOME)
    assert len(world.members()) == 3


def test_who_does_not_meet_the_requirement_does_not_enforce_it(world: World):
    """Mfa 17.1: enable your own second factor first."""
    max_ = world.join(person("max"), MANAGER)
    world.change(require_second_factor=True)
    answer = world.service.enforce(max_, CONTEXT, organization=HOME)
    assert answer == refused(Code.ORGANIZATION_SECOND_FACTOR_REQUIRED)


# --- whole accounts -------------------------------------------------------------------------------------------------


def test_who_is_deleted_is_forgotten_everywhere(anywhere: World):
    anywhere.put(organization(ELSEWHERE))
    ada = anywhere.join(person())
    anywhere.service.add(ada, CONTEXT, organization=ELSEWHERE, user=UserId("ada"))
    assert {m.organization for m in anywhere.service.of_user(UserId("ada"))} == {HOME, ELSEWHERE}
    back = demote(anywhere, anywhere.olga, "ada").invitation
    anywhere.change(require_second_factor=True)
    anywhere.accept(ada, back, None)
    assert anywhere.service.forget(UserId("ada")) == 1
    assert anywhere.member("ada") == Outside()
    assert anywhere.service.consent_of(ada.session, NOW) is None
    assert anywhere.service.mine(ada).invitations == ()


def test_a_stranger_s_session_is_answered_everywhere(world: World):
    stranger = asker(None)
    place: dict[str, Any] = {"organization": HOME}
    answers = [
        world.service.enter(stranger, **place),
        world.service.members(stranger, **place),
        world.service.enforce(stranger, CONTEXT, **place),
        world.service.pending(stranger, **place),
        world.service.resend(stranger, CONTEXT, **place, invitation=InvitationId("x")),
    ]
    assert answers == [refused(Code.SESSION_REQUIRED)] * 5
