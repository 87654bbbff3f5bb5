"""A table in memory is a list of rows that refuses what is not unique, and forgets what is undone."""

from __future__ import annotations

import itertools
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from authflow.adapters.memory.store import Store
from authflow.errors import UniqueViolated

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = st.integers(0, 2)

NAMES = st.sampled_from(["anne", "ben", "eve", None])
"""What is unique of a row; none is not covered."""

DEEDS = st.lists(st.tuples(st.sampled_from(["add", "put", "drop"]), KEYS, NAMES), max_size=6)

SAVEPOINTS = st.lists(st.tuples(DEEDS, st.booleans()), max_size=6)
"""What is done in each savepoint, and whether it is undone."""


class Listed:
    """The same with nothing but a list of keys and rows: every question looks at all of them."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Any]] = []

    def put(self, key: int, row: Any, *, new: bool) -> None:
        keys = [k for k, _ in self.rows]
        if new and key in keys:
            raise UniqueViolated(rule="primary_key")
        if row[0] is not None and any(k != key and other[0] == row[0] for k, other in self.rows):
            raise UniqueViolated(rule="name")
        if key in keys:
            self.rows[keys.index(key)] = (key, row)
        else:
            self.rows.append((key, row))

    def drop(self, key: int) -> None:
        self.rows = [(k, row) for k, row in self.rows if k != key]


def refused(deed: Callable[[], object]) -> str | None:
    try:
        deed()
    except UniqueViolated as violated:
        return violated.rule
    return None


@given(SAVEPOINTS)
@example([([("add", 0, "anne"), ("add", 1, "ben")], False), ([("drop", 0, None)], True)])
def test_it_does_what_a_list_does_and_undoing_leaves_no_trace(savepoints: list[tuple[list[Any], bool]]):
    store, listed, numbers = Store(), Listed(), itertools.count()
    table = store.table("thing", {"name": lambda row: row[0]})
    for deeds, undone in savepoints:
        mark, before = len(store.journal), list(listed.rows)
        for deed, key, name in deeds:
            if deed == "drop":
                assert table.drop(key) is (key in dict(listed.rows))
                listed.drop(key)
            else:
                row, write = (name, next(numbers)), table.add if deed == "add" else table.put
                expected = refused(partial(listed.put, key, row, new=deed == "add"))
                assert refused(partial(write, key, row)) == expected
            assert list(table.items()) == listed.rows
            assert table.get(key) == dict(listed.rows).get(key)
        if undone:
            store.undo_to(mark)
            listed.rows = before
            assert list(table.items()) == listed.rows


def test_a_rule_that_comes_late_covers_the_rows_that_stand():
    store = Store()
    store.table("thing").add(1, ("anne", 0))
    table = store.table("thing", {"name": lambda row: row[0]})
    with suppress(UniqueViolated):
        table.add(2, ("anne", 0))
    assert store.failed
    assert table.rows() == (("anne", 0),)
