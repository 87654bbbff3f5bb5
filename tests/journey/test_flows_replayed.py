"""Commands repeated under one idempotency key: one effect, one answer, for whoever asked (decision 8)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow import BrowserSession, Code, Context, Refused
from authflow.errors import InputInvalid, NotOwned
from authflow.journey.answers import AccountDeleted, Arrived, Enrolled
from authflow.journey.replay import FORMER_LIFETIME, LIFETIME, LIFETIME_WITH_SECRETS
from authflow.mfa.answers import CodesShown, Renamed
from authflow.sessions.commands import OthersEnded, SignedOut
from authflow.testing.browsers import Browser, Phone
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import NOBODY, Secret, UserId
from tests.stage import CONTEXT, STEP, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stage import Person

KEY: Final = "7a0c7f7e-1"
INSTANT: Final = timedelta(microseconds=1)


def keyed(key: Any = KEY) -> Context:
    return attrs.evolve(CONTEXT, idempotency_key=key)


@attrs.frozen
class Proving:
    """An enrollment whose proof is asked for under one key, as often as one likes."""

    host: Stage
    former: BrowserSession
    ask: Callable[..., Any]

    @classmethod
    def of(cls, host: Stage, person: Person) -> Proving:
        host.sign_in(person)
        begun = host.begin(person)
        code = Phone(begun.secret).code(host.clock.now())

        def ask(session: BrowserSession, key: str = KEY, code: str = code) -> Any:
            return host.flows.mfa.complete_totp(session, keyed(key), begun.flow, code=code)

        return cls(host, person.browser.session, ask)


@pytest.fixture
def proving(host: Stage) -> Proving:
    return Proving.of(host, host.person())


def replies(host: Stage) -> Any:
    return host.snapshot().get("reply", frozenset())


def forge(session: BrowserSession) -> BrowserSession:
    """Return the value of somebody who knows the row's public handle, and nothing secret."""
    return attrs.evolve(session, secret=Secret("guessed"))


# --- one effect, one answer -----------------------------------------------------------------------------------------


def test_whoever_was_not_told_the_answer_gets_it_with_the_value_that_replaced_theirs(proving: Proving):
    answer = proving.ask(proving.former)
    assert isinstance(answer, Enrolled)
    assert answer.recovery_codes
    with proving.host.writes():
        again = proving.ask(proving.former)
    assert again == answer
    assert again.session.renew


def test_with_the_next_value_the_answer_is_the_same_and_the_value_stays(proving: Proving):
    answer = proving.ask(proving.former)
    held = BrowserSession.from_json(answer.session.to_json())
    with proving.host.writes():
        again = proving.ask(held)
    assert again == attrs.evolve(answer, session=held)
    assert not again.session.renew


def test_many_at_once_have_one_effect_and_one_answer(proving: Proving):
    answers = at_once(lambda _: proving.ask(proving.former))
    assert isinstance(answers[0], Enrolled)
    assert answers == [answers[0]] * THREADS
    assert len(replies(proving.host)) == 1
    audited = [entry.event for entry in proving.host.joining.audit.of_user(answers[0].session.user)]
    assert len(audited) == len(set(audited))


def test_a_refusal_is_an_answer_too(proving: Proving):
    """A wrong code counts once, however often its answer is lost; a new try has a new key."""
    wrong = [proving.ask(proving.former, key="wrong", code="000000") for _ in range(3)]
    assert wrong[0].code is Code.MFA_CODE_REJECTED
    assert wrong == [wrong[0]] * 3
    assert proving.ask(proving.former, key="next", code="000000").attempts_left == wrong[0].attempts_left - 1


def test_the_gates_have_moved_on_since(host: Stage, ada: Person):
    """Only authentication runs: what was allowed when it was done is not asked again."""
    session = ada.browser.session
    answer = host.flows.mfa.rename(session, keyed(), ada.factor, name="phone")
    assert isinstance(answer, Renamed)
    host.clock.advance(host.policy.sessions.elevation_age + INSTANT)
    assert host.flows.mfa.rename(session, CONTEXT, ada.factor, name="phone").code is Code.SESSION_ELEVATION_REQUIRED
    assert host.flows.mfa.rename(session, keyed(), ada.factor, name="phone") == answer


