"""Stored replies in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.memory.store import Store, Table
    from authflow.ports import Reply


class MemoryReplies:
    """`authflow.ports.Replies` in a dictionary; the store's lock is the claim."""

    def __init__(self, store: Store) -> None:
        self._replies: Table[bytes, Reply] = store.table("reply")

    def claim(self, key: bytes, now: datetime) -> Reply | None:
        found = self._replies.get(key)
        return None if found is None or found.expires_at <= now else found

    def store(self, reply: Reply) -> None:
        self._replies.put(reply.key, reply)

    def release(self, key: bytes) -> None:
        self._replies.drop(key)

    def sweep(self, now: datetime) -> int:
        return self._replies.drop_all(key for key, reply in self._replies.items() if reply.expires_at <= now)
