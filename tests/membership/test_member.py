"""The table of members: every row and edge, the last owner, the tombstone, and whose flags are whose."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import membership as facts
from authflow.membership.answers import Joined, MemberGone, MemberSaved
from authflow.membership.changes import Bar, Demote, FlagGroup, Join, Remove, SetFlags, SetTeams
from authflow.membership.member import MACHINE, home
from authflow.membership.standing import Member, MemberFlag, Membership, Outside, Removed
from authflow.policy import ADMIN, MANAGER, MEMBER, OWNER, MembershipPolicy
from authflow.ports import User
from authflow.testing import assert_complete
from authflow.testing.samples.member import ADA, ALPHABET, STRICT, TOKEN, WAY_BACK, change, demote, join, remove
from authflow.testing.samples.membership import (
    HOME,
    NEW_MEMBER,
    NOW,
    POLICY,
    SECOND,
    asker,
    authority,
    manager,
    member,
    organization,
    person,
    removed,
    standing,
)
from authflow.values import Refused, Role, TeamId

EXPLORED = ALPHABET.walk()


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_every_command_may_arrive_in_every_state():
    assert EXPLORED.illegal == ()


def test_the_last_active_owner_stays_one():
    """Decision 17."""
    for step in EXPLORED.steps:
        if isinstance(step.state, Member) and step.state.role == OWNER:
            still = isinstance(step.target, Member) and step.target.role == OWNER
            assert still or getattr(step.command, "other_owners", None) == 1


def test_no_setter_touches_the_flags_of_another():
    """Attaching an identity must never clear the provider's flags (sso 2.4)."""
    for step in EXPLORED.steps:
        if isinstance(step.state, Member) and isinstance(step.target, Member):
            mask = step.command.group.value if isinstance(step.command, SetFlags) else MemberFlag.NONE
            assert step.state.flags & ~mask == step.target.flags & ~mask


def test_a_refusal_changes_nothing_and_reports_nothing():
    for step in EXPLORED.steps:
        if isinstance(step.answer, Refused):
            assert (step.target, step.facts) == (step.state, ())


def test_a_removal_is_always_remembered():
    for step in EXPLORED.steps:
        if isinstance(step.state, Member) and not isinstance(step.target, Member):
            assert isinstance(step.target, Removed) or isinstance(step.command, Demote)
        if isinstance(step.state, Removed) and isinstance(step.target, Member):
            assert isinstance(step.command, Join)
            assert step.command.invited_at is not None
            assert step.command.invited_at > step.state.at


# --- joining --------------------------------------------------------------------------------------------------------


def test_joining_without_an_invitation_is_recorded_and_with_one_the_invitation_tells():
    alone = MACHINE.step(Outside(), join(), NOW)
    invited = MACHINE.step(Outside(), join(invited_at=NOW), NOW)
    assert alone.answer == invited.answer == Joined(member=attrs.evolve(member(), id=NEW_MEMBER))
    (added,) = alone.facts
    assert added == facts.MemberAdded(
        organization=HOME,
        member=NEW_MEMBER,
        user=ADA,
        email="ada@example.org",
        role=MEMBER,
        teams="",
        status="approved",
    )
    assert invited.facts == ()


def test_joining_twice_is_joining_once():
    stands = member("ada", ADMIN, teams=(TeamId("red"),), flags=MemberFlag.IDP_PROVISIONED)
    step = MACHINE.step(stands, join(OWNER), NOW)
    assert (step.state, step.answer, step.facts) == (stands, Joined(member=stands), ())


def test_over_the_member_limit_who_joins_is_restricted():
    step = MACHINE.step(Outside(), join(organization=organization(member_limit_restricted=True)), NOW)
    assert isinstance(step.state, Member)
    assert step.state.flags is MemberFlag.MEMBER_LIMIT_RESTRICTED


@pytest.mark.parametrize(
    ("state", "given", "code"),
    [
        (Outside(), {"organization": organization(active=False)}, Code.ORGANIZATION_UNKNOWN),
        (Outside(), {"person": None}, Code.ACCOUNT_UNKNOWN),
        (Outside(), {"role": Role("root")}, Code.MEMBERSHIP_INPUT_INVALID),
        (removed(), {}, Code.INVITATION_MEMBER_REMOVED),
        (removed(), {"invited_at": NOW}, Code.INVITATION_MEMBER_REMOVED),
    ],
)
def test_joining_is_refused(state: Membership, given: dict[str, Any], code: Code):
    step = MACHINE.step(state, join(**given), NOW)
    assert isinstance(step.answer, Refused)
    assert (step.state, step.answer.code) == (state, code)


