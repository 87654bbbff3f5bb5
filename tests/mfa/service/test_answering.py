"""Answering through the service, on every database: a code is used once, and a secret nobody can read is no code."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa

from authflow.errors import Code
from authflow.facts.records import Audit, MailKind
from authflow.mfa.answers import Proven, Verified
from authflow.mfa.factor import Enrolled, Rotating, enrolled
from authflow.mfa.kinds import RECOVERY, TOTP
from authflow.policy import MfaPolicy
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import Budget, Refused, Sealed, UserId
from tests.mfa.world import CONTEXT, World, refusal

if TYPE_CHECKING:
    from authflow.ports import Stored

WIDE = {
    name: attrs.evolve(getattr(MfaPolicy(), name), limit=100)
    for name in ("guesses_short", "guesses_long", "recovery_guesses")
}
"""Budgets that stand in nobody's way."""


@pytest.fixture
def world(uow: Any) -> World:
    return World(uow)


@pytest.fixture
def wide(uow: Any) -> World:
    return World(uow, MfaPolicy(**WIDE))


# --- once -----------------------------------------------------------------------------------------------------------


def test_a_code_is_accepted_once(world: World):
    secret = world.enroll()
    code = world.code(secret)
    verified = world.verify(code)
    assert isinstance(verified, Verified)
    assert (verified.user, verified.kind, verified.remaining, verified.failures) == ("ada", TOTP, None, 0)
    assert verified.authenticator == world.held().id_of(TOTP)
    assert world.held().held()[0].last_used_at == world.clock.now()
    assert world.verify(code) == Refused(code=Code.MFA_CODE_REJECTED)
    assert world.audited() == [Audit.MFA_ADDED, Audit.OTP_REPLAYED]


def test_after_a_fast_phone_older_codes_are_refused(world: World):
    """Mfa 7.5: the accepted step burns all before it, also those that were never used."""
    secret = world.enroll()
    assert isinstance(world.verify(world.code(secret, 1)), Verified)
    assert refusal(world.verify(world.code(secret))) == Code.MFA_CODE_REJECTED
    assert refusal(world.verify(world.code(secret, -1))) == Code.MFA_CODE_REJECTED
    world.clock.advance(seconds=60)
    assert world.passes(secret)


def test_a_code_that_was_used_stays_used_when_the_clock_goes_back(world: World):
    secret = world.enroll()
    code = world.code(secret)
    assert isinstance(world.verify(code), Verified)
    for seconds in (-30, -60, 90):
        world.clock.advance(seconds=seconds)
        assert not isinstance(world.verify(code), Verified)


def test_a_wrong_a_replayed_and_an_old_code_are_told_alike(world: World):
    """Mfa 5: never why."""
    secret = world.enroll()
    assert world.passes(secret)
    told = [world.verify(code) for code in (world.code(secret), world.wrong(secret), world.code(secret, -5))]
    assert told == [Refused(code=Code.MFA_CODE_REJECTED)] * 3
    assert world.audited()[1:] == [Audit.OTP_REPLAYED, Audit.MFA_FAILED, Audit.MFA_FAILED]


def test_a_code_whose_sign_in_was_undone_is_not_burnt(world: World):
    """Section 10.4, for both kinds; the guess stays counted."""
    secret = world.enroll()
    codes = world.codes()
    assert isinstance(world.rolled_back(lambda: world.verify(world.code(secret))), Verified)
    assert isinstance(world.rolled_back(lambda: world.verify(codes[0], "recovery")), Verified)
    assert world.held().recovery.state.left == 10
    verified = world.verify(world.code(secret))
    assert isinstance(verified, Verified)
    assert verified.failures == 1
    assert world.verify(codes[0], "recovery").remaining == 9


