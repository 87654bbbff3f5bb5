"""Saves of one event, and the alphabet of ``events.save``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from authflow.events.extract import Extract
from authflow.events.save import MACHINE, Absent, Delivery, Save, SavedEvent
from authflow.testing.clocks import START
from authflow.testing.samples.alphabet import Alphabet
from authflow.values import EventId, OrganizationId, ProjectId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.events.save import Saving

COLUMNS: Final = Extract(
    id=EventId("0" * 31 + "1"),
    kind="generic",
    timestamp=START,
    received=START,
    platform="other",
    release="1.0",
    dist=None,
    environment="",
)


def event(sequence: int = 1, content: str = "a") -> SavedEvent:
    """Return an event with *content*, ingested as the one of number *sequence*."""
    data = {"of": content}
    return SavedEvent(project=ProjectId("p1"), columns=COLUMNS, sequence=sequence, content=content, data=data)


def save(sequence: int = 1, content: str = "a", *, insert_only: bool = False) -> Save:
    """Return a save of it."""
    delivery = Delivery(organization=OrganizationId("o1"))
    return Save(event=event(sequence, content), insert_only=insert_only, delivery=delivery)


def commands(_state: Saving) -> Iterator[tuple[Save, datetime]]:
    """Yield saves in every order, of the same and of another content."""
    for sequence, content, insert_only in product((1, 2, 3), ("a", "b"), (False, True)):
        yield save(sequence, content, insert_only=insert_only), START


ALPHABET: Final = Alphabet(machine=MACHINE, start=(Absent(),), commands=commands)
