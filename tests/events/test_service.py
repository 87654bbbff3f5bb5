"""Event saving on every database keeps its contract."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest
from hypothesis import given

from authflow.adapters.memory.events import MemoryEvents, MemorySightings
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import EventInvalid, InputInvalid, StaleVersion
from authflow.events.adjacent import Environment, Place, Release, Sighting
from authflow.events.save import Created, Kept
from authflow.facts.mfa import RecoveryCodesAdded
from authflow.facts.records import Category, Message
from authflow.outbox.security import SecurityEventHandler
from authflow.recording import Recorder
from authflow.testing import SeededEntropy
from authflow.testing.clocks import START
from authflow.testing.contracts.event_rows import ACME, VAULT, WEB, Desk, event
from authflow.testing.contracts.events import EventsContract
from authflow.testing.contracts.outbox import Killed
from authflow.testing.contracts.outbox_stores import Post
from authflow.values import Asker, AuthenticatorId, Context, SessionId, UserId
from tests.events.test_normalize import EVENTS

if TYPE_CHECKING:
    from collections.abc import Generator

    from authflow.outbox.delivery import Result


def made() -> Desk:
    """Event saving in memory, with a project and a security project."""
    uow = MemoryUnitOfWork()
    with uow.begin() as tx:
        tx.projects.add(WEB)
        tx.projects.add(VAULT)
    return Desk(uow)


class TestEvents(EventsContract):
    """In memory, on SQLite and on PostgreSQL."""


@pytest.mark.parametrize("wrong", [{"start_time": float("nan")}, {"start_time": 1e300}, {"cache_key": ""}])
def test_a_malformed_argument_is_refused_and_nothing_is_written(wrong: dict[str, Any]) -> None:
    desk = made()
    with pytest.raises(InputInvalid):
        desk.save(event(), **wrong)
    assert desk.messages() == 0


@pytest.mark.parametrize("key", ["k" * 256, "\u00e4", "a\nb"])
def test_a_cache_key_fits_into_the_message(key: str) -> None:
    with pytest.raises(InputInvalid):
        made().save(event(), cache_key=key)


def test_an_event_that_is_said_to_be_normalized_is_taken_as_it_is() -> None:
    """Only what becomes a column is checked (decision 41)."""
    desk = made()
    given = {**event("x", colour="red"), "received": START.isoformat()}
    saved = desk.save(given, assume_normalized=True)
    assert isinstance(saved, Created)
    assert saved.event.data["colour"] == "red"
    with pytest.raises(EventInvalid):
        desk.save({"type": "generic"}, assume_normalized=True)


def test_whoever_loses_the_race_for_a_row_reads_the_winners() -> None:
    """A row that another transaction made between our looking and our adding."""
    desk = made()
    place = Environment(organization=ACME, environment="prod")

    class Blind(MemorySightings):
        """Does not see a row the first time it is asked for it."""

        asked: ClassVar[set[Place]] = set()

        def get(self, place: Place) -> Sighting | None:
            known = super().get(place) if place in self.asked else None
            self.asked.add(place)
            return known

    class BlindUnitOfWork(MemoryUnitOfWork):
        @contextmanager
        def begin(self) -> Generator[Any]:
            with super().begin() as tx:
                tx.sightings = Blind(self.store)
                yield tx

    with desk.uow.begin() as tx:
        tx.sightings.add(place, START)
    late = Desk(BlindUnitOfWork(desk.uow.store), desk.clock)
    assert isinstance(late.save(event(environment="prod")), Created)
    assert place in Blind.asked
    assert desk.seen(place) == Sighting(first_seen=START, last_seen=START)


def test_a_save_that_never_comes_through_is_an_error_and_leaves_nothing() -> None:
    class Contested(MemoryEvents):
        def save(self, state: Kept, *, expected: int) -> None:  # noqa: ARG002  # the port's
            raise StaleVersion

    class ContestedUnitOfWork(MemoryUnitOfWork):
        @contextmanager
        def begin(self) -> Generator[Any]:
            with super().begin() as tx:
                tx.events = Contested(self.store)
                yield tx

    desk = Desk(ContestedUnitOfWork(made().uow.store))
    with pytest.raises(StaleVersion):
        desk.save(event(release="1.0"))
    assert (desk.messages(), desk.seen(Release(organization=ACME, version="1.0"))) == (0, None)


def test_what_a_flow_did_is_saved_once_however_often_it_is_delivered() -> None:
    """Fact to message to saved event, and the same again after a crash (decisions 38, 42)."""
    desk = made()
    recorder = Recorder(cipher=cast("Any", None), entropy=SeededEntropy(), security_project=VAULT.id)
    fact = RecoveryCodesAdded(user=UserId("ann"), authenticator=AuthenticatorId("a1"), count=10)
    asker = Asker(user=UserId("ann"), session=SessionId("s"))
    with desk.uow.begin() as tx:
        recorder.record(tx, [fact], asker=asker, context=Context(ip="192.0.2.7"), now=START)
    handler, told = SecurityEventHandler(save=desk.security_events().save), list[Message]()

    def dying(message: Message) -> Result:
        told.append(message)
        handler(message)
        raise Killed

    post = Post(desk.uow, desk.clock)
    with pytest.raises(Killed):
        post.relay(dying).drain()
    desk.clock.advance(timedelta(days=40))
    assert post.relay(handler, [Category.SECURITY_EVENT]).drain().delivered == 1
    (saved,) = desk.events().latest(VAULT.id)
    assert (saved.columns.timestamp, saved.data["extra"]) == (START, {"count": 10, "target": "a1"})
    assert (saved.data["user"], saved.data["logentry"]) == ({"id": "ann"}, {"formatted": "recovery_codes_added"})
    assert "192.0.2.7" not in json.dumps(saved.data)


@given(EVENTS)
def test_any_generic_event_is_saved_and_read_back(raw: dict[str, Any]) -> None:
    """The message about it fits its limit, and what is read is what was saved."""
    desk = made()
    saved = desk.save({**raw, "type": "generic"})
    assert isinstance(saved, Created)
    assert desk.events().get(WEB.id, saved.event.columns.id) == saved.event
    assert desk.messages() == 1
