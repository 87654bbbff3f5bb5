"""The machine of a save: every edge taken; whatever the order, the highest sequence survives."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.errors import Code
from authflow.events.save import (
    MACHINE,
    Absent,
    Created,
    Delivery,
    Identical,
    Kept,
    Replaced,
    Superseded,
)
from authflow.testing import assert_complete
from authflow.testing.clocks import START
from authflow.testing.samples.save import ALPHABET, COLUMNS, event, save
from authflow.values import OrganizationId, Refused

if TYPE_CHECKING:
    from authflow.events.save import Saving


def test_every_declared_edge_is_taken_and_no_other() -> None:
    walk = ALPHABET.walk()
    assert_complete(MACHINE, walk)
    assert walk.answers() == {Created, Replaced, Identical, Superseded, Refused}


def test_only_what_was_written_is_told() -> None:
    """An identical, refused or superseded save announces nothing, and keeps content and columns (decision 42)."""
    for step in ALPHABET.walk().steps:
        wrote = isinstance(step.answer, Created | Replaced)
        assert wrote == (len(step.facts) == 1)
        if not wrote:
            assert isinstance(step.state, Kept)
            assert isinstance(step.target, Kept)
            assert attrs.evolve(step.target.event, sequence=0) == attrs.evolve(step.state.event, sequence=0)


def test_the_caller_learns_what_happened() -> None:
    kept = Kept(event=event(2, "a"))
    assert MACHINE.step(Absent(), save(1), START).answer == Created(event=event(1))
    assert MACHINE.step(kept, save(3, "b"), START).answer == Replaced(event=event(3, "b"))
    assert MACHINE.step(kept, save(1, "a"), START).answer == Identical(event=kept.event)
    assert MACHINE.step(kept, save(3, "a"), START).answer == Identical(event=event(3, "a"))
    assert MACHINE.step(kept, save(1, "b"), START).answer == Superseded(event=kept.event)


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_a_project_that_only_inserts_never_replaces(sequence: int) -> None:
    kept = Kept(event=event(2, "a"))
    other = MACHINE.step(kept, save(sequence, "b", insert_only=True), START)
    assert (other.state, other.answer, other.facts) == (kept, Refused(code=Code.EVENT_INSERT_ONLY), ())
    again = MACHINE.step(kept, save(sequence, "a", insert_only=True), START)
    assert again.answer == Identical(event=kept.event)


@given(st.permutations(range(1, 6)), st.lists(st.sampled_from("abc"), min_size=5, max_size=5))
def test_in_any_order_the_highest_sequence_survives(order: list[int], contents: list[str]) -> None:
    state: Saving = Absent()
    for sequence in order:
        state = MACHINE.step(state, save(sequence, contents[sequence - 1]), START).state
    assert state == Kept(event=event(5, contents[4]))


def test_in_every_order_of_different_contents_the_last_ingested_stands() -> None:
    for order in permutations((1, 2, 3, 4)):
        state: Saving = Absent()
        for sequence in order:
            state = MACHINE.step(state, save(sequence, f"content {sequence}"), START).state
        assert state == Kept(event=event(4, "content 4"))


def test_the_announcement_names_the_key_and_what_the_stream_needs() -> None:
    (fact,) = MACHINE.step(Absent(), save(7), START).facts
    told = attrs.asdict(fact)
    assert (told["key"], told["day"], told["outcome"]) == (f"2026-01-01.{COLUMNS.id}", "2026-01-01", "created")
    assert (told["sequence"], told["organization"], told["timestamp"]) == (7, "o1", START.isoformat())


def test_the_stream_is_told_what_the_sender_said_and_otherwise_nothing() -> None:
    """An event is consumed in full, may be the first transaction, and has no attachments, unless somebody says so."""
    plain = Delivery(organization=OrganizationId("o1"))
    assert not any((plain.skip_consume, plain.skip_first_transaction, plain.has_attachments))


def test_the_content_of_an_event_is_not_printed() -> None:
    assert "printed" not in repr(attrs.evolve(event(), data={"of": "printed"}))
