"""Mailed confirmation tokens in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.accounts.states import Absent, Sent, Voided
from authflow.values import same_address

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.accounts.states import Confirmation, Over
    from authflow.adapters.memory.store import Store, Table
    from authflow.values import Address, UserId


class MemoryConfirmations:
    """`authflow.accounts.ports.ConfirmationRows` in a dictionary."""

    def __init__(self, store: Store) -> None:
        self._rows: Table[bytes, Sent | Over] = store.table("confirmation")

    def load(self, token: bytes, *, lock: bool = False) -> Confirmation:  # noqa: ARG002  # the store's lock is the row lock
        return self._rows.get(token) or Absent()

    def add(self, state: Sent) -> None:
        self._rows.add(state.mailing.token, state)

    def hold(self, address: Address, now: datetime) -> tuple[Sent, ...]:  # noqa: ARG002  # the store's lock holds it
        waiting = (row for row in self._rows.rows() if isinstance(row, Sent))
        return tuple(row for row in waiting if same_address(row.mailing.address, address))

    def close(self, before: Sent, after: Over) -> bool:
        key = before.mailing.token
        if not isinstance(self._rows.get(key), Sent):
            return False
        self._rows.put(key, after)
        return True

    def void(self, address: Address, at: datetime, *, user: UserId | None = None) -> int:
        meant = [row.mailing for row in self.hold(address, at) if user in {None, row.mailing.user}]
        for mailing in meant:
            self._rows.put(mailing.token, Voided(mailing=mailing, at=at))
        return len(meant)

    def of_user(self, user: UserId) -> tuple[Sent | Over, ...]:
        mine = (row for row in self._rows.rows() if row.mailing.user == user)
        return tuple(sorted(mine, key=lambda row: (row.mailing.expires_at, row.mailing.token)))

    def remove_of_user(self, user: UserId) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if row.mailing.user == user)

    def remove_over(self, before: datetime) -> int:
        return self._rows.drop_all(key for key, row in self._rows.items() if row.mailing.expires_at < before)