def test_without_a_key_nothing_is_stored(host: Stage, ada: Person):
    shown = [host.flows.mfa.regenerate_codes(ada.browser.session, CONTEXT) for _ in range(2)]
    assert shown[0] != shown[1]
    assert not replies(host)


def test_what_raises_stores_nothing(host: Stage, ada: Person):
    session = ada.browser.session
    with pytest.raises(InputInvalid):
        host.flows.sessions.establish(session, keyed(), user=UserId(""), proof=host.password())
    assert not replies(host)
    assert isinstance(host.sign_in(ada), Arrived)


# --- whose answer it is ---------------------------------------------------------------------------------------------


def test_another_command_under_the_same_key_is_another_command(host: Stage, ada: Person):
    session = ada.browser.session
    shown = host.flows.mfa.regenerate_codes(session, keyed())
    renamed = host.flows.mfa.rename(session, keyed(), ada.factor, name="phone")
    assert (type(shown), type(renamed)) == (CodesShown, Renamed)


def test_other_arguments_under_the_same_key_are_a_conflict(host: Stage, ada: Person):
    session = ada.browser.session
    host.flows.mfa.rename(session, keyed(), ada.factor, name="phone")
    with host.writes("attempt"):
        refused = host.flows.mfa.rename(session, keyed(), ada.factor, name="tablet")
    assert refused.code is Code.IDEMPOTENCY_CONFLICT
    assert refused.session == session


def test_after_other_arguments_the_first_ones_are_a_conflict_too_until_the_answer_expires(host: Stage, ada: Person):
    """Then the key is free, and so is what is counted: of the next answer nobody has missed anything."""
    session = ada.browser.session

    def rename(name: str) -> Any:
        return host.flows.mfa.rename(session, keyed(), ada.factor, name=name)

    rename("phone")
    rename("tablet")
    with host.writes():
        assert [rename(name).code for name in ("phone", "tablet")] == [Code.IDEMPOTENCY_CONFLICT] * 2
    host.clock.advance(LIFETIME)
    anew = rename("phone")
    assert anew.code is Code.SESSION_ELEVATION_REQUIRED
    assert rename("phone") == anew


def test_another_browser_of_the_same_person_is_none_of_it(host: Stage, ada: Person):
    other = Browser(CONTEXT)
    host.elevate(ada, other)
    first = host.flows.mfa.regenerate_codes(ada.browser.session, keyed())
    second = host.flows.mfa.regenerate_codes(other.session, keyed())
    assert (type(first), type(second)) == (CodesShown, CodesShown)
    assert first.codes != second.codes


def test_another_person_in_the_same_browser_is_none_of_it(host: Stage, ada: Person):
    """Nor in conflict: what they do under the same key is theirs."""
    before = host.flows.mfa.rename(ada.browser.session, keyed(), ada.factor, name="phone")
    assert isinstance(before, Renamed)
    ben = host.person("ben@example.com")
    ben.browser = ada.browser
    host.sign_in(ben)
    refused = host.flows.mfa.rename(ben.browser.session, keyed(), ada.factor, name="tablet")
    assert refused.code is Code.MFA_NOT_FOUND
    assert host.flows.mfa.rename(ben.browser.session, keyed(), ada.factor, name="tablet") == refused


def test_of_two_people_in_one_browser_neither_replaces_the_answer_of_the_other(host: Stage, ada: Person):
    """One after the other, under the same key: each has theirs when they come back."""
    ben = host.person("ben@example.com")
    host.sign_in(ben)
    host.enroll(ben)
    browser, told = ada.browser, dict[str, list[Any]]()
    for _ in range(2):
        for person in (ada, ben):
            host.elevate(person, browser)
            answer = host.flows.mfa.regenerate_codes(browser.session, keyed())
            told.setdefault(person.user, []).append(answer.codes)
    assert [codes[0] == codes[1] for codes in told.values()] == [True, True]
    assert told[ada.user] != told[ben.user]


