"""Sessions on every database: what is stored, what an old value opens, and who wins a race."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.errors import Code
from authflow.policy import MfaPolicy, Policy
from authflow.sessions.commands import (
    Elevated,
    EnrollmentOwed,
    OthersEnded,
    SecondFactorOwed,
    SignedIn,
    SignedOut,
    SignInCancelled,
)
from authflow.sessions.states import Anonymous, Ended, FactorOwed
from authflow.testing.contracts.threads import at_once
from authflow.testing.samples.sessions import ACME, ACME_IDP, ANNE, BEN, POLICY, SECOND, sso
from authflow.values import NOBODY, Asker, BrowserSession, Level, Method, Refused, Secret, SessionId, UserId
from tests.sessions.world import CONTEXT, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.ports import Account, Stored
    from authflow.sessions.states import Session

SYSTEM = Asker(user=None, session=SessionId(""), label="system")


@pytest.fixture
def world(uow: Any) -> World:
    return World(uow)


def code(answer: object) -> Code:
    assert isinstance(answer, Refused), answer
    return answer.code


# --- values and rows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        NOBODY,
        BrowserSession(id=SessionId("unknown"), secret=Secret("x"), generation=1),
        BrowserSession(id=SessionId("nul\x00"), secret=Secret("x"), generation=1),
        BrowserSession(id=SessionId("\ud800"), secret=Secret("\ud800"), generation=1),
        BrowserSession(id=SessionId("x" * 10_000), secret=Secret("x" * 10_000), generation=-(2**70)),
        BrowserSession.from_json({"id": "a", "secret": "b", "generation": 3, "user": "anne"}),
    ],
    ids=["nobody", "unknown", "nul", "surrogate", "oversized", "forged"],
)
def test_a_strangers_value_is_an_answer_and_never_an_error(world: World, value: BrowserSession) -> None:
    asker = world.identify(value)
    assert (asker.user, asker.session, asker.why_not) == (None, "", Code.SESSION_REQUIRED)
    assert code(world.service.look(value)) is Code.SESSION_REQUIRED
    assert code(world.service.sign_out(value, CONTEXT)) is Code.SESSION_REQUIRED
    assert code(world.prove(value)) is Code.SESSION_REQUIRED
    assert isinstance(world.establish(value), SignedIn)


def test_the_right_id_with_a_wrong_secret_opens_nothing(world: World) -> None:
    mine = world.signed_in()
    for secret in (Secret(""), Secret("guess"), Secret(mine.secret.reveal().upper())):
        assert world.identify(attrs.evolve(mine, secret=secret)).why_not is Code.SESSION_REQUIRED
    assert world.identify(mine).user == ANNE


def test_the_row_decides_and_not_what_the_value_says(world: World) -> None:
    """The cached user is for the host's pages only (decision 3)."""
    mine = attrs.evolve(world.signed_in(), user=BEN)
    assert world.identify(mine).user == ANNE


def test_a_value_survives_its_trip_through_json(world: World) -> None:
    mine = world.signed_in()
    again = BrowserSession.from_json(json.loads(json.dumps(mine.to_json())))
    assert world.identify(again) == world.identify(mine)
    assert (mine.renew, again.renew) == (True, False)


def test_only_digests_are_stored(world: World) -> None:
    first = world.signed_in()
    second = world.service.end_others(first, CONTEXT, reason="asked").session
    stored = world.row(second)
    assert stored is not None
    kept = repr(attrs.asdict(stored))
    assert first.secret.reveal() not in kept
    assert second.secret.reveal() not in kept
    assert first.secret != second.secret


def test_a_browser_gets_a_row_for_what_may_hang_on_it(world: World) -> None:
    def kept_or_new(session: BrowserSession) -> BrowserSession:
        return world.service.kept_or_new(session, world.identify(session))

    opened = kept_or_new(NOBODY)
    assert (opened.renew, opened.user) == (True, None)
    assert world.identify(opened).session == opened.id
    assert world.identify(opened).why_not is Code.SESSION_REQUIRED
    assert kept_or_new(opened) == attrs.evolve(opened, renew=False)
    signed_in = world.signed_in(session=opened)
    assert signed_in.id == opened.id
    for dead in (NOBODY, opened):  # a stranger's, and a superseded one
        assert kept_or_new(dead).id not in {opened.id, ""}
    world.service.sign_out(signed_in, CONTEXT)
    assert kept_or_new(signed_in).id not in {opened.id, ""}


