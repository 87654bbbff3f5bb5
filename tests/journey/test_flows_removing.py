"""Removing factors through the facade: what falls with them, who may, and what an administrator's reset leads to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import Arrived, Code, Elevated, Enrolled, EnrollmentOwed, FactorRemoved, FactorsReset, Refused, Secret
from authflow.facts.records import Category, MailKind
from authflow.testing.browsers import Browser
from authflow.values import Level
from tests.stage import CONTEXT, STEP

if TYPE_CHECKING:
    from authflow.outbox.signals import Notice
    from tests.stage import Person, Stage

INSTANT = timedelta(microseconds=1)


@pytest.fixture
def ada(stage: Stage) -> Person:
    """Somebody who enrolled an app, one step ago."""
    person = stage.person()
    stage.sign_in(person)
    stage.enroll(person)
    stage.clock.advance(STEP)
    return person


def remove(stage: Stage, by: Person, authenticator: Any, **given: Any) -> Any:
    return by.browser.ask(stage.flows.mfa.remove, CONTEXT, authenticator, **given)


def held(stage: Stage, person: Person) -> dict[str, Any]:
    entries = person.browser.ask(stage.flows.mfa.listing).entries
    return {entry.kind.id: entry.held for entry in entries if entry.held is not None}


# --- one's own --------------------------------------------------------------------------------------------------------


def test_recovery_codes_fall_with_the_last_factor(stage: Stage, ada: Person):
    heard: list[Notice] = []
    stage.flows.receivers.add("ear", Category.FACTOR_REMOVED, heard.append)
    stage.flows.relay.drain_until_quiet()
    stage.mailer.sent.clear()
    answer = remove(stage, ada, ada.factor)
    assert isinstance(answer, FactorRemoved)
    assert (answer.authenticator, answer.fallen, answer.protected) == (ada.factor, ("recovery",), False)
    assert held(stage, ada) == {}
    stage.flows.relay.drain_until_quiet()
    assert [(notice.args["kind"], notice.subject) for notice in heard] == [("totp", ada.user), ("recovery", ada.user)]
    assert [mail.kind for mail in stage.mailer.sent] == [MailKind.MFA_REMOVED], "nobody is mailed about what fell"
    assert stage.audited(ada)[-3:] == ["mfa_removed", "mfa_removed", "sessions_ended"]
    assert [entry.data.get("cascade") for entry in stage.audit(ada)[-3:-1]] == [None, True]


def test_other_sessions_pending_sign_ins_and_known_browsers_end(stage: Stage, ada: Person):
    other, pending = Browser(CONTEXT), Browser(CONTEXT)
    stage.sign_in(ada, other)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), other)
    stage.sign_in(ada, pending)
    with stage.uow.begin() as tx:
        tx.users.add_password_reset(ada.user, b"\x01" * 32)
        assert tx.devices.of_user(ada.user)
    before = ada.browser.session
    answer = remove(stage, ada, ada.factor)
    assert answer.ended_sessions == 1
    assert stage.flows.sessions.identify(other.session).why_not is Code.SESSION_ENDED
    assert stage.verify(ada, "recovery", ada.codes[0], pending).code is Code.SESSION_NO_PENDING_LOGIN
    assert stage.flows.sessions.identify(before).why_not is Code.SESSION_SUPERSEDED
    assert stage.identify(ada).user == ada.user
    with stage.uow.begin() as tx:
        assert tx.devices.of_user(ada.user) == ()
        assert tx.users.drop_password_resets(ada.user) == 0


def test_afterwards_a_password_signs_in_and_a_new_app_is_a_new_factor(stage: Stage, ada: Person):
    remove(stage, ada, ada.factor)
    old = ada.factor
    assert isinstance(stage.sign_in(ada, Browser(CONTEXT)), Arrived)
    answer = stage.enroll(ada)
    assert not answer.rotated
    assert answer.authenticator != old
    assert len(answer.recovery_codes) == 10


def test_recovery_codes_go_alone_and_the_factor_stays(stage: Stage, ada: Person):
    acme = stage.organization(require_second_factor=True)
    stage.owner(acme)
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user)
    answer = remove(stage, ada, held(stage, ada)["recovery"].id)
    assert (answer.fallen, answer.protected) == ((), True)
    assert stage.verify(ada, "recovery", ada.codes[0]).code is Code.MFA_NOT_ENROLLED
    assert set(held(stage, ada)) == {"totp"}


def test_the_last_factor_stays_while_an_organization_requires_it(stage: Stage, ada: Person):
    acme = stage.organization(require_second_factor=True)
    stage.owner(acme)
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user)
    with stage.writes():
        assert remove(stage, ada, ada.factor).code is Code.MFA_REQUIRED_BY_ORGANIZATION
    stage.change(acme, active=False)
    assert isinstance(remove(stage, ada, ada.factor), FactorRemoved), "an inactive organization demands nothing"


@pytest.mark.parametrize("which", ["gone", "foreign", "unknown", ""])
def test_what_one_does_not_have_is_not_found(stage: Stage, ada: Person, which: str):
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    stage.enroll(bob)
    if which == "gone":
        remove(stage, ada, ada.factor)
    target = {"gone": ada.factor, "foreign": bob.factor}.get(which, which)
    with stage.writes():
        assert remove(stage, ada, target).code is Code.MFA_NOT_FOUND
    assert set(held(stage, bob)) == {"totp", "recovery"}


def test_an_old_elevation_removes_nothing(stage: Stage, ada: Person):
    stage.clock.advance(timedelta(minutes=16))
    stage.identify(ada)
    with stage.writes():
        assert remove(stage, ada, ada.factor).code is Code.SESSION_ELEVATION_REQUIRED


@pytest.mark.parametrize("call", ["remove", "listing", "details"])
def test_an_owner_of_an_organization_does_not_own_its_people(stage: Stage, ada: Person, call: str):
    acme = stage.organization()
    olga = stage.owner(acme)
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user)
    arguments = {"remove": (CONTEXT, ada.factor), "listing": (), "details": (ada.factor,)}[call]
    with stage.writes():
        answer = olga.browser.ask(getattr(stage.flows.mfa, call), *arguments, user=ada.user)
    assert (type(answer), answer.code) == (Refused, Code.MFA_FORBIDDEN)


def test_an_administrator_removes_even_the_last_one_and_ends_every_session(stage: Stage, ada: Person):
    acme = stage.organization(require_second_factor=True)
    stage.owner(acme)
    stage.flows.members.add(CONTEXT, organization=acme, user=ada.user)
    root = stage.administrator()
    answer = remove(stage, root, ada.factor, user=ada.user)
    assert (answer.fallen, answer.protected, answer.ended_sessions) == (("recovery",), False, 1)
    assert stage.identify(ada).why_not is Code.SESSION_ENDED
    assert stage.identify(root).elevated
    entry = next(e for e in reversed(stage.audit(ada)) if e.event == "mfa_removed" and "actor_role" in e.data)
    assert (entry.actor, entry.data["actor_role"]) == (root.user, "administrator")
    entered = ada.browser
    stage.sign_in(ada, entered)
    assert entered.ask(stage.flows.members.enter, organization=acme).code is Code.ORGANIZATION_SECOND_FACTOR_REQUIRED


# --- the administrator's reset ----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Reset:
    """Root reset Ada, and the mail brought her a link."""

    root: Person
    link: Secret
    answer: FactorsReset


@pytest.fixture
def reset(stage: Stage, ada: Person) -> Reset:
    """An administrator's reset, and its mail."""
    root = stage.administrator()
    answer = root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="lost her phone")
    assert isinstance(answer, FactorsReset)
    mail = stage.mails(MailKind.MFA_RESET)[-1]
    assert mail.to == ada.user
    return Reset(root=root, link=Secret(str(mail.context["token"])), answer=answer)


