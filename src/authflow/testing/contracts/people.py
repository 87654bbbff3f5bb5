"""What every ``Users``, ``Organizations`` and ``Accounts`` must keep."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.ports import Account, Organization, User, UserAddress
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.testing.contracts.unit_of_work import Boom
from authflow.values import Address, OrganizationId, ProjectId, Role, UserId

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


class UsersContract:
    """Subclass this, override the fixture `uow` and the two methods, and pytest checks your ``Users``."""

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

    @pytest.mark.parametrize("user", [ANNE, BEN, User(id=UserId("c"), label="c")], ids=lambda user: user.id)
    def test_returns_whom_the_host_stored(self, uow: UnitOfWork[Transaction], user: User) -> None:
        """Every field and every address comes back; addresses come in any order."""
        with uow.begin() as tx:
            self.add_user(tx, user)
            assert _sorted(tx.users.get(user.id)) == _sorted(user)
        with uow.begin() as tx:
            assert _sorted(tx.users.get(user.id)) == _sorted(user)

    def test_an_unknown_person_is_none(self, uow: UnitOfWork[Transaction]) -> None:
        """Ids compare exactly: letter case and blanks count."""
        with uow.begin() as tx:
            self.add_user(tx, ANNE)
            assert [tx.users.get(UserId(other)) for other in ("nobody", "ANNE", "anne ", "")] == [None] * 4

    def test_only_verified_addresses_resolve(self, uow: UnitOfWork[Transaction]) -> None:
        """An address that nobody proved leads to nobody (decision 19)."""
        with uow.begin() as tx:
            self.add_user(tx, ANNE)
            assert tx.users.holders(Address("anne@example.org")) == (ANNE.id,)
            assert tx.users.holders(Address("anne@work.example")) == ()
            assert tx.users.holders(Address("nobody@example.org")) == ()

    @pytest.mark.parametrize("alike", ["ANNE@EXAMPLE.ORG", "anne@example.org"])
    def test_capitals_do_not_tell_addresses_apart(self, uow: UnitOfWork[Transaction], alike: str) -> None:
        """ASCII letters fold."""
        with uow.begin() as tx:
            self.add_user(tx, ANNE)
            assert tx.users.holders(Address(alike)) == (ANNE.id,)

    @pytest.mark.parametrize(
        "other", ["\uff41nne@example.org", "ann\u00e9@example.org", "anne@\u0435xample.org", "anne@example.org "]
    )
    def test_nothing_else_is_alike(self, uow: UnitOfWork[Transaction], other: str) -> None:
        """Neither accents nor foreign look-alikes fold (CVE-2019-19844)."""
        with uow.begin() as tx:
            self.add_user(tx, ANNE)
            assert tx.users.holders(Address(other)) == ()

    def test_everybody_who_holds_an_address_is_found_in_order(self, uow: UnitOfWork[Transaction]) -> None:
        """By their ids, compared as bytes: capitals come first."""
        shared = UserAddress(address=Address("Anne@Example.org"), primary=True, verified_at=START)
        with uow.begin() as tx:
            for key in ("b", "a", "C", "a-1", "B"):
                self.add_user(tx, User(id=UserId(key), label=key, addresses=(shared,)))
            assert tx.users.holders(shared.address) == ("B", "C", "a", "a-1", "b")

    def test_records_that_the_host_verified_an_address(self, uow: UnitOfWork[Transaction]) -> None:
        """At once, and for that address only."""
        with uow.begin() as tx:
            self.add_user(tx, ANNE)
            assert tx.users.get(ANNE.id) is not None
            assert tx.users.record_verified(ANNE.id, Address("ANNE@work.example"), LATER) is True
            assert _proven(tx, ANNE.id) == {"Anne@Example.org": START, "anne@work.example": LATER}
        with uow.begin() as tx:
            assert _proven(tx, ANNE.id) == {"Anne@Example.org": START, "anne@work.example": LATER}
            assert tx.users.holders(Address("anne@work.example")) == (ANNE.id,)

    def test_verifies_nothing_that_the_person_does_not_hold(self, uow: UnitOfWork[Transaction]) -> None:
        """Somebody else's address, an unknown one, an unknown person: false, and nothing changes."""
        with uow.begin() as tx:
            self.add_user(tx, ANNE)
            self.add_user(tx, BEN)
            assert tx.users.record_verified(BEN.id, Address("anne@work.example"), LATER) is False
            assert tx.users.record_verified(ANNE.id, Address("anne@nowhere.example"), LATER) is False
            assert tx.users.record_verified(UserId("nobody"), Address("anne@work.example"), LATER) is False
            assert tx.users.holders(Address("anne@work.example")) == ()

    def test_drops_every_password_reset_of_one_person(self, uow: UnitOfWork[Transaction]) -> None:
        """And says how many there were."""
        with uow.begin() as tx:
            for user in (ANNE, BEN):
                self.add_user(tx, user)
                self.add_password_reset(tx, user.id)
            self.add_password_reset(tx, ANNE.id)
            assert [tx.users.drop_password_resets(ANNE.id) for _ in range(2)] == [2, 0]
            assert tx.users.drop_password_resets(UserId("nobody")) == 0
            assert tx.users.drop_password_resets(BEN.id) == 1

    def test_removes_a_person_with_addresses_and_resets(self, uow: UnitOfWork[Transaction]) -> None:
        """Nobody else loses anything; a second time there is none."""
        with uow.begin() as tx:
            for user in (ANNE, BEN):
                self.add_user(tx, user)
                self.add_password_reset(tx, user.id)
            assert [tx.users.remove(ANNE.id), tx.users.remove(ANNE.id)] == [True, False]
        with uow.begin() as tx:
            assert tx.users.get(ANNE.id) is None
            assert tx.users.holders(Address("anne@example.org")) == ()
            assert tx.users.drop_password_resets(ANNE.id) == 0
            assert _sorted(tx.users.get(BEN.id)) == _sorted(BEN)
            assert tx.users.drop_password_resets(BEN.id) == 1

    def test_what_is_undone_is_read_as_it_was(self, uow: UnitOfWork[Transaction]) -> None:
        """No repository goes on believing what a savepoint undid."""
        with uow.begin() as tx:
            self.add_user(tx, ANNE)
            with suppress(Boom), uow.savepoint():
                tx.users.record_verified(ANNE.id, Address("anne@work.example"), LATER)
                tx.users.remove(BEN.id)
                assert len(_proven(tx, ANNE.id)) == 2
                raise Boom
            assert _sorted(tx.users.get(ANNE.id)) == _sorted(ANNE)