# --- signing in -----------------------------------------------------------------------------------------------------


def test_who_has_no_second_factor_is_signed_in(world: World) -> None:
    answer = world.establish()
    assert isinstance(answer, SignedIn)
    assert (answer.user, answer.level, answer.session.user, answer.session.renew) == (ANNE, Level.ONE, ANNE, True)
    asker = world.identify(answer.session)
    assert (asker.user, asker.label, asker.elevated, asker.why_not) == (ANNE, "Anne", True, None)
    assert world.audited() == ["login_succeeded"]


def test_who_has_one_owes_it_and_is_nobody_until_then(world: World) -> None:
    world.protect()
    owing = world.owing()
    assert owing.user is None
    asker = world.identify(owing)
    assert (asker.user, asker.why_not, asker.session) == (None, Code.SESSION_SECOND_FACTOR_OWED, owing.id)
    pending = world.service.challenged(owing, world.clock.now())
    assert isinstance(pending, FactorOwed)
    assert pending.user == ANNE
    answer = world.prove(owing)
    assert isinstance(answer, SignedIn)
    assert (answer.level, answer.session.id, answer.session.generation) == (Level.TWO, owing.id, owing.generation + 1)
    assert world.identify(answer.session).elevated
    assert not isinstance(world.service.challenged(answer.session, world.clock.now()), FactorOwed | Refused)
    assert world.audited() == ["login_pending", "login_succeeded"]


@pytest.mark.parametrize("user", [BEN, UserId("nobody"), UserId("")])
def test_who_is_inactive_or_unknown_is_refused_alike_and_gets_nothing(world: World, user: UserId) -> None:
    world.deactivate(BEN)
    answer = world.establish(user=user)
    assert answer == Refused(code=Code.SESSION_USER_INACTIVE, session=NOBODY)
    with world.uow.begin() as tx:
        assert tx.sessions.remove_expired(world.clock.now() + timedelta(days=400)) == 0


def test_a_refused_first_factor_leaves_the_session_as_it_was(world: World) -> None:
    mine = world.signed_in()
    before = world.row(mine)
    answer = world.service.establish(mine, CONTEXT, user=ANNE, proof=world.proof(Method.TOTP))
    assert code(answer) is Code.SESSION_PROOF_INVALID
    assert answer.session == mine
    assert world.row(mine) == before


def test_a_sign_in_through_an_organization_opens_it_and_elevates_nothing(world: World) -> None:
    answer = world.service.establish(NOBODY, CONTEXT, user=ANNE, proof=sso(world.clock.now(), ACME, ACME_IDP))
    asker = world.identify(answer.session)
    assert (asker.user, asker.organizations, asker.level, asker.elevated) == (ANNE, {ACME}, Level.NONE, False)
    own = world.establish(answer.session)
    assert own.session.generation == answer.session.generation + 1
    assert world.identify(own.session).elevated


def test_a_second_factor_elevates_a_session_whose_time_of_elevation_is_over(world: World) -> None:
    world.protect()
    mine = world.prove(world.owing()).session
    world.clock.advance(POLICY.elevation_age + SECOND)
    assert not world.identify(mine).elevated
    assert not world.identify(world.establish(mine).session).elevated
    answer = world.prove(mine, Method.RECOVERY_CODE)
    assert isinstance(answer, Elevated)
    assert answer.session == attrs.evolve(mine, renew=mine.renew)
    assert world.identify(mine).elevated


# --- old values -----------------------------------------------------------------------------------------------------

