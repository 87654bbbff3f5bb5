"""Enrolling through the service, on every database: what is written, counted and shown, and what a rollback keeps."""

from __future__ import annotations

from datetime import timedelta

import attrs

from authflow.errors import Code
from authflow.facts.records import Audit, Category
from authflow.mfa.answers import Begun, Cancelled, Proven, Verified
from authflow.mfa.factor import Enrolled, Mode, Proposed, Unenrolled
from authflow.mfa.kinds import TOTP
from authflow.policy import MfaPolicy
from authflow.values import FlowId, Refused, SessionId, UserId
from tests.mfa.world import CONTEXT, World, refusal

TTL = MfaPolicy().pending_enrollment_ttl
MICROSECOND = timedelta(microseconds=1)


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
