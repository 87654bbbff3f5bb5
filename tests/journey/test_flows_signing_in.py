"""Signing in through the facade: first factor, second factor, known browsers, and every way in which it ends."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import Arrived, Code, Elevated, InvitationFate, Refused, SecondFactorOwed, SignedOut
from authflow.errors import NaiveDatetime
from authflow.sessions.commands import OthersEnded, SignInCancelled
from authflow.testing.browsers import Browser
from authflow.values import NOBODY, Level, Method, OrganizationId, Proof, ProviderId
from tests.stage import CONTEXT, STEP

if TYPE_CHECKING:
    from tests.stage import Person, Stage

SECOND = timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def ada(stage: Stage) -> Person:
    """Somebody who enrolled an app, one step ago."""
    person = stage.person()
    stage.sign_in(person)
    stage.enroll(person)
    stage.clock.advance(STEP)
    return person


def owed(stage: Stage, ada: Person) -> Browser:
    """Return a fresh browser that gave the password."""
    browser = Browser(CONTEXT)
    assert isinstance(stage.sign_in(ada, browser), SecondFactorOwed)
    return browser


# --- the first factor -------------------------------------------------------------------------------------------------


def test_without_a_factor_a_password_signs_in(stage: Stage):
    bob = stage.person("bob@example.com")
    answer = stage.sign_in(bob)
    assert isinstance(answer, Arrived)
    assert (answer.user, answer.level, answer.device) == (bob.user, Level.ONE, None)
    assert answer.invitation.fate is InvitationFate.NONE
    assert answer.session.renew
    assert stage.identify(bob).elevated


def test_with_a_factor_a_second_one_is_owed_and_nothing_is_told(stage: Stage, ada: Person):
    answer = stage.sign_in(ada, Browser(CONTEXT))
    assert attrs.evolve(answer, session=NOBODY) == SecondFactorOwed(
        expires_at=stage.clock.now() + timedelta(seconds=300), attempts_left=10
    )
    assert (answer.session.user, answer.session.renew) == (None, True)


PRIVILEGED: dict[str, Any] = {
    "begin_totp": lambda s, b: b.ask(s.flows.mfa.begin_totp, CONTEXT, account="a"),
    "complete_totp": lambda s, b: b.ask(s.flows.mfa.complete_totp, CONTEXT, "flow", code="123456"),
    "show_totp": lambda s, b: b.ask(s.flows.mfa.show_totp, CONTEXT, "flow", account="a"),
    "cancel_totp": lambda s, b: b.ask(s.flows.mfa.cancel_totp, CONTEXT, "flow"),
    "listing": lambda s, b: b.ask(s.flows.mfa.listing),
    "details": lambda s, b: b.ask(s.flows.mfa.details, "factor"),
    "rename": lambda s, b: b.ask(s.flows.mfa.rename, CONTEXT, "factor", name="a"),
    "remove_factor": lambda s, b: b.ask(s.flows.mfa.remove, CONTEXT, "factor"),
    "regenerate_codes": lambda s, b: b.ask(s.flows.mfa.regenerate_codes, CONTEXT),
    "reset": lambda s, b: b.ask(s.flows.mfa.reset, CONTEXT, user="x", reason="r"),
    "invite": lambda s, b: b.ask(s.flows.invitations.invite, CONTEXT, organization="acme", email="x@example.com"),
    "request_invite": lambda s, b: b.ask(
        s.flows.invitations.request_invite, CONTEXT, organization="acme", email="x@example.com"
    ),
    "request_join": lambda s, b: b.ask(s.flows.invitations.request_join, CONTEXT, organization="acme"),
    "approve": lambda s, b: b.ask(s.flows.invitations.approve, CONTEXT, organization="acme", invitation="i"),
    "reject": lambda s, b: b.ask(s.flows.invitations.reject, CONTEXT, organization="acme", invitation="i"),
    "withdraw": lambda s, b: b.ask(s.flows.invitations.withdraw, CONTEXT, organization="acme", invitation="i"),
    "resend": lambda s, b: b.ask(s.flows.invitations.resend, CONTEXT, organization="acme", invitation="i"),
    "pending": lambda s, b: b.ask(s.flows.invitations.pending, organization="acme"),
    "enter": lambda s, b: b.ask(s.flows.members.enter, organization="acme"),
    "members": lambda s, b: b.ask(s.flows.members.listing, organization="acme"),
    "change_role": lambda s, b: b.ask(
        s.flows.members.change_role, CONTEXT, organization="acme", member="m", role="owner"
    ),
    "set_teams": lambda s, b: b.ask(s.flows.members.set_teams, CONTEXT, organization="acme", member="m", teams=()),
    "remove_member": lambda s, b: b.ask(s.flows.members.remove, CONTEXT, organization="acme", member="m"),
    "demote": lambda s, b: b.ask(s.flows.members.demote, CONTEXT, organization="acme", member="m"),
    "enforce": lambda s, b: b.ask(s.flows.members.enforce, CONTEXT, organization="acme"),
    "export": lambda s, b: b.ask(s.flows.accounts.export, CONTEXT, user="ada@example.com"),
    "delete": lambda s, b: b.ask(s.flows.accounts.delete, CONTEXT, user="ada@example.com"),
    "merge": lambda s, b: b.ask(s.flows.accounts.merge, CONTEXT, source="bob@example.com", target="ada@example.com"),
    "end_others": lambda s, b: b.ask(s.flows.sessions.end_others, CONTEXT),
}


@pytest.mark.parametrize("name", PRIVILEGED)
def test_while_a_second_factor_is_owed_nothing_else_opens(stage: Stage, ada: Person, name: str):
    stage.organization()
    stage.person("bob@example.com")
    browser = owed(stage, ada)
    with stage.writes():
        answer = PRIVILEGED[name](stage, browser)
    assert isinstance(answer, Refused)
    assert answer.code is Code.SESSION_SECOND_FACTOR_OWED
    assert browser.ask(stage.flows.sessions.look).expires_at == stage.clock.now() + timedelta(seconds=300)


@pytest.mark.parametrize("name", PRIVILEGED)
def test_a_stranger_is_asked_to_sign_in(stage: Stage, name: str):
    stage.organization()
    for user in ("ada@example.com", "bob@example.com"):
        stage.person(user)
    with stage.writes():
        answer = PRIVILEGED[name](stage, Browser(CONTEXT))
    assert (type(answer), answer.code) == (Refused, Code.SESSION_REQUIRED)


@pytest.mark.parametrize(
    "changes",
    [
        {"at": timedelta(minutes=-5) - INSTANT},
        {"at": INSTANT},
        {"method": Method.TOTP},
        {"method": Method.RECOVERY_CODE},
        {"organization": OrganizationId("acme")},
        {"provider": ProviderId("idp")},
        {"method": Method.SSO},
        {"method": Method.SSO, "organization": OrganizationId("acme")},
    ],
    ids=str,
)
def test_what_is_no_fresh_first_factor_signs_nobody_in(stage: Stage, ada: Person, changes: dict[str, Any]):
    shift = changes.get("at", timedelta(0))
    proof = stage.password(**{**changes, "at": stage.clock.now() + shift})
    browser = Browser(CONTEXT)
    with stage.writes():
        answer = browser.ask(stage.flows.sessions.establish, CONTEXT, user=ada.user, proof=proof)
    assert (type(answer), answer.code) == (Refused, Code.SESSION_PROOF_INVALID)


def test_a_proof_of_exactly_five_minutes_is_fresh(stage: Stage, ada: Person):
    proof = stage.password(at=stage.clock.now() - timedelta(minutes=5))
    answer = Browser(CONTEXT).ask(stage.flows.sessions.establish, CONTEXT, user=ada.user, proof=proof)
    assert isinstance(answer, SecondFactorOwed)


def test_a_proof_without_a_time_zone_is_the_hosts_mistake(stage: Stage, ada: Person):
    with pytest.raises(NaiveDatetime):
        Proof(method=Method.PASSWORD, at=datetime(2026, 1, 1))  # noqa: DTZ001  # naive: that is the mistake
    abroad = stage.clock.now().astimezone(timezone(timedelta(hours=14)))
    browser = Browser(CONTEXT)
    proof = stage.password(at=abroad)
    assert isinstance(
        browser.ask(stage.flows.sessions.establish, CONTEXT, user=ada.user, proof=proof), SecondFactorOwed
    )


@pytest.mark.parametrize("who", ["inactive", "nobody"])
def test_who_cannot_sign_in_learns_it_only_with_a_proof(stage: Stage, who: str):
    user = stage.person("eve@example.com", active=False).user if who == "inactive" else "nobody@example.com"
    browser = Browser(CONTEXT)
    with stage.writes("audit", "outbox"):
        answer = browser.ask(stage.flows.sessions.establish, CONTEXT, user=user, proof=stage.password())
    assert (type(answer), answer.code) == (Refused, Code.SESSION_USER_INACTIVE)


# --- the second factor ------------------------------------------------------------------------------------------------


def test_the_app_finishes_the_sign_in(stage: Stage, ada: Person):
    browser = owed(stage, ada)
    pending = browser.session
    answer = stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)
    assert isinstance(answer, Arrived)
    assert (answer.user, answer.level) == (ada.user, Level.TWO)
    assert answer.session.renew
    assert answer.device is not None
    assert stage.flows.sessions.identify(browser.session).elevated
    assert stage.flows.sessions.identify(pending).why_not is Code.SESSION_SUPERSEDED
    assert stage.audited(ada)[-2:] == ["login_pending", "login_succeeded"]


def test_a_recovery_code_finishes_it_once(stage: Stage, ada: Person):
    code, other = ada.codes[0], owed(stage, ada)
    assert isinstance(stage.verify(ada, "recovery", code.lower().replace("-", " "), owed(stage, ada)), Arrived)
    with stage.writes("attempt", "limit", "audit", "outbox"):
        again = stage.verify(ada, "recovery", code, other)
    assert again.code is Code.MFA_CODE_REJECTED
    assert isinstance(stage.elevate(ada), Elevated)
    held = {e.kind.id: e.held for e in ada.browser.ask(stage.flows.mfa.listing).entries}
    assert held["recovery"].remaining == 9


def test_a_wrong_code_counts_down_and_says_nothing_else(stage: Stage, ada: Person):
    browser = owed(stage, ada)
    with stage.writes("attempt", "limit", "audit", "outbox"):
        answer = stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), browser)
    assert attrs.evolve(answer, session=NOBODY) == Refused(code=Code.MFA_CODE_REJECTED, attempts_left=9)
    assert browser.ask(stage.flows.sessions.look).attempts_left == 9


@pytest.mark.parametrize("kind", ["sms", "security_key", "carrier-pigeon", "", "TOTP", "totp\x00"])
def test_a_kind_that_is_not_enrolled_signs_nobody_in(stage: Stage, ada: Person, kind: str):
    answer = stage.verify(ada, kind, ada.app.code(stage.clock.now()), owed(stage, ada))
    assert answer.code in {Code.MFA_NOT_ENROLLED, Code.MFA_KIND_UNKNOWN}


def test_unknown_kinds_share_one_bucket(stage: Stage, ada: Person):
    browser = owed(stage, ada)
    codes = [stage.verify(ada, f"kind-{n}", "123456", browser).code for n in range(6)]
    assert codes == [Code.MFA_KIND_UNKNOWN] * 5 + [Code.MFA_RATE_LIMITED]


def test_the_sixth_guess_in_twenty_seconds_is_not_compared(stage: Stage, ada: Person):
    browser = owed(stage, ada)
    for left in range(9, 4, -1):
        assert stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), browser).attempts_left == left
    right = ada.app.code(stage.clock.now())
    with stage.writes("audit", "limit", "outbox"):  # the limit is that of the mail which tells the owner
        sixth = stage.verify(ada, "totp", right, browser)
    assert (sixth.code, sixth.retry_after) == (Code.MFA_RATE_LIMITED, timedelta(seconds=20))
    stage.clock.advance(timedelta(seconds=20) - INSTANT)
    assert stage.verify(ada, "totp", right, browser).retry_after == INSTANT
    stage.clock.advance(INSTANT)
    assert isinstance(stage.verify(ada, "totp", right, browser), Arrived)


def test_ten_failures_end_the_pending_sign_in(stage: Stage, ada: Person):
    browser, left = owed(stage, ada), list[int]()
    for number in range(10):
        if number == 5:
            stage.clock.advance(seconds=20)
        left.append(stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), browser).attempts_left)
    assert left == list(range(9, -1, -1))
    stage.clock.advance(seconds=20)
    assert stage.verify(ada, "recovery", ada.codes[0], browser).code is Code.SESSION_NO_PENDING_LOGIN
    assert "login_refused" in stage.audited(ada)


def test_a_pending_sign_in_lives_for_300_seconds_whatever_is_tried(stage: Stage, ada: Person):
    late, later = owed(stage, ada), owed(stage, ada)
    stage.clock.advance(timedelta(seconds=150))
    stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), later)
    stage.clock.advance(timedelta(seconds=150) - INSTANT)
    assert isinstance(stage.verify(ada, "totp", ada.app.code(stage.clock.now()), late), Arrived)
    stage.clock.advance(INSTANT)
    assert stage.verify(ada, "recovery", ada.codes[0], later).code is Code.SESSION_NO_PENDING_LOGIN


def test_what_was_seen_to_be_over_stays_so_when_the_clock_goes_back(stage: Stage, ada: Person):
    browser, start = owed(stage, ada), stage.clock.now()
    stage.clock.advance(timedelta(seconds=300))
    assert browser.ask(stage.flows.sessions.look).code is Code.SESSION_REQUIRED
    stage.clock.set(start)
    answer = stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)
    assert answer.code is Code.SESSION_NO_PENDING_LOGIN


def test_the_answer_goes_to_the_browser_that_gave_the_password(stage: Stage, ada: Person):
    owed(stage, ada)
    with stage.writes():
        answer = stage.verify(ada, "totp", ada.app.code(stage.clock.now()), Browser(CONTEXT))
    assert answer.code is Code.SESSION_NO_PENDING_LOGIN


def test_giving_up_twice_is_giving_up_once(stage: Stage, ada: Person):
    browser = owed(stage, ada)
    assert isinstance(browser.ask(stage.flows.sessions.cancel, CONTEXT), SignInCancelled)
    with stage.writes():
        assert isinstance(browser.ask(stage.flows.sessions.cancel, CONTEXT), SignInCancelled)
    code = ada.app.code(stage.clock.now())
    assert stage.verify(ada, "totp", code, browser).code is Code.SESSION_NO_PENDING_LOGIN


def test_a_person_who_was_shut_out_meanwhile_does_not_arrive(stage: Stage, ada: Person):
    browser = owed(stage, ada)
    stage.save(attrs.evolve(stage.user(ada.user), active=False))
    code = ada.app.code(stage.clock.now())
    assert stage.verify(ada, "totp", code, browser).code is Code.SESSION_NO_PENDING_LOGIN


def test_the_owner_is_mailed_about_a_sign_in_after_three_failures(stage: Stage, ada: Person):
    browser = owed(stage, ada)
    for _ in range(3):
        stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), browser)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)
    stage.flows.relay.drain_until_quiet()
    assert "sign_in_after_failures" in {str(mail.kind) for mail in stage.mailer.sent}


# --- known browsers ---------------------------------------------------------------------------------------------------


def test_a_known_browser_has_budgets_of_its_own(stage: Stage, ada: Person):
    known = owed(stage, ada)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), known)
    stage.clock.advance(STEP)
    stranger = owed(stage, ada)
    for _ in range(5):
        stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), stranger)
    right = ada.app.code(stage.clock.now())
    assert stage.verify(ada, "totp", right, stranger).code is Code.MFA_RATE_LIMITED
    stage.sign_in(ada, known)
    arrived = stage.verify(ada, "totp", right, known)
    assert isinstance(arrived, Elevated)
    assert arrived.device is None, "it is known by the value it has"


def test_a_known_browser_still_owes_the_second_factor(stage: Stage, ada: Person):
    known = owed(stage, ada)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), known)
    known.ask(stage.flows.sessions.sign_out, CONTEXT)
    assert isinstance(stage.sign_in(ada, known), SecondFactorOwed)
    assert not stage.flows.sessions.identify(known.session).elevated


# --- being signed in --------------------------------------------------------------------------------------------------


def test_a_second_factor_elevates_for_fifteen_minutes_and_then_again(stage: Stage, ada: Person):
    stage.clock.advance(timedelta(minutes=15) - STEP)
    assert stage.identify(ada).elevated
    stage.clock.advance(INSTANT)
    assert not stage.identify(ada).elevated
    answer = stage.verify(ada, "totp", ada.app.code(stage.clock.now()))
    assert isinstance(answer, Elevated)
    assert (answer.level, answer.session.renew) == (Level.TWO, False)
    assert stage.identify(ada).elevated
    assert stage.audited(ada)[-1] == "reauthenticated"


def test_a_password_elevates_nobody_who_has_a_factor(stage: Stage, ada: Person):
    stage.clock.advance(timedelta(minutes=16))
    stage.sign_in(ada)
    asker = stage.identify(ada)
    assert (asker.level, asker.elevated) == (Level.TWO, False)
    assert ada.browser.ask(stage.flows.mfa.regenerate_codes, CONTEXT).code is Code.SESSION_ELEVATION_REQUIRED


def test_an_elevation_that_was_seen_to_lapse_does_not_come_back(stage: Stage, ada: Person):
    start = stage.clock.now()
    stage.clock.advance(timedelta(minutes=16))
    assert not stage.identify(ada).elevated
    stage.clock.set(start)
    assert not stage.identify(ada).elevated


def test_a_wrong_code_takes_nothing_from_a_session_that_is_signed_in(stage: Stage, ada: Person):
    answer = stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()))
    assert (answer.code, answer.attempts_left) == (Code.MFA_CODE_REJECTED, None)
    assert stage.identify(ada).elevated


def test_another_person_takes_the_browser_over_and_inherits_nothing(stage: Stage, ada: Person):
    bob = stage.person("bob@example.com")
    before = ada.browser.session
    answer = stage.sign_in(bob, ada.browser)
    assert (answer.user, answer.level, answer.session.renew) == (bob.user, Level.ONE, True)
    assert stage.flows.sessions.identify(before).why_not is Code.SESSION_SUPERSEDED
    assert stage.audited(ada)[-1] == "signed_out"


def test_logging_out_everywhere_else(stage: Stage, ada: Person):
    other = owed(stage, ada)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), other)
    pending = owed(stage, ada)
    answer = other.ask(stage.flows.sessions.end_others, CONTEXT)
    assert (type(answer), answer.count) == (OthersEnded, 1)
    assert stage.identify(ada).why_not is Code.SESSION_ENDED
    stage.clock.advance(STEP)
    code = ada.app.code(stage.clock.now())
    assert stage.verify(ada, "totp", code, pending).code is Code.SESSION_NO_PENDING_LOGIN
    assert stage.flows.sessions.identify(other.session).user == ada.user


def test_signing_out_is_for_good(stage: Stage, ada: Person):
    before = ada.browser.session
    assert isinstance(ada.browser.ask(stage.flows.sessions.sign_out, CONTEXT), SignedOut)
    assert ada.browser.session == NOBODY
    assert stage.flows.sessions.identify(before).why_not is Code.SESSION_ENDED
    with stage.writes():
        assert isinstance(stage.flows.sessions.sign_out(before, CONTEXT), SignedOut)


def test_a_session_lives_for_fourteen_days(stage: Stage):
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    stage.clock.advance(timedelta(days=14) - INSTANT)
    assert stage.identify(bob).user == bob.user
    stage.clock.advance(INSTANT)
    assert stage.identify(bob).why_not is Code.SESSION_ENDED
    stage.clock.advance(timedelta(days=-1))
    assert stage.identify(bob).why_not is Code.SESSION_ENDED
