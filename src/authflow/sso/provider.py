"""The provider of an organization: connected once, edited and disabled by its owners (sso 8, 14.2).

Nobody connects a provider who did not just sign in through it: that is `authflow.sso.setup`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.facts import sso as facts
from authflow.machine import Machine, Step, on
from authflow.values import Answer, Refused
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

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
class Edit:
    """Change the settings; *trust*: what is believed of the provider changes, not only who must use it.

    *provisions*: the host serves SCIM to this provider.
    """

    authority: Authority
    settings: Settings
    trust: bool
    provisions: bool = False


@attrs.frozen(kw_only=True)
class Disable:
    """Take the provider away, and every link with it."""

    authority: Authority


Command = Connect | Edit | Disable


# --- answers ----------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ProviderConnected(Answer):
    """It stands."""

    provider: Connected


@attrs.frozen(kw_only=True)
class ProviderEdited(Answer):
    """*changed* names the settings that are different now."""

    provider: Connected
    changed: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ProviderDisabled(Answer):
    """It is gone; *restored*: the organization requires a second factor again."""

    provider: ProviderId
    restored: bool


ProviderAnswer = ProviderConnected | ProviderEdited | ProviderDisabled | Refused
ProviderStep = Step[Provider, ProviderAnswer]


# --- rules ------------------------------------------------------------------------------------------------------------


def connect(state: NoProvider, command: Connect, _now: datetime) -> ProviderStep:
    """Owners connect; the organization's receivers, its log and all owners are told."""
    code = may_change_trust(command.authority)
    if code is not None:
        return Step(state, Refused(code=code))
    made = command.provider
    fact = facts.ProviderConnected(
        organization=made.organization,
        provider=made.id,
        kind=made.kind,
        user=command.authority.user,
        lifted=made.lifted,
        recipients=command.authority.recipients,
    )
    return Step(made, ProviderConnected(provider=made), (fact,))


def connect_another(state: Connected, command: Connect, _now: datetime) -> ProviderStep:
    """An organization has one provider: of two admins who race, one is told that it stands."""
    return Step(state, Refused(code=may_change_trust(command.authority) or Code.SSO_PROVIDER_EXISTS))


def edit(state: Connected, command: Edit, _now: datetime) -> ProviderStep:
    """Whoever manages says who must use it; what is believed of it is an owner's to change (decision 5)."""
    authority = command.authority
    code = (may_change_trust(authority) if command.trust else authority.refusal) or locked(state, authority)
    code = code or unserved(state, command)
    if code is not None:
        return Step(state, Refused(code=code))
    after = attrs.evolve(state, settings=command.settings)
    changed = _changed(state.settings, command.settings)
    fact = facts.ProviderEdited(
        organization=state.organization,
        provider=state.id,
        changed=",".join(changed),
        recipients=authority.recipients if command.trust else (),
    )
    return Step(after, ProviderEdited(provider=after, changed=changed), (fact,) if changed else ())


def disable(state: Connected, command: Disable, _now: datetime) -> ProviderStep:
    """Owners disable; what connecting it had switched off is required again (decision 26)."""
    authority = command.authority
    code = may_change_trust(authority) or locked(state, authority)
    if code is not None:
        return Step(state, Refused(code=code))
    fact = facts.ProviderDisabled(
        organization=state.organization, provider=state.id, kind=state.kind, recipients=authority.recipients
    )
    return Step(NoProvider(), ProviderDisabled(provider=state.id, restored=state.lifted), (fact,))


def nothing_to_change(state: NoProvider, command: Edit | Disable, _now: datetime) -> ProviderStep:
    """There is none: it was never connected, or another owner was faster."""
    return Step(state, Refused(code=command.authority.refusal or Code.SSO_NO_PROVIDER))


MACHINE = Machine[Provider, Command, ProviderAnswer](
    "sso.provider",
    rows=(
        # state          command           rule               next
        on(NoProvider, Connect).to(connect, NoProvider, Connected),
        on(NoProvider, Edit).to(nothing_to_change, NoProvider),
        on(NoProvider, Disable).to(nothing_to_change, NoProvider),
        on(Connected, Connect).to(connect_another, Connected),
        on(Connected, Edit).to(edit, Connected),
        on(Connected, Disable).to(disable, Connected, NoProvider),
    ),
)


# --- gates ------------------------------------------------------------------------------------------------------------


@gate
def may_change_trust(authority: Authority) -> Code | None:
    """An owner, who proved recently who they are (decision 5)."""
    if authority.refusal is not None:
        return authority.refusal
    if not authority.owner:
        return Code.MEMBERSHIP_FORBIDDEN
    return None if authority.elevated else Code.SESSION_ELEVATION_REQUIRED


@gate
def locked(provider: Connected, authority: Authority) -> Code | None:
    """What a partner provisioned is the partner's to change, and nothing else is (sso 4.6)."""
    return None if provider.partner == authority.partner else Code.SSO_PARTNER_LOCKED


@gate
def unserved(provider: Connected, command: Edit) -> Code | None:
    """SCIM is switched on where the host serves it, and off anywhere (sso 4.7)."""
    switched_on = command.settings.scim and not provider.settings.scim
    return Code.SSO_SCIM_UNAVAILABLE if switched_on and not command.provisions else None


def _changed(before: Settings, after: Settings) -> tuple[str, ...]:
    names = ("required", "scim", "newcomers", "default_role", "config")
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))
