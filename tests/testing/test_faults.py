"""Faults come where they were asked for, once, and look like the database's own."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.errors import CommitUnknown, DatabaseError, Retryable
from authflow.ports import User
from authflow.testing.clocks import START
from authflow.testing.faults import (
    LOSSES,
    REACH,
    Faults,
    Point,
    Side,
    TappedMemory,
    answer_lost,
    at_commit,
    at_statement,
    conflicts,
    connection_lost,
    everywhere,
    injected,
    losses,
    request_lost,
)
from authflow.values import UserId

ANNE, BOB = UserId("anne"), UserId("bob")


@pytest.fixture(params=["tapped", "sqlite", "postgresql", "mariadb"])
def uow(request: pytest.FixtureRequest) -> Any:
    return TappedMemory() if request.param == "tapped" else request.getfixturevalue(f"{request.param}_uow")


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_uow")


def write(uow: Any) -> None:
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        tx.users.add(User(id=BOB, label="bob"))


def stands(uow: Any) -> bool:
    with uow.begin() as tx:
        found = [tx.users.get(user) is not None for user in (ANNE, BOB)]
    assert found[0] == found[1], "half of it stands"
    return found[0]


def heard(uow: Any) -> list[Point]:
    points: list[Point] = []
    with injected(uow, Faults(points.append)):
        write(uow)
    return points


def test_points_are_numbered_as_they_come(database: Any):
    points = heard(database)
    assert [point.number for point in points] == list(range(1, len(points) + 1))
    assert [point.side for point in points] == [Side.BEFORE, Side.AFTER] * (len(points) // 2)
    assert [point.nth for point in points if point.kind == "statement"] == [1, 1, 2, 2]
    assert "anne" not in repr(points)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("side", Side)
def test_a_statement_fails_and_nothing_is_kept(database: Any, number: int, side: Side):
    with injected(database, at_statement(number, connection_lost, side=side)) as faults, pytest.raises(DatabaseError):
        write(database)
    assert [(point.nth, point.side) for point in faults.raised] == [(number, side)]
    assert not stands(database)


def test_a_commit_that_is_refused_keeps_nothing(uow: Any):
    with injected(uow, at_commit(losses(uow)[0])), pytest.raises(Retryable):
        write(uow)
    assert not stands(uow)


@pytest.mark.parametrize(("faults", "done"), [(answer_lost, True), (request_lost, False)])
def test_a_commit_that_is_cut_off_is_unknown(uow: Any, faults: Any, *, done: bool):
    with injected(uow, faults()), pytest.raises(CommitUnknown):
        write(uow)
    assert stands(uow) is done


@pytest.mark.parametrize(("faults", "counted"), [(answer_lost, 1), (request_lost, 0)])
def test_a_count_stands_or_falls_with_a_commit_that_is_cut_off(uow: Any, faults: Any, counted: int):
    def guess() -> None:
        with uow.begin() as tx:
            tx.attempts.count("guess", expires_at=START)

    with injected(uow, faults()), pytest.raises(CommitUnknown):
        uow.run(guess)
    with uow.begin() as tx:
        assert tx.attempts.read("guess") == counted


def test_a_database_loses_in_its_own_words_and_is_tried_again(uow: Any):
    for loss in losses(uow):
        tries: list[int] = []

        def command(seen: list[int] = tries) -> None:
            seen.append(1)
            with uow.begin() as tx:
                tx.users.get(ANNE)

        with injected(uow, at_commit(loss)):
            uow.run(command)
        assert len(tries) == 2
    assert set(LOSSES) == {"sqlite", "postgresql", "mariadb"}


def test_whoever_listened_before_listens_again(uow: Any):
    uow.tap = before = Faults(lambda _: None)
    with injected(uow, answer_lost()), pytest.raises(CommitUnknown):
        write(uow)
    assert uow.tap is before


def test_one_seed_chooses_the_same_transactions_and_places(database: Any):
    def chosen(seed: int) -> list[tuple[int, str]]:
        faults = conflicts(0.5, losses(database), seed=seed)
        with injected(database, faults):
            for _ in range(20):
                try:
                    with database.begin() as tx:
                        for _ in range(REACH):
                            tx.users.get(ANNE)
                            tx.users.get(BOB)
                except Retryable:
                    continue
        return [(point.number, point.text) for point in faults.raised]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
    assert 4 <= len(chosen(1)) <= 16


def test_a_share_of_one_fails_every_step_and_of_none_no_step(database: Any):
    with injected(database, everywhere(0, losses(database), seed=1)):
        write(database)
    with injected(database, everywhere(1, losses(database), seed=1)), pytest.raises(Retryable):
        write(database)
