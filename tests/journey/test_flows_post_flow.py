"""The post flow through the facade, end to end: everything that one completed enrollment does, on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest

from authflow import Enrolled, InvitationFate, Requirement, RequirementsOpen
from authflow.facts.records import Category, MailKind, Signal
from authflow.membership.standing import Member
from authflow.testing.browsers import Browser
from authflow.values import Level, Method
from tests.stage import CONTEXT, SECURITY, written

if TYPE_CHECKING:
    from authflow.events.save import SavedEvent
    from authflow.outbox.signals import Notice
    from authflow.values import OrganizationId
    from tests.stage import Letter, Person, Stage

ACME_SECURITY = "acme-security"


@attrs.frozen(kw_only=True)
class Played:
    """The post flow was played: who, where, with what answer, and what the receivers heard."""

    acme: OrganizationId
    olga: Person
    ada: Person
    elsewhere: Browser
    letter: Letter
    answer: Enrolled
    heard: list[Notice]

    def topics(self) -> list[tuple[object, str | None]]:
        return [(notice.topic, notice.region) for notice in self.heard]


@pytest.fixture
def played(stage: Stage) -> Played:
    """Ada is invited, clicks, is sent to enroll, and joins; at another browser she had been signed in as well."""
    heard: list[Notice] = []
    for topic in (*Signal, Category.FACTOR_ENROLLED, Category.FACTOR_REMOVED):
        stage.flows.receivers.add(f"ear-{topic.name.lower()}", topic, heard.append)
    acme = stage.organization(require_second_factor=True)
    olga = stage.owner(acme)
    letter = stage.invite(olga, acme, "ada@example.com", role="manager", teams=("red", "blue"))
    ada, elsewhere = stage.person(), Browser(CONTEXT)
    stage.give_address(ada.user, "ada@work.example")
    stage.give_address(ada.user, "ada@unproven.example", verified=False)
    with stage.uow.begin() as tx:
        tx.users.add_password_reset(ada.user, b"\x01" * 32)
        tx.users.add_password_reset(olga.user, b"\x02" * 32)
    stage.sign_in(ada, elsewhere)
    waiting = stage.waiting(ada, letter)
    assert isinstance(waiting, RequirementsOpen)
    assert (waiting.requirements, waiting.consent) == ({Requirement.SECOND_FACTOR}, True)
    heard.clear()
    stage.mailer.sent.clear()
    answer = stage.enroll(ada)
    return Played(acme=acme, olga=olga, ada=ada, elsewhere=elsewhere, letter=letter, answer=answer, heard=heard)


def test_the_answer_says_everything_that_happened(played: Played):
    answer = played.answer
    assert (answer.kind, answer.rotated, answer.ended_sessions) == ("totp", False, 1)
    assert len({code.reveal() for code in answer.recovery_codes}) == 10
    assert answer.invitation.fate is InvitationFate.JOINED
    assert answer.invitation.organization == played.acme
    assert (answer.invitation.code, answer.invitation.detour, answer.invitation.requirements) == (None, None, set())
    assert answer.session.renew


def test_the_person_is_a_member_as_the_invitation_said(stage: Stage, played: Played):
    assert played.answer.invitation.member is not None
    assert stage.member(played.ada.user, played.acme) == Member(
        organization=played.acme,
        user=played.ada.user,
        id=played.answer.invitation.member,
        role="manager",
        teams=("blue", "red"),
    )
    entered = played.ada.browser.ask(stage.flows.members.enter, organization=played.acme)
    assert entered.member == stage.member(played.ada.user, played.acme)


def test_the_session_holds_both_proofs_and_is_elevated(stage: Stage, played: Played):
    asker = stage.identify(played.ada)
    assert (asker.user, asker.level, asker.elevated) == (played.ada.user, Level.TWO, True)
    with stage.uow.begin() as tx:
        row = tx.sessions.load(asker.session).state
    assert [(proof.method, proof.at) for proof in row.proofs] == [
        (Method.PASSWORD, stage.clock.now()),
        (Method.TOTP, stage.clock.now()),
    ]


def test_every_other_session_is_over_and_the_epoch_moved_on(stage: Stage, played: Played):
    with stage.uow.begin() as tx:
        assert tx.accounts.read(played.ada.user).epoch == 2
        assert tx.accounts.read(played.olga.user).epoch == 2  # by her own enrollment, before
    before = played.elsewhere.stored
    gone = played.elsewhere.ask(stage.flows.sessions.look)
    assert gone.code == "session.ended"
    played.elsewhere.stored = before
    assert stage.flows.sessions.identify(played.elsewhere.session).why_not == "session.ended"
    assert stage.identify(played.olga).user == played.olga.user


def test_the_value_before_the_enrollment_opens_nothing_any_more(stage: Stage, played: Played):
    browser = played.ada.browser
    assert browser.former
    for old in browser.former:
        browser.stored = old
        asker = stage.flows.sessions.identify(browser.session)
        assert asker.user is None
        assert asker.why_not in {"session.superseded", "session.required"}
    browser.stored = browser.former[-1]
    assert stage.flows.sessions.identify(browser.session).why_not == "session.superseded"


def test_lost_password_tokens_of_this_person_are_dropped(stage: Stage, played: Played):
    with stage.uow.begin() as tx:
        assert tx.users.drop_password_resets(played.ada.user) == 0
        assert tx.users.drop_password_resets(played.olga.user) == 1


def test_the_time_step_of_the_proof_is_burnt(stage: Stage, played: Played):
    other = Browser(CONTEXT)
    stage.sign_in(played.ada, other)
    refused = stage.verify(played.ada, "totp", played.ada.app.code(stage.clock.now()), other)
    assert refused.code == "mfa.code_rejected"
    assert stage.audited(played.ada)[-1] == "otp_replayed"


def test_the_logs_tell_it_once_and_in_order(stage: Stage, played: Played):
    assert stage.audited(played.ada) == [
        "login_succeeded",
        "login_succeeded",
        "mfa_added",
        "recovery_codes_added",
        "sessions_ended",
    ]
    assert stage.audited_in(played.acme) == ["member_add", "member_invite", "member_accept"]
    joined = stage.flows.audit.of_organization(played.acme)[0]
    assert (joined.actor, joined.actor_label, joined.ip) == (played.ada.user, "ada@example.com", CONTEXT.ip)
    assert (joined.target, joined.target_user) == (played.answer.invitation.member, played.ada.user)
    assert joined.data == {
        "email": "ada@example.com",
        "role": "manager",
        "teams": "blue,red",
        "status": "approved",
        "user": played.ada.user,
        "invitation": played.letter.invitation,
    }


def test_nothing_is_told_before_the_relay_runs_and_everything_after_it(stage: Stage, played: Played):
    assert (played.heard, stage.mailer.sent) == ([], [])
    drained = stage.flows.relay.drain_until_quiet()
    assert (drained.retried, drained.parked, drained.failed) == (0, 0, 0)
    told = sorted(played.topics(), key=str)
    assert told == sorted(
        [
            (Signal.MEMBER_JOINED, "eu"),
            (Signal.MEMBER_JOINED, "us"),
            (Category.FACTOR_ENROLLED, None),
        ],
        key=str,
    )
    assert stage.flows.relay.drain_until_quiet().delivered == 0


def test_one_signal_per_region_has_the_arguments_of_the_specification(stage: Stage, played: Played):
    stage.flows.relay.drain_until_quiet()
    signals = [notice for notice in played.heard if notice.topic is Signal.MEMBER_JOINED]
    assert {notice.region for notice in signals} == {"eu", "us"}
    assert len({notice.id for notice in signals}) == 2
    for notice in signals:
        assert notice.subject == played.acme
        assert notice.args == {
            "user_id": played.ada.user,
            "organization_member_id": played.answer.invitation.member,
        }
    enrolled = next(notice for notice in played.heard if notice.topic is Category.FACTOR_ENROLLED)
    assert (enrolled.subject, enrolled.region) == (played.ada.user, None)
    assert enrolled.args["target"] == played.answer.authenticator


def test_every_verified_address_is_mailed_and_no_other(stage: Stage, played: Played):
    mails = stage.mails(MailKind.MFA_ADDED)
    assert sorted(mail.to for mail in mails) == ["ada@example.com", "ada@work.example"]
    assert all(mail.context["kind"] == "totp" for mail in mails)
    assert {mail.kind for mail in stage.mailer.sent} == {MailKind.MFA_ADDED}


def said(event: SavedEvent) -> str:
    return event.data["logentry"]["formatted"]


def told_of(stage: Stage, project: str) -> list[SavedEvent]:
    return list(reversed(stage.flows.events.latest(project)))


def test_facts_about_a_person_are_read_back_from_the_installations_project(stage: Stage, played: Played):
    stage.flows.relay.drain_until_quiet()
    saved = [event for event in told_of(stage, SECURITY) if event.data["user"]["id"] == played.ada.user]
    assert sorted(said(event) for event in saved) == sorted(stage.audited(played.ada))
    added = next(event for event in saved if said(event) == "mfa_added")
    assert added.data["extra"]["kind"] == "totp"
    assert added.data["extra"]["target"] == played.answer.authenticator
    assert stage.flows.events.get(SECURITY, added.columns.id) == added


def test_an_organization_reads_its_own_membership_and_nothing_else(stage: Stage, played: Played):
    stage.flows.relay.drain_until_quiet()
    saved = told_of(stage, ACME_SECURITY)
    assert [said(event) for event in saved] == ["member_add", "member_invite", "member_accept"]
    assert all(CONTEXT.ip not in str(event.data) for event in saved)
    accepted = saved[-1].data
    assert accepted["user"]["id"] == played.ada.user
    assert accepted["extra"]["target"] == played.answer.invitation.member


def test_no_secret_and_no_code_stands_anywhere(stage: Stage, played: Played):
    """Neither in a row, nor in what the relay made of it."""
    stage.flows.relay.drain_until_quiet()
    stored = str(stage.snapshot())
    secrets = [played.ada.app.secret.reveal(), *played.ada.codes, played.letter.token.reveal()]
    assert [secret for secret in secrets if secret in stored] == []


def test_a_second_delivery_changes_nothing(stage: Stage, played: Played):
    stage.flows.relay.drain_until_quiet()
    before = stage.snapshot()
    stage.flows.relay.drain_until_quiet()
    assert written(before, stage.snapshot()) == set()


def test_an_unknown_security_project_parks_the_event_and_undoes_nothing(stage: Stage):
    acme = stage.organization(require_second_factor=True, security_project="nowhere")
    olga = stage.owner(acme)
    letter = stage.invite(olga, acme, "ada@example.com")
    ada = stage.person()
    stage.waiting(ada, letter)
    assert stage.enroll(ada).invitation.fate is InvitationFate.JOINED
    stage.flows.relay.drain_until_quiet()
    parked = stage.flows.outbox.parked()
    assert {(found.parked.reason, found.queued.lane.shard) for found in parked} == {("unknown_project", "nowhere")}
    assert isinstance(stage.member(ada.user, acme), Member)


def test_without_an_invitation_the_enrollment_is_all(stage: Stage):
    ada = stage.person()
    stage.sign_in(ada)
    answer = stage.enroll(ada)
    assert (answer.invitation.fate, answer.ended_sessions) == (InvitationFate.NONE, 0)
    assert answer.invitation.organization is None