EVERYTHING: dict[str, Callable[[World, BrowserSession], object]] = {
    "identify": lambda w, s: w.identify(s),
    "enrolling": lambda w, s: w.service.enrolling(s, w.clock.now()),
    "look": lambda w, s: w.service.look(s),
    "challenged": lambda w, s: w.service.challenged(s, w.clock.now()),
    "prove": lambda w, s: w.prove(s),
    "fail": lambda w, s: w.service.fail(s, CONTEXT),
    "cancel": lambda w, s: w.service.cancel(s, CONTEXT),
    "sign_out": lambda w, s: w.service.sign_out(s, CONTEXT),
    "end_others": lambda w, s: w.service.end_others(s, CONTEXT, reason="asked"),
    "finish_enrollment": lambda w, s: w.service.finish_enrollment(s, CONTEXT, proof=w.proof(Method.TOTP)),
    "redeem": lambda w, s: w.service.redeem(s, CONTEXT, token=Secret("x")),
}
"""Every method that takes a value; `establish` and `open` are told apart below."""


@pytest.mark.parametrize("method", EVERYTHING)
def test_a_superseded_value_is_refused_everywhere_and_changes_nothing(world: World, method: str) -> None:
    """The law of the generation: whoever fixed or kept an old value has nothing (decision 3)."""
    world.protect()
    planted = world.service.open()
    owing = world.owing(planted)
    mine = world.prove(owing).session
    before, account = world.row(mine), world.account()
    for old in (planted, owing, attrs.evolve(planted, generation=3), attrs.evolve(owing, generation=3)):
        told = EVERYTHING[method](world, old)
        match told:
            case Asker():
                assert (told.user, told.elevated, told.why_not) == (None, False, Code.SESSION_SUPERSEDED)
                assert told.session == mine.id
            case Refused():
                assert told.code is Code.SESSION_SUPERSEDED
                assert told.session == old
            case _:
                assert told is None
    assert (world.row(mine), world.account()) == (before, account)
    assert world.identify(mine).user == ANNE


def test_signing_in_with_a_superseded_value_does_not_reach_its_row(world: World) -> None:
    planted = world.service.open()
    mine = world.signed_in(session=planted)
    before = world.row(mine)
    other = world.signed_in(BEN, planted)
    assert other.id != mine.id
    assert world.row(mine) == before


def test_two_tabs_of_one_session_go_on_working(world: World) -> None:
    """Without a renewal the one does not end the other (decision 3)."""
    mine = world.signed_in()
    tab = BrowserSession.from_json(mine.to_json())
    world.clock.advance(seconds=60)
    again = world.establish(mine).session
    assert again == attrs.evolve(mine, renew=mine.renew)
    assert world.identify(tab).user == ANNE


@pytest.mark.parametrize("method", EVERYTHING)
def test_an_ended_session_is_refused_everywhere(world: World, method: str) -> None:
    mine = world.signed_in()
    assert world.service.sign_out(mine, CONTEXT) == SignedOut(session=NOBODY)
    before = world.row(mine)
    told = EVERYTHING[method](world, mine)
    if isinstance(told, Asker):
        assert (told.user, told.session, told.why_not) == (None, "", Code.SESSION_ENDED)
    elif isinstance(told, Refused):
        assert told.code is Code.SESSION_ENDED
    else:
        assert told is None or isinstance(told, SignedOut)
    assert world.row(mine) == before


# --- what ends a session --------------------------------------------------------------------------------------------


def test_what_was_seen_to_have_expired_stays_so_when_the_clock_goes_back(world: World) -> None:
    """Decision 35: the refusal is stored."""
    mine, began = world.signed_in(), world.clock.now()
    world.clock.advance(POLICY.lifetime)
    assert world.identify(mine).why_not is Code.SESSION_ENDED
    world.clock.set(began)
    assert world.identify(mine).why_not is Code.SESSION_ENDED
    assert world.signed_in(session=mine).id != mine.id


def test_what_was_seen_to_be_too_old_to_elevate_stays_so_when_the_clock_goes_back(world: World) -> None:
    mine, began = world.signed_in(), world.clock.now()
    world.clock.advance(POLICY.elevation_age + SECOND)
    assert not world.identify(mine).elevated
    world.clock.set(began)
    assert not world.identify(mine).elevated
    assert world.identify(world.establish(mine).session).elevated


