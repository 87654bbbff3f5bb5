"""Commands about recovery codes, and the alphabet of ``mfa.recovery``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

from authflow.mfa.kinds import RECOVERY
from authflow.mfa.recovery import MACHINE, Add, Adopt, Consume, Fall, Forget, NoCodes, Ready, Regenerate, Remove
from authflow.testing.samples.alphabet import Alphabet
from authflow.testing.samples.mfa import ADA, CODES, NOW, OF_OTHERS, STOPPED_CHANGES, change
from authflow.values import AuthenticatorId, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.mfa.recovery import Recovery, RecoveryCommand

SHOWN: Final = tuple(Secret(f"0000-0000-0000-{number:04}") for number in range(10))
OTHER: Final = Ready(authenticator=AuthenticatorId("codes-2"), created_at=NOW, last_used_at=NOW, left=3)
"""The codes of an account that is merged into this one."""


def add(**given: Any) -> Add:
    """Return an addition of codes for somebody who has a primary factor."""
    asked: dict[str, Any] = {"authenticator": CODES, "protected": True, "closed": False, **given}
    return Add(user=ADA, codes=SHOWN, **asked)


def regenerate(**given: Any) -> Regenerate:
    """Return a replacement of all codes, which passes every gate."""
    return Regenerate(change=change(**{"target": RECOVERY, **given}), codes=SHOWN)


def remove(**given: Any) -> Remove:
    """Return a removal of all codes, which passes every gate."""
    return Remove(change=change(**{"target": RECOVERY, **given}))


def commands(state: Recovery) -> Iterator[tuple[RecoveryCommand, datetime]]:
    """Yield what can be asked of recovery codes; a code is used only where one is left."""
    for protected, closed in product((True, False), repeat=2):
        yield add(protected=protected, closed=closed), NOW
    for facts in ({}, *STOPPED_CHANGES, *OF_OTHERS):
        yield regenerate(**facts), NOW
        yield remove(**facts), NOW
    if isinstance(state, NoCodes) or state.left:  # a conditional update found an unused code: there was one
        yield Consume(user=ADA), NOW
    yield Fall(user=ADA), NOW
    yield Forget(), NOW
    yield Adopt(ready=OTHER), NOW


ALPHABET: Final = Alphabet(machine=MACHINE, start=(NoCodes(),), commands=commands)
