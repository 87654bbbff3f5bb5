"""Factors of whole accounts, on every database: reset, deleted, merged, exported, and sealed under another key."""

from __future__ import annotations

import json

import attrs
import pytest

from authflow.errors import Code, InputInvalid, SecretUnavailable
from authflow.mfa.answers import Proven, Verified
from authflow.mfa.factor import Proposed, Unenrolled, enrolled
from authflow.mfa.kinds import RECOVERY, TOTP
from authflow.mfa.recovery import NoCodes
from authflow.mfa.service.moving import Merged
from authflow.values import Asker, Secret, UserId
from tests.mfa.world import CONTEXT, World, refusal

ADA, EVE = UserId("ada"), UserId("eve")


def merge(world: World) -> Merged:
    """Merge Eve's account into Ada's."""
    return world.service.merge(world.root, CONTEXT, source=EVE, target=ADA)


def sealing_key(world: World, who: Asker | None = None) -> str:
    standing = enrolled(world.held(who).factor(TOTP).state)
    assert standing is not None
    return standing.secret.key_id


# --- reset and deletion ---------------------------------------------------------------------------------------------


def test_a_reset_leaves_nothing_enrolled_and_nothing_pending(world: World):
    secret, codes = world.enroll(), world.codes()
    begun = world.begin()
    assert world.service.forget(world.root, CONTEXT, user=ADA) == ("totp", "recovery")
    assert world.held().held() == ()
    assert "recovery_code" not in world.tables()
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert refusal(world.verify(world.code(secret))) == Code.MFA_NOT_ENROLLED
    assert refusal(world.verify(codes[0], "recovery")) == Code.MFA_NOT_ENROLLED
    assert world.service.forget(world.root, CONTEXT, user=ADA) == ()


def test_a_reset_drops_a_proposal_of_whoever_had_nothing(world: World):
    begun = world.begin()
    assert world.service.forget(world.root, CONTEXT, user=ADA) == ()
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED


def test_a_code_of_before_the_reset_is_none_afterwards(world: World):
    """The version only rises, and what was forgotten does not come back with a new enrollment."""
    secret, codes = world.enroll(), world.codes()
    world.service.forget(world.root, CONTEXT, user=ADA)
    newer = world.enroll()
    world.codes()
    assert refusal(world.verify(codes[0], "recovery")) == Code.MFA_CODE_REJECTED
    assert not world.passes(secret)
    assert world.passes(newer)


def test_whoever_is_deleted_leaves_no_row(world: World):
    world.enroll()
    world.codes()
    world.begin()
    theirs = world.enroll(world.eve)
    world.service.erase(ADA)
    assert world.held().held() == ()
    tables = world.tables()
    assert "recovery_code" not in tables
    assert len(tables["factor"]) == 1
    assert world.passes(theirs, who=world.eve)
    world.service.erase(ADA)


def test_whoever_gets_the_same_id_later_is_not_locked(world: World):
    secret = world.enroll()
    for _ in range(50):
        assert refusal(world.verify(world.wrong(secret))) == Code.MFA_CODE_REJECTED
        world.clock.advance(seconds=400)
    assert refusal(world.verify(world.code(secret))) == Code.MFA_LOCKED
    world.service.erase(ADA)
    assert "mfa.failures" not in repr(world.tables())
    assert world.passes(world.enroll())


# --- merging --------------------------------------------------------------------------------------------------------


def test_a_merge_moves_everything_with_its_ids_and_its_replay_state(world: World):
    """Decision 30: the recovery codes keep the id that they are digested with, secrets get the new owner's seal."""
    secret, codes = world.enroll(world.eve), world.codes(world.eve)
    used = world.code(secret)
    assert isinstance(world.verify(used, who=world.eve), Verified)
    before = world.held(world.eve).held()
    assert merge(world) == Merged(moved=("totp", "recovery"), dropped=())
    assert world.held().held() == before
    assert world.held(world.eve).held() == ()
    assert refusal(world.verify(used)) == Code.MFA_CODE_REJECTED
    world.clock.advance(seconds=60)
    assert world.passes(secret)
    assert world.verify(codes[0], "recovery").remaining == 9


def test_a_merge_keeps_what_the_target_has_and_reports_what_it_drops(world: World):
    mine, my_codes = world.enroll(), world.codes()
    theirs, their_codes = world.enroll(world.eve), world.codes(world.eve)
    assert merge(world) == Merged(moved=(), dropped=("totp", "recovery"))
    assert world.passes(mine)
    assert not world.passes(theirs)
    assert world.verify(my_codes[0], "recovery").remaining == 9
    assert refusal(world.verify(their_codes[0], "recovery")) == Code.MFA_CODE_REJECTED
    assert len(world.tables()["recovery_code"]) == 10


def test_a_merge_moves_codes_to_a_factor_that_has_none(world: World):
    mine = world.enroll()
    world.enroll(world.eve)
    codes = world.codes(world.eve)
    assert merge(world) == Merged(moved=("recovery",), dropped=("totp",))
    assert world.passes(mine)
    assert isinstance(world.verify(codes[0], "recovery"), Verified)


