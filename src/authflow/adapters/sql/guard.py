"""The only place where a driver does anything, and where it fails: no error of its own gets past it."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from authflow.adapters.sql.faults import fault_of
from authflow.adapters.sql.tap import Event, told
from authflow.errors import DatabaseError, DatabaseUnavailable, Retryable

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.faults import Rules
    from authflow.adapters.sql.tap import Kind, Tap

T = TypeVar("T")

DIVISION_BY_ZERO: Final = "22012"
"""An SQLSTATE of PostgreSQL's."""

UNFOUND: Final = "[a row that was held is gone]"

LOG: Final = logging.getLogger("authflow.sql")
"""Hears the text of every statement at DEBUG, and never a parameter."""


@attrs.define(kw_only=True, eq=False)
class Guard:
    """What is known of one connection after what went wrong on it.

    Args:
        driver: The DB-API module.
        rules: What a violated constraint is called.
        tap: Told of every statement.

    Attributes:
        failed: A statement failed, and no savepoint has undone it.
        lost: The connection is gone, or nobody knows what it still expects.
        finding: A statement was sent that fails if it does not find its row (`wire_pipeline.finding`).
    """

    driver: Any
    rules: Rules
    tap: Tap | None = None
    failed: bool = False
    lost: bool = False
    finding: bool = False

    def require_sound(self) -> None:
        """Refuse to go on after a failed statement.

        Raises:
            DatabaseError: An error was caught inside the transaction, but not around a savepoint.
        """
        if self.failed:
            detail = "[a statement of this transaction failed, and no savepoint undid it]"
            raise DatabaseError(detail)

    def tell(self, kind: Kind, text: str, work: Callable[[], T]) -> T:
        """Let the driver do *work*, and tell of it; what does not wait for its answer is over when it was sent."""
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug("%s", text)
        return self.do(work) if self.tap is None else self.do(partial(told, self.tap, Event(kind, text), work))

    def do(self, work: Callable[[], T]) -> T:
        """Let the driver do *work*.

        Raises:
            AuthflowError: What the database's own error is in our terms.
        """
        try:
            return work()
        except Exception as error:
            self._give_up(error)
            raise
        except BaseException:
            self.failed = self.lost = True  # interrupted in the middle: nobody knows what the server still sends
            raise

    def _give_up(self, error: Exception) -> None:
        """Mark the connection as failed, and raise what *error* is in our terms, if it was the database's."""
        self.failed = True
        fault = fault_of(error, self.rules, self.driver)
        if self.finding and getattr(error, "sqlstate", None) == DIVISION_BY_ZERO:
            fault = Retryable(UNFOUND)
        self.lost = self.lost or isinstance(fault or error, DatabaseUnavailable)
        if fault is not None:
            raise fault from error
