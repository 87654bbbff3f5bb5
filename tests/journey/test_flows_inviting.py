"""Invitations through the facade: who joins, who waits for what, and how a detour goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import (
    Arrived,
    Code,
    Detour,
    Enrolled,
    InvitationFate,
    InvitationOutcome,
    InvitationView,
    Joined,
    Refused,
    Requirement,
    RequirementsOpen,
    SecondFactorOwed,
    Secret,
)
from authflow.membership.standing import Member, Outside, Removed
from authflow.ports import Sso
from authflow.testing.browsers import Browser
from authflow.values import NOBODY, ProviderId
from tests.stage import CONTEXT, STEP, Letter

if TYPE_CHECKING:
    from authflow.values import OrganizationId
    from tests.stage import Person, Stage

INSTANT = timedelta(microseconds=1)


@pytest.fixture
def acme(stage: Stage) -> OrganizationId:
    """An organization that requires a second factor."""
    return stage.organization(require_second_factor=True)


@pytest.fixture
def olga(stage: Stage, acme: OrganizationId) -> Person:
    """Its owner."""
    return stage.owner(acme)


@pytest.fixture
def letter(stage: Stage, acme: OrganizationId, olga: Person) -> Letter:
    """An invitation for Ada."""
    return stage.invite(olga, acme, "ada@example.com")


@pytest.fixture
def ada(stage: Stage) -> Person:
    """Who is invited."""
    return stage.person()


def without_session(answer: Any) -> Any:
    return attrs.evolve(answer, session=NOBODY)


# --- looking ----------------------------------------------------------------------------------------------------------


def test_looking_changes_nothing_and_says_everything(stage: Stage, letter: Letter, ada: Person):
    stranger = Browser(CONTEXT)
    with stage.writes():
        view = stranger.ask(stage.flows.invitations.look, **letter.where())
    assert stranger.session == NOBODY, "a link scanner gets no session"
    assert without_session(view) == InvitationView(
        organization=letter.organization,
        slug="acme",
        name="acme",
        role="member",
        needs_authentication=True,
        needs_sso=False,
        require_sso=False,
        existing_member=False,
        sso_provider=None,
        needs_second_factor=True,
        needs_verified_address=False,
        wrong_user=False,
    )
    stage.sign_in(ada)
    with stage.writes():
        view = ada.browser.ask(stage.flows.invitations.look, **letter.where())
    assert (view.needs_authentication, view.needs_second_factor, view.wrong_user) == (False, True, False)


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "n" * 10_000, "\uff10" * 64, "\x00", "\ud800"])
def test_a_wrong_token_tells_nothing(stage: Stage, letter: Letter, token: str):
    forged = attrs.evolve(letter, token=Secret(token))
    with stage.writes():
        refused = Browser(CONTEXT).ask(stage.flows.invitations.look, **forged.where())
    assert without_session(refused) == Refused(code=Code.INVITATION_INVALID)


# --- one click --------------------------------------------------------------------------------------------------------


def test_who_meets_everything_joins_at_once(stage: Stage, letter: Letter, ada: Person):
    stage.sign_in(ada)
    stage.enroll(ada)
    answer = stage.accept(ada, letter)
    assert isinstance(answer, Joined)
    assert answer.member == stage.member(ada.user, letter.organization)
    with stage.writes():
        again = stage.accept(ada, letter)
    assert again.code is Code.INVITATION_ALREADY_MEMBER
    assert stage.audited_in(letter.organization) == ["member_add", "member_invite", "member_accept"]


def test_a_stranger_gets_a_session_in_which_the_click_waits(stage: Stage, letter: Letter):
    browser = Browser(CONTEXT)
    with stage.writes("session", "consent"):
        answer = browser.ask(stage.flows.invitations.accept, CONTEXT, **letter.where())
    assert isinstance(answer, RequirementsOpen)
    assert answer.requirements == {Requirement.SIGN_IN, Requirement.SECOND_FACTOR}
    assert (answer.consent, answer.session.renew) == (True, True)
    before = browser.session
    browser.ask(stage.flows.invitations.accept, CONTEXT, **letter.where())
    assert browser.session == before, "the second click finds the first one's session"


def test_clicking_without_a_token_needs_the_verified_address(stage: Stage, letter: Letter, ada: Person):
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    with stage.writes():
        assert stage.accept(bob, letter, token=None).code is Code.INVITATION_INVALID
    stage.sign_in(ada)
    stage.enroll(ada)
    assert isinstance(stage.accept(ada, letter, token=None), Joined)


def test_another_account_is_told_to_switch(stage: Stage, letter: Letter, ada: Person):
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    stage.enroll(bob)
    assert stage.accept(bob, letter).code is Code.INVITATION_WRONG_USER
    assert bob.browser.ask(stage.flows.invitations.look, **letter.where()).wrong_user
    stage.sign_in(ada)
    stage.enroll(ada)
    assert isinstance(stage.accept(ada, letter), Joined)
    assert isinstance(stage.member(bob.user, letter.organization), Outside)


def test_an_organization_may_opt_out_of_the_address(stage: Stage, letter: Letter):
    stage.change(letter.organization, invites_bound_to_address=False)
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    stage.enroll(bob)
    assert isinstance(stage.accept(bob, letter), Joined)


def test_the_page_names_who_joins(stage: Stage, letter: Letter, ada: Person):
    stage.sign_in(ada)
    assert stage.accept(ada, letter, user="bob@example.com").code is Code.INVITATION_WRONG_USER
    assert isinstance(stage.accept(ada, letter, user=ada.user), RequirementsOpen)


def test_who_is_a_member_already_deletes_their_own_invitation_only(stage: Stage, olga: Person, letter: Letter):
    ada, bob = stage.person(), stage.person("bob@example.com")
    for person in (ada, bob):
        stage.flows.members.add(CONTEXT, organization=letter.organization, user=person.user)
        stage.sign_in(person)
    assert stage.accept(bob, letter).code is Code.INVITATION_WRONG_USER
    with stage.writes("invitation"):
        answer = stage.accept(ada, letter)
    assert answer.code is Code.INVITATION_ALREADY_MEMBER
    pending = olga.browser.ask(stage.flows.invitations.pending, organization=letter.organization)
    assert pending.invitations == ()
    assert isinstance(stage.member(ada.user, letter.organization), Member)


@pytest.mark.parametrize("by", ["token", "id"])
def test_an_invitation_opens_its_own_organization_only(stage: Stage, letter: Letter, ada: Person, by: str):
    globex = stage.organization("globex")
    gloria = stage.owner(globex, "gloria@example.com")
    theirs = stage.invite(gloria, globex, ada.user, role="owner")
    mixed = {"token": attrs.evolve(letter, token=theirs.token), "id": attrs.evolve(theirs, organization="acme")}[by]
    stage.sign_in(ada)
    stage.enroll(ada)
    with stage.writes():
        assert stage.accept(ada, mixed).code is Code.INVITATION_INVALID
    assert isinstance(stage.member(ada.user, letter.organization), Outside)
    assert isinstance(stage.member(ada.user, globex), Outside)


@pytest.mark.parametrize("call", ["approve", "reject", "withdraw", "resend"])
def test_managers_reach_the_invitations_of_their_own_organization_only(stage: Stage, letter: Letter, call: str):
    globex = stage.organization("globex")
    gloria = stage.owner(globex, "gloria@example.com")
    command = getattr(stage.flows.invitations, call)
    given = {"invitation": letter.invitation}
    allowed = ("limit",) if call == "resend" else ()
    with stage.writes(*allowed):
        theirs = gloria.browser.ask(command, CONTEXT, organization=globex, **given)
    with stage.writes(*allowed):
        ours = gloria.browser.ask(command, CONTEXT, organization=letter.organization, **given)
    assert (theirs.code, ours.code) == (Code.INVITATION_NOT_FOUND, Code.MEMBERSHIP_FORBIDDEN)


def test_an_expired_invitation_is_stored_so_and_stays_so(stage: Stage, letter: Letter, ada: Person):
    start = stage.clock.now()
    stage.clock.advance(timedelta(days=30))
    stage.sign_in(ada)
    with stage.writes("invitation", "audit", "outbox"):
        assert stage.accept(ada, letter).code is Code.INVITATION_EXPIRED
    stage.clock.set(start)
    assert stage.accept(ada, letter).code is Code.INVITATION_EXPIRED


def test_a_withdrawn_one_says_so_to_its_holder(stage: Stage, olga: Person, letter: Letter, ada: Person):
    olga.browser.ask(
        stage.flows.invitations.withdraw, CONTEXT, organization=letter.organization, invitation=letter.invitation
    )
    stage.sign_in(ada)
    with stage.writes():
        assert stage.accept(ada, letter).code is Code.INVITATION_REJECTED


def test_a_removed_member_does_not_walk_back_in(stage: Stage, olga: Person, letter: Letter, ada: Person):
    stage.sign_in(ada)
    stage.enroll(ada)
    member = stage.accept(ada, letter).member
    earlier = stage.invite(olga, letter.organization, "ada@work.example")
    stage.clock.advance(seconds=1)
    olga.browser.ask(stage.flows.members.remove, CONTEXT, organization=letter.organization, member=member.id)
    assert isinstance(stage.member(ada.user, letter.organization), Removed)
    stage.give_address(ada.user, "ada@work.example")
    with stage.writes("audit", "outbox"):
        assert stage.accept(ada, earlier).code is Code.INVITATION_MEMBER_REMOVED
    stage.clock.advance(seconds=1)
    newer = stage.resend(olga, earlier)
    assert isinstance(stage.accept(ada, newer), Joined)


def test_nobody_gives_more_than_they_may_when_it_is_accepted(stage: Stage, acme: OrganizationId, olga: Person):
    ada, mona = stage.person(), stage.person("mona@example.com")
    member = stage.flows.members.add(CONTEXT, organization=acme, user=mona.user, role="manager").member
    stage.sign_in(mona)
    stage.enroll(mona)
    letter = stage.invite(mona, acme, ada.user, role="manager")
    olga.browser.ask(stage.flows.members.change_role, CONTEXT, organization=acme, member=member.id, role="member")
    stage.sign_in(ada)
    stage.enroll(ada)
    assert stage.accept(ada, letter).code is Code.INVITATION_INVITER_NOT_ENTITLED


# --- the click that waits ---------------------------------------------------------------------------------------------


def test_a_click_before_signing_in_is_confirmed_once(stage: Stage, letter: Letter, ada: Person):
    answer = stage.accept(ada, letter)
    assert isinstance(answer, RequirementsOpen)
    arrived = stage.sign_in(ada)
    assert isinstance(arrived, Arrived)
    assert arrived.invitation == InvitationOutcome(
        fate=InvitationFate.KEPT,
        organization=letter.organization,
        code=Code.INVITATION_CONFIRMATION_OWED,
        detour=Detour.CONFIRM,
    )
    resume = stage.flows.invitations.resume
    assert resume(ada.browser.session, CONTEXT).invitation.detour is Detour.CONFIRM
    kept = resume(ada.browser.session, CONTEXT, confirmed=True).invitation
    assert (kept.fate, kept.detour) == (InvitationFate.KEPT, Detour.ENROLL_FACTOR)
    assert stage.enroll(ada).invitation.fate is InvitationFate.JOINED


def test_an_unconfirmed_click_joins_nobody_even_after_an_enrollment(stage: Stage, letter: Letter, ada: Person):
    stage.accept(ada, letter)
    stage.sign_in(ada)
    outcome = stage.enroll(ada).invitation
    assert (outcome.fate, outcome.detour) == (InvitationFate.KEPT, Detour.CONFIRM)
    assert isinstance(stage.member(ada.user, letter.organization), Outside)
    joined = stage.resume(ada.browser, confirmed=True)
    assert joined.fate is InvitationFate.JOINED


def test_only_who_was_asked_can_confirm(stage: Stage, letter: Letter, ada: Person):
    stage.change(letter.organization, invites_bound_to_address=False, require_second_factor=False)
    browser, eve = Browser(CONTEXT), stage.person("eve@example.com")
    stage.accept(ada, letter, browser)
    stage.sign_in(ada, browser)
    stage.sign_in(eve, browser)
    outcome = stage.resume(browser, confirmed=True)
    assert (outcome.fate, outcome.code) == (InvitationFate.KEPT, Code.INVITATION_WRONG_USER)
    assert isinstance(stage.member(eve.user, letter.organization), Outside)
    stage.sign_in(ada, browser)
    assert stage.resume(browser, confirmed=True).fate is InvitationFate.JOINED


def test_a_click_waits_through_the_second_factor_of_a_sign_in(stage: Stage, letter: Letter, ada: Person):
    stage.sign_in(ada)
    stage.enroll(ada)
    stage.clock.advance(STEP)
    browser = Browser(CONTEXT)
    stage.accept(ada, letter, browser)
    assert isinstance(stage.sign_in(ada, browser), SecondFactorOwed)
    arrived = stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)
    assert arrived.invitation.detour is Detour.CONFIRM
    outcome = stage.resume(browser, confirmed=True)
    assert outcome.fate is InvitationFate.JOINED


def test_without_a_click_nothing_joins(stage: Stage, letter: Letter, ada: Person):
    ada.browser.ask(stage.flows.invitations.look, **letter.where())
    assert stage.sign_in(ada).invitation.fate is InvitationFate.NONE
    assert stage.enroll(ada).invitation.fate is InvitationFate.NONE
    assert stage.resume(ada.browser, confirmed=True).fate is InvitationFate.NONE
    assert isinstance(stage.member(ada.user, letter.organization), Outside)


def test_a_click_waits_in_its_own_browser_only(stage: Stage, letter: Letter, ada: Person):
    stage.waiting(ada, letter)
    other = Browser(CONTEXT)
    stage.sign_in(ada, other)
    elsewhere = attrs.evolve(ada, browser=other)
    assert stage.enroll(elsewhere).invitation.fate is InvitationFate.NONE
    assert isinstance(stage.member(ada.user, letter.organization), Outside)


def test_a_click_waits_for_sixty_minutes(stage: Stage, letter: Letter, ada: Person):
    stage.waiting(ada, letter)
    stage.clock.advance(timedelta(minutes=60) - INSTANT)
    stage.sign_in(ada)
    begun = stage.begin(ada)
    stage.clock.advance(INSTANT)
    outcome = stage.complete(ada, begun).invitation
    assert (outcome.fate, outcome.code) == (InvitationFate.CLEARED, Code.INVITATION_CONSENT_VOID)
    assert isinstance(stage.member(ada.user, letter.organization), Outside)


def test_a_click_seen_as_expired_does_not_live_again(stage: Stage, letter: Letter, ada: Person):
    stage.waiting(ada, letter)
    stage.clock.advance(timedelta(minutes=60))
    assert stage.sign_in(ada).invitation.fate is InvitationFate.CLEARED
    stage.clock.advance(-timedelta(minutes=30))
    assert stage.sign_in(ada).invitation.fate is InvitationFate.NONE
    assert isinstance(stage.member(ada.user, letter.organization), Outside)


def test_a_guessed_session_handle_learns_nothing_of_a_waiting_click(stage: Stage, letter: Letter, ada: Person):
    stage.waiting(ada, letter)
    forged = attrs.evolve(ada.browser.session, secret=Secret("guess"))
    assert stage.flows.invitations.resume(forged, CONTEXT).invitation.fate is InvitationFate.NONE


def test_another_person_in_the_browser_does_not_use_the_click(stage: Stage, letter: Letter, ada: Person):
    stage.waiting(ada, letter)
    bob = attrs.evolve(stage.person("bob@example.com"), browser=ada.browser)
    outcome = stage.sign_in(bob).invitation
    assert (outcome.fate, outcome.code) == (InvitationFate.KEPT, Code.INVITATION_WRONG_USER)
    assert stage.enroll(bob).invitation.code is Code.INVITATION_WRONG_USER
    assert isinstance(stage.member(bob.user, letter.organization), Outside)
    stage.sign_in(ada)
    assert stage.enroll(ada).invitation.fate is InvitationFate.JOINED


# --- what happens meanwhile never undoes the enrollment ---------------------------------------------------------------


def withdrawn(stage: Stage, olga: Person, letter: Letter) -> None:
    where = {"organization": letter.organization, "invitation": letter.invitation}
    olga.browser.ask(stage.flows.invitations.withdraw, CONTEXT, **where)


def expired(stage: Stage, _olga: Person, letter: Letter) -> None:
    """Its life ends while the click still waits."""
    with stage.uow.begin() as tx:
        stored = tx.invitations.load(letter.organization, letter.invitation)
        ended = attrs.evolve(stored.state, expires_at=stage.clock.now())
        tx.invitations.save(letter.organization, letter.invitation, ended, expected=stored.version)


def used_by_another_way(stage: Stage, _olga: Person, letter: Letter) -> None:
    stage.flows.members.add(CONTEXT, organization=letter.organization, user="ada@example.com")


def closed(stage: Stage, _olga: Person, letter: Letter) -> None:
    stage.change(letter.organization, active=False)


def resent(stage: Stage, olga: Person, letter: Letter) -> None:
    stage.resend(olga, letter)


def inviter_gone(stage: Stage, olga: Person, _letter: Letter) -> None:
    stage.save(attrs.evolve(stage.user(olga.user), active=False))


def address_lost(stage: Stage, _olga: Person, _letter: Letter) -> None:
    """The invited address is Ada's no more."""
    ada = stage.user("ada@example.com")
    other = attrs.evolve(ada.addresses[0], address="new@example.com")
    stage.save(attrs.evolve(ada, addresses=(other,)))


