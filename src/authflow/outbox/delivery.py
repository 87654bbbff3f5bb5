"""One delivery: the oldest group of a lane from "due" to delivered, dropped or parked.

A relay leases the lane, calls the handler outside any transaction, and settles what came of it. The lease is
written, with the try counted, *before* the handler runs, so that a crash needs no clean-up: the lease runs out and the
lane is claimed again. The token is the fence: a relay that outlived its lease settles nothing, its messages stay
and are delivered once more (outbox 1.8, 1.11).

A clock that goes back holds nothing up: a wait or a lease that lies further ahead than any can is over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from authflow.machine import Machine, Step, on
from authflow.values import Answer

if TYPE_CHECKING:
    from authflow.policy import OutboxPolicy

JITTER: Final = 0.1
"""Retries are spread by 10 % to either side (outbox 1.9)."""

REASON_MAX: Final = 255
"""Characters of a reason that are kept: reasons are words of ours and names of receivers and exceptions."""

DOUBLINGS_MAX: Final = 64
"""Beyond this the longest delay is reached from any first one; it keeps the arithmetic finite."""


# --- what a handler may answer --------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Done:
    """Delivered. A handler that says so has made its effect last."""


@attrs.frozen(kw_only=True)
class Retry:
    """Not now: network, lock, outage, or a newer version's message. *after* overrides the back-off."""

    after: timedelta | None = None
    reason: str = "failed"


@attrs.frozen(kw_only=True)
class Drop:
    """Not any more: nobody wants it. The message is deleted."""

    reason: str


@attrs.frozen(kw_only=True)
class Park:
    """Never, as it stands: set aside for a person to look at, without climbing the ladder of retries."""

    reason: str


Result = Done | Retry | Drop | Park


# --- states ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Due:
    """Nobody works on the lane and nothing keeps it waiting. The state of a lane without a row."""


@attrs.frozen(kw_only=True)
class Leased:
    """A relay works on the lane.

    Args:
        head: The first message of the group on which the tries are counted.
        token: Whose lease it is; random, never used again.
        until: When another relay may take over.
        attempts: Tries begun with this head, this one included.
    """

    head: str
    token: str
    until: datetime
    attempts: int


@attrs.frozen(kw_only=True)
class Waiting:
    """The last of *attempts* tries with *head* failed; the lane is tried again at *until*."""

    head: str
    until: datetime
    attempts: int


@attrs.frozen(kw_only=True)
class Delivered:
    """The group reached its handler. Its messages are deleted."""


@attrs.frozen(kw_only=True)
class Dropped:
    """The group is worthless: expired, or nobody wants it. Its messages are deleted."""

    reason: str


@attrs.frozen(kw_only=True)
class Parked:
    """The group was set aside after *attempts* tries, the last one *at*; the lane goes on without it.

    Args:
        reason: Why the last try failed.
        attempts: How many there were.
        at: When the last one was.
    """

    reason: str
    attempts: int
    at: datetime


Delivery = Due | Leased | Waiting | Delivered | Dropped | Parked


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Claim:
    """A relay wants the lane, whose oldest due message is *head*. *token* is freshly minted."""

    head: str
    token: str
    policy: OutboxPolicy


@attrs.frozen(kw_only=True)
class Settle:
    """The relay with *token* reports what came of the group. *jitter* is minted, from -1 to 1."""

    token: str
    result: Result
    jitter: float
    policy: OutboxPolicy


@attrs.frozen(kw_only=True)
class GiveBack:
    """The relay with *token* gives the lane back: it had no time left to call a handler."""

    token: str


@attrs.frozen(kw_only=True)
class Redrive:
    """Somebody wants a parked group tried again. *expires_at* is when its secret, if any, becomes worthless."""

    expires_at: datetime | None


Command = Claim | Settle | GiveBack | Redrive


# --- answers --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Granted(Answer):
    """The lane is this relay's until its lease ends."""


@attrs.frozen(kw_only=True)
class NotNow(Answer):
    """Somebody else works on the lane, or it waits; ask again at *until*."""

    until: datetime


@attrs.frozen(kw_only=True)
class Ended(Answer):
    """The group is over: the next state says how."""


@attrs.frozen(kw_only=True)
class TriedAgain(Answer):
    """The group stays and is tried again, at *at*."""

    at: datetime


@attrs.frozen(kw_only=True)
class LeaseLost(Answer):
    """The lease was no longer this relay's. Nothing may be deleted: the messages are delivered once more."""


DeliveryAnswer = Granted | NotNow | Ended | TriedAgain | LeaseLost

Settled = Delivered | Dropped | Waiting | Parked
IdleT = TypeVar("IdleT", Due, Waiting)


# --- rules ----------------------------------------------------------------------------------------------------------


def claim_due(_state: Due, command: Claim, now: datetime) -> Step[Leased, DeliveryAnswer]:
    """Whoever asks first gets the lease."""
    return Step(_lease(command, None, now), Granted())


