"""The times of an event: what is read, and when all of them are moved together (outbox 3.3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.events.document import Notes
from authflow.events.timestamps import correct, parse, show
from authflow.policy import EventPolicy
from authflow.testing.clocks import START
from authflow.values import UTC

POLICY = EventPolicy()
SECOND = timedelta(seconds=1)
DAYS30 = timedelta(days=30)


def corrected(raw: dict[str, Any], *, trusted: bool = False) -> tuple[datetime, list[str]]:
    notes = Notes()
    times = correct(raw, received=START, policy=POLICY, notes=notes, trusted=trusted)
    assert times.received == START
    return times.timestamp, [note["type"] for note in notes.entries]


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2026-01-01T00:00:00Z", START),
        ("2026-01-01t00:00:00z", START),
        ("2026-01-01 00:00:00", START),
        ("2026-01-01T01:30:00+01:30", START),
        (" 2026-01-01T00:00:00-00:00 ", START),
        ("2026-01-01T00:00:00.5", START + SECOND / 2),
        ("2026-01-01T00:00:00.123456789Z", START + timedelta(microseconds=123456)),
        (1767225600, START),
        (1767225600.25, START + SECOND / 4),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_rfc_3339_and_seconds_are_read_and_a_missing_zone_is_utc(given: object, moment: datetime) -> None:
    assert parse(given) == moment


@pytest.mark.parametrize(
    "given",
    [
        *("", "now", "1767225600", "2026-01-01", "20260101T000000Z", "2026-W01-1T00:00:00Z", "2026-13-01T00:00:00Z"),
        *("2026-01-01T25:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00+99:99", "\u0662026-01-01T00:00:00Z"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z"),
        *(1e300, -1e300, 10**30, float("nan"), float("inf"), True, None, [], {}),
    ],
)
def test_anything_else_is_no_time(given: object) -> None:
    assert parse(given) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_shown_is_read_back(moment: datetime) -> None:
    assert parse(show(moment)) == moment


@pytest.mark.parametrize(
    ("claimed", "kept", "kind"),
    [
        (START - DAYS30, START - DAYS30, []),
        (START - DAYS30 - timedelta(microseconds=1), START, ["past_timestamp"]),
        (START + 60 * SECOND, START + 60 * SECOND, []),
        (START + timedelta(seconds=60, microseconds=1), START, ["future_timestamp"]),
        (datetime(1, 1, 1, tzinfo=UTC), START, ["past_timestamp"]),
        (datetime.max.replace(tzinfo=UTC), START, ["future_timestamp"]),
    ],
)
def test_thirty_days_and_sixty_seconds_are_kept_exactly(claimed: datetime, kept: datetime, kind: list[str]) -> None:
    assert corrected({"timestamp": show(claimed)}) == (kept, kind)


def test_every_time_moves_by_the_same_drift() -> None:
    """The event becomes now, and the distances survive (outbox 3.3)."""
    old = START - timedelta(days=365)
    raw: dict[str, Any] = {
        "timestamp": show(old),
        "start_timestamp": show(old - SECOND),
        "breadcrumbs": {"values": [{"timestamp": show(old - 5 * SECOND)}, "no crumb", {"message": "no time"}]},
        "spans": [{"start_timestamp": show(old - 3 * SECOND), "timestamp": show(old - 2 * SECOND)}],
    }
    assert corrected(raw) == (START, ["past_timestamp"])
    assert raw["start_timestamp"] == show(START - SECOND)
    assert raw["breadcrumbs"]["values"][0] == {"timestamp": show(START - 5 * SECOND)}
    assert raw["spans"] == [{"start_timestamp": show(START - 3 * SECOND), "timestamp": show(START - 2 * SECOND)}]


@pytest.mark.parametrize(
    ("minutes", "moved"), [(0, False), (54.9, False), (-54.9, False), (55, True), (-55, True), (60 * 24 * 365, True)]
)
def test_a_senders_clock_is_corrected_from_55_minutes_on(minutes: float, moved: bool) -> None:  # noqa: FBT001
    """In both directions, also when the time itself would be acceptable."""
    drift = timedelta(minutes=minutes)
    claimed = START - drift - timedelta(hours=2)
    raw = {"timestamp": show(claimed), "sent_at": show(START - drift), "start_timestamp": show(claimed)}
    expected = START - timedelta(hours=2) if moved else claimed
    timestamp, kinds = corrected(raw)
    assert (timestamp, raw["start_timestamp"]) == (expected, show(expected))
    assert kinds == (["clock_drift"] if moved else [])


def test_a_time_that_is_wrong_beyond_its_senders_clock_becomes_now() -> None:
    raw = {"timestamp": show(START - timedelta(days=90)), "sent_at": show(START - timedelta(days=2))}
    assert corrected(raw) == (START, ["past_timestamp"])


def test_a_missing_time_is_the_receiving_time_whatever_the_senders_clock_says() -> None:
    assert corrected({}) == (START, [])
    raw = {"sent_at": show(START - timedelta(hours=2)), "start_timestamp": show(START - timedelta(hours=3))}
    assert corrected(raw) == (START, ["clock_drift"])
    assert raw["start_timestamp"] == show(START - timedelta(hours=1))


@pytest.mark.parametrize("wrong", ["yesterday", True, [], 1e300])
def test_an_unreadable_time_is_noted_and_replaced(wrong: object) -> None:
    raw = {"timestamp": wrong, "start_timestamp": wrong, "breadcrumbs": [{"timestamp": wrong}]}
    assert corrected(raw) == (START, ["invalid_data"] * 3)
    assert ("start_timestamp" in raw, raw["breadcrumbs"]) == (False, [{}])


def test_a_time_that_would_leave_the_calendar_is_dropped() -> None:
    raw = {"timestamp": show(START - timedelta(days=900)), "start_timestamp": "9999-01-01T00:00:00Z"}
    assert corrected(raw)[1] == ["past_timestamp", "invalid_data"]
    assert "start_timestamp" not in raw


def test_our_own_time_is_taken_as_it_is() -> None:
    raw = {"timestamp": "2001-01-01T00:00:00Z", "sent_at": "2020-01-01T00:00:00Z"}
    assert corrected(raw, trusted=True) == (datetime(2001, 1, 1, tzinfo=UTC), [])