def test_every_recovery_code_works_once_and_typed_as_people_type(wide: World):
    wide.enroll()
    codes = wide.codes()
    typed = [codes[0].lower(), codes[1].replace("-", " "), f"  {codes[2]}\n", codes[3].replace("0", "o"), *codes[4:]]
    told = [wide.verify(code, "recovery") for code in typed]
    assert [answer.remaining for answer in told] == list(range(9, -1, -1))
    assert {refusal(wide.verify(code, "recovery")) for code in codes} == {Code.MFA_CODE_REJECTED}
    assert wide.held().usable(wide.policy) == (TOTP,)
    assert wide.audited().count(Audit.RECOVERY_CODE_USED) == 10
    used = [text for _, text in wide.messages() if MailKind.RECOVERY_CODE_USED in text]
    assert len(used) == 10


def test_codes_belong_to_their_owner(world: World):
    secret, theirs = world.enroll(), world.enroll(world.eve)
    codes = world.codes(world.eve)
    world.codes()
    assert not world.passes(theirs)
    assert refusal(world.verify(codes[0], "recovery")) == Code.MFA_CODE_REJECTED
    assert world.passes(secret)
    assert world.passes(theirs, who=world.eve)
    assert isinstance(world.verify(codes[0], "recovery", who=world.eve), Verified)


def test_a_code_of_one_kind_is_none_of_another(world: World):
    """Mfa 15.5: the named kind only."""
    secret = world.enroll()
    codes = world.codes()
    assert refusal(world.verify(world.code(secret), "recovery")) == Code.MFA_CODE_REJECTED
    assert refusal(world.verify(codes[0][:20], "totp")) == Code.MFA_CODE_REJECTED
    assert isinstance(world.verify(codes[0], "recovery"), Verified)


# --- many at once ---------------------------------------------------------------------------------------------------


def test_of_many_at_once_one_uses_the_step(wide: World):
    secret = wide.enroll()
    code = wide.code(secret)
    answers = at_once(lambda _: wide.verify(code))
    assert sum(isinstance(answer, Verified) for answer in answers) == 1
    assert [a for a in answers if isinstance(a, Refused)] == [Refused(code=Code.MFA_CODE_REJECTED)] * (THREADS - 1)
    assert wide.audited().count(Audit.OTP_REPLAYED) == THREADS - 1


def test_of_many_at_once_one_uses_the_recovery_code(wide: World):
    wide.enroll()
    code = wide.codes()[0]
    answers = at_once(lambda _: wide.verify(code, "recovery"))
    assert [answer.remaining for answer in answers if isinstance(answer, Verified)] == [9]
    assert [a for a in answers if isinstance(a, Refused)] == [Refused(code=Code.MFA_CODE_REJECTED)] * (THREADS - 1)
    assert wide.held().recovery.state.left == 9


def test_many_at_once_use_a_code_each(wide: World):
    wide.enroll()
    codes = wide.codes()
    answers = at_once(lambda number: wide.verify(codes[number], "recovery"), threads=10)
    assert sorted(answer.remaining for answer in answers) == list(range(10))


def test_a_sign_in_and_a_rotation_at_once_both_happen(wide: World):
    """Whichever comes first, the new secret is the factor's afterwards and the old one is none."""
    old = wide.enroll()
    begun = wide.begin()
    typed, proof = wide.code(old), wide.code(begun.secret)
    answers = at_once(lambda n: wide.complete(begun, proof) if n else wide.verify(typed), threads=2)
    assert isinstance(answers[1], Proven)
    wide.clock.advance(seconds=60)
    assert not wide.passes(old)
    assert wide.passes(begun.secret)


# --- keys and ciphertexts -------------------------------------------------------------------------------------------


def put(world: World, user: UserId, sealed: Sealed) -> None:
    """Store another ciphertext in the place of somebody's secret."""
    with world.uow.begin() as tx:
        found: Stored[Any] = tx.factors.of_user(user).factor(TOTP)
        standing = attrs.evolve(found.state.authenticator, secret=sealed)
        tx.factors.save(user, TOTP.id, attrs.evolve(found.state, authenticator=standing), expected=found.version)


