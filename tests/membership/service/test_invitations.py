"""Inviting, asking, approving, resending, withdrawing: what is mailed, logged, counted and refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from authflow.errors import Code, UniqueViolated
from authflow.facts.records import Audit, Category, MailKind, Signal
from authflow.membership.answers import (
    InvitationClosed,
    InvitationList,
    InvitationSent,
    Joined,
    MemberGone,
    RequestFiled,
)
from authflow.membership.offer import Absent, Expired, InviteStatus, Pending, Requested, Withdrawn
from authflow.membership.standing import Outside, Removed
from authflow.policy import ADMIN, MANAGER, MEMBER, OWNER, MembershipPolicy
from authflow.ports import Sso
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.testing.samples.membership import ELSEWHERE, HOME, SECOND, asker, entered, organization, person
from authflow.values import Budget, InvitationId, Level, Refused, UserId
from tests.membership.world import CONTEXT, World

DAY = timedelta(days=1)


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


# --- inviting -------------------------------------------------------------------------------------------------------


def test_inviting_mails_the_address_signals_and_is_logged(world: World):
    invitation = world.invite("Ada@Example.org", role=ADMIN, teams=["red"])
    entry = world.audit()[-1]
    assert (entry.event, entry.actor, entry.target) == (Audit.MEMBER_INVITE, "olga", invitation)
    assert (entry.data["email"], entry.data["role"], entry.data["teams"]) == ("Ada@Example.org", "admin", "red")
    signals = [payload for category, payload in world.messages() if category == Category.SIGNAL]
    assert signals[-1] == {"signal": Signal.MEMBER_INVITED, "arg.invitation_id": invitation}
    assert [mail["to"] for mail in world.mails(MailKind.INVITATION)] == ["Ada@Example.org"]


def test_a_token_has_256_bits_and_lives_thirty_days(world: World):
    answer = world.service.invite(world.olga, CONTEXT, organization=HOME, email="ada@example.org")
    assert isinstance(answer, InvitationSent)
    assert answer.expires_at == world.clock.now() + 30 * DAY
    assert len(bytes.fromhex(world.token().reveal())) == 32


def test_the_default_role_is_the_organization_s(world: World):
    world.change(default_role=ADMIN)
    assert world.state(world.invite()).offer.role == ADMIN


def test_an_address_is_invited_once_whatever_its_letter_case(anywhere: World):
    anywhere.invite()
    again = anywhere.service.invite(anywhere.olga, CONTEXT, organization=HOME, email="ADA@EXAMPLE.ORG")
    assert again == refused(Code.INVITATION_ALREADY_INVITED)
    assert isinstance(anywhere.state(anywhere.invite("ad\u0430@example.org")), Pending)


def test_who_holds_a_way_back_under_the_address_is_not_invited_beside_it(anywhere: World):
    """The way back is bound to the person and has another key; it waits for the same mailbox all the same."""
    anywhere.join(person("ada", "ada@example.org", "work@example.org"))
    member = anywhere.key("ada")
    anywhere.service.demote(anywhere.olga, CONTEXT, organization=HOME, member=member)
    for email in ("Ada@example.org", "work@example.org"):
        for ask in (anywhere.service.invite, anywhere.service.request_invite):
            again = ask(anywhere.olga, CONTEXT, organization=HOME, email=email)
            assert again == refused(Code.INVITATION_ALREADY_INVITED)
    anywhere.clock.advance(30 * DAY)
    assert isinstance(anywhere.state(anywhere.invite("work@example.org")), Pending)


def test_a_way_back_bars_nobody_who_merely_claims_the_address(world: World):
    """An address that is not verified is nobody's (decision 19)."""
    world.join(person(verified=False))
    world.service.demote(world.olga, CONTEXT, organization=HOME, member=world.key("ada"))
    assert isinstance(world.state(world.invite()), Pending)


