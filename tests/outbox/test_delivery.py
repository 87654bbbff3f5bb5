"""The machine of one delivery: every edge taken, and the laws of the ladder, the lease and the fence."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.errors import IllegalCommand
from authflow.outbox.delivery import (
    MACHINE,
    Delivered,
    Done,
    Drop,
    Dropped,
    Due,
    Ended,
    GiveBack,
    Granted,
    Leased,
    LeaseLost,
    NotNow,
    Park,
    Parked,
    Redrive,
    Retry,
    TriedAgain,
    Waiting,
    delay,
)
from authflow.policy import OutboxPolicy
from authflow.testing import assert_complete
from authflow.testing.clocks import START
from authflow.testing.samples.delivery import ALPHABET, POLICY, SECOND, SHORT, claim, commands, leased, settle

if TYPE_CHECKING:
    from authflow.outbox.delivery import Delivery, Result


def test_every_declared_edge_is_taken_and_no_other() -> None:
    walk = ALPHABET.walk()
    assert_complete(MACHINE, walk)
    assert walk.answers() == {Granted, NotNow, Ended, TriedAgain, LeaseLost}


def test_what_is_over_takes_no_command() -> None:
    for state in (Delivered(), Dropped(reason="x")):
        for command, now in commands(state):
            with pytest.raises(IllegalCommand):
                MACHINE.step(state, command, now)


def test_no_step_ever_leaves_two_leases_live() -> None:
    """Whoever is granted a lease found none that is live: the old one is over, or its time was never possible."""
    for step in ALPHABET.walk().steps:
        if isinstance(step.answer, Granted) and isinstance(step.state, Leased) and isinstance(step.target, Leased):
            assert not step.now < step.state.until <= step.now + SHORT.lease


def test_failures_climb_the_ladder_and_its_top_is_parking() -> None:
    """2, 4, 8 .. 512 seconds; the tenth failure parks (outbox 1.9, decision 35)."""
    state, now, waits = Due(), START, []
    while not isinstance(state, Parked):
        state = MACHINE.step(state, claim(), now).state
        state = MACHINE.step(state, settle(Retry(reason="down")), now).state
        if isinstance(state, Waiting):
            waits.append((state.until - now).total_seconds())
            now = state.until
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert state == Parked(reason="down", attempts=10, at=now)


def test_the_ladder_reaches_its_cap_at_the_twelfth_step() -> None:
    """The figures of outbox 1.9, without jitter."""
    waits = [delay(POLICY, n, after=None, jitter=0).total_seconds() for n in range(1, 15)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]


@given(
    attempts=st.integers(1, 1000),
    jitter=st.floats(-1, 1),
    after=st.none() | st.timedeltas(),
    first=st.timedeltas(SECOND, timedelta(days=400)),
    longest=st.timedeltas(SECOND, timedelta(days=400)),
)
def test_a_wait_is_never_nothing_and_never_above_the_cap(
    attempts: int, jitter: float, after: timedelta | None, first: timedelta, longest: timedelta
) -> None:
    """I6."""
    first, longest = sorted([first, longest])
    policy = OutboxPolicy(first_delay=first, longest_delay=longest)
    assert timedelta() < delay(policy, attempts, after=after, jitter=jitter) <= longest


@given(st.floats(-1, 1))
def test_jitter_spreads_by_a_tenth_and_no_more(jitter: float) -> None:
    assert timedelta(seconds=14.4) <= delay(POLICY, 4, after=None, jitter=jitter) <= timedelta(seconds=17.6)


def test_jitter_spreads() -> None:
    assert delay(POLICY, 4, after=None, jitter=-1) < delay(POLICY, 4, after=None, jitter=1)


def test_a_handlers_own_wait_is_kept_between_the_first_and_the_longest() -> None:
    asked = [timedelta(days=-1), timedelta(minutes=5), timedelta(days=1)]
    assert [delay(POLICY, 1, after=after, jitter=1) for after in asked] == [
        POLICY.first_delay,
        timedelta(minutes=5),
        POLICY.longest_delay,
    ]


@pytest.mark.parametrize(
    ("result", "target"),
    [
        (Done(), Delivered()),
        (Drop(reason="gone"), Dropped(reason="gone")),
        (Park(reason="poison"), Parked(reason="poison", attempts=1, at=START)),
    ],
)
def test_a_final_result_skips_the_ladder(result: Result, target: Delivery) -> None:
    assert MACHINE.step(leased(), settle(result), START).state == target


@pytest.mark.parametrize("result", [Done(), Drop(reason="x"), Park(reason="x"), Retry()])
@pytest.mark.parametrize("state", [Due(), Waiting(head="m1", until=START, attempts=1), leased(token="t2")])
def test_a_lost_lease_settles_nothing(state: Delivery, result: Result) -> None:
    """The fence: whatever the late relay reports, the state stays (outbox 1.11)."""
    step = MACHINE.step(state, settle(result, token="t1"), START)
    assert (step.state, step.answer) == (state, LeaseLost())


@pytest.mark.parametrize("state", [Due(), Waiting(head="m1", until=START, attempts=1), leased(token="t2")])
def test_a_lost_lease_is_not_given_back(state: Delivery) -> None:
    """It is another relay's by now."""
    step = MACHINE.step(state, GiveBack(token="t1"), START)
    assert (step.state, step.answer) == (state, LeaseLost())


