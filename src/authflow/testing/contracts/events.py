"""What event saving must keep: one event per key, the latest ingested wins, and refusals leave nothing behind."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import pytest

from authflow.errors import Code, EventKindUnsupported, NormalizedTwice, StaleVersion, UnknownProject
from authflow.events.adjacent import (
    Release,
)
from authflow.events.save import Created, Identical, Kept, Replaced
from authflow.testing.clocks import START, ManualClock
from authflow.testing.contracts.event_rows import (
    ACME,
    API,
    MIDNIGHT,
    ONE,
    VAULT,
    WEB,
    Desk,
    EventRowsContract,
    event,
    together,
)
from authflow.values import EventId, ProjectId, Refused


class EventsContract(EventRowsContract):
    """Subclass this, supply the fixture ``uow`` with an empty installation, and pytest checks stores and laws."""

    # --- keys and duplicates ----------------------------------------------------------------------------------------

    def test_what_was_saved_is_read_back_by_id_by_day_and_as_the_latest(self, desk: Desk) -> None:
        """The same value everywhere, and to the microsecond; ids are found however they are written."""
        answer = desk.save(event(timestamp="2025-12-31T23:59:59.123456Z", release="1.0", dist="d", environment="e"))
        assert isinstance(answer, Created)
        events = desk.events()
        dashed = "00000000-0000-0000-0000-000000000001"
        assert events.get(WEB.id, ONE) == events.get(WEB.id, dashed.upper()) == answer.event
        assert events.of_day(WEB.id, "2025-12-31", ONE) == answer.event
        assert events.latest(WEB.id) == (answer.event,)
        assert (events.get(API.id, ONE), events.of_day(WEB.id, "2026-01-01", ONE), events.get(WEB.id, "x")) == (
            None,
        ) * 3

    def test_the_caller_learns_created_replaced_identical(self, desk: Desk) -> None:
        """And what reads back is the last ingested content, whatever its timestamp says (outbox 3.10)."""
        first = desk.save(event("a"))
        assert isinstance(first, Created)
        assert isinstance(desk.save(event("b", timestamp=(START - timedelta(0)).isoformat())), Replaced)
        again = desk.save(event("b"))
        assert isinstance(again, Replaced | Identical)
        last = desk.save(event("c"))
        assert isinstance(last, Replaced)
        assert desk.events().get(WEB.id, ONE) == last.event
        assert len(desk.events().latest(WEB.id)) == 1

    def test_the_same_event_sent_again_is_identical_and_tells_nobody(self, desk: Desk) -> None:
        """However much later, and without a timestamp of its own: the first copy stands (decision 42)."""
        given = event()
        del given["timestamp"]
        first = desk.save(given)
        told = desk.messages()
        desk.clock.advance(hours_left_today(desk.clock) / 2)
        again = desk.save(given)
        assert isinstance(first, Created)
        assert isinstance(again, Identical)
        assert (again.event.data, desk.messages()) == (first.event.data, told)

    def test_one_second_over_midnight_is_another_key(self, desk: Desk) -> None:
        """Two days, two events, each with its own content; the id alone finds the latest ingested."""
        late = desk.save(event("late", timestamp=MIDNIGHT.isoformat()))
        early = desk.save(event("early", timestamp=(MIDNIGHT - timedelta(seconds=1)).isoformat()))
        assert isinstance(late, Created)
        assert isinstance(early, Created)
        events = desk.events()
        assert events.of_day(WEB.id, "2026-01-01", ONE) == late.event
        assert events.of_day(WEB.id, "2025-12-31", ONE) == events.get(WEB.id, ONE) == early.event

    def test_the_latest_are_in_the_order_of_ingestion(self, desk: Desk) -> None:
        """A replaced event is new again; another project's are not among them."""
        keys = [EventId(f"{n:032x}") for n in range(1, 5)]
        for key in (*keys, keys[0]):
            desk.save(event(f"{key} {desk.messages()}", key=key))
        desk.save(event(), API)
        order = [kept.columns.id for kept in desk.events().latest(WEB.id)]
        assert order == [keys[0], keys[3], keys[2], keys[1]]
        assert [kept.columns.id for kept in desk.events().latest(WEB.id, limit=2)] == order[:2]

    def test_sixteen_different_copies_at_once_leave_the_one_with_the_highest_sequence(self, desk: Desk) -> None:
        """One created it, all others replaced another; the survivor is the last that was ingested."""
        answers = together(desk, [event(f"copy {n}") for n in range(16)])
        assert [type(answer) for answer in answers].count(Created) == 1
        assert [type(answer) for answer in answers].count(Replaced) == 15
        kept = [answer.event for answer in answers if isinstance(answer, Created | Replaced)]
        survivor = max(kept, key=lambda saved: saved.sequence)
        assert desk.events().get(WEB.id, ONE) == survivor
        assert len({saved.sequence for saved in kept}) == 16

    def test_sixteen_identical_copies_at_once_are_saved_and_told_once(self, desk: Desk) -> None:
        """One created, fifteen identical, one message."""
        answers = together(desk, [event("same", release="1.0", environment="prod")] * 16)
        assert sorted(type(answer).__name__ for answer in answers) == ["Created"] + ["Identical"] * 15
        assert desk.messages() == 1

    def test_an_event_is_kept_only_over_the_version_that_was_loaded(self, desk: Desk) -> None:
        """A lost compare-and-set changes nothing (outbox 3.10)."""
        saved = desk.save(event("a"))
        assert isinstance(saved, Created)
        for expected in (2, 9):
            with pytest.raises(StaleVersion), desk.uow.begin() as tx:
                tx.events.save(Kept(event=attrs.evolve(saved.event, content="other")), expected=expected)
        assert desk.events().get(WEB.id, ONE) == saved.event

    # --- refusals ---------------------------------------------------------------------------------------------------

    def test_an_unknown_project_leaves_nothing_behind(self, desk: Desk) -> None:
        """An exception, and not one row (outbox 3.16)."""
        nowhere = attrs.evolve(WEB, id=ProjectId("nowhere"))
        with pytest.raises(UnknownProject):
            desk.save(event(release="1.0"), nowhere)
        with pytest.raises(UnknownProject):
            desk.security_events().save(nowhere.id, event())
        assert (desk.messages(), desk.events().latest(nowhere.id)) == (0, ())
        assert desk.seen(Release(organization=ACME, version="1.0")) is None

    @pytest.mark.parametrize("given", [{"type": "transaction"}, {}, {"exception": {"values": [1]}}])
    def test_errors_and_transactions_are_not_saved_yet(self, desk: Desk, given: dict[str, object]) -> None:
        """Nothing is written for a type that has no pipeline here."""
        with pytest.raises(EventKindUnsupported):
            desk.save(given)
        assert (desk.messages(), desk.events().latest(WEB.id)) == (0, ())

    def test_a_security_project_takes_nothing_from_outside_and_never_replaces(self, desk: Desk) -> None:
        """Its events come from the outbox's handler only, with the time that they were given (decision 38)."""
        assert desk.save(event(), VAULT) == Refused(code=Code.EVENT_PROJECT_CLOSED)
        long_ago = (START - timedelta(days=365)).isoformat()
        save = desk.security_events().save
        first = save(VAULT.id, event("told", timestamp=long_ago))
        assert isinstance(first, Created)
        desk.clock.advance(timedelta(days=40))
        assert save(VAULT.id, event("told", timestamp=long_ago)) == Identical(event=first.event)
        assert save(VAULT.id, event("forged", timestamp=long_ago)) == Refused(code=Code.EVENT_INSERT_ONLY)
        assert desk.events().of_day(VAULT.id, "2025-01-01", ONE) == first.event
        assert desk.messages() == 1

    def test_a_draft_is_normalized_once_and_for_one_project(self, desk: Desk) -> None:
        """Normalizing twice or for another project is refused; a normalized draft is saved as it is (decision 41)."""
        events = desk.events()
        ready = events.normalize(event("x"), WEB.id)
        for again in (lambda: events.normalize(ready, WEB.id), lambda: events.save(API.id, ready)):
            with pytest.raises(NormalizedTwice):
                again()
        with pytest.raises(NormalizedTwice):
            events.save(API.id, events.draft(event(), WEB.id), assume_normalized=True)
        assert isinstance(events.save(WEB.id, ready), Created)
        assert isinstance(events.save(WEB.id, event("x")), Identical)


def hours_left_today(clock: ManualClock) -> timedelta:
    """Return how long it is to the next midnight in UTC."""
    now = clock.now()
    return datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), now.tzinfo) - now
