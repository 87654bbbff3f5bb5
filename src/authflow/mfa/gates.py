"""The gates in front of an enrollment, in their order (mfa 12.1, decisions 9 and 28).

A gate is a pure function: it looks at a request and refuses, or says nothing. The first one that refuses answers.
`COMPLETING` is the whole order; the other tuples are the same order with gates left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import attrs

from authflow.errors import Code
from authflow.mfa import kinds
from authflow.ports import Limited
from authflow.values import Refused
from authflow.witness import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from authflow.mfa.kinds import Kind
    from authflow.policy import MfaPolicy
    from authflow.ports import Allowed
    from authflow.values import Asker, UserId

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Request:
    """Everything the gates of an enrollment look at.

    Args:
        asker: Who asks.
        subject: Whose factor it is to be; empty where nobody is signed in.
        address_verified: The asker's primary address is verified.
        limit: What the limiter said; none while it has not been asked.
        kind: What is to be enrolled.
        enrolled: The subject has a factor of this kind.
        problems: Field name and what is wrong with it.
        policy: The installation's.
    """

    asker: Asker
    subject: UserId
    address_verified: bool = False
    limit: Allowed | Limited | None = None
    kind: Kind
    enrolled: bool = False
    problems: Mapping[str, str] = attrs.field(factory=dict[str, str])
    policy: MfaPolicy


class Asks(Protocol):
    """Any request: somebody asks."""

    @property
    def asker(self) -> Asker:
        """Who asks."""
        ...


def refusal(gates: Sequence[Callable[[T], Refused | None]], request: T) -> Refused | None:
    """Return what the first gate that refuses *request* answers, or none."""
    for gate in gates:
        answer = gate(request)
        if answer is not None:
            refused(gate, answer, request)
            return answer
    return None


def flow_current(request: Asks) -> Refused | None:
    """G0: a superseded session value learns only that the flow it began is over (decisions 3 and 28)."""
    superseded = request.asker.why_not is Code.SESSION_SUPERSEDED
    return Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED) if superseded else None


def authenticated(request: Asks) -> Refused | None:
    """G1: somebody is signed in."""
    if request.asker.user is None:
        return Refused(code=request.asker.why_not or Code.SESSION_REQUIRED)
    return None


def elevated(request: Asks) -> Refused | None:
    """G2: they proved recently who they are."""
    return None if request.asker.elevated else Refused(code=Code.SESSION_ELEVATION_REQUIRED)


def address_verified(request: Request) -> Refused | None:
    """G3: their primary address is verified, unless the installation relaxes this."""
    if request.policy.require_verified_address and not request.address_verified:
        return Refused(code=Code.MFA_ADDRESS_UNVERIFIED)
    return None


def within_limit(request: Request) -> Refused | None:
    """G4: the budget of this person and kind holds; every call counts, good or bad."""
    if isinstance(request.limit, Limited):
        return Refused(code=Code.MFA_RATE_LIMITED, retry_after=request.limit.retry_after)
    return None


def self_only(request: Request) -> Refused | None:
    """G5: nobody puts a factor on somebody else's account, no administrator either."""
    return None if request.subject == request.asker.user else Refused(code=Code.MFA_NOT_SELF)


def kind_known(request: Request) -> Refused | None:
    """G6: there is such a kind, and a person can enroll it."""
    return None if request.kind.self_enrollable else Refused(code=Code.MFA_KIND_UNKNOWN)


def input_valid(request: Request) -> Refused | None:
    """G7: every field is there and can be what it must be."""
    return Refused(code=Code.MFA_INPUT_INVALID, problems=request.problems) if request.problems else None


def kind_available(request: Request) -> Refused | None:
    """G8: the deployment can offer the kind now."""
    return None if kinds.available(request.kind, request.policy) else Refused(code=Code.MFA_KIND_UNAVAILABLE)


def kind_open(request: Request) -> Refused | None:
    """G9: no administrator closed the kind; asked before "enrolled already", and for rotations too."""
    return Refused(code=Code.MFA_ENROLLMENT_CLOSED) if kinds.closed(request.kind, request.policy) else None


def not_enrolled(request: Request) -> Refused | None:
    """G10: nothing is enrolled, or the kind can be rotated or added to."""
    room = not request.enrolled or request.kind.multi or request.kind.rotation
    return None if room else Refused(code=Code.MFA_ALREADY_ENROLLED)


COMPLETING: Final = (
    flow_current,
    authenticated,
    elevated,
    address_verified,
    within_limit,
    self_only,
    kind_known,
    input_valid,
    kind_available,
    kind_open,
    not_enrolled,
)
"""G1 to G10: what stands before a proof is compared."""

BEGINNING: Final = (
    authenticated,
    elevated,
    within_limit,
    self_only,
    kind_known,
    kind_available,
    kind_open,
    not_enrolled,
)
"""A beginning needs no verified address (mfa 11), and has no field that could be malformed."""

SHOWING: Final = (flow_current, authenticated, elevated, self_only, kind_known, kind_available, kind_open)
"""Showing a pending secret again changes nothing, so it has no budget."""

CANCELLING: Final = (authenticated, self_only, kind_known)
"""Whoever began may stop, also when the elevation is over or the kind was closed since."""


def admitted(gates: Sequence[Callable[[Request], Refused | None]], request: Request) -> bool:
    """Tell whether *request* passes every gate in front of the limiter: only then is the limiter asked."""
    return refusal(gates[: gates.index(within_limit)], request) is None


def code_problems(code: object, kind: Kind) -> dict[str, str]:
    """Return what is wrong with the field ``code``: missing, no text, blank, or too long to be looked at (mfa 11)."""
    if not isinstance(code, str):
        return {"code": "is missing"}
    if not code.strip():
        return {"code": "is empty"}
    return {"code": f"is longer than {kind.code_max} characters"} if len(code) > kind.code_max else {}
