"""Sessions, known browsers and mailed links in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import StaleVersion
from authflow.ports import Stored
from authflow.sessions.standing import owner
from authflow.sessions.states import Anonymous, Ended, SignedIn

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.memory.store import Store, Table
    from authflow.sessions.states import Device, Personal, ResetLink, Session
    from authflow.values import SessionId, UserId


class MemorySessions:
    """`authflow.sessions.ports.SessionRows` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[SessionId, Stored[Session]] = store.table("session")

    def load(self, session: SessionId) -> Stored[Session] | None:
        return self._rows.get(session)

    def add(self, state: Session) -> None:
        self._rows.add(state.handle.id, Stored(state, 1))

    def save(self, state: Session, *, expected: int) -> None:
        found = self._rows.get(state.handle.id)
        if found is None or found.version != expected:
            raise StaleVersion
        self._rows.put(state.handle.id, Stored(state, expected + 1))

    def count_alive(self, user: UserId, *, epoch: int, now: datetime) -> int:
        mine = (row for row in self.of_user(user) if isinstance(row, SignedIn))
        return sum(row.epoch == epoch and now < row.expires_at for row in mine)

    def of_user(self, user: UserId) -> tuple[Personal, ...]:
        states = (row.state for row in self._rows.rows())
        mine = (s for s in states if not isinstance(s, Anonymous | Ended) and s.user == user)
        return tuple(sorted(mine, key=lambda s: (s.handle.created_at, s.handle.id)))

    def remove_of_user(self, user: UserId) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if owner(row.state) == user)

    def remove_expired(self, now: datetime) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if row.state.expires_at <= now)


class MemoryDevices:
    """`authflow.sessions.ports.Devices` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._devices: Table[bytes, Device] = store.table("device")

    def ahead(self, user: UserId) -> None:
        """Nothing is read ahead of time in a dictionary."""

    def of_user(self, user: UserId) -> tuple[Device, ...]:
        mine = (device for device in self._devices.rows() if device.user == user)
        return tuple(sorted(mine, key=lambda device: (device.last_used_at, device.digest)))

    def add(self, device: Device) -> None:
        self._devices.add(device.digest, device)

    def touch(self, digest: bytes, now: datetime) -> None:
        found = self._devices.get(digest)
        if found is not None:
            self._devices.put(digest, attrs.evolve(found, last_used_at=now))

    def remove(self, digest: bytes) -> None:
        self._devices.drop(digest)

    def remove_of_user(self, user: UserId) -> None:
        self._devices.drop_all(key for key, device in self._devices.items() if device.user == user)


class MemoryResetLinks:
    """`authflow.sessions.ports.ResetLinks` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._links: Table[bytes, tuple[ResetLink, datetime | None]] = store.table("reset_link")

    def add(self, link: ResetLink) -> None:
        self._links.add(link.digest, (link, None))

    def spend(self, digest: bytes, *, user: UserId, now: datetime) -> ResetLink | None:
        found = self._links.get(digest)
        if found is None or found[0].user != user or found[1] is not None:
            return None
        self._links.put(digest, (found[0], now))
        return found[0]

    def unspent(self, digest: bytes, *, user: UserId) -> bool:
        found = self._links.get(digest)
        return found is not None and found[0].user == user and found[1] is None

    def remove_of_user(self, user: UserId) -> int:
        return self._links.drop_all(key for key, (link, _) in self._links.items() if link.user == user)

    def remove_expired(self, now: datetime) -> int:
        return self._links.drop_all(key for key, (link, _) in self._links.items() if link.expires_at <= now)
