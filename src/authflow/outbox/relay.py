"""Drains what is due: lease a lane, call the handlers outside any transaction, settle under the lease.

A crash anywhere leaves the messages and a lease that runs out. Nothing here logs a payload.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from typing import TYPE_CHECKING, Final

import attrs

from authflow.command import operation
from authflow.errors import Retryable, StaleVersion, UniqueViolated
from authflow.outbox.batch import Lease, Report
from authflow.outbox.delivery import (
    MACHINE,
    Claim,
    Delivered,
    Drop,
    Dropped,
    Due,
    GiveBack,
    Leased,
    LeaseLost,
    NotNow,
    Parked,
    Result,
    Retry,
    Waiting,
    has_expired,
)
from authflow.outbox.lanes import groups
from authflow.ports import Stored
from authflow.values import new_identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from authflow.outbox.delivery import Delivery
    from authflow.outbox.handlers import Handlers
    from authflow.outbox.lanes import Group, Lane, Queued
    from authflow.outbox.ports import OutboxTransaction
    from authflow.policy import OutboxPolicy
    from authflow.ports import Clock, Entropy, UnitOfWork

LOG: Final = logging.getLogger("authflow.outbox")

LANES: Final = 1000
"""Lanes that one pass visits at most; what is left is due in the next."""

TURNS: Final = 10
"""Batches that one visit takes from a lane; then the other lanes have their turn."""

ROUNDS: Final = 10
"""Passes in which cascades of messages must come to rest (outbox 1.16)."""


@attrs.frozen(kw_only=True)
class Drained:
    """What a pass did, in groups; *lease_lost*, *busy* and *failed* count lanes.

    Args:
        delivered: Reached their handler.
        dropped: Expired, or no longer wanted.
        retried: Failed, and wait for the next try.
        parked: Set aside.
        lease_lost: Outlived their lease; what they handled comes again.
        busy: Another relay was faster, or too little of the lease was left to call a handler.
        failed: The database failed; the lane is due again when its lease ends.
    """

    delivered: int = 0
    dropped: int = 0
    retried: int = 0
    parked: int = 0
    lease_lost: int = 0
    busy: int = 0
    failed: int = 0

    def __add__(self, other: Drained) -> Drained:
        return Drained(**{name: getattr(self, name) + getattr(other, name) for name in FIELDS})

    @property
    def settled(self) -> int:
        """How many groups are gone from their lanes."""
        return self.delivered + self.dropped + self.parked


FIELDS: Final = tuple(field.name for field in attrs.fields(Drained))

COUNTED: Final[dict[type[Delivery], str]] = {
    Delivered: "delivered",
    Dropped: "dropped",
    Parked: "parked",
    Waiting: "retried",
}
"""As what a settled group is counted."""

GONE: Final = (Delivered, Dropped)
"""The states of a group whose messages are deleted."""


@attrs.frozen(kw_only=True)
class Relay:
    """Drains the outbox. Any number of relays may run anywhere; a lane is one relay's at a time."""

    _uow: UnitOfWork[OutboxTransaction] = attrs.field(alias="uow")
    _clock: Clock = attrs.field(alias="clock")
    _entropy: Entropy = attrs.field(alias="entropy")
    _handlers: Handlers = attrs.field(alias="handlers")
    _policy: OutboxPolicy = attrs.field(alias="policy")

    @operation("relay.drain")
    def drain(self) -> Drained:
        """Visit every lane that is due now once, and deliver what it holds; a lane that fails stops no other.

        A loop goes on after a `DatabaseError`: nothing is lost, and the next pass finds what this one left.

        Raises:
            InUnitOfWork: A unit of work is open here, or a host's transaction is shared: handlers run outside of both.
            DatabaseError: What is due cannot be read, or is still locked by somebody after some tries (`Retryable`).
        """
        self._uow.require_closed()
        lanes, expired = self._uow.look(self._look)
        dropped = self._uow.run(self._drop) if expired else 0
        return sum((self._visit(lane) for lane in lanes), Drained(dropped=dropped))

    @operation("relay.drain_until_quiet")
    def drain_until_quiet(self, *, rounds: int = ROUNDS) -> Drained:
        """Drain until a pass settles nothing, so that what handlers wrote is delivered too; at most *rounds* passes.

        Raises:
            InUnitOfWork, DatabaseError: As of `drain`.
            InputInvalid: *rounds* is no count.
        """
        total = Drained()
        for _ in range(rounds):
            once = self.drain()
            total += once
            if not once.settled:
                break
        return total

    def _look(self) -> tuple[tuple[Lane, ...], bool]:
        """Return the lanes that are due, and whether something was parked whose secret has expired."""
        now = self._clock.now()
        horizon = now + max(self._policy.longest_delay, self._policy.lease)
        with self._uow.begin() as tx:
            return tx.lanes.due(now, blocked_until=horizon, limit=LANES), bool(tx.parked.expired(now))

    def _drop(self) -> int:
        with self._uow.begin() as tx:
            parked = tx.parked.expired(self._clock.now())
            tx.receipts.forget(parked)
            return tx.parked.take(parked, back=False)

    def _visit(self, lane: Lane) -> Drained:
        total = Drained()
        try:
            for once in self._turns(lane):
                total += once
        except (Retryable, StaleVersion, UniqueViolated):
            return total + Drained(busy=1)
        except Exception as error:  # noqa: BLE001  # whatever fails one lane must not keep the others waiting
            raised = (type(error).__name__, _where(error))
            LOG.error("lane %s failed with %s at %s", lane, *raised)  # noqa: TRY400  # a traceback shows payloads
            return total + Drained(failed=1)
        return total

    def _turns(self, lane: Lane) -> Iterator[Drained]:
        """Deliver batches of *lane*, and tell of each; the transaction that settles one claims the next."""
        claimed: Lease | Drained | None = None
        for left in reversed(range(TURNS)):
            claimed = claimed or self._claim(lane)
            if isinstance(claimed, Lease):
                done, claimed = self._deliver(claimed, on=left > 0)
                yield done
                if claimed is None:
                    return
            else:
                yield claimed
                if not claimed.parked:
                    return
                claimed = None

    def _deliver(self, lease: Lease, *, on: bool) -> tuple[Drained, Lease | None]:
        """Call the handlers, and settle what came of it; return the next batch, too, if the visit is to go *on*."""
        called = tuple(self._call_all(lease))
        return self._settle(lease, called, on=on) if called else (self._give_back(lease), None)

    def _claim(self, lane: Lane) -> Lease | Drained:
        now = self._clock.now()
        with self._uow.begin() as tx:
            tx.lanes.lock_soon(lane)
            waiting = tx.queue.page(lane, now, limit=self._policy.batch)
            return self._take(tx, lane, tx.lanes.load(lane), waiting, now)

    def _take(
        self, tx: OutboxTransaction, lane: Lane, stored: Stored[Delivery], waiting: Sequence[Queued], now: datetime
    ) -> Lease | Drained:
        """Lease *lane*, which is locked and stands in *stored*, if something is *waiting* and nobody else has it."""
        if not waiting:
            tx.lanes.save(lane, stored.state, expected=stored.version)
            return Drained()
        token, found = new_identifier(self._entropy.random_bytes(16)), groups(waiting)
        step = MACHINE.step(stored.state, Claim(head=found[0].head, token=token, policy=self._policy), now)
        if isinstance(step.answer, NotNow):
            return Drained(busy=1)
        tx.lanes.save(lane, step.state, expected=stored.version)
        if isinstance(step.state, Leased):
            first_try, more = step.state.attempts == 1, len(waiting) >= self._policy.batch
            return Lease(lane, step.state, now, found if first_try else found[:1], more or not first_try)
        return _apply(tx, ((found[0], step.state),))

    def _call_all(self, lease: Lease) -> Iterator[tuple[Group, Result]]:
        """Call the handlers in the order of the lane, until one fails or half of the lease is over."""
        for group in lease.groups:
            now = self._clock.now()
            if now - lease.at > self._policy.lease / 2:
                return
            result = self._call(group, now)
            yield group, result
            if isinstance(result, Retry):
                return

    def _call(self, group: Group, now: datetime) -> Result:
        newest = group.newest
        if has_expired(newest.expires_at, now):
            return Drop(reason="expired")
        handler, message = self._handlers.of(newest.category), newest.message()
        if handler is None or message is None:
            return Retry(reason="unknown_category")
        try:
            return handler(message)
        except Exception as error:  # noqa: BLE001  # handlers are the host's code: whatever they raise is "not now"
            LOG.warning(
                "message %s of category %s in %s failed with %s; its payload has %s fields",
                *(newest.id, newest.category, newest.lane, type(error).__name__, len(newest.payload)),
            )
            return Retry(reason=type(error).__name__)

    def _give_back(self, lease: Lease) -> Drained:
        """Give the lane back as it was: half of the lease was over before the first handler could be called."""
        LOG.warning("lease of %s was half over before a handler was called: given back", lease.lane)
        with self._uow.begin() as tx:
            stored = tx.lanes.load(lease.lane)
            step = MACHINE.step(stored.state, GiveBack(token=lease.state.token), self._clock.now())
            tx.lanes.save(lease.lane, step.state, expected=stored.version)
        return Drained(lease_lost=1) if isinstance(step.answer, LeaseLost) else Drained(busy=1)

    def _settle(
        self, lease: Lease, called: Sequence[tuple[Group, Result]], *, on: bool
    ) -> tuple[Drained, Lease | None]:
        """Write what came of each group, if the stored lease is still ours; to go *on*, lease what comes next, too."""
        jitter = int.from_bytes(self._entropy.random_bytes(4), "big") / 2**31 - 1
        report = Report(lease=lease, called=called, jitter=jitter, policy=self._policy)
        try:
            with self._uow.begin() as tx:
                return self._settled(tx, report, on=on and lease.more)
        except StaleVersion:
            LOG.warning("lease of %s was lost after %s groups", lease.lane, len(called))
            return Drained(lease_lost=1), None

    def _settled(self, tx: OutboxTransaction, report: Report, *, on: bool) -> tuple[Drained, Lease | None]:
        """Write and read all of it behind the lock of the lane, in one trip; the transaction undoes what a fence stops.

        Raises:
            StaleVersion: The lease was lost.
        """
        now, lane = self._clock.now(), report.lease.lane
        settled = report.settle(now)
        state = settled[-1][1]
        on = on and not isinstance(state, Waiting)
        tx.lanes.lock_soon(lane)
        done = _apply(tx, settled)
        waiting = tx.queue.page(lane, now, limit=self._policy.batch) if on else ()
        stored = tx.lanes.load(lane)
        if report.is_lost(stored.state, now):
            raise StaleVersion
        if not on:
            tx.lanes.save(lane, state, expected=stored.version)
            return done, None
        claimed = self._take(tx, lane, Stored(Due(), stored.version), waiting, now)
        return done, claimed if isinstance(claimed, Lease) else None


def _apply(tx: OutboxTransaction, settled: Sequence[tuple[Group, Delivery]]) -> Drained:
    """Do to the messages what their states say: delivered and dropped ones vanish, parked ones are set aside."""
    gone = [queued for group, state in settled if isinstance(state, GONE) for queued in group.messages]
    if gone:
        tx.queue.remove(gone)
    for group, state in settled:
        if isinstance(state, Parked):
            tx.parked.add(group.ids, state)
    return Drained(**Counter(COUNTED[type(state)] for _, state in settled))


def _where(error: Exception) -> str:
    """Return the file and line at which *error* was raised: the part of a traceback that shows no payload."""
    *_, (innermost, line) = traceback.walk_tb(error.__traceback__)
    return f"{innermost.f_code.co_filename}:{line}"
