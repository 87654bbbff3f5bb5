"""Whatever a browser may send, in whatever state: a stable code, and nothing written but what the rules allow."""

from __future__ import annotations

from itertools import product
from typing import Any

import attrs
import pytest

from authflow.errors import CATALOGUE, Code, IllegalCommand
from authflow.mfa.answers import Begun, Cancelled, Verified
from authflow.mfa.kinds import RECOVERY, TOTP
from authflow.values import Asker, AuthenticatorId, FlowId, Refused, SessionId, UserId
from tests.mfa.world import CONTEXT, WIDE, World, refusal

COUNTS = {"limit", "limit_until", "attempt"}
LOGS = {"audit", "outbox"}
"""What a refusal may write: counts, and what is told of it."""

CODES: list[Any] = [
    None,
    "",
    " ",
    "\t\r\n",
    "\u3000",
    "0",
    "12345",
    "1234567",
    "123456 7",
    "abcdef",
    "12345\u0664",
    "\uff11\uff12\uff13\uff14\uff15\uff16",
    "\u2460\u2461\u2462\u2463\u2464\u2465",
    "\U0001f511",
    "\U0001f511" * 6,
    "\x00\x00\x00\x00\x00\x00",
    "123\x00456",
    "\ud800",
    "12345\u0301",
    "-",
    "' OR 1=1",
    "0" * 20,
    "0" * 21,
    "0" * 100_000,
    "0000-0000-0000-0000",
    "IIII-LLLL-OOOO-UUUU",
    123456,
    b"123456",
    ["123456"],
]
KINDS: list[Any] = ["", "TOTP", "u2f", "unknown", "t\u043etp", "\x00", "\ud800", "x" * 100_000, None, 1, ["totp"]]
FLOWS: list[Any] = ["", "x", "x" * 64, "x" * 65, "x" * 100_000, "\x00", "\ud800", "fl\u00f6w", None, 7, b"flow"]


POLICY = attrs.evolve(WIDE, enrollment_proofs=10, lock_after=100)
"""Nothing stands in anybody's way: a budget would answer before anything else is looked at."""


@pytest.fixture
def world(uow: Any) -> World:
    return World(uow, POLICY)


def told_and_allowed(world: World, command: Any, *allowed: str) -> Refused:
    """Return the refusal of *command*, after checking that it wrote only to *allowed*."""
    before = world.held()
    written, answer = world.written_by(command)
    assert isinstance(answer, Refused), answer
    assert answer.code in CATALOGUE
    assert written <= set(allowed), (written, answer)
    assert world.held() == before
    return answer


def test_no_text_is_a_code_of_a_challenge(world: World):
    secret = world.enroll()
    codes = world.codes()
    for code, kind in product(CODES, (TOTP.id, RECOVERY.id)):
        answer = told_and_allowed(world, lambda code=code, kind=kind: world.verify(code, kind), *COUNTS, *LOGS)
        assert answer.code in {Code.MFA_INPUT_INVALID, Code.MFA_CODE_REJECTED}, (code, kind)
        assert (answer.code == Code.MFA_INPUT_INVALID) == (list(answer.problems) == ["code"]), (code, kind)
    assert world.passes(secret)
    assert isinstance(world.verify(codes[0], "recovery"), Verified)


def test_no_text_proves_an_enrollment(world: World):
    for code in CODES:
        begun = world.begin()
        ask = {"flow": begun.flow, "code": code}
        answer = told_and_allowed(
            world, lambda ask=ask: world.service.complete(world.ada, CONTEXT, **ask), *COUNTS, *LOGS
        )
        assert answer.code in {Code.MFA_INPUT_INVALID, Code.MFA_CODE_REJECTED}, code
        counted = world.service.complete(world.ada, CONTEXT, flow=begun.flow, code=world.wrong(begun.secret))
        assert counted.attempts_left == (9 if answer.code == Code.MFA_INPUT_INVALID else 8), code


@pytest.mark.parametrize("kind", KINDS, ids=range(len(KINDS)))
def test_no_other_name_is_a_kind(world: World, kind: Any):
    world.enroll()
    begun = world.begin()
    ask = {"flow": begun.flow, "kind": kind}
    account = "ada@example.org"
    for command in (
        lambda: world.verify("123456", kind),
        lambda: world.service.begin(world.ada, CONTEXT, account=account, kind=kind),
        lambda: world.service.complete(world.ada, CONTEXT, code=world.code(begun.secret), **ask),
        lambda: world.service.show_again(world.ada, CONTEXT, account=account, **ask),
        lambda: world.service.cancel(world.ada, CONTEXT, **ask),
    ):
        assert told_and_allowed(world, command, *COUNTS).code == Code.MFA_KIND_UNKNOWN


@pytest.mark.parametrize("kind", ["sms", "security_key", "recovery"])
def test_what_nobody_can_enroll_is_not_enrolled(world: World, kind: str):
    known = Code.MFA_KIND_UNKNOWN if kind == "recovery" else Code.MFA_KIND_UNAVAILABLE
    ask = {"flow": FlowId("x"), "kind": kind}
    for command in (
        lambda: world.service.begin(world.ada, CONTEXT, account="ada@example.org", kind=kind),
        lambda: world.service.complete(world.ada, CONTEXT, code="123456", **ask),
        lambda: world.service.show_again(world.ada, CONTEXT, account="ada@example.org", **ask),
    ):
        assert told_and_allowed(world, command, *COUNTS).code == known


