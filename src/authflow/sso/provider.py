"""The provider of an organization: connected once, edited, configured and disabled by its owners (sso 8, 14.2).

Nobody but a partner connects a provider who did not just sign in through it: that is `authflow.sso.setup`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.facts import sso as facts
from authflow.machine import Machine, Step, on
from authflow.sso.authority import may_change_trust
from authflow.sso.connection import Connected, NoProvider, Provider
from authflow.sso.provider_commands import (
    Command,
    Configure,
    Connect,
    Disable,
    Edit,
    ProviderAnswer,
    ProviderConnected,
    ProviderDisabled,
    ProviderEdited,
    Provision,
)
from authflow.values import Refused
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.authority import Authority
    from authflow.sso.difference import Difference
    from authflow.values import Address

SETTINGS: Final = ("required", "scim", "newcomers", "default_role", "config")
"""What a change is called by, in the order in which it is told."""

ANOTHER_PROVIDER: Final = "says whose names the subjects are: disable this provider, and set the other one up"
GIVEN_AGAIN: Final = "has to be given again, with what it is sent to"

ProviderStep = Step[Provider, ProviderAnswer]


# --- rules ------------------------------------------------------------------------------------------------------------


def connect(state: NoProvider, command: Connect, _now: datetime) -> ProviderStep:
    """Owners connect; the organization's receivers, its log and all owners are told."""
    code = may_change_trust(command.authority)
    return Step(state, Refused(code=code)) if code is not None else _connected(command)


def connect_another(state: Connected, command: Connect, _now: datetime) -> ProviderStep:
    """An organization has one provider: of two admins who race, one is told that it stands."""
    return Step(state, Refused(code=may_change_trust(command.authority) or Code.SSO_PROVIDER_EXISTS))


def provision(state: NoProvider, command: Provision, _now: datetime) -> ProviderStep:
    """A partner's stands without a trip to it, and all owners are told (sso 4.6)."""
    code = may_change_trust(command.authority) or locked(command.provider, command.authority)
    return Step(state, Refused(code=code)) if code is not None else _connected(command)


def provision_again(state: Connected, command: Provision, _now: datetime) -> ProviderStep:
    """Whoever provisions twice changes what differs; only the partner's own, of the same kind and the same names."""
    code = may_change_trust(command.authority) or another(state, command.provider)
    code = code or locked(state, command.authority)
    if code is not None:
        return Step(state, Refused(code=code))
    problem = unfit(command.difference)
    if problem is not None:
        return Step(state, problem)
    wanted = attrs.evolve(command.provider.settings, scim=state.settings.scim)
    after = attrs.evolve(state, name=command.provider.name, settings=wanted)
    return _edited(state, after, command.authority.recipients, forgets=command.difference.forgets)


def edit(state: Connected, command: Edit, _now: datetime) -> ProviderStep:
    """What is believed of it is an owner's to change; whose names the subjects are is nobody's (decision 5)."""
    authority, differs = command.authority, command.difference
    code = authority.refusal or locked(state, authority) or overtaken(command)
    code = code or (may_change_trust(authority) if differs.trusted else None)
    if code is not None:
        return Step(state, Refused(code=code))
    problem = unfit(differs)
    if problem is not None:
        return Step(state, problem)
    after = attrs.evolve(state, settings=command.settings)
    recipients = authority.recipients if differs.trusted else ()
    return _edited(state, after, recipients, forgets=differs.forgets)


def configure(state: Connected, command: Configure, _now: datetime) -> ProviderStep:
    """Whoever manages says who must use it; to let more people in, or fewer prove themselves, is a lasting change."""
    authority = command.authority
    code = authority.refusal or locked(state, authority) or unserved(state, command)
    code = code or may_open(state, command)
    if code is not None:
        return Step(state, Refused(code=code))
    after = attrs.evolve(state, name=command.name, settings=command.settings)
    return _edited(state, after, authority.recipients if opens(state, command) else ())


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


def nothing_to_change(state: NoProvider, command: Edit | Configure | Disable, _now: datetime) -> ProviderStep:
    """There is none: it was never connected, or another owner was faster."""
    return Step(state, Refused(code=command.authority.refusal or Code.SSO_NO_PROVIDER))


