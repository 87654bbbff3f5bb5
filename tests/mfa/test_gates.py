"""The order of the gates: whoever fails two of them is answered by the earlier one, in every list of gates."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.errors import CATALOGUE, Code
from authflow.mfa import gates
from authflow.mfa.enrollment import MACHINE
from authflow.mfa.kinds import KINDS, RECOVERY, TOTP, UNKNOWN
from authflow.testing.samples.mfa import (
    EVE,
    LIMITED,
    NOW,
    OLD_FLOW,
    POLICY,
    PROPOSED,
    TTL,
    WRONG,
    complete,
    person,
)
from authflow.values import Asker, Refused, SessionId
from tests.mfa.faults import fault, in_order, kind_fault, policy_fault, sound_request, with_faults

if TYPE_CHECKING:
    from datetime import datetime

    from tests.mfa.faults import Fault

NOBODY: Fault = (
    Code.SESSION_REQUIRED,
    lambda sound: attrs.evolve(sound, asker=attrs.evolve(sound.asker, user=None)),
)
SUPERSEDED: Fault = (
    Code.MFA_ENROLLMENT_STATE_CHANGED,
    lambda sound: attrs.evolve(sound, asker=attrs.evolve(sound.asker, user=None, why_not=Code.SESSION_SUPERSEDED)),
)
NOT_ELEVATED: Fault = (
    Code.SESSION_ELEVATION_REQUIRED,
    lambda sound: attrs.evolve(sound, asker=attrs.evolve(sound.asker, elevated=False)),
)
UNVERIFIED = fault(Code.MFA_ADDRESS_UNVERIFIED, address_verified=False)
OVER_LIMIT = fault(Code.MFA_RATE_LIMITED, limit=LIMITED)
FOR_ANOTHER = fault(Code.MFA_NOT_SELF, subject=EVE)
NO_KIND = kind_fault(Code.MFA_KIND_UNKNOWN, self_enrollable=False)
MALFORMED = fault(Code.MFA_INPUT_INVALID, problems={"code": "is empty"})
UNAVAILABLE = policy_fault(Code.MFA_KIND_UNAVAILABLE, unavailable_kinds=frozenset({"totp"}))
CLOSED = policy_fault(Code.MFA_ENROLLMENT_CLOSED, closed_kinds=frozenset({"totp"}))
ENROLLED: Fault = (
    Code.MFA_ALREADY_ENROLLED,
    lambda sound: attrs.evolve(sound, enrolled=True, kind=attrs.evolve(sound.kind, rotation=False)),
)

COMPLETING = [
    SUPERSEDED,
    NOBODY,
    NOT_ELEVATED,
    UNVERIFIED,
    OVER_LIMIT,
    FOR_ANOTHER,
    NO_KIND,
    MALFORMED,
    UNAVAILABLE,
    CLOSED,
    ENROLLED,
]
"""G1 to G10 of mfa 12.1, by what they answer, behind what a superseded value is told (decision 28)."""

BEGINNING = [NOBODY, NOT_ELEVATED, OVER_LIMIT, FOR_ANOTHER, NO_KIND, UNAVAILABLE, CLOSED, ENROLLED]
SHOWING = [SUPERSEDED, NOBODY, NOT_ELEVATED, FOR_ANOTHER, NO_KIND, UNAVAILABLE, CLOSED]
CANCELLING = [NOBODY, FOR_ANOTHER, NO_KIND]

ORDERS = {
    "completing": (gates.COMPLETING, COMPLETING),
    "beginning": (gates.BEGINNING, BEGINNING),
    "showing": (gates.SHOWING, SHOWING),
    "cancelling": (gates.CANCELLING, CANCELLING),
}

CASES = [
    pytest.param(order, *case, id=f"{name}-{case[1][0]}-{case[2][0]}")
    for name, (order, faults) in ORDERS.items()
    for case in in_order(faults)
]


@pytest.mark.parametrize(("order", "expected", "one", "other"), CASES)
def test_of_two_failing_gates_the_earlier_one_answers(order: Any, expected: Code, one: Fault, other: Fault):
    refused = gates.refusal(order, with_faults(sound_request(), one, other))
    assert refused is not None
    assert refused.code == expected


@pytest.mark.parametrize("name", ORDERS)
def test_every_gate_stands_in_the_test_and_a_sound_request_passes(name: str):
    order, faults = ORDERS[name]
    assert len(order) == len(faults)
    assert gates.refusal(order, sound_request()) is None


def test_what_a_gate_does_not_stand_in_front_of_it_does_not_refuse():
    """A beginning needs no verified address; stopping needs no elevation, no open kind and no budget."""
    assert gates.refusal(gates.BEGINNING, with_faults(sound_request(), UNVERIFIED, MALFORMED)) is None
    assert (
        gates.refusal(gates.SHOWING, with_faults(sound_request(), UNVERIFIED, MALFORMED, OVER_LIMIT, ENROLLED)) is None
    )
    spared = (NOT_ELEVATED, UNVERIFIED, MALFORMED, OVER_LIMIT, UNAVAILABLE, CLOSED, ENROLLED)
    assert gates.refusal(gates.CANCELLING, with_faults(sound_request(), *spared)) is None


@pytest.mark.parametrize("why", [Code.SESSION_REQUIRED, Code.SESSION_ENDED, Code.SESSION_SECOND_FACTOR_OWED])
def test_whoever_is_not_signed_in_is_told_why(why: Code):
    nobody = Asker(user=None, session=SessionId(""), why_not=why)
    assert gates.refusal(gates.COMPLETING, sound_request(asker=nobody)) == Refused(code=why)


def test_the_limit_says_when_to_come_back():
    refused = gates.refusal(gates.COMPLETING, sound_request(limit=LIMITED))
    assert refused == Refused(code=Code.MFA_RATE_LIMITED, retry_after=timedelta(hours=3))
    assert CATALOGUE[Code.MFA_RATE_LIMITED].http == 429


def test_an_installation_without_mail_may_relax_the_verified_address():
    relaxed = attrs.evolve(POLICY, require_verified_address=False)
    assert gates.refusal(gates.COMPLETING, sound_request(address_verified=False, policy=relaxed)) is None


@pytest.mark.parametrize("order", [gates.COMPLETING, gates.BEGINNING])
def test_the_limiter_is_asked_only_behind_the_gates_before_it(order: Any):
    """Whoever may not even try uses no budget up; whoever may, uses it whatever else is wrong (mfa 12.1 G4)."""
    asked = sound_request(limit=None)
    assert gates.admitted(order, asked)
    for spent in (FOR_ANOTHER, NO_KIND, MALFORMED, UNAVAILABLE, CLOSED, ENROLLED):
        assert gates.admitted(order, with_faults(asked, spent))
    spared = (
        [SUPERSEDED, NOBODY, NOT_ELEVATED, UNVERIFIED] if gates.address_verified in order else [NOBODY, NOT_ELEVATED]
    )
    for saved in spared:
        assert not gates.admitted(order, with_faults(asked, saved))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_what_is_enrolled_may_only_be_rotated_or_added_to(kind: Any):
    refused = gates.not_enrolled(sound_request(kind=kind, enrolled=True))
    assert (refused is None) == (kind.rotation or kind.multi)
    assert gates.not_enrolled(sound_request(kind=kind, enrolled=False)) is None


def test_an_administrator_enrolls_nothing_for_anybody():
    """Mfa 12.1 G5: refused, and not redirected to the administrator's own account."""
    assert gates.refusal(gates.COMPLETING, sound_request(asker=person(EVE))) == Refused(code=Code.MFA_NOT_SELF)


