"""The alphabet of ``mfa.enrollment``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

from authflow.mfa import commands as c
from authflow.mfa import totp
from authflow.mfa.enrollment import MACHINE
from authflow.mfa.factor import Unenrolled
from authflow.mfa.kinds import TOTP
from authflow.testing.samples.alphabet import Alphabet
from authflow.testing.samples.mfa import (
    ADA,
    ELSEWHERE,
    ELSEWHERE_TOO,
    EMPLOYER,
    ENROLLED,
    FLOW,
    MANAGED,
    NOW,
    OF_OTHERS,
    OLD_FLOW,
    OLD_SEALED,
    STOPPED_CHANGES,
    STOPPED_REQUESTS,
    TTL,
    WRONG,
    authenticator,
    begin,
    cancel,
    change,
    complete,
    person,
    show,
    typings,
)
from authflow.values import OrganizationId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.mfa.factor import Factor

PLACES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"asker": person(session=ELSEWHERE)},
    {"asker": person(elevated=False)},
)
"""Who asks: the browser that began, another one, and one that has not proven itself lately."""


def commands(_state: Factor) -> Iterator[tuple[c.EnrollmentCommand, datetime]]:
    """Yield what can be asked of a factor: in both flows, in time and too late, with codes right and wrong."""
    for facts in PLACES:
        for flow, at in product((FLOW, OLD_FLOW), (NOW, NOW + TTL)):
            yield begin(flow, **facts), at
            yield show(flow=flow, **facts), at
            yield cancel(flow=flow, **facts), at
            yield from ((complete(t, flow=flow, attempts=n, **facts), at) for t in (None, WRONG) for n in (1, 5, 6))
    for facts in STOPPED_REQUESTS:
        yield from ((ask(**facts), NOW) for ask in (begin, show, complete, cancel))
    yield from ((complete(text), NOW) for text in typings())
    yield complete(secret=None), NOW
    yield show(secret=None), NOW
    yield from ((c.Expire(user=ADA, kind=TOTP.id), at) for at in (NOW, NOW + TTL))
    yield from ((c.UseStep(step=totp.step_at(NOW) + n), NOW) for n in (-1, 0, 1))
    for facts in ({}, *STOPPED_CHANGES, *OF_OTHERS):
        yield c.Remove(change=change(**facts)), NOW
        yield c.Rename(change=change(**facts), name="Work"), NOW
    yield c.Forget(), NOW
    yield c.Adopt(authenticator=authenticator()), NOW
    yield c.Reseal(sealed=OLD_SEALED), NOW


TELLING: Final = (
    (ENROLLED, c.Remove(change=change(required=True, usable_left=0)), NOW),
    (ENROLLED, c.Remove(change=change(required=True, usable_left=1)), NOW),
    (ENROLLED, c.Remove(change=change(**{**MANAGED, "manager_of": frozenset[OrganizationId]()})), NOW),
    (ENROLLED, c.Remove(change=change(**{**MANAGED, "memberships": frozenset({EMPLOYER, ELSEWHERE_TOO})})), NOW),
)
"""A required factor that is the last, or not; and who comes close to managing an account, and does not."""

ALPHABET: Final = Alphabet(machine=MACHINE, start=(Unenrolled(),), commands=commands, telling=TELLING, limit=1_000_000)