@pytest.mark.parametrize("flow", FLOWS, ids=range(len(FLOWS)))
def test_no_other_handle_continues_a_flow(world: World, flow: Any):
    begun = world.begin()
    ask = {"flow": flow}
    for command in (
        lambda: world.service.complete(world.ada, CONTEXT, code=world.code(begun.secret), **ask),
        lambda: world.service.show_again(world.ada, CONTEXT, account="ada@example.org", **ask),
        lambda: world.service.cancel(world.ada, CONTEXT, **ask),
    ):
        assert told_and_allowed(world, command, *COUNTS).code == Code.MFA_ENROLLMENT_STATE_CHANGED


def test_the_flow_of_another_person_or_browser_is_no_flow(world: World):
    """It costs its owner no proof either."""
    begun = world.begin()
    right = world.code(begun.secret)
    elsewhere = attrs.evolve(world.ada, session=SessionId("elsewhere"))
    for who in (world.eve, world.root, elsewhere):
        for command in (
            lambda who=who: world.service.complete(who, CONTEXT, flow=begun.flow, code=right),
            lambda who=who: world.service.show_again(who, CONTEXT, flow=begun.flow, account="a"),
        ):
            assert told_and_allowed(world, command, *COUNTS).code == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert world.service.cancel(world.eve, CONTEXT, flow=begun.flow) == Cancelled()
    assert refusal(world.service.cancel(elsewhere, CONTEXT, flow=begun.flow)) == Code.MFA_ENROLLMENT_STATE_CHANGED
    assert world.complete(begun, world.wrong(begun.secret)).attempts_left == 9


# --- in whatever state ----------------------------------------------------------------------------------------------


def arranged(world: World, state: str, *, codes: bool) -> tuple[list[Any], list[Any]]:
    """Bring Ada into a state; return the ids and the handles that she may name."""
    flow = FlowId("none")
    if state in {"enrolled", "rotating"}:
        world.enroll()
        if codes:
            world.codes()
    if state in {"proposed", "rotating"}:
        flow = world.begin().flow
    own = [held.id for held in world.held().held()]
    waiting = getattr(world.held().factor(TOTP).state, "proposal", None)
    pending = [] if waiting is None else [waiting.authenticator]
    return [*own, *pending, AuthenticatorId("foreign")], [flow, FlowId("foreign")]


def commands(world: World, who: Asker, ids: list[Any], flows: list[Any]) -> list[Any]:
    """Return every command that a person may give."""
    service = world.service
    keyed = [
        call
        for key in ids
        for call in (
            lambda key=key: service.details(who, authenticator=key),
            lambda key=key: service.rename(who, CONTEXT, authenticator=key, name="x"),
            lambda key=key: service.rename(who, CONTEXT, authenticator=key, name=""),
            lambda key=key: service.remove(who, CONTEXT, authenticator=key),
        )
    ]
    kinded = [
        call
        for kind, flow in product(("totp", "sms", "security_key", "recovery", "owl"), flows)
        for call in (
            lambda kind=kind, flow=flow: service.show_again(who, CONTEXT, flow=flow, account="a", kind=kind),
            lambda kind=kind, flow=flow: service.complete(who, CONTEXT, flow=flow, code="000000", kind=kind),
            lambda kind=kind: service.verify(who, CONTEXT, user=who.user or UserId("ada"), kind=kind, code="000000"),
            lambda kind=kind, flow=flow: service.cancel(who, CONTEXT, flow=flow, kind=kind),
            lambda kind=kind: service.begin(who, CONTEXT, account="a", kind=kind),
        )
    ]
    return [
        lambda: service.listing(who),
        *keyed,
        *kinded,
        lambda: service.regenerate_codes(who, CONTEXT),
    ]


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize("state", ["unenrolled", "proposed", "enrolled", "rotating"])
def test_no_command_is_a_bug_in_any_state(memory_uow: Any, state: str, *, codes: bool):
    """What a person can cause is a row and an answer; `IllegalCommand` is a bug of ours."""
    world = World(memory_uow, POLICY)
    ids, flows = arranged(world, state, codes=codes)
    askers = (
        world.ada,
        attrs.evolve(world.ada, elevated=False),
        attrs.evolve(world.ada, session=SessionId("elsewhere")),
        Asker(user=None, session=SessionId("")),
        Asker(user=None, session=SessionId(""), why_not=Code.SESSION_SUPERSEDED),
    )
    for who in askers:
        for number, command in enumerate(commands(world, who, ids, flows)):
            try:
                answer = world.rolled_back(command)
            except IllegalCommand as bug:
                pytest.fail(f"{state}, {who.user}, command {number}: {bug}")
            assert answer is not None
            if who.user is None and not isinstance(answer, Refused):
                pytest.fail(f"{state}: a stranger was answered {answer}")


def test_nothing_that_is_answered_shows_a_secret_by_itself(world: World):
    """A host may log every answer."""
    begun = world.begin()
    assert isinstance(begun, Begun)
    assert not any(text in repr(begun) for text in (begun.secret.reveal(), begun.uri.reveal(), begun.grouped.reveal()))
    world.complete(begun)
    shown = world.service.add_codes(world.ada, CONTEXT, user=UserId("ada"))
    assert not any(code.reveal() in repr(shown) for code in getattr(shown, "codes", ()))
