"""What a repository remembers within its transaction: never more than was read under the lock that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest

from authflow.adapters.sql.read_once import ReadOnce

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class Connection:
    """A connection, of which only that matters: whether anybody else writes meanwhile, and whether things travel."""

    alone: bool
    pipeline: object | None = None


@attrs.define
class Table:
    """A row that somebody else changes whenever it is read."""

    reads: int = 0

    def read(self) -> int:
        self.reads += 1
        return self.reads

    def ask(self) -> Callable[[], int]:
        """Ask soon: what stands now is what is answered later."""
        found = self.read()
        return lambda: found


def memory(*, alone: bool = False, pipeline: bool = False) -> ReadOnce[str, int]:
    return ReadOnce(cast("Any", Connection(alone, "pipeline" if pipeline else None)))


@pytest.mark.parametrize("alone", [True, False])
def test_a_row_is_read_once(alone: bool):  # noqa: FBT001  # a table's column
    kept, table = memory(alone=alone), Table()
    assert [kept.get("a", table.read) for _ in range(3)] == [1, 1, 1]
    assert kept.get("b", table.read) == 2


def test_a_lock_reads_again_once():
    kept, table = memory(), Table()
    assert [kept.get("a", table.read, lock=lock) for lock in (False, True, True, False)] == [1, 2, 2, 2]


def test_whoever_is_alone_holds_what_they_read():
    kept, table = memory(alone=True), Table()
    assert [kept.get("a", table.read, lock=lock) for lock in (False, True)] == [1, 1]
    kept.forget()
    assert kept.get("a", table.read) == 1


def test_after_a_wait_what_is_not_held_is_read_again():
    kept, table = memory(), Table()
    kept.get("held", table.read, lock=True)
    kept.get("seen", table.read)
    assert kept.passing() == {"seen"}
    kept.forget()
    assert kept.passing() == set()
    assert kept.get("held", table.read) == 1
    assert kept.get("seen", table.read) == 3


def test_a_change_is_read_again_and_what_was_written_is_known():
    kept, table = memory(), Table()
    kept.get("a", table.read, lock=True)
    assert kept.drop("a") == 1
    assert kept.drop("a") is None
    assert kept.get("a", table.read) == 2
    kept.put("a", 7)
    assert kept.get("a", table.read, lock=True) == 7
    kept.clear()
    assert kept.get("a", table.read, lock=True) == 3


@pytest.mark.parametrize("lock", [False, True])
def test_what_is_expected_is_asked_for_once(lock: bool):  # noqa: FBT001  # a table's column
    kept, table = memory(pipeline=True), Table()
    for _ in range(2):
        kept.expect("a", table.ask, lock=lock)
    assert [kept.get("a", table.read, lock=lock) for _ in range(2)] == [1, 1]
    kept.expect("a", table.ask, lock=lock)
    assert table.reads == 1
    assert kept.holds("a") is lock


def test_what_was_expected_without_a_lock_is_no_answer_under_one():
    kept, table = memory(pipeline=True), Table()
    kept.expect("a", table.ask)
    assert kept.get("a", table.read, lock=True) == 2
    assert kept.holds("a")


@pytest.mark.parametrize("lock", [False, True])
@pytest.mark.parametrize(
    "outdate",
    [ReadOnce[str, int].forget, ReadOnce[str, int].clear, lambda kept: kept.drop("a")],
    ids=["waited", "changed", "written"],
)
def test_what_was_asked_for_before_a_wait_or_a_change_answers_nothing_after_it(
    outdate: Callable[[ReadOnce[str, int]], object],
    lock: bool,  # noqa: FBT001  # as above
):
    kept, table = memory(pipeline=True), Table()
    kept.expect("a", table.ask, lock=lock)
    outdate(kept)
    assert kept.get("a", table.read, lock=lock) == 2


def test_what_is_put_or_seen_stands_whatever_was_expected():
    kept, table = memory(pipeline=True), Table()
    for key in ("put", "seen"):
        kept.expect(key, table.ask)
    kept.put("put", 7)
    kept.saw("seen", 8)
    assert [kept.get("put", table.read, lock=True), kept.get("seen", table.read)] == [7, 8]


def test_where_nothing_travels_together_nothing_is_asked_for_before_it_is_wanted():
    kept, table = memory(), Table()
    kept.expect("a", table.ask)
    assert table.reads == 0
