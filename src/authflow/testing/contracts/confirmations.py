"""What every store of mailed confirmation tokens must keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from authflow.accounts.states import Absent, Confirmed, Expired, Mailing, Sent, Voided
from authflow.errors import UniqueViolated
from authflow.testing.contracts.deeds import Boom
from authflow.testing.contracts.sessions import ANNE, BEN, HOUR, INSTANT
from authflow.testing.contracts.threads import at_once
from authflow.values import Address

if TYPE_CHECKING:
    from authflow.accounts.ports import AccountsTransaction
    from authflow.accounts.states import Over
    from authflow.ports import UnitOfWork
    from authflow.values import UserId

TICK: Final = timedelta(microseconds=1)
HOME: Final = Address("Anne@Example.org")
WORK: Final = Address("anne@work.example")
LONG: Final = Address(f"{'a' * 64}@{'b' * 181}.example")


class ConfirmationsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``ConfirmationRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[AccountsTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    @pytest.mark.parametrize("end", [Confirmed, Expired, Voided], ids=lambda end: end.__name__)
    def test_returns_what_was_stored(self, uow: UnitOfWork[AccountsTransaction], end: type[Over]) -> None:
        """With and without a lock, in this transaction and in the next; what is unknown is absent."""
        sent = _sent(1, address=LONG)
        over = end(mailing=sent.mailing, at=INSTANT + TICK)
        with uow.begin() as tx:
            tx.confirmations.add(sent)
            assert tx.confirmations.load(_digest(1)) == sent
        with uow.begin() as tx:
            assert [tx.confirmations.load(_digest(1), lock=lock) for lock in (True, False)] == [sent, sent]
            assert [tx.confirmations.load(_digest(9), lock=lock) for lock in (True, False)] == [Absent(), Absent()]
            assert tx.confirmations.close(sent, over) is True
            assert tx.confirmations.load(_digest(1)) == over
        with uow.begin() as tx:
            assert tx.confirmations.load(_digest(1), lock=True) == over

    def test_a_token_is_stored_once(self, uow: UnitOfWork[AccountsTransaction]) -> None:
        """Two people never share one."""
        with uow.begin() as tx:
            tx.confirmations.add(_sent(1))
        with pytest.raises(UniqueViolated) as refusal, uow.begin() as tx:
            tx.confirmations.add(_sent(1, BEN))
        assert refusal.value.rule == "primary_key"

    def test_a_token_ends_once(self, uow: UnitOfWork[AccountsTransaction]) -> None:
        """Whatever ended it first stays."""
        sent = _sent(1)
        used, late = Confirmed(mailing=sent.mailing, at=INSTANT), Expired(mailing=sent.mailing, at=INSTANT)
        with uow.begin() as tx:
            assert tx.confirmations.close(sent, used) is False
            tx.confirmations.add(sent)
            assert [tx.confirmations.close(sent, end) for end in (used, used, late)] == [True, False, False]
            assert tx.confirmations.void(HOME, INSTANT) == 0
            assert tx.confirmations.load(_digest(1)) == used

    def test_one_of_many_ends_a_token(self, uow: UnitOfWork[AccountsTransaction]) -> None:
        """One conditional update decides."""
        sent = _sent(1)
        with uow.begin() as tx:
            tx.confirmations.add(sent)

        def close(_number: int) -> bool:
            with uow.begin() as tx:
                return tx.confirmations.close(sent, Confirmed(mailing=sent.mailing, at=INSTANT))

        assert sum(at_once(close)) == 1

    def test_whoever_holds_a_token_sees_the_last_that_happened_to_it(
        self, uow: UnitOfWork[AccountsTransaction]
    ) -> None:
        """Of many who lock it and end it if it waits, one does."""
        sent = _sent(1)
        with uow.begin() as tx:
            tx.confirmations.add(sent)

        def look_and_close(_number: int) -> bool:
            with uow.begin() as tx:
                if not isinstance(tx.confirmations.load(_digest(1), lock=True), Sent):
                    return False
                assert tx.confirmations.close(sent, Voided(mailing=sent.mailing, at=INSTANT))
                return True

        assert sum(at_once(look_and_close)) == 1

    def test_what_waits_for_an_address_is_held(self, uow: UnitOfWork[AccountsTransaction]) -> None:
        """However the address is written, whoever it is for, and in one order: so nobody deadlocks."""
        mine, theirs, other, used = _sent(1), _sent(2, BEN), _sent(3, address=WORK), _sent(4)
        with uow.begin() as tx:
            for sent in (theirs, used, other, mine):
                tx.confirmations.add(sent)
            tx.confirmations.close(used, Confirmed(mailing=used.mailing, at=INSTANT))

        def hold_and_void(_number: int) -> int:
            with uow.begin() as tx:
                held = tx.confirmations.hold(Address("ANNE@example.ORG"), INSTANT)
                assert set(held) in ({mine, theirs}, set())
                return tx.confirmations.void(HOME, INSTANT)

        assert sum(at_once(hold_and_void)) == 2
        with uow.begin() as tx:
            assert (tx.confirmations.hold(HOME, INSTANT), tx.confirmations.hold(WORK, INSTANT)) == ((), (other,))

    def test_of_many_who_verify_an_address_one_decides_after_the_other(
        self, uow: UnitOfWork[AccountsTransaction]
    ) -> None:
        """Where no token waits too: whoever comes after sees what the one before wrote."""

        def verify(number: int) -> bool:
            with uow.begin() as tx:
                tx.confirmations.hold(Address("Anne@Example.org"), INSTANT)
                if tx.confirmations.of_user(BEN):
                    return False
                tx.confirmations.add(_sent(number, BEN))
                return True

        assert sum(at_once(verify)) == 1

    def test_every_token_to_an_address_is_voided(self, uow: UnitOfWork[AccountsTransaction]) -> None:
        """Of everybody or of one person, however the address is written; no other one, and none that is over."""
        mine, theirs, other, used = _sent(1), _sent(2, BEN), _sent(3, address=WORK), _sent(4)
        over = Confirmed(mailing=used.mailing, at=INSTANT)
        with uow.begin() as tx:
            for sent in (mine, theirs, other, used):
                tx.confirmations.add(sent)
            tx.confirmations.close(used, over)
            assert tx.confirmations.void(Address("ANNE@example.ORG"), INSTANT + HOUR, user=ANNE) == 1
            assert tx.confirmations.load(_digest(2)) == theirs
            assert tx.confirmations.void(Address("anne@example.org"), INSTANT + HOUR) == 1
        with uow.begin() as tx:
            voided = [Voided(mailing=sent.mailing, at=INSTANT + HOUR) for sent in (mine, theirs)]
            assert [tx.confirmations.load(_digest(number)) for number in (1, 2, 3, 4)] == [*voided, other, over]
            assert tx.confirmations.void(Address("\u0251nne@work.example"), INSTANT) == 0

    def test_the_rows_of_a_person_come_in_the_order_of_their_end(self, uow: UnitOfWork[AccountsTransaction]) -> None:
        """And nobody else's; removed, they are gone."""
        late, early, theirs = _sent(1, life=3 * HOUR), _sent(2, address=WORK), _sent(3, BEN)
        with uow.begin() as tx:
            for sent in (late, early, theirs):
                tx.confirmations.add(sent)
            voided = Voided(mailing=early.mailing, at=INSTANT)
            tx.confirmations.close(early, voided)
            assert tx.confirmations.of_user(ANNE) == (voided, late)
            assert [tx.confirmations.remove_of_user(ANNE) for _ in range(2)] == [2, 0]
            assert (tx.confirmations.of_user(ANNE), tx.confirmations.of_user(BEN)) == ((), (theirs,))

    def test_what_expired_before_an_instant_is_removed(self, uow: UnitOfWork[AccountsTransaction]) -> None:
        """Used or not."""
        used, waiting = _sent(1), _sent(2)
        with uow.begin() as tx:
            for sent in (used, waiting, _sent(3, life=2 * HOUR)):
                tx.confirmations.add(sent)
            tx.confirmations.close(used, Confirmed(mailing=used.mailing, at=INSTANT))
            assert [tx.confirmations.remove_over(INSTANT + HOUR + late) for late in (0 * TICK, TICK, TICK)] == [0, 2, 0]
            assert len(tx.confirmations.of_user(ANNE)) == 1

    def test_what_is_undone_is_read_as_it_was(self, uow: UnitOfWork[AccountsTransaction]) -> None:
        """A savepoint gives a token back."""
        sent = _sent(1)
        with uow.begin() as tx:
            tx.confirmations.add(sent)
            with suppress(Boom), uow.savepoint():
                tx.confirmations.void(HOME, INSTANT)
                raise Boom
            assert tx.confirmations.load(_digest(1)) == sent


def _digest(number: int) -> bytes:
    return bytes([number]) * 32


def _sent(number: int, user: UserId = ANNE, *, address: Address = HOME, life: timedelta = HOUR) -> Sent:
    mailing = Mailing(user=user, address=address, token=_digest(number), expires_at=INSTANT + life)
    return Sent(mailing=mailing)
