"""The table of invitations: every row and edge, and the laws that hold over all of them."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts import membership as facts
from authflow.membership.answers import InvitationSent, Joined, RequirementsOpen
from authflow.membership.invitation import MACHINE, Accept, Command, Expire
from authflow.membership.issue import Approve, Invite, InviteBack, Reject, Request, RequestToJoin, Resend, Withdraw
from authflow.membership.offer import Absent, Accepted, Expired, Invitation, InviteStatus, Pending, Requested, Withdrawn
from authflow.membership.standing import MemberFlag
from authflow.membership.terms import Terms
from authflow.policy import ADMIN, MANAGER, OWNER
from authflow.testing import assert_complete
from authflow.testing.samples.invitation import (
    ACTORS,
    ALPHABET,
    BACK,
    BAD_TERMS,
    FRESH,
    LATE,
    LIMITED,
    PLACES,
    accept,
    invite,
    invite_back,
    request,
    request_to_join,
    resend,
)
from authflow.testing.samples.membership import (
    DIGEST,
    HOME,
    INVITATION,
    INVITED,
    NEW_MEMBER,
    NOW,
    POLICY,
    SECOND,
    TOKEN,
    accepted,
    authority,
    manager,
    member,
    offer,
    organization,
    pending,
    person,
    removed,
    requested,
    stale,
    standing,
    withdrawn,
)
from authflow.values import Refused, UserId, token_digest

EXPLORED = ALPHABET.walk()

MANAGERS = (Invite, Approve, Reject, Resend)


def test_the_whole_table_is_walked():
    assert_complete(MACHINE, EXPLORED)


def test_whatever_a_person_can_ask_is_answered_in_every_state():
    """What is illegal is what a service never asks: a new invitation where one stands, and looks at what is over."""
    newborn = {Invite, Request, RequestToJoin, InviteBack}
    illegal = EXPLORED.illegal_pairs()
    assert {command for _, command in illegal} == {*newborn, Expire}
    assert not any(state is Absent for state, command in illegal if command in newborn)


def test_nobody_without_a_managing_role_here_changes_anything_but_their_own_request():
    for step in EXPLORED.steps:
        if isinstance(step.command, MANAGERS) and step.target != step.state:
            actor = step.command.authority.actor
            assert getattr(actor.membership, "organization", None) == HOME
            assert getattr(actor.membership, "role", None) in POLICY.managing_roles


def test_a_refusal_changes_nothing_but_what_it_names():
    """Expired is stored, and a needless invitation deleted; every other refusal leaves the state as it was."""
    remembered = {Code.INVITATION_EXPIRED, Code.INVITATION_ALREADY_MEMBER}
    for step in EXPLORED.steps:
        if isinstance(step.answer, Refused) and step.target != step.state:
            assert isinstance(step.command, Accept)
            assert step.answer.code in remembered


def test_a_state_that_changed_was_never_silent_and_one_that_did_not_reports_no_change():
    quiet = {InviteBack}  # the member's own fact tells of it
    for step in EXPLORED.steps:
        if step.target != step.state and type(step.command) not in quiet:
            assert step.facts
        if step.target == step.state and not isinstance(step.command, Resend):
            assert all(isinstance(fact, facts.JoinRefused) for fact in step.facts)


def test_tokens_leave_in_mails_only_and_only_their_digest_stays():
    for step in EXPLORED.steps:
        assert "Secret" not in repr(step.target)
        mailed = [f for f in step.facts if isinstance(f, facts.MemberInvited | facts.InvitationResent)]
        assert all(token_digest(fact.token) == getattr(step.target, "token", None) for fact in mailed)
        assert FRESH not in attrs.asdict(step.answer, recurse=False).values()


def test_an_invitation_is_used_once():
    joined = [step for step in EXPLORED.steps if isinstance(step.answer, Joined)]
    assert joined
    assert all(isinstance(step.state, Pending) and isinstance(step.target, Accepted) for step in joined)
    assert not any(isinstance(step.state, Accepted) and step.target != step.state for step in EXPLORED.steps)


# --- inviting -------------------------------------------------------------------------------------------------------


def test_an_invitation_lives_thirty_days_and_its_token_goes_to_the_address_and_nowhere_else():
    step = MACHINE.step(Absent(), invite(), NOW)
    assert step.state == pending(offer=offer(teams=()), token=token_digest(FRESH))
    assert step.answer == InvitationSent(organization=HOME, invitation=INVITATION, expires_at=LATE)
    (told,) = step.facts
    assert isinstance(told, facts.MemberInvited)
    assert (told.recipients, told.token, told.expires_at, told.status) == ((INVITED,), FRESH, LATE, "approved")


REFUSED_INVITES: list[tuple[dict[str, Any], Code]] = [
    ({"by": authority(ACTORS["nobody"])}, Code.SESSION_REQUIRED),
    ({"by": authority(ACTORS["outsider"])}, Code.MEMBERSHIP_FORBIDDEN),
    ({"by": authority(ACTORS["foreign owner"])}, Code.MEMBERSHIP_FORBIDDEN),
    ({"by": authority(ACTORS["member"]), "allowance": LIMITED, "terms": BAD_TERMS}, Code.MEMBERSHIP_FORBIDDEN),
    ({"allowance": LIMITED, "terms": BAD_TERMS}, Code.INVITATION_RATE_LIMITED),
    ({"by": authority(place=PLACES["cannot invite"]), "terms": BAD_TERMS}, Code.INVITATION_INPUT_INVALID),
    ({"by": authority(manager(MANAGER), PLACES["cannot invite"])}, Code.INVITATION_CANNOT_INVITE),
    ({"by": authority(manager(MANAGER)), "terms": Terms(email=INVITED, role=OWNER)}, Code.ROLE_NOT_ALLOWED),
    ({"taken": True, "member": True}, Code.INVITATION_ALREADY_INVITED),
    ({"member": True}, Code.INVITATION_ALREADY_MEMBER),
]


@pytest.mark.parametrize(("given", "code"), REFUSED_INVITES)
def test_inviting_is_refused_in_this_order(given: dict[str, Any], code: Code):
    step = MACHINE.step(Absent(), invite(**given), NOW)
    assert isinstance(step.answer, Refused)
    assert (step.state, step.answer.code, step.facts) == (Absent(), code, ())


def test_a_refusal_says_what_cures_it():
    limited = MACHINE.step(Absent(), invite(allowance=LIMITED), NOW).answer
    malformed = MACHINE.step(Absent(), invite(terms=BAD_TERMS), NOW).answer
    assert limited == Refused(code=Code.INVITATION_RATE_LIMITED, retry_after=LIMITED.retry_after)
    assert malformed == Refused(code=Code.INVITATION_INPUT_INVALID, problems=BAD_TERMS.problems)


# --- asking ---------------------------------------------------------------------------------------------------------


def test_every_member_may_ask_for_somebody_and_for_any_role():
    owner = Terms(email=INVITED, role=OWNER)
    step = MACHINE.step(Absent(), request(authority(ACTORS["member"]), terms=owner), NOW)
    assert isinstance(step.state, Requested)
    assert (step.state.by, step.state.offer.origin) == (UserId("olga"), InviteStatus.REQUESTED_TO_BE_INVITED)


REFUSED_REQUESTS: list[tuple[Command, Code]] = [
    (request(authority(ACTORS["outsider"])), Code.MEMBERSHIP_FORBIDDEN),
    (request(allowance=LIMITED), Code.INVITATION_RATE_LIMITED),
    (request(terms=BAD_TERMS), Code.INVITATION_INPUT_INVALID),
    (request(authority(place=PLACES["cannot invite"])), Code.INVITATION_CANNOT_INVITE),
    (request(taken=True), Code.INVITATION_ALREADY_INVITED),
    (request(member=True), Code.INVITATION_ALREADY_MEMBER),
    (request_to_join(authority(ACTORS["nobody"])), Code.SESSION_REQUIRED),
    (request_to_join(authority(ACTORS["another provider"])), Code.SESSION_ELEVATION_REQUIRED),
    (request_to_join(authority(ACTORS["member"])), Code.INVITATION_ALREADY_MEMBER),
    (request_to_join(authority(ACTORS["unverified outsider"])), Code.ORGANIZATION_ADDRESS_UNVERIFIED),
    (request_to_join(authority(ACTORS["outsider"], PLACES["inactive"])), Code.ORGANIZATION_UNKNOWN),
    (request_to_join(authority(ACTORS["outsider"], PLACES["no requests"])), Code.INVITATION_JOIN_REQUESTS_DISABLED),
    (request_to_join(allowance=LIMITED), Code.INVITATION_RATE_LIMITED),
    (request_to_join(terms=BAD_TERMS), Code.INVITATION_INPUT_INVALID),
    (request_to_join(taken=True), Code.INVITATION_ALREADY_INVITED),
]


@pytest.mark.parametrize(("command", "code"), REFUSED_REQUESTS)
def test_asking_is_refused(command: Command, code: Code):
    step = MACHINE.step(Absent(), command, NOW)
    assert isinstance(step.answer, Refused)
    assert (step.state, step.answer.code, step.facts) == (Absent(), code, ())


def test_a_removed_member_may_ask_and_the_approval_is_newer_than_the_removal():
    gone = standing(person("eve"), removed("eve", at=NOW - SECOND))
    asked = MACHINE.step(Absent(), request_to_join(authority(gone)), NOW)
    approved = MACHINE.step(asked.state, Approve(authority=authority(), token=FRESH), NOW)
    assert isinstance(approved.state, Pending)
    assert approved.state.issued_at > NOW - SECOND


@pytest.mark.parametrize(
    ("state", "by", "code"),
    [
        (requested(), authority(ACTORS["member"]), Code.MEMBERSHIP_FORBIDDEN),
        (requested(), authority(ACTORS["foreign owner"]), Code.MEMBERSHIP_FORBIDDEN),
        (
            requested(),
            authority(place=organization(can_invite=False, join_requests=False)),
            Code.INVITATION_CANNOT_INVITE,
        ),
        (
            requested(role=OWNER),
            authority(manager(MANAGER), PLACES["no requests"]),
            Code.INVITATION_JOIN_REQUESTS_DISABLED,
        ),
        (requested(role=OWNER), authority(manager(MANAGER)), Code.ROLE_NOT_ALLOWED),
    ],
)
def test_approving_asks_in_the_order_of_the_specification(state: Requested, by: Any, code: Code):
    """Sso 13.1: may invite, takes requests to join, role within the approver's own."""
    step = MACHINE.step(state, Approve(authority=by, token=FRESH), NOW)
    assert step.answer == Refused(code=code)
    assert step.state == state


