"""The envelope: made of the message's scalars and the event it names, and of nothing else."""

from __future__ import annotations

import json

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.events.save import SavedEvent
from authflow.events.stream import Envelope, envelope
from authflow.facts.records import Category
from authflow.outbox.relay import Drained
from authflow.outbox.signals import Notice, Receivers, SignalHandler
from authflow.testing.contracts.event_rows import ONE, WEB, Desk, event
from authflow.testing.contracts.outbox_stores import Post
from authflow.values import ProjectId


def streamed(*saves: tuple[str, bool]) -> list[Envelope]:
    """Save an event some times, drain, and return what a stream received."""
    desk = Desk(MemoryUnitOfWork())
    with desk.uow.begin() as tx:
        tx.projects.add(WEB)
    for content, raw in saves:
        desk.save(event(content, culprit="app.py"), raw=raw)
    sent: list[Envelope] = []

    def publish(notice: Notice) -> None:
        found = desk.events().of_day(ProjectId(notice.subject), str(notice.args["day"]), str(notice.args["event"]))
        assert isinstance(found, SavedEvent)
        sent.append(envelope(notice.args, found))

    receivers, post = Receivers(), Post(desk.uow, desk.clock)
    receivers.add("stream", Category.EVENT_STORED, publish)
    assert post.relay(SignalHandler(uow=desk.uow, receivers=receivers)).drain() == Drained(delivered=1)
    return sent


def test_two_saves_of_one_event_are_streamed_once_with_what_stands() -> None:
    (sent,) = streamed(("first", False), ("second", True))
    assert sent.body["message"] == "second app.py"
    assert sent.state["skip_consume"] is True


def test_the_envelope_is_json_and_its_headers_repeat_the_routing_facts() -> None:
    (sent,) = streamed(("only", False))
    assert json.loads(json.dumps(sent.to_json()))[:2] == [2, "insert"]
    assert (sent.topic, sent.partition_key) == ("events.generic", None)
    assert sent.headers == {
        "received_timestamp": "2026-01-01T00:00:00.000000Z",
        "event_id": ONE,
        "project_id": "web",
        "is_new": "0",
        "is_regression": "0",
        "is_new_group_environment": "0",
        "skip_consume": "0",
        "group_states": "[]",
        "queue": "events.generic",
        "operation": "insert",
        "version": "2",
    }
    assert (sent.body["organization_id"], sent.body["project_id"], sent.body["platform"]) == ("acme", "web", "other")
    assert sent.body["data"]["logentry"] == {"formatted": "only"}
