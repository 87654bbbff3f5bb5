"""The provider of an organization: what it is, what can be asked of it, and what comes of that (sso 8, 14.2).

What is decided is `authflow.sso.keeping`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.machine import Step
from authflow.sso.difference import SAME
from authflow.values import Answer, Refused
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.difference import Difference
    from authflow.values import Address, OrganizationId, ProviderId, Role, Sealed, UserId


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


# --- states -----------------------------------------------------------------------------------------------------------


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


# --- commands ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Authority:
    """Who commands: *refusal* is why they may not manage the organization, or none.

    *owner* and *elevated* as the session's row says; *recipients* are the verified addresses of all owners. *partner*:
    the installation's administrator commands, for the partner whose provider it is.
    """

    user: UserId
    refusal: Code | None
    owner: bool
    elevated: bool
    partner: bool = False
    recipients: tuple[Address, ...] = ()


@attrs.frozen(kw_only=True)
class Connect:
    """Connect *provider*, through which *authority* just signed in."""

    authority: Authority
    provider: Connected


@attrs.frozen(kw_only=True)
class Provision:
    """Let the partner's *provider* stand, untried; where it stands, let it be set up as *provider* is.

    *difference*: of what its kind is set to from what stands; none where another kind stands, or nothing.
    """

    authority: Authority
    provider: Connected
    difference: Difference = SAME


@attrs.frozen(kw_only=True)
class Edit:
    """Let the kind be set to what *settings* seal; what the provider means for members stays.

    Args:
        authority: Who commands.
        settings: The ones that stand, with the kind's sealed anew where they differ.
        difference: From those that stood when the new ones were read.
        overtaken: Something else was stored since then: *difference* is from what does not stand any more.
    """

    authority: Authority
    settings: Settings
    difference: Difference
    overtaken: bool = False


@attrs.frozen(kw_only=True)
class Configure:
    """Change what the provider is called, and what it means for members.

    Args:
        authority: Who commands.
        name: What people call it.
        settings: The ones that stand, with what is decided about members.
        rank_before: How high the role ranks that members without an invitation's have so far.
        rank_after: How high it would rank.
        ungranted: Why *authority* may not give anybody the role that they would have, or none (decision 36).
        provisions: The host serves SCIM to this provider.
    """

    authority: Authority
    name: str
    settings: Settings
    rank_before: int = 0
    rank_after: int = 0
    ungranted: Code | None = None
    provisions: bool = False


@attrs.frozen(kw_only=True)
class Disable:
    """Take the provider away, and every link with it."""

    authority: Authority


Command = Connect | Provision | Edit | Configure | Disable


# --- answers ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ProviderConnected(Answer):
    """It stands."""

    provider: Connected


@attrs.frozen(kw_only=True)
class ProviderEdited(Answer):
    """*changed* names the settings that are different now; *forgets*: so that links remember nothing any more."""

    provider: Connected
    changed: tuple[str, ...]
    forgets: bool = False


@attrs.frozen(kw_only=True)
class ProviderDisabled(Answer):
    """It is gone; *restored*: the organization requires a second factor again."""

    provider: ProviderId
    restored: bool


ProviderAnswer = ProviderConnected | ProviderEdited | ProviderDisabled | Refused
ProviderStep = Step[Provider, ProviderAnswer]


# --- who may ------------------------------------------------------------------------------------------------------


@gate
def may_change_trust(authority: Authority) -> Code | None:
    """An owner, who proved recently who they are (decision 5)."""
    if authority.refusal is not None:
        return authority.refusal
    if not authority.owner:
        return Code.MEMBERSHIP_FORBIDDEN
    return None if authority.elevated else Code.SESSION_ELEVATION_REQUIRED