def test_a_member_s_request_is_approved_where_requests_to_join_are_closed():
    asked = requested(InviteStatus.REQUESTED_TO_BE_INVITED)
    step = MACHINE.step(asked, Approve(authority=authority(place=PLACES["no requests"]), token=FRESH), NOW)
    assert isinstance(step.state, Pending)
    assert step.state.sponsor == UserId("olga")


def test_whoever_asked_takes_it_back_even_from_outside():
    mine = authority(standing(person("ada")))
    step = MACHINE.step(requested(by="ada"), Withdraw(authority=mine), NOW)
    assert step.state == Absent()
    assert isinstance(step.facts[0], facts.InvitationRequestRemoved)
    other = MACHINE.step(requested(by="eve"), Withdraw(authority=mine), NOW)
    assert other.answer == Refused(code=Code.MEMBERSHIP_FORBIDDEN)


# --- resending and ending -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [pending(expires_at=NOW + SECOND), stale()])
def test_a_resend_makes_a_fresh_token_and_a_fresh_end(state: Invitation):
    step = MACHINE.step(state, resend(), NOW)
    assert step.state == pending(token=token_digest(FRESH))
    told = MACHINE.step(step.state, accept(), NOW)
    assert told.answer == Refused(code=Code.INVITATION_INVALID)
    assert isinstance(MACHINE.step(step.state, accept(presented=token_digest(FRESH)), NOW).answer, Joined)


