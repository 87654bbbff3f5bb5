"""What saving reads off an event that somebody says is normalized: it does not take their word for a column."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.errors import EventInvalid
from authflow.events.extract import extract

LEGAL: dict[str, Any] = {
    "event_id": "1" * 32,
    "type": "generic",
    "timestamp": "2026-01-01T23:59:59Z",
    "received": "2026-01-02T00:00:00Z",
}


def test_the_day_is_the_utc_day_of_the_event() -> None:
    assert extract(LEGAL).day == "2026-01-01"
    assert extract({**LEGAL, "timestamp": "2026-01-01T23:59:59-01:00"}).day == "2026-01-02"


def test_missing_names_are_none_and_the_nameless_environment() -> None:
    found = extract({**LEGAL, "dist": "d"})
    assert (found.release, found.dist, found.environment, found.platform) == (None, None, "", "other")


@pytest.mark.parametrize("field", ["event_id", "timestamp", "received"])
@pytest.mark.parametrize("value", [None, "x", []])
def test_an_event_without_its_key_was_not_normalized(field: str, value: Any) -> None:
    with pytest.raises(EventInvalid):
        extract({**LEGAL, field: value})


@pytest.mark.parametrize(("field", "most"), [("release", 200), ("environment", 64), ("platform", 64), ("type", 64)])
def test_a_name_that_no_column_holds_was_not_normalized(field: str, most: int) -> None:
    extract({**LEGAL, field: "x" * most})
    for value in ("x" * (most + 1), 5):
        with pytest.raises(EventInvalid):
            extract({**LEGAL, field: value})
