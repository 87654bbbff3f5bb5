"""People and organizations in tables of the host's keep every promise of the ports, on every database."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from authflow.membership.standing import Member
from authflow.testing.contracts.organizations import OrganizationsContract
from authflow.testing.contracts.people import UsersContract
from authflow.values import MemberId, Role

if TYPE_CHECKING:
    from tests.adapters.hosts import Host

NEXT = count()


def add_member(tx: Any, organization: Any, user: Any) -> None:
    key = MemberId(f"member-{next(NEXT)}")
    row = Member(organization=organization, user=user, id=key, role=Role("member"))
    tx.members.save(organization, user, row, expected=0)


class Hosted:
    host: Host

    @pytest.fixture(autouse=True)
    def _host(self, host: Host) -> None:
        self.host = host

    @pytest.fixture
    def uow(self, hosted_uow: Any) -> Any:
        return hosted_uow

    def key(self, name: str) -> Any:
        return self.host.key(name)


class TestHostedUsers(Hosted, UsersContract):
    def kept(self, user: Any) -> Any:
        return self.host.kept(user)

    def add_user(self, tx: Any, user: Any) -> None:
        self.host.add_user(tx, user)

    def add_password_reset(self, tx: Any, user: Any) -> None:
        self.host.add_password_reset(tx, user)


class TestHostedOrganizations(Hosted, OrganizationsContract):
    def kept(self, organization: Any) -> Any:
        return self.host.kept_organization(organization)

    def add_organization(self, tx: Any, organization: Any) -> None:
        self.host.add_organization(tx, organization)

    def add_member(self, tx: Any, organization: Any, user: Any) -> None:
        add_member(tx, organization, user)