def test_a_pending_login_that_was_seen_to_have_expired_stays_so_when_the_clock_goes_back(world: World) -> None:
    world.protect()
    owing, began = world.owing(), world.clock.now()
    world.clock.advance(POLICY.pending_login_ttl)
    assert code(world.service.look(owing)) is Code.SESSION_REQUIRED
    world.clock.set(began)
    assert code(world.prove(owing)) is Code.SESSION_NO_PENDING_LOGIN
    assert world.audited() == ["login_pending", "login_refused"]
    assert world.identify(owing).session == owing.id  # a consent that hangs on the row survives the second try


def test_whoever_is_deactivated_is_signed_out_for_good(world: World) -> None:
    mine = world.signed_in()
    world.deactivate()
    assert world.identify(mine).why_not is Code.SESSION_ENDED
    world.deactivate(active=True)
    assert world.identify(mine).why_not is Code.SESSION_ENDED


def test_ending_the_others_ends_every_other_browser_and_pending_login(world: World) -> None:
    here, there = world.signed_in(), world.signed_in()
    stranger = world.signed_in(BEN)
    world.protect()
    pending = world.owing()
    answer = world.service.end_others(here, CONTEXT, reason="asked")
    assert isinstance(answer, OthersEnded)
    assert (answer.count, answer.session.renew) == (1, True)
    assert world.identify(answer.session).user == ANNE
    assert world.identify(here).why_not is Code.SESSION_SUPERSEDED
    assert world.identify(there).why_not is Code.SESSION_ENDED
    assert code(world.prove(pending)) is Code.SESSION_NO_PENDING_LOGIN
    assert world.identify(stranger).user == BEN
    assert world.account().epoch == 2
    assert isinstance(world.prove(world.owing()), SignedIn)


def test_ending_all_ends_this_one_too(world: World) -> None:
    mine = [world.signed_in() for _ in range(3)]
    assert world.service.end_all(SYSTEM, CONTEXT, user=ANNE, reason="reset").count == 3
    assert {world.identify(session).why_not for session in mine} == {Code.SESSION_ENDED}
    assert world.audited()[-1] == "sessions_ended"
    assert world.service.end_all(SYSTEM, CONTEXT, user=ANNE, reason="reset").count == 0


def test_nobody_ends_others_without_being_signed_in(world: World) -> None:
    world.protect()
    mine, opened = world.prove(world.owing()).session, world.service.open()
    owing = world.owing()
    assert code(world.service.end_others(opened, CONTEXT, reason="asked")) is Code.SESSION_REQUIRED
    assert code(world.service.end_others(owing, CONTEXT, reason="asked")) is Code.SESSION_SECOND_FACTOR_OWED
    assert world.identify(mine).user == ANNE
    assert world.account().epoch == 1


def test_another_person_takes_the_browser_over(world: World) -> None:
    mine = world.signed_in()
    other = world.signed_in(BEN, mine)
    assert other.id == mine.id
    assert world.identify(other).user == BEN
    assert world.identify(mine).why_not is Code.SESSION_SUPERSEDED
    assert world.audited() == ["login_succeeded", "signed_out"]


# --- the pending login ----------------------------------------------------------------------------------------------


def test_ten_wrong_answers_end_the_pending_login(world: World) -> None:
    world.protect()
    owing = world.owing()
    left = [world.service.fail(owing, CONTEXT) for _ in range(10)]
    assert [answer.attempts_left for answer in left if isinstance(answer, Refused)] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert {code(answer) for answer in left} == {Code.MFA_CODE_REJECTED}
    assert code(world.service.fail(owing, CONTEXT)) is Code.SESSION_NO_PENDING_LOGIN
    assert code(world.prove(owing)) is Code.SESSION_NO_PENDING_LOGIN
    assert world.service.fail(world.owing(owing), CONTEXT).attempts_left == 9  # type: ignore[union-attr]


def test_a_failure_stays_counted_when_its_transaction_is_rolled_back(world: World) -> None:
    """Decision 7: the counter is no part of the row, and ends the pending login all the same."""
    world.protect()
    owing = world.owing()
    for _ in range(10):
        with pytest.raises(ZeroDivisionError), world.uow.begin():
            world.service.fail(owing, CONTEXT)
            raise ZeroDivisionError
    stored = world.row(owing)
    assert stored is not None
    assert isinstance(stored.state, FactorOwed)
    assert code(world.prove(owing)) is Code.SESSION_NO_PENDING_LOGIN
    assert world.audited() == ["login_pending", "login_refused"]


