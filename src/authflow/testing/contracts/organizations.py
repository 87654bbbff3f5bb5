"""What every ``Organizations`` must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.ports import Organization
from authflow.testing.contracts.people import ANNE, BEN
from authflow.values import OrganizationId, ProjectId, Role, UserId

if TYPE_CHECKING:
    from authflow.ports import Transaction, UnitOfWork

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
    """Subclass this, override the fixture `uow` and the two methods, and pytest checks your ``Organizations``.

    A host whose ids are no free text overrides `key`; one that keeps less of an organization overrides `kept`.
    """

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

    def key(self, name: str) -> OrganizationId:
        """Return the id of what the suite calls *name*: always the same, another for every name."""
        return OrganizationId(name)

    def kept(self, organization: Organization) -> Organization:
        """Return *organization* as the host keeps it, where what it does not have is the same for all."""
        return organization

    def organization(self, tx: Transaction, organization: Organization) -> Organization:
        """Store *organization* under an id of the host's; return it as the host keeps it."""
        named = attrs.evolve(organization, id=self.key(organization.id))
        self.add_organization(tx, named)
        return self.kept(named)

    @pytest.mark.parametrize("organization", [ACME, BREW], ids=lambda organization: organization.id)
    def test_returns_what_the_host_stored(self, uow: UnitOfWork[Transaction], organization: Organization) -> None:
        """Every field comes back, the regions in their order."""
        with uow.begin() as tx:
            stored = self.organization(tx, organization)
            assert tx.organizations.get(stored.id) == stored
        with uow.begin() as tx:
            assert tx.organizations.get(stored.id) == stored

    def test_an_unknown_organization_is_none(self, uow: UnitOfWork[Transaction]) -> None:
        """Ids compare exactly, and a slug is no id."""
        with uow.begin() as tx:
            acme = self.organization(tx, attrs.evolve(ACME, slug="acme-slug"))
            others = (self.key("ACME"), self.key("nowhere"), f"{acme.id} ", f"0{acme.id}", "acme-slug", "")
            assert [tx.organizations.get(OrganizationId(other)) for other in others] == [None] * len(others)

    @pytest.mark.parametrize("required", [True, False])
    def test_a_required_second_factor_is_stored_or_it_is_said_that_it_is_not(
        self,
        uow: UnitOfWork[Transaction],
        required: bool,  # noqa: FBT001  # pytest passes what it parametrizes by name
    ) -> None:
        """Either the organization says so from now on, or nothing is written; another one never changes."""
        with uow.begin() as tx:
            one, other = self.organization(tx, ACME), self.organization(tx, BREW)
            told = tx.organizations.demand_second_factor(one.id, required=required)
            wanted = attrs.evolve(one, require_second_factor=required) if told else one
            assert (tx.organizations.get(one.id), tx.organizations.get(other.id)) == (wanted, other)
            assert not tx.organizations.demand_second_factor(self.key("nowhere"), required=required)
        with uow.begin() as tx:
            assert (tx.organizations.get(one.id), tx.organizations.get(other.id)) == (wanted, other)

    def test_returns_every_organization_of_a_member_in_order(self, uow: UnitOfWork[Transaction]) -> None:
        """By their ids, compared as bytes; inactive ones included, foreign ones not."""
        names = ["b", "a", "C", *(f"number-{number}" for number in range(30))]
        with uow.begin() as tx:
            stored = [self.organization(tx, attrs.evolve(BREW, id=OrganizationId(key), slug=key)) for key in names]
            other = self.organization(tx, attrs.evolve(ACME, id=OrganizationId("other"), slug="other"))
            for organization in reversed(stored):
                self.add_member(tx, organization.id, ANNE.id)
            self.add_member(tx, other.id, BEN.id)
            self.add_member(tx, self.key("removed by the host"), BEN.id)
        with uow.begin() as tx:
            assert tx.organizations.of_user(ANNE.id) == tuple(sorted(stored, key=lambda found: found.id))
            assert tx.organizations.of_user(BEN.id) == (other,)
            assert tx.organizations.of_user(UserId("nobody")) == ()