def test_a_value_that_names_somebody_else_reaches_nothing_of_theirs(host: Stage, ada: Person):
    """Whom a value names is the host's to keep and a stranger's to forge: the row and the seal say who it is."""
    host.flows.mfa.regenerate_codes(ada.browser.session, keyed())
    ben = host.person("ben@example.com")
    ben.browser = ada.browser
    host.sign_in(ben)
    forged = attrs.evolve(ben.browser.session, user=ada.user)
    with host.writes():
        assert host.flows.mfa.regenerate_codes(forged, keyed()).code is Code.IDEMPOTENCY_CONFLICT


def test_the_same_person_in_the_same_browser_gets_it_under_a_later_value_too(host: Stage, ada: Person):
    answer = host.flows.mfa.rename(ada.browser.session, keyed(), ada.factor, name="phone")
    ada.browser.ask(host.flows.sessions.end_others, CONTEXT)
    with host.writes():
        again = host.flows.mfa.rename(ada.browser.session, keyed(), ada.factor, name="phone")
    assert again == attrs.evolve(answer, session=ada.browser.session)


def test_of_two_people_who_owe_a_second_factor_in_one_browser_each_is_judged(host: Stage, ada: Person):
    """Nobody is signed in yet in either sign-in: that does not make them the same person."""
    ben = host.person("ben@example.com")
    host.sign_in(ben)
    host.enroll(ben)
    one = Browser(CONTEXT)
    left = []
    for person, keys in ((ada, ("first", KEY, KEY)), (ben, (KEY, KEY, "last"))):
        host.sign_in(person, one)
        answers = [host.flows.mfa.verify(one.session, keyed(key), "totp", "000000") for key in keys]
        left.append([answer.attempts_left for answer in answers])
        host.clock.advance(timedelta(minutes=1))
    assert left == [[9, 8, 8], [9, 9, 8]]


def test_whoever_proves_a_second_factor_gets_the_answer_with_either_value(host: Stage, ada: Person):
    """The value that asked named nobody yet, and the next one names the person: both ask for the same reply."""
    browser = Browser(CONTEXT)
    host.clock.advance(STEP)
    host.sign_in(ada, browser)
    former, code = browser.session, ada.app.code(host.clock.now())
    answer = host.flows.mfa.verify(former, keyed(), "totp", code)
    assert isinstance(answer, Arrived)
    held = attrs.evolve(answer.session, renew=False)
    with host.writes():
        assert host.flows.mfa.verify(former, keyed(), "totp", code) == answer
        assert host.flows.mfa.verify(held, keyed(), "totp", code) == attrs.evolve(answer, session=held)
    with host.writes("attempt"):
        assert host.flows.mfa.verify(held, keyed(), "totp", "000000").code is Code.IDEMPOTENCY_CONFLICT
    with host.writes():
        assert host.flows.mfa.verify(held, keyed(), "totp", code).code is Code.IDEMPOTENCY_CONFLICT
        assert host.flows.mfa.verify(former, keyed(), "totp", code).code is not Code.IDEMPOTENCY_CONFLICT


def test_a_sign_in_replaces_no_answer_that_the_person_has_here(host: Stage, ada: Person):
    """What is stored for the value that comes after a sign-in is stored only where nothing stands."""
    browser, establish = Browser(CONTEXT), host.flows.sessions.establish
    bo, proof = host.person("bo@example.com"), host.password()
    for _ in range(2):
        host.sign_in(ada, browser)
        browser.ask(host.flows.sessions.cancel, CONTEXT)
        before = host.snapshot().get("reply", frozenset())
        browser.keep(establish(browser.session, keyed(), user=bo.user, proof=proof))
        assert before <= host.snapshot()["reply"]
    assert len(host.snapshot()["reply"]) == 3


