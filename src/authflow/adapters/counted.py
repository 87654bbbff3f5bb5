"""What was counted stays counted: the hits and attempts of a transaction, so that a rollback can repeat them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.ports import Allowed, Limited

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from authflow.ports import Attempts, RateLimiter

    class Counting(Protocol):
        """The part of a transaction that counts."""

        @property
        def limits(self) -> RateLimiter: ...
        @property
        def attempts(self) -> Attempts: ...


def strictest(answers: Sequence[Allowed | Limited]) -> Allowed | Limited:
    """Return the answer of several budgets as one: the longest wait, or the least that is left."""
    over = [answer for answer in answers if isinstance(answer, Limited)]
    if over:
        return max(over, key=lambda limited: limited.retry_after)
    return Allowed(min(answer.left for answer in answers if isinstance(answer, Allowed)))


class Counted:
    """Every hit and attempt of one transaction, in order."""

    def __init__(self) -> None:
        self._calls: list[Callable[[Counting], object]] = []

    def add(self, again: Callable[[Counting], object]) -> None:
        """Remember one count; *again* repeats it on another transaction."""
        self._calls.append(again)

    def mark(self) -> int:
        """Return how many there are, to come back to."""
        return len(self._calls)

    def forget(self) -> None:
        """Forget everything: it is not known whether it was kept."""
        self._calls.clear()

    def repeat(self, tx: Counting, *, since: int = 0) -> None:
        """Count everything remembered after *since* once more on *tx*, and forget it here."""
        calls, self._calls[since:] = self._calls[since:], []
        try:
            for again in calls:
                again(tx)
        except BaseException:
            self._calls[since:] = calls  # nothing is forgotten: whoever undoes more counts them all again
            raise