def redeem(stage: Stage, browser: Browser, link: Secret) -> Any:
    return browser.ask(stage.flows.sessions.redeem, CONTEXT, token=link)


def test_a_reset_takes_everything_and_says_so(stage: Stage, ada: Person, reset: Reset):
    assert reset.answer.removed == ("totp", "recovery")
    assert reset.answer.ended_sessions == 1
    assert reset.answer.link_expires_at == stage.clock.now() + timedelta(hours=24)
    assert stage.identify(ada).why_not is Code.SESSION_ENDED
    entry = stage.audit(ada)[-1]
    assert (entry.event, entry.actor) == ("mfa_reset", reset.root.user)
    assert entry.data == {"reason": "lost her phone", "removed": 2}


def test_after_a_reset_the_person_enrolls_again_with_the_link_and_is_signed_in(stage: Stage, ada: Person, reset: Reset):
    owed = stage.sign_in(ada)
    assert isinstance(owed, EnrollmentOwed)
    assert (owed.link_redeemed, owed.session.user) == (False, None)
    assert stage.identify(ada).why_not is Code.SESSION_ENROLLMENT_OWED
    with stage.writes():
        begun = ada.browser.ask(stage.flows.mfa.begin_totp, CONTEXT, account=ada.user)
    assert begun.code is Code.SESSION_ENROLLMENT_OWED
    redeemed = redeem(stage, ada.browser, reset.link)
    assert (type(redeemed), redeemed.link_redeemed) == (EnrollmentOwed, True)
    assert ada.browser.ask(stage.flows.mfa.regenerate_codes, CONTEXT).code is Code.SESSION_ENROLLMENT_OWED
    answer = stage.enroll(ada)
    assert isinstance(answer, Enrolled)
    assert len(answer.recovery_codes) == 10
    asker = stage.identify(ada)
    assert (asker.user, asker.level, asker.elevated) == (ada.user, Level.TWO, True)
    assert [event for event in stage.audited(ada) if "reset" in event] == ["mfa_reset", "mfa_reset_link_used"]
    stage.clock.advance(STEP)
    assert isinstance(stage.elevate(ada), Elevated), "nothing is owed any more"


