"""What every ``Accounts`` must keep."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.ports import Account
from authflow.testing.contracts.deeds import Boom
from authflow.testing.contracts.people import ANNE, BEN
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import UserId

if TYPE_CHECKING:
    from authflow.ports import Transaction, UnitOfWork


class AccountsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``Accounts``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_locking_makes_the_row(self, uow: UnitOfWork[Transaction]) -> None:
        """A person of whom nothing is known begins in epoch 1 and owes nothing, now and later."""
        fresh = Account(user=ANNE.id, epoch=1, enrollment_required=False)
        for _ in range(2):
            with uow.begin() as tx:
                assert [tx.accounts.lock(ANNE.id), tx.accounts.lock(ANNE.id)] == [fresh, fresh]

    def test_holding_makes_the_rows_and_changes_none(self, uow: UnitOfWork[Transaction]) -> None:
        """Of several people, in any order and twice; each row is then the one that stands."""
        kept = Account(user=ANNE.id, epoch=7)
        with uow.begin() as tx:
            tx.accounts.lock(ANNE.id)
            tx.accounts.save(kept)
        for read in (False, True):
            with uow.begin() as tx:
                tx.accounts.hold((BEN.id, ANNE.id))
                tx.accounts.hold((ANNE.id,))
                ask = tx.accounts.read if read else tx.accounts.lock
                assert [ask(ANNE.id), ask(BEN.id)] == [kept, Account(user=BEN.id, epoch=1)]

    def test_whoever_is_held_can_be_saved_and_removed(self, uow: UnitOfWork[Transaction]) -> None:
        """Without having been read first."""
        kept = Account(user=ANNE.id, epoch=7)
        with uow.begin() as tx:
            tx.accounts.hold((ANNE.id, BEN.id))
            tx.accounts.save(kept)
            tx.accounts.remove(BEN.id)
            assert tx.accounts.read(ANNE.id) == kept
        with uow.begin() as tx:
            assert [tx.accounts.read(ANNE.id), tx.accounts.read(BEN.id)] == [kept, Account(user=BEN.id, epoch=1)]

    @pytest.mark.parametrize(
        "account", [Account(user=ANNE.id, epoch=7), Account(user=ANNE.id, epoch=2**31 - 1, enrollment_required=True)]
    )
    def test_returns_what_was_saved(self, uow: UnitOfWork[Transaction], account: Account) -> None:
        """In this transaction and in the next."""
        with uow.begin() as tx:
            tx.accounts.lock(ANNE.id)
            tx.accounts.save(account)
            assert tx.accounts.lock(ANNE.id) == account
        with uow.begin() as tx:
            assert tx.accounts.lock(ANNE.id) == account

    def test_reading_says_what_locking_would(self, uow: UnitOfWork[Transaction]) -> None:
        """Of a person of whom nothing is known, of one who was locked here, and of one who was saved before."""
        with uow.begin() as tx:
            assert tx.accounts.read(ANNE.id) == Account(user=ANNE.id, epoch=1) == tx.accounts.lock(ANNE.id)
            saved = Account(user=ANNE.id, epoch=7, enrollment_required=True)
            tx.accounts.save(saved)
            assert tx.accounts.read(ANNE.id) == saved
        with uow.begin() as tx:
            assert (tx.accounts.read(ANNE.id), tx.accounts.read(BEN.id).epoch) == (saved, 1)
            tx.accounts.remove(ANNE.id)
            assert tx.accounts.read(ANNE.id) == Account(user=ANNE.id, epoch=1)

    def test_persons_share_nothing(self, uow: UnitOfWork[Transaction]) -> None:
        """Ids compare exactly."""
        with uow.begin() as tx:
            tx.accounts.lock(ANNE.id)
            tx.accounts.save(Account(user=ANNE.id, epoch=7))
            assert [tx.accounts.lock(UserId(other)).epoch for other in ("ANNE", "anne ", "BEN")] == [1, 1, 1]

    def test_a_removed_row_begins_anew(self, uow: UnitOfWork[Transaction]) -> None:
        """Removing what is not there is nothing."""
        with uow.begin() as tx:
            tx.accounts.lock(ANNE.id)
            tx.accounts.save(Account(user=ANNE.id, epoch=7))
            for _ in range(2):
                tx.accounts.remove(ANNE.id)
            assert tx.accounts.lock(ANNE.id) == Account(user=ANNE.id, epoch=1)

    def test_what_is_undone_is_read_as_it_was(self, uow: UnitOfWork[Transaction]) -> None:
        """No repository goes on believing what a savepoint undid."""
        with uow.begin() as tx:
            tx.accounts.lock(ANNE.id)
            tx.accounts.save(Account(user=ANNE.id, epoch=2))
            with suppress(Boom), uow.savepoint():
                tx.accounts.save(Account(user=ANNE.id, epoch=3))
                tx.accounts.lock(BEN.id)
                raise Boom
            assert tx.accounts.lock(ANNE.id).epoch == 2
            assert tx.accounts.lock(BEN.id).epoch == 1

    def test_the_lock_lets_nobody_lose_a_write(self, uow: UnitOfWork[Transaction]) -> None:
        """Of many who read and raise the epoch at once, each raises it by one; the first of them makes the row."""

        def raise_epoch(_number: int) -> int:
            with uow.begin() as tx:
                account = tx.accounts.lock(ANNE.id)
                tx.accounts.save(attrs.evolve(account, epoch=account.epoch + 1))
                return account.epoch

        assert sorted(at_once(raise_epoch)) == list(range(1, THREADS + 1))
        with uow.begin() as tx:
            assert tx.accounts.lock(ANNE.id).epoch == THREADS + 1
