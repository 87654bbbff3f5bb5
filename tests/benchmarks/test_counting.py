"""The counter counts what a database is asked, however it is asked, and sees nothing else."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from itertools import pairwise
from typing import Final

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.counting import Frontend, Tally, wire

STARTUP: Final = struct.pack("!II", 8, 196608)
ENCRYPTION: Final = struct.pack("!II", 8, 80877103)


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack("!I", 4 + len(body)) + body


PREPARED: Final = message("P", b"one\0SELECT 1\0\0\0") + message("S")
EXECUTED: Final = message("B", b"\0one\0\0\0\0\0\0\0") + message("E", b"\0\0\0\0\0")


def counted(said: bytes, cuts: list[int] | None = None) -> Tally:
    tally = Tally()
    frontend = Frontend(tally)
    ends = [0, *sorted(cuts or ()), len(said)]
    for start, end in pairwise(ends):
        frontend.feed(said[start:end])
    return tally


def test_a_simple_query_is_a_statement_and_a_round_trip():
    tally = counted(STARTUP + message("Q", b"BEGIN\0"))
    assert (tally.log, tally.round_trips) == (["BEGIN"], 1)


def test_preparing_is_a_round_trip_and_no_statement():
    tally = counted(STARTUP + PREPARED)
    assert (tally.log, tally.round_trips) == ([], 1)


def test_a_prepared_statement_is_known_by_its_text():
    tally = counted(STARTUP + PREPARED + 2 * (EXECUTED + message("S")))
    assert (tally.log, tally.round_trips) == (["SELECT 1", "SELECT 1"], 3)


def test_what_is_sent_together_is_one_round_trip():
    assert counted(STARTUP + 3 * EXECUTED + message("S")).round_trips == 1


def test_a_flush_asks_unless_it_follows_what_asked():
    assert counted(STARTUP + EXECUTED + message("H") + EXECUTED + message("S") + message("H")).round_trips == 2


def test_an_offer_of_encryption_comes_before_the_start():
    assert counted(ENCRYPTION + STARTUP + message("Q", b"BEGIN\0")).log == ["BEGIN"]


@given(st.lists(st.integers(0, 200), max_size=8))
def test_it_does_not_matter_how_the_bytes_are_cut(cuts: list[int]):
    said = STARTUP + PREPARED + EXECUTED + message("H") + EXECUTED + message("S") + message("Q", b"COMMIT\0")
    tally = counted(said, [min(cut, len(said)) for cut in cuts])
    assert (tally.log, tally.round_trips) == (["SELECT 1", "SELECT 1", "COMMIT"], 4)


def test_sqlite_tells_of_begin_commit_and_every_row():
    tally = Tally()
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE a (b)")
        tally.trace(connection)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO a VALUES (?)", [(1,), (2,)])
        connection.execute("COMMIT")
    assert [text.partition(" ")[0] for text in tally.log] == ["BEGIN", "INSERT", "INSERT", "COMMIT"]


@pytest.mark.parametrize(("pipelined", "trips"), [(False, 4), (True, 2)])
def test_a_pipeline_waits_less_often_for_the_same_statements(postgresql_url: str, *, pipelined: bool, trips: int):
    tally = Tally()
    with wire(postgresql_url, tally) as uri, psycopg.connect(uri, autocommit=True) as connection:
        before = tally.statements, tally.round_trips
        if pipelined:
            with connection.pipeline():
                say(connection)
        else:
            say(connection)
        assert tally.log[before[0] :] == ["BEGIN", "SELECT 1", "SELECT 2", "COMMIT"]
        assert tally.round_trips - before[1] == trips


def say(connection: psycopg.Connection) -> None:
    connection.execute("BEGIN")
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.execute("SELECT 2")
    connection.execute("COMMIT")
