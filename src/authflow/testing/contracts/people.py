"""What every ``Users`` must keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.ports import User, UserAddress
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import Boom
from authflow.values import Address, UserId

if TYPE_CHECKING:
    from authflow.ports import Transaction, UnitOfWork

LATER: Final = START + timedelta(days=1, microseconds=1)

ANNE: Final = User(
    id=UserId("anne"),
    label="anne",
    name="Anne \u00c5ngstr\u00f6m",
    addresses=(
        UserAddress(address=Address("Anne@Example.org"), primary=True, verified_at=START),
        UserAddress(address=Address("anne@work.example"), primary=False),
    ),
)

BEN: Final = User(
    id=UserId("BEN"),
    label="ben@example.org",
    active=False,
    administrator=True,
    addresses=(UserAddress(address=Address("ben@example.org"), primary=True, verified_at=START),),
)


CARA: Final = User(
    id=UserId("cara"),
    label="cara",
    addresses=(UserAddress(address=Address("Cara@Work.example"), primary=True),),
)


class UsersContract:
    """Subclass this, override the fixture `uow` and the two methods, and pytest checks your ``Users``.

    A host whose ids are no free text overrides `key`; one that keeps less of a person overrides `kept`.
    """

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def add_user(self, tx: Transaction, user: User) -> None:
        """Store *user* with their addresses, as the host does when somebody registers."""
        raise NotImplementedError

    def add_password_reset(self, tx: Transaction, user: UserId) -> None:
        """Store one more outstanding lost-password token of *user*."""
        raise NotImplementedError

    def key(self, name: str) -> UserId:
        """Return the id of the person whom the suite calls *name*: always the same, another for every name."""
        return UserId(name)

    def kept(self, user: User) -> User:
        """Return *user* as the host keeps them, where it has one address each, or a flag instead of an instant."""
        return user

    def people(self, tx: Transaction, *users: User) -> list[User]:
        """Store *users* under ids of the host's; return them as the host keeps them."""
        named = [attrs.evolve(user, id=self.key(user.id)) for user in users]
        for user in named:
            self.add_user(tx, user)
        return [self.kept(user) for user in named]

    @pytest.mark.parametrize("user", [ANNE, BEN, CARA, User(id=UserId("c"), label="c")], ids=lambda user: user.id)
    def test_returns_whom_the_host_stored(self, uow: UnitOfWork[Transaction], user: User) -> None:
        """Every field and every address comes back; addresses come in any order."""
        with uow.begin() as tx:
            (stored,) = self.people(tx, user)
            assert _sorted(tx.users.get(stored.id)) == _sorted(stored)
        with uow.begin() as tx:
            assert _sorted(tx.users.get(stored.id)) == _sorted(stored)

    def test_an_unknown_person_is_none(self, uow: UnitOfWork[Transaction]) -> None:
        """Ids compare exactly: letter case and blanks count, and what is no id of the host's is nobody's."""
        with uow.begin() as tx:
            (anne,) = self.people(tx, ANNE)
            others = (self.key("nobody"), self.key("ANNE"), f"{anne.id} ", f" {anne.id}", f"0{anne.id}", "", "nobody")
            assert [tx.users.get(UserId(other)) for other in others] == [None] * len(others)

    def test_only_verified_addresses_resolve(self, uow: UnitOfWork[Transaction]) -> None:
        """An address that nobody proved leads to nobody (decision 19)."""
        with uow.begin() as tx:
            anne, _ = self.people(tx, ANNE, CARA)
            assert tx.users.holders(Address("anne@example.org")) == (anne.id,)
            for nobodys in ("anne@work.example", "cara@work.example", "nobody@example.org", ""):
                assert tx.users.holders(Address(nobodys)) == ()

    @pytest.mark.parametrize("alike", ["ANNE@EXAMPLE.ORG", "anne@example.org"])
    def test_capitals_do_not_tell_addresses_apart(self, uow: UnitOfWork[Transaction], alike: str) -> None:
        """ASCII letters fold."""
        with uow.begin() as tx:
            (anne,) = self.people(tx, ANNE)
            assert tx.users.holders(Address(alike)) == (anne.id,)

    @pytest.mark.parametrize(
        "other", ["\uff41nne@example.org", "ann\u00e9@example.org", "anne@\u0435xample.org", "anne@example.org "]
    )
    def test_nothing_else_is_alike(self, uow: UnitOfWork[Transaction], other: str) -> None:
        """Neither accents nor foreign look-alikes fold (CVE-2019-19844)."""
        with uow.begin() as tx:
            self.people(tx, ANNE)
            assert tx.users.holders(Address(other)) == ()

    def test_capitals_fold_in_ascii_only(self, uow: UnitOfWork[Transaction]) -> None:
        """Another database's small letters may: they still make two addresses."""
        with uow.begin() as tx:
            accented = UserAddress(address=Address("\u00c9VE@example.org"), primary=True, verified_at=START)
            (eve,) = self.people(tx, User(id=UserId("eve"), label="eve", addresses=(accented,)))
            assert tx.users.holders(Address("\u00c9ve@EXAMPLE.org")) == (eve.id,)
            assert tx.users.holders(Address("\u00e9ve@example.org")) == ()
            assert tx.users.record_verified(eve.id, Address("\u00e9ve@example.org"), LATER) is False

    def test_everybody_who_holds_an_address_is_found_in_order(self, uow: UnitOfWork[Transaction]) -> None:
        """By their ids, compared as bytes: capitals come first."""
        with uow.begin() as tx:
            stored: list[User] = []
            for name, text in (
                ("b", "Anne@Example.org"),
                ("a", "anne@Example.org"),
                ("C", "anne@example.org"),
                ("a-1", "ANNE@example.org"),
                ("B", "anne@example.ORG"),
            ):
                own = UserAddress(address=Address(text), primary=True, verified_at=START)
                stored += self.people(tx, User(id=UserId(name), label=name, addresses=(own,)))
            assert tx.users.holders(Address("aNNE@example.org")) == tuple(sorted(user.id for user in stored))

    @pytest.mark.parametrize("whose", [ANNE, CARA], ids=lambda user: user.id)
    def test_records_that_the_host_verified_an_address(self, uow: UnitOfWork[Transaction], whose: User) -> None:
        """At once, and for that address only."""
        proven = attrs.evolve(whose.addresses[-1], verified_at=LATER)
        with uow.begin() as tx:
            (before,) = self.people(tx, whose)
            holding = len(before.addresses) == len(whose.addresses)  # a host that keeps one address has the first only
            after = self.kept(attrs.evolve(whose, id=before.id, addresses=(*whose.addresses[:-1], proven)))
            assert tx.users.get(before.id) is not None
            assert tx.users.record_verified(before.id, Address(proven.address.upper()), LATER) is holding
            assert _sorted(tx.users.get(before.id)) == _sorted(after if holding else before)
        with uow.begin() as tx:
            assert _sorted(tx.users.get(before.id)) == _sorted(after if holding else before)
            assert tx.users.holders(proven.address) == ((before.id,) if holding else ())

    def test_verifies_nothing_that_the_person_does_not_hold(self, uow: UnitOfWork[Transaction]) -> None:
        """Somebody else's address, an unknown one, an unknown person: false, and nothing changes."""
        with uow.begin() as tx:
            cara, ben = self.people(tx, CARA, BEN)
            assert tx.users.record_verified(ben.id, CARA.addresses[0].address, LATER) is False
            assert tx.users.record_verified(cara.id, Address("cara@nowhere.example"), LATER) is False
            for nobody in (self.key("nobody"), UserId("nobody"), UserId("")):
                assert tx.users.record_verified(nobody, CARA.addresses[0].address, LATER) is False
            assert tx.users.holders(CARA.addresses[0].address) == ()

    def test_whoever_did_not_verify_an_address_loses_it(self, uow: UnitOfWork[Transaction]) -> None:
        """However they write it, and nothing else of theirs; a second time there is nobody (decision 19)."""
        alike = UserAddress(address=Address("CARA@work.example"), primary=True)
        dan = User(id=UserId("dan"), label="dan", addresses=(alike,))
        eve = attrs.evolve(dan, id=UserId("eve"), label="eve")
        with uow.begin() as tx:
            cara, dan, eve, ben = self.people(tx, CARA, dan, eve, BEN)
            losers = tuple(sorted([dan.id, eve.id]))
            wanted = Address("cara@WORK.example")
            assert [tx.users.drop_unverified(wanted, keep=cara.id) for _ in range(2)] == [losers, ()]
        with uow.begin() as tx:
            assert _sorted(tx.users.get(cara.id)) == _sorted(cara)
            assert _sorted(tx.users.get(ben.id)) == _sorted(ben)
            for loser in losers:
                left = tx.users.get(loser)
                assert left is not None
                assert left.addresses == ()

    def test_a_verified_address_is_lost_to_nobody(self, uow: UnitOfWork[Transaction]) -> None:
        """And of an unknown one, or one that only looks alike, there is nobody to lose it."""
        with uow.begin() as tx:
            anne, cara = self.people(tx, ANNE, CARA)
            for wanted in ("anne@example.org", "cara@nowhere.example", "c\u0251ra@work.example", ""):
                assert tx.users.drop_unverified(Address(wanted), keep=self.key("ben")) == ()
            assert tx.users.drop_unverified(CARA.addresses[0].address, keep=cara.id) == ()
            assert _sorted(tx.users.get(anne.id)) == _sorted(anne)
            assert _sorted(tx.users.get(cara.id)) == _sorted(cara)

    def test_drops_every_password_reset_of_one_person(self, uow: UnitOfWork[Transaction]) -> None:
        """And says how many there were."""
        with uow.begin() as tx:
            anne, ben = self.people(tx, ANNE, BEN)
            for user in (anne, ben, anne):
                self.add_password_reset(tx, user.id)
            assert [tx.users.drop_password_resets(anne.id) for _ in range(2)] == [2, 0]
            assert tx.users.drop_password_resets(UserId("nobody")) == 0
            assert tx.users.drop_password_resets(ben.id) == 1

    def test_removes_a_person_with_addresses_and_resets(self, uow: UnitOfWork[Transaction]) -> None:
        """Nobody else loses anything; a second time there is none."""
        with uow.begin() as tx:
            anne, ben = self.people(tx, ANNE, BEN)
            for user in (anne, ben):
                self.add_password_reset(tx, user.id)
            assert [tx.users.remove(user) for user in (anne.id, anne.id, UserId("nobody"))] == [True, False, False]
        with uow.begin() as tx:
            assert tx.users.get(anne.id) is None
            assert tx.users.holders(Address("anne@example.org")) == ()
            assert tx.users.drop_password_resets(anne.id) == 0
            assert _sorted(tx.users.get(ben.id)) == _sorted(ben)
            assert tx.users.drop_password_resets(ben.id) == 1

    def test_what_is_undone_is_read_as_it_was(self, uow: UnitOfWork[Transaction]) -> None:
        """No repository goes on believing what a savepoint undid."""
        with uow.begin() as tx:
            cara, ben = self.people(tx, CARA, BEN)
            with suppress(Boom), uow.savepoint():
                assert tx.users.record_verified(cara.id, CARA.addresses[0].address, LATER) is True
                assert tx.users.remove(ben.id) is True
                assert _sorted(tx.users.get(cara.id)) != _sorted(cara)
                raise Boom
            assert _sorted(tx.users.get(cara.id)) == _sorted(cara)
            assert _sorted(tx.users.get(ben.id)) == _sorted(ben)


def _sorted(user: User | None) -> User | None:
    return user and attrs.evolve(user, addresses=tuple(sorted(user.addresses, key=lambda a: a.address)))
