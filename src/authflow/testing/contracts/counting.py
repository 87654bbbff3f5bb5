"""What every ``RateLimiter`` and every ``Attempts`` must keep: exact windows, and no count lost to a race."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authflow.ports import Allowed, Limited
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.ports import Transaction, UnitOfWork

BUDGET: Final = Budget(name="contract", limit=5, window=timedelta(seconds=20))

TICK: Final = timedelta(microseconds=1)
"""The smallest step of a `datetime`: a limit is exact when it turns within one of them."""

NEXT: Final = count()
"""Gives every example a key of its own, so that examples share nothing."""

budgets = st.builds(
    Budget, name=st.just("law"), limit=st.integers(1, 4), window=st.integers(1, 12).map(lambda n: timedelta(seconds=n))
)

moments = st.lists(st.integers(0, 30).map(lambda n: START + timedelta(seconds=n)), max_size=25)
"""In any order: a clock goes back, and two servers have two clocks."""


def allowed(budget: Budget, counted: Sequence[datetime], now: datetime) -> Allowed | Limited:
    """Say what an exact sliding window answers, given every call that was *counted* so far: the reference."""
    inside = sorted(at for at in counted if at > now - budget.window)
    if len(inside) < budget.limit:
        return Allowed(budget.limit - len(inside) - 1)
    return Limited(inside[-budget.limit] + budget.window - now)


def fullest(budget: Budget, counted: Sequence[datetime]) -> int:
    """Return how many of *counted* lie in the fullest window of the budget's length, half open."""
    return max((sum(end - budget.window < at <= end for at in counted) for end in counted), default=0)


class RateLimiterContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``RateLimiter``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_is_an_exact_sliding_window(self, uow: UnitOfWork[Transaction]) -> None:
        """Every answer is the reference's, for calls at any times in any order; no window holds more than the limit."""

        @given(budget=budgets, calls=moments)
        def law(budget: Budget, calls: list[datetime]) -> None:
            key, counted = f"law-{next(NEXT)}", list[datetime]()
            with uow.begin() as tx:
                for now in calls:
                    answer = tx.limits.hit(budget, key, now)
                    assert answer == allowed(budget, counted, now)
                    counted += [now] * isinstance(answer, Allowed)
            assert fullest(budget, counted) <= budget.limit

        law()

    def test_a_refused_call_is_not_counted(self, uow: UnitOfWork[Transaction]) -> None:
        """However often it is refused, it passes when the oldest counted call leaves the window."""
        with uow.begin() as tx:
            first = [tx.limits.hit(BUDGET, "a", START) for _ in range(BUDGET.limit)]
            refused = [tx.limits.hit(BUDGET, "a", START + timedelta(seconds=10)) for _ in range(20)]
            later = [tx.limits.hit(BUDGET, "a", START + BUDGET.window) for _ in range(BUDGET.limit)]
        assert first == later == [Allowed(left) for left in (4, 3, 2, 1, 0)]
        assert refused == [Limited(timedelta(seconds=10))] * 20

    def test_retry_after_is_exact(self, uow: UnitOfWork[Transaction]) -> None:
        """The same call passes when it says, and not one microsecond before."""
        starts = [START + timedelta(seconds=n, microseconds=n) for n in range(BUDGET.limit)]
        now = starts[-1] + timedelta(seconds=3, microseconds=333)
        with uow.begin() as tx:
            for at in starts:
                tx.limits.hit(BUDGET, "a", at)
            refused = tx.limits.hit(BUDGET, "a", now)
            assert isinstance(refused, Limited)
            assert refused.retry_after == starts[0] + BUDGET.window - now
            passes = now + refused.retry_after
            assert tx.limits.peek(BUDGET, "a", passes - TICK) == Limited(TICK)
            assert tx.limits.hit(BUDGET, "a", passes) == Allowed(0)

    def test_a_clock_that_went_back_opens_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """Calls that fell out of the window are found again when the clock goes back to it."""
        with uow.begin() as tx:
            for _ in range(BUDGET.limit):
                tx.limits.hit(BUDGET, "a", START)
            tx.limits.hit(BUDGET, "a", START + BUDGET.window)
            assert isinstance(tx.limits.hit(BUDGET, "a", START + timedelta(seconds=1)), Limited)

    def test_peek_says_what_hit_would_answer_and_counts_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """Asked any number of times."""
        with uow.begin() as tx:
            for left in (4, 3, 2, 1, 0):
                assert [tx.limits.peek(BUDGET, "a", START) for _ in range(3)] == [Allowed(left + 1)] * 3
                assert tx.limits.hit(BUDGET, "a", START) == Allowed(left)
            assert tx.limits.peek(BUDGET, "a", START) == tx.limits.hit(BUDGET, "a", START) == Limited(BUDGET.window)

    def test_a_call_counts_in_the_next_transaction(self, uow: UnitOfWork[Transaction]) -> None:
        """The window outlives the transaction."""
        for left in (4, 3, 2, 1, 0):
            with uow.begin() as tx:
                assert tx.limits.hit(BUDGET, "a", START) == Allowed(left)
        with uow.begin() as tx:
            assert tx.limits.hit(BUDGET, "a", START) == Limited(BUDGET.window)

    def test_keys_and_budgets_share_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """A key under another budget, and another key, have windows of their own; letter case counts."""
        other = attrs.evolve(BUDGET, name="Contract")
        with uow.begin() as tx:
            for _ in range(BUDGET.limit):
                tx.limits.hit(BUDGET, "a", START)
            assert tx.limits.hit(BUDGET, "A", START) == Allowed(4)
            assert tx.limits.hit(BUDGET, "a ", START) == Allowed(4)
            assert tx.limits.hit(other, "a", START) == Allowed(4)

    def test_budgets_asked_together_are_spent_together(self, uow: UnitOfWork[Transaction]) -> None:
        """Every call is counted under all of them, or, if one is over, under none; the longest wait is told."""

        @given(one=budgets, other=budgets.map(lambda b: attrs.evolve(b, name="other")), calls=moments)
        def law(one: Budget, other: Budget, calls: list[datetime]) -> None:
            key, counted = f"law-{next(NEXT)}", list[datetime]()
            with uow.begin() as tx:
                for now in calls:
                    answer = tx.limits.hit_all((one, other), key, now)
                    alone = [allowed(budget, counted, now) for budget in (one, other)]
                    waits = [each.retry_after for each in alone if isinstance(each, Limited)]
                    left = [each.left for each in alone if isinstance(each, Allowed)]
                    assert answer == (Limited(max(waits)) if waits else Allowed(min(left)))
                    counted += [now] * isinstance(answer, Allowed)

        law()

    def test_what_is_spent_together_counts_alone(self, uow: UnitOfWork[Transaction]) -> None:
        """Now and in the next transaction: each budget has a window of its own."""
        other = attrs.evolve(BUDGET, name="other", limit=2)
        with uow.begin() as tx:
            assert tx.limits.hit(other, "a", START) == Allowed(1)
            assert tx.limits.hit_all((BUDGET, other), "a", START) == Allowed(0)
            assert tx.limits.hit_all((BUDGET, other), "a", START) == Limited(other.window)
            assert tx.limits.peek(BUDGET, "a", START) == Allowed(4)
        with uow.begin() as tx:
            assert tx.limits.hit_all((BUDGET,), "a", START) == Allowed(3)
            assert tx.limits.hit(other, "a", START) == Limited(other.window)
            assert tx.limits.hit_all((BUDGET, other), "b", START) == Allowed(1)

    def test_of_many_at_once_who_spend_together_exactly_the_limit_wins(self, uow: UnitOfWork[Transaction]) -> None:
        """No race lets one more through, in whatever order each names the budgets; the other one counts as many."""
        other = attrs.evolve(BUDGET, name="another", limit=THREADS)

        def call(number: int) -> Allowed | Limited:
            order = (BUDGET, other) if number % 2 else (other, BUDGET)
            with uow.begin() as tx:
                return tx.limits.hit_all(order, "a", START)

        answers = at_once(call)
        assert sorted(answer.left for answer in answers if isinstance(answer, Allowed)) == [0, 1, 2, 3, 4]
        with uow.begin() as tx:
            assert tx.limits.peek(other, "a", START) == Allowed(THREADS - BUDGET.limit)

    def test_reset_forgets_one_key(self, uow: UnitOfWork[Transaction]) -> None:
        """The others keep theirs; an unknown key is none's loss."""
        with uow.begin() as tx:
            for key in ("a", "b"):
                tx.limits.hit(BUDGET, key, START)
            tx.limits.reset(BUDGET, "a")
            tx.limits.reset(BUDGET, "unknown")
            assert tx.limits.hit(BUDGET, "a", START) == Allowed(4)
            assert tx.limits.hit(BUDGET, "b", START) == Allowed(3)

    def test_what_was_reset_is_forgotten_in_the_next_transaction(self, uow: UnitOfWork[Transaction]) -> None:
        """Whether it was counted in this one or before; other keys and budgets keep theirs."""
        other = attrs.evolve(BUDGET, name="another")
        with uow.begin() as tx:
            for budget, key in ((BUDGET, "a"), (BUDGET, "b"), (other, "a"), (BUDGET, "c")):
                tx.limits.hit(budget, key, START)
            tx.limits.reset(BUDGET, "c")
        with uow.begin() as tx:
            tx.limits.reset(BUDGET, "a")
        with uow.begin() as tx:
            assert [tx.limits.peek(BUDGET, key, START) for key in "abc"] == [Allowed(5), Allowed(4), Allowed(5)]
            assert tx.limits.peek(other, "a", START) == Allowed(4)

    def test_a_sweep_takes_what_counts_no_more(self, uow: UnitOfWork[Transaction]) -> None:
        """Also what this very transaction counted."""
        with uow.begin() as tx:
            tx.limits.hit(BUDGET, "a", START)
            tx.limits.hit(BUDGET, "b", START + TICK)
            assert tx.limits.sweep(START + BUDGET.window) == 1
        with uow.begin() as tx:
            assert [tx.limits.peek(BUDGET, key, START + TICK) for key in "ab"] == [Allowed(5), Allowed(4)]

    def test_another_limit_holds_at_once(self, uow: UnitOfWork[Transaction]) -> None:
        """A policy that was made stricter, or milder, counts the calls made under the other one."""
        milder, stricter = attrs.evolve(BUDGET, limit=7), attrs.evolve(BUDGET, limit=2)
        with uow.begin() as tx:
            for second in range(BUDGET.limit):
                tx.limits.hit(BUDGET, "a", START + timedelta(seconds=second))
            now = START + timedelta(seconds=BUDGET.limit)
            # Two may stand, so it passes when the last but one has left the window.
            assert tx.limits.hit(stricter, "a", now) == Limited(START + timedelta(seconds=3) + BUDGET.window - now)
            assert tx.limits.hit(milder, "a", now) == Allowed(1)

    def test_of_many_at_once_exactly_the_limit_wins(self, uow: UnitOfWork[Transaction]) -> None:
        """No race lets one more through, and none is lost."""

        def call(_number: int) -> Allowed | Limited:
            with uow.begin() as tx:
                return tx.limits.hit(BUDGET, "a", START)

        answers = at_once(call)
        winners = sorted(answer.left for answer in answers if isinstance(answer, Allowed))
        assert winners == [0, 1, 2, 3, 4]
        assert answers.count(Limited(BUDGET.window)) == THREADS - BUDGET.limit


class AttemptsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``Attempts``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_counts_from_one(self, uow: UnitOfWork[Transaction]) -> None:
        """Each count returns the new total, in this transaction and in the next."""
        totals: list[int] = []
        for _ in range(2):
            with uow.begin() as tx:
                totals += [tx.attempts.count("a", expires_at=START), tx.attempts.count("a", expires_at=START)]
                assert tx.attempts.read("a") == totals[-1]
        assert totals == [1, 2, 3, 4]

    def test_an_unknown_key_has_none(self, uow: UnitOfWork[Transaction]) -> None:
        """Reading makes nothing."""
        with uow.begin() as tx:
            assert [tx.attempts.read("a"), tx.attempts.read("a")] == [0, 0]
            assert tx.attempts.count("a", expires_at=START) == 1

    def test_keys_share_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """Letter case and blanks count."""
        with uow.begin() as tx:
            for key in ("a", "A", "a ", "\u00e1"):
                assert tx.attempts.count(key, expires_at=START) == 1

    def test_clear_forgets_one_key(self, uow: UnitOfWork[Transaction]) -> None:
        """The others keep theirs; an unknown key is none's loss."""
        with uow.begin() as tx:
            for key in ("a", "b"):
                tx.attempts.count(key, expires_at=START)
            tx.attempts.clear("a")
            tx.attempts.clear("unknown")
            assert (tx.attempts.read("a"), tx.attempts.read("b")) == (0, 1)

    def test_what_was_cleared_is_forgotten_in_the_next_transaction(self, uow: UnitOfWork[Transaction]) -> None:
        """The others keep theirs."""
        with uow.begin() as tx:
            for key in ("a", "b", "c"):
                tx.attempts.count(key, expires_at=START)
        with uow.begin() as tx:
            tx.attempts.clear("b")
        with uow.begin() as tx:
            assert [tx.attempts.read(key) for key in "abc"] == [1, 0, 1]

    def test_a_sweep_takes_what_may_be_forgotten(self, uow: UnitOfWork[Transaction]) -> None:
        """From the very instant on."""
        with uow.begin() as tx:
            for number, key in enumerate("abc", -1):
                tx.attempts.count(key, expires_at=START + number * TICK)
            assert tx.attempts.sweep(START) == 2
            assert [tx.attempts.read(key) for key in "abc"] == [0, 0, 1]

    def test_when_it_may_be_forgotten_changes_no_count(self, uow: UnitOfWork[Transaction]) -> None:
        """A counter that may be swept counts on until it is."""
        with uow.begin() as tx:
            for total, days in ((1, 1), (2, -400), (3, 400)):
                assert tx.attempts.count("a", expires_at=START + timedelta(days=days)) == total

    def test_of_many_at_once_each_has_a_total_of_its_own(self, uow: UnitOfWork[Transaction]) -> None:
        """Increment and read are one step: no two guesses are both the fifth."""

        def guess(_number: int) -> int:
            with uow.begin() as tx:
                return tx.attempts.count("a", expires_at=START)

        assert sorted(at_once(guess)) == list(range(1, THREADS + 1))
        with uow.begin() as tx:
            assert tx.attempts.read("a") == THREADS
