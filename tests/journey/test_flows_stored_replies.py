"""What is stored of a repeated command: nothing that anybody could read, or change, or that does not fit."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow import Authflow, Code, Context
from authflow.errors import ReplyUnreadable, SealBroken, SecretUnavailable
from authflow.journey.keyed import ARGUMENTS_MAX
from authflow.journey.replay import LIFETIME, LIFETIME_WITH_SECRETS
from authflow.journey.replaying import _binding
from authflow.ports import Digest, Reply
from authflow.values import NOBODY, Secret
from tests.stage import CONTEXT, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stage import Person

KEY: Final = "7a0c7f7e-1"
INSTANT: Final = timedelta(microseconds=1)


def keyed(key: str = KEY) -> Context:
    return attrs.evolve(CONTEXT, idempotency_key=key)


def stored_keys(host: Stage) -> list[bytes]:
    if hasattr(host.uow, "store"):
        return [key for key, _ in host.uow.store.table("reply").items()]
    table = host.uow.tables.replies.reply
    with host.uow.begin() as tx:
        return [bytes(row.key) for row in tx.connection.run(table.select())]


def stored(host: Stage) -> list[Reply]:
    """Return every reply that stands now."""
    with host.uow.begin() as tx:
        found = [tx.replies.claim(key, host.clock.now()) for key in stored_keys(host)]
        return [reply for reply in found if reply is not None]


def overwrite(host: Stage, reply: Reply) -> None:
    """Write *reply* as somebody could who reaches the table, and has no key of the ring."""
    with host.uow.begin() as tx:
        tx.replies.store(reply)


# --- what can be read -------------------------------------------------------------------------------------------------


def test_nothing_secret_stands_in_the_row(host: Stage, ada: Person):
    former = ada.browser.session
    shown = host.flows.mfa.regenerate_codes(former, keyed("codes"))
    ended = host.flows.sessions.end_others(former, keyed("end"))
    secrets = [former.secret, ended.session.secret, *shown.codes]
    rows = str(host.snapshot()["reply"])
    assert [secret for secret in secrets if secret.reveal() in rows] == []
    assert ada.user not in rows


def test_the_secret_of_a_session_that_goes_on_is_not_stored_at_all(host: Stage, ada: Person):
    host.flows.mfa.rename(ada.browser.session, keyed(), ada.factor, name="phone")
    (row,) = stored(host)
    assert host.joining.mfa._replays._open(row).answer.session == NOBODY


def test_equal_arguments_are_not_seen_to_be_equal(host: Stage, ada: Person):
    for key in ("one", "two"):
        host.flows.mfa.rename(ada.browser.session, keyed(key), ada.factor, name="phone")
    assert len({row.arguments.value for row in stored(host)}) == 2


# --- what can be changed ----------------------------------------------------------------------------------------------


CHANGES: Final[dict[str, Callable[[Reply], Reply]]] = {
    "a longer life": lambda reply: attrs.evolve(reply, expires_at=reply.expires_at + LIFETIME),
    "a shorter life": lambda reply: attrs.evolve(reply, expires_at=reply.expires_at - INSTANT),
    "a longer time for the former value": lambda reply: attrs.evolve(reply, former_until=reply.expires_at),
    "no time for the former value": lambda reply: attrs.evolve(reply, former_until=None),
    "another beginning": lambda reply: attrs.evolve(reply, created_at=reply.created_at + INSTANT),
    "other arguments": lambda reply: attrs.evolve(
        reply, arguments=Digest(key_id=reply.arguments.key_id, value=bytes(32))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_row_that_was_changed_is_neither_given_nor_earned_again(host: Stage, ada: Person, change: str):
    former = ada.browser.session
    host.flows.sessions.end_others(former, keyed())
    (reply,) = stored(host)
    overwrite(host, CHANGES[change](reply))
    with host.writes(), pytest.raises(SealBroken):
        host.flows.sessions.end_others(former, keyed())


def test_whoever_can_write_the_row_cannot_prolong_it(host: Stage, ada: Person):
    session = ada.browser.session
    host.flows.mfa.regenerate_codes(session, keyed())
    (reply,) = stored(host)
    overwrite(host, attrs.evolve(reply, expires_at=reply.expires_at + LIFETIME))
    host.clock.advance(LIFETIME_WITH_SECRETS)
    with host.writes(), pytest.raises(SealBroken):
        host.flows.mfa.regenerate_codes(session, keyed())


MOVES: Final[dict[str, Callable[[Reply, Reply], Reply]]] = {
    "its answer": lambda reply, other: attrs.evolve(other, answer=reply.answer),
    "all of it": lambda reply, other: attrs.evolve(reply, key=other.key),
}


@pytest.mark.parametrize("move", MOVES)
def test_what_was_moved_to_another_row_is_neither_given_nor_earned_again(host: Stage, ada: Person, move: str):
    session, flows = ada.browser.session, host.flows
    flows.mfa.regenerate_codes(session, keyed("one"))
    flows.mfa.regenerate_codes(session, keyed("two"))
    rows = stored(host)
    for row, other in zip(rows, reversed(rows), strict=True):
        overwrite(host, MOVES[move](row, other))
    with host.writes(), pytest.raises(SealBroken):
        flows.mfa.regenerate_codes(session, keyed("one"))


# --- keys and versions ------------------------------------------------------------------------------------------------


def other_rings(host: Stage) -> tuple[Authflow, Authflow]:
    """Return the flows after a rotation of the keys, and after the old key was retired."""
    rotated = host.ring.rotate(host.entropy, host.clock.now())
    return host.open(rotated), host.open(rotated.retire(host.ring.active.id))


def test_a_rotation_of_the_keys_forgets_nothing(host: Stage, ada: Person):
    session = ada.browser.session
    answer = host.flows.mfa.rename(session, keyed(), ada.factor, name="phone")
    rotated, retired = other_rings(host)
    with host.writes("attempt"):
        assert rotated.mfa.rename(session, keyed(), ada.factor, name="phone") == answer
        assert rotated.mfa.rename(session, keyed(), ada.factor, name="x").code is Code.IDEMPOTENCY_CONFLICT
        with pytest.raises(SecretUnavailable):
            retired.mfa.rename(session, keyed(), ada.factor, name="phone")


@pytest.mark.parametrize("written", ["[2,{}]", '[1,["Contents",{"from":"later"}]]', "no list"])
def test_what_another_version_stored_is_neither_given_nor_earned_again(host: Stage, ada: Person, written: str):
    """Nor forgotten: whoever can read it still gives it."""
    session, ask = ada.browser.session, host.flows.mfa.regenerate_codes
    answer = ask(session, keyed())
    (reply,) = stored(host)
    sealed = host.joining.mfa._replays.cipher.seal(Secret(written), bound_to=_binding(reply))
    overwrite(host, attrs.evolve(reply, answer=sealed))
    with host.writes(), pytest.raises(ReplyUnreadable):
        ask(session, keyed())
    overwrite(host, reply)
    assert ask(session, keyed()) == answer


# --- what does not fit ------------------------------------------------------------------------------------------------


def test_arguments_that_are_too_many_are_refused_and_nothing_is_written(host: Stage, ada: Person):
    with host.writes():
        refused = host.flows.mfa.rename(ada.browser.session, keyed(), ada.factor, name="n" * ARGUMENTS_MAX)
    assert refused.code is Code.IDEMPOTENCY_TOO_LARGE
    assert refused.session == ada.browser.session
    assert (refused.why.gate, set(refused.why.facts)) == ("oversized", {"characters"})


def test_without_a_key_the_command_itself_says_what_is_too_long(host: Stage, ada: Person):
    refused = host.flows.mfa.rename(ada.browser.session, CONTEXT, ada.factor, name="n" * ARGUMENTS_MAX)
    assert refused.code is Code.MFA_INPUT_INVALID