# --- the field ``code`` ---------------------------------------------------------------------------------------------

TEXTS = {
    None: "is missing",
    123456: "is missing",
    b"123456": "is missing",
    "": "is empty",
    " \t\n": "is empty",
    "\u3000": "is empty",
    "0" * 21: "is longer than 20 characters",
    "\U0001f600" * 10_000: "is longer than 20 characters",
}


@pytest.mark.parametrize(("text", "problem"), TEXTS.items(), ids=range(len(TEXTS)))
def test_what_cannot_be_a_code_is_said_to_be_no_code(text: Any, problem: str):
    assert gates.code_problems(text, TOTP) == {"code": problem}


@pytest.mark.parametrize("text", ["0" * 20, "\uff11" * 6, "\x00", "\U0001f600", "x", " 123-456 "])
def test_what_may_be_wrong_but_can_be_looked_at_is_no_malformed_field(text: str):
    """It is a wrong code: the form has the field, filled in (mfa 11)."""
    assert gates.code_problems(text, TOTP) == {}


def test_recovery_codes_may_be_longer():
    assert gates.code_problems("x" * 64, RECOVERY) == {}
    assert gates.code_problems("x" * 65, RECOVERY) == {"code": "is longer than 64 characters"}
    assert gates.code_problems("x" * 21, UNKNOWN) == {"code": "is longer than 20 characters"}


def test_a_request_assumes_nothing_that_was_not_said():
    """Nobody vouched for the address, and a factor nobody spoke of is not there."""
    bare = gates.Request(asker=sound_request().asker, subject=sound_request().subject, kind=TOTP, policy=POLICY)
    assert (bare.address_verified, bare.enrolled) == (False, False)


# --- what comes behind the gates ------------------------------------------------------------------------------------

BEHIND: list[tuple[Code, dict[str, Any]]] = [
    (Code.MFA_ENROLLMENT_STATE_CHANGED, {"flow": OLD_FLOW}),
    (Code.MFA_ENROLLMENT_EXPIRED, {"now": NOW + TTL}),
    (Code.MFA_SECRET_UNAVAILABLE, {"secret": None}),
    (Code.MFA_ENROLLMENT_ENDED, {"attempts": 6}),
    (Code.MFA_CODE_REJECTED, {"code": WRONG}),
]
"""What a proof meets behind its gates, in its order: the flow, its time, its secret, its attempts, its code."""


def proven(*faults: Fault, now: datetime = NOW, **given: Any) -> Code:
    """Return what a proof with *faults* in its request, and *given* in its command, is answered."""
    command = attrs.evolve(complete(), request=with_faults(sound_request(), *faults), **given)
    answer = MACHINE.step(PROPOSED, command, now).answer
    assert isinstance(answer, Refused)
    return answer.code


@pytest.mark.parametrize("gate", COMPLETING, ids=lambda gate: gate[0])
def test_every_gate_stands_in_front_of_everything_that_a_proof_meets(gate: Fault):
    for _, later in BEHIND:
        assert proven(gate, **later) == gate[0]


@pytest.mark.parametrize(("one", "other"), list(combinations(range(len(BEHIND)), 2)))
def test_behind_the_gates_the_earlier_fault_answers_too(one: int, other: int):
    assert proven(**BEHIND[one][1]) == BEHIND[one][0]
    assert proven(**{**BEHIND[other][1], **BEHIND[one][1]}) == BEHIND[one][0]