def test_a_wrong_answer_takes_nothing_from_who_is_signed_in(world: World) -> None:
    mine = world.signed_in()
    before = world.row(mine)
    assert code(world.service.fail(mine, CONTEXT)) is Code.MFA_CODE_REJECTED
    assert world.row(mine) == before


def test_what_stands_is_told_for_a_page(world: World) -> None:
    world.protect()
    owing = world.owing()
    world.service.fail(owing, CONTEXT)
    until = world.clock.now() + POLICY.pending_login_ttl
    assert world.service.look(owing) == SecondFactorOwed(session=owing, expires_at=until, attempts_left=9)
    mine = world.prove(owing).session
    assert world.service.look(mine) == SignedIn(session=mine, user=ANNE, level=Level.TWO)
    assert code(world.service.look(world.service.open())) is Code.SESSION_REQUIRED


def test_giving_up_leaves_the_browser_its_row(world: World) -> None:
    world.protect()
    owing = world.owing()
    assert isinstance(world.service.cancel(owing, CONTEXT), SignInCancelled)
    assert isinstance(world.service.cancel(owing, CONTEXT), SignInCancelled)
    assert code(world.prove(owing)) is Code.SESSION_NO_PENDING_LOGIN
    stored = world.row(owing)
    assert stored is not None
    assert isinstance(stored.state, Anonymous)


def test_who_may_answer_a_second_factor_is_said_before_a_code_is_compared(world: World) -> None:
    opened, now = world.service.open(), world.clock.now()
    mine = world.signed_in(BEN)
    world.protect()
    owing = world.owing()
    who = world.service.challenged(owing, now)
    assert isinstance(who, FactorOwed)
    assert who.user == ANNE
    here = world.service.challenged(mine, now)
    assert not isinstance(here, Refused)
    assert here.user == BEN
    assert code(world.service.challenged(opened, now)) is Code.SESSION_NO_PENDING_LOGIN
    assert code(world.service.challenged(NOBODY, now)) is Code.SESSION_REQUIRED


# --- races ----------------------------------------------------------------------------------------------------------


def test_two_parallel_second_factors_are_one_sign_in(world: World) -> None:
    """The winner's value replaces the one that the losers hold (mfa 21)."""
    world.protect()
    owing = world.owing()
    answers = at_once(lambda _: world.prove(owing))
    won = [answer for answer in answers if isinstance(answer, SignedIn)]
    lost = [answer for answer in answers if not isinstance(answer, SignedIn)]
    assert len(won) == 1
    assert {code(answer) for answer in lost} == {Code.SESSION_SUPERSEDED}
    assert world.identify(won[0].session).user == ANNE
    assert world.audited() == ["login_pending", "login_succeeded"]


class Overtaken:
    """Rows that somebody else saves right after they were loaded, so many *times*: what a lock would prevent."""

    def __init__(self, rows: Any, times: int) -> None:
        self._rows, self._left = rows, times

    def load(self, session: SessionId) -> Stored[Session] | None:
        stored: Stored[Session] | None = self._rows.load(session)
        if stored is not None and self._left:
            self._left -= 1
            self._rows.save(stored.state, expected=stored.version)
        return stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)


def test_the_row_decides_also_if_no_lock_did(world: World) -> None:
    """Whoever loses the row is told what the losers of mfa 21 are told, and writes nothing."""
    world.protect()
    owing, opened = world.owing(), world.service.open()
    with world.uow.begin() as tx:
        tx.sessions = Overtaken(tx.sessions, times=2)
        assert code(world.prove(owing)) is Code.SESSION_NO_PENDING_LOGIN
    with world.uow.begin() as tx:
        tx.sessions = Overtaken(tx.sessions, times=2)
        assert code(world.establish(opened, BEN)) is Code.SESSION_SUPERSEDED
    assert world.audited() == ["login_pending"]
    assert world.audited(BEN) == []
    assert isinstance(world.prove(owing), SignedIn)


