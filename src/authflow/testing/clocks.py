"""Time and randomness that a test decides. Never for production."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Final

from authflow.values import UTC, require_aware

if TYPE_CHECKING:
    from collections.abc import Iterable

    from authflow.ports import Clock

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a `ManualClock` begins unless it is told otherwise."""


class ManualClock:
    """A clock that stands still until a test moves it, forwards or backwards.

    Args:
        start: The first instant, aware.

    Raises:
        NaiveDatetime: *start* has no time zone.

    >>> clock = ManualClock()
    >>> clock.advance(seconds=90).isoformat()
    '2026-01-01T00:01:30+00:00'
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = require_aware(start).astimezone(UTC)

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return self._now

    def advance(self, by: timedelta = timedelta(), *, seconds: float = 0) -> datetime:
        """Move the clock by *by* and *seconds* together, and return the new instant."""
        self._now += by + timedelta(seconds=seconds)
        return self._now

    def set(self, moment: datetime) -> datetime:
        """Put the clock at *moment*, which may lie in the past: clocks go back, and code has to survive it.

        Raises:
            NaiveDatetime: *moment* has no time zone. The clock stays where it was.
        """
        self._now = require_aware(moment).astimezone(UTC)
        return self._now


class SkewedClock:
    """The clock of a second node: as far *ahead* of *clock* as is said, or behind it; assign another at any time.

    Args:
        clock: The clock of the first node; moving it moves both.
        ahead: Negative for a clock that is behind.

    >>> here = ManualClock()
    >>> SkewedClock(here, timedelta(minutes=-5)).now().isoformat()
    '2025-12-31T23:55:00+00:00'
    """

    def __init__(self, clock: Clock, ahead: timedelta) -> None:
        self._clock = clock
        self.ahead = ahead

    def now(self) -> datetime:
        """Return what the other node takes for the present instant."""
        return self._clock.now() + self.ahead


class JumpingClock:
    """A clock that jumps between two readings, forwards or back, also in the middle of a command.

    Args:
        clock: What it shows without any jump.
        jumps: How far it is off at each reading, one after the other, and round again.

    Raises:
        ValueError: There is no jump at all.

    >>> clock = JumpingClock(ManualClock(), [timedelta(), timedelta(hours=-1)])
    >>> clock.now() > clock.now()
    True
    """

    def __init__(self, clock: Clock, jumps: Iterable[timedelta]) -> None:
        offsets = tuple(jumps)
        if not offsets:
            msg = "a jumping clock needs a jump"
            raise ValueError(msg)
        self._clock, self._jumps = clock, cycle(offsets)

    def now(self) -> datetime:
        """Return the instant of *clock*, off by the next jump."""
        return self._clock.now() + next(self._jumps)


class SeededEntropy:
    """Bytes that look random and are the same in every run: SHA-256 over *seed* and a counter. For tests only.

    Whoever knows the seed knows every secret made from it.

    Args:
        seed: Two sources with the same seed give the same bytes, in the same order of calls.

    >>> SeededEntropy(1).random_bytes(4) == SeededEntropy(1).random_bytes(4)
    True
    """

    def __init__(self, seed: int | str = 0) -> None:
        self._seed = f"{type(seed).__name__}:{seed}".encode()
        self._calls = 0

    def random_bytes(self, count: int) -> bytes:
        """Return the next *count* bytes; a call never repeats the bytes of an earlier one.

        Raises:
            ValueError: *count* is negative.
        """
        if count < 0:
            msg = "a count of bytes is not negative"
            raise ValueError(msg)
        self._calls += 1
        blocks = (self._block(number) for number in range(-(-count // 32)))
        return b"".join(blocks)[:count]

    def _block(self, number: int) -> bytes:
        place = self._calls.to_bytes(8, "big") + number.to_bytes(8, "big")
        return hashlib.sha256(self._seed + b"\x00" + place).digest()
