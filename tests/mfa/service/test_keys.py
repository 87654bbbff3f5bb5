"""Keys and ciphertexts, on every database: what nobody can read is no wrong code, and keeps nothing else away."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa

from authflow.errors import Code
from authflow.mfa.answers import Proven, Verified
from authflow.mfa.factor import enrolled
from authflow.mfa.kinds import TOTP
from authflow.values import Sealed, UserId
from tests.mfa.world import CONTEXT, World, refusal

if TYPE_CHECKING:
    from authflow.ports import Stored


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


@pytest.mark.parametrize("altered", [False, True])
def test_the_log_names_the_key_that_the_answer_keeps_silent(
    world: World, caplog: pytest.LogCaptureFixture, *, altered: bool
):
    """The operator has to find it; the record tells neither the secret nor its ciphertext."""
    secret, code = world.enroll(), Code.SEAL_BROKEN if altered else Code.KEYS_UNKNOWN
    if altered:
        put(world, UserId("ada"), flipped(sealed_of(world), -1))
    else:
        world.service = world.with_ring(
            world.ring.rotate(world.entropy, world.clock.now()).retire(world.ring.active.id)
        )
    unavailable(world)
    (record,) = [record for record in caplog.records if record.name == "authflow.keys"]
    told = vars(record)
    assert (record.levelname, told["authflow_key"], told["authflow_code"]) == (
        "WARNING",
        world.ring.active.id,
        code.value,
    )
    assert secret.reveal() not in str(told)
    assert sealed_of(world).ciphertext.hex() not in str(told)


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
@pytest.mark.parametrize("database", ["sqlite_uow", "postgresql_uow", "mariadb_uow"])
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