class FirstAtTheLock:
    """Accounts whose lock somebody else held first: what they did meanwhile is done when the lock is given."""

    def __init__(self, accounts: Any, meanwhile: Callable[[], object]) -> None:
        self._accounts, self._meanwhile = accounts, [meanwhile]

    def lock(self, user: UserId) -> Account:
        while self._meanwhile:
            self._meanwhile.pop()()
        account: Account = self._accounts.lock(user)
        return account

    def __getattr__(self, name: str) -> Any:
        return getattr(self._accounts, name)


def test_a_row_is_read_again_once_its_person_is_locked(world: World) -> None:
    """The loser of two parallel answers is refused before any code is compared (mfa 21)."""
    world.protect()
    owing = world.owing()
    with world.uow.begin() as tx:
        tx.accounts = FirstAtTheLock(tx.accounts, lambda: world.prove(owing))
        late = world.service.challenged(owing, world.clock.now())
    assert code(late) is Code.SESSION_SUPERSEDED


def test_nobody_acts_who_waited_for_the_lock_while_their_session_ended(world: World) -> None:
    """A look without the lock may be old by the time it is used; one under the lock is not."""
    here, there = world.signed_in(), world.signed_in()
    with world.uow.begin() as tx:
        tx.accounts = FirstAtTheLock(tx.accounts, lambda: world.service.end_others(there, CONTEXT, reason="asked"))
        assert world.service.identify(here, world.clock.now(), lock=True).why_not is Code.SESSION_ENDED


def test_whoever_is_deleted_while_the_lock_is_waited_for_signs_in_no_more(world: World) -> None:
    with world.uow.begin() as tx:
        tx.accounts = FirstAtTheLock(tx.accounts, lambda: tx.users.remove(ANNE))
        answer = world.establish()
    assert code(answer) is Code.SESSION_USER_INACTIVE


def test_a_look_that_is_overtaken_looks_again(world: World) -> None:
    opened = world.service.open()
    world.clock.advance(POLICY.anonymous_ttl)
    with world.uow.begin() as tx:
        tx.sessions = Overtaken(tx.sessions, times=2)
        assert world.identify(opened).why_not is Code.SESSION_ENDED
    stored = world.row(opened)
    assert stored is not None
    assert isinstance(stored.state, Ended)


def test_many_sign_ins_from_one_browser_leave_one_person_in_its_row(world: World) -> None:
    opened = world.service.open()
    people = (ANNE, BEN)
    answers = at_once(lambda number: world.establish(opened, people[number % 2]))
    here = [a for a in answers if isinstance(a, SignedIn) and a.session.id == opened.id]
    assert len(here) == 1
    assert world.identify(here[0].session).user == here[0].user
    lost = {answer.code for answer in answers if isinstance(answer, Refused)}
    assert lost <= {Code.SESSION_SUPERSEDED}


def test_many_looks_at_one_row_that_is_over_all_see_its_end(world: World) -> None:
    opened, mine = world.service.open(), world.signed_in()
    world.clock.advance(POLICY.lifetime)
    for session in (opened, mine):
        assert {asker.why_not for asker in at_once(lambda _, s=session: world.identify(s))} == {Code.SESSION_ENDED}
        stored = world.row(session)
        assert stored is not None
        assert isinstance(stored.state, Ended)
        assert stored.version == 2


# --- known browsers -------------------------------------------------------------------------------------------------


def test_a_completed_second_factor_makes_a_browser_known(world: World) -> None:
    world.protect()
    answer = world.prove(world.owing())
    assert isinstance(answer, SignedIn)
    assert answer.device is not None
    key = world.service.device_known(ANNE, answer.device)
    assert key is not None
    assert answer.device.reveal() not in key
    assert world.service.device_known(BEN, answer.device) is None
    assert world.service.device_known(ANNE, Secret("guess")) is None
    assert world.service.device_known(ANNE, None) is None
    again = world.service.prove(world.owing(), CONTEXT, proof=world.proof(Method.TOTP), device=answer.device)
    assert isinstance(again, SignedIn)
    assert again.device is None
    assert world.service.device_known(ANNE, answer.device) == key