def test_whoever_does_not_have_the_secret_gets_and_writes_nothing(proving: Proving):
    answer = proving.ask(proving.former)
    with proving.host.writes():
        for value in (forge(proving.former), forge(answer.session), attrs.evolve(NOBODY, secret=answer.session.secret)):
            refused = proving.ask(value)
            assert isinstance(refused, Refused)
            assert refused.code is not Code.IDEMPOTENCY_CONFLICT


def test_a_sign_in_is_never_repeated_to_another_browser(host: Stage):
    """A browser that has no row yet cannot be told from another: each gets a row of its own."""
    ada = host.person()
    answers = [host.flows.sessions.establish(NOBODY, keyed(), user=ada.user, proof=host.password()) for _ in range(2)]
    assert answers[0].session.id != answers[1].session.id
    assert not replies(host)


def test_a_sign_in_is_repeated_to_the_browser_that_asked(host: Stage, ada: Person):
    """Even if the host checked the password again in between: when it did is no argument."""
    browser = Browser(CONTEXT)
    host.sign_in(ada, browser)
    browser.ask(host.flows.sessions.cancel, CONTEXT)
    session = browser.session
    first = host.flows.sessions.establish(session, keyed(), user=ada.user, proof=host.password())
    host.clock.advance(timedelta(seconds=1))
    with host.writes():
        again = host.flows.sessions.establish(session, keyed(), user=ada.user, proof=host.password())
        held = attrs.evolve(first.session, renew=False)
        with_the_next = host.flows.sessions.establish(held, keyed(), user=ada.user, proof=host.password())
    assert again == first
    assert again.session != session
    assert with_the_next == attrs.evolve(first, session=held)


def test_a_sign_in_is_never_repeated_to_a_value_that_was_over_before_it(host: Stage, ada: Person):
    """Its browser got a row of its own; whoever finds the old value gets one, too."""
    session = ada.browser.session
    host.clock.advance(host.policy.sessions.lifetime)
    proof = host.password()
    first = host.flows.sessions.establish(session, keyed(), user=ada.user, proof=proof)
    assert not replies(host)
    again = host.flows.sessions.establish(session, keyed(), user=ada.user, proof=proof)
    assert len({session.id, first.session.id, again.session.id}) == 3


# --- values that the answer replaced or ended -----------------------------------------------------------------------


def test_a_replaced_value_fetches_the_answer_for_ten_minutes(proving: Proving):
    answer, clock = proving.ask(proving.former), proving.host.clock
    clock.advance(FORMER_LIFETIME - INSTANT)
    assert proving.ask(proving.former) == answer
    clock.advance(INSTANT)
    assert proving.ask(proving.former).code is Code.MFA_ENROLLMENT_STATE_CHANGED
    clock.advance(-INSTANT)
    assert proving.ask(proving.former).code is Code.MFA_ENROLLMENT_STATE_CHANGED


def test_that_time_is_over_for_good_also_where_the_answer_lives_longer(host: Stage, ada: Person):
    former = ada.browser.session
    answer = host.flows.sessions.end_others(former, keyed())
    assert isinstance(answer, OthersEnded)
    host.clock.advance(FORMER_LIFETIME)
    assert host.flows.sessions.end_others(former, keyed()).code is Code.SESSION_SUPERSEDED
    host.clock.advance(-INSTANT)
    assert host.flows.sessions.end_others(former, keyed()).code is Code.SESSION_SUPERSEDED
    held = attrs.evolve(answer.session, renew=False)
    assert host.flows.sessions.end_others(held, keyed()) == attrs.evolve(answer, session=held)


def test_a_replaced_value_fetches_that_one_answer_and_no_other(host: Stage, ada: Person):
    former = ada.browser.session
    ended = host.flows.sessions.end_others(former, keyed("end"))
    host.flows.mfa.rename(ended.session, keyed("rename"), ada.factor, name="phone")
    with host.writes():
        for command in (
            lambda: host.flows.sessions.end_others(former, keyed("another")),
            lambda: host.flows.mfa.rename(former, keyed("rename"), ada.factor, name="phone"),
            lambda: host.flows.mfa.regenerate_codes(former, keyed("end")),
        ):
            assert command().code is Code.SESSION_SUPERSEDED


