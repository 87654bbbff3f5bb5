"""Setting a provider up: it is proposed, tried by whoever proposes it, shown, and only then connected (sso 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command.running import in_one, looked
from authflow.errors import Code, UniqueViolated
from authflow.journey.door import carried, expect, need, settled
from authflow.journey.providers.answers import ProviderAdded, ProviderTried
from authflow.journey.sso.answers import PipelineAbandoned, SentAway
from authflow.sso.connection import Connected
from authflow.sso.opening import Opening, refusal
from authflow.sso.pipeline import Flow, barred
from authflow.sso.ports import PROVIDER_ONCE
from authflow.sso.progress import Abandon, Abandoned, Over, Received
from authflow.sso.sealing import proposal_binding, provider_key, settings_digest
from authflow.sso.service.exchange import Purpose
from authflow.sso.service.pipelines import bearer
from authflow.sso.service.requests import told_in_setups
from authflow.sso.setup import Confirm, Proposed, Stands, Tried
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.door import Askers
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.providers.connecting import Connecting
    from authflow.journey.providers.orders import Order, Orders, Proposal
    from authflow.ports import Clock, Stored, UnitOfWork
    from authflow.sessions.service import Sessions
    from authflow.sso.authority import Authority
    from authflow.sso.kinds import Assertion, Callback, Kind, Rejected
    from authflow.sso.service import SetupTravelling
    from authflow.sso.service.exchange import NewPipeline, Redirection, Response
    from authflow.sso.service.pipelines import Bearer
    from authflow.sso.setup import Setup
    from authflow.values import Asker, BrowserSession, Context, OrganizationId, Secret


@attrs.frozen(kw_only=True)
class SettingUp:
    """The commands that connect a provider: whoever finishes is whoever began, in the same browser."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions
    askers: Askers
    orders: Orders
    setups: SetupTravelling
    connecting: Connecting

    # --- there ----------------------------------------------------------------------------------------------------

    def start(
        self, session: BrowserSession, organization: OrganizationId, kind: str, given: Proposal
    ) -> SentAway | Refused:
        """Send the owner away: what is *given* is read by the kind, which says whereto, between two transactions."""
        self.uow.require_closed()
        known = looked(self.uow, lambda: self._opened(session, organization, kind, given.default_role))
        if isinstance(known, Refused):
            return known
        proposal = self.connecting.proposal(known, given)
        if isinstance(proposal, Refused):
            return attrs.evolve(proposal, session=session)
        new = self._minted(session, organization, known, proposal)
        redirection = self.setups.requests.make(new)
        if isinstance(redirection, Refused):
            return attrs.evolve(redirection, session=session)
        return in_one(self.uow, lambda: self._sent(session, new, redirection, proposal))

    def _opened(
        self, session: BrowserSession, organization: OrganizationId, key: str, role: str | None
    ) -> Kind | Refused:
        """Return the kind that is proposed, or why no setup may begin, as the table says it."""

        def opened(tx: JourneyTransaction, asker: Asker) -> Kind | Refused:
            kinds = self.setups.desk.kinds
            kind = kinds.get(key)
            opening = Opening(
                authority=self.connecting.authority(tx, asker, organization),
                connected=isinstance(tx.providers.load(organization).state, Connected),
                kind_known=kind is not None,
                kind_included=kind is None or kinds.may_connect(organization, key),
                role_known=self.connecting.knows_role(role),
            )
            return refusal(opening) or self.connecting.kind(key)

        return self.askers.found(session, opened)

    def _minted(
        self, session: BrowserSession, organization: OrganizationId, kind: Kind, proposal: Proposal
    ) -> NewPipeline:
        asker = self.sessions.identify(session, self.clock.now())
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
        return self.setups.requests.mint(purpose, self.clock.now())

    def _sent(self, session: BrowserSession, new: NewPipeline, to: Redirection, proposal: Proposal) -> SentAway:
        document = attrs.asdict(proposal, recurse=False)
        sealed = self.setups.desk.vault.seal(document, proposal_binding(new.handle.id))
        with self.uow.begin() as tx:
            self.setups.pipelines.begin(
                tx, Proposed(handle=new.handle, state=to.state, request=to.request, proposal=sealed)
            )
        return SentAway(
            session=attrs.evolve(session, renew=False),
            url=to.url,
            form=to.form,
            pipeline=new.ticket,
            expires_at=new.handle.expires_at,
        )

    # --- and back -------------------------------------------------------------------------------------------------

    def resume(
        self, session: BrowserSession, context: Context, pipeline: Secret, callback: Callback | None
    ) -> ProviderTried | Refused:
        """Let the kind check the answer, between two transactions; where there is nothing to check, show it again."""
        self.uow.require_closed()
        response = looked(self.uow, lambda: self._response(session, pipeline, callback))
        if isinstance(response, Refused):
            return response
        if response is None:
            return looked(self.uow, lambda: self._shown_again(session, pipeline))
        said = self.setups.responses.check(response)
        return in_one(self.uow, lambda: self._take(session, context, pipeline, response, said))

    def _response(
        self, session: BrowserSession, pipeline: Secret, callback: Callback | None
    ) -> Response | Refused | None:
        def response(tx: JourneyTransaction, asker: Asker) -> Response | Refused | None:
            return self.setups.responses.read(tx, need(bearer(asker, pipeline)), callback, self.clock.now())

        return self.askers.found(session, response)

    def _take(
        self,
        session: BrowserSession,
        context: Context,
        pipeline: Secret,
        response: Response,
        said: Assertion | Rejected,
    ) -> ProviderTried | Refused:
        def tried(at: Order) -> ProviderTried | Refused:
            who = need(bearer(at.asker, pipeline))
            step = self.setups.responses.take(at.tx, who, response, said, at.now)
            answer = step if isinstance(step, Refused) else step.answer
            if isinstance(answer, Received):
                return self._tried(at.tx, at.asker, who)
            refused = attrs.evolve(expect(answer, Refused), problems=told_in_setups(said))
            self.connecting.refused(at, refused)
            return refused

        return self.orders.given(session, context, response.trip.organization, tried)

    def _shown_again(self, session: BrowserSession, pipeline: Secret) -> ProviderTried | Refused:
        return self.askers.shown(session, lambda tx, asker: self._tried(tx, asker, need(bearer(asker, pipeline))))

    def _tried(self, tx: JourneyTransaction, asker: Asker, who: Bearer) -> ProviderTried | Refused:
        state = need(self.setups.pipelines.load(tx, who)).state
        if isinstance(state, Over):  # what stands by now has nothing to do with it
            return Refused(code=Code.SSO_PIPELINE_EXPIRED)
        code = barred(state.handle, self.setups.pipelines.present(tx, state, who), self.clock.now())
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
            confirms=self.connecting.confirms(state),
            expires_at=state.handle.expires_at,
        )

    # --- and done -------------------------------------------------------------------------------------------------

    def confirm(self, session: BrowserSession, context: Context, pipeline: Secret) -> ProviderAdded | Refused:
        """Connect the provider, all of it or nothing; whoever comes second is told so by the table."""
        with self.uow.begin() as tx:
            asker = self.sessions.identify(session, self.clock.now(), lock=True)
            answer = settled(lambda: self._confirm(tx, asker, session, context, pipeline))
            return answer if isinstance(answer, ProviderAdded) else carried(answer, session, asker)

    def abandon(self, session: BrowserSession, pipeline: Secret) -> PipelineAbandoned | Refused:
        """End it."""

        def abandoned(tx: JourneyTransaction, asker: Asker) -> PipelineAbandoned | Refused:
            who = need(bearer(asker, pipeline))
            stored = need(self.setups.pipelines.load(tx, who, lock=True))
            leave = Abandon(present=self.setups.pipelines.present(tx, stored.state, who))
            answer = self.setups.pipelines.step(tx, stored, leave, self.clock.now()).answer
            return PipelineAbandoned() if isinstance(answer, Abandoned) else expect(answer, Refused)

        return self.askers.asked(session, abandoned)

    def _confirm(
        self, tx: JourneyTransaction, asker: Asker, session: BrowserSession, context: Context, pipeline: Secret
    ) -> ProviderAdded | Refused:
        who = need(bearer(asker, pipeline))
        stored = need(self.setups.pipelines.load(tx, who, lock=True))
        at = self.orders.of(tx, asker, context, stored.state.handle.organization)
        try:
            with self.uow.savepoint():
                return self._confirmed(at, session, who, stored)
        except UniqueViolated as violated:
            if violated.rule not in PROVIDER_ONCE:
                raise
        return self._too_late(at, who, stored)

    def _confirmed(
        self, at: Order, session: BrowserSession, who: Bearer, stored: Stored[Setup]
    ) -> ProviderAdded | Refused:
        authority = self.connecting.authority(at.tx, at.asker, at.organization)
        exists = isinstance(at.tx.providers.load(at.organization, lock=True).state, Connected)
        answer = self._judged(at, who, stored, authority, exists=exists)
        if isinstance(answer, Refused):  # it answers, and declines nothing: what the table ended by it stays so
            return answer
        return self.connecting.connect(at, session, stored.state.handle, answer, authority)

    def _too_late(self, at: Order, who: Bearer, stored: Stored[Setup]) -> Refused:
        """Somebody else's provider was stored at this very moment: the table says what that makes of this one."""
        authority = self.connecting.authority(at.tx, at.asker, at.organization)
        return expect(self._judged(at, who, stored, authority, exists=True), Refused)

    def _judged(
        self, at: Order, who: Bearer, stored: Stored[Setup], authority: Authority, *, exists: bool
    ) -> Stands | Refused:
        present = self.setups.pipelines.present(at.tx, stored.state, who)
        command = Confirm(present=present, visitor=at.asker.user, authority=authority, exists=exists)
        return expect(self.setups.pipelines.step(at.tx, stored, command, at.now).answer, Stands, Refused)
