"""Rows that a command says it will read: where statements travel together, they come with the lock of their person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.rows import Result
    from authflow.values import UserId


class Ahead:
    """The rows of persons in one table: asked for by *statement*, whose parameter is the ``owner``."""

    def __init__(self, connection: Connection, statement: sa.Executable) -> None:
        self._connection = connection
        self._statement = statement
        self._expected: set[UserId] = set()
        self._coming: dict[UserId, Callable[[], Result]] = {}

    def expect(self, user: UserId) -> None:
        """Let the rows of *user* come with their lock, if it is taken before they are read."""
        self._expected.add(user)

    def behind(self, user: UserId) -> None:
        """Ask for the rows of *user* if they are expected: their lock has just been sent."""
        if user in self._expected:
            self._coming[user] = self._connection.soon(self._statement, {"owner": user})

    def rows(self, user: UserId) -> Result:
        """Return the rows of *user*, which came, or are read now."""
        came = self._coming.pop(user, None)
        return self._connection.run(self._statement, {"owner": user}) if came is None else came()

    def drop(self, user: UserId) -> None:
        """Let nothing of *user* that comes be taken for what stands: it was changed."""
        self._coming.pop(user, None)

    def forget(self) -> None:
        """Let nothing that comes be taken for what stands: a lock was waited for."""
        self._coming.clear()