def test_a_known_browser_still_owes_the_second_factor(world: World) -> None:
    """It has budgets of its own, and nothing else (decision 9)."""
    world.protect()
    known = world.prove(world.owing())
    assert isinstance(world.establish(known.session), SignedIn)
    assert isinstance(world.establish(NOBODY), SecondFactorOwed)


def test_a_wrong_second_factor_makes_no_browser_known(world: World) -> None:
    world.protect()
    owing = world.owing()
    world.service.fail(owing, CONTEXT)
    world.prove(owing, Method.PASSWORD)
    with world.uow.begin() as tx:
        assert tx.devices.of_user(ANNE) == ()


def test_no_more_browsers_are_known_than_the_policy_says(uow: Any) -> None:
    world = World(uow, Policy(mfa=MfaPolicy(known_browsers=2)))
    world.protect()
    given = []
    for _ in range(3):
        world.clock.advance(seconds=1)
        answer = world.prove(world.owing())
        assert isinstance(answer, SignedIn)
        given.append(answer.device)
    assert [world.service.device_known(ANNE, device) is not None for device in given] == [False, True, True]
    world.service.forget_devices(ANNE)
    assert [world.service.device_known(ANNE, device) for device in given] == [None, None, None]


# --- after a reset --------------------------------------------------------------------------------------------------


def test_after_a_reset_the_mailed_link_is_the_way_back(world: World) -> None:
    """The whole of mfa 20.6, from the reset to the next sign-in."""
    link = world.service.require_enrollment(ANNE)
    assert link.expires_at == world.clock.now() + timedelta(hours=24)
    assert link.token.reveal() not in repr(link)
    owing = world.establish()
    assert isinstance(owing, EnrollmentOwed)
    assert world.identify(owing.session).why_not is Code.SESSION_ENROLLMENT_OWED
    assert not world.service.enrolling(owing.session, world.clock.now()).elevated

    opened = world.service.redeem(owing.session, CONTEXT, token=link.token)
    assert isinstance(opened, EnrollmentOwed)
    assert opened.link_redeemed
    assert world.identify(opened.session).user is None
    asker = world.service.enrolling(opened.session, world.clock.now())
    assert (asker.user, asker.elevated, asker.label) == (ANNE, True, "Anne")

    world.protect()
    done = world.service.finish_enrollment(opened.session, CONTEXT, proof=world.proof(Method.TOTP))
    assert isinstance(done, SignedIn)
    assert world.identify(done.session).elevated
    assert (world.account().epoch, world.account().enrollment_required) == (2, False)
    assert isinstance(world.establish(), SecondFactorOwed)
    assert world.audited()[:3] == ["login_pending", "mfa_reset_link_used", "login_succeeded"]


def test_a_mailed_link_works_once_for_its_person_and_in_its_time(world: World) -> None:
    link, began = world.service.require_enrollment(ANNE), world.clock.now()
    other = world.service.require_enrollment(BEN)
    anne, ben = world.establish(user=ANNE).session, world.establish(user=BEN).session

    def redeem(session: BrowserSession, token: Secret) -> object:
        return world.service.redeem(session, CONTEXT, token=token)

    for session, token in ((ben, link.token), (anne, other.token), (anne, Secret("guess")), (anne, Secret(""))):
        assert redeem(session, token) == Refused(code=Code.MFA_RESET_LINK_INVALID, session=session)
    assert isinstance(redeem(anne, link.token), EnrollmentOwed)
    second = world.establish(user=ANNE).session
    assert redeem(second, link.token) == Refused(code=Code.MFA_RESET_LINK_INVALID, session=second)

    world.clock.advance(timedelta(hours=24))
    late = world.establish(user=BEN).session
    assert redeem(late, other.token) == Refused(code=Code.MFA_RESET_LINK_INVALID, session=late)
    world.clock.set(began)
    assert redeem(late, other.token) == Refused(code=Code.MFA_RESET_LINK_INVALID, session=late)


