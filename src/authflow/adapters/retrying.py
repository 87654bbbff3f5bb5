"""Trying a whole command again when the database says that it lost to another one."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from authflow.errors import ConfigInvalid, Retryable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FINENESS: Final = 1_000_000
"""Parts of a pause among which chance decides."""


@attrs.frozen(kw_only=True)
class Retry:
    """How often a command is tried, and how long is waited in between.

    The pause before try *n* is a random part of ``first * 2 ** (n - 2)``, at most *longest*: full jitter, so that those
    who met once do not meet again (Brooker, "Exponential Backoff And Jitter").

    Args:
        tries: At most, the first one included.
        first: The longest pause after the first try.
        longest: The longest pause of all.
        deadline: No try begins later than this after the first one.

    Raises:
        ConfigInvalid: There is less than one try, or a negative time.
    """

    tries: int = 5
    first: timedelta = timedelta(milliseconds=10)
    longest: timedelta = timedelta(milliseconds=500)
    deadline: timedelta = timedelta(seconds=10)

    def __attrs_post_init__(self) -> None:
        if self.tries < 1:
            raise ConfigInvalid(setting="retry.tries", problem="must be at least 1")
        for name in ("first", "longest", "deadline"):
            if getattr(self, name) < timedelta():
                raise ConfigInvalid(setting=f"retry.{name}", problem="must not be negative")

    def call(self, command: Callable[[], T], *, sleep: Callable[[float], None] = time.sleep) -> T:
        """Return what *command* returns, calling it again while it raises `Retryable`; *sleep* waits some seconds.

        Raises:
            Retryable: The last one, when there are no more tries or there is no more time.
        """
        end = time.monotonic() + self.deadline.total_seconds()
        for number in range(1, self.tries):
            try:
                return command()
            except Retryable:
                pause = self._pause(number)
                if time.monotonic() + pause > end:
                    raise
            sleep(pause)
        return command()

    def _pause(self, number: int) -> float:
        longest = min(self.longest, self.first * (1 << number - 1))
        return longest.total_seconds() * secrets.randbelow(FINENESS) / FINENESS
