"""What whoever makes accounts must keep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from authflow.errors import UniqueViolated
from authflow.sso.identity import NAME_MAX
from authflow.sso.ports import Newcomer
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import Boom
from authflow.values import Address, UserId, fold_address

if TYPE_CHECKING:
    from authflow.ports import UnitOfWork
    from authflow.sso.ports import Registrar, SsoTransaction

ASSERTED: Final = Address("Root@Example.org")
PROVED_AT: Final = START - timedelta(microseconds=1)


class RegistrarContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``Registrar``.

    It asks for people only by the id that `register` returned, so a host may name them as it likes.
    """

    @pytest.fixture
    def uow(self) -> UnitOfWork[SsoTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def test_a_newcomer_is_somebody_from_now_on(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Active, nobody's administrator, with the one address, verified if somebody said so, and the longest name."""
        name = "\N{PILE OF POO}" * NAME_MAX
        for number, verified_at in enumerate((PROVED_AT, None)):
            with uow.begin() as tx:
                user = _registrar(tx).register(_newcomer(number, name=name, verified=verified_at is not None))
            with uow.begin() as tx:
                person = tx.users.get(user)
                assert person is not None
                (address,) = person.addresses
                assert (person.id, person.active, person.administrator) == (user, True, False)
                assert (fold_address(address.address), address.primary) == (fold_address(ASSERTED), True)
                assert (address.verified_at is not None) is (verified_at is not None)
                assert (user in tx.users.holders(ASSERTED)) is (verified_at is not None)

    def test_nobody_is_called_as_a_provider_says(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Two who are said to be the same are two, and neither has a username that was asserted."""
        with uow.begin() as tx:
            users = [_registrar(tx).register(_newcomer(number, name="root")) for number in range(2)]
            people = [tx.users.get(user) for user in users]
        labels = [person.label for person in people if person is not None]
        assert len(set(labels)) == 2
        assert not any(said in label.lower() for label in labels for said in ("root", "example"))

    def test_what_is_undone_is_nobody(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """A savepoint takes the whole account back, and the same newcomer can be registered once more."""
        newcomer, undone = _newcomer(1), UserId("")
        with uow.begin() as tx:
            with pytest.raises(Boom), uow.savepoint():
                undone = _registrar(tx).register(newcomer)
                raise Boom
            assert undone
            assert tx.users.get(undone) is None
            assert tx.users.get(_registrar(tx).register(newcomer)) is not None


class OwnRegistrarContract(RegistrarContract):
    """For a registrar that keeps the id it is given."""

    def test_an_id_is_given_once(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """A second account under it is refused, and the first one stays."""
        with uow.begin() as tx:
            assert _registrar(tx).register(_newcomer(1)) == _newcomer(1).id
            with pytest.raises(UniqueViolated) as refusal, uow.savepoint():
                _registrar(tx).register(_newcomer(1, name="another"))
            assert refusal.value.rule == "primary_key"
            person = tx.users.get(_newcomer(1).id)
            assert person is not None
            assert person.name == "Ada"


def _registrar(tx: SsoTransaction) -> Registrar:
    assert tx.registrar is not None
    return tx.registrar


def _newcomer(number: int, *, name: str = "Ada", verified: bool = False) -> Newcomer:
    verified_at = PROVED_AT if verified else None
    return Newcomer(id=UserId(f"{number}x7q2m5k"), name=name, address=ASSERTED, verified_at=verified_at)