def test_the_link_works_once(stage: Stage, ada: Person, reset: Reset):
    stage.sign_in(ada)
    redeem(stage, ada.browser, reset.link)
    other = Browser(CONTEXT)
    stage.sign_in(ada, other)
    with stage.writes():
        again = redeem(stage, other, reset.link)
    assert again.code is Code.MFA_RESET_LINK_INVALID
    assert redeem(stage, ada.browser, reset.link).code is Code.MFA_RESET_LINK_INVALID
    assert isinstance(stage.enroll(ada), Enrolled)


@pytest.mark.parametrize("token", ["", "x", "n" * 10_000, "\uff11\uff12", "\x00", "\ud800"])
def test_another_link_opens_nothing(stage: Stage, ada: Person, reset: Reset, token: str):
    stage.sign_in(ada)
    with stage.writes():
        assert redeem(stage, ada.browser, Secret(token)).code is Code.MFA_RESET_LINK_INVALID
    assert isinstance(redeem(stage, ada.browser, reset.link), EnrollmentOwed)


def test_the_link_is_for_its_own_person(stage: Stage, ada: Person, reset: Reset):
    bob = stage.person("bob@example.com")
    reset.root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=bob.user, reason="")
    stage.sign_in(bob)
    with stage.writes():
        assert redeem(stage, bob.browser, reset.link).code is Code.MFA_RESET_LINK_INVALID
    stage.sign_in(ada)
    assert isinstance(redeem(stage, ada.browser, reset.link), EnrollmentOwed), "a stranger used nothing up"


def test_the_link_lives_for_a_day_and_never_again(stage: Stage, ada: Person, reset: Reset):
    start = stage.clock.now()
    stage.clock.advance(timedelta(hours=24) - INSTANT)
    stage.sign_in(ada)
    stage.clock.advance(INSTANT)
    assert redeem(stage, ada.browser, reset.link).code is Code.MFA_RESET_LINK_INVALID
    stage.clock.set(start)
    stage.sign_in(ada)
    assert redeem(stage, ada.browser, reset.link).code is Code.MFA_RESET_LINK_INVALID


def test_a_second_reset_voids_the_first_link(stage: Stage, ada: Person, reset: Reset):
    reset.root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="again")
    stage.sign_in(ada)
    assert redeem(stage, ada.browser, reset.link).code is Code.MFA_RESET_LINK_INVALID


def test_the_link_needs_somebody_who_gave_a_first_factor(stage: Stage, reset: Reset):
    stranger = Browser(CONTEXT)
    with stage.writes():
        assert redeem(stage, stranger, reset.link).code is Code.SESSION_REQUIRED
        assert redeem(stage, reset.root.browser, reset.link).code is Code.MFA_RESET_LINK_INVALID


def test_only_an_elevated_administrator_resets(stage: Stage, ada: Person):
    acme = stage.organization()
    olga = stage.owner(acme)
    root = stage.administrator()
    with stage.writes():
        refused = olga.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="")
    assert refused.code is Code.ACCOUNT_FORBIDDEN
    stage.clock.advance(timedelta(minutes=16))
    with stage.writes("session"):
        refused = root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="")
    assert refused.code is Code.SESSION_ELEVATION_REQUIRED
    stage.save(attrs.evolve(stage.user(root.user), active=False))
    refused = root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="")
    assert refused.code is Code.SESSION_ENDED


def test_nobody_unknown_is_reset(stage: Stage):
    root = stage.administrator()
    with stage.writes():
        refused = root.browser.ask(stage.flows.mfa.reset, CONTEXT, user="nobody", reason="")
    assert refused.code is Code.ACCOUNT_UNKNOWN


def test_a_reset_unlocks_who_was_locked_out(stage: Stage, ada: Person):
    stage.clock.advance(timedelta(hours=1))
    browser = Browser(CONTEXT)
    for number in range(50):
        if number % 5 == 0:
            stage.clock.advance(timedelta(minutes=31))
            stage.sign_in(ada, browser)
        stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), browser)
    stage.clock.advance(timedelta(hours=2))
    stage.sign_in(ada, browser)
    assert stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser).code is Code.MFA_LOCKED
    root = stage.administrator()
    root.browser.ask(stage.flows.mfa.reset, CONTEXT, user=ada.user, reason="locked")
    link = Secret(str(stage.mails(MailKind.MFA_RESET)[-1].context["token"]))
    stage.sign_in(ada)
    redeem(stage, ada.browser, link)
    stage.enroll(ada)
    stage.clock.advance(STEP)
    other = Browser(CONTEXT)
    stage.sign_in(ada, other)
    assert isinstance(stage.verify(ada, "totp", ada.app.code(stage.clock.now()), other), Arrived)
