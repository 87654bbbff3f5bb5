"""Who plays in the demo: two people, an organization, and the projects that take the events about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.events.adjacent import Project
from authflow.policy import MEMBER, EventPolicy, Policy
from authflow.ports import Organization, User, UserAddress
from authflow.values import Address, Context, OrganizationId, ProjectId, UserId

if TYPE_CHECKING:
    from datetime import datetime

OLGA: Final = UserId("olga")
ADA: Final = UserId("ada")
ADAS_ADDRESS: Final = Address("ada@example.com")
OLGAS_ADDRESS: Final = Address("olga@example.com")
ACME: Final = OrganizationId("acme")
REGION: Final = "eu"

PERSONAL: Final = Project(id=ProjectId("people-security"), organization=ACME, slug="people-security", security=True)
"""Takes the events about persons; the installation's own (decision 38)."""

TENANTS: Final = Project(id=ProjectId("acme-security"), organization=ACME, slug="acme-security", security=True)
"""Takes the events about the organization's membership."""

ORGANIZATION: Final = Organization(
    id=ACME,
    slug="acme",
    name="Acme",
    default_role=MEMBER,
    require_second_factor=True,
    regions=(REGION,),
    security_project=TENANTS.id,
)

POLICY: Final = Policy(events=EventPolicy(security_project=PERSONAL.id))

OFFICE: Final = Context(ip="198.51.100.4", user_agent="Olga's browser")
LAPTOP: Final = Context(ip="192.0.2.7", user_agent="Ada's laptop")
TABLET: Final = Context(ip="192.0.2.8", user_agent="Ada's tablet")
"""Addresses of RFC 5737, which belong to nobody."""

BROWSERS: Final = ("tablet", "laptop", "later")
"""Ada's sessions, in the order in which they begin."""


def people(now: datetime) -> tuple[User, User]:
    """Return Olga and Ada, each with one verified address."""
    return _person(OLGA, "Olga", OLGAS_ADDRESS, now), _person(ADA, "Ada", ADAS_ADDRESS, now)


def _person(user: UserId, name: str, address: Address, now: datetime) -> User:
    mailbox = UserAddress(address=address, primary=True, verified_at=now)
    return User(id=user, label=address, name=name, addresses=(mailbox,))
