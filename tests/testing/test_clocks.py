from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.errors import NaiveDatetime
from authflow.testing import ManualClock, SeededEntropy
from authflow.testing.clocks import JumpingClock, SkewedClock
from authflow.values import UTC

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 (a naive time is what is refused)


def test_a_manual_clock_stands_still():
    clock = ManualClock()
    assert clock.now() == clock.now() == datetime(2026, 1, 1, tzinfo=UTC)


def test_advance_moves_by_both_of_its_arguments():
    clock = ManualClock()
    assert clock.advance(timedelta(days=1)) == datetime(2026, 1, 2, tzinfo=UTC)
    assert clock.advance(seconds=0.5) == datetime(2026, 1, 2, 0, 0, 0, 500_000, tzinfo=UTC)
    assert clock.advance(timedelta(minutes=1), seconds=-60.5) == datetime(2026, 1, 2, tzinfo=UTC)
    assert clock.now() == datetime(2026, 1, 2, tzinfo=UTC)


def test_set_may_go_back():
    clock = ManualClock()
    past = datetime(1999, 12, 31, tzinfo=UTC)
    assert clock.set(past) == past
    assert clock.now() == past


def test_now_is_in_utc_whatever_was_set():
    nepal = timezone(timedelta(hours=5, minutes=45))
    clock = ManualClock(datetime(2026, 1, 1, 5, 45, tzinfo=nepal))
    assert clock.now().tzinfo is UTC
    assert clock.set(datetime(2026, 1, 1, 5, 45, tzinfo=nepal)).isoformat() == "2026-01-01T00:00:00+00:00"


def test_naive_times_are_refused_and_the_clock_stays():
    clock = ManualClock()
    with pytest.raises(NaiveDatetime):
        clock.set(NAIVE)
    with pytest.raises(NaiveDatetime):
        ManualClock(NAIVE)
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)


seeds = st.integers() | st.text()
counts = st.lists(st.integers(0, 100), max_size=6)


@given(seeds, counts)
def test_one_seed_gives_the_same_bytes_in_every_run(seed: int | str, counts: list[int]):
    one, other = SeededEntropy(seed), SeededEntropy(seed)
    drawn = [one.random_bytes(count) for count in counts]
    assert drawn == [other.random_bytes(count) for count in counts]
    assert [len(part) for part in drawn] == counts


@given(seeds, st.integers(2, 20))
def test_bytes_never_repeat(seed: int | str, calls: int):
    entropy = SeededEntropy(seed)
    blocks = [entropy.random_bytes(64) for _ in range(calls)]
    halves = [half for block in blocks for half in (block[:32], block[32:])]
    assert len(set(halves)) == 2 * calls


@given(seeds, seeds)
def test_different_seeds_give_different_bytes(one: int | str, other: int | str):
    same = (type(one), one) == (type(other), other)
    assert (SeededEntropy(one).random_bytes(32) == SeededEntropy(other).random_bytes(32)) is same


def test_the_bytes_of_a_seed_are_fixed_for_ever():
    """Vectors made with a seed stay good: this is SHA-256 of the seed, a zero, call 1 and block 0."""
    assert SeededEntropy(7).random_bytes(8).hex() == "5878d3209ddab0bd"


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="not negative"):
        SeededEntropy().random_bytes(-1)


def test_a_skewed_clock_goes_with_the_other_one():
    here = ManualClock()
    there = SkewedClock(here, timedelta(minutes=5))
    assert there.now() - here.now() == timedelta(minutes=5)
    here.advance(seconds=-30)
    assert there.now() - here.now() == timedelta(minutes=5)
    there.ahead = timedelta(minutes=-5)
    assert here.now() - there.now() == timedelta(minutes=5)


def test_a_jumping_clock_jumps_at_every_reading_and_begins_again():
    here = ManualClock()
    jumps = [timedelta(), timedelta(hours=1), timedelta(hours=-1)]
    clock = JumpingClock(here, jumps)
    assert [clock.now() - here.now() for _ in range(6)] == jumps * 2
    with pytest.raises(ValueError, match="needs a jump"):
        JumpingClock(here, [])
