"""A table in memory is a list of rows that refuses what is not unique, and forgets what is undone."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from authflow.adapters.memory.store import Store
from authflow.errors import UniqueViolated

KEYS = st.integers(0, 3)

NAMES = st.sampled_from(["anne", "ben", None])
"""What is unique of a row; none is not covered."""

DEEDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["add", "put"]), KEYS, NAMES),
        st.tuples(st.just("drop"), KEYS, st.none()),
        st.tuples(st.sampled_from(["mark", "undo"]), st.just(0), st.none()),
    ),
    max_size=30,
)


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


def refused(deed: Any) -> str | None:
    try:
        deed()
    except UniqueViolated as violated:
        return violated.rule
    return None


@given(DEEDS)
def test_it_does_what_a_list_does_and_undoing_leaves_no_trace(deeds: list[tuple[str, int, Any]]):
    store, listed = Store(), Listed()
    table = store.table("thing", {"name": lambda row: row[0]})
    marks = [(0, list(listed.rows))]
    for number, (deed, key, name) in enumerate(deeds):
        row = (name, number)
        if deed == "mark":
            marks.append((len(store.journal), list(listed.rows)))
        elif deed == "undo":
            mark, listed.rows = marks.pop() if len(marks) > 1 else (0, [])
            store.undo_to(mark)
        elif deed == "drop":
            assert table.drop(key) is (key in dict(listed.rows))
            listed.drop(key)
        else:
            write = table.add if deed == "add" else table.put
            expected = refused(lambda key=key, row=row, new=deed == "add": listed.put(key, row, new=new))
            assert refused(lambda write=write, key=key, row=row: write(key, row)) == expected
        assert list(table.items()) == listed.rows
        assert [table.get(key) for key in range(4)] == [dict(listed.rows).get(key) for key in range(4)]


def test_a_rule_that_comes_late_covers_the_rows_that_stand():
    store = Store()
    store.table("thing").add(1, ("anne", 0))
    table = store.table("thing", {"name": lambda row: row[0]})
    with suppress(UniqueViolated):
        table.add(2, ("anne", 0))
    assert store.failed
    assert table.rows() == (("anne", 0),)