def claim_waiting(state: Waiting, command: Claim, now: datetime) -> Step[Waiting | Leased, DeliveryAnswer]:
    """Not before the wait is over; a new head starts counting anew."""
    if _ahead(state.until, now, command.policy.longest_delay):
        return Step(state, NotNow(until=state.until))
    return Step(_lease(command, state, now), Granted())


def take_over(state: Leased, command: Claim, now: datetime) -> Step[Leased | Parked, DeliveryAnswer]:
    """A live lease is respected. A dead one counts as a failed try, so that what kills relays is parked too."""
    if _ahead(state.until, now, command.policy.lease):
        return Step(state, NotNow(until=state.until))
    if state.head == command.head and state.attempts >= command.policy.attempts:
        return Step(_parked(state, "lease_lost", now), Ended())
    return Step(_lease(command, state, now), Granted())


def settle(state: Leased, command: Settle, now: datetime) -> Step[Leased | Settled, DeliveryAnswer]:
    """Only the holder of the lease settles; failures climb the ladder, and its top is parking."""
    if state.token != command.token:
        return Step(state, LeaseLost())
    if not isinstance(command.result, Retry):
        return Step(_end(state, command.result, now), Ended())
    if state.attempts >= command.policy.attempts:
        return Step(_parked(state, command.result.reason, now), Ended())
    until = now + delay(command.policy, state.attempts, after=command.result.after, jitter=command.jitter)
    return Step(Waiting(head=state.head, until=until, attempts=state.attempts), TriedAgain(at=until))


def give_back(state: Leased, command: GiveBack, now: datetime) -> Step[Leased | Due | Waiting, DeliveryAnswer]:
    """No handler was called: the try is taken back, those before it stay counted, and the lane is due at once."""
    if state.token != command.token:
        return Step(state, LeaseLost())
    before = Waiting(head=state.head, until=now, attempts=state.attempts - 1) if state.attempts > 1 else Due()
    return Step(before, TriedAgain(at=now))


def settle_outrun(state: IdleT, _command: Settle | GiveBack, _now: datetime) -> Step[IdleT, DeliveryAnswer]:
    """The lease ran out and another relay has settled since."""
    return Step(state, LeaseLost())


def redrive(_state: Parked, command: Redrive, now: datetime) -> Step[Due | Dropped, DeliveryAnswer]:
    """The group takes its old place in its lane with no try counted, unless its secret has expired."""
    if has_expired(command.expires_at, now):
        return Step(Dropped(reason="expired"), Ended())
    return Step(Due(), Granted())


def has_expired(expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether a message with a sealed secret became worthless: it is then dropped unopened (decision 37)."""
    return expires_at is not None and now >= expires_at


def delay(policy: OutboxPolicy, attempts: int, *, after: timedelta | None, jitter: float) -> timedelta:
    """Return how long to wait after *attempts* failures: doubling from the first delay, capped, spread by jitter.

    With the defaults 2, 4, 8 .. 2048, 3600, 3600 seconds, each 10 % more or less, never above the cap (outbox 1.9).
    A handler's own *after* is taken as it is, between the first and the longest delay.
    """
    longest = policy.longest_delay
    if after is not None:
        return min(max(after, policy.first_delay), longest)
    doubled = policy.first_delay.total_seconds() * 2.0 ** min(attempts - 1, DOUBLINGS_MAX)
    spread = min(doubled, longest.total_seconds()) * (1 + JITTER * jitter)
    return min(timedelta(seconds=spread), longest)


def _lease(command: Claim, before: Leased | Waiting | None, now: datetime) -> Leased:
    tries = before.attempts if before is not None and before.head == command.head else 0
    return Leased(head=command.head, token=command.token, until=now + command.policy.lease, attempts=tries + 1)


def _end(state: Leased, result: Done | Drop | Park, now: datetime) -> Delivered | Dropped | Parked:
    if isinstance(result, Done):
        return Delivered()
    if isinstance(result, Drop):
        return Dropped(reason=result.reason)
    return _parked(state, result.reason, now)


def _parked(state: Leased, reason: str, now: datetime) -> Parked:
    return Parked(reason=reason[:REASON_MAX], attempts=state.attempts, at=now)


def _ahead(until: datetime, now: datetime, most: timedelta) -> bool:
    return now < until <= now + most


MACHINE = Machine[Delivery, Command, DeliveryAnswer](
    "outbox.delivery",
    (
        # state       command          rule           next
        on(Due, Claim).to(claim_due, Leased),
        on(Waiting, Claim).to(claim_waiting, Waiting, Leased),
        on(Leased, Claim).to(take_over, Leased, Parked),
        on(Leased, Settle).to(settle, Delivered, Dropped, Waiting, Parked, Leased),
        on(Leased, GiveBack).to(give_back, Due, Waiting, Leased),
        on(Due, Settle).to(settle_outrun, Due),
        on(Waiting, Settle).to(settle_outrun, Waiting),
        on(Due, GiveBack).to(settle_outrun, Due),
        on(Waiting, GiveBack).to(settle_outrun, Waiting),
        on(Parked, Redrive).to(redrive, Due, Dropped),
    ),
)
"""The first rows are the way of every message; the rest is what crashes, slow handlers and people add."""