def test_many_at_once_invite_an_address_once(anywhere: World):
    """Different managers: not even their budgets put them in one row."""
    managers = [anywhere.join(person(f"m{number}"), MANAGER) for number in range(THREADS)]

    def invite(number: int) -> Any:
        return anywhere.service.invite(managers[number], CONTEXT, organization=HOME, email="ada@example.org")

    told = at_once(invite)
    assert sum(isinstance(answer, InvitationSent) for answer in told) == 1
    assert told.count(refused(Code.INVITATION_ALREADY_INVITED)) == THREADS - 1
    assert len(anywhere.mails(MailKind.INVITATION)) == 1


class Stuck:
    """Randomness that always gives the same bytes: a broken installation."""

    def random_bytes(self, count: int) -> bytes:
        return b"\x07" * count


def test_identifiers_that_repeat_are_a_bug_and_no_answer(world: World):
    service = attrs.evolve(world.service, entropy=Stuck())
    service.invite(world.olga, CONTEXT, organization=HOME, email="a@x")
    with pytest.raises(UniqueViolated) as violated:
        service.invite(world.olga, CONTEXT, organization=HOME, email="b@x")
    assert violated.value.rule == "primary_key"


def test_an_expired_invitation_makes_room_for_a_new_one(anywhere: World):
    old = anywhere.invite()
    anywhere.clock.advance(30 * DAY)
    new = anywhere.invite()
    assert isinstance(anywhere.state(old), Expired)
    assert isinstance(anywhere.state(new), Pending)
    assert events(anywhere)[-2:] == [Audit.INVITE_REMOVE, Audit.MEMBER_INVITE]


def test_nobody_who_may_not_invite_makes_an_old_invitation_expire(world: World):
    """What a stranger asks for is refused before anything is stored or logged in their name."""
    old = world.invite()
    world.clock.advance(30 * DAY)
    ada, before = world.join(person()), events(world)
    answer = world.service.invite(ada, CONTEXT, organization=HOME, email="ada@example.org")
    assert answer == refused(Code.MEMBERSHIP_FORBIDDEN)
    assert isinstance(world.state(old), Pending)
    assert events(world) == [*before]


def test_who_is_a_member_is_not_invited(world: World):
    world.join(person("ada", "ada@example.org", "work@example.org"))
    world.known(person("eve", "eve@example.org", verified=False))
    answer = world.service.invite(world.olga, CONTEXT, organization=HOME, email="WORK@example.org")
    assert answer == refused(Code.INVITATION_ALREADY_MEMBER)
    assert isinstance(world.state(world.invite("eve@example.org")), Pending)


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@example.org\r\nBcc: eve@x", ["ada@example.org"], None, "a@" + "b" * 300]
)
def test_a_malformed_address_is_a_refusal_that_names_the_field(anywhere: World, email: Any):
    answer = anywhere.service.invite(anywhere.olga, CONTEXT, organization=HOME, email=email)
    assert isinstance(answer, Refused)
    assert (answer.code, set(answer.problems)) == (Code.INVITATION_INPUT_INVALID, {"email"})


def test_invitations_are_budgeted_per_person_and_the_refused_one_is_not_counted(memory_uow: Any):
    budget = Budget(name="membership.invitations", limit=2, window=timedelta(hours=1))
    world = World(memory_uow, MembershipPolicy(invitations=budget))
    first = world.invite("a@x")
    world.invite("b@x")
    limited = world.service.invite(world.olga, CONTEXT, organization=HOME, email="c@x")
    resent = world.service.resend(world.olga, CONTEXT, organization=HOME, invitation=first)
    assert limited == resent == Refused(code=Code.INVITATION_RATE_LIMITED, retry_after=timedelta(hours=1))
    other = world.join(person("max"), MANAGER)
    world.invite("c@x", by=other)
    world.clock.advance(timedelta(hours=1))
    world.invite("d@x")