MACHINE = Machine[Provider, Command, ProviderAnswer](
    "sso.provider",
    rows=(
        # state          command              rule               next
        on(NoProvider, Connect).to(connect, NoProvider, Connected),
        on(NoProvider, Provision).to(provision, NoProvider, Connected),
        on(NoProvider, Edit).to(nothing_to_change, NoProvider),
        on(NoProvider, Configure).to(nothing_to_change, NoProvider),
        on(NoProvider, Disable).to(nothing_to_change, NoProvider),
        on(Connected, Connect).to(connect_another, Connected),
        on(Connected, Provision).to(provision_again, Connected),
        on(Connected, Edit).to(edit, Connected),
        on(Connected, Configure).to(configure, Connected),
        on(Connected, Disable).to(disable, Connected, NoProvider),
    ),
)


# --- gates ------------------------------------------------------------------------------------------------------------


@gate
def locked(provider: Connected, authority: Authority) -> Code | None:
    """What a partner provisioned is the partner's to change, and nothing else is (sso 4.6)."""
    return None if provider.partner == authority.partner else Code.SSO_PARTNER_LOCKED


@gate
def another(provider: Connected, wanted: Connected) -> Code | None:
    """What stands is not what a partner provisions: somebody else's, or of another kind."""
    same = provider.partner and provider.kind == wanted.kind
    return None if same else Code.SSO_PROVIDER_EXISTS


@gate
def overtaken(command: Edit) -> Code | None:
    """The slower of two owners who edit does not overwrite what they never saw."""
    return Code.SSO_PROVIDER_CHANGED if command.overtaken else None


@gate
def unfit(differs: Difference) -> Refused | None:
    """Another issuer is another provider; and what somebody else typed in goes nowhere that they never saw."""
    names, problem = (differs.naming, ANOTHER_PROVIDER) if differs.naming else (differs.withheld, GIVEN_AGAIN)
    problems = dict.fromkeys(sorted(names), problem)
    return Refused(code=Code.SSO_INPUT_INVALID, problems=problems) if problems else None


@gate
def unserved(provider: Connected, command: Configure) -> Code | None:
    """SCIM is switched on where the host serves it, and off anywhere (sso 4.7)."""
    switched_on = command.settings.scim and not provider.settings.scim
    return Code.SSO_SCIM_UNAVAILABLE if switched_on and not command.provisions else None


@gate
def may_open(provider: Connected, command: Configure) -> Code | None:
    """Not to require it is an owner's to say, as taking it away is; all that opens it takes a recent proof (5, 36)."""
    before, after, authority = provider.settings, command.settings, command.authority
    loosens = before.required and not after.required
    grants = (after.newcomers and not before.newcomers) or after.default_role != before.default_role
    code = (may_change_trust(authority) if loosens else None) or (command.ungranted if grants else None)
    proven = authority.elevated or not opens(provider, command)
    return code or (None if proven else Code.SESSION_ELEVATION_REQUIRED)


def opens(provider: Connected, command: Configure) -> bool:
    """Tell whether fewer must use it, more come in by it, they come in as more, or it makes members by itself."""
    before, after = provider.settings, command.settings
    raised = after.default_role != before.default_role and command.rank_after > command.rank_before
    admits = (after.newcomers and not before.newcomers) or (after.scim and not before.scim)
    return raised or admits or (before.required and not after.required)


# --- pieces -----------------------------------------------------------------------------------------------------------


def _connected(command: Connect | Provision) -> ProviderStep:
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


def _edited(
    before: Connected, after: Connected, recipients: tuple[Address, ...], *, forgets: bool = False
) -> ProviderStep:
    names = tuple(name for name in SETTINGS if getattr(before.settings, name) != getattr(after.settings, name))
    changed = names if before.name == after.name else ("name", *names)
    stands = after.settings
    fact = facts.ProviderEdited(
        organization=before.organization,
        provider=before.id,
        changed=",".join(changed),
        required=stands.required,
        newcomers=stands.newcomers,
        scim=stands.scim,
        default_role=stands.default_role,
        recipients=recipients,
    )
    return Step(after, ProviderEdited(provider=after, changed=changed, forgets=forgets), (fact,) if changed else ())
