"""What whoever makes accounts must keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import UniqueViolated
from authflow.sso.identity import NAME_MAX
from authflow.sso.ports import Newcomer
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import Boom
from authflow.values import Address, UserId, same_address

if TYPE_CHECKING:
    from authflow.ports import UnitOfWork
    from authflow.sso.ports import Registrar, SsoTransaction

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
        """Active, nobody's administrator, with the one address, verified if somebody said so, however long the name."""
        for number, verified_at in enumerate((PROVED_AT, None)):
            newcomer = attrs.evolve(_newcomer(number), name="\N{PILE OF POO}" * NAME_MAX, verified_at=verified_at)
            with uow.begin() as tx:
                user = _registrar(tx).register(newcomer)
            with uow.begin() as tx:
                person = tx.users.get(user)
                assert person is not None
                (address,) = person.addresses
                assert (person.id, person.active, person.administrator) == (user, True, False)
                assert (same_address(address.address, newcomer.address), address.primary) == (True, True)
                assert (address.verified_at is not None) is (verified_at is not None)
                assert (user in tx.users.holders(newcomer.address)) is (verified_at is not None)

    def test_nobody_is_found_instead(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Whoever has the address already, verified or not, stays who they are: somebody else is made, or nobody."""
        for number, verified_at in enumerate((PROVED_AT, None)):
            first = attrs.evolve(_newcomer(number), verified_at=verified_at)
            with uow.begin() as tx:
                user = _registrar(tx).register(first)
            again = attrs.evolve(first, id=UserId(f"{number}another"), verified_at=None)
            other: UserId | None = None
            with uow.begin() as tx, suppress(UniqueViolated), uow.savepoint():
                other = _registrar(tx).register(again)
            assert other != user

    def test_what_is_undone_is_nobody(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """A savepoint takes the whole account back, and the same newcomer can be registered once more."""
        newcomer, undone = _newcomer(1), UserId("")
        with uow.begin() as tx:
            with pytest.raises(Boom), uow.savepoint():
                undone = _registrar(tx).register(newcomer)
                raise Boom
            assert undone
            assert tx.users.get(undone) is None
        with uow.begin() as tx:
            assert tx.users.get(_registrar(tx).register(newcomer)) is not None


class OwnRegistrarContract(RegistrarContract):
    """For a registrar that keeps the id it is given, and makes usernames."""

    def test_nobody_is_called_as_a_provider_says(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """Two who are said to be the same are two, and neither has a username that was asserted."""
        with uow.begin() as tx:
            newcomers = (
                attrs.evolve(_newcomer(number), name="root", address=Address("Root@Example.org")) for number in range(2)
            )
            users = [_registrar(tx).register(newcomer) for newcomer in newcomers]
            people = [tx.users.get(user) for user in users]
        labels = [person.label for person in people if person is not None]
        assert len(set(labels)) == 2
        assert not any(word in label.lower() for label in labels for word in ("root", "example"))

    def test_an_id_is_given_once(self, uow: UnitOfWork[SsoTransaction]) -> None:
        """A second account under it is refused, and the first one stays."""
        with uow.begin() as tx:
            assert _registrar(tx).register(_newcomer(1)) == _newcomer(1).id
            with pytest.raises(UniqueViolated) as refusal, uow.savepoint():
                _registrar(tx).register(attrs.evolve(_newcomer(1), name="another"))
            assert refusal.value.rule == "primary_key"
            person = tx.users.get(_newcomer(1).id)
            assert person is not None
            assert (person.name, person.addresses[0].verified_at) == ("Ada", PROVED_AT)


def _registrar(tx: SsoTransaction) -> Registrar:
    assert tx.registrar is not None
    return tx.registrar


def _newcomer(number: int) -> Newcomer:
    address = Address(f"Ada{number}@Example.org")
    return Newcomer(id=UserId(f"{number}x7q2m5k"), name="Ada", address=address, verified_at=PROVED_AT)
