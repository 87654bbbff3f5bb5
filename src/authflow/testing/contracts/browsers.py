"""What every store of known browsers, and of the links mailed after a reset, must keep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from authflow.errors import UniqueViolated
from authflow.sessions.states import Device, ResetLink
from authflow.testing.clocks import START
from authflow.testing.contracts.sessions import ANNE, BEN, HOUR, INSTANT
from authflow.testing.contracts.threads import at_once

if TYPE_CHECKING:
    from authflow.ports import UnitOfWork
    from authflow.sessions.ports import SessionsTransaction
    from authflow.values import UserId


class DevicesContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``Devices``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SessionsTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_known_browsers_come_least_recently_used_first(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """A browser that is used moves to the end; an unknown one changes nothing."""
        with uow.begin() as tx:
            for number in (3, 1, 2):
                tx.devices.add(_device(number))
        with uow.begin() as tx:
            assert tx.devices.of_user(ANNE) == (_device(1), _device(2), _device(3))
            tx.devices.touch(_digest(1), INSTANT + HOUR)
            tx.devices.touch(_digest(9), INSTANT + HOUR)
            used = attrs.evolve(_device(1), last_used_at=INSTANT + HOUR)
            assert tx.devices.of_user(ANNE) == (_device(2), _device(3), used)
            assert tx.devices.of_user(BEN) == ()

    def test_known_browsers_are_forgotten(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """One by one or all of a person's, and nobody else's."""
        with uow.begin() as tx:
            for device in (_device(1), _device(2), _device(3), _device(4, BEN)):
                tx.devices.add(device)
            assert tx.devices.of_user(ANNE) == (_device(1), _device(2), _device(3))
            tx.devices.remove(_digest(1))
            tx.devices.remove(_digest(9))
            assert tx.devices.of_user(ANNE) == (_device(2), _device(3))
            tx.devices.remove_of_user(ANNE)
            assert tx.devices.of_user(ANNE) == ()
            assert tx.devices.of_user(BEN) == (_device(4, BEN),)

    def test_a_browser_is_known_at_once(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """Also where the transaction has asked before."""
        with uow.begin() as tx:
            assert tx.devices.of_user(ANNE) == ()
            tx.devices.add(_device(1))
            assert tx.devices.of_user(ANNE) == (_device(1),)

    def test_a_browsers_value_is_known_once(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """Two people never share one."""
        with uow.begin() as tx:
            tx.devices.add(_device(1))
        with pytest.raises(UniqueViolated) as refusal, uow.begin() as tx:
            tx.devices.add(_device(1, BEN))
        assert refusal.value.rule == "primary_key"


class ResetLinksContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``ResetLinks``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SessionsTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_a_link_is_spent_once(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """By its own person; then it is gone for everybody, also when a clock goes back."""
        with uow.begin() as tx:
            tx.reset_links.add(_link(1))
            assert tx.reset_links.spend(_digest(1), user=BEN, now=START) is None
            assert tx.reset_links.spend(_digest(9), user=ANNE, now=START) is None
        with uow.begin() as tx:
            assert tx.reset_links.spend(_digest(1), user=ANNE, now=START) == _link(1)
        with uow.begin() as tx:
            assert tx.reset_links.spend(_digest(1), user=ANNE, now=START - HOUR) is None

    def test_another_link_of_the_person_stays_as_it_is(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """Whichever of them is spent."""
        with uow.begin() as tx:
            for number in (1, 2, 3):
                tx.reset_links.add(_link(number))
            assert tx.reset_links.spend(_digest(2), user=ANNE, now=START) == _link(2)
            assert [tx.reset_links.unspent(_digest(n), user=ANNE) for n in (1, 2, 3)] == [True, False, True]

    def test_an_expired_link_is_spent_too(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """Whoever saw it expired keeps it expired (decision 35)."""
        with uow.begin() as tx:
            tx.reset_links.add(_link(1))
            assert tx.reset_links.spend(_digest(1), user=ANNE, now=START + 2 * HOUR) == _link(1)
            assert tx.reset_links.spend(_digest(1), user=ANNE, now=START) is None

    def test_looking_at_a_link_spends_nothing(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """A link is unspent for its own person, until it is spent."""
        with uow.begin() as tx:
            tx.reset_links.add(_link(1))
            assert tx.reset_links.unspent(_digest(1), user=ANNE)
            assert not tx.reset_links.unspent(_digest(1), user=BEN)
            assert not tx.reset_links.unspent(_digest(9), user=ANNE)
            assert tx.reset_links.spend(_digest(1), user=ANNE, now=START) == _link(1)
            assert not tx.reset_links.unspent(_digest(1), user=ANNE)

    def test_one_of_many_spends_a_link(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """One conditional update decides."""
        with uow.begin() as tx:
            tx.reset_links.add(_link(1))

        def spend(_number: int) -> bool:
            with uow.begin() as tx:
                return tx.reset_links.spend(_digest(1), user=ANNE, now=START) is not None

        assert sum(at_once(spend)) == 1

    def test_links_are_removed(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """With their person, or when their time is over."""
        with uow.begin() as tx:
            for link in (_link(1), _link(2), _link(3, BEN)):
                tx.reset_links.add(link)
            assert tx.reset_links.remove_of_user(ANNE) == 2
            assert tx.reset_links.spend(_digest(1), user=ANNE, now=START) is None
            assert tx.reset_links.remove_expired(START + HOUR - timedelta(microseconds=1)) == 0
            assert tx.reset_links.remove_expired(START + HOUR) == 1
            assert tx.reset_links.spend(_digest(3), user=BEN, now=START) is None


def _digest(number: int) -> bytes:
    return bytes([number]) * 32


def _device(number: int, user: UserId = ANNE) -> Device:
    return Device(
        user=user, digest=_digest(number), created_at=INSTANT, last_used_at=INSTANT + number * timedelta(seconds=1)
    )


def _link(number: int, user: UserId = ANNE) -> ResetLink:
    return ResetLink(user=user, digest=_digest(number), expires_at=START + HOUR)