def test_a_merge_voids_what_was_pending_on_both_sides(world: World):
    """What arrived is no rotation of it (decision 28)."""
    world.enroll(world.eve)
    begun, theirs = world.begin(), world.begin(world.eve)
    merge(world)
    assert refusal(world.complete(begun)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert refusal(world.complete(theirs, who=world.eve)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert world.held(world.eve).factor(TOTP).state == Unenrolled()


def test_a_proposal_is_not_moved_and_voids_nothing_of_the_target(world: World):
    begun = world.begin()
    world.begin(world.eve)
    assert merge(world) == Merged(moved=(), dropped=())
    assert world.held(world.eve).factor(TOTP).state == Unenrolled()
    assert isinstance(world.held().factor(TOTP).state, Proposed)
    assert isinstance(world.complete(begun), Proven)


def test_a_merge_that_cannot_open_a_secret_moves_nothing(world: World):
    secret = world.enroll(world.eve)
    codes = world.codes(world.eve)
    ring = world.ring.rotate(world.entropy, world.clock.now()).retire(world.ring.active.id)
    before = world.tables()
    with pytest.raises(SecretUnavailable):
        world.with_ring(ring).merge(world.root, CONTEXT, source=EVE, target=ADA)
    assert world.tables() == before
    assert world.passes(secret, who=world.eve)
    assert isinstance(world.verify(codes[0], "recovery", who=world.eve), Verified)


def test_a_lost_key_hinders_no_merge_that_drops_what_lies_under_it(world: World):
    world.enroll(world.eve)
    world.service = world.with_ring(world.ring.rotate(world.entropy, world.clock.now()).retire(world.ring.active.id))
    mine = world.enroll()
    assert merge(world) == Merged(moved=(), dropped=("totp",))
    assert world.passes(mine)


def test_nobody_is_merged_into_themselves(world: World):
    secret, codes = world.enroll(), world.codes()
    before = world.tables()
    with pytest.raises(InputInvalid):
        world.service.merge(world.root, CONTEXT, source=ADA, target=ADA)
    assert world.tables() == before
    assert world.passes(secret)
    assert isinstance(world.verify(codes[0], "recovery"), Verified)


def test_a_merge_of_nothing_is_nothing(world: World):
    assert merge(world) == Merged(moved=(), dropped=())
    assert "factor" not in world.tables()


# --- export ---------------------------------------------------------------------------------------------------------


def test_an_export_is_json_and_holds_no_secret(world: World):
    """Mfa 2.1: the whole configuration is blanked."""
    secret, codes = world.enroll(), world.codes()
    world.begin()
    document = world.service.export(ADA)
    text = json.dumps(document)
    assert [(each["kind"], each["remaining"]) for each in document] == [("totp", None), ("recovery", 10)]
    assert {key for each in document for key in each} == {
        "kind",
        "id",
        "name",
        "created_at",
        "last_used_at",
        "remaining",
    }
    assert not any(hidden in text for hidden in (secret.reveal(), *codes, sealing_key(world)))
    assert world.service.export(UserId("nobody")) == []


def test_an_export_writes_nothing(world: World):
    world.enroll()
    assert world.written_by(lambda: world.service.export(ADA))[0] == set()


# --- keys -----------------------------------------------------------------------------------------------------------


def people(world: World, count: int) -> list[tuple[Asker, Secret]]:
    """Return people with a factor each."""
    crowd = [world.person(f"p{number:02}") for number in range(count)]
    return [(who, world.enroll(who)) for who in crowd]


def test_secrets_are_sealed_anew_in_batches(world: World):
    crowd = people(world, 5)
    ring = world.ring.rotate(world.entropy, world.clock.now())
    world.service = world.with_ring(ring)
    assert [world.service.reseal(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert {sealing_key(world, who) for who, _ in crowd} == {ring.active.id}
    world.service = world.with_ring(ring.retire(world.ring.active.id))
    assert all(world.passes(secret, who=who) for who, secret in crowd)


def test_what_cannot_be_opened_keeps_nothing_else_from_its_turn(world: World):
    """The lost ones come first in the order, and there are more of them than a batch holds."""
    first, lost = world.ring, people(world, 3)
    second = first.rotate(world.entropy, world.clock.now())
    world.service = world.with_ring(second)
    readable = world.enroll(world.person("q"))
    third = second.rotate(world.entropy, world.clock.now()).retire(first.active.id)
    world.service = world.with_ring(third)
    assert world.service.reseal(limit=2) == 1
    assert world.service.reseal(limit=2) == 0
    q = attrs.evolve(world.ada, user=UserId("q"))
    assert sealing_key(world, q) == third.active.id
    assert {sealing_key(world, who) for who, _ in lost} == {first.active.id}
    assert world.passes(readable, who=q)
    world.service = world.with_ring(second)
    assert all(world.passes(secret, who=who) for who, secret in lost)


def test_a_rotation_of_a_factor_goes_on_while_keys_rotate(world: World):
    """What is sealed anew is what stands; what is pending is proven with the secret that was shown."""
    old = world.enroll()
    begun = world.begin()
    world.service = world.with_ring(world.ring.rotate(world.entropy, world.clock.now()))
    assert world.service.reseal() == 1
    assert world.passes(old)
    assert isinstance(world.complete(begun), Proven)


def test_under_one_key_there_is_nothing_to_do(world: World):
    world.enroll()
    world.codes()
    assert world.written_by(world.service.reseal) == (set(), 0)
    assert world.held().recovery.state != NoCodes()
    assert world.held().id_of(RECOVERY)
