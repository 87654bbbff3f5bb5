"""What the relay asks of the world: the lanes and their leases, the waiting and the parked messages, the receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from authflow.ports import Stored, Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from authflow.facts.records import Message
    from authflow.outbox.delivery import Delivery, Parked
    from authflow.outbox.lanes import Lane, Queued
    from authflow.values import Answer, ProjectId


class Lanes(Protocol):
    """The lease row of each lane, made when a relay claims it. Writers of messages know nothing of it."""

    def due(self, now: datetime, *, blocked_until: datetime, limit: int) -> tuple[Lane, ...]:
        """Return lanes with a message due at *now*, the longest waiting first, at most *limit*.

        A lane whose lease or wait ends between *now* and *blocked_until* is left out. One that ends later than any
        can was written before the clock went back, and is due; so is a message written after *now*.
        """
        ...

    def lock_soon(self, lane: Lane) -> None:
        """Take the lock of *lane* no later than whatever is asked next, which is answered behind it. It is no hint."""
        ...

    def load(self, lane: Lane) -> Stored[Delivery]:
        """Return the state of *lane* and hold its lock until the transaction ends; `Due` in version 0 if nobody has it.

        What is read after this call is what the last holder of the lock left.
        """
        ...

    def save(self, lane: Lane, state: Delivery, *, expected: int) -> None:
        """Store *state*. Only a lease and a wait keep a row; every other state deletes it.

        Raises:
            StaleVersion: The lane is no longer in version *expected*. Nothing was written.
        """
        ...


class Queue(Protocol):
    """The waiting messages."""

    def page(self, lane: Lane, now: datetime, *, limit: int) -> tuple[Queued, ...]:
        """Return the first *limit* messages of *lane* that are due at *now*, and what belongs to them, oldest first.

        What belongs to them is due, too, lies behind the last of them, and is of the same category and object as one of
        them, unless messages of that category go alone (`authflow.outbox.lanes.ALONE`). So every group is whole, and
        fewer than *limit* are all that are due.
        """
        ...

    def remove(self, messages: Sequence[Queued]) -> None:
        """Delete exactly these messages, and every receipt of them; those that are gone already are no error."""
        ...

    def depths(self, *, limit: int | None) -> tuple[tuple[Lane, int], ...]:
        """Return how many messages wait in each lane, the deepest first, at most *limit*."""
        ...


@attrs.frozen(kw_only=True)
class ParkedMessage:
    """A message that was set aside: why, after how many tries, when.

    Args:
        queued: The message.
        parked: Why, after how many tries, when.
    """

    queued: Queued
    parked: Parked


class ParkedMessages(Protocol):
    """Messages that were set aside (outbox 1.14)."""

    def add(self, ids: Sequence[str], parked: Parked) -> int:
        """Move the waiting messages *ids* aside; return how many there were."""
        ...

    def newest(self, *, limit: int) -> tuple[ParkedMessage, ...]:
        """Return what was set aside, the latest first."""
        ...

    def load(self, ids: Sequence[str]) -> tuple[ParkedMessage, ...]:
        """Return those of *ids* that are set aside, locked, in the order in which they were written."""
        ...

    def take(self, ids: Sequence[str], *, back: bool) -> int:
        """Remove *ids* from here, with *back* to their old places in their lanes; return how many there were.

        The old place matters: what was written since about the same object stays the newest.
        """
        ...

    def expired(self, now: datetime) -> tuple[str, ...]:
        """Return the ids whose sealed secret became worthless: secrets die when parked, too (decision 37)."""
        ...


class Receipts(Protocol):
    """Which receivers a message has reached, so that one that fails does not repeat the others (outbox 2.4)."""

    def of(self, message: str) -> frozenset[str]:
        """Return the names of the receivers that *message* has reached."""
        ...

    def add(self, message: str, receiver: str) -> None:
        """Store that *message* has reached *receiver*; storing it twice is storing it once."""
        ...

    def forget(self, messages: Sequence[str]) -> None:
        """Delete every receipt of *messages*."""
        ...


class OutboxTransaction(Transaction, Protocol):
    """What the relay needs of a transaction."""

    @property
    def lanes(self) -> Lanes: ...
    @property
    def queue(self) -> Queue: ...
    @property
    def parked(self) -> ParkedMessages: ...
    @property
    def receipts(self) -> Receipts: ...


class StillLive(Protocol):
    """Whether a mail is still wanted (decision 37)."""

    def __call__(self, message: Message) -> bool:
        """Tell whether the token and the person that *message* is about are live now. Read outside its transaction."""
        ...


class SaveSecurityEvent(Protocol):
    """Saves an event of a security project: insert-only, its id and time taken as they are."""

    def __call__(self, project: ProjectId, event: Mapping[str, object], /) -> Answer:
        """Save *event*; a refusal is an answer.

        Raises:
            UnknownProject: There is no such project.
            EventInvalid: This is not an event.
        """
        ...
