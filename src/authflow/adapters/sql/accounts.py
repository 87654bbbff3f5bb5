"""Accounts in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa

from authflow.adapters.sql.dialect import insert_or_update
from authflow.ports import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Result, Row
    from authflow.adapters.sql.tables.shared import SharedTables
    from authflow.values import UserId


@attrs.frozen(kw_only=True)
class AccountStatements:
    """Every statement about accounts, built once."""

    lock: sa.Executable
    read: sa.Executable
    save: sa.Executable
    remove: sa.Executable

    @classmethod
    def of(cls, t: SharedTables, dialect: str) -> AccountStatements:
        account = t.account
        new: dict[str, Any] = {"user_id": sa.bindparam("owner"), "epoch": 1, "enrollment_required": False}
        mine = account.c.user_id == sa.bindparam("owner")
        return cls(
            lock=insert_or_update(dialect, account, new, lambda row: {"user_id": row.user_id}).returning(
                account.c.epoch, account.c.enrollment_required
            ),
            read=sa.select(account.c.epoch, account.c.enrollment_required).where(mine),
            save=sa.update(account)
            .where(mine)
            .values(epoch=sa.bindparam("new_epoch"), enrollment_required=sa.bindparam("owed")),
            remove=sa.delete(account).where(mine),
        )


class SqlAccounts:
    """`authflow.ports.Accounts` in SQL: one statement makes the row if missing, locks it and reads it.

    Where nobody else writes meanwhile, a row that was read is locked without another statement.

    Args:
        connection: On which the transaction is open.
        statements: About accounts.
        locked: Forgets what was read before the lock of a person was waited for, and reads again what is about to be
            asked for anew: where statements travel together, it travels with the lock.
        held: Forgets likewise, and leaves it to whoever asks next to read again.
    """

    def __init__(
        self,
        connection: Connection,
        statements: AccountStatements,
        *,
        locked: Callable[[UserId], None],
        held: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._sql = statements
        self._tell_locked = locked
        self._tell_held = held
        self._coming: dict[UserId, Callable[[], Result]] = {}
        self._locked: dict[UserId, Account] = {}
        self._seen: dict[UserId, Account | None] = {}

    def lock(self, user: UserId) -> Account:
        if user not in self._locked:
            coming = self._coming.pop(user, None)
            self._locked[user] = self._standing(user) or (self._lock(user) if coming is None else _made(user, coming))
        return self._locked[user]

    def hold(self, users: Iterable[UserId]) -> None:
        missing = [user for user in sorted(users) if user not in self._locked and user not in self._coming]
        for user in missing:
            if self._standing(user) is None:
                self._coming[user] = self._connection.soon(self._sql.lock, {"owner": user})
        if missing and not self._connection.alone:
            self._tell_held()  # whoever held one of the locks may have changed what was read before

    def made(self, user: UserId) -> None:
        """Hold *user*, who did not exist before this transaction: nobody has to be waited for."""
        self._connection.later(self._sql.lock, {"owner": user})
        self._locked[user] = Account(user=user, epoch=1)

    def read(self, user: UserId) -> Account:
        if user in self._locked or user in self._coming:
            return self.lock(user)
        if user not in self._seen:
            self.saw(user, self._connection.run(self._sql.read, {"owner": user}).one_or_none())
        return self._seen[user] or Account(user=user, epoch=1)

    def saw(self, user: UserId, row: Row | None) -> None:
        """Remember the row of *user*, or that there is none, as it was read without a lock."""
        self._seen[user] = None if row is None else _account(user, row)

    def holds(self, user: UserId) -> bool:
        """Tell whether the lock of *user* is held here: what is theirs was read behind it, or is read again."""
        return user in self._locked

    def forget(self) -> None:
        """Read what was read without a lock again when it is next asked for: a lock was waited for."""
        self._seen.clear()

    def _standing(self, user: UserId) -> Account | None:
        """Return the row that was read, if it is as good as locked: nobody else writes before this transaction ends."""
        return self._seen.get(user) if self._connection.alone else None

    def _lock(self, user: UserId) -> Account:
        locked = self._connection.soon(self._sql.lock, {"owner": user})
        if not self._connection.alone:
            self._tell_locked(user)  # whoever held the lock may have changed what was read before
        return _made(user, locked)

    def save(self, account: Account) -> None:
        self._coming.pop(account.user, None)
        self._locked[account.user] = account
        values = {"owner": account.user, "new_epoch": account.epoch, "owed": account.enrollment_required}
        self._connection.later(self._sql.save, values)

    def remove(self, user: UserId) -> None:
        self._locked.pop(user, None)
        self._coming.pop(user, None)
        self._seen.pop(user, None)
        self._connection.later(self._sql.remove, {"owner": user})


def _made(user: UserId, locked: Callable[[], Result]) -> Account:
    return _account(user, locked().one())


def _account(user: UserId, row: Row) -> Account:
    return Account(user=user, epoch=row.epoch, enrollment_required=row.enrollment_required)
