from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from authflow.adapters.retrying import Retry
from authflow.errors import ConfigInvalid, DatabaseUnavailable, Retryable
from authflow.testing.contracts.deeds import Boom

if TYPE_CHECKING:
    from collections.abc import Callable

MS = timedelta(milliseconds=1)


def losing(times: int, error: type[Exception] = Retryable) -> Callable[[], int]:
    """Return a command that fails so often, and then returns how often it was called."""
    calls = itertools.count(1)

    def command() -> int:
        number = next(calls)
        if number <= times:
            raise error
        return number

    return command


@pytest.mark.parametrize("lost", range(5))
def test_a_command_that_lost_is_tried_again(lost: int):
    pauses: list[float] = []
    assert Retry().call(losing(lost), sleep=pauses.append) == lost + 1
    assert len(pauses) == lost


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_the_last_loss_is_told(tries: int):
    pauses: list[float] = []
    with pytest.raises(Retryable):
        Retry(tries=tries).call(losing(tries), sleep=pauses.append)
    assert len(pauses) == tries - 1


@pytest.mark.parametrize("error", [Boom, DatabaseUnavailable])
def test_nothing_else_is_tried_again(error: type[Exception]):
    with pytest.raises(error):
        Retry().call(losing(1, error), sleep=lambda _: pytest.fail("waited"))


def test_pauses_are_a_random_part_of_what_doubles_up_to_a_bound():
    seen: list[list[float]] = []
    for _ in range(200):
        pauses: list[float] = []
        with pytest.raises(Retryable):
            Retry(tries=6, first=10 * MS, longest=40 * MS).call(losing(6), sleep=pauses.append)
        seen.append(pauses)
    for number, most in enumerate([0.010, 0.020, 0.040, 0.040, 0.040]):
        drawn = [pauses[number] for pauses in seen]
        assert 0 <= min(drawn) < most / 2 < max(drawn) < most


def test_no_try_begins_behind_the_deadline():
    year = timedelta(days=365)
    with pytest.raises(Retryable):
        Retry(first=year, longest=year).call(losing(1), sleep=lambda _: pytest.fail("waited"))


@pytest.mark.parametrize("wrong", [{"tries": 0}, {"first": -MS}, {"longest": -MS}, {"deadline": -MS}])
def test_values_that_cannot_be_meant_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ConfigInvalid) as raised:
        Retry(**wrong)
    assert raised.value.setting == f"retry.{next(iter(wrong))}"
