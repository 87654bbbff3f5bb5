"""Enrolling through the facade: the gates, the proof, rotation in place, and the recovery codes that come with it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import Arrived, Begun, Code, CodesShown, Elevated, Enrolled, InvitationFate, MfaPolicy, Policy, Refused
from authflow.facts.records import MailKind
from authflow.mfa.answers import Cancelled
from authflow.mfa.factor import Mode
from authflow.testing.browsers import Browser, Phone
from tests.stage import CONTEXT, STEP, Stage

if TYPE_CHECKING:
    from authflow.values import AuthenticatorId
    from tests.stage import Person

INSTANT = timedelta(microseconds=1)


@pytest.fixture
def ada(stage: Stage) -> Person:
    """Somebody who is signed in and has no factor."""
    person = stage.person()
    stage.sign_in(person)
    return person


def completed(stage: Stage, person: Person, flow: str, code: str | None, **given: Any) -> Any:
    return person.browser.ask(stage.flows.mfa.complete_totp, CONTEXT, flow, code=code, **given)


def held(stage: Stage, person: Person, kind: str) -> Any:
    entries = person.browser.ask(stage.flows.mfa.listing).entries
    return next(entry.held for entry in entries if entry.kind.id == kind)


# --- the proposal -----------------------------------------------------------------------------------------------------


def test_beginning_enrolls_nothing(stage: Stage, ada: Person):
    with stage.writes("factor", "limit"):
        begun = stage.begin(ada)
    assert begun.mode is Mode.NEW
    assert begun.expires_at == stage.clock.now() + timedelta(minutes=10)
    assert begun.secret.reveal() in begun.uri.reveal()
    assert begun.grouped.reveal().replace(" ", "") == begun.secret.reveal()
    assert not ada.browser.ask(stage.flows.mfa.listing).protected
    assert isinstance(stage.sign_in(ada, Browser(CONTEXT)), Arrived), "nothing is owed yet"


def test_the_secret_is_shown_again_to_its_own_browser_only(stage: Stage, ada: Person):
    begun, other = stage.begin(ada), Browser(CONTEXT)
    stage.sign_in(ada, other)
    again = ada.browser.ask(stage.flows.mfa.show_totp, CONTEXT, begun.flow, account=ada.user)
    assert isinstance(again, Begun)
    assert (again.secret, again.expires_at) == (begun.secret, begun.expires_at)
    with stage.writes():
        foreign = other.ask(stage.flows.mfa.show_totp, CONTEXT, begun.flow, account=ada.user)
        code = Phone(begun.secret).code(stage.clock.now())
    with stage.writes("limit"):
        proven = other.ask(stage.flows.mfa.complete_totp, CONTEXT, begun.flow, code=code)
    assert foreign.code is proven.code is Code.MFA_ENROLLMENT_STATE_CHANGED


def test_a_newer_proposal_voids_the_older_one(stage: Stage, ada: Person):
    first, second = stage.begin(ada), stage.begin(ada)
    assert stage.complete(ada, first).code is Code.MFA_ENROLLMENT_STATE_CHANGED
    assert isinstance(stage.complete(ada, second), Enrolled)


def test_a_cancelled_proposal_cannot_be_proven(stage: Stage, ada: Person):
    begun = stage.begin(ada)
    assert isinstance(ada.browser.ask(stage.flows.mfa.cancel_totp, CONTEXT, begun.flow), Cancelled)
    with stage.writes():
        assert isinstance(ada.browser.ask(stage.flows.mfa.cancel_totp, CONTEXT, begun.flow), Cancelled)
    assert stage.complete(ada, begun).code is Code.MFA_ENROLLMENT_STATE_CHANGED


def test_five_wrong_proofs_end_it(stage: Stage, ada: Person):
    begun = stage.begin(ada)
    wrong = Phone(begun.secret).wrong(stage.clock.now())
    with stage.writes("attempt", "limit", "audit", "outbox"):
        assert stage.complete(ada, begun, wrong).attempts_left == 4
    ada.browser.ask(stage.flows.mfa.show_totp, CONTEXT, begun.flow, account=ada.user)
    assert [stage.complete(ada, begun, wrong).attempts_left for _ in range(3)] == [3, 2, 1]
    with stage.writes("attempt", "limit", "audit", "outbox", "factor"):
        assert stage.complete(ada, begun, wrong).code is Code.MFA_ENROLLMENT_ENDED
    assert stage.complete(ada, begun).code is Code.MFA_ENROLLMENT_STATE_CHANGED
    assert stage.audited(ada)[-2:] == ["mfa_failed", "mfa_enrollment_ended"]


def test_a_proposal_lives_for_ten_minutes_and_never_again(stage: Stage, ada: Person):
    begun, start = stage.begin(ada), stage.clock.now()
    stage.clock.advance(timedelta(minutes=10))
    assert stage.complete(ada, begun).code is Code.MFA_ENROLLMENT_EXPIRED
    stage.clock.set(start)
    assert stage.complete(ada, begun).code is Code.MFA_ENROLLMENT_STATE_CHANGED


def test_a_proposal_is_good_until_its_last_instant(stage: Stage, ada: Person):
    begun = stage.begin(ada)
    stage.clock.advance(timedelta(minutes=10) - INSTANT)
    assert isinstance(stage.complete(ada, begun), Enrolled)


# --- the gates --------------------------------------------------------------------------------------------------------


def test_an_old_password_enrolls_nothing(stage: Stage, ada: Person):
    begun = stage.begin(ada)
    stage.clock.advance(timedelta(minutes=9))
    again = stage.begin(ada)
    stage.clock.advance(timedelta(minutes=6) + INSTANT)
    with stage.writes("session"):  # that the elevation lapsed is remembered
        assert stage.complete(ada, begun).code is Code.SESSION_ELEVATION_REQUIRED
    with stage.writes():
        refused = ada.browser.ask(stage.flows.mfa.begin_totp, CONTEXT, account=ada.user)
    assert refused.code is Code.SESSION_ELEVATION_REQUIRED
    stage.sign_in(ada)
    assert isinstance(stage.complete(ada, again), Enrolled)


def test_an_unverified_primary_address_may_begin_and_not_complete(stage: Stage):
    bob = stage.person("bob@example.com", verified=False)
    stage.sign_in(bob)
    begun = stage.begin(bob)
    with stage.writes():
        assert stage.complete(bob, begun).code is Code.MFA_ADDRESS_UNVERIFIED


def test_ten_completions_a_day_count_good_or_bad(stage: Stage, ada: Person):
    codes = list[Code]()
    for number in range(10):
        answer = completed(stage, ada, "no-such-flow", "123456" if number % 2 else "")
        codes.append(answer.code)
    assert codes == [Code.MFA_INPUT_INVALID, Code.MFA_ENROLLMENT_STATE_CHANGED] * 5
    begun = stage.begin(ada)
    with stage.writes("audit", "outbox"):
        refused = stage.complete(ada, begun)
    assert (refused.code, refused.retry_after) == (Code.MFA_RATE_LIMITED, timedelta(days=1))
    stage.clock.advance(timedelta(days=1))
    stage.sign_in(ada)
    assert isinstance(stage.complete(ada, stage.begin(ada)), Enrolled)


def test_nobody_enrolls_for_somebody_else(stage: Stage, ada: Person):
    root = stage.administrator()
    begun = stage.begin(root)
    code = Phone(begun.secret).code(stage.clock.now())
    answer = completed(stage, root, begun.flow, code, user=ada.user)
    assert answer.code is Code.MFA_NOT_SELF
    assert not ada.browser.ask(stage.flows.mfa.listing).protected


@pytest.mark.parametrize("code", [None, "", " ", "\u2003", "1" * 21, "1" * 100_000])
def test_a_code_that_cannot_be_looked_at_costs_no_attempt(stage: Stage, ada: Person, code: str | None):
    begun = stage.begin(ada)
    with stage.writes("limit"):
        answer = completed(stage, ada, begun.flow, code)
    assert answer.code is Code.MFA_INPUT_INVALID
    assert set(answer.problems) == {"code"}
    assert stage.complete(ada, begun, "000000").attempts_left == 4


@pytest.mark.parametrize("shape", ["full-width", "arabic", "nul", "surrogate", "signed", "letters", "short", "long"])
def test_a_code_in_foreign_digits_is_a_wrong_code(stage: Stage, ada: Person, shape: str):
    begun = stage.begin(ada)
    right = Phone(begun.secret).code(stage.clock.now())
    shapes = {
        "full-width": "".join(chr(0xFF10 + int(d)) for d in right),
        "arabic": "".join(chr(0x0660 + int(d)) for d in right),
        "nul": f"{right}\x00",
        "surrogate": f"{right}\ud800",
        "signed": f"+{right}",
        "letters": "abcdef",
        "short": right[:5],
        "long": f"0{right}",
    }
    answer = completed(stage, ada, begun.flow, shapes[shape])
    assert (answer.code, answer.attempts_left) == (Code.MFA_CODE_REJECTED, 4)


@pytest.mark.parametrize("policy", [MfaPolicy(closed_kinds=frozenset({"totp"})), None], ids=["closed", "unavailable"])
def test_what_the_installation_does_not_offer_is_not_enrolled(uow: Any, policy: MfaPolicy | None):
    stage = Stage(uow, Policy(mfa=policy or MfaPolicy(unavailable_kinds=frozenset({"totp"}))))
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    expected = Code.MFA_KIND_UNAVAILABLE if policy is None else Code.MFA_ENROLLMENT_CLOSED
    begun = bob.browser.ask(stage.flows.mfa.begin_totp, CONTEXT, account=bob.user)
    assert (begun.code, completed(stage, bob, "flow", "123456").code) == (expected, expected)


# --- rotation in place ------------------------------------------------------------------------------------------------


@pytest.fixture
def protected(stage: Stage, ada: Person) -> Person:
    """Ada, protected, one step ago."""
    stage.enroll(ada)
    stage.clock.advance(STEP)
    return ada


def test_the_old_app_works_until_the_new_one_is_proven(stage: Stage, protected: Person):
    old, begun = protected.app, stage.begin(protected)
    assert begun.mode is Mode.ROTATION
    assert isinstance(stage.verify(protected, "totp", old.code(stage.clock.now())), Elevated)
    stage.clock.advance(STEP)
    assert isinstance(stage.complete(protected, begun), Enrolled)
    stage.clock.advance(STEP)
    assert stage.verify(protected, "totp", old.code(stage.clock.now())).code is Code.MFA_CODE_REJECTED
    assert isinstance(stage.verify(protected, "totp", Phone(begun.secret).code(stage.clock.now())), Elevated)


def test_a_rotation_keeps_the_id_and_the_name_and_renews_the_rest(stage: Stage, protected: Person):
    factor: Any = protected.factor
    stage.verify(protected, "totp", protected.app.code(stage.clock.now()))
    protected.browser.ask(stage.flows.mfa.rename, CONTEXT, factor, name="My phone")
    before, elsewhere = held(stage, protected, "totp"), Browser(CONTEXT)
    stage.clock.advance(STEP)
    stage.sign_in(protected, elsewhere)
    stage.verify(protected, "totp", protected.app.code(stage.clock.now()), elsewhere)
    codes = protected.codes
    stage.clock.advance(STEP)
    answer = stage.enroll(protected)
    after = held(stage, protected, "totp")
    assert (answer.rotated, answer.authenticator, answer.recovery_codes) == (True, factor, ())
    assert answer.ended_sessions == 1
    assert (after.id, after.name) == (before.id, before.name) == (factor, "My phone")
    assert before.last_used_at is not None
    assert (after.created_at, after.last_used_at) == (stage.clock.now(), None)
    assert stage.flows.sessions.identify(elsewhere.session).why_not is Code.SESSION_ENDED
    assert stage.audited(protected)[-2:] == ["mfa_rotated", "sessions_ended"]
    assert held(stage, protected, "recovery").remaining == len(codes) == 10
    assert isinstance(stage.verify(protected, "recovery", codes[0]), Elevated)


def test_the_replay_state_belongs_to_the_secret(stage: Stage, protected: Person):
    """The old secret's newest step does not burn the new one's; the proof's own step is burnt."""
    now = stage.clock.now()
    assert isinstance(stage.verify(protected, "totp", protected.app.code(now, steps=1)), Elevated)
    begun = stage.begin(protected)
    phone = Phone(begun.secret)
    assert isinstance(stage.complete(protected, begun, phone.code(now, steps=-1)), Enrolled)
    assert stage.verify(protected, "totp", phone.code(now, steps=-1)).code is Code.MFA_CODE_REJECTED
    assert isinstance(stage.verify(protected, "totp", phone.code(now)), Elevated)


