"""What every store of things that are accepted once must keep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from authflow.sso.kinds import Single
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import Boom
from authflow.testing.contracts.links import ALIKE
from authflow.testing.contracts.providers import CROWDS
from authflow.testing.contracts.threads import at_once

if TYPE_CHECKING:
    from authflow.ports import UnitOfWork
    from authflow.sso.ports import SsoTransaction

TICK: Final = timedelta(microseconds=1)
KEYS: Final = (*ALIKE, "a" * 5000, "a" * 5001, "\x00", "\x00\x00", "\ud800", "https://idp.example#_1")


class SingleUseContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``SingleUse``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SsoTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_each_is_accepted_once(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Whatever it is called and however long that is; in this transaction, in the next, and after it expired."""
        for key in KEYS:
            with uow.begin() as tx:
                spent = [tx.single_use.spend(Single(key=key, expires_at=START)) for _ in range(2)]
                assert spent == [True, False]
        with uow.begin() as tx:
            late = START + timedelta(days=1)
            assert not any(tx.single_use.spend(Single(key=key, expires_at=late)) for key in KEYS)

    def test_what_is_undone_was_not_accepted(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """With the transaction, or back to a savepoint: what the answer was for was not done either."""
        single = Single(key="once", expires_at=START)
        with pytest.raises(Boom), uow.begin() as tx:
            assert tx.single_use.spend(single)
            raise Boom
        with uow.begin() as tx:
            with pytest.raises(Boom), uow.savepoint():
                assert tx.single_use.spend(single)
                raise Boom
            assert [tx.single_use.spend(single) for _ in range(2)] == [True, False]

    def test_a_sweep_forgets_what_has_expired(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Not before: until then it could come once more."""
        with uow.begin() as tx:
            for number in range(3):
                tx.single_use.spend(Single(key=f"{number}", expires_at=START + number * TICK))
        with uow.begin() as tx:
            assert [tx.single_use.sweep(START + TICK) for _ in range(2)] == [1, 0]
            assert tx.single_use.spend(Single(key="0", expires_at=START))
            assert not tx.single_use.spend(Single(key="1", expires_at=START))

    @pytest.mark.parametrize("workers", CROWDS)
    def test_one_of_many_threads_is_accepted(self, uow: UnitOfWork[SsoTransaction], workers: int) -> None:
        """Round after round; one INSERT decides."""
        for round_ in range(3):

            def spend(_number: int, key: str = f"{round_}") -> bool:
                with uow.begin() as tx:
                    return tx.single_use.spend(Single(key=key, expires_at=START))

            assert sum(at_once(spend, threads=workers)) == 1
