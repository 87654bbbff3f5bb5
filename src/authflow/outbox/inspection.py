"""Looking at the outbox, and trying again what was set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command
from authflow.outbox.delivery import MACHINE, Due, Redrive
from authflow.values import identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.outbox.lanes import Lane
    from authflow.outbox.ports import OutboxTransaction, ParkedMessage
    from authflow.ports import Clock, UnitOfWork


@attrs.frozen(kw_only=True)
class Redriven:
    """How many parked messages are *back* in their lanes, and how many were *dropped* because they had expired.

    Args:
        back: How many are in their lanes again.
        dropped: How many had expired, and are gone.
    """

    back: int
    dropped: int


@attrs.frozen(kw_only=True)
class Inspection:
    """What waits, what was set aside, and the way back from there."""

    _uow: UnitOfWork[OutboxTransaction] = attrs.field(alias="uow")
    _clock: Clock = attrs.field(alias="clock")

    @command("outbox.depths")
    def depths(self, *, limit: int | None = 10) -> tuple[tuple[Lane, int], ...]:
        """Return how many messages wait in each lane, the deepest first; no *limit* means every lane.

        Raises:
            InputInvalid: *limit* is no count.
        """
        with self._uow.begin() as tx:
            return tx.queue.depths(limit=limit)

    @command("outbox.parked")
    def parked(self, *, limit: int = 100) -> tuple[ParkedMessage, ...]:
        """Return what was set aside, the latest first. Payloads hold personal data: show them to nobody else.

        Raises:
            InputInvalid: *limit* is no count.
        """
        with self._uow.begin() as tx:
            return tx.parked.newest(limit=limit)

    @command("outbox.redrive")
    def redrive(self, ids: Sequence[str]) -> Redriven:
        """Put the parked messages *ids* back to their places, with no try counted; unknown ids do nothing.

        If something younger about the same object waits, that is delivered instead. If it was delivered already,
        the older message comes after it: handlers that need the present state read it.

        Raises:
            InputInvalid: One of *ids* can be no id at all.
        """
        for each in ids:
            identifier(each, field="ids")
        now = self._clock.now()
        with self._uow.begin() as tx:
            back, dropped = list[str](), list[str]()
            for found in tx.parked.load(ids):
                step = MACHINE.step(found.parked, Redrive(expires_at=found.queued.expires_at), now)
                (back if isinstance(step.state, Due) else dropped).append(found.queued.id)
            tx.parked.take(back, back=True)
            tx.parked.take(dropped, back=False)
            tx.receipts.forget(dropped)
        return Redriven(back=len(back), dropped=len(dropped))
