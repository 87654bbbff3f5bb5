"""What every ``UnitOfWork`` must keep: one command, one transaction, and what was counted stays counted."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import DatabaseError, NotInUnitOfWork, UniqueViolated
from authflow.testing.contracts.commands import CommandsContract
from authflow.testing.contracts.deeds import ANNE, BUDGET, ENTRY, Boom, count, counts, entries, epoch, set_epoch, write
from authflow.testing.contracts.threads import THREADS, at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.facts.records import AuditEntry
    from authflow.ports import Transaction, UnitOfWork

PATIENCE: Final = 0.2
"""Seconds that a thread is given to read while another one writes; some databases make it wait for longer."""


class UnitOfWorkContract(CommandsContract):
    """Subclass this, override the fixture `uow`, and pytest checks your ``UnitOfWork``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    # --- commit and rollback

    def test_leaving_without_an_error_commits(self, uow: UnitOfWork[Transaction]) -> None:
        """What a block wrote is there for the next one."""
        with uow.begin() as tx:
            set_epoch(tx, 7)
        assert epoch(uow) == 7

    @pytest.mark.parametrize(
        "fault", [Boom(), KeyboardInterrupt(), SystemExit(1)], ids=lambda fault: type(fault).__name__
    )
    def test_any_exception_rolls_back_and_goes_on(self, uow: UnitOfWork[Transaction], fault: BaseException) -> None:
        """Nothing of the block stays, and its caller gets the very exception."""
        with pytest.raises(type(fault)) as raised, uow.begin() as tx:
            set_epoch(tx, 7)
            tx.audit.append([ENTRY])
            raise fault
        assert raised.value is fault
        assert epoch(uow) == 1
        assert entries(uow) == []

    def test_a_transaction_follows_the_one_that_failed(self, uow: UnitOfWork[Transaction]) -> None:
        """A rollback leaves nothing open."""
        for _ in range(3):
            with suppress(Boom), uow.begin() as tx:
                set_epoch(tx, 5)
                raise Boom
            with uow.begin() as tx:
                set_epoch(tx, 7)
        assert epoch(uow) == 7

    # --- joining

    def test_an_inner_begin_joins(self, uow: UnitOfWork[Transaction]) -> None:
        """It sees what the outer block wrote, and leaving it commits nothing."""
        with suppress(Boom), uow.begin() as outer:
            set_epoch(outer, 7)
            with uow.begin() as inner:
                assert inner.accounts.lock(ANNE).epoch == 7
                inner.audit.append([ENTRY])
            assert list(outer.audit.of_user(ANNE)) == [ENTRY]
            raise Boom
        assert epoch(uow) == 1
        assert entries(uow) == []

    def test_the_outermost_block_commits_for_all(self, uow: UnitOfWork[Transaction]) -> None:
        """Blocks that joined are committed once, at the end."""
        with uow.begin(), uow.begin() as middle:
            middle.audit.append([ENTRY])
            with uow.begin() as inner:
                set_epoch(inner, 7)
        assert (epoch(uow), entries(uow)) == (7, [ENTRY])

    def test_an_exception_of_an_inner_block_undoes_the_outer_one(self, uow: UnitOfWork[Transaction]) -> None:
        """There is one transaction, however many blocks it is made of."""
        with suppress(Boom), uow.begin() as outer:
            set_epoch(outer, 7)
            with uow.begin():
                raise Boom
        assert epoch(uow) == 1

    # --- looking

    def test_looking_finds_what_was_committed(self, uow: UnitOfWork[Transaction]) -> None:
        """It returns what the work found; whatever that begins is part of it."""
        with uow.begin() as tx:
            set_epoch(tx, 7)
            tx.audit.append([ENTRY])
        assert uow.look(lambda: entries(uow)) == [ENTRY]
        with uow.begin() as tx:
            set_epoch(tx, 8)
        assert epoch(uow) == 8

    def test_looking_inside_a_transaction_joins_it(self, uow: UnitOfWork[Transaction]) -> None:
        """It finds what was written there, and undoes nothing of it."""
        with uow.begin() as tx:
            tx.audit.append([ENTRY])
            assert uow.look(lambda: entries(uow)) == [ENTRY]
        assert entries(uow) == [ENTRY]

    @pytest.mark.parametrize("deed", [write, count])
    def test_whoever_looks_writes_nothing(
        self, uow: UnitOfWork[Transaction], deed: Callable[[Transaction], object]
    ) -> None:
        """It is refused, nothing is kept, and the next transaction is none the worse."""

        def work() -> None:
            with uow.begin() as tx:
                deed(tx)

        uncounted = counts(uow)
        with pytest.raises(NotInUnitOfWork):
            uow.look(work)
        assert (entries(uow), counts(uow)) == ([], uncounted)
        with uow.begin() as tx:
            set_epoch(tx, 7)
        assert epoch(uow) == 7

    def test_what_fails_while_looking_goes_on(self, uow: UnitOfWork[Transaction]) -> None:
        """Its caller gets the very exception, and the next transaction is none the worse."""
        boom = Boom()

        def work() -> None:
            entries(uow)
            raise boom

        with pytest.raises(Boom) as raised:
            uow.look(work)
        assert raised.value is boom
        with uow.begin() as tx:
            set_epoch(tx, 7)
        assert epoch(uow) == 7

    # --- savepoints

    def test_a_savepoint_that_ends_well_keeps_its_writes(self, uow: UnitOfWork[Transaction]) -> None:
        """Without an exception it changes nothing."""
        with uow.begin() as tx, uow.savepoint():
            set_epoch(tx, 7)
        assert epoch(uow) == 7

    def test_a_savepoint_undoes_its_own_writes_and_the_transaction_goes_on(self, uow: UnitOfWork[Transaction]) -> None:
        """What stood before stays, what came inside goes, what comes after is written."""
        with uow.begin() as tx:
            set_epoch(tx, 7)
            with pytest.raises(Boom), uow.savepoint():
                set_epoch(tx, 8)
                tx.audit.append([ENTRY])
                raise Boom
            assert tx.accounts.lock(ANNE).epoch == 7
            assert tx.audit.of_user(ANNE) == ()
            tx.audit.append([attrs.evolve(ENTRY, id="entry-2")])
        assert epoch(uow) == 7
        assert [entry.id for entry in entries(uow)] == ["entry-2"]

    def test_savepoints_nest(self, uow: UnitOfWork[Transaction]) -> None:
        """The outer one undoes the inner one too, also when that ended well."""
        with uow.begin() as tx:
            set_epoch(tx, 2)
            with suppress(Boom), uow.savepoint():
                set_epoch(tx, 3)
                with uow.savepoint():
                    set_epoch(tx, 4)
                with suppress(Boom), uow.savepoint():
                    set_epoch(tx, 5)
                    raise Boom
                assert tx.accounts.lock(ANNE).epoch == 4
                raise Boom
        assert epoch(uow) == 2

    def test_a_savepoint_needs_a_transaction(self, uow: UnitOfWork[Transaction]) -> None:
        """Before, after, and after a failed one there is none."""
        for fault in (None, Boom()):
            with pytest.raises(NotInUnitOfWork), uow.savepoint():
                pytest.fail("entered a savepoint of nothing")
            with suppress(Boom), uow.begin() as tx:
                set_epoch(tx, 7)
                if fault is not None:
                    raise fault
        with pytest.raises(NotInUnitOfWork), uow.savepoint():
            pytest.fail("entered a savepoint of nothing")

    # --- what was counted stays counted

    @pytest.mark.parametrize("fault", [Boom, KeyboardInterrupt])
    def test_counts_outlive_a_rollback(self, uow: UnitOfWork[Transaction], fault: type[BaseException]) -> None:
        """A guess that was counted stays counted, once, whatever became of the command."""
        with suppress(fault), uow.begin() as tx:
            count(tx)
            raise fault
        assert counts(uow) == (1, BUDGET.limit - 1)

    def test_counts_of_an_inner_block_outlive_a_rollback(self, uow: UnitOfWork[Transaction]) -> None:
        """The same for a service that joined."""
        with suppress(Boom), uow.begin():
            with uow.begin() as inner:
                count(inner)
            raise Boom
        assert counts(uow) == (1, BUDGET.limit - 1)

    def test_counts_outlive_a_savepoint(self, uow: UnitOfWork[Transaction]) -> None:
        """They are there in the very transaction, and after it."""
        with uow.begin() as tx:
            count(tx)
            with suppress(Boom), uow.savepoint():
                count(tx)
                raise Boom
            assert tx.attempts.read("guess") == 2
        assert counts(uow) == (2, BUDGET.limit - 2)

    def test_counts_outlive_savepoint_and_rollback_once(self, uow: UnitOfWork[Transaction]) -> None:
        """Two undoings do not count twice."""
        with suppress(Boom), uow.begin() as tx:
            with suppress(Boom), uow.savepoint(), uow.savepoint():
                count(tx)
                raise Boom
            raise Boom
        assert counts(uow) == (1, BUDGET.limit - 1)

    def test_counts_that_were_committed_are_not_repeated(self, uow: UnitOfWork[Transaction]) -> None:
        """A later failure repeats its own counts only."""
        with uow.begin() as tx:
            count(tx)
        with suppress(Boom), uow.begin() as tx:
            count(tx)
            raise Boom
        assert counts(uow) == (2, BUDGET.limit - 2)

    # --- a failed statement

    def test_a_violated_rule_inside_a_savepoint_is_an_answer(self, uow: UnitOfWork[Transaction]) -> None:
        """The exception is ours, the savepoint undoes it, and everything else is committed."""
        with uow.begin() as tx:
            tx.audit.append([ENTRY])
            with pytest.raises(UniqueViolated), uow.savepoint():
                set_epoch(tx, 8)
                tx.audit.append([ENTRY])
                tx.audit.of_user(ANNE)  # an adapter may write what was appended when it is read
            set_epoch(tx, 7)
        assert (epoch(uow), entries(uow)) == (7, [ENTRY])

    def test_a_violated_rule_caught_elsewhere_commits_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """Leaving such a block raises, so that nobody takes a lost transaction for a committed one."""
        with pytest.raises(DatabaseError), uow.begin() as tx:
            count(tx)
            set_epoch(tx, 7)
            tx.audit.append([ENTRY])
            with suppress(UniqueViolated):
                tx.audit.append([ENTRY])
                tx.audit.of_user(ANNE)  # an adapter may write what was appended when it is read
        assert (epoch(uow), entries(uow)) == (1, [])
        assert counts(uow) == (1, BUDGET.limit - 1)

    # --- isolation

    def test_threads_do_not_join_each_other(self, uow: UnitOfWork[Transaction]) -> None:
        """Each of many threads has a transaction of its own, and all of them are committed."""

        def write(number: int) -> None:
            with uow.begin() as tx:
                tx.audit.append([attrs.evolve(ENTRY, id=f"entry-{number}")])

        at_once(write)
        assert {entry.id for entry in entries(uow)} == {f"entry-{number}" for number in range(THREADS)}

    def test_nobody_reads_what_is_not_committed(self, uow: UnitOfWork[Transaction]) -> None:
        """Another thread waits, or reads what stood before; what is rolled back it never sees."""
        seen: list[list[AuditEntry]] = []
        reader = threading.Thread(target=lambda: seen.append(entries(uow)), daemon=True)
        with suppress(Boom), uow.begin() as tx:
            tx.audit.append([ENTRY])
            reader.start()
            reader.join(PATIENCE)
            raise Boom
        reader.join()
        assert seen == [[]]

    def test_a_thread_with_a_copied_context_does_not_join(self, uow: UnitOfWork[Transaction]) -> None:
        """A transaction belongs to one thread, also where the context was handed on, as ``asyncio.to_thread`` does."""
        seen: list[list[AuditEntry]] = []
        with ThreadPoolExecutor(1) as pool, suppress(Boom), uow.begin() as tx:
            tx.audit.append([ENTRY])
            read = pool.submit(contextvars.copy_context().run, lambda: seen.append(entries(uow)))
            wait([read], PATIENCE)
            raise Boom
        assert seen == [[]]