MEANWHILE: dict[Any, tuple[InvitationFate, Code]] = {
    withdrawn: (InvitationFate.CLEARED, Code.INVITATION_REJECTED),
    expired: (InvitationFate.CLEARED, Code.INVITATION_EXPIRED),
    used_by_another_way: (InvitationFate.CLEARED, Code.INVITATION_ALREADY_MEMBER),
    closed: (InvitationFate.CLEARED, Code.INVITATION_INVALID),
    resent: (InvitationFate.CLEARED, Code.INVITATION_CONSENT_VOID),
    inviter_gone: (InvitationFate.CLEARED, Code.INVITATION_INVITER_NOT_ENTITLED),
    address_lost: (InvitationFate.KEPT, Code.INVITATION_WRONG_USER),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda f: f.__name__)
def test_what_became_of_the_invitation_never_undoes_the_enrollment(
    stage: Stage, olga: Person, letter: Letter, ada: Person, meanwhile: Any
):
    stage.waiting(ada, letter)
    begun = stage.begin(ada)
    meanwhile(stage, olga, letter)
    answer = stage.complete(ada, begun)
    assert isinstance(answer, Enrolled)
    fate, code = MEANWHILE[meanwhile]
    assert (answer.invitation.fate, answer.invitation.code) == (fate, code)
    assert len(answer.recovery_codes) == 10
    assert ada.browser.ask(stage.flows.mfa.listing).protected
    assert stage.identify(ada).elevated
    after = stage.resume(ada.browser)
    assert after.fate is (InvitationFate.NONE if fate is InvitationFate.CLEARED else InvitationFate.KEPT)


