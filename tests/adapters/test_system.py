"""The real clock and the real randomness."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from authflow.adapters.system import SystemClock, SystemEntropy
from authflow.values import UTC


def test_the_clock_is_aware_and_in_utc() -> None:
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta()


@pytest.mark.parametrize("count", [0, 1, 12, 20, 100])
def test_entropy_gives_as_many_bytes_as_asked(count: int) -> None:
    assert len(SystemEntropy().random_bytes(count)) == count


def test_entropy_does_not_repeat_itself() -> None:
    assert len({SystemEntropy().random_bytes(16) for _ in range(1000)}) == 1000
