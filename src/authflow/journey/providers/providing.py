"""``flows.providers`` as a host sees it: what every command takes and promises. How it is kept is its part's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from authflow.command import command, operation
from authflow.journey.arguments import require_callback, require_types
from authflow.journey.providers.orders import Proposal
from authflow.recording import shown
from authflow.values import Role, identifier

if TYPE_CHECKING:
    from authflow.command import Replays
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.answers import (
        KindView,
        MembersReminded,
        MetadataShown,
        ProviderAdded,
        ProviderRemoved,
        ProviderSaved,
        ProviderTried,
        ProviderView,
    )
    from authflow.journey.providers.describing import DescribingUs
    from authflow.journey.providers.keeping import Keeping
    from authflow.journey.providers.partnering import Partnering
    from authflow.journey.providers.setting_up import SettingUp
    from authflow.journey.sso.answers import PipelineAbandoned, SentAway
    from authflow.ports import UnitOfWork
    from authflow.sso.kinds import Callback, Document
    from authflow.values import BrowserSession, Context, OrganizationId, Refused, Secret


@attrs.frozen(kw_only=True)
class Providers:
    """``flows.providers``: the provider through which an organization's people sign in."""

    _uow: UnitOfWork[JourneyTransaction] = attrs.field(alias="uow")
    _replays: Replays = attrs.field(alias="replays")
    _keeping: Keeping = attrs.field(alias="keeping")
    _partnering: Partnering = attrs.field(alias="partnering")
    _describing: DescribingUs = attrs.field(alias="describing")
    _setting_up: SettingUp = attrs.field(alias="setting_up")

    # --- keeping what stands --------------------------------------------------------------------------------------

    @operation("providers.kinds")
    def kinds(self) -> tuple[KindView, ...]:
        """Return the kinds of providers that this installation knows, in the order of their keys."""
        return self._keeping.kinds()

    @command("providers.view")
    def view(self, session: BrowserSession, *, organization: OrganizationId) -> ProviderView | Refused:
        """Show the organization's provider to whoever manages that. What is secret is never shown again.

        Raises:
            InputInvalid: *organization* cannot be an organization's id.
            SecretUnavailable: The key of its settings is not in the ring.
        """
        identifier(organization, field="organization")
        return self._keeping.view(session, organization)

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
        return self._keeping.edit(session, context, organization, settings)

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
        return self._keeping.configure(session, context, organization, given, name)

    @command("providers.remind")
    def remind(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId
    ) -> MembersReminded | Refused:
        """Mail every member without a link once more, for whoever manages the organization; within a budget.

        Raises:
            InputInvalid: *organization* cannot be an organization's id.
        """
        identifier(organization, field="organization")
        return self._keeping.remind(session, context, organization)

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
        return self._keeping.disable(session, context, organization)

    # --- for partners ---------------------------------------------------------------------------------------------

    @operation("providers.provision")
    def provision(
        self,
        session: BrowserSession,
        context: Context,
        *,
        organization: OrganizationId,
        kind: str,
        settings: Document,
        name: str = "",
        required: bool = True,
        newcomers: bool = True,
        default_role: str | None = None,
    ) -> ProviderAdded | Refused:
        """Connect a partner's provider, untried, for an installation's administrator; owners cannot change it.

        Doing it again changes the settings; doing the same again changes nothing. The arguments are those of
        `start_setup`.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *organization* cannot be an organization's id; or an argument is of another type.
        """
        identifier(organization, field="organization")
        require_types(kind=kind, name=name, settings=settings, default_role=default_role)
        given = Proposal(
            config=settings,
            name=shown(name),
            required=required,
            newcomers=newcomers,
            default_role=default_role,
        )
        return self._partnering.provision(session, context, organization, kind, given)

    @command("providers.withdraw")
    def withdraw(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId
    ) -> ProviderRemoved | Refused:
        """Take a partner's provider away, for an installation's administrator; otherwise as `disable`.

        Raises:
            InputInvalid: *organization* cannot be an organization's id.
        """
        identifier(organization, field="organization")
        return self._partnering.withdraw(session, context, organization)

    # --- what a provider is told ----------------------------------------------------------------------------------

    @command("providers.metadata")
    def metadata(
        self, *, organization: OrganizationId, kind: str = "", settings: Document | None = None
    ) -> MetadataShown | Refused:
        """Return what a provider has to be told of this app, for a GET by anybody: no secret is in it.

        For the provider that stands, with its certificate for signing and encryption. Before there is one, or with
        *settings*, for one that is going to be proposed: an identity provider often has to know the app first.

        Args:
            organization: Whose provider reads it; its addresses are in it.
            kind: Of which kind; if it is empty that of the provider that stands, else the first one that can.
            settings: What is going to be proposed, as far as it is known: of it only ``certificate`` and
                ``sign_requests`` are looked at. None for what stands.

        Raises:
            ConfigInvalid: The host configured no address to come back to.
            InputInvalid: *organization* cannot be an organization's id; or an argument is of another type.
            SecretUnavailable: The key of the provider's settings is not in the ring.
        """
        identifier(organization, field="organization")
        require_types(kind=kind, settings={} if settings is None else settings)
        return self._describing.metadata(organization, kind, settings)

    # --- setting one up -------------------------------------------------------------------------------------------

    @operation("providers.start_setup")
    def start_setup(
        self,
        session: BrowserSession,
        context: Context,  # noqa: ARG002  # every command that changes something takes it
        *,
        organization: OrganizationId,
        kind: str,
        settings: Document,
        name: str = "",
        required: bool = True,
        newcomers: bool = True,
        default_role: str | None = None,
    ) -> SentAway | Refused:
        """Send an owner to the provider that they propose, to sign in there. Nothing is stored but for this browser.

        It may use the network, and so runs in no transaction.

        Args:
            session: The owner's; it is elevated.
            context: Where the command came from.
            organization: Whose provider it is going to be; it has none.
            kind: Its kind's key (`kinds`).
            settings: What the kind needs, such as a client and its secret: JSON types.
            name: What people call it; the kind's name if it is empty.
            required: Members must sign in through it.
            newcomers: Whoever signs in for the first time becomes a member.
            default_role: For members who come without an invitation's role; none for the organization's own.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            ConfigInvalid: The host configured no address to come back to.
            InputInvalid: *organization* cannot be an organization's id; or an argument is of another type.
        """
        identifier(organization, field="organization")
        require_types(kind=kind, name=name, settings=settings, default_role=default_role)
        given = Proposal(
            config=settings,
            name=shown(name),
            required=required,
            newcomers=newcomers,
            default_role=default_role,
        )
        return self._setting_up.start(session, organization, kind, given)

    @operation("providers.resume")
    def resume(
        self, session: BrowserSession, context: Context, *, pipeline: Secret, callback: Callback | None = None
    ) -> ProviderTried | Refused:
        """Take the provider's answer, and show whom it named: that is what `confirm` consents to.

        Args:
            session: The browser that began.
            context: Where the command came from.
            pipeline: From `SentAway`.
            callback: What the browser brought back; none after ``sso.keep_answer``, and to be shown it again.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *callback* is something else.
        """
        require_callback(callback, optional=True)
        return self._setting_up.resume(session, context, pipeline, callback)

    @command("providers.confirm")
    def confirm(self, session: BrowserSession, context: Context, *, pipeline: Secret) -> ProviderAdded | Refused:
        """Let the provider that was tried stand, for a POST of a page that showed what `resume` answered (sso 8).

        Everything happens in one transaction: the provider, the link of whoever is signed in here and of nobody else,
        their sign-on, the policy about second factors, the log, the signal, and the mails. Of two admins who confirm
        at the same moment one is told that there is a provider already.
        """
        return self._setting_up.confirm(session, context, pipeline)

    @command("providers.abandon")
    def abandon(self, session: BrowserSession, *, pipeline: Secret) -> PipelineAbandoned | Refused:
        """Give the setup up: nothing of it was stored but for this browser."""
        return self._setting_up.abandon(session, pipeline)