ACME: Final = Organization(id=OrganizationId("acme"), slug="acme", name="Acme \u00c5", default_role=Role("member"))

BREW: Final = Organization(
    id=OrganizationId("BREW"),
    slug="brew",
    name="",
    active=False,
    default_role=Role("admin"),
    require_second_factor=True,
    require_verified_address=True,
    invites_bound_to_address=False,
    can_invite=False,
    join_requests=False,
    member_limit_restricted=True,
    regions=("us", "de"),
    security_project=ProjectId("security-7"),
)


class OrganizationsContract:
    """Subclass this, override the fixture `uow` and the two methods, and pytest checks your ``Organizations``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[Transaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    def add_organization(self, tx: Transaction, organization: Organization) -> None:
        """Store *organization*, as the host does."""
        raise NotImplementedError

    def add_member(self, tx: Transaction, organization: OrganizationId, user: UserId) -> None:
        """Make *user* a member of *organization*."""
        raise NotImplementedError

    @pytest.mark.parametrize("organization", [ACME, BREW], ids=lambda organization: organization.id)
    def test_returns_what_the_host_stored(self, uow: UnitOfWork[Transaction], organization: Organization) -> None:
        """Every field comes back, the regions in their order."""
        with uow.begin() as tx:
            self.add_organization(tx, organization)
            assert tx.organizations.get(organization.id) == organization
        with uow.begin() as tx:
            assert tx.organizations.get(organization.id) == organization

    def test_an_unknown_organization_is_none(self, uow: UnitOfWork[Transaction]) -> None:
        """Ids compare exactly, and a slug is no id."""
        with uow.begin() as tx:
            self.add_organization(tx, attrs.evolve(ACME, slug="acme-slug"))
            assert [tx.organizations.get(OrganizationId(o)) for o in ("ACME", "acme ", "acme-slug", "")] == [None] * 4

    def test_returns_every_organization_of_a_member_in_order(self, uow: UnitOfWork[Transaction]) -> None:
        """By their ids, compared as bytes; inactive ones included, foreign ones not."""
        with uow.begin() as tx:
            for key in ("b", "a", "C", "other"):
                self.add_organization(tx, attrs.evolve(BREW, id=OrganizationId(key), slug=key))
            for key in ("b", "C", "a"):
                self.add_member(tx, OrganizationId(key), ANNE.id)
            self.add_member(tx, OrganizationId("other"), BEN.id)
        with uow.begin() as tx:
            assert [found.id for found in tx.organizations.of_user(ANNE.id)] == ["C", "a", "b"]
            assert [found.id for found in tx.organizations.of_user(BEN.id)] == ["other"]
            assert tx.organizations.of_user(UserId("nobody")) == ()
            assert tx.organizations.of_user(ANNE.id)[0] == attrs.evolve(BREW, id=OrganizationId("C"), slug="C")


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


def _sorted(user: User | None) -> User | None:
    return user and attrs.evolve(user, addresses=tuple(sorted(user.addresses, key=lambda a: a.address)))


def _proven(tx: Transaction, user: UserId) -> dict[str, object]:
    person = tx.users.get(user)
    assert person is not None
    return {a.address: a.verified_at for a in person.addresses if a.verified_at is not None}
