"""The address of the person behind an event, and the value by which people are counted."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.events.document import Notes
from authflow.events.draft import EventDraft
from authflow.events.extract import extract, with_derived
from authflow.events.normalize import Receipt
from authflow.events.people import label, with_address
from authflow.policy import EventPolicy
from authflow.testing.clocks import START
from authflow.values import EventId, ProjectId

CLIENT = "192.0.2.9"


def address(user: dict[str, Any], request: Any = None, platform: str = "python", client: str | None = CLIENT) -> Any:
    """Return the address, and whether something was noted."""
    notes = Notes()
    found = with_address(user, request=request or {}, platform=platform, client_ip=client, notes=notes)
    return found.get("ip_address"), bool(notes.entries)


def remote(ip: object) -> dict[str, Any]:
    return {"env": {"REMOTE_ADDR": ip}}


@pytest.mark.parametrize(
    ("user", "request_", "platform", "client", "found"),
    [
        ({}, None, "python", CLIENT, (None, False)),
        ({}, None, "javascript", CLIENT, (CLIENT, False)),
        ({}, None, "cocoa", None, (None, False)),
        ({}, remote("192.0.2.1"), "javascript", CLIENT, ("192.0.2.1", False)),
        ({}, remote("nonsense"), "python", CLIENT, (None, False)),
        ({}, {"env": []}, "python", CLIENT, (None, False)),
        ({"ip_address": "{{auto}}"}, remote("192.0.2.1"), "python", CLIENT, (CLIENT, False)),
        ({"ip_address": "{{auto}}"}, None, "python", None, (None, False)),
        ({"ip_address": "2001:DB8::1"}, remote("192.0.2.1"), "javascript", CLIENT, ("2001:db8::1", False)),
        ({"ip_address": "999.1.1.1"}, remote("192.0.2.1"), "javascript", CLIENT, (None, True)),
        ({"ip_address": 3221225985}, None, "python", CLIENT, (None, True)),
    ],
)
def test_an_address_is_filled_in_and_never_overwritten(
    user: dict[str, Any], request_: Any, platform: str, client: str | None, found: Any
) -> None:
    assert address(user, request_, platform, client) == found


@pytest.mark.parametrize(
    ("user", "value"),
    [
        ({"id": 7, "email": "a@b"}, "id:7"),
        ({"id": "", "username": "ann"}, "username:ann"),
        ({"id": True, "email": "a@b"}, "email:a@b"),
        ({"ip_address": "192.0.2.1"}, "ip:192.0.2.1"),
        ({"id": [1]}, None),
        ({}, None),
    ],
)
def test_people_are_counted_by_their_strongest_name(user: dict[str, Any], value: str | None) -> None:
    assert label(user) == value


def test_a_place_is_copied_into_the_contexts_unless_they_have_one() -> None:
    def contexts(**raw: Any) -> Any:
        receipt = Receipt(received=START, fresh_id=EventId("f" * 32), client_ip=CLIENT)
        ready = EventDraft.of(raw, policy=EventPolicy()).normalize(ProjectId("p"), receipt, EventPolicy()).data
        return with_derived(ready, extract(ready)).get("contexts")

    geo = {"city": "Bern"}
    assert contexts(user={"geo": geo}) == {"geo": geo}
    assert contexts(user={"geo": geo}, contexts={"geo": {"city": "Ulm"}, "os": {"a": 1}}) == {
        "geo": {"city": "Ulm"},
        "os": {"a": 1},
    }
    assert contexts() is None
