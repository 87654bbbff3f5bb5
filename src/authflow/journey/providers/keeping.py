"""Keeping the provider that stands: showing it, editing it, saying what it means for members, taking it away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from authflow.command.running import in_one, looked
from authflow.errors import Code
from authflow.journey.door import Declined
from authflow.journey.providers.answers import KindView, MembersReminded, ProviderRemoved, ProviderSaved, ProviderView
from authflow.membership.standing import may_grant, may_manage
from authflow.ports import Limited
from authflow.recording import shown
from authflow.sso.capabilities import Listing
from authflow.sso.connection import Connected, NoProvider
from authflow.sso.difference import compare
from authflow.sso.provider_commands import Configure, Edit
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.door import Askers
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.connecting import Connecting
    from authflow.journey.providers.orders import Order, Orders
    from authflow.membership.service import Membership
    from authflow.policy import Policy
    from authflow.ports import UnitOfWork
    from authflow.sso.kinds import Document, Json, Kind
    from authflow.sso.service.connected import ConnectedProviders
    from authflow.sso.service.desk import Desk
    from authflow.values import Asker, BrowserSession, Context, OrganizationId, Role


@attrs.frozen(kw_only=True)
class _Kept:
    """What stands before it is edited: of which kind, with which settings."""

    provider: Connected
    kind: Kind
    config: dict[str, Json] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Keeping:
    """The commands of whoever manages an organization that has a provider."""

    uow: UnitOfWork[JourneyTransaction]
    askers: Askers
    orders: Orders
    desk: Desk
    connected: ConnectedProviders
    connecting: Connecting
    membership: Membership
    policy: Policy

    def kinds(self) -> tuple[KindView, ...]:
        """Return what this installation knows."""
        return tuple(
            KindView(
                key=kind.key,
                name=kind.name,
                trust=kind.trust,
                secrets=kind.secrets,
                naming=kind.naming,
                settings=kind.settings if isinstance(kind, Listing) else (),
            )
            for kind in self.desk.kinds
        )

    def view(self, session: BrowserSession, organization: OrganizationId) -> ProviderView | Refused:
        """Show what stands."""
        return self.askers.shown(session, lambda tx, asker: self._view(tx, asker, organization))

    def edit(
        self, session: BrowserSession, context: Context, organization: OrganizationId, settings: Document
    ) -> ProviderSaved | Refused:
        """Let the kind read the settings, between two transactions, and store what the table makes of them."""
        self.uow.require_closed()
        look = partial(self._kept, organization=organization)
        kept = looked(self.uow, lambda: self.askers.found(session, look))
        if isinstance(kept, Refused):
            return kept
        secret = {name: value for name, value in kept.config.items() if name in kept.kind.secrets}
        config = self.connecting.config(kept.kind, {**secret, **settings})
        if isinstance(config, Refused):
            return attrs.evolve(config, session=session)

        def edited(at: Order) -> ProviderSaved | Refused:
            return self._edited(at, kept, config, frozenset(settings))

        return in_one(self.uow, lambda: self.orders.given(session, context, organization, edited))

    def configure(
        self,
        session: BrowserSession,
        context: Context,
        organization: OrganizationId,
        given: dict[str, Any],
        name: str | None,
    ) -> ProviderSaved | Refused:
        """Store what the table makes of what was *given* of the settings."""
        return self.orders.given(session, context, organization, lambda at: self._configured(at, given, name))

    def remind(
        self, session: BrowserSession, context: Context, organization: OrganizationId
    ) -> MembersReminded | Refused:
        """Mail members, within a budget."""
        return self.orders.given(session, context, organization, self._reminded)

    def disable(
        self, session: BrowserSession, context: Context, organization: OrganizationId
    ) -> ProviderRemoved | Refused:
        """Take the provider away, all of it or nothing."""

        def disabled(at: Order) -> ProviderRemoved | Refused:
            authority = self.connecting.authority(at.tx, at.asker, at.organization)
            with self.uow.savepoint():
                return self.connecting.disable(at, authority)

        return self.orders.given(session, context, organization, disabled)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _view(self, tx: JourneyTransaction, asker: Asker, organization: OrganizationId) -> ProviderView | Refused:
        code = may_manage(self.membership.authority(asker, organization=organization))
        found = NoProvider() if code is not None else tx.providers.load(organization).state
        if not isinstance(found, Connected):
            return Refused(code=code or Code.SSO_NO_PROVIDER)
        config = self.connected.settings(found)
        kind = self.desk.kinds.get(found.kind)
        hidden = frozenset(config) if kind is None else kind.secrets
        return ProviderView(
            provider=found.id,
            kind=found.kind,
            name=found.name,
            settings={name: value for name, value in config.items() if name not in hidden},
            secrets=frozenset(name for name, value in config.items() if name in hidden and value),
            required=found.settings.required,
            scim=found.settings.scim,
            newcomers=found.settings.newcomers,
            default_role=found.settings.default_role,
            confirms=found.settings.confirms,
            partner=found.partner,
            lifted=found.lifted,
            connected_at=found.connected_at,
        )

    def _kept(self, tx: JourneyTransaction, asker: Asker, organization: OrganizationId) -> _Kept:
        """Return what stands, for whoever manages the organization; nobody else learns whether anything does."""
        code = may_manage(self.membership.authority(asker, organization=organization))
        made = tx.providers.load(organization).state if code is None else NoProvider()
        if not isinstance(made, Connected):
            raise Declined(Refused(code=code or Code.SSO_NO_PROVIDER))
        kind = self.desk.kinds.get(made.kind)
        if kind is None:
            raise Declined(Refused(code=Code.SSO_KIND_UNKNOWN))
        config = self.connected.settings(made)
        return _Kept(provider=made, kind=kind, config=config)

    def _edited(self, at: Order, kept: _Kept, config: Document, given: frozenset[str]) -> ProviderSaved | Refused:
        """Store what was read while no transaction was open; *given* are the settings that somebody typed in."""
        stored = at.tx.providers.load(at.organization, lock=True)
        edit = Edit(
            authority=self.connecting.authority(at.tx, at.asker, at.organization),
            settings=self.connecting.anew(kept.provider, kept.kind, kept.config, config),
            difference=compare(kept.kind, kept.config, config, given=given),
            overtaken=stored.state != kept.provider,
        )
        return self.connecting.change(at, stored, edit)

    def _configured(self, at: Order, given: dict[str, Any], name: str | None) -> ProviderSaved | Refused:
        unknown = self.connecting.unknown_role(given.get("default_role"))
        if unknown is not None:
            return unknown
        stored = at.tx.providers.load(at.organization, lock=True)
        authority = self.connecting.authority(at.tx, at.asker, at.organization)
        if not isinstance(stored.state, Connected):
            return Refused(code=authority.refusal or Code.SSO_NO_PROVIDER)
        before, settings = stored.state.settings, attrs.evolve(stored.state.settings, **given)
        standing = self.membership.authority(at.asker, organization=at.organization)
        own = standing.organization.default_role
        command = Configure(
            authority=authority,
            name=stored.state.name if name is None else self._name(stored.state, name),
            settings=settings,
            rank_before=self._rank(before.default_role or own),
            rank_after=self._rank(settings.default_role or own),
            ungranted=may_grant(standing, settings.default_role or own),
            provisions=self.desk.kinds.may_provision(at.organization, stored.state.kind),
        )
        return self.connecting.change(at, stored, command)

    def _name(self, provider: Connected, name: str) -> str:
        kind = self.desk.kinds.get(provider.kind)
        return shown(name) or (provider.kind if kind is None else kind.name)

    def _rank(self, role: Role) -> int:
        """Return how high *role* ranks; one that the installation does not know gives nothing."""
        rank = self.policy.membership.rank(role)
        return -1 if rank is None else rank

    def _reminded(self, at: Order) -> MembersReminded | Refused:
        code = may_manage(self.membership.authority(at.asker, organization=at.organization))
        provider = NoProvider() if code is not None else at.tx.providers.load(at.organization).state
        if not isinstance(provider, Connected):
            return Refused(code=code or Code.SSO_NO_PROVIDER)
        allowance = at.tx.limits.hit(self.policy.sso.reminders, at.organization, at.now)
        if isinstance(allowance, Limited):
            return Refused(code=Code.SSO_RATE_LIMITED, retry_after=allowance.retry_after)
        self.connecting.remind(at, provider)
        return MembersReminded(left=allowance.left)
