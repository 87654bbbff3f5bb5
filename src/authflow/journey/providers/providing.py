"""``flows.providers``: connecting an organization's provider, and keeping it: for owners, managers and partners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command, operation
from authflow.errors import Code
from authflow.journey.arguments import require_types
from authflow.journey.door import carried
from authflow.journey.providers.answers import (
    KindView,
    MembersReminded,
    ProviderRemoved,
    ProviderSaved,
    ProviderView,
)
from authflow.journey.providers.connecting import another_provider
from authflow.journey.providers.describing import DescribingUs
from authflow.journey.providers.partnering import Partnering
from authflow.membership.standing import may_grant, may_manage
from authflow.ports import Limited
from authflow.sso.capabilities import Listing
from authflow.sso.kinds import given_again
from authflow.sso.provider import Connected, Edit, NoProvider, may_change_trust
from authflow.sso.sealing import settings_binding
from authflow.values import Refused, Role, identifier

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.connecting import Desk
    from authflow.membership.service import Membership
    from authflow.policy import Policy
    from authflow.sso.kinds import Document, Json, Kind
    from authflow.sso.provider import Settings
    from authflow.values import Asker, BrowserSession, Context, OrganizationId


@attrs.frozen(kw_only=True)
class _Kept:
    """What stands before it is edited: under which version, of which kind, with which settings."""

    version: int
    provider: Connected
    kind: Kind
    config: dict[str, Json] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Providers(Partnering, DescribingUs):
    """``flows.providers``: the provider through which an organization's people sign in."""

    _membership: Membership = attrs.field(alias="membership")
    _policy: Policy = attrs.field(alias="policy")

    @operation("providers.kinds")
    def kinds(self) -> tuple[KindView, ...]:
        """Return the kinds of providers that this installation knows, in the order of their keys."""
        return tuple(
            KindView(
                key=kind.key,
                name=kind.name,
                trust=kind.trust,
                secrets=kind.secrets,
                settings=kind.settings if isinstance(kind, Listing) else (),
            )
            for kind in self._travelling.kinds
        )

    @command("providers.view")
    def view(self, session: BrowserSession, *, organization: OrganizationId) -> ProviderView | Refused:
        """Show the organization's provider to whoever manages that. What is secret is never shown again.

        Raises:
            InputInvalid: *organization* cannot be an organization's id.
            SecretUnavailable: The key of its settings is not in the ring.
        """
        identifier(organization, field="organization")
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            return carried(self._view(tx, asker, organization), session, asker)

    @operation("providers.edit")
    def edit(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId, settings: Document
    ) -> ProviderSaved | Refused:
        """Replace the provider's settings by *settings*; secret ones that are not given stay as they are.

        One is given again where it would go elsewhere, such as to another endpoint (`Kind.sent_to`): what somebody
        else typed in is not sent to an address that they never saw.

        Whose names the subjects are, such as an issuer, is not edited: another one is another provider. Where one of
        the settings says whom to believe, it takes an owner who proved recently who they are, and all owners are
        mailed (decision 5). Whatever was begun under the former settings ends.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *organization* cannot be an organization's id; or *settings* are no mapping from texts.
            SecretUnavailable: The key of its settings is not in the ring.
        """
        identifier(organization, field="organization")
        require_types(settings=settings)
        self._uow.require_closed()
        kept = self._one(lambda: self._kept(session, organization))
        if isinstance(kept, Refused):
            return kept
        secret = {name: value for name, value in kept.config.items() if name in kept.kind.secrets}
        config = self._connecting.config(kept.kind, {**secret, **settings})
        if isinstance(config, Refused):
            return attrs.evolve(config, session=session)
        silent = frozenset(name for name, value in secret.items() if value) - settings.keys()
        return self._one(lambda: self._edited(session, context, kept, dict(config), silent))

    @command("providers.configure")
    def configure(
        self,
        session: BrowserSession,
        context: Context,
        *,
        organization: OrganizationId,
        required: bool | None = None,
        newcomers: bool | None = None,
        scim: bool | None = None,
        default_role: str | None = None,
    ) -> ProviderSaved | Refused:
        """Change what the provider means for members, for whoever manages the organization; none leaves as it is.

        Args:
            session: The manager's.
            context: Where the command came from.
            organization: Whose provider.
            required: Members must sign in through it.
            newcomers: Whoever signs in for the first time becomes a member; it takes a role that one may grant oneself.
            scim: It makes and removes members by itself, where the host serves SCIM to it (`Kinds`); switched off, it
                governs nobody's role any more.
            default_role: For members who come without an invitation's role, at most one's own; the empty text is the
                organization's own.

        Raises:
            InputInvalid: *organization* cannot be an organization's id; or an argument is of another type.
        """
        identifier(organization, field="organization")
        require_types(default_role=default_role)
        changes = {"required": required, "newcomers": newcomers, "scim": scim}
        given = {name: value for name, value in changes.items() if value is not None}
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            at = self._desk(tx, asker, context, organization)
            if default_role and self._connecting.unknown_role(default_role):
                problems = {"default_role": "is no role of this installation"}
                return carried(Refused(code=Code.SSO_INPUT_INVALID, problems=problems), session, asker)
            return carried(self._configured(at, given, default_role), session, asker)

    @command("providers.remind")
    def remind(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId
    ) -> MembersReminded | Refused:
        """Mail every member without a link once more, for whoever manages the organization; within a budget.

        Raises:
            InputInvalid: *organization* cannot be an organization's id.
        """
        identifier(organization, field="organization")
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            return carried(self._reminded(self._desk(tx, asker, context, organization)), session, asker)

    @command("providers.disable")
    def disable(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId
    ) -> ProviderRemoved | Refused:
        """Take the provider away, for an owner who proved recently who they are; every link ends, members are mailed.

        The second factor that connecting it had switched off is required again (decision 26).

        Raises:
            InputInvalid: *organization* cannot be an organization's id.
        """
        identifier(organization, field="organization")
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            at = self._desk(tx, asker, context, organization)
            authority = self._connecting.authority(tx, asker, organization)
            return carried(self._disabled(at, authority), session, asker)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _view(self, tx: JourneyTransaction, asker: Asker, organization: OrganizationId) -> ProviderView | Refused:
        code = may_manage(self._membership.authority(asker, organization=organization))
        found = NoProvider() if code is not None else tx.providers.load(organization).state
        if not isinstance(found, Connected):
            return Refused(code=code or Code.SSO_NO_PROVIDER)
        config = self._travelling.vault.open(found.settings.config, settings_binding(organization, found.id))
        kind = self._travelling.kinds.get(found.kind)
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

    def _kept(self, session: BrowserSession, organization: OrganizationId) -> _Kept | Refused:
        """Return what stands, for whoever manages the organization; nobody else learns whether anything does."""
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            code = may_manage(self._membership.authority(asker, organization=organization))
            stored = tx.providers.load(organization) if code is None else None
            if stored is None or not isinstance(stored.state, Connected):
                return carried(Refused(code=code or Code.SSO_NO_PROVIDER), session, asker)
            kind = self._travelling.kinds.get(stored.state.kind)
            if kind is None:
                return carried(Refused(code=Code.SSO_KIND_UNKNOWN), session, asker)
            binding = settings_binding(organization, stored.state.id)
            config = self._travelling.vault.open(stored.state.settings.config, binding)
            return _Kept(version=stored.version, provider=stored.state, kind=kind, config=config)

    def _edited(
        self,
        session: BrowserSession,
        context: Context,
        kept: _Kept,
        config: dict[str, Json],
        silent: frozenset[str],
    ) -> ProviderSaved | Refused:
        """Store what was read while no transaction was open, unless something else was stored meanwhile.

        *silent* are the secrets that nobody gave.
        """
        organization = kept.provider.organization
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            at = self._desk(tx, asker, context, organization)
            stored = tx.providers.load(organization, lock=True)
            authority = self._connecting.authority(tx, asker, organization)
            if authority.refusal is None and stored.version != kept.version:
                return carried(Refused(code=Code.SSO_PROVIDER_CHANGED), session, asker)
            trust = _differ(kept, config, kept.kind.trust | kept.kind.secrets)
            renamed = another_provider(kept.kind, kept.config, config)
            if renamed is not None and may_change_trust(authority) is None:
                return carried(renamed, session, asker)
            again = given_again(kept.kind, kept.config, config, silent)
            if again and may_change_trust(authority) is None:
                problems = dict.fromkeys(sorted(again), "has to be given again, with what it is sent to")
                return carried(Refused(code=Code.SSO_INPUT_INVALID, problems=problems), session, asker)
            settings = self._settings(kept, config)
            edit = Edit(authority=authority, settings=settings, trust=trust)
            return carried(self._connecting.edit(at, stored, edit), session, asker)

    def _settings(self, kept: _Kept, config: dict[str, Json]) -> Settings:
        """Return the settings with *config*; what is sealed anew counts as changed, so that the same stays as it is."""
        before = kept.provider.settings
        if config == kept.config:
            return before
        binding = settings_binding(kept.provider.organization, kept.provider.id)
        return attrs.evolve(
            before,
            config=self._travelling.vault.seal(config, binding),
            steps=self._travelling.new_steps(),
            confirms=kept.kind.can_confirm(config),
        )

    def _configured(self, at: Desk, given: dict[str, bool], role: str | None) -> ProviderSaved | Refused:
        stored = at.tx.providers.load(at.organization, lock=True)
        authority = self._connecting.authority(at.tx, at.asker, at.organization)
        if not isinstance(stored.state, Connected):
            return Refused(code=authority.refusal or Code.SSO_NO_PROVIDER)
        before = stored.state.settings
        settings = attrs.evolve(
            before,
            required=given.get("required", before.required),
            newcomers=given.get("newcomers", before.newcomers),
            scim=given.get("scim", before.scim),
            default_role=before.default_role if role is None else (Role(role) if role else None),
        )
        if role is not None or (settings.newcomers and not before.newcomers):
            code = self._grants(at, settings)
            if code is not None:
                return Refused(code=code)
        served = self._travelling.kinds.may_provision(at.organization, stored.state.kind)
        command = Edit(authority=authority, settings=settings, trust=False, provisions=served)
        return self._connecting.edit(at, stored, command)

    def _grants(self, at: Desk, settings: Settings) -> Code | None:
        """Return why the asker may not let newcomers be what *settings* make of them, or none (decision 36)."""
        authority = self._membership.authority(at.asker, organization=at.organization)
        return may_grant(authority, settings.default_role or authority.organization.default_role)

    def _reminded(self, at: Desk) -> MembersReminded | Refused:
        code = may_manage(self._membership.authority(at.asker, organization=at.organization))
        provider = NoProvider() if code is not None else at.tx.providers.load(at.organization).state
        if not isinstance(provider, Connected):
            return Refused(code=code or Code.SSO_NO_PROVIDER)
        allowance = at.tx.limits.hit(self._policy.sso.reminders, at.organization, at.now)
        if isinstance(allowance, Limited):
            return Refused(code=Code.SSO_RATE_LIMITED, retry_after=allowance.retry_after)
        self._connecting.remind(at, provider)
        return MembersReminded(left=allowance.left)


def _differ(kept: _Kept, config: dict[str, Json], names: frozenset[str]) -> bool:
    return any(config.get(name) != kept.config.get(name) for name in names)
