"""Normalization: never refuses a JSON object, always gives legal JSON within the limits, and says what it changed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authflow.errors import EventInvalid, EventTooLarge, NormalizedTwice
from authflow.events.document import size
from authflow.events.draft import EventDraft
from authflow.events.extract import extract, with_derived
from authflow.events.limits import ALLOWANCE, DOCUMENT_DEPTH, LIMITS, TABLE, Unit
from authflow.events.normalize import READ, SECTIONS, Receipt, event_id, kind_of
from authflow.policy import EventPolicy
from authflow.testing.clocks import START
from authflow.values import EventId, ProjectId

POLICY = EventPolicy()
WEB = ProjectId("web")
FRESH = EventId("f" * 32)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**2000), 2**2000)
    | st.floats()
    | st.text(st.characters(), max_size=30)
    | st.sampled_from(
        ["", "\x00", "\ud800", "{{auto}}", "1970-01-01", "9999-12-31T23:59:60Z", "x" * 300, "\u00e4" * 300]
    )
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=5) | st.dictionaries(st.text(max_size=9), v, max_size=5), max_leaves=30
)
EVENTS = st.dictionaries(st.sampled_from(sorted(READ)) | st.text(max_size=9), VALUES, max_size=12)


def receipt(**known: Any) -> Receipt:
    return Receipt(**{"received": START, "fresh_id": FRESH, **known})


def normalized(raw: object, **known: Any) -> dict[str, Any]:
    return EventDraft.of(raw, policy=POLICY).normalize(WEB, receipt(**known), POLICY).data


def kinds(event: dict[str, Any]) -> list[tuple[str, str]]:
    return [(note["type"], note["name"]) for note in event.get("errors", [])]


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


# --- laws -----------------------------------------------------------------------------------------------------------


@given(EVENTS)
@example({"timestamp": float("nan"), "tags": {"\ud800": "\x00"}, "extra": {"deep": [[[[[[[[[[1]]]]]]]]]]}})
def test_any_json_object_becomes_a_legal_event(raw: dict[str, Any]) -> None:
    """Never raises; the result is JSON that any database holds, and no field is above its limit."""
    event = normalized(raw)
    text = json.dumps(event, allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    assert "\\u0000" not in text
    assert json.loads(text) == event
    assert all(value not in (None, {}, []) for value in event.values())
    within_limits(event)
    found = extract(event)
    assert (found.received, found.kind) == (START, event["type"])
    assert with_derived(event, found)["event_id"] == found.id


def within_limits(event: dict[str, Any]) -> None:
    """Assert every row of the table."""
    for field in ("release", "environment", "dist", "transaction", "culprit", "logger", "platform", "version"):
        assert len(event.get(field, "")) <= LIMITS[field].size
    assert len(event.get("checksum", "")) <= LIMITS["checksum"].size
    for field in SECTIONS:
        assert size(event.get(field, {})) <= LIMITS[field].size + len('{"ip_address":""},') + 45
        assert depth(event.get(field, {})) <= (LIMITS[field].depth or 0)
    for text in event.get("logentry", {}).values():
        assert not isinstance(text, str) or len(text) <= LIMITS["message"].size
    for key, value in filter(None, event.get("tags", [])):
        assert key is None or 0 < len(key) <= LIMITS["tag key"].size
        longest = LIMITS["site"].size + ALLOWANCE if key in {"server_name", "site"} else LIMITS["tag value"].size
        assert value is None or 0 < len(value) <= longest
    assert len(event.get("errors", [])) <= LIMITS["errors"].size
    assert len(event["fingerprint"]) <= LIMITS["fingerprint"].size


@given(EVENTS)
def test_the_same_event_normalizes_the_same_way_and_is_not_changed_itself(raw: dict[str, Any]) -> None:
    draft = EventDraft.of(raw, policy=POLICY)
    before = json.dumps(draft.data)
    once, twice = (draft.normalize(WEB, receipt(), POLICY) for _ in range(2))
    assert (once, json.dumps(draft.data)) == (twice, before)


@given(EVENTS)
def test_normalizing_twice_is_refused(raw: dict[str, Any]) -> None:
    done = EventDraft.of(raw, policy=POLICY).normalize(WEB, receipt(), POLICY)
    with pytest.raises(NormalizedTwice):
        done.normalize(WEB, receipt(), POLICY)
    assert done.ready(WEB, receipt(), POLICY, assume_normalized=False) is done
    with pytest.raises(NormalizedTwice):
        done.ready(ProjectId("api"), receipt(), POLICY, assume_normalized=True)


@given(EVENTS)
def test_normalizing_a_normalized_event_as_a_new_one_changes_no_column(raw: dict[str, Any]) -> None:
    """What was legal once is legal again: only annotations and derived moments may differ."""
    once = normalized(raw)
    first, second = extract(once), extract(normalized({**once, "type": once["type"]}))
    assert (first.id, first.timestamp, first.release, first.environment, first.dist) == (
        second.id,
        second.timestamp,
        second.release,
        second.environment,
        second.dist,
    )


def test_every_limit_is_one_row_and_has_a_source() -> None:
    assert len(LIMITS) == len(TABLE)
    assert all(limit.source and limit.size > 0 for limit in TABLE)
    assert set(SECTIONS) <= {limit.field for limit in TABLE if limit.unit is Unit.BYTES}


# --- what is no event -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, 1, "", "{", "[]", b"\xff{", [], "null", {1: 2}, {"a": object()}, {"a": b"x"}])
def test_what_is_no_json_object_is_refused(given: object) -> None:
    with pytest.raises(EventInvalid):
        EventDraft.of(given, policy=POLICY)


def test_text_and_bytes_are_read_as_the_object_they_hold() -> None:
    given = {"message": "\u00e4", "extra": {"n": [1, 2.5, None, True]}}
    drafts = [EventDraft.of(form, policy=POLICY) for form in (given, json.dumps(given), json.dumps(given).encode())]
    assert drafts[0] == drafts[1] == drafts[2]


def test_deep_json_is_cut_and_never_exhausts_the_stack() -> None:
    """As an object, and as text that a parser gives up on."""
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    assert ("too_deep", "extra") in kinds(normalized({"extra": {"a": deep}}))
    try:
        event = normalized('{"extra":{"a":' + "[" * 100_000 + "]" * 100_000 + "}}")
    except EventInvalid:
        return  # this interpreter's parser has a limit of its own
    assert depth(event) <= DOCUMENT_DEPTH


def compact(event: dict[str, Any]) -> str:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("form", [dict, compact, lambda event: compact(event).encode()])
def test_an_event_above_the_size_is_refused_and_one_at_the_size_is_not(form: Any) -> None:
    policy = EventPolicy(max_bytes=1000)
    frame = len('{"message":""}')
    EventDraft.of(form({"message": "x" * (1000 - frame)}), policy=policy)
    for over in ("x" * (1001 - frame), "\u00e4" * 600):
        with pytest.raises(EventTooLarge):
            EventDraft.of(form({"message": over}), policy=policy)


def test_text_is_measured_before_it_is_parsed() -> None:
    with pytest.raises(EventTooLarge):
        EventDraft.of(" " * 1000 + "{", policy=EventPolicy(max_bytes=1000))


def test_a_hundred_thousand_tags_are_cut_and_noted_once() -> None:
    event = normalized({"tags": [[f"k{n}", "v"] for n in range(50_000)]})
    assert len(event["tags"]) == LIMITS["tags"].size
    assert kinds(event) == [("too_many", "tags")]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\ud83d", "\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        (float("inf"), None),
        (2**64 - 1, 2**64 - 1),
        (2**64, str(2**64)),
        (2**1024, None),
    ],
)
def test_what_no_database_holds_is_replaced_and_noted(given: Any, kept: Any) -> None:
    event = normalized({"extra": {"a": given}})
    assert event["extra"] == {"a": kept}
    assert (("unstorable", "extra") in kinds(event)) == (kept != given)


def test_a_surrogate_pair_in_json_text_is_one_character() -> None:
    assert normalized(r'{"extra":{"a":"\ud83d\ude00"}}')["extra"] == {"a": "\U0001f600"}


# --- fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
        ("0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcdef"),
        ("01234567-89ab-cdef-0123-456789ABCDEF", "0123456789abcdef0123456789abcdef"),
        ("0" * 32, None),
        ("00000000-0000-0000-0000-000000000000", None),
        ("0123456-789ab-cdef-0123-456789abcdef", None),
        ("{01234567-89ab-cdef-0123-456789abcdef}", None),
        ("0123456789abcdef0123456789abcdeg", None),
        ("\uff10" * 32, None),
        ("1" * 31, None),
        (1, None),
        (None, None),
    ],
)
def test_an_id_is_32_lower_case_digits(given: object, found: str | None) -> None:
    assert event_id(given) == found
    event = normalized({"event_id": given})
    assert event["event_id"] == found or (found is None and event["event_id"] == FRESH)


def test_an_invalid_id_is_noted_with_the_original_and_a_missing_or_nil_one_is_not() -> None:
    event = normalized({"event_id": "nonsense"})
    assert event["errors"] == [{"type": "invalid_data", "name": "event_id", "value": "nonsense"}]
    for missing in ({}, {"event_id": None}, {"event_id": "0" * 32}):
        assert "errors" not in normalized(missing)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ({}, "default"),
        ({"type": "transaction"}, "transaction"),
        ({"type": "generic"}, "generic"),
        ({"type": "error"}, "default"),
        ({"type": "error", "exception": {"values": [1]}}, "error"),
        ({"type": ["generic"]}, "default"),
        ({"csp": {"a": 1}}, "csp"),
        ({"exception": {}}, "default"),
    ],
)
def test_a_type_is_declared_or_inferred(raw: dict[str, Any], kind: str) -> None:
    assert kind_of(raw) == normalized(raw)["type"] == kind


@pytest.mark.parametrize(
    ("raw", "level"),
    [
        ({}, "error"),
        ({"type": "transaction"}, "info"),
        ({"level": "WARNING"}, "warning"),
        ({"level": "loud"}, "error"),
        ({"level": 40}, "error"),
        ({"level": ["info"]}, "error"),
    ],
)
def test_a_level_is_a_known_word(raw: dict[str, Any], level: str) -> None:
    event = normalized(raw)
    assert event["level"] == level
    wrong = "level" in raw and level == "error"
    assert (("invalid_data", "level") in kinds(event)) == wrong


@pytest.mark.parametrize(
    ("raw", "entry"),
    [
        ({"message": "hi"}, {"formatted": "hi"}),
        ({"message": 7}, {"formatted": "7"}),
        ({"message": ["a", 1]}, {"formatted": "a 1"}),
        ({"message": "no", "logentry": {"message": "%s", "params": ["x"]}}, {"message": "%s", "params": ["x"]}),
        ({"logentry": "text"}, {"formatted": "text"}),
        ({"message": "x" * 8192}, {"formatted": "x" * 8192}),
        ({"message": "\u00e4" * 8193}, {"formatted": "\u00e4" * 8189 + "..."}),
        ({"message": ""}, None),
        ({"message": {"a": 1}}, None),
    ],
)
def test_a_message_becomes_the_log_entry_unless_there_is_one(raw: dict[str, Any], entry: object) -> None:
    assert normalized(raw).get("logentry") == entry


def test_defaults_are_filled_in_and_empty_members_left_out() -> None:
    assert normalized({"event_id": "1" * 32, "extra": {}, "tags": [], "user": None, "request": {}}) == {
        "event_id": "1" * 32,
        "type": "default",
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "received": "2026-01-01T00:00:00.000000Z",
        "level": "error",
        "platform": "other",
        "version": "5",
        "fingerprint": ["{{ default }}"],
    }


def test_unknown_members_are_dropped_and_noted() -> None:
    event = normalized({"colour": "red", "errors": [{"type": "forged"}]})
    assert ("colour" in event, kinds(event)) == (False, [("unknown_attribute", "colour")])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["a", 1, "b"], ["a", "1", "b"]),
        ([], ["{{ default }}"]),
        ("a", ["{{ default }}"]),
        ([None, {}], ["{{ default }}"]),
        (["x" * 201], ["x" * 197 + "..."]),
        (list("ab") * 20, list("ab") * 16),
    ],
)
def test_a_fingerprint_is_a_short_list_of_texts(given: Any, kept: list[str]) -> None:
    assert normalized({"fingerprint": given})["fingerprint"] == kept


@pytest.mark.parametrize(
    ("given", "kept"), [(0, 0), (2**31 - 2, 2**31 - 2), (2**31 - 1, None), (-1, None), (True, None), ("1", None)]
)
def test_time_spent_is_a_small_whole_number(given: Any, kept: int | None) -> None:
    assert normalized({"time_spent": given}).get("time_spent") == kept


@pytest.mark.parametrize("field", ["extra", "modules", "contexts", "request", "breadcrumbs", "spans", "sdk"])
def test_sections_are_cut_to_their_bytes_and_keep_what_comes_first(field: str) -> None:
    most = LIMITS[field].size
    wide = {f"k{n:06}": "\u20ac" * 9 for n in range(most // 30)}
    event = EventDraft.of({field: wide}, policy=EventPolicy(max_bytes=20_000_000)).normalize(WEB, receipt(), POLICY)
    kept = event.data[field]
    assert most - 200 < size(kept) <= most
    assert list(kept) == list(wide)[: len(kept)]


def test_one_huge_text_is_cut_to_the_bytes_that_are_left() -> None:
    event = normalized({"modules": {"a": "\u00e4" * 10_000, "b": 1}})
    assert 8100 < size(event["modules"]) <= 8192
    assert set(event["modules"]["a"]) == {"\u00e4"}


def test_what_is_too_deep_is_cut_and_what_is_not_stays() -> None:
    seven = {"1": {"2": {"3": {"4": {"5": {"6": {"7": 1}}}}}}}
    assert normalized({"extra": seven})["extra"] == seven
    eight = {"0": {"1": {"2": {"3": {"4": {"5": {"6": {"7": 1}}}}}}}}
    assert normalized({"extra": eight})["extra"] == {"0": {"1": {"2": {"3": {"4": {"5": {"6": "..."}}}}}}}


@pytest.mark.parametrize("field", SECTIONS)
def test_a_section_that_is_none_is_dropped_and_noted(field: str) -> None:
    event = normalized({field: "text"})
    assert (field in event, kinds(event)) == (False, [("invalid_data", field)])


# --- the same event again -------------------------------------------------------------------------------------------


@given(EVENTS, st.timedeltas(timedelta(), timedelta(days=400)))
def test_the_same_event_later_has_the_same_content(raw: dict[str, Any], later: timedelta) -> None:
    """Whatever had to be corrected, the content is that of what was given."""
    one, other = (EventDraft.of(raw, policy=POLICY) for _ in range(2))
    moments: list[datetime] = [START, START + later]
    first, second = (
        d.normalize(WEB, receipt(received=at), POLICY) for d, at in zip((one, other), moments, strict=True)
    )
    assert first.content == second.content


def test_any_difference_is_another_content() -> None:
    given: list[dict[str, Any]] = [
        {},
        {"a": 1},
        {"a": 2},
        {"a": "1"},
        {"a": [1]},
        {"a": None},
        {"b": 1},
        {"a": 1, "b": 1},
    ]
    assert len({EventDraft.of(one, policy=POLICY).content for one in given}) == len(given)
    assert (
        EventDraft.of({"a": 1, "b": 2}, policy=POLICY).content == EventDraft.of({"b": 2, "a": 1}, policy=POLICY).content
    )