# --- invitation x second factor, each reached through the facade ------------------------------------------------------


@attrs.frozen(kw_only=True)
class Case:
    """What is known of single sign-on, and the outcome that the enrollment gives."""

    sso: Sso = attrs.field(factory=Sso)
    fate: InvitationFate
    requirements: frozenset[Requirement] = frozenset()
    detour: Detour | None = None


PROVIDER = ProviderId("idp")

ENROLLED: dict[str, Case] = {
    "nothing else is open": Case(fate=InvitationFate.JOINED),
    "a provider is there and not required": Case(sso=Sso(provider=PROVIDER, name="IdP"), fate=InvitationFate.JOINED),
    "a link is required": Case(
        sso=Sso(provider=PROVIDER, required=True),
        fate=InvitationFate.KEPT,
        requirements=frozenset({Requirement.SSO_LINK}),
        detour=Detour.SIGN_IN_THROUGH_SSO,
    ),
    "a link stands and the session has no mark": Case(
        sso=Sso(provider=PROVIDER, required=True, linked=True),
        fate=InvitationFate.KEPT,
        requirements=frozenset({Requirement.SSO_LINK}),
        detour=Detour.SIGN_IN_THROUGH_SSO,
    ),
    "the provider's sign-in is there": Case(
        sso=Sso(provider=PROVIDER, required=True, linked=True, marked=True), fate=InvitationFate.JOINED
    ),
}


