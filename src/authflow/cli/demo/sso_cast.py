"""Who plays in the demo of single sign-on: Acme, whose owner connects a provider, and Globex, whose owner lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.cli.demo.cast import ACME, ADA, ADAS_ADDRESS, OLGA, OLGAS_ADDRESS, POLICY, REGION, TENANTS
from authflow.policy import MEMBER
from authflow.ports import Organization, User, UserAddress
from authflow.sso.endpoints import Endpoints
from authflow.values import Address, Context, OrganizationId, UserId

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["ACME", "ADA", "ADAS_ADDRESS", "OLGA", "OLGAS_ADDRESS", "POLICY"]

MALLORY: Final = UserId("mallory")
MALLORYS_ADDRESS: Final = Address("mallory@example.net")
NOORS_ADDRESS: Final = Address("noor@example.com")
GLOBEX: Final = OrganizationId("globex")

ENDPOINTS: Final = Endpoints.at(
    "https://app.example/sso/{organization}/callback", logout="https://app.example/sso/{organization}/logout"
)

OFFICE: Final = Context(ip="198.51.100.4", user_agent="Olga's browser")
LAPTOP: Final = Context(ip="192.0.2.7", user_agent="Ada's laptop")
PHONE: Final = Context(ip="192.0.2.9", user_agent="Noor's phone")
CAFE: Final = Context(ip="203.0.113.66", user_agent="Mallory's browser")
"""Addresses of RFC 5737, which belong to nobody."""

ORGANIZATIONS: Final = (
    Organization(
        id=ACME, slug="acme", name="Acme", default_role=MEMBER, regions=(REGION,), security_project=TENANTS.id
    ),
    Organization(id=GLOBEX, slug="globex", name="Globex", default_role=MEMBER, regions=(REGION,)),
)


def people(now: datetime) -> tuple[User, ...]:
    """Return Olga, Ada and Mallory, each with one verified address."""
    named = ((OLGA, "Olga", OLGAS_ADDRESS), (ADA, "Ada", ADAS_ADDRESS), (MALLORY, "Mallory", MALLORYS_ADDRESS))
    return tuple(
        User(
            id=user,
            label=address,
            name=name,
            addresses=(UserAddress(address=address, primary=True, verified_at=now),),
        )
        for user, name, address in named
    )
