"""What a security message saves, and what becomes of it when that cannot be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authflow.errors import Code, EventTooLarge, UnknownProject
from authflow.facts.records import Category, Message, Scope
from authflow.outbox.delivery import Done, Park
from authflow.outbox.security import SecurityEventHandler, security_event
from authflow.testing.clocks import START
from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authflow.values import ProjectId

TOLD = Message(
    id="m1",
    scope=Scope.PROJECT,
    shard="p1",
    category=Category.SECURITY_EVENT,
    object="m1",
    payload={
        "event_id": "0" * 31 + "1",
        "timestamp": START.isoformat(),
        "event": "mfa_added",
        "user": "ann",
        "target": "a1",
        "data.kind": "totp",
    },
    at=START,
    due_at=START,
)


class Saver:
    """Saves nothing, and answers as it is told."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.saved: list[tuple[str, Mapping[str, object]]] = []

    def __call__(self, project: ProjectId, event: Mapping[str, object]) -> Answer:
        self.saved.append((project, event))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_event_has_the_id_and_time_that_the_command_fixed() -> None:
    saver = Saver(Answer())
    assert SecurityEventHandler(save=saver)(TOLD) == Done()
    assert saver.saved == [("p1", security_event(TOLD))]
    event = security_event(TOLD)
    assert (event["event_id"], event["timestamp"]) == ("0" * 31 + "1", START.isoformat())
    assert (event["message"], event["user"], event["extra"]) == (
        "mfa_added",
        {"id": "ann"},
        {"kind": "totp", "target": "a1"},
    )


def test_a_second_delivery_saves_the_same_event() -> None:
    assert security_event(TOLD) == security_event(TOLD)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (UnknownProject(), "unknown_project"),
        (EventTooLarge(), "event.too_large"),
        (Refused(code=Code.EVENT_INSERT_ONLY), "event.insert_only"),
    ],
)
def test_what_cannot_be_saved_is_parked_and_undoes_nothing(answer: Any, reason: str) -> None:
    assert SecurityEventHandler(save=Saver(answer))(TOLD) == Park(reason=reason)


def test_any_other_error_is_tried_again_by_the_relay() -> None:
    with pytest.raises(RuntimeError):
        SecurityEventHandler(save=Saver(RuntimeError()))(TOLD)