def test_a_replaced_value_fetches_nothing_with_other_arguments(proving: Proving):
    proving.ask(proving.former)
    with proving.host.writes("attempt"):
        assert proving.ask(proving.former, code="000000").code is Code.MFA_ENROLLMENT_STATE_CHANGED


def test_a_stored_reply_is_no_place_to_guess_a_code(proving: Proving):
    """The first wrong argument is the last: from then on the right one fetches nothing either."""
    assert isinstance(proving.ask(proving.former), Enrolled)
    assert isinstance(proving.ask(proving.former), Enrolled)
    proving.ask(proving.former, code="000000")
    with proving.host.writes():
        assert proving.ask(proving.former).code is Code.MFA_ENROLLMENT_STATE_CHANGED


def limited(host: Stage, ada: Person) -> tuple[BrowserSession, str]:
    """Return a value that owes a second factor, and the right code, which was answered under the key, and not used."""
    browser = Browser(CONTEXT)
    host.clock.advance(STEP)
    host.sign_in(ada, browser)
    code = ada.app.code(host.clock.now())
    wrong = next(f"{n:06}" for n in range(10) if f"{n:06}" != code)
    while host.flows.mfa.verify(browser.session, CONTEXT, "totp", wrong).code is not Code.MFA_RATE_LIMITED:
        pass
    assert host.flows.mfa.verify(browser.session, keyed(), "totp", code).code is Code.MFA_RATE_LIMITED
    return browser.session, code


def test_a_refusal_that_looked_at_no_code_is_no_place_to_guess_it(host: Stage, ada: Person):
    """The right code is told from a wrong one once: whoever missed it is told nothing of it any more."""
    session, code = limited(host, ada)
    verify = host.flows.mfa.verify
    assert verify(session, keyed(), "totp", code).code is Code.MFA_RATE_LIMITED
    guesses = [f"{n:06}" for n in range(20) if f"{n:06}" != code]
    told = {verify(session, keyed(), "totp", guess).code for guess in (*guesses, code)}
    assert told == {Code.IDEMPOTENCY_CONFLICT}


def test_a_host_that_rolls_back_does_not_undo_a_miss(host: Stage, ada: Person):
    """Or each guess would be the first one; where the host could undo it, none is compared."""
    session, code = limited(host, ada)
    wrong = "000000" if code != "000000" else "000001"
    with pytest.raises((ZeroDivisionError, NotOwned)) as raised, host.uow.begin():
        host.flows.mfa.verify(session, keyed(), "totp", wrong)
        raise ZeroDivisionError
    missed = raised.type is not NotOwned
    with host.writes():
        told = host.flows.mfa.verify(session, keyed(), "totp", code).code
    assert told is (Code.IDEMPOTENCY_CONFLICT if missed else Code.MFA_RATE_LIMITED)


def test_a_value_that_was_replaced_twice_fetches_nothing(host: Stage, ada: Person):
    first = ada.browser.session
    second = host.flows.sessions.end_others(first, keyed()).session
    host.flows.sessions.end_others(second, CONTEXT)
    assert host.flows.sessions.end_others(first, keyed()).code is Code.SESSION_SUPERSEDED


def test_a_session_that_ended_since_is_told_so(proving: Proving):
    answer, host = proving.ask(proving.former), proving.host
    host.flows.sessions.sign_out(answer.session, CONTEXT)
    for value in (proving.former, answer.session):
        assert isinstance(proving.ask(value), Refused)


def test_signing_out_is_repeated_to_the_value_that_it_ended(host: Stage, ada: Person):
    session = ada.browser.session
    answer = host.flows.sessions.sign_out(session, keyed())
    assert isinstance(answer, SignedOut)
    with host.writes():
        assert host.flows.sessions.sign_out(session, keyed()) == answer


