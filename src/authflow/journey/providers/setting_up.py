"""Setting a provider up: it is proposed, tried by whoever proposes it, shown, and only then connected (sso 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.command import command, operation
from authflow.command.running import in_one
from authflow.errors import Code, UniqueViolated
from authflow.journey.arguments import require_callback, require_types
from authflow.journey.door import Declined, Door, carried, expect
from authflow.journey.providers.answers import ProviderAdded, ProviderTried
from authflow.journey.providers.connecting import Desk, Proposal
from authflow.journey.sso.answers import PipelineAbandoned, SentAway
from authflow.recording import shown
from authflow.sso.pipeline import Flow, barred
from authflow.sso.progress import Abandon, Abandoned, Received
from authflow.sso.provider import Connected, may_change_trust
from authflow.sso.sealing import proposal_binding, provider_key, settings_digest
from authflow.sso.service.exchange import Purpose
from authflow.sso.service.pipelines import bearer
from authflow.sso.service.requests import told_in_setups
from authflow.sso.setup import Confirm, Proposed, Stands, Tried
from authflow.values import Refused, identifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.connecting import Connecting
    from authflow.ports import Stored
    from authflow.sso.kinds import Assertion, Callback, Document, Kind, Rejected
    from authflow.sso.provider import Authority
    from authflow.sso.service import SetupTravelling
    from authflow.sso.service.exchange import NewPipeline, Redirection, Response
    from authflow.sso.service.pipelines import Bearer
    from authflow.sso.setup import Setup
    from authflow.values import Asker, BrowserSession, Context, OrganizationId, Secret

T = TypeVar("T")

EXISTS = frozenset({"sso_provider.organization", "primary_key"})
"""The uniqueness rules of providers: an organization has one, and the very same one has the same id."""


@attrs.frozen(kw_only=True)
class SettingUp(Door):
    """The part of ``flows.providers`` that connects one: whoever finishes is whoever began, in the same browser."""

    _travelling: SetupTravelling = attrs.field(alias="travelling")
    _connecting: Connecting = attrs.field(alias="connecting")

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
        self._uow.require_closed()
        known = self._travelling.desk.kinds.get(kind)
        refused = self._one(lambda: self._refusal(session, organization, known, default_role))
        if refused is not None or known is None:
            return refused or Refused(code=Code.SSO_KIND_UNKNOWN, session=session)
        decided = Proposal(
            config={}, name=shown(name) or known.name, required=required, newcomers=newcomers, default_role=default_role
        )
        proposal = self._connecting.proposal(known, settings, decided)
        if isinstance(proposal, Refused):
            return attrs.evolve(proposal, session=session)
        leaving = self._leave(session, organization, known, proposal)
        left = self._travelling.requests.make(leaving)
        if isinstance(left, Refused):
            return attrs.evolve(left, session=session)
        return self._one(lambda: self._sent(session, leaving, left, proposal))

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
        self._uow.require_closed()
        back = self._one(lambda: self._back(session, pipeline, callback))
        if isinstance(back, Refused):
            return back
        if back is None:
            return self._one(lambda: self._shown_again(session, pipeline))
        came = self._travelling.responses.check(back)
        return self._one(lambda: self._take(session, context, pipeline, back, came))

    @command("providers.confirm")
    def confirm(self, session: BrowserSession, context: Context, *, pipeline: Secret) -> ProviderAdded | Refused:
        """Let the provider that was tried stand, for a POST of a page that showed what `resume` answered (sso 8).

        Everything happens in one transaction: the provider, the link of whoever is signed in here and of nobody else,
        their sign-on, the policy about second factors, the log, the signal, and the mails. Of two admins who confirm
        at the same moment one is told that there is a provider already.
        """
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            who = bearer(asker, pipeline)
            stored = who if isinstance(who, Refused) else self._travelling.pipelines.load(tx, who, lock=True)
            if isinstance(who, Refused) or isinstance(stored, Refused):
                return carried(expect(stored, Refused), session, asker)
            at = self._desk(tx, asker, context, stored.state.handle.organization)
            try:
                with self._uow.savepoint():
                    return self._confirmed(at, session, who, stored)
            except Declined as declined:
                return carried(declined.answer, session, asker)
            except UniqueViolated as violated:
                if violated.rule not in EXISTS:
                    raise
            return carried(self._too_late(at, who, stored), session, asker)

    @command("providers.abandon")
    def abandon(self, session: BrowserSession, *, pipeline: Secret) -> PipelineAbandoned | Refused:
        """Give the setup up: nothing of it was stored but for this browser."""
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            who = bearer(asker, pipeline)
            stored = who if isinstance(who, Refused) else self._travelling.pipelines.load(tx, who, lock=True)
            if isinstance(who, Refused) or isinstance(stored, Refused):
                return carried(expect(stored, Refused), session, asker)
            leave = Abandon(present=self._travelling.pipelines.present(tx, stored.state, who))
            answer = self._travelling.pipelines.step(tx, stored, leave, self._clock.now()).answer
            done = PipelineAbandoned() if isinstance(answer, Abandoned) else expect(answer, Refused)
            return carried(done, session, asker)

    # --- there ----------------------------------------------------------------------------------------------------

    def _refusal(
        self, session: BrowserSession, organization: OrganizationId, kind: Kind | None, role: str | None
    ) -> Refused | None:
        """Return why no setup may begin; who asks is judged first, and once more when it is confirmed."""
        kinds = self._travelling.desk.kinds
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            code = may_change_trust(self._connecting.authority(tx, asker, organization))
            if code is None and isinstance(tx.providers.load(organization).state, Connected):
                code = Code.SSO_PROVIDER_EXISTS
            if code is None and kind is None:
                code = Code.SSO_KIND_UNKNOWN
            if code is None and kind is not None and not kinds.may_connect(organization, kind.key):
                code = Code.SSO_FEATURE_MISSING
            if code is None and self._connecting.unknown_role(role):
                problems = {"default_role": "is no role of this installation"}
                return carried(Refused(code=Code.SSO_INPUT_INVALID, problems=problems), session, asker)
            return None if code is None else carried(Refused(code=code), session, asker)

    def _leave(
        self, session: BrowserSession, organization: OrganizationId, kind: Kind, proposal: Proposal
    ) -> NewPipeline:
        asker = self._sessions.identify(session, self._clock.now())
        purpose = Purpose(
            flow=Flow.SETUP,
            organization=organization,
            provider=provider_key(organization, kind, proposal.config),
            kind=kind,
            settings=proposal.config,
            digest=settings_digest(kind, proposal.config),
            session=asker.session,
            started_by=asker.user,
        )
        return self._travelling.requests.mint(purpose, self._clock.now())

    def _sent(self, session: BrowserSession, leaving: NewPipeline, left: Redirection, proposal: Proposal) -> SentAway:
        document = attrs.asdict(proposal, recurse=False)
        sealed = self._travelling.desk.vault.seal(document, proposal_binding(leaving.handle.id))
        with self._uow.begin() as tx:
            self._travelling.pipelines.begin(
                tx, Proposed(handle=leaving.handle, state=left.state, request=left.request, proposal=sealed)
            )
        return SentAway(
            session=attrs.evolve(session, renew=False),
            url=left.url,
            form=left.form,
            pipeline=leaving.ticket,
            expires_at=leaving.handle.expires_at,
        )

    # --- and back -------------------------------------------------------------------------------------------------

    def _back(self, session: BrowserSession, pipeline: Secret, callback: Callback | None) -> Response | Refused | None:
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            who = bearer(asker, pipeline)
            found = who if isinstance(who, Refused) else self._travelling.pipelines.load(tx, who)
            if isinstance(who, Refused) or isinstance(found, Refused):
                return carried(expect(found, Refused), session, asker)
            back = self._travelling.responses.read(tx, who, callback, self._clock.now())
            return carried(back, session, asker) if isinstance(back, Refused) else back

    def _take(
        self, session: BrowserSession, context: Context, pipeline: Secret, back: Response, came: Assertion | Rejected
    ) -> ProviderTried | Refused:
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            who = bearer(asker, pipeline)
            if isinstance(who, Refused):
                return carried(who, session, asker)
            taken = self._travelling.responses.take(tx, who, back, came, self._clock.now())
            answer = taken if isinstance(taken, Refused) else taken.answer
            if not isinstance(answer, Received):
                refused = attrs.evolve(expect(answer, Refused), problems=told_in_setups(came))
                self._connecting.refused(self._desk(tx, asker, context, back.trip.organization), refused)
                return carried(refused, session, asker)
            return carried(self._tried(tx, asker, who), session, asker)

    def _shown_again(self, session: BrowserSession, pipeline: Secret) -> ProviderTried | Refused:
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            who = bearer(asker, pipeline)
            return carried(who if isinstance(who, Refused) else self._tried(tx, asker, who), session, asker)

    def _tried(self, tx: JourneyTransaction, asker: Asker, who: Bearer) -> ProviderTried | Refused:
        stored = self._travelling.pipelines.load(tx, who)
        if isinstance(stored, Refused):
            return stored
        state = stored.state
        code = barred(state.handle, self._travelling.pipelines.present(tx, state, who), self._clock.now())
        if code is not None or not isinstance(state, Tried) or asker.user is None:
            return Refused(code=code or asker.why_not or Code.SSO_PIPELINE_EXPIRED)
        if asker.user != state.handle.started_by:  # a browser that somebody else is signed in at by now
            return Refused(code=Code.SSO_IDENTITY_MISMATCH)
        return ProviderTried(
            organization=state.handle.organization,
            kind=state.handle.kind,
            user=asker.user,
            subject=state.identity.subject,
            email=state.identity.email,
            name=state.identity.name,
            confirms=self._connecting.confirms(state),
            expires_at=state.handle.expires_at,
        )

    # --- confirming -----------------------------------------------------------------------------------------------

    def _confirmed(
        self, at: Desk, session: BrowserSession, who: Bearer, stored: Stored[Setup]
    ) -> ProviderAdded | Refused:
        authority = self._connecting.authority(at.tx, at.asker, at.organization)
        exists = isinstance(at.tx.providers.load(at.organization, lock=True).state, Connected)
        answer = self._judged(at, who, stored, authority, exists=exists)
        if isinstance(answer, Refused):
            return carried(answer, session, at.asker)
        return self._connecting.connect(at, session, stored.state.handle, answer, authority)

    def _too_late(self, at: Desk, who: Bearer, stored: Stored[Setup]) -> Refused:
        """Somebody else's provider was stored at this very moment: the table says what that makes of this one."""
        authority = self._connecting.authority(at.tx, at.asker, at.organization)
        return expect(self._judged(at, who, stored, authority, exists=True), Refused)

    def _judged(
        self, at: Desk, who: Bearer, stored: Stored[Setup], authority: Authority, *, exists: bool
    ) -> Stands | Refused:
        present = self._travelling.pipelines.present(at.tx, stored.state, who)
        command = Confirm(present=present, visitor=at.asker.user, authority=authority, exists=exists)
        return expect(self._travelling.pipelines.step(at.tx, stored, command, at.now).answer, Stands, Refused)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _one(self, work: Callable[[], T]) -> T:
        return in_one(self._uow, work)

    def _desk(self, tx: JourneyTransaction, asker: Asker, context: Context, organization: OrganizationId) -> Desk:
        return Desk(tx=tx, asker=asker, context=context, organization=organization, now=self._clock.now())
