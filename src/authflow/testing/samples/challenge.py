"""Attempts at a challenge, and the alphabet of ``mfa.challenge``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

from authflow.mfa import totp
from authflow.mfa.challenge import MACHINE, Attempt, Open, Submit, TypedStep, Unlock, UsedUp
from authflow.mfa.kinds import RECOVERY, TOTP, UNKNOWN
from authflow.ports import Allowed
from authflow.testing.samples.alphabet import Alphabet
from authflow.testing.samples.mfa import ADA, CODES, LIMITED, NOW, OLD, PHONE, POLICY, UNAVAILABLE, WRONG, code, typings
from authflow.values import AuthenticatorId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.mfa.challenge import Challenge, ChallengeCommand
    from authflow.values import Secret

HOME: Final = "browser-that-is-known"
BURNT: Final = totp.step_at(NOW) - 10
"""The last time step that was accepted."""

FAILURES_MAX: Final = POLICY.lock_after + 1
"""How far the walk counts failures: one beyond the lock."""


def attempt(**given: Any) -> Attempt:
    """Return an attempt that passes every gate, from a browser that nobody knows."""
    facts: dict[str, Any] = {"kind": TOTP, "authenticator": PHONE, "limit": Allowed(1), "policy": POLICY, **given}
    return Attempt(user=ADA, **facts)


def typed(text: str | None = None, after: int = BURNT, secret: Secret = OLD) -> TypedStep:
    """Return a code, by default the right one."""
    return TypedStep(code=code(secret) if text is None else text, secret=secret, after=after)


def submit(text: str | None = None, failures: int = 1, after: int = BURNT, **given: Any) -> Submit:
    """Return an answer with a code of an app, by default the right one."""
    return Submit(attempt=attempt(**given), proof=typed(text, after), failures=failures)


def recover(*, consumed: bool = True, left: int = 9, failures: int = 1, **given: Any) -> Submit:
    """Return an answer with a recovery code, by default an unused one."""
    asked = attempt(**{"kind": RECOVERY, "authenticator": CODES, **given})
    return Submit(attempt=asked, proof=UsedUp(consumed=consumed, left=left), failures=failures)


def commands(state: Challenge) -> Iterator[tuple[ChallengeCommand, datetime]]:
    """Yield answers right and wrong, from known and unknown browsers, and what unlocks."""
    failures = min(state.failures + 1, FAILURES_MAX)
    for browser, limit in product((None, HOME), (Allowed(1), LIMITED)):
        for text in (None, WRONG):
            yield submit(text, failures, browser=browser, limit=limit), NOW
        for consumed in (True, False):
            yield recover(consumed=consumed, failures=failures, browser=browser, limit=limit), NOW
    yield from ((submit(text, failures), NOW) for text in typings(OLD))
    yield submit(failures=failures, after=totp.step_at(NOW)), NOW
    yield submit(failures=failures, kind=UNKNOWN, authenticator=AuthenticatorId("")), NOW
    yield submit(failures=failures, authenticator=AuthenticatorId("")), NOW
    yield submit(failures=failures, readable=False), NOW
    yield submit(failures=failures, policy=UNAVAILABLE), NOW
    yield submit(failures=failures, problems={"code": "is missing"}), NOW
    yield Submit(attempt=attempt(), proof=None, failures=failures), NOW
    yield Unlock(), NOW


NEARLY: Final = Open(failures=POLICY.lock_after - 2)
LAST: Final = Open(failures=POLICY.lock_after - 1)

TELLING: Final = (
    (NEARLY, submit(WRONG, POLICY.lock_after - 1), NOW),
    (LAST, submit(WRONG, POLICY.lock_after), NOW),
    (LAST, submit(WRONG, POLICY.lock_after, browser=HOME), NOW),
    (LAST, recover(consumed=False, failures=POLICY.lock_after), NOW),
)
"""The failure before the last, and the last: of an unknown browser, of a known one, and with a recovery code."""

ALPHABET: Final = Alphabet(machine=MACHINE, start=(Open(),), commands=commands, telling=TELLING, limit=1_000_000)
