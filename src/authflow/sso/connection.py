"""What an organization has of a provider: none, or the one that is connected, as its owners set it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import OrganizationId, ProviderId, Role, Sealed


@attrs.frozen(kw_only=True)
class Settings:
    """What an owner sets.

    Args:
        required: Members must sign in through the provider.
        scim: The provider makes and removes members by itself.
        newcomers: Whoever signs in for the first time becomes a member; otherwise an invitation is needed.
        default_role: For members who come without an invitation's role; none for the organization's own.
        config: The provider's settings, sealed for its row: endpoints, certificates, a client's secret.
        steps: 256 random bits, minted with every *config*: a pipeline that began under others ends. No digest of it: a
            provider that is set up anew as it was does not take up what began before it was disabled (decision 35).
        confirms: It can be asked again about people who are linked, as its kind says of *config*.
    """

    required: bool = True
    scim: bool = False
    newcomers: bool = True
    default_role: Role | None = None
    config: Sealed
    steps: bytes = attrs.field(repr=False)
    confirms: bool = False


@attrs.frozen(kw_only=True)
class NoProvider:
    """The organization has none."""


@attrs.frozen(kw_only=True)
class Connected:
    """The one provider of an organization.

    Args:
        kind: Such as ``oidc`` or ``saml2``.
        partner: It was provisioned by a partner, and is theirs to change.
        lifted: Connecting it switched the organization's required second factor off, and disabling it restores that.
    """

    id: ProviderId
    organization: OrganizationId
    kind: str
    name: str
    settings: Settings
    partner: bool = False
    lifted: bool = False
    connected_at: datetime


Provider = NoProvider | Connected
