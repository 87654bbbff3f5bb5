"""Many at one invitation, and two at one row: exactly one wins, on every database; the losers get one typed answer."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts.records import Audit
from authflow.membership.answers import InvitationClosed, InvitationSent, Joined, MemberGone
from authflow.membership.offer import Accepted, Withdrawn
from authflow.membership.standing import Member, Outside
from authflow.policy import MEMBER, OWNER
from authflow.ports import Account, Stored
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.testing.samples.membership import HOME, person
from authflow.values import Refused, SessionId, UserId
from tests.membership.world import CONTEXT, World

if TYPE_CHECKING:
    from collections.abc import Iterator

USED = Refused(code=Code.INVITATION_USED)
ALREADY = Refused(code=Code.INVITATION_ALREADY_MEMBER)


@pytest.fixture
def world(uow: Any) -> World:
    return World(uow)


def test_sixteen_people_with_one_link_make_one_member(world: World):
    """Check-then-act let 10 to 16 of 16 through; the conditional update lets one."""
    world.change(invites_bound_to_address=False)
    people = [world.known(person(f"p{n:02}")) for n in range(THREADS)]
    invitation = world.invite()
    token = world.token()
    told = at_once(lambda n: world.accept(people[n], invitation, token))
    winner = [n for n, answer in enumerate(told) if isinstance(answer, Joined)]
    assert len(winner) == 1
    assert [answer for answer in told if not isinstance(answer, Joined)] == [USED] * (THREADS - 1)
    assert world.members() == {"olga": OWNER, f"p{winner[0]:02}": MEMBER}
    assert [entry.event for entry in world.audit()].count(Audit.MEMBER_ACCEPT) == 1
    after = world.state(invitation)
    assert isinstance(after, Accepted)
    assert after.by == f"p{winner[0]:02}"


def test_one_person_who_clicks_sixteen_times_joins_once(world: World):
    ada = world.known(person())
    invitation = world.invite()
    token = world.token()
    told = at_once(lambda n: world.accept(attrs.evolve(ada, session=SessionId(f"tab{n}")), invitation, token))
    assert sum(isinstance(answer, Joined) for answer in told) == 1
    assert [answer for answer in told if not isinstance(answer, Joined)] == [ALREADY] * (THREADS - 1)
    assert [entry.event for entry in world.audit()].count(Audit.MEMBER_ACCEPT) == 1


def test_one_person_with_two_invitations_joins_once(world: World):
    ada = world.known(person("ada", "ada@example.org", "work@example.org"))
    first, second = world.invite(), world.invite("work@example.org")
    told = at_once(lambda n: world.accept(ada, (first, second)[n % 2], None))
    assert sum(isinstance(answer, Joined) for answer in told) == 1
    lost = {answer.code for answer in told if isinstance(answer, Refused)}
    assert lost <= {Code.INVITATION_ALREADY_MEMBER, Code.INVITATION_INVALID}
    assert list(world.members()).count("ada") == 1


def test_accepting_and_withdrawing_at_once_ends_one_way(world: World):
    ada, invitation = world.known(person()), world.invite()
    token = world.token()

    def act(number: int) -> Any:
        if number:
            return world.accept(ada, invitation, token)
        return world.service.withdraw(world.olga, CONTEXT, organization=HOME, invitation=invitation)

    closed, joined = at_once(act, threads=2)
    assert isinstance(closed, InvitationClosed) != isinstance(joined, Joined)
    assert isinstance(world.member("ada"), Member) == isinstance(joined, Joined)
    assert isinstance(world.state(invitation), Accepted if isinstance(joined, Joined) else Withdrawn)


def test_accepting_and_resending_at_once_never_uses_a_dead_token(world: World):
    ada, invitation = world.known(person()), world.invite()
    token = world.token()

    def act(number: int) -> Any:
        if number:
            return world.accept(ada, invitation, token)
        return world.service.resend(world.olga, CONTEXT, organization=HOME, invitation=invitation)

    resent, joined = at_once(act, threads=2)
    if isinstance(resent, InvitationSent):
        assert isinstance(joined, Refused)
        assert world.member("ada") == Outside()
        assert isinstance(world.accept(ada, invitation, world.token()), Joined)
    else:
        assert isinstance(joined, Joined)


def test_accepting_and_being_removed_never_leave_half_a_membership(world: World):
    ada = world.join(person())
    keys = world.key("ada")
    world.clock.advance(timedelta(seconds=1))
    invitation = world.invite("later@example.org")
    world.save(person("ada", "ada@example.org", "later@example.org"))

    def act(number: int) -> Any:
        if number:
            return world.accept(ada, invitation, None)
        return world.service.remove(world.olga, CONTEXT, organization=HOME, member=keys)

    gone, joined = at_once(act, threads=2)
    assert isinstance(gone, MemberGone)
    assert isinstance(joined, Refused)
    assert joined.code in {  # before the removal, after it (which voided the invitation), or too late to be younger
        Code.INVITATION_ALREADY_MEMBER,
        Code.INVITATION_REJECTED,
        Code.INVITATION_MEMBER_REMOVED,
    }


# --- stores without our locks ---------------------------------------------------------------------------------------


class Lockless:
    """A host's account store that locks nobody: what is left then is the constraint and the compare-and-set."""

    def lock(self, user: UserId) -> Account:
        return Account(user=user, epoch=1)


