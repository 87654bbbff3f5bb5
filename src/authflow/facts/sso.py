"""What happens to the links between people and the identities that an organization's provider asserts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from authflow.values import Address, OrganizationId, ProviderId, UserId


@attrs.frozen(kw_only=True)
class IdentityLinked(Fact):
    """An identity became a person's. They are told at every verified address (decision 5)."""

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId
    ground: str
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class IdentityMoved(Fact):
    """An identity that was *former_user*'s became *user*'s: the old link is gone, and a new one stands.

    *recipients* are the verified addresses of both.
    """

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId
    former_link: str
    former_user: UserId
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class IdentityRenumbered(Fact):
    """The provider calls a person by another subject than before, and the person said so themselves."""

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class IdentityMigrated(Fact):
    """The provider changed its identifiers, and a link went over to the new one by itself (decision 24)."""

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId


@attrs.frozen(kw_only=True)
class IdentityReleased(Fact):
    """A link is gone; *reason* says why: ``member_removed``, ``provider_disabled``, ``unlinked``, ``administrator``."""

    organization: OrganizationId
    provider: ProviderId
    link: str
    user: UserId
    reason: str


@attrs.frozen(kw_only=True)
class ProviderConnected(Fact):
    """*user* connected a provider. *lifted*: the organization's required second factor was switched off by it."""

    organization: OrganizationId
    provider: ProviderId
    kind: str
    user: UserId
    lifted: bool
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class ProviderEdited(Fact):
    """Settings of a provider changed; *changed* names them. *recipients* are told where trust changed."""

    organization: OrganizationId
    provider: ProviderId
    changed: str
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class ProviderDisabled(Fact):
    """An organization's provider is gone, and every link with it."""

    organization: OrganizationId
    provider: ProviderId
    kind: str
    recipients: tuple[Address, ...]