def test_who_resends_stands_for_the_invitation():
    """An invitation whose inviter left is made good by whoever sends it again."""
    step = MACHINE.step(pending(sponsor=UserId("gone")), resend(authority(manager(MANAGER, "max"))), NOW)
    assert isinstance(step.state, Pending)
    assert step.state.sponsor == UserId("max")


def test_a_demoted_owner_s_way_back_is_resent_by_any_manager_and_stays_theirs():
    bound = pending(offer=offer(role=OWNER), bound_to=UserId("ada"), flags=MemberFlag.IDP_PROVISIONED)
    step = MACHINE.step(bound, resend(authority(manager(MANAGER))), NOW)
    assert isinstance(step.state, Pending)
    assert (step.state.bound_to, step.state.flags) == (UserId("ada"), MemberFlag.IDP_PROVISIONED)
    unbound = MACHINE.step(pending(offer=offer(role=OWNER)), resend(authority(manager(MANAGER))), NOW)
    assert unbound.answer == Refused(code=Code.ROLE_NOT_ALLOWED)


def test_a_bound_invitation_is_resent_by_nobody_who_does_not_manage():
    step = MACHINE.step(pending(bound_to=UserId("ada")), resend(authority(ACTORS["member"])), NOW)
    assert step.answer == Refused(code=Code.MEMBERSHIP_FORBIDDEN)


OVER: dict[type[Invitation], tuple[Invitation, Code]] = {
    Absent: (Absent(), Code.INVITATION_NOT_FOUND),
    Accepted: (accepted(), Code.INVITATION_USED),
    Withdrawn: (withdrawn(), Code.INVITATION_REJECTED),
}


