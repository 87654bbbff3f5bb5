"""``flows.providers``: connecting an organization's provider, and keeping it: for owners, managers and partners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from authflow.journey.providers.describing import DescribingUs
from authflow.journey.providers.partnering import Partnering
from authflow.membership.standing import may_grant, may_manage
from authflow.ports import Limited
from authflow.recording import shown
from authflow.sso.capabilities import Listing
from authflow.sso.difference import compare
from authflow.sso.provider import Connected, NoProvider
from authflow.sso.provider_commands import Configure, Edit
from authflow.values import Refused, Role, identifier

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.connecting import Desk
    from authflow.membership.service import Membership
    from authflow.policy import Policy
    from authflow.sso.kinds import Document, Json, Kind
    from authflow.values import Asker, BrowserSession, Context, OrganizationId


@attrs.frozen(kw_only=True)
class _Kept:
    """What stands before it is edited: of which kind, with which settings."""

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
            for kind in self._travelling.desk.kinds
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
        mailed (decision 5). Whatever was begun under the former settings ends. Where what links remember would be sent
        elsewhere (`Kind.memory_sent_to`), it is forgotten: who is linked is confirmed by the next sign-in alone.

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
        return self._one(lambda: self._edited(session, context, kept, config, frozenset(settings)))

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
        name: str | None = None,
    ) -> ProviderSaved | Refused:
        """Change what the provider means for members, for whoever manages the organization; none leaves as it is.

        Whoever lets more people in, or in as more, proved recently who they are, and all owners are mailed; not to
        require it any more takes an owner, as `disable` does (decision 5).

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
            name: What people call it; the kind's name if it is empty.

        Raises:
            InputInvalid: *organization* cannot be an organization's id; or an argument is of another type.
        """
        identifier(organization, field="organization")
        require_types(default_role=default_role, name="" if name is None else name)
        changes = {"required": required, "newcomers": newcomers, "scim": scim}
        given: dict[str, Any] = {flag: value for flag, value in changes.items() if value is not None}
        if default_role is not None:
            given["default_role"] = Role(default_role) if default_role else None
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            at = self._desk(tx, asker, context, organization)
            if default_role and self._connecting.unknown_role(default_role):
                problems = {"default_role": "is no role of this installation"}
                return carried(Refused(code=Code.SSO_INPUT_INVALID, problems=problems), session, asker)
            return carried(self._configured(at, given, name), session, asker)

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
        config = self._travelling.connected.settings(found)
        kind = self._travelling.desk.kinds.get(found.kind)
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
            kind = self._travelling.desk.kinds.get(stored.state.kind)
            if kind is None:
                return carried(Refused(code=Code.SSO_KIND_UNKNOWN), session, asker)
            config = self._travelling.connected.settings(stored.state)
            return _Kept(provider=stored.state, kind=kind, config=config)

    def _edited(
        self, session: BrowserSession, context: Context, kept: _Kept, config: Document, given: frozenset[str]
    ) -> ProviderSaved | Refused:
        """Store what was read while no transaction was open; *given* are the settings that somebody typed in."""
        organization = kept.provider.organization
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            at = self._desk(tx, asker, context, organization)
            stored = tx.providers.load(organization, lock=True)
            edit = Edit(
                authority=self._connecting.authority(tx, asker, organization),
                settings=self._connecting.anew(kept.provider, kept.kind, kept.config, config),
                difference=compare(kept.kind, kept.config, config, given=given),
                overtaken=stored.state != kept.provider,
            )
            return carried(self._connecting.change(at, stored, edit), session, asker)

    def _configured(self, at: Desk, given: dict[str, Any], name: str | None) -> ProviderSaved | Refused:
        stored = at.tx.providers.load(at.organization, lock=True)
        authority = self._connecting.authority(at.tx, at.asker, at.organization)
        if not isinstance(stored.state, Connected):
            return Refused(code=authority.refusal or Code.SSO_NO_PROVIDER)
        before, settings = stored.state.settings, attrs.evolve(stored.state.settings, **given)
        standing = self._membership.authority(at.asker, organization=at.organization)
        own = standing.organization.default_role
        command = Configure(
            authority=authority,
            name=stored.state.name if name is None else self._name(stored.state, name),
            settings=settings,
            rank_before=self._rank(before.default_role or own),
            rank_after=self._rank(settings.default_role or own),
            ungranted=may_grant(standing, settings.default_role or own),
            provisions=self._travelling.desk.kinds.may_provision(at.organization, stored.state.kind),
        )
        return self._connecting.change(at, stored, command)

    def _name(self, provider: Connected, name: str) -> str:
        kind = self._travelling.desk.kinds.get(provider.kind)
        return shown(name) or (provider.kind if kind is None else kind.name)

    def _rank(self, role: Role) -> int:
        """Return how high *role* ranks; one that the installation does not know gives nothing."""
        rank = self._policy.membership.rank(role)
        return -1 if rank is None else rank

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
