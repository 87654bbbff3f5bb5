"""Sessions by their names at providers, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.adapters.memory.store import Store, Table
    from authflow.sso.provider_session import ProviderSession
    from authflow.values import ProviderId, Sealed, SessionId, UserId


class MemoryProviderSessions:
    """`authflow.sso.provider_session.ProviderSessionRows` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[tuple[SessionId, ProviderId], ProviderSession] = store.table("provider_session")

    def put(self, row: ProviderSession) -> None:
        self._rows.put((row.session, row.provider), row)

    def of_session(self, session: SessionId) -> tuple[ProviderSession, ...]:
        found = self._rows.where(lambda row: row.session == session)
        return tuple(sorted(found, key=lambda row: row.provider))

    def named(self, provider: ProviderId, name: bytes) -> tuple[ProviderSession, ...]:
        found = self._rows.where(lambda row: (row.provider, row.name) == (provider, name))
        return tuple(sorted(found, key=lambda row: row.session))

    def sealing_keys(self) -> frozenset[str]:
        return frozenset(row.memory.key_id for row in self._rows.rows())

    def sealed_under(
        self, keys: Collection[str], *, limit: int, after: tuple[SessionId, ProviderId] | None = None
    ) -> tuple[ProviderSession, ...]:
        under = ((key, row) for key, row in self._rows.items() if row.memory.key_id in keys)
        behind = sorted((key, row) for key, row in under if after is None or key > after)
        return tuple(row for _, row in behind[:limit])

    def reseal(self, row: ProviderSession, memory: Sealed) -> bool:
        key = (row.session, row.provider)
        found = self._rows.get(key)
        if found is None or found.memory != row.memory:
            return False
        self._rows.put(key, attrs.evolve(found, memory=memory))
        return True

    def remove(self, session: SessionId, provider: ProviderId) -> bool:
        return self._rows.drop((session, provider))

    def remove_of_user(self, user: UserId) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if row.user == user)

    def remove_over(self, now: datetime) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if row.expires_at <= now)
