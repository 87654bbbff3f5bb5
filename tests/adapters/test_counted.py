from __future__ import annotations

from typing import Any

import pytest

from authflow.adapters.counted import Counted
from authflow.testing.contracts.deeds import Boom


class Tally:
    """What counts: every call that got through."""

    def __init__(self, *, sound: bool = True) -> None:
        self.calls: list[str] = []
        self.sound = sound

    def count(self, name: str) -> None:
        if not self.sound and self.calls:
            raise Boom
        self.calls.append(name)


def counted(*names: str) -> Counted:
    made = Counted()
    for name in names:
        made.add(lambda tx, name=name: tx.count(name))
    return made


def repeat(made: Counted, tally: Any, *, since: int = 0) -> list[str]:
    made.repeat(tally, since=since)
    return tally.calls


def test_counts_are_repeated_in_their_order_and_once():
    made = counted("a", "b", "a")
    assert repeat(made, Tally()) == ["a", "b", "a"]
    assert repeat(made, Tally()) == []


def test_a_mark_leaves_what_stood_before():
    made = counted("a", "b", "c")
    assert repeat(made, Tally(), since=1) == ["b", "c"]
    assert made.mark() == 1
    assert repeat(made, Tally()) == ["a"]


def test_counts_that_could_not_be_repeated_are_not_forgotten():
    """Neither the one that failed nor the one before it, which the same transaction takes with it."""
    made = counted("a", "b")
    with pytest.raises(Boom):
        made.repeat(Tally(sound=False))
    assert repeat(made, Tally()) == ["a", "b"]
