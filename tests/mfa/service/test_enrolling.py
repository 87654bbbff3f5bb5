"""Enrolling through the service, on every database: what is written, counted and shown, and what a rollback keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from authflow.errors import Code
from authflow.facts.records import Audit, Category
from authflow.mfa.answers import Begun, Cancelled, CodesShown, NoCodesAdded, Proven, Verified, WhyNoCodes
from authflow.mfa.factor import Enrolled, Mode, Proposed, Unenrolled
from authflow.mfa.kinds import TOTP
from authflow.policy import MfaPolicy
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import Budget, FlowId, Refused, SessionId, UserId
from tests.mfa.world import CONTEXT, World, refusal

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TTL = MfaPolicy().pending_enrollment_ttl
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def world(uow: Any) -> World:
    return World(uow)


@pytest.fixture
def memory(memory_uow: Any) -> World:
    return World(memory_uow)


# --- the way through ------------------------------------------------------------------------------------------------


def test_a_factor_is_enrolled_with_one_right_code(world: World):
    begun = world.begin()
    assert (begun.kind, begun.mode, begun.expires_at) == (TOTP, Mode.NEW, world.clock.now() + TTL)
    proven = world.complete(begun)
    assert isinstance(proven, Proven)
    (held,) = world.held().held()
    assert (held.kind, held.id, held.name) == (TOTP, proven.authenticator, "Authenticator app")
    assert (held.created_at, held.last_used_at) == (world.clock.now(), None)
    assert world.audited() == [Audit.MFA_ADDED]
    assert len(world.messages(Category.FACTOR_ENROLLED)) == len(world.messages(Category.MAIL)) == 1


def test_a_secret_leaves_the_service_once_and_lies_sealed_for_its_place(world: World):
    begun = world.begin()
    world.complete(begun)
    assert begun.secret.reveal() not in repr(world.tables())
    assert begun.flow not in repr(world.tables())
    assert begun.secret.reveal() in begun.uri.reveal()


def test_the_code_of_the_enrollment_never_works_afterwards(world: World):
    """Mfa 7.5: its step is burnt, and all before it."""
    begun = world.begin()
    code, earlier = world.code(begun.secret), world.code(begun.secret, -1)
    assert isinstance(world.complete(begun, code), Proven)
    assert refusal(world.verify(code)) == Code.MFA_CODE_REJECTED
    assert refusal(world.verify(earlier)) == Code.MFA_CODE_REJECTED
    world.clock.advance(seconds=30)
    assert refusal(world.verify(code)) == Code.MFA_CODE_REJECTED
    assert world.passes(begun.secret)


def test_a_rotation_happens_in_place_and_the_old_secret_works_until_then(world: World):
    """Mfa 7.4: id and name stay, the date is renewed, the last use is emptied."""
    old = world.enroll()
    factor = world.held().id_of(TOTP)
    world.service.rename(world.ada, CONTEXT, authenticator=factor, name="Work")
    begun = world.begin()
    assert begun.mode is Mode.ROTATION
    assert world.passes(old)
    world.clock.advance(seconds=60)
    assert refusal(world.verify(world.code(begun.secret))) == Code.MFA_CODE_REJECTED
    proven = world.complete(begun)
    assert isinstance(proven, Proven)
    assert (proven.mode, proven.authenticator) == (Mode.ROTATION, factor)
    (held,) = world.held().held()
    assert (held.id, held.name, held.created_at, held.last_used_at) == (factor, "Work", world.clock.now(), None)
    world.clock.advance(seconds=60)
    assert not world.passes(old)
    assert world.passes(begun.secret)
    assert world.audited().count(Audit.MFA_ROTATED) == 1


def test_a_code_of_the_old_app_just_now_does_not_refuse_the_new_one(world: World):
    """Mfa 7.4, first defect: the replay state belongs to the secret."""
    old = world.enroll()
    begun = world.begin()
    assert isinstance(world.verify(world.code(old, 1)), Verified)
    assert isinstance(world.complete(begun, world.code(begun.secret, -1)), Proven)


def test_a_new_beginning_voids_the_old_one(world: World):
    first, second = world.begin(), world.begin()
    assert first.secret != second.secret
    assert refusal(world.complete(first)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert isinstance(world.complete(second), Proven)


def test_the_same_secret_is_shown_again_against_its_own_handle_only(world: World):
    begun = world.begin()
    ask = {"account": "ada@example.org"}
    assert world.service.show_again(world.ada, CONTEXT, flow=begun.flow, **ask) == begun
    other = attrs.evolve(world.ada, session=SessionId("another-browser"))
    for who, flow in ((other, begun.flow), (world.ada, FlowId("x")), (world.eve, begun.flow)):
        answer = world.service.show_again(who, CONTEXT, flow=flow, **ask)
        assert refusal(answer) == Code.MFA_ENROLLMENT_STATE_CHANGED
        assert refusal(world.complete(attrs.evolve(begun, flow=flow), who=who)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert isinstance(world.complete(begun), Proven)


def test_what_was_stopped_is_gone_and_what_stands_works(world: World):
    old = world.enroll()
    begun = world.begin()
    for _ in range(2):
        assert world.service.cancel(world.ada, CONTEXT, flow=begun.flow) == Cancelled()
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert world.passes(old)


# --- five wrong proofs ----------------------------------------------------------------------------------------------


def prove_wrong(world: World, begun: Begun) -> Refused:
    answer = world.complete(begun, world.wrong(begun.secret))
    assert isinstance(answer, Refused)
    return answer


def test_five_wrong_codes_end_it_and_showing_it_gives_none_back(world: World):
    begun = world.begin()
    left = []
    for _ in range(5):
        left.append(prove_wrong(world, begun).attempts_left)
        world.service.show_again(world.ada, CONTEXT, flow=begun.flow, account="ada@example.org")
    assert left == [4, 3, 2, 1, None]
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert world.audited() == [*[Audit.MFA_FAILED] * 5, Audit.MFA_ENROLLMENT_ENDED]
    assert world.held().factor(TOTP).state == Unenrolled()


def test_a_host_that_undoes_every_refusal_gives_no_guess_back(world: World):
    """Decision 7: five wrong codes, five attempts stored, whatever became of the transaction around them."""
    begun = world.begin()
    told = [world.rolled_back(lambda: prove_wrong(world, begun)) for _ in range(5)]
    assert [answer.attempts_left for answer in told] == [4, 3, 2, 1, None]
    assert isinstance(world.held().factor(TOTP).state, Proposed)
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_ENDED
    assert world.held().factor(TOTP).state == Unenrolled()


def test_a_proof_that_a_host_undoes_burns_one_attempt_and_nothing_else(world: World):
    begun = world.begin()
    assert isinstance(world.rolled_back(lambda: world.complete(begun)), Proven)
    assert isinstance(world.held().factor(TOTP).state, Proposed)
    assert prove_wrong(world, begun).attempts_left == 3
    assert isinstance(world.complete(begun), Proven)


def test_a_new_beginning_has_proofs_of_its_own(world: World):
    begun = world.begin()
    for _ in range(4):
        prove_wrong(world, begun)
    assert prove_wrong(world, world.begin()).attempts_left == 4


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_proposal_dies_at_its_time_and_stays_dead_when_the_clock_goes_back(world: World):
    """Decision 35."""
    begun = world.begin()
    code = world.code(begun.secret)
    world.clock.set(begun.expires_at)
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_EXPIRED
    world.clock.advance(-TTL)
    assert refusal(world.complete(begun, code)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert world.audited() == [Audit.MFA_ENROLLMENT_ENDED]


def test_a_proposal_lives_to_its_last_moment(world: World):
    begun = world.begin()
    world.clock.set(begun.expires_at - MICROSECOND)
    assert isinstance(world.complete(begun), Proven)


def test_a_sweep_drops_what_is_over_and_leaves_the_rest(world: World):
    old = world.enroll(world.eve)
    world.begin()
    world.begin(world.eve)
    world.clock.advance(TTL - MICROSECOND)
    late = world.begin(world.root)
    assert world.service.expire() == 0
    world.clock.advance(MICROSECOND)
    assert [world.service.expire() for _ in range(2)] == [2, 0]
    assert world.held().factor(TOTP).state == Unenrolled()
    assert isinstance(world.held(world.eve).factor(TOTP).state, Enrolled)
    assert world.passes(old, who=world.eve)
    assert isinstance(world.complete(late, who=world.root), Proven)


def test_a_sweep_drops_all_there_are_however_many_it_looks_for_at_a_time(world: World):
    for number in range(5):
        world.begin(world.person(f"p{number}"))
    world.clock.advance(TTL)
    assert [world.service.expire(batch=2) for _ in range(2)] == [5, 0]


def test_a_sweep_of_the_counters_gives_no_guess_back(world: World):
    """A proposal that the clock brings back has the attempts that it had."""
    begun = world.begin()
    for _ in range(4):
        prove_wrong(world, begun)
    world.clock.set(begun.expires_at)
    with world.uow.begin() as tx:
        tx.attempts.sweep(world.clock.now())
    world.clock.advance(-TTL)
    assert prove_wrong(world, begun).attempts_left is None


# --- budgets --------------------------------------------------------------------------------------------------------


def test_ten_completions_a_day_good_or_bad(world: World):
    """Mfa 12.1 G4: malformed ones too; what is refused by the limit is not counted (decision 31)."""
    started = world.clock.now()
    for _ in range(4):
        assert isinstance(world.complete(world.begin()), Proven)
        world.clock.advance(HOUR)
    for text in ("", None, "x" * 99, "000000", "123", "\x00"):
        answer = world.service.complete(world.ada, CONTEXT, flow=FlowId("none"), code=text)
        assert refusal(answer) in {Code.MFA_INPUT_INVALID, Code.MFA_ENROLLMENT_STATE_CHANGED}
    begun = world.begin()
    for _ in range(20):
        answer = world.complete(begun)
        assert refusal(answer) == Code.MFA_RATE_LIMITED
        assert answer.retry_after == started + DAY - world.clock.now()
    world.clock.set(started + DAY - MICROSECOND)
    assert refusal(world.complete(world.begin())) == Code.MFA_RATE_LIMITED
    world.clock.set(started + DAY)
    assert isinstance(world.complete(world.begin()), Proven)
    assert refusal(world.complete(world.begin())) == Code.MFA_RATE_LIMITED


def test_the_limit_is_one_persons_and_one_kinds(memory: World):
    for _ in range(11):
        memory.service.complete(memory.ada, CONTEXT, flow=FlowId("x"), code="000000")
        memory.service.complete(memory.ada, CONTEXT, flow=FlowId("x"), code="000000", kind="carrier pigeon")
        memory.service.complete(memory.ada, CONTEXT, flow=FlowId("x"), code="000000", kind="owl")
    answers = {
        kind: refusal(memory.service.complete(memory.ada, CONTEXT, flow=FlowId("x"), code="000000", kind=kind))
        for kind in ("totp", "sms", "carrier pigeon", "toad", "recovery")
    }
    assert answers == {
        "totp": Code.MFA_RATE_LIMITED,
        "sms": Code.MFA_KIND_UNAVAILABLE,
        "carrier pigeon": Code.MFA_RATE_LIMITED,
        "toad": Code.MFA_RATE_LIMITED,
        "recovery": Code.MFA_KIND_UNKNOWN,
    }
    assert isinstance(memory.complete(memory.begin(memory.eve), who=memory.eve), Proven)


def test_whoever_may_not_even_try_uses_no_budget_up(memory: World):
    tired = attrs.evolve(memory.ada, elevated=False)
    written, answer = memory.written_by(
        lambda: [memory.service.complete(tired, CONTEXT, flow=FlowId("x"), code="1") for _ in range(20)]
    )
    assert {refusal(each) for each in answer} == {Code.SESSION_ELEVATION_REQUIRED}
    assert written == set()


def test_thirty_beginnings_an_hour(memory: World):
    for _ in range(30):
        memory.begin()
    answer = memory.service.begin(memory.ada, CONTEXT, account="ada@example.org")
    assert answer == Refused(code=Code.MFA_RATE_LIMITED, retry_after=HOUR)
    memory.clock.advance(HOUR)
    memory.begin()


# --- gates that read ------------------------------------------------------------------------------------------------


def test_the_primary_address_must_be_verified(world: World):
    """G3: it is asked at the proof, not at the beginning (mfa 11)."""
    zoe = world.person("zoe", verified=False)
    begun = world.begin(zoe)
    written, answer = world.written_by(lambda: world.complete(begun, who=zoe))
    assert refusal(answer) == Code.MFA_ADDRESS_UNVERIFIED
    assert written == set()
    with world.uow.begin() as tx:
        tx.users.record_verified(zoe.user, "zoe@example.org", world.clock.now())
    assert isinstance(world.complete(begun, who=zoe), Proven)


def test_nobody_enrolls_for_somebody_else(world: World):
    """Not even an administrator, and not on their own account instead (mfa 12.1 G5)."""
    begun = world.begin(world.root)
    code = world.code(begun.secret)
    for person in (world.ada.user, UserId("nobody"), UserId("")):
        answer = world.service.complete(world.root, CONTEXT, flow=begun.flow, code=code, subject=person)
        assert refusal(answer) == Code.MFA_NOT_SELF
        refused = world.service.begin(world.root, CONTEXT, account="a", subject=person)
        assert refusal(refused) == Code.MFA_NOT_SELF
    assert world.held().held() == world.held(world.root).held() == ()


def test_a_kind_that_was_closed_meanwhile_is_not_completed(world: World):
    begun = world.begin()
    for settings, code in (
        ({"closed_kinds": frozenset({"totp"})}, Code.MFA_ENROLLMENT_CLOSED),
        ({"unavailable_kinds": frozenset({"totp"})}, Code.MFA_KIND_UNAVAILABLE),
    ):
        service = world.tuned(**settings)
        right = world.code(begun.secret)
        assert refusal(service.complete(world.ada, CONTEXT, flow=begun.flow, code=right)) == code
        assert refusal(service.begin(world.ada, CONTEXT, account="ada@example.org")) == code
    assert isinstance(world.complete(begun), Proven)


# --- recovery codes -------------------------------------------------------------------------------------------------


def test_recovery_codes_come_with_a_primary_factor_and_once(world: World):
    def add(**given: Any) -> Any:
        return world.service.add_codes(world.ada, CONTEXT, user=UserId("ada"), **given)

    assert add() == NoCodesAdded(why=WhyNoCodes.NO_PRIMARY)
    world.enroll()
    shown = add()
    assert isinstance(shown, CodesShown)
    assert len({code.reveal() for code in shown.codes}) == 10
    assert not any(code.reveal() in repr(world.tables()) for code in shown.codes)
    written, again = world.written_by(add)
    assert (written, again) == (set(), NoCodesAdded(why=WhyNoCodes.PRESENT))
    written, forced = world.written_by(lambda: add(force=True))
    assert (written, forced) == (set(), Refused(code=Code.MFA_ALREADY_ENROLLED))


def test_a_closed_kind_of_codes_means_that_none_are_added(world: World):
    """Mfa 3.3: never an error, not even when forced."""
    world.enroll()
    service = world.tuned(closed_kinds=frozenset({"recovery"}))
    for force in (False, True):
        answer = service.add_codes(world.ada, CONTEXT, user=UserId("ada"), force=force)
        assert answer == NoCodesAdded(why=WhyNoCodes.CLOSED)


def test_new_codes_kill_the_old_ones_and_keep_the_id(world: World):
    world.enroll()
    old = world.codes()
    assert world.verify(old[0], "recovery").remaining == 9
    before = world.held().held()[1]
    shown = world.service.regenerate_codes(world.ada, CONTEXT)
    assert isinstance(shown, CodesShown)
    after = world.held().held()[1]
    assert (after.id, after.remaining, after.last_used_at) == (before.id, 10, None)
    assert after.created_at == world.clock.now() > before.created_at - timedelta(1)
    assert {refusal(world.verify(code, "recovery")) for code in old[1:4]} == {Code.MFA_CODE_REJECTED}
    world.clock.advance(seconds=20)
    assert world.verify(shown.codes[9].reveal(), "recovery").remaining == 9


def test_codes_are_regenerated_by_their_owner_who_has_some(world: World):
    assert refusal(world.service.regenerate_codes(world.ada, CONTEXT)) == Code.MFA_NOT_ENROLLED
    world.enroll()
    world.codes()
    for who, code in (
        (attrs.evolve(world.ada, elevated=False), Code.SESSION_ELEVATION_REQUIRED),
        (attrs.evolve(world.ada, user=None), Code.SESSION_REQUIRED),
    ):
        written, answer = world.written_by(lambda who=who: world.service.regenerate_codes(who, CONTEXT))
        assert (written, refusal(answer)) == (set(), code)


# --- many at once ---------------------------------------------------------------------------------------------------

MANY = MfaPolicy(enrollments=Budget(name="mfa.enrollments", limit=100, window=DAY))


def test_of_many_right_proofs_at_once_one_enrolls(uow: Any):
    """The losers are told what a loser one after the other is told (decision 28)."""
    world = World(uow, MANY)
    begun = world.begin()
    answers = at_once(lambda _: world.complete(begun))
    assert sum(isinstance(answer, Proven) for answer in answers) == 1
    lost = {refusal(answer) for answer in answers if isinstance(answer, Refused)}
    assert lost == {Code.MFA_ENROLLMENT_STATE_CHANGED}
    assert world.audited() == [Audit.MFA_ADDED]
    assert len(world.messages(Category.MAIL)) == 1


def test_of_many_wrong_proofs_at_once_five_are_compared(uow: Any):
    world = World(uow, MANY)
    begun = world.begin()
    wrong = world.wrong(begun.secret)
    answers = at_once(lambda _: world.complete(begun, wrong))
    told = sorted(refusal(answer) for answer in answers)
    assert told.count(Code.MFA_CODE_REJECTED) == 4
    assert told.count(Code.MFA_ENROLLMENT_ENDED) == 1
    assert told.count(Code.MFA_ENROLLMENT_STATE_CHANGED) == THREADS - 5
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED


def test_of_many_beginnings_at_once_the_last_one_counts(uow: Any):
    world = World(uow, MANY)
    begun = at_once(lambda _: world.begin())
    assert world.held().factor(TOTP).version == THREADS
    answers = [world.complete(each) for each in begun]
    assert sum(isinstance(answer, Proven) for answer in answers) == 1


def test_of_many_completions_at_once_the_budget_holds(world: World):
    answers = at_once(lambda _: world.service.complete(world.ada, CONTEXT, flow=FlowId("x"), code="000000"))
    told = [refusal(answer) for answer in answers]
    assert told.count(Code.MFA_ENROLLMENT_STATE_CHANGED) == 10
    assert told.count(Code.MFA_RATE_LIMITED) == THREADS - 10


def test_codes_are_added_once_by_many(world: World):
    world.enroll()
    answers = at_once(lambda _: world.service.add_codes(world.ada, CONTEXT, user=UserId("ada")))
    assert sum(isinstance(answer, CodesShown) for answer in answers) == 1
    assert [a for a in answers if not isinstance(a, CodesShown)] == [NoCodesAdded(why=WhyNoCodes.PRESENT)] * 15
