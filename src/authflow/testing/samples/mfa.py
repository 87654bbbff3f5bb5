"""Persons, states, requests and secrets for the tests of second factors; every fact can be turned by name."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from authflow.errors import Code
from authflow.mfa import commands as c
from authflow.mfa import totp
from authflow.mfa.factor import Authenticator, Enrolled, Proposal, Proposed, Rotating, flow_digest
from authflow.mfa.gates import Request
from authflow.mfa.kinds import TOTP, UNKNOWN
from authflow.mfa.recovery import Ready
from authflow.mfa.removal import Change
from authflow.policy import MfaPolicy
from authflow.ports import Allowed, Limited
from authflow.testing.clocks import START
from authflow.values import (
    Asker,
    AuthenticatorId,
    FlowId,
    Level,
    OrganizationId,
    Sealed,
    Secret,
    SessionId,
    UserId,
)

if TYPE_CHECKING:
    from datetime import datetime

NOW: Final = START
SECOND: Final = timedelta(seconds=1)
STEP: Final = timedelta(seconds=30)
POLICY: Final = MfaPolicy()
TTL: Final = POLICY.pending_enrollment_ttl
LIMITED: Final = Limited(timedelta(hours=3))
ADA, EVE = UserId("ada"), UserId("eve")
BROWSER, ELSEWHERE = SessionId("browser-1"), SessionId("browser-2")
FLOW, OLD_FLOW = FlowId("flow-1"), FlowId("flow-0")
PHONE, CODES = AuthenticatorId("authenticator-1"), AuthenticatorId("codes-1")
STRANGER: Final = Asker(user=None, session=BROWSER, why_not=Code.SESSION_ENDED)
OVERTAKEN: Final = Asker(user=None, session=BROWSER, why_not=Code.SESSION_SUPERSEDED)
NOBODY_YET: Final = Asker(user=None, session=SessionId(""))

OLD, NEW = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), Secret("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
OLD_SEALED, NEW_SEALED = (Sealed(key_id="k1", ciphertext=name) for name in (b"sealed old", b"sealed new"))


def code(secret: Secret = NEW, steps: int = 0, *, now: datetime = NOW) -> str:
    """Return the code of *secret*, *steps* after *now*."""
    return totp.code_at(secret, totp.step_at(now) + steps)


def wrong_code(now: datetime = NOW) -> str:
    """Return six digits that are no code of either secret anywhere near *now*."""
    right = {code(secret, steps, now=now) for secret in (OLD, NEW) for steps in range(-3, 4)}
    return next(text for text in (f"{number:06}" for number in range(100)) if text not in right)


WRONG: Final = wrong_code()


def typings(secret: Secret = NEW) -> tuple[str, ...]:
    """Return ways to type a code of *secret*: of the steps around now, spread with blanks, too short, in other digits.

    By default one step to either side is accepted, and whatever is not six ASCII digits is no code.
    """
    right = code(secret)
    foreign = "".join(chr(0xFF10 + int(digit)) for digit in right)
    return (*(code(secret, steps) for steps in (-2, -1, 1, 2)), f" {right[:3]} {right[3:]}", right[:5], foreign)


# --- states ---------------------------------------------------------------------------------------------------------


def authenticator(step: int = totp.step_at(NOW) - 10, **facts: Any) -> Authenticator:
    """Return a factor that was proven an hour ago; *step* is the last that was accepted."""
    given: dict[str, Any] = {"id": PHONE, "name": "My phone", "created_at": NOW - timedelta(hours=1)}
    given |= {"last_used_at": NOW - 10 * STEP, "secret": OLD_SEALED, "last_accepted_step": step, **facts}
    return Authenticator(**given)


def proposal(flow: FlowId = FLOW, **facts: Any) -> Proposal:
    """Return a proposal that was made now, in `BROWSER`."""
    given: dict[str, Any] = {"flow": flow_digest(flow), "session": BROWSER, "authenticator": PHONE}
    given |= {"secret": NEW_SEALED, "created_at": NOW, "expires_at": NOW + TTL, **facts}
    return Proposal(**given)


PROPOSED: Final = Proposed(proposal=proposal())
ENROLLED: Final = Enrolled(authenticator=authenticator())
ROTATING: Final = Rotating(authenticator=authenticator(), proposal=proposal())
READY: Final = Ready(authenticator=CODES, created_at=NOW - timedelta(hours=1), left=10)


# --- what is asked --------------------------------------------------------------------------------------------------


def person(user: UserId = ADA, **facts: Any) -> Asker:
    """Return somebody who asks, freshly proven."""
    given: dict[str, Any] = {"session": BROWSER, "level": Level.TWO, "elevated": True, "label": user, **facts}
    return Asker(user=user, **given)


def request(**facts: Any) -> Request:
    """Return a request that passes every gate of an enrollment."""
    given: dict[str, Any] = {"asker": person(), "subject": ADA, "address_verified": True, "limit": Allowed(1)}
    given |= {"kind": TOTP, "policy": POLICY, **facts}
    return Request(**given)


def change(**facts: Any) -> Change:
    """Return a change that passes every gate in front of what stands."""
    given: dict[str, Any] = {"asker": person(), "subject": ADA, "target": TOTP, **facts}
    return Change(**given)


def begin(flow: FlowId = FLOW, **facts: Any) -> c.Begin:
    """Return the proposal of `NEW`."""
    return c.Begin(
        request=request(**facts),
        flow=flow,
        account="ada@example.org",
        authenticator=PHONE,
        secret=NEW,
        sealed=NEW_SEALED,
    )


def show(flow: Any = FLOW, secret: Secret | None = NEW, **facts: Any) -> c.ShowAgain:
    """Return a reload."""
    return c.ShowAgain(request=request(**facts), flow=flow, account="ada@example.org", secret=secret)


def complete(
    text: str | None = None, *, flow: Any = FLOW, secret: Secret | None = NEW, attempts: int = 1, **facts: Any
) -> c.Complete:
    """Return a proof, by default a right one."""
    typed = code() if text is None else text
    return c.Complete(request=request(**facts), flow=flow, code=typed, secret=secret, attempts=attempts)


def cancel(flow: Any = FLOW, **facts: Any) -> c.Cancel:
    """Return a stop."""
    return c.Cancel(request=request(**facts), flow=flow)


# --- what stops at a gate -------------------------------------------------------------------------------------------

EMPLOYER, ELSEWHERE_TOO = OrganizationId("acme"), OrganizationId("globex")
UNAVAILABLE: Final = MfaPolicy(unavailable_kinds=frozenset({TOTP.id}))
CLOSED: Final = MfaPolicy(closed_kinds=frozenset({TOTP.id}))
FIXED: Final = attrs.evolve(TOTP, rotation=False)
"""A kind of which there is one, never replaced in place. No kind of ours is such a one."""

STOPPED_REQUESTS: Final[tuple[dict[str, Any], ...]] = (
    {"asker": OVERTAKEN},
    {"asker": NOBODY_YET},
    {"asker": STRANGER},
    {"asker": person(elevated=False)},
    {"address_verified": False},
    {"limit": LIMITED},
    {"subject": EVE},
    {"kind": UNKNOWN},
    {"problems": {"code": "is missing"}},
    {"policy": UNAVAILABLE},
    {"policy": CLOSED},
    {"kind": FIXED, "enrolled": True},
)
"""Facts of a request: each fails one gate of an enrollment, in the order of the gates."""

STOPPED_CHANGES: Final[tuple[dict[str, Any], ...]] = (
    {"asker": STRANGER},
    {"asker": person(elevated=False)},
    {"asker": person(EVE)},
    {"asker": person(EVE), "administrator": True, "known": False},
    {"target": UNKNOWN},
    {"problems": {"name": "is empty"}},
    {"required": True},
)
"""Facts of a change: each fails one gate in front of what stands, in the order of the gates."""

MANAGED: Final[dict[str, Any]] = {
    "asker": person(EVE),
    "managed_by": EMPLOYER,
    "manager_of": frozenset({EMPLOYER}),
    "memberships": frozenset({EMPLOYER}),
}
"""Facts of a change by somebody who manages the one organization that the person belongs to."""

OF_OTHERS: Final[tuple[dict[str, Any], ...]] = (
    {"asker": person(EVE), "administrator": True, "required": True},
    MANAGED,
)
"""Facts of a change by somebody who may act on another person's factors."""