class Lagging:
    """Members as somebody reads them who comes too late: whoever joined a moment ago is not seen yet."""

    def __init__(self, members: Any) -> None:
        self._members = members

    def __getattr__(self, name: str) -> Any:
        return getattr(self._members, name)

    def load(self, organization: Any, user: UserId) -> Any:
        found = self._members.load(organization, user)
        return Stored(Outside(), 0) if user == "ada" else found


class Weak:
    """A unit of work whose transactions are weaker than ours in one way."""

    def __init__(self, uow: Any, weaken: Any) -> None:
        self._uow, self._weaken = uow, weaken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    @contextmanager
    def begin(self) -> Iterator[Any]:
        with self._uow.begin() as tx:
            self._weaken(tx)
            yield tx


def lockless(tx: Any) -> None:
    tx.accounts = Lockless()


def lagging(tx: Any) -> None:
    tx.members = Lagging(tx.members)


def test_without_account_locks_the_constraints_still_let_one_membership_stand(world: World):
    ada, invitation = world.known(person()), world.invite()
    token = world.token()
    service = attrs.evolve(world.service, uow=Weak(world.uow, lockless))

    def act(number: int) -> Any:
        if number % 2:
            return service.accept(ada, CONTEXT, organization=HOME, invitation=invitation, token=token)
        return service.add(ada, CONTEXT, organization=HOME, user=UserId("ada"))

    told = at_once(act)
    refused = {answer.code for answer in told if isinstance(answer, Refused)}
    assert refused <= {Code.INVITATION_ALREADY_MEMBER, Code.INVITATION_USED, Code.INVITATION_INVALID}
    assert isinstance(world.member("ada"), Member)
    joined = [e for e in world.audit() if e.target_user == "ada" and e.event in {Audit.MEMBER_ACCEPT, Audit.MEMBER_ADD}]
    assert len(joined) == 1


def test_a_membership_that_was_not_seen_in_time_is_told_by_the_constraint(world: World):
    """The invitation is not used up by whoever was a member already: both writes are undone together."""
    ada = world.join(person())
    invitation = world.invite("work@example.org")
    world.save(person("ada", "ada@example.org", "work@example.org"))
    before, logged = world.state(invitation), len(world.audit())
    service = attrs.evolve(world.service, uow=Weak(world.uow, lagging))
    answer = service.accept(ada, CONTEXT, organization=HOME, invitation=invitation, token=None)
    assert answer == ALREADY
    assert (world.state(invitation), len(world.audit())) == (before, logged)
    assert world.members()["ada"] == MEMBER
