"""People and organizations for tests: made in one line, on an installation with adapters of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authflow.policy import MEMBER
from authflow.ports import Organization, User, UserAddress
from authflow.values import Address, OrganizationId, UserId

if TYPE_CHECKING:
    from authflow.wiring import Authflow


def add_user(
    flows: Authflow, address: str, *, verified: bool = True, administrator: bool = False, active: bool = True
) -> UserId:
    """Add a person whose id, label and primary address are *address*; return the id."""
    own = UserAddress(address=Address(address), primary=True, verified_at=flows.clock.now() if verified else None)
    user = User(id=UserId(address), label=address, active=active, administrator=administrator, addresses=(own,))
    with flows.uow.begin() as tx:
        tx.users.add(user)
    return user.id


def add_organization(flows: Authflow, slug: str, **settings: Any) -> OrganizationId:  # noqa: ANN401  # each setting has its own type
    """Add an organization whose id and name are *slug*, with one region; *settings* as of `Organization`."""
    fields: dict[str, Any] = {"default_role": MEMBER, "regions": ("local",), **settings}
    with flows.uow.begin() as tx:
        tx.organizations.add(Organization(id=OrganizationId(slug), slug=slug, name=slug, **fields))
    return OrganizationId(slug)
