"""Mailed confirmation tokens in SQL."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import attrs
import sqlalchemy as sa

from authflow.accounts.states import Absent, Confirmed, Expired, Mailing, Sent, Voided
from authflow.adapters.sql import columns as c
from authflow.adapters.sql.dialect import insert_or_update
from authflow.values import Address, UserId, fold_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.accounts.states import Confirmation, Over
    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.tables.accounts import AccountsTables

TAGS: Final[dict[type[Sent | Over], str]] = {
    Sent: "sent",
    Confirmed: "confirmed",
    Expired: "expired",
    Voided: "voided",
}
"""Stable: stored rows carry them."""

OVER: Final = {TAGS[state]: state for state in (Confirmed, Expired, Voided)}


@attrs.frozen(kw_only=True)
class ConfirmationStatements:
    """Every statement about confirmations, built once."""

    load: sa.Executable
    lock: sa.Executable
    hold: sa.Executable
    turn: sa.Executable
    add: sa.Executable
    close: sa.Executable
    void: sa.Executable
    void_of_user: sa.Executable
    of_user: sa.Executable
    remove_of_user: sa.Executable
    remove_over: sa.Executable
    remove_turns: sa.Executable

    @classmethod
    def of(cls, t: AccountsTables, dialect: str) -> ConfirmationStatements:
        row, turn = t.confirmation, t.address_turn
        one = row.c.token == sa.bindparam("which")
        mine = row.c.user_id == sa.bindparam("owner")
        waits = row.c.state == TAGS[Sent]
        load = sa.select(row).where(one)
        ended: dict[str, Any] = {"state": sa.bindparam("new_state"), "over_at": sa.bindparam("at")}
        to = [row.c.folded == sa.bindparam("folded_as"), waits]
        void = sa.update(row).where(*to).values(ended)
        return cls(
            load=load,
            lock=load.with_for_update(),
            hold=sa.select(row).where(*to).order_by(row.c.token).with_for_update(),
            turn=insert_or_update(
                dialect,
                turn,
                {"digest": sa.bindparam("turn_of"), "at": sa.bindparam("turn_at")},
                lambda new: {"at": new.at},
            ),
            add=sa.insert(row),
            close=sa.update(row).where(one, waits).values(ended),
            void=void,
            void_of_user=void.where(mine),
            of_user=sa.select(row).where(mine).order_by(row.c.expires_at, row.c.token),
            remove_of_user=sa.delete(row).where(mine),
            remove_over=sa.delete(row).where(row.c.expires_at < sa.bindparam("before")),
            remove_turns=sa.delete(turn).where(turn.c.at < sa.bindparam("before")),
        )


class SqlConfirmations:
    """`authflow.accounts.ports.ConfirmationRows` in SQL."""

    def __init__(
        self, connection: Connection, statements: ConfirmationStatements, *, locked: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._tell_locked = locked

    def load(self, token: bytes, *, lock: bool = False) -> Confirmation:
        row = self._connection.run(self._sql.lock if lock else self._sql.load, {"which": token}).one_or_none()
        return Absent() if row is None else _state(row)

    def add(self, state: Sent) -> None:
        mailing = state.mailing
        values = {
            "token": mailing.token,
            "state": TAGS[Sent],
            "user_id": mailing.user,
            "address": mailing.address,
            "folded": fold_address(mailing.address),
            "expires_at": c.micros(mailing.expires_at),
            "over_at": None,
        }
        self._connection.run(self._sql.add, values)

    def hold(self, address: Address, now: datetime) -> tuple[Sent, ...]:
        if not self._connection.alone:
            digest = hashlib.sha256(fold_address(address).encode()).digest()
            self._connection.later(self._sql.turn, {"turn_of": digest, "turn_at": c.micros(now)})
            self._tell_locked()  # whoever had the turn before may have verified the address
        waiting = self._connection.run(self._sql.hold, {"folded_as": fold_address(address)})
        return tuple(Sent(mailing=_mailing(row)) for row in waiting)

    def close(self, before: Sent, after: Over) -> bool:
        ended = {"which": before.mailing.token, "new_state": TAGS[type(after)], "at": c.micros(after.at)}
        return self._connection.changed(self._sql.close, ended) == 1

    def void(self, address: Address, at: datetime, *, user: UserId | None = None) -> int:
        ended = {"folded_as": fold_address(address), "new_state": TAGS[Voided], "at": c.micros(at)}
        if user is None:
            return self._connection.changed(self._sql.void, ended)
        return self._connection.changed(self._sql.void_of_user, {**ended, "owner": user})

    def of_user(self, user: UserId) -> tuple[Sent | Over, ...]:
        return tuple(_state(row) for row in self._connection.run(self._sql.of_user, {"owner": user}))

    def remove_of_user(self, user: UserId) -> int:
        return self._connection.changed(self._sql.remove_of_user, {"owner": user})

    def remove_over(self, before: datetime) -> int:
        ended = {"before": c.micros(before)}
        self._connection.run(self._sql.remove_turns, ended)
        return self._connection.changed(self._sql.remove_over, ended)


def _mailing(row: Any) -> Mailing:
    return Mailing(
        user=UserId(row.user_id),
        address=Address(row.address),
        token=bytes(row.token),
        expires_at=c.moment(row.expires_at),
    )


def _state(row: Any) -> Sent | Over:
    mailing = _mailing(row)
    if row.state == TAGS[Sent]:
        return Sent(mailing=mailing)
    return OVER[row.state](mailing=mailing, at=c.moment(row.over_at))
