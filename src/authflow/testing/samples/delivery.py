"""Commands about a delivery, and the alphabet of ``outbox.delivery``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from authflow.outbox.delivery import MACHINE, Claim, Done, Drop, Due, GiveBack, Leased, Park, Redrive, Retry, Settle
from authflow.policy import OutboxPolicy
from authflow.testing.clocks import START
from authflow.testing.samples.alphabet import Alphabet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.outbox.delivery import Command, Delivery, Result

POLICY: Final = OutboxPolicy()
SHORT: Final = OutboxPolicy(attempts=3)
"""A short ladder: the walk reaches its top soon."""

SECOND: Final = timedelta(seconds=1)
MOMENTS: Final = (
    START - timedelta(days=365),
    START,
    START + SECOND,
    START + SHORT.first_delay,
    START + SHORT.lease,
    START + timedelta(hours=2),
)
"""A clock that stands, jumps and goes back, and that is exactly where a first wait and a lease end."""


def claim(head: str = "m1", token: str = "t1", policy: OutboxPolicy = POLICY) -> Claim:  # noqa: S107  # a lease's name
    """Return a relay that wants the lane."""
    return Claim(head=head, token=token, policy=policy)


def settle(
    result: Result,
    token: str = "t1",  # noqa: S107  # as above
    policy: OutboxPolicy = POLICY,
    jitter: float = 0.0,
) -> Settle:
    """Return the report of the relay with *token*."""
    return Settle(token=token, result=result, jitter=jitter, policy=policy)


def leased(attempts: int = 1, head: str = "m1", token: str = "t1") -> Leased:  # noqa: S107  # as above
    """Return a lane on which a relay works since `START`."""
    return Leased(head=head, token=token, until=START + POLICY.lease, attempts=attempts)


def commands(_state: Delivery) -> Iterator[tuple[Command, datetime]]:
    """Yield every command worth trying: two heads, two tokens, every result."""
    for now in MOMENTS:
        for head, token in (("m1", "t1"), ("m2", "t2")):
            yield claim(head, token, SHORT), now
        for result in (Done(), Drop(reason="x"), Park(reason="x"), Retry(), Retry(after=SECOND)):
            for token in ("t1", "t2"):
                yield settle(result, token, SHORT), now
        for token in ("t1", "t2"):
            yield GiveBack(token=token), now
        for jitter in (-1.0, 1.0):
            yield settle(Retry(reason="y"), "t1", SHORT, jitter), now
        yield Redrive(expires_at=None), now
        yield Redrive(expires_at=now), now


ALPHABET: Final = Alphabet(machine=MACHINE, start=(Due(),), commands=commands)
