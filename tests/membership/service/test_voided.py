"""What waited for a person is void as soon as they joined another way, were demoted, or were removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authflow.errors import Code
from authflow.membership.answers import InvitationList, Joined, MemberGone
from authflow.membership.offer import Absent, Pending, Withdrawn
from authflow.membership.standing import Removed
from authflow.policy import ADMIN, MEMBER, MembershipPolicy
from authflow.testing.samples.membership import HOME, person
from authflow.values import Refused, UserId
from tests.membership.world import CONTEXT, World

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(memory_uow: Any) -> World:
    return World(memory_uow)


@pytest.fixture
def anywhere(uow: Any) -> World:
    return World(uow)


def refused(code: Code) -> Refused:
    return Refused(code=code)


def test_nothing_sent_before_a_removal_outlives_it_whatever_two_clocks_say(anywhere: World):
    """The node that invited was an hour ahead of the one that removed: by their times the invitation is newer."""
    anywhere.clock.advance(60 * MINUTE)
    invited, token = anywhere.invite(), anywhere.token()
    anywhere.clock.advance(-60 * MINUTE)
    ada = anywhere.join(person())
    anywhere.service.remove(anywhere.olga, CONTEXT, organization=HOME, member=anywhere.key("ada"))
    assert anywhere.accept(ada, invited, token) == refused(Code.INVITATION_REJECTED)
    assert anywhere.accept(ada, invited, None) == refused(Code.INVITATION_REJECTED)
    assert anywhere.audit()[-1].data == {"email": "ada@example.org", "reason": "removed"}
    assert isinstance(anywhere.state(anywhere.invite()), Pending)


def test_a_request_goes_with_the_removal_of_who_made_it(world: World):
    ada = world.known(person())
    asked = world.ask(ada)
    world.service.add(ada, CONTEXT, organization=HOME, user=UserId("ada"))
    world.service.remove(ada, CONTEXT, organization=HOME, member=world.key("ada"))
    assert world.state(asked) == Absent()


@pytest.mark.parametrize("rejoin", [False, True])
def test_who_joins_another_way_cannot_go_back_to_what_they_were_before(memory_uow: Any, rejoin: bool):  # noqa: FBT001
    """A demoted administrator is added as a plain member: the way back, which restores the old role, is void."""
    world = World(memory_uow, MembershipPolicy(rejoin=rejoin))
    ada = world.join(person(), ADMIN)
    gone = world.service.demote(world.olga, CONTEXT, organization=HOME, member=world.key("ada"))
    assert isinstance(gone, MemberGone)
    assert gone.invitation is not None
    world.service.add(ada, CONTEXT, organization=HOME, user=UserId("ada"), role=MEMBER)
    assert isinstance(world.state(gone.invitation), Withdrawn)
    world.service.remove(ada, CONTEXT, organization=HOME, member=world.key("ada"))
    assert world.accept(ada, gone.invitation, None) == refused(Code.INVITATION_REJECTED)
    assert isinstance(world.member("ada"), Removed)


def test_who_joins_by_another_invitation_needs_no_way_back(world: World):
    """One that came to an address which was nobody's yet."""
    ada = world.join(person(), ADMIN)
    gone = world.service.demote(world.olga, CONTEXT, organization=HOME, member=world.key("ada"))
    other = world.invite("work@example.org", role=MEMBER)
    world.save(person("ada", "ada@example.org", "work@example.org"))
    assert isinstance(world.accept(ada, other, world.token("work@example.org")), Joined)
    assert isinstance(gone, MemberGone)
    assert gone.invitation is not None
    assert isinstance(world.state(gone.invitation), Withdrawn)


def test_the_way_back_is_the_only_invitation_of_a_demoted_member(world: World):
    """An older invitation to their address would lead back to another role."""
    world.invite(role=ADMIN)
    world.join(person())
    world.service.demote(world.olga, CONTEXT, organization=HOME, member=world.key("ada"))
    pending = world.service.pending(world.olga, organization=HOME)
    assert isinstance(pending, InvitationList)
    assert [one.role for one in pending.invitations] == [MEMBER]