def test_invites_are_allowed_where_sso_is_required(world: World):
    """Sso 13.1: allowed; acceptance goes through SSO."""
    world.sso.answer = attrs.evolve(world.sso.answer, required=True, linked=True, marked=True)
    assert isinstance(world.state(world.invite()), Pending)


# --- asking and approving -------------------------------------------------------------------------------------------


def test_a_join_request_is_approved_and_accepted_without_a_link(anywhere: World):
    """The complaint behind sso 20: an approved request led to an endless redirect."""
    ada = anywhere.known(person())
    asked = anywhere.ask(ada)
    assert isinstance(anywhere.state(asked), Requested)
    assert anywhere.accept(ada, asked, None) == refused(Code.INVITATION_NOT_APPROVED)
    approved = anywhere.service.approve(anywhere.olga, CONTEXT, organization=HOME, invitation=asked)
    assert isinstance(approved, InvitationSent)
    assert anywhere.state(asked).sponsor == "olga"
    assert isinstance(anywhere.accept(ada, asked, None), Joined)
    assert events(anywhere)[-3:] == [Audit.INVITE_REQUEST_ADD, Audit.MEMBER_INVITE, Audit.MEMBER_ACCEPT]


def test_a_member_asks_for_somebody_and_the_approver_decides_about_the_role(world: World):
    bob = world.join(person("bob"))
    answer = world.service.request_invite(bob, CONTEXT, organization=HOME, email="ada@example.org", role=OWNER)
    assert isinstance(answer, RequestFiled)
    assert world.mails() == []
    max_ = world.join(person("max"), MANAGER)
    approve = {"organization": HOME, "invitation": answer.invitation}
    assert world.service.approve(max_, CONTEXT, **approve) == refused(Code.ROLE_NOT_ALLOWED)
    assert isinstance(world.service.approve(world.olga, CONTEXT, **approve), InvitationSent)


def test_a_rejected_request_is_gone_and_logged(anywhere: World):
    asked = anywhere.ask(anywhere.known(person()))
    reject = {"organization": HOME, "invitation": asked}
    assert isinstance(anywhere.service.reject(anywhere.olga, CONTEXT, **reject), InvitationClosed)
    assert anywhere.state(asked) == Absent()
    assert anywhere.audit()[-1].event is Audit.INVITE_REQUEST_REMOVE
    assert anywhere.audit()[-1].data["status"] == "requested_to_join"
    assert anywhere.service.reject(anywhere.olga, CONTEXT, **reject) == refused(Code.INVITATION_NOT_FOUND)


def test_one_request_per_address_and_none_beside_an_invitation(world: World):
    ada = world.known(person())
    world.ask(ada)
    taken = refused(Code.INVITATION_ALREADY_INVITED)
    assert world.service.request_join(ada, CONTEXT, organization=HOME) == taken
    assert world.service.invite(world.olga, CONTEXT, organization=HOME, email="ada@example.org") == taken


def test_asking_to_join_needs_a_verified_primary_address(world: World):
    fresh = world.known(person(verified=False))
    homeless = world.known(attrs.evolve(person("eve"), addresses=()))
    for who in (fresh, homeless):
        answer = world.service.request_join(who, CONTEXT, organization=HOME)
        assert answer == refused(Code.ORGANIZATION_ADDRESS_UNVERIFIED)
    assert world.service.request_join(asker(None), CONTEXT, organization=HOME) == refused(Code.SESSION_REQUIRED)


def test_closed_organizations_take_no_requests(world: World):
    ada = world.known(person())
    world.change(join_requests=False)
    assert world.service.request_join(ada, CONTEXT, organization=HOME) == refused(
        Code.INVITATION_JOIN_REQUESTS_DISABLED
    )
    world.change(join_requests=True)
    asked = world.ask(ada)
    world.change(join_requests=False)
    approve = {"organization": HOME, "invitation": asked}
    assert world.service.approve(world.olga, CONTEXT, **approve) == refused(Code.INVITATION_JOIN_REQUESTS_DISABLED)