@pytest.mark.parametrize("before", [Due(), *(Waiting(head="m1", until=START, attempts=n) for n in (1, 5, 10))])
def test_a_lease_that_is_given_back_counts_no_try(before: Delivery) -> None:
    """The lane is as it was before the claim, and due at once."""
    taken = MACHINE.step(before, claim(), START).state
    step = MACHINE.step(taken, GiveBack(token="t1"), START)
    assert (step.state, step.answer) == (before, TriedAgain(at=START))


def test_a_lease_that_ran_out_is_still_its_holders_until_somebody_takes_over() -> None:
    late = START + POLICY.lease + timedelta(hours=1)
    assert MACHINE.step(leased(), settle(Done()), late).state == Delivered()


def test_a_live_lease_and_a_wait_are_respected_to_their_last_moment() -> None:
    for state in (leased(), Waiting(head="m1", until=START + POLICY.lease, attempts=1)):
        before = MACHINE.step(state, claim(token="t2"), state.until - SECOND)
        assert (before.state, before.answer) == (state, NotNow(until=state.until))
        assert isinstance(MACHINE.step(state, claim(token="t2"), state.until).state, Leased)


def test_a_dead_lease_counts_as_a_try_so_that_what_kills_relays_is_parked() -> None:
    state, now, tries = Due(), START, 0
    while not isinstance(state, Parked):
        state = MACHINE.step(state, claim(token=f"t{tries}"), now).state
        tries, now = tries + 1, now + POLICY.lease
    assert (state.reason, state.attempts, tries) == ("lease_lost", 10, 11)


def test_a_policy_of_fewer_tries_holds_for_what_is_under_way() -> None:
    state = leased(POLICY.attempts + 2)
    taken = MACHINE.step(state, claim(token="t2"), START + POLICY.lease)
    failed = MACHINE.step(state, settle(Retry()), START)
    assert [type(step.state) for step in (taken, failed)] == [Parked, Parked]


def test_a_new_head_starts_counting_anew() -> None:
    for state in (leased(9), Waiting(head="m1", until=START, attempts=9)):
        taken = MACHINE.step(state, claim(head="m2", token="t2"), START + POLICY.lease).state
        assert isinstance(taken, Leased)
        assert (taken.head, taken.attempts) == ("m2", 1)


@pytest.mark.parametrize("back", [timedelta(hours=2), timedelta(days=365)])
def test_a_clock_that_goes_back_blocks_nothing(back: timedelta) -> None:
    """A lease or a wait that ends later than any can was written before the clock went back."""
    for state in (leased(), Waiting(head="m1", until=START + timedelta(seconds=2), attempts=1)):
        assert isinstance(MACHINE.step(state, claim(token="t2"), START - back).answer, Granted)


def test_a_redriven_group_starts_anew_unless_its_secret_expired() -> None:
    parked = Parked(reason="x", attempts=10, at=START)
    assert MACHINE.step(parked, Redrive(expires_at=None), START).state == Due()
    assert MACHINE.step(parked, Redrive(expires_at=START + SECOND), START).state == Due()
    assert MACHINE.step(parked, Redrive(expires_at=START), START).state == Dropped(reason="expired")


def test_reasons_fit_where_they_are_stored() -> None:
    parked = MACHINE.step(leased(), settle(Park(reason="x" * 1000)), START).state
    assert isinstance(parked, Parked)
    assert len(parked.reason) == 255