def test_a_deleted_person_is_told_that_they_are(host: Stage, ada: Person):
    """Their row is gone; the value that asked proves that it asked, for ten minutes."""
    session, delete = ada.browser.session, host.flows.accounts.delete
    answer = delete(session, keyed(), user=ada.user)
    assert isinstance(answer, AccountDeleted)
    assert delete(session, keyed(), user=ada.user) == answer
    assert delete(forge(session), keyed(), user=ada.user).code is Code.SESSION_REQUIRED
    host.clock.advance(FORMER_LIFETIME)
    assert delete(session, keyed(), user=ada.user).code is Code.SESSION_REQUIRED


# --- how long -------------------------------------------------------------------------------------------------------


def test_an_answer_lives_for_a_day(host: Stage, ada: Person):
    session, clock = ada.browser.session, host.clock
    answer = host.flows.mfa.rename(session, keyed(), ada.factor, name="phone")
    clock.advance(LIFETIME - INSTANT)
    assert host.flows.mfa.rename(session, keyed(), ada.factor, name="phone") == answer
    clock.advance(INSTANT)
    refused = host.flows.mfa.rename(session, keyed(), ada.factor, name="phone")
    assert refused.code is Code.SESSION_ELEVATION_REQUIRED
    clock.advance(-INSTANT)
    assert host.flows.mfa.rename(session, keyed(), ada.factor, name="phone").code is refused.code


def test_an_answer_with_secrets_lives_for_ten_minutes(host: Stage, ada: Person):
    session, clock = ada.browser.session, host.clock
    answer = host.flows.mfa.regenerate_codes(session, keyed())
    clock.advance(LIFETIME_WITH_SECRETS - INSTANT)
    assert host.flows.mfa.regenerate_codes(session, keyed()) == answer
    clock.advance(INSTANT)
    anew = host.flows.mfa.regenerate_codes(session, keyed())
    assert anew != answer
    clock.advance(-INSTANT)
    assert host.flows.mfa.regenerate_codes(session, keyed()) == anew


def test_what_has_expired_is_swept(host: Stage, ada: Person):
    host.flows.mfa.regenerate_codes(ada.browser.session, keyed())
    host.flows.mfa.rename(ada.browser.session, keyed(), ada.factor, name="phone")
    host.clock.advance(LIFETIME_WITH_SECRETS)
    assert host.flows.upkeep.sweep().replies == 1
    assert len(replies(host)) == 1


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "k" * 65, "k\n", "k\x00", "\u00e9", "\ud800", 7])
def test_a_key_that_is_none_is_refused_and_nothing_happens(host: Stage, ada: Person, key: Any):
    with host.writes():
        refused = host.flows.mfa.rename(ada.browser.session, keyed(key), ada.factor, name="phone")
    assert refused.code is Code.IDEMPOTENCY_KEY_INVALID
    assert refused.session == ada.browser.session


def test_a_refused_key_is_explained_by_its_gate(host: Stage, ada: Person):
    refused = host.flows.mfa.rename(ada.browser.session, keyed("k\n"), ada.factor, name="phone")
    assert (refused.why.gate, refused.why.facts) == ("malformed", {})


def test_a_conflict_is_explained_by_its_rule(host: Stage, ada: Person):
    session = ada.browser.session
    host.flows.mfa.rename(session, keyed(), ada.factor, name="phone")
    why = host.flows.mfa.rename(session, keyed(), ada.factor, name="tablet").why
    assert (why.machine, why.state, why.rule) == ("journey.replay", "Stored", "repeat")
    assert why.facts["alike"] == "False"


@pytest.mark.parametrize("key", ["k", "k" * 64, " ", "~/{}"])
def test_any_printable_text_is_a_key(host: Stage, ada: Person, key: str):
    session = ada.browser.session
    shown = [host.flows.mfa.regenerate_codes(session, keyed(key)) for _ in range(2)]
    assert isinstance(shown[0], CodesShown)
    assert shown[0] == shown[1]
