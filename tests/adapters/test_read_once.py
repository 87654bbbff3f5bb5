"""What a repository remembers within its transaction: never more than was read under the lock that is asked for."""

from __future__ import annotations

from typing import Any, cast

import attrs
import pytest

from authflow.adapters.sql.read_once import ReadOnce


@attrs.frozen
class Connection:
    """A connection, of which only that matters: whether anybody else writes meanwhile."""

    alone: bool


@attrs.define
class Table:
    """A row that somebody else changes whenever it is read."""

    reads: int = 0

    def read(self) -> int:
        self.reads += 1
        return self.reads


def memory(*, alone: bool = False) -> ReadOnce[str, int]:
    return ReadOnce(cast("Any", Connection(alone)))


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
