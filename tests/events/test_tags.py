"""Tags: pairs or a map, the first of a key wins, and a half that is not legal is null (outbox 3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.events import tags
from authflow.events.document import Notes
from authflow.events.draft import EventDraft
from authflow.events.extract import extract, with_derived
from authflow.events.normalize import Receipt
from authflow.policy import EventPolicy
from authflow.testing.clocks import START
from authflow.values import EventId, ProjectId


def normalize(given: Any) -> tuple[list[Any], list[str]]:
    notes = Notes()
    return tags.normalize(given, notes), [note["name"] for note in notes.entries]


def event(**raw: Any) -> dict[str, Any]:
    receipt = Receipt(received=START, fresh_id=EventId("f" * 32))
    return EventDraft.of(raw, policy=EventPolicy()).normalize(ProjectId("p"), receipt, EventPolicy()).data


def derived(**raw: Any) -> list[Any]:
    ready = event(**raw)
    return with_derived(ready, extract(ready))["tags"]


def test_pairs_and_maps_mean_the_same() -> None:
    assert normalize({"a": "1", "b": "2"}) == normalize([["a", "1"], ["b", "2"]]) == ([["a", "1"], ["b", "2"]], [])


def test_the_first_of_a_key_wins() -> None:
    assert normalize([["a", "1"], ["b", "2"], ["a", "3"]])[0] == [["a", "1"], ["b", "2"]]


@pytest.mark.parametrize("key", ["release", "dist", "user", "filename", "function"])
def test_reserved_keys_are_removed(key: str) -> None:
    assert normalize([[key, "x"], ["a", "1"]])[0] == [["a", "1"]]


@pytest.mark.parametrize("item", [None, "a", 1, [], ["a"], ["a", "b", "c"], {"key": "a"}])
def test_what_is_no_pair_is_a_null_entry(item: Any) -> None:
    assert normalize([item, ["a", "1"]]) == ([None, ["a", "1"]], ["tags"])


@pytest.mark.parametrize("given", ["a", 1, True])
def test_what_is_neither_list_nor_map_is_no_tags(given: Any) -> None:
    assert normalize(given) == ([], ["tags"])


@pytest.mark.parametrize("key", ["", "x" * 33, "a b", "\u00e4", "a\n", None, [], "a/b"])
def test_a_key_that_is_not_legal_is_null(key: Any) -> None:
    assert normalize([[key, "1"]]) == ([[None, "1"]], ["tag key"])


@pytest.mark.parametrize("value", ["", "x" * 201, "a\nb", "a\r", None, [], {}])
def test_a_value_that_is_not_legal_is_null_and_never_cut(value: Any) -> None:
    assert normalize([["a", value]]) == ([["a", None]], ["tag value"])


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (1.5, "1.5"), (True, "true"), (False, "false"), ("\u00e4" * 200, "\u00e4" * 200)]
)
def test_numbers_and_truths_are_text_and_lengths_are_code_points(value: Any, text: str) -> None:
    assert normalize([["k" * 32, value]]) == ([["k" * 32, text]], [])


def test_an_environment_among_the_tags_is_promoted_and_removed() -> None:
    promoted = event(tags={"environment": "prod", "a": "1"})
    assert (promoted["environment"], promoted["tags"]) == ("prod", [["a", "1"]])
    stays = event(tags={"environment": "prod"}, environment="stage")
    assert (stays["environment"], "tags" in stays) == ("stage", False)


def test_server_and_site_move_into_the_tags_unless_the_tags_say_them() -> None:
    assert event(server_name="h1", site="s")["tags"] == [["server_name", "h1"], ["site", "s"]]
    assert event(server_name="h1", tags={"server_name": "h2"})["tags"] == [["server_name", "h2"]]


@pytest.mark.parametrize(("length", "kept"), [(256, 256), (276, 276), (277, 256)])
def test_a_server_name_may_be_a_little_too_long(length: int, kept: int) -> None:
    assert len(event(server_name="\u00e4" * length)["tags"][0][1]) == kept


def test_we_set_our_own_tags_last_and_over_a_clients() -> None:
    found = derived(
        tags={"level": "forged", "a": "1", "authflow:user": "forged"},
        logger="app",
        transaction="/x",
        release="1.0",
        dist="d",
        environment="prod",
        user={"id": 7, "email": "ann@example.org"},
    )
    assert found == [
        ["a", "1"],
        ["level", "error"],
        ["logger", "app"],
        ["environment", "prod"],
        ["transaction", "/x"],
        ["authflow:release", "1.0"],
        ["authflow:dist", "d"],
        ["authflow:user", "id:7"],
    ]


def test_a_client_may_not_pretend_to_be_us() -> None:
    assert derived(tags={"authflow:user": "forged", "authflow:release": "forged"}) == [["level", "error"]]


def test_what_we_set_is_cut_to_a_tags_length() -> None:
    (user,) = [pair for pair in derived(user={"id": "\u00e4" * 300}) if pair[0] == "authflow:user"]
    assert len(user[1]) == 200


def test_a_dist_without_a_release_is_ignored() -> None:
    assert ["authflow:dist", "d"] not in derived(dist="d")
    assert ["authflow:dist", "d"] in derived(dist="d", release="1.0")
