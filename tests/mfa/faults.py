"""Sound requests, attempts and changes, and the faults that tests of the gates make in them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs

from authflow.mfa.gates import Request
from authflow.mfa.kinds import TOTP
from authflow.ports import Allowed
from authflow.testing.samples.mfa import ADA, POLICY, person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Fault = tuple[str, "Callable[[Any], Any]"]
"""The code that a fault is answered with, and what makes the fault in something sound."""


def sound_request(**facts: Any) -> Request:
    """Return a request that passes every gate of an enrollment."""
    given: dict[str, Any] = {"asker": person(), "subject": ADA, "address_verified": True, "limit": Allowed(1)}
    return Request(**{**given, "kind": TOTP, "policy": POLICY, **facts})


def fault(code: str, **facts: Any) -> Fault:
    """Return the fault of having *facts*."""
    return code, lambda sound: attrs.evolve(sound, **facts)


def policy_fault(code: str, **settings: Any) -> Fault:
    """Return the fault of an installation that has *settings*."""
    return code, lambda sound: attrs.evolve(sound, policy=attrs.evolve(sound.policy, **settings))


def kind_fault(code: str, **abilities: Any) -> Fault:
    """Return the fault of a kind that has *abilities*."""
    return code, lambda sound: attrs.evolve(sound, kind=attrs.evolve(sound.kind, **abilities))


def in_order(faults: Iterable[Fault]) -> list[tuple[str, Fault, Fault]]:
    """Return every pair of *faults* with the code of the earlier one, and each fault with itself."""
    listed = list(faults)
    return [(one[0], one, other) for one, other in [*combinations(listed, 2), *((each, each) for each in listed)]]


def with_faults(sound: Any, *faults: Fault) -> Any:
    """Return *sound* with each of *faults* made in it."""
    for _, made in faults:
        sound = made(sound)
    return sound