@pytest.mark.parametrize("name", ENROLLED)
def test_what_an_enrollment_does_to_the_waiting_click(stage: Stage, letter: Letter, ada: Person, name: str):
    case = ENROLLED[name]
    stage.waiting(ada, letter)
    stage.sso.answer = case.sso
    outcome = stage.enroll(ada).invitation
    assert (outcome.fate, outcome.requirements, outcome.detour) == (case.fate, case.requirements, case.detour)
    assert isinstance(stage.member(ada.user, letter.organization), Member) == (case.fate is InvitationFate.JOINED)
    if case.fate is InvitationFate.KEPT:
        stage.sso.answer = Sso(provider=PROVIDER, required=True, linked=True, marked=True)
        resumed = stage.resume(ada.browser)
        assert resumed.fate is InvitationFate.JOINED


@pytest.mark.parametrize(("verified", "detour"), [(False, Detour.VERIFY_ADDRESS), (True, Detour.ENROLL_FACTOR)])
def test_the_address_comes_before_the_factor(stage: Stage, letter: Letter, *, verified: bool, detour: Detour):
    """An enrollment asks for a verified one."""
    ada = stage.person(verified=verified)
    stage.accept(ada, letter)
    stage.sign_in(ada)
    outcome = stage.resume(ada.browser, confirmed=True)
    assert (outcome.fate, outcome.detour) == (InvitationFate.KEPT, detour)