def sealed_of(world: World, who: Any = None) -> Sealed:
    standing = enrolled(world.held(who).factor(TOTP).state)
    assert standing is not None
    return standing.secret


def flipped(sealed: Sealed, at: int) -> Sealed:
    text = bytearray(sealed.ciphertext)
    text[at] ^= 1
    return attrs.evolve(sealed, ciphertext=bytes(text))


def unavailable(world: World, service: Any = None, who: Any = None) -> None:
    """Assert that nothing is written, and nothing counted, for a secret that cannot be read."""
    asked = who or world.ada
    given = {"user": asked.user, "kind": "totp", "code": "123456"}
    written, answer = world.written_by(lambda: (service or world.service).verify(asked, CONTEXT, **given))
    assert (written, refusal(answer)) == (set(), Code.MFA_SECRET_UNAVAILABLE)


def test_after_a_rotation_of_the_keys_everything_goes_on(world: World):
    secret = world.enroll()
    codes = world.codes()
    world.service = world.with_ring(world.ring.rotate(world.entropy, world.clock.now()))
    assert world.passes(secret)
    assert isinstance(world.verify(codes[0], "recovery"), Verified)


def test_a_secret_is_sealed_anew_when_it_is_used(world: World):
    """Mfa 20.5: what lay under an older key lies under the active one after the next write."""
    secret = world.enroll()
    ring = world.ring.rotate(world.entropy, world.clock.now())
    world.service = world.with_ring(ring)
    assert world.passes(secret)
    assert sealed_of(world).key_id == ring.active.id
    world.service = world.with_ring(ring.retire(world.ring.active.id))
    world.clock.advance(seconds=60)
    assert world.passes(secret)


def test_a_lost_key_locks_what_lies_under_it_and_nothing_else(world: World):
    """Never a wrong code, never a guess; recovery codes and the factors of others go on working."""
    secret = world.enroll()
    ring = world.ring.rotate(world.entropy, world.clock.now())
    world.service = world.with_ring(ring)
    codes, theirs = world.codes(), world.enroll(world.eve)
    world.service = world.with_ring(ring.retire(world.ring.active.id))
    unavailable(world)
    assert isinstance(world.verify(codes[0], "recovery"), Verified)
    assert world.passes(theirs, who=world.eve)
    world.service = world.with_ring(ring)
    assert world.passes(secret)


def test_a_lost_key_leaves_the_way_out_by_a_rotation(world: World):
    """Whoever is elevated by a recovery code proves a new secret in the place of the lost one."""
    world.enroll()
    factor = world.held().id_of(TOTP)
    ring = world.ring.rotate(world.entropy, world.clock.now()).retire(world.ring.active.id)
    world.service = world.with_ring(ring)
    secret = world.enroll()
    assert world.held().id_of(TOTP) == factor
    assert world.passes(secret)


def test_a_proposal_under_a_lost_key_costs_no_proof(world: World):
    begun = world.begin()
    code = world.code(begun.secret)
    lost = world.with_ring(world.ring.rotate(world.entropy, world.clock.now()).retire(world.ring.active.id))
    for _ in range(6):
        assert refusal(lost.complete(world.ada, CONTEXT, flow=begun.flow, code=code)) == Code.MFA_SECRET_UNAVAILABLE
    shown = lost.show_again(world.ada, CONTEXT, flow=begun.flow, account="ada@example.org")
    assert refusal(shown) == Code.MFA_SECRET_UNAVAILABLE
    assert isinstance(world.complete(begun), Proven)


@pytest.mark.parametrize("at", [0, 1, 20, -1])
def test_an_altered_ciphertext_is_no_wrong_code(world: World, at: int):
    """Version byte, nonce, text, tag."""
    world.enroll()
    put(world, UserId("ada"), flipped(sealed_of(world), at))
    unavailable(world)