# --- resending and withdrawing --------------------------------------------------------------------------------------


def test_a_resend_kills_the_old_token_and_extends(anywhere: World):
    """The complaint behind sso 20: an expired invitation stayed expired."""
    invitation, ada = anywhere.invite(), anywhere.known(person())
    old = anywhere.token()
    anywhere.clock.advance(30 * DAY)
    assert anywhere.accept(ada, invitation, old) == refused(Code.INVITATION_EXPIRED)
    sent = anywhere.service.resend(anywhere.olga, CONTEXT, organization=HOME, invitation=invitation)
    assert isinstance(sent, InvitationSent)
    assert sent.expires_at == anywhere.clock.now() + 30 * DAY
    assert anywhere.accept(ada, invitation, old) == refused(Code.INVITATION_INVALID)
    assert isinstance(anywhere.accept(ada, invitation, anywhere.token()), Joined)


def test_an_expired_invitation_does_not_come_back_beside_a_newer_one(anywhere: World):
    old = anywhere.invite()
    anywhere.clock.advance(30 * DAY)
    anywhere.invite()
    resend = anywhere.service.resend(anywhere.olga, CONTEXT, organization=HOME, invitation=old)
    assert resend == refused(Code.INVITATION_ALREADY_INVITED)


def test_neither_a_way_back_nor_an_invitation_comes_back_beside_the_other(anywhere: World):
    anywhere.join(person())
    gone = anywhere.service.demote(anywhere.olga, CONTEXT, organization=HOME, member=anywhere.key("ada"))
    assert isinstance(gone, MemberGone)
    assert gone.invitation is not None
    anywhere.clock.advance(30 * DAY)
    newer = anywhere.invite()
    resend = anywhere.service.resend(anywhere.olga, CONTEXT, organization=HOME, invitation=gone.invitation)
    assert resend == refused(Code.INVITATION_ALREADY_INVITED)
    anywhere.clock.advance(30 * DAY)
    anywhere.service.accept(asker(person()), CONTEXT, organization=HOME, invitation=newer, token=anywhere.token())
    assert isinstance(anywhere.state(newer), Expired)
    back = anywhere.service.resend(anywhere.olga, CONTEXT, organization=HOME, invitation=gone.invitation)
    assert isinstance(back, InvitationSent)
    resend = anywhere.service.resend(anywhere.olga, CONTEXT, organization=HOME, invitation=newer)
    assert resend == refused(Code.INVITATION_ALREADY_INVITED)


def test_a_withdrawn_invitation_tells_its_holder_so(world: World):
    invitation, ada = world.invite(), world.known(person())
    token = world.token()
    closed = world.service.withdraw(world.olga, CONTEXT, organization=HOME, invitation=invitation)
    assert isinstance(closed, InvitationClosed)
    assert isinstance(world.state(invitation), Withdrawn)
    assert world.accept(ada, invitation, token) == refused(Code.INVITATION_REJECTED)
    assert (world.audit()[-1].event, world.audit()[-1].data["reason"]) == (Audit.INVITE_REMOVE, "withdrawn")
    assert isinstance(world.state(world.invite()), Pending)


def test_withdrawing_a_demoted_member_s_way_back_removes_the_person(anywhere: World):
    """Otherwise the removal would not be remembered (decision 15)."""
    ada = anywhere.join(person())
    gone = anywhere.service.demote(anywhere.olga, CONTEXT, organization=HOME, member=anywhere.key("ada"))
    assert anywhere.member("ada") == Outside()
    way_back = getattr(gone, "invitation", InvitationId(""))
    anywhere.service.withdraw(anywhere.olga, CONTEXT, organization=HOME, invitation=way_back)
    assert isinstance(anywhere.member("ada"), Removed)
    assert anywhere.service.add(ada, CONTEXT, organization=HOME, user=UserId("ada")) == refused(
        Code.INVITATION_MEMBER_REMOVED
    )