def test_a_verified_address_goes_on_with_the_click(stage: Stage, letter: Letter):
    stage.change(letter.organization, require_second_factor=False)
    ada = stage.person(verified=False)
    waiting = stage.waiting(ada, letter)
    assert waiting.requirements == {Requirement.VERIFIED_ADDRESS}
    recorded = ada.browser.ask(
        stage.flows.accounts.record_verified_address, CONTEXT, user=ada.user, address="ADA@example.com"
    )
    assert recorded.invitation.fate is InvitationFate.JOINED
    assert stage.user(ada.user).primary_verified()
    assert stage.audited(ada)[-1] == "address_verified"


def test_address_then_factor_then_member(stage: Stage, letter: Letter):
    ada = stage.person(verified=False)
    assert stage.waiting(ada, letter).requirements == {Requirement.VERIFIED_ADDRESS, Requirement.SECOND_FACTOR}
    recorded = ada.browser.ask(
        stage.flows.accounts.record_verified_address, CONTEXT, user=ada.user, address="ada@example.com"
    )
    assert (recorded.invitation.fate, recorded.invitation.detour) == (InvitationFate.KEPT, Detour.ENROLL_FACTOR)
    assert stage.enroll(ada).invitation.fate is InvitationFate.JOINED


def test_who_has_a_factor_is_not_sent_to_enroll_one(stage: Stage, letter: Letter, ada: Person):
    stage.sign_in(ada)
    stage.enroll(ada)
    stage.sso.answer = Sso(provider=PROVIDER, required=True)
    assert stage.accept(ada, letter).requirements == {Requirement.SSO_LINK}
    outcome = stage.resume(ada.browser)
    assert outcome.detour is Detour.SIGN_IN_THROUGH_SSO