def test_a_factor_that_was_removed_meanwhile_is_never_enrolled_anew_by_a_rotation(stage: Stage, protected: Person):
    begun = stage.begin(protected)
    factor: Any = protected.factor
    protected.browser.ask(stage.flows.mfa.remove, CONTEXT, factor)
    answer = stage.complete(protected, begun)
    assert answer.code is Code.MFA_ENROLLMENT_STATE_CHANGED
    assert not protected.browser.ask(stage.flows.mfa.listing).protected


def test_a_rotation_completes_a_waiting_click_too(stage: Stage, protected: Person):
    acme = stage.organization(require_second_factor=True, require_verified_address=True)
    olga = stage.owner(acme)
    letter = stage.invite(olga, acme, protected.user)
    unproven = stage.user(protected.user)
    lost = attrs.evolve(unproven.addresses[0], verified_at=None)
    begun = stage.begin(protected)
    stage.save(attrs.evolve(unproven, addresses=(lost,)))
    stage.accept(protected, letter)
    stage.save(unproven)
    assert stage.complete(protected, begun).invitation.fate is InvitationFate.JOINED


# --- recovery codes ---------------------------------------------------------------------------------------------------


def test_ten_codes_come_with_the_first_factor_and_none_with_the_next(stage: Stage, ada: Person):
    assert len(stage.enroll(ada).recovery_codes) == 10
    stage.clock.advance(STEP)
    assert stage.enroll(ada).recovery_codes == ()


