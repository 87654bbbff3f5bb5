"""Browsers that are known again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authflow.adapters.memory.sessions import MemoryDevices
from authflow.adapters.memory.store import Store
from authflow.sessions import devices
from authflow.testing.clocks import START
from authflow.testing.samples.sessions import ANNE, BEN, SECOND
from authflow.values import Secret, UserId

HOUR = 60 * 60


def give(
    store: MemoryDevices, presented: str | None, minted: str, *, user: UserId = ANNE, limit: int = 3, after: int = 0
) -> Secret | None:
    value = None if presented is None else Secret(presented)
    return devices.give(store, user, value, minted=Secret(minted), limit=limit, now=START + after * SECOND)


@pytest.fixture
def store() -> MemoryDevices:
    return MemoryDevices(Store())


def test_an_unknown_browser_is_given_a_value_and_is_known_by_it(store: MemoryDevices) -> None:
    assert give(store, None, "one") == Secret("one")
    (device,) = store.of_user(ANNE)
    assert devices.known(store.of_user(ANNE), Secret("one")) == device
    assert devices.budget_key(device) == device.digest.hex()
    assert "digest" not in repr(device)


def test_a_known_browser_keeps_its_value(store: MemoryDevices) -> None:
    give(store, None, "one")
    assert give(store, "one", "two", after=HOUR) is None
    (device,) = store.of_user(ANNE)
    assert (device.created_at, device.last_used_at) == (START, START + timedelta(hours=1))


@pytest.mark.parametrize("after", [-HOUR, 0, HOUR - 1])
def test_within_an_hour_it_is_not_noted_again_that_a_browser_was_used(store: MemoryDevices, after: int) -> None:
    give(store, None, "one")
    before = store.of_user(ANNE)
    assert give(store, "one", "two", after=after) is None
    assert store.of_user(ANNE) == before


@pytest.mark.parametrize("presented", ["guess", "", "\ud800"])
def test_a_value_that_nobody_gave_is_unknown(store: MemoryDevices, presented: str) -> None:
    give(store, None, "one")
    assert devices.known(store.of_user(ANNE), Secret(presented)) is None
    assert give(store, presented, "two") == Secret("two")


def test_a_browser_known_for_one_person_is_unknown_for_another(store: MemoryDevices) -> None:
    give(store, None, "one")
    assert devices.known(store.of_user(BEN), Secret("one")) is None
    assert give(store, "one", "two", user=BEN) == Secret("two")
    assert len(store.of_user(ANNE)) == len(store.of_user(BEN)) == 1


def test_the_least_recently_used_browser_is_forgotten_for_one_too_many(store: MemoryDevices) -> None:
    for number, name in enumerate(("one", "two", "three")):
        give(store, None, name, after=number)
    give(store, "one", "unused", after=HOUR)
    give(store, None, "four", after=HOUR + 1)
    mine = store.of_user(ANNE)
    assert [devices.known(mine, Secret(name)) is not None for name in ("one", "two", "three", "four")] == [
        True,
        False,
        True,
        True,
    ]


def test_a_lowered_limit_is_kept_at_the_next_gift(store: MemoryDevices) -> None:
    for number, name in enumerate(("one", "two", "three")):
        give(store, None, name, after=number)
    give(store, None, "four", limit=1, after=9)
    assert len(store.of_user(ANNE)) == 1


def test_no_browser_is_known_where_none_may_be(store: MemoryDevices) -> None:
    assert give(store, None, "one", limit=0) is None
    assert store.of_user(ANNE) == ()