def test_policy_lets_who_was_removed_back_in():
    again = MACHINE.step(removed(), join(policy=MembershipPolicy(rejoin=True)), NOW)
    assert isinstance(again.state, Member)


# --- roles and teams ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "stands", "given", "code"),
    [
        (MANAGER, MEMBER, ADMIN, None),
        (MANAGER, MANAGER, MEMBER, None),
        (MANAGER, OWNER, MEMBER, Code.ROLE_NOT_ALLOWED),
        (MANAGER, MEMBER, OWNER, Code.ROLE_NOT_ALLOWED),
        (OWNER, OWNER, MEMBER, None),
        (OWNER, MEMBER, Role("root"), Code.ROLE_NOT_ALLOWED),
        (ADMIN, MEMBER, MEMBER, Code.MEMBERSHIP_FORBIDDEN),
    ],
)
def test_a_role_is_changed_up_to_one_s_own_from_up_to_one_s_own(
    own: Role, stands: Role, given: Role, code: Code | None
):
    step = MACHINE.step(member("ada", stands), change(given, manager(own)), NOW)
    assert step.answer == (Refused(code=code) if code else MemberSaved(member=member("ada", given)))


def test_nobody_raises_themselves():
    ada = standing(person(), member("ada", MANAGER))
    assert MACHINE.step(member("ada", MANAGER), change(OWNER, ada), NOW).answer == Refused(code=Code.ROLE_NOT_ALLOWED)


def test_a_role_that_the_provider_governs_is_changed_there():
    governed = member(flags=MemberFlag.IDP_ROLE_RESTRICTED)
    assert MACHINE.step(governed, change(), NOW).answer == Refused(code=Code.ROLE_NOT_ALLOWED)


def test_the_last_owner_may_be_given_the_role_they_have():
    step = MACHINE.step(member("ada", OWNER), change(OWNER, others=0), NOW)
    assert (step.answer, step.facts) == (MemberSaved(member=member("ada", OWNER)), ())


def test_a_change_says_what_changed():
    role = MACHINE.step(member(), change(), NOW).facts[0]
    teams = MACHINE.step(member(), SetTeams(authority=authority(), teams=(TeamId("red"),), problems={}), NOW).facts[0]
    flags = SetFlags(group=FlagGroup.SSO, flags=MemberFlag.SSO_LINKED | MemberFlag.IDP_PROVISIONED)
    flagged = MACHINE.step(member(flags=MemberFlag.SSO_INVALID), flags, NOW)
    assert isinstance(role, facts.MemberChanged)
    assert isinstance(teams, facts.MemberChanged)
    assert isinstance(flagged.facts[0], facts.MemberChanged)
    assert (role.changed, role.role) == ("role", ADMIN)
    assert (teams.changed, teams.teams) == ("teams", "red")
    assert flagged.facts[0].changed == "sso_linked,sso_invalid"
    assert flagged.answer == MemberSaved(member=member(flags=MemberFlag.SSO_LINKED))


@pytest.mark.parametrize("state", [Outside(), removed()])
def test_only_who_manages_is_told_that_there_is_no_such_member(state: Membership):
    flags = SetFlags(group=FlagGroup.SSO, flags=MemberFlag.NONE)
    assert MACHINE.step(state, remove(manager(MEMBER)), NOW).answer == Refused(code=Code.MEMBERSHIP_FORBIDDEN)
    assert MACHINE.step(state, remove(), NOW).answer == Refused(code=Code.MEMBERSHIP_NOT_MEMBER)
    assert MACHINE.step(state, flags, NOW).answer == Refused(code=Code.MEMBERSHIP_NOT_MEMBER)


# --- leaving and being removed --------------------------------------------------------------------------------------


def test_everybody_may_leave_even_who_lacks_a_requirement():
    """The organization's requirements open the door; they do not lock it from inside."""
    me = authority(standing(person(verified=False), member()), organization(require_second_factor=True))
    step = MACHINE.step(member(), Remove(authority=me, other_owners=0), NOW)
    assert step.state == removed()
    assert step.answer == MemberGone(organization=HOME, user=ADA)


@pytest.mark.parametrize("other", ["aaron", "zoe"])
def test_nobody_leaves_for_another_person(other: str):
    step = MACHINE.step(member(other), remove(standing(person(), member())), NOW)
    assert (step.state, step.answer) == (member(other), Refused(code=Code.MEMBERSHIP_FORBIDDEN))