@pytest.mark.parametrize("command", ["approve", "reject", "withdraw", "resend"])
def test_an_unknown_invitation_is_not_found(anywhere: World, command: str):
    for key in ("nothing", "", "a\x00b", "x" * 65):
        act = getattr(anywhere.service, command)
        assert act(anywhere.olga, CONTEXT, organization=HOME, invitation=InvitationId(key)) == refused(
            Code.INVITATION_NOT_FOUND
        )


def test_two_managers_at_once_decide_one_request_once(anywhere: World):
    asked = anywhere.ask(anywhere.known(person()))

    def approve(_: int) -> Any:
        return anywhere.service.approve(anywhere.olga, CONTEXT, organization=HOME, invitation=asked)

    told = at_once(approve)
    assert sum(isinstance(answer, InvitationSent) for answer in told) == 1
    assert told.count(refused(Code.INVITATION_ALREADY_INVITED)) == THREADS - 1
    assert len(anywhere.mails(MailKind.INVITATION)) == 1


# --- lists ----------------------------------------------------------------------------------------------------------


def test_managers_list_what_waits_in_pages_and_without_secrets(anywhere: World):
    wanted = {anywhere.invite("a@x"), anywhere.invite("b@x"), anywhere.ask(anywhere.known(person()))}
    first = anywhere.service.pending(anywhere.olga, organization=HOME, limit=2)
    assert isinstance(first, InvitationList)
    rest = anywhere.service.pending(anywhere.olga, organization=HOME, limit=2, after=first.invitations[-1].id)
    assert isinstance(rest, InvitationList)
    listed = [*first.invitations, *rest.invitations]
    assert {one.id for one in listed} == wanted
    assert {one.status for one in listed} == {InviteStatus.APPROVED, InviteStatus.REQUESTED_TO_JOIN}
    assert anywhere.token("a@x").reveal() not in repr(listed)


def test_a_person_lists_what_waits_for_them_everywhere(anywhere: World):
    anywhere.put(organization(ELSEWHERE))
    boss = anywhere.join(person("boss"), OWNER, ELSEWHERE)
    ada = anywhere.known(person("ada", "ada@example.org", "work@example.org"))
    here = anywhere.invite("ADA@example.org")
    there = anywhere.service.invite(boss, CONTEXT, organization=ELSEWHERE, email="work@example.org")
    anywhere.invite("eve@example.org")
    assert isinstance(there, InvitationSent)
    assert {one.id for one in anywhere.service.mine(ada).invitations} == {here, there.invitation}
    foreign = attrs.evolve(ada, level=Level.NONE, marks=(entered(ELSEWHERE),))
    assert anywhere.service.mine(foreign).invitations == (), "what they came by stands no more"
    anywhere.sso.answer = Sso(linked=True, marked=True)
    assert {one.id for one in anywhere.service.mine(foreign).invitations} == {there.invitation}
    assert anywhere.service.mine(asker(None)).invitations == ()


def test_nothing_waits_for_an_unverified_address(world: World):
    world.invite("eve@example.org")
    eve = world.known(person("eve", verified=False))
    assert world.service.mine(eve).invitations == ()


def test_a_demoted_member_finds_their_way_back(world: World):
    ada = world.join(person(verified=False))
    world.service.demote(world.olga, CONTEXT, organization=HOME, member=world.key("ada"))
    (back,) = world.service.mine(ada).invitations
    assert isinstance(world.accept(ada, back.id, None), Joined)


def test_nobody_but_managers_lists_what_waits(world: World):
    world.invite("a@x")
    bob = world.join(person("bob"), MEMBER)
    assert world.service.pending(bob, organization=HOME) == refused(Code.MEMBERSHIP_FORBIDDEN)
    assert world.clock.advance(SECOND) > world.clock.now() - 2 * SECOND