@pytest.mark.parametrize(("state", "code"), OVER.values(), ids=lambda given: type(given).__name__)
@pytest.mark.parametrize(
    "command", [Approve(authority=authority(), token=FRESH), Reject(authority=authority()), resend()]
)
def test_the_second_tab_is_told_what_happened_meanwhile(state: Invitation, code: Code, command: Command):
    assert MACHINE.step(state, command, NOW).answer == Refused(code=code)


@pytest.mark.parametrize("actor", ["nobody", "outsider", "member", "foreign owner"])
def test_who_does_not_manage_is_not_told_what_became_of_an_invitation(actor: str):
    by = authority(ACTORS[actor])
    states = (Absent(), pending(), stale(), accepted(), withdrawn(), requested(by="ada"))
    told = [MACHINE.step(state, Withdraw(authority=by), NOW).answer for state in states]
    assert told[0] == Refused(code=Code.SESSION_REQUIRED if actor == "nobody" else Code.MEMBERSHIP_FORBIDDEN)
    assert all(answer == told[0] for answer in told)


# --- accepting ------------------------------------------------------------------------------------------------------


def test_role_and_teams_of_the_invitation_win():
    step = MACHINE.step(pending(offer=offer(role=ADMIN)), accept(), NOW)
    assert isinstance(step.answer, Joined)
    joined = step.answer.member
    assert (joined.role, joined.teams, joined.user, joined.id) == (ADMIN, ("red",), UserId("ada"), NEW_MEMBER)
    assert step.state == attrs.evolve(accepted(), offer=offer(role=ADMIN), member=NEW_MEMBER)


def test_open_requirements_keep_the_invitation_and_name_themselves():
    strict = accept(organization=organization(require_second_factor=True))
    step = MACHINE.step(pending(), strict, NOW)
    assert step.state == pending()
    assert step.facts == ()
    assert isinstance(step.answer, RequirementsOpen)
    assert (step.answer.organization, step.answer.invitation) == (HOME, INVITATION)


def test_expiry_is_stored_when_it_is_seen_and_never_lives_again():
    """Decision 35."""
    seen = MACHINE.step(pending(), accept(), LATE)
    assert isinstance(seen.state, Expired)
    again = MACHINE.step(seen.state, accept(), NOW)
    assert again.answer == Refused(code=Code.INVITATION_EXPIRED)


def test_a_needless_invitation_is_deleted_without_a_trace_and_only_if_it_names_a_verified_address():
    """Decision 14."""
    mine = MACHINE.step(pending(), accept(applicant=standing(person(), member())), NOW)
    assert (mine.state, mine.answer) == (Absent(), Refused(code=Code.INVITATION_ALREADY_MEMBER))
    assert [type(fact) for fact in mine.facts] == [facts.InvitationDiscarded]
    anybody = organization(invites_bound_to_address=False)
    other = standing(person("ada", "other@example.org"), member())
    kept = MACHINE.step(pending(), accept(applicant=other, organization=anybody), NOW)
    assert (kept.state, kept.answer, kept.facts) == (pending(), Refused(code=Code.INVITATION_ALREADY_MEMBER), ())
    unproven = standing(person(verified=False), member())
    assert MACHINE.step(pending(), accept(applicant=unproven), NOW).state == pending()


def test_the_organization_s_log_keeps_who_was_not_let_in_and_strangers_write_nothing_there():
    refused = [step for step in EXPLORED.steps if any(isinstance(f, facts.JoinRefused) for f in step.facts)]
    assert {step.facts[0].code for step in refused if isinstance(step.facts[0], facts.JoinRefused)} == {
        Code.INVITATION_WRONG_USER,
        Code.INVITATION_MEMBER_REMOVED,
    }
    strangers = [
        s for s in EXPLORED.steps if isinstance(s.command, Accept) and s.command.attempt.applicant.user is None
    ]
    assert all(step.facts == () or step.now == LATE for step in strangers)


def test_a_demoted_member_who_has_a_way_back_gets_a_fresh_token_for_it():
    bound = pending(bound_to=UserId("ada"))
    step = MACHINE.step(bound, invite_back(), NOW)
    assert step.state == pending(
        offer=BACK, token=token_digest(FRESH), bound_to=UserId("ada"), flags=MemberFlag.IDP_PROVISIONED
    )
    assert step.facts == ()


def test_digests_hide():
    assert repr(DIGEST) not in repr([step.target for step in EXPLORED.steps])
    assert TOKEN.reveal() not in repr(EXPLORED.steps)