def test_leaving_needs_a_proof_that_reaches_the_organization():
    elsewhere = standing(person(), member(), asker=asker(person(), standing(None).asker.level))
    inactive = standing(person(active=False), member())
    assert MACHINE.step(member(), remove(elsewhere), NOW).answer == Refused(code=Code.SESSION_ELEVATION_REQUIRED)
    assert MACHINE.step(member(), remove(inactive), NOW).answer == Refused(code=Code.SESSION_USER_INACTIVE)


def test_the_last_owner_neither_leaves_nor_is_removed_nor_demoted():
    me = standing(person(), member("ada", OWNER))
    for command in (remove(me, 0), remove(others=0), demote(place=STRICT, by=me, other_owners=0), change(others=0)):
        answer = MACHINE.step(member("ada", OWNER), command, NOW).answer
        assert isinstance(answer, Refused)
    assert MACHINE.step(member("ada", OWNER), remove(others=0), NOW).answer == Refused(code=Code.MEMBERSHIP_LAST_OWNER)


def test_a_withdrawn_way_back_bars_the_person_and_nobody_who_came_back():
    bar = Bar(organization=HOME, user=ADA)
    assert MACHINE.step(Outside(), bar, NOW).state == removed()
    assert MACHINE.step(member(), bar, NOW).state == member()
    assert MACHINE.step(removed(at=NOW - SECOND), bar, NOW).state == removed(at=NOW - SECOND)


def test_of_two_removals_of_one_person_the_later_one_counts():
    """Two accounts that become one: an invitation between the two leads nobody back."""
    for first, second in ((NOW, NOW - SECOND), (NOW - SECOND, NOW), (NOW, NOW)):
        bar = Bar(organization=HOME, user=ADA, at=second)
        assert MACHINE.step(Outside(), bar, NOW + SECOND).state == removed(at=second)
        assert MACHINE.step(removed(at=first), bar, NOW + SECOND).state == removed(at=NOW)


# --- demoting -------------------------------------------------------------------------------------------------------


def test_a_demotion_is_mailed_to_verified_addresses_only():
    """Decision 16."""
    both = User(
        id=ADA,
        label="ada",
        addresses=(
            *person("ada", "a@example.org", verified=False).addresses,
            *person("ada", "b@example.org").addresses,
        ),
    )
    step = MACHINE.step(member(teams=(TeamId("red"),)), demote(person=both), NOW)
    assert step.state == Outside()
    assert step.answer == MemberGone(organization=HOME, user=ADA, invitation=WAY_BACK)
    (told,) = step.facts
    assert isinstance(told, facts.MemberDemoted)
    assert (told.email, told.recipients, told.role, told.teams) == ("a@example.org", ("b@example.org",), MEMBER, "red")
    assert (told.token, told.expires_at) == (TOKEN, NOW + POLICY.invitation_ttl)


def test_who_lacks_a_requirement_is_demoted_by_any_manager_whatever_their_role():
    met = manager(MANAGER, has_factor=True)
    owner = member("ada", OWNER)
    assert isinstance(MACHINE.step(owner, demote(met, STRICT), NOW).state, Outside)
    compliant = MACHINE.step(owner, demote(met, STRICT, has_factor=True), NOW)
    assert compliant.answer == Refused(code=Code.ROLE_NOT_ALLOWED)


def test_a_sweep_leaves_alone_who_meets_the_requirements():
    step = MACHINE.step(member(), demote(only_lacking=True), NOW)
    assert (step.state, step.answer, step.facts) == (member(), MemberSaved(member=member()), ())
    stranger = MACHINE.step(member(), demote(standing(None), only_lacking=True), NOW)
    assert stranger.answer == Refused(code=Code.SESSION_REQUIRED)


@pytest.mark.parametrize("nobody", [None, User(id=ADA, label="ada")])
def test_nobody_is_demoted_who_could_not_be_invited_back(nobody: User | None):
    answer = MACHINE.step(member(), demote(person=nobody), NOW).answer
    assert isinstance(answer, Refused)
    assert (answer.code, set(answer.problems)) == (Code.MEMBERSHIP_INPUT_INVALID, {"user"})


def test_home_is_the_primary_address_or_any_or_none():
    secondary = attrs.evolve(person(), addresses=tuple(attrs.evolve(a, primary=False) for a in person().addresses))
    assert [home(who) for who in (None, person(), secondary)] == [None, "ada@example.org", "ada@example.org"]
