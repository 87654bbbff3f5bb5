"""A batch of one lane: what a relay holds under its lease, and what becomes of each group that it called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.outbox.delivery import MACHINE, Claim, Due, Ended, Leased, LeaseLost, Result, Settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from authflow.outbox.delivery import Delivery
    from authflow.outbox.lanes import Group, Lane
    from authflow.policy import OutboxPolicy


@attrs.frozen
class Lease:
    """What a relay holds: a lane, how, since when, the groups it may deliver, and whether more may lie behind."""

    lane: Lane
    state: Leased
    at: datetime
    groups: tuple[Group, ...]
    more: bool


@attrs.frozen(kw_only=True)
class Report:
    """What came of the groups that were called, in their order. *jitter* is minted; only the last may need it."""

    lease: Lease
    called: Sequence[tuple[Group, Result]]
    jitter: float
    policy: OutboxPolicy

    def settle(self, now: datetime) -> list[tuple[Group, Delivery]]:
        """Return what becomes of each group if the lease is still ours: ask whether it `is_lost` before the commit.

        The groups behind the first had no try before, and an end names no message: those that end alike are one step.
        """
        state: Delivery = self.lease.state
        settled: list[tuple[Group, Delivery]] = []
        ends: dict[Result, Delivery] = {}
        for group, result in self.called:
            end = ends.get(result)
            if end is not None:
                settled.append((group, end))
                continue
            if settled:
                state = MACHINE.step(Due(), self._next(group), now).state
            step = MACHINE.step(state, self._of(result), now)
            if settled and isinstance(step.answer, Ended):
                ends[result] = step.state
            settled.append((group, step.state))
        return settled

    def is_lost(self, state: Delivery, now: datetime) -> bool:
        """Tell whether the lane, which stands in *state*, is no longer held by this lease: the fence."""
        return isinstance(MACHINE.step(state, self._of(self.called[0][1]), now).answer, LeaseLost)

    def _of(self, result: Result) -> Settle:
        return Settle(token=self.lease.state.token, result=result, jitter=self.jitter, policy=self.policy)

    def _next(self, group: Group) -> Claim:
        return Claim(head=group.head, token=self.lease.state.token, policy=self.policy)
