"""The relay's repositories in memory: lanes, the queue, parked messages, receipts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from authflow.errors import StaleVersion
from authflow.outbox.delivery import Due, Leased, Waiting, has_expired
from authflow.outbox.lanes import ALONE, Lane, Queued
from authflow.outbox.ports import ParkedMessage
from authflow.ports import Stored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from authflow.adapters.memory.store import Store, Table
    from authflow.facts.records import Message
    from authflow.outbox.delivery import Delivery, Parked


class MemoryLanes:
    """`authflow.outbox.ports.Lanes` in a dictionary; the store's lock is the row lock."""

    def __init__(self, store: Store) -> None:
        self._messages: Table[int, Message] = store.table("outbox")
        self._lanes: Table[Lane, Stored[Leased | Waiting]] = store.table("outbox_lane")

    def due(self, now: datetime, *, blocked_until: datetime, limit: int) -> tuple[Lane, ...]:
        waiting = [_queued(number, message) for number, message in self._messages.items() if _is_due(message, now)]
        lanes = dict.fromkeys(queued.lane for queued in sorted(waiting, key=lambda q: (q.due_at, q.number)))
        return tuple(lane for lane in lanes if not self._blocked(lane, now, blocked_until))[:limit]

    def lock_soon(self, lane: Lane) -> None:
        """Do nothing: the store's lock is held."""

    def load(self, lane: Lane) -> Stored[Delivery]:
        found = self._lanes.get(lane)
        return Stored(Due(), 0) if found is None else Stored(found.state, found.version)

    def save(self, lane: Lane, state: Delivery, *, expected: int) -> None:
        if self.load(lane).version != expected:
            raise StaleVersion
        if isinstance(state, Leased | Waiting):
            self._lanes.put(lane, Stored(state, expected + 1))
        else:
            self._lanes.drop(lane)

    def _blocked(self, lane: Lane, now: datetime, horizon: datetime) -> bool:
        found = self._lanes.get(lane)
        return found is not None and now < found.state.until <= horizon


class MemoryQueue:
    """`authflow.outbox.ports.Queue` in the dictionary that `MemoryOutbox` fills."""

    def __init__(self, store: Store) -> None:
        self._messages: Table[int, Message] = store.table("outbox")
        self._receipts = MemoryReceipts(store)

    def page(self, lane: Lane, now: datetime, *, limit: int) -> tuple[Queued, ...]:
        due = self._of(lane, now)
        page, behind = due[:limit], due[limit:]
        about = {(queued.category, queued.object) for queued in page if queued.category not in ALONE}
        return (*page, *(queued for queued in behind if (queued.category, queued.object) in about))

    def remove(self, messages: Sequence[Queued]) -> None:
        self._messages.drop_all(queued.number for queued in messages)
        self._receipts.forget([queued.id for queued in messages])

    def depths(self, *, limit: int | None) -> tuple[tuple[Lane, int], ...]:
        return tuple(Counter(_lane(message) for message in self._messages.rows()).most_common(limit))

    def _of(self, lane: Lane, now: datetime) -> tuple[Queued, ...]:
        mine = (item for item in self._messages.items() if _lane(item[1]) == lane and _is_due(item[1], now))
        return tuple(_queued(number, message) for number, message in sorted(mine))


class MemoryParked:
    """`authflow.outbox.ports.ParkedMessages` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._messages: Table[int, Message] = store.table("outbox")
        self._parked: Table[str, tuple[int, Message, Parked]] = store.table("outbox_parked")

    def add(self, ids: Sequence[str], parked: Parked) -> int:
        chosen = [(number, message) for number, message in self._messages.items() if message.id in set(ids)]
        for number, message in chosen:
            self._messages.drop(number)
            self._parked.add(message.id, (number, message, parked))
        return len(chosen)

    def newest(self, *, limit: int) -> tuple[ParkedMessage, ...]:
        rows = sorted(self._parked.rows(), key=lambda row: (row[2].at, row[0]), reverse=True)
        return tuple(_parked(*row) for row in rows[:limit])

    def load(self, ids: Sequence[str]) -> tuple[ParkedMessage, ...]:
        rows = sorted((row for row in self._parked.rows() if row[1].id in set(ids)), key=lambda row: row[0])
        return tuple(_parked(*row) for row in rows)

    def take(self, ids: Sequence[str], *, back: bool) -> int:
        taken = self.load(ids)
        for found in taken:
            row = self._parked.get(found.queued.id)
            self._parked.drop(found.queued.id)
            if back and row is not None:
                self._messages.add(row[0], row[1])
        return len(taken)

    def expired(self, now: datetime) -> tuple[str, ...]:
        return tuple(row[1].id for row in self._parked.rows() if has_expired(row[1].expires_at, now))


class MemoryReceipts:
    """`authflow.outbox.ports.Receipts` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._reached: Table[tuple[str, str], bool] = store.table("outbox_receipt")

    def of(self, message: str) -> frozenset[str]:
        return frozenset(receiver for (told, receiver), _ in self._reached.items() if told == message)

    def add(self, message: str, receiver: str) -> None:
        self._reached.put((message, receiver), row=True)

    def forget(self, messages: Sequence[str]) -> None:
        gone = set(messages)
        self._reached.drop_all(key for key, _ in self._reached.items() if key[0] in gone)


def _lane(message: Message) -> Lane:
    return Lane(destination=message.destination, scope=int(message.scope), shard=message.shard)


def _is_due(message: Message, now: datetime) -> bool:
    return message.due_at <= now or message.at > now


def _queued(number: int, message: Message) -> Queued:
    return Queued(
        number=number,
        lane=_lane(message),
        id=message.id,
        category=int(message.category),
        object=message.object,
        payload=message.payload,
        at=message.at,
        due_at=message.due_at,
        expires_at=message.expires_at,
    )


def _parked(number: int, message: Message, parked: Parked) -> ParkedMessage:
    return ParkedMessage(queued=_queued(number, message), parked=parked)