@pytest.mark.parametrize("ciphertext", [b"", b"\x01", b"\x01" * 28, b"\x01" * 29, bytes(10_000)])
def test_a_ciphertext_of_any_length_is_no_wrong_code(world: World, ciphertext: bytes):
    world.enroll()
    put(world, UserId("ada"), attrs.evolve(sealed_of(world), ciphertext=ciphertext))
    unavailable(world)


def test_the_ciphertext_of_another_row_does_not_open(world: World):
    """Whoever can write the table does not give a victim a secret of their own (mfa 19.5)."""
    world.enroll()
    theirs = world.enroll(world.eve)
    put(world, UserId("ada"), sealed_of(world, world.eve))
    unavailable(world)
    assert refusal(world.verify(world.code(theirs))) == Code.MFA_SECRET_UNAVAILABLE
    assert world.passes(theirs, who=world.eve)


def test_the_ciphertext_of_a_proposal_does_not_open_under_another_id(world: World):
    """What was sealed for one authenticator is nothing for the next, of the same person and kind."""
    world.enroll()
    kept = sealed_of(world)
    world.service.remove(world.ada, CONTEXT, authenticator=world.held().id_of(TOTP))
    world.enroll()
    put(world, UserId("ada"), kept)
    unavailable(world)


@pytest.mark.parametrize("text", ["", "%%%", "A", "\\u0000", "AAAA\\nBBBB"])
@pytest.mark.parametrize("database", ["sqlite_uow", "postgresql_uow"])
def test_a_damaged_row_is_no_wrong_code_and_keeps_nothing_else_away(request: Any, database: str, text: str):
    """What is no base64 any more is a broken seal; the recovery codes of the same person go on working."""
    world = World(request.getfixturevalue(database))
    world.enroll()
    codes = world.codes()
    sealed, table = sealed_of(world), world.uow.tables.mfa.factor
    with world.uow.begin() as tx:
        row = tx.connection.run(sa.select(table).where(table.c.kind == "totp")).one()
        damaged = row.data.replace(base64.b64encode(sealed.ciphertext).decode(), text)
        assert damaged != row.data
        tx.connection.run(sa.update(table).where(table.c.kind == "totp").values(data=damaged))
    unavailable(world)
    assert isinstance(world.verify(codes[0], "recovery"), Verified)


# --- what is declared is what works ---------------------------------------------------------------------------------


def test_the_kinds_that_are_built_do_what_is_declared_of_them(world: World):
    """Mfa 3.1: needs activation, types a code, rotates, is enrolled by oneself: constants, and the truth."""
    world.enroll()
    world.codes()
    for kind in (TOTP, RECOVERY):
        answer = world.verify("000000", kind.id)
        assert kind.typed_code == (refusal(answer) == Code.MFA_CODE_REJECTED)
        assert not kind.needs_activation
        begun = world.service.begin(world.ada, CONTEXT, account="a", kind=kind.id)
        assert kind.self_enrollable == (not isinstance(begun, Refused))
    assert TOTP.rotation == isinstance(world.held().factor(TOTP).state, Rotating)
    assert not isinstance(world.held().factor(TOTP).state, Enrolled)


def test_a_longer_budget_name_of_the_policy_is_its_own(world: World):
    """Budgets are counted under their names: two policies with other names count apart."""
    secret = world.enroll()
    other = Budget(name="other", limit=1, window=MfaPolicy().guesses_short.window)
    service = world.tuned(guesses_short=other)
    given = {"user": UserId("ada"), "kind": "totp", "code": world.wrong(secret)}
    told = [refusal(service.verify(world.ada, CONTEXT, **given)) for _ in range(2)]
    assert told == [Code.MFA_CODE_REJECTED, Code.MFA_RATE_LIMITED]
    assert refusal(world.verify(world.wrong(secret))) == Code.MFA_CODE_REJECTED