def test_a_new_reset_voids_the_earlier_link(world: World) -> None:
    first, second = world.service.require_enrollment(ANNE), world.service.require_enrollment(ANNE)
    owing = world.establish().session
    assert code(world.service.redeem(owing, CONTEXT, token=first.token)) is Code.MFA_RESET_LINK_INVALID
    assert isinstance(world.service.redeem(owing, CONTEXT, token=second.token), EnrollmentOwed)


def test_a_link_is_not_spent_where_nobody_owes_an_enrollment(world: World) -> None:
    mine = world.signed_in()
    link = world.service.require_enrollment(ANNE)
    opened = world.service.open()
    assert code(world.service.redeem(opened, CONTEXT, token=link.token)) is Code.SESSION_REQUIRED
    assert code(world.service.redeem(mine, CONTEXT, token=link.token)) is Code.MFA_RESET_LINK_INVALID
    by_word = world.service.establish(NOBODY, CONTEXT, user=ANNE, proof=sso(world.clock.now(), ACME, ACME_IDP)).session
    assert code(world.service.redeem(by_word, CONTEXT, token=link.token)) is Code.SESSION_ELEVATION_REQUIRED
    owing = world.establish().session
    world.clock.advance(POLICY.enrollment_owed_ttl)
    assert code(world.service.redeem(owing, CONTEXT, token=link.token)) is Code.SESSION_REQUIRED
    again = world.establish().session
    assert isinstance(world.service.redeem(again, CONTEXT, token=link.token), EnrollmentOwed)


def test_many_redemptions_of_one_link_open_one_enrollment(world: World) -> None:
    link = world.service.require_enrollment(ANNE)
    browsers = [world.establish().session for _ in range(16)]
    answers = at_once(lambda number: world.service.redeem(browsers[number], CONTEXT, token=link.token))
    assert sum(isinstance(answer, EnrollmentOwed) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {Code.MFA_RESET_LINK_INVALID}


# --- an enrolled factor ---------------------------------------------------------------------------------------------


def test_an_enrolled_factor_ends_the_others_and_raises_this_one(world: World) -> None:
    here, there = world.signed_in(), world.signed_in()
    world.protect()
    answer = world.service.finish_enrollment(here, CONTEXT, proof=world.proof(Method.TOTP))
    assert isinstance(answer, SignedIn)
    assert (answer.level, answer.others_ended, answer.session.renew) == (Level.TWO, 1, True)
    assert world.identify(answer.session).elevated
    assert world.identify(there).why_not is Code.SESSION_ENDED
    assert world.identify(here).why_not is Code.SESSION_SUPERSEDED


def test_an_enrolled_factor_forgets_the_known_browsers(world: World) -> None:
    world.protect()
    answer = world.prove(world.owing())
    assert isinstance(answer, SignedIn)
    world.service.finish_enrollment(answer.session, CONTEXT, proof=world.proof(Method.TOTP), reason="factor_rotated")
    assert world.service.device_known(ANNE, answer.device) is None


def test_no_enrollment_finishes_where_nobody_may_enroll(world: World) -> None:
    world.protect()
    for session in (world.service.open(), world.owing()):
        answer = world.service.finish_enrollment(session, CONTEXT, proof=world.proof(Method.TOTP))
        assert isinstance(answer, Refused)
    assert world.account().epoch == 1


# --- the end --------------------------------------------------------------------------------------------------------


def test_everything_of_a_person_is_forgotten(world: World) -> None:
    mine, other = world.signed_in(), world.signed_in(BEN)
    world.service.require_enrollment(ANNE)
    assert world.service.forget(ANNE) == 1
    assert world.row(mine) is None
    assert world.identify(mine).why_not is Code.SESSION_REQUIRED
    assert world.identify(other).user == BEN


def test_what_is_over_is_swept(world: World) -> None:
    mine = world.signed_in()
    world.service.require_enrollment(BEN)
    assert world.service.sweep(world.clock.now()) == 0
    assert world.service.sweep(world.clock.now() + timedelta(hours=24)) == 1
    assert world.service.sweep(world.clock.now() + POLICY.lifetime) == 1
    assert world.row(mine) is None