def test_a_closed_kind_means_do_not_add(uow: Any):
    stage = Stage(uow, Policy(mfa=MfaPolicy(closed_kinds=frozenset({"recovery"}))))
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    assert stage.enroll(bob).recovery_codes == ()
    assert held(stage, bob, "recovery") is None


def test_new_codes_kill_all_old_ones(stage: Stage, protected: Person):
    old = protected.codes
    shown = protected.browser.ask(stage.flows.mfa.regenerate_codes, CONTEXT)
    assert isinstance(shown, CodesShown)
    fresh = [code.reveal() for code in shown.codes]
    assert len(set(fresh) | set(old)) == 20
    assert stage.verify(protected, "recovery", old[0]).code is Code.MFA_CODE_REJECTED
    assert isinstance(stage.verify(protected, "recovery", fresh[0]), Elevated)
    assert held(stage, protected, "recovery").remaining == 9
    assert [m.to for m in stage.mails(MailKind.RECOVERY_CODES_REGENERATED)] == [protected.user]


def test_the_number_left_is_told_and_never_the_codes(stage: Stage, protected: Person):
    stage.verify(protected, "recovery", protected.codes[3])
    entry: AuthenticatorId = held(stage, protected, "recovery").id
    details = protected.browser.ask(stage.flows.mfa.details, entry)
    assert details.entry.held.remaining == 9
    assert not any(code in repr(details) for code in protected.codes)
    assert [m.context["remaining"] for m in stage.mails(MailKind.RECOVERY_CODE_USED)] == [9]


def test_without_a_factor_there_are_no_codes_to_make(stage: Stage, ada: Person):
    with stage.writes():
        assert ada.browser.ask(stage.flows.mfa.regenerate_codes, CONTEXT).code is Code.MFA_NOT_ENROLLED


@pytest.mark.parametrize("name", ["", "  ", "\t", "n" * 61, None])
def test_an_empty_name_is_an_error_and_no_regeneration(stage: Stage, protected: Person, name: str | None):
    factor: Any = protected.factor
    with stage.writes():
        answer = protected.browser.ask(stage.flows.mfa.rename, CONTEXT, factor, name=name)
    assert isinstance(answer, Refused)
    assert answer.code is Code.MFA_INPUT_INVALID
