"""What every ``UnitOfWork`` must keep of whole commands: done once or as if never begun, and again where it helps.

A part of `authflow.testing.contracts.unit_of_work.UnitOfWorkContract`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from authflow.errors import ConfigInvalid, DatabaseUnavailable, InUnitOfWork, Retryable
from authflow.testing.contracts.deeds import ANNE, BUDGET, ENTRY, Boom, count, counts, entries, epoch, set_epoch

if TYPE_CHECKING:
    from authflow.ports import Transaction, UnitOfWork


class CommandsContract:
    """The laws of ``run``, ``require_counters``, ``require_closed``, ``outside`` and ``within``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_a_command_is_committed_and_answers(self, uow: UnitOfWork[Transaction]) -> None:
        """What it wrote is there for the next one, and its caller gets what it returned."""

        def command() -> str:
            with uow.begin() as tx:
                set_epoch(tx, 7)
                return "done"

        assert uow.run(command) == "done"
        assert epoch(uow) == 7

    def test_a_command_that_lost_is_done_again_from_the_start(self, uow: UnitOfWork[Transaction]) -> None:
        """Nothing of the lost try stays, and what it counted is counted once."""
        planned = iter([7, 8, 9])

        def command() -> int:
            with uow.begin() as tx:
                assert tx.accounts.lock(ANNE).epoch == 1
                now = next(planned)
                set_epoch(tx, now)
                count(tx)
                if now != 9:
                    raise Retryable
                return now

        assert uow.run(command) == 9
        assert epoch(uow) == 9
        assert counts(uow) == (1, BUDGET.limit - 1)

    def test_a_command_that_always_loses_is_given_up(self, uow: UnitOfWork[Transaction]) -> None:
        """Its caller may come back later. Nothing stays but what was counted, once."""
        tries: list[int] = []

        def command() -> None:
            with uow.begin() as tx:
                tries.append(len(tries))
                set_epoch(tx, 7)
                count(tx)
                raise Retryable

        with pytest.raises(Retryable):
            uow.run(command)
        assert 1 < len(tries) <= 100
        assert epoch(uow) == 1
        assert counts(uow) == (1, BUDGET.limit - 1)

    @pytest.mark.parametrize("fault", [Boom, DatabaseUnavailable, KeyboardInterrupt])
    def test_a_command_that_failed_otherwise_is_not_done_again(
        self, uow: UnitOfWork[Transaction], fault: type[BaseException]
    ) -> None:
        """It is rolled back, counts excepted, and its caller gets the very exception."""
        tries: list[int] = []

        def command() -> None:
            with uow.begin() as tx:
                tries.append(len(tries))
                set_epoch(tx, 7)
                count(tx)
                raise fault

        with pytest.raises(fault):
            uow.run(command)
        assert len(tries) == 1
        assert epoch(uow) == 1
        assert counts(uow) == (1, BUDGET.limit - 1)

    def test_a_command_inside_a_transaction_joins_it(self, uow: UnitOfWork[Transaction]) -> None:
        """It commits nothing, and is not done again: what came before it would be missing."""
        tries: list[int] = []

        def command() -> None:
            with uow.begin() as tx:
                tries.append(len(tries))
                set_epoch(tx, 7)
                raise Retryable

        with pytest.raises(Retryable), uow.begin() as tx:
            tx.audit.append([ENTRY])
            uow.run(command)
        assert len(tries) == 1
        assert (epoch(uow), entries(uow)) == (1, [])

    def test_a_command_inside_a_command_joins_it(self, uow: UnitOfWork[Transaction]) -> None:
        """Only the outermost one is done again, and as a whole."""
        tries: list[str] = []

        def inner() -> None:
            with uow.begin() as tx:
                tries.append("inner")
                set_epoch(tx, 7)
                if tries.count("inner") == 1:
                    raise Retryable

        def outer() -> None:
            with uow.begin() as tx:
                tries.append("outer")
                tx.audit.append([ENTRY])
                uow.run(inner)

        uow.run(outer)
        assert tries == ["outer", "inner", "outer", "inner"]
        assert (epoch(uow), entries(uow)) == (7, [ENTRY])

    def test_a_command_may_compare_guesses(self, uow: UnitOfWork[Transaction]) -> None:
        """Nobody but the unit of work itself can undo what it counts, nor what a command inside it counts."""

        def command() -> None:
            uow.require_counters()
            with uow.begin():
                uow.require_counters()
            with uow.savepoint():
                uow.require_counters()

        uow.require_counters()
        uow.run(command)
        uow.run(lambda: uow.run(command))

    def test_it_is_closed_outside_of_transactions_only(self, uow: UnitOfWork[Transaction]) -> None:
        """Handlers talk to the world: what they are told must stand, whatever becomes of a caller's transaction."""

        def command() -> None:
            with pytest.raises(InUnitOfWork):
                uow.require_closed()

        uow.require_closed()
        uow.run(command)
        with uow.begin():
            command()
            with uow.savepoint():
                command()
        with suppress(Boom), uow.begin():
            raise Boom
        uow.require_closed()

    def test_what_waits_for_others_runs_outside_of_transactions_only(self, uow: UnitOfWork[Transaction]) -> None:
        """What it answers, and what it raises, is the caller's."""

        def fail() -> None:
            raise Boom

        assert uow.outside(lambda: 7) == 7
        with pytest.raises(Boom):
            uow.outside(fail)
        with uow.begin(), pytest.raises(InUnitOfWork):
            uow.outside(fail)

    def test_what_shares_no_transactions_is_refused(self, uow: UnitOfWork[Transaction]) -> None:
        """A host hears of it at once, not when nothing was committed."""
        for host in (object(), None, "host"):
            with pytest.raises(ConfigInvalid), uow.within(host):
                pytest.fail("shared a transaction with nothing")
        assert epoch(uow) == 1
