"""Signing in through an organization's provider, and linking another identity, from the first redirect to the last."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.command.running import in_one, looked
from authflow.errors import Code
from authflow.journey.door import carried, settled
from authflow.journey.sso.answers import AnswerKept, SentAway
from authflow.sso.case import Choice
from authflow.sso.pipeline import Flow
from authflow.sso.progress import Away
from authflow.sso.service.exchange import Response
from authflow.values import Answer, Context, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.answers import ChoiceOwed, Finished, MailSent, PipelineAbandoned
    from authflow.journey.sso.comers import Comer, Comers
    from authflow.journey.sso.finishing import Finishing
    from authflow.journey.sso.mailed_proofs import MailedProofs
    from authflow.journey.sso.refusals import RefusalLog
    from authflow.ports import Clock, UnitOfWork
    from authflow.sessions.service import Sessions
    from authflow.sso.kinds import Assertion, Callback, Rejected
    from authflow.sso.service import SignInTravelling
    from authflow.sso.service.exchange import NewPipeline, Redirection
    from authflow.values import Asker, BrowserSession, OrganizationId, Secret

AnswerT = TypeVar("AnswerT", bound=Answer)


@attrs.frozen(kw_only=True)
class SignOn:
    """The commands of a sign-in that began here: each makes its transactions, and knows who goes on in them."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions
    sign_ins: SignInTravelling
    comers: Comers
    finishing: Finishing
    proofs: MailedProofs
    refusals: RefusalLog

    # --- there ----------------------------------------------------------------------------------------------------

    def start(self, session: BrowserSession, organization: OrganizationId, flow: Flow) -> SentAway | Refused:
        """Send the browser away: whereto is asked of the kind, between two transactions."""
        self.uow.require_closed()
        minted = in_one(self.uow, lambda: self._minted(session, organization, flow))
        if isinstance(minted, Refused):
            return minted
        kept, new = minted
        redirection = self.sign_ins.requests.make(new)
        if isinstance(redirection, Refused):
            return attrs.evolve(redirection, session=kept)
        return in_one(self.uow, lambda: self._sent(kept, new, redirection))

    def _minted(
        self, session: BrowserSession, organization: OrganizationId, flow: Flow
    ) -> tuple[BrowserSession, NewPipeline] | Refused:
        now = self.clock.now()
        with self.uow.begin() as tx:
            asker = self.sessions.identify(session, now)
            refusal = _may_link(asker) if flow is Flow.LINK else None
            provider = Refused(code=refusal) if refusal else self.sign_ins.connected.find(tx, organization)
            if isinstance(provider, Refused):
                return carried(provider, session, asker)
            kept = self.sessions.kept_or_new(session, asker)
            purpose = self.sign_ins.connected.purpose(provider, flow, kept.id, asker.user)
            return kept, self.sign_ins.requests.mint(purpose, now)

    def _sent(self, kept: BrowserSession, new: NewPipeline, to: Redirection) -> SentAway:
        with self.uow.begin() as tx:
            self.sign_ins.pipelines.begin(tx, Away(handle=new.handle, state=to.state, request=to.request))
        return SentAway(session=kept, url=to.url, form=to.form, pipeline=new.ticket, expires_at=new.handle.expires_at)

    # --- and back -------------------------------------------------------------------------------------------------

    def keep_answer(self, callback: Callback) -> AnswerKept | Refused:
        """Store what the provider said, for the browser to come for."""
        with self.uow.begin() as tx:
            return self.sign_ins.kept.keep(tx, callback, self.clock.now()) or AnswerKept()

    def resume(
        self, session: BrowserSession, context: Context, pipeline: Secret, callback: Callback | None
    ) -> Finished:
        """Let the kind check the answer, between two transactions; where there is nothing to check, go on at once."""
        self.uow.require_closed()
        response = None if callback is None else self._seen(session, pipeline, callback)
        if response is None:
            answer = in_one(self.uow, lambda: self._response(session, context, pipeline, callback))
            if not isinstance(answer, Response):
                return answer
            response = answer
        said = self.sign_ins.responses.check(response)
        return in_one(self.uow, lambda: self._take(session, context, pipeline, response, said))

    def _seen(self, session: BrowserSession, pipeline: Secret, callback: Callback) -> Response | None:
        """Return what has to be checked, where nothing has to be stored first: all of it is looked at again by `_take`.

        For whatever else it is, `_response` says so.
        """

        def look() -> Response | None:
            with self.uow.begin() as tx:
                by = self.comers.met(tx, session, Context(), pipeline)
                if isinstance(by, Refused):
                    return None
                return self.sign_ins.responses.fit(tx, by.who, callback, self.clock.now())

        return looked(self.uow, look)

    def _response(
        self, session: BrowserSession, context: Context, pipeline: Secret, callback: Callback | None
    ) -> Response | Finished:
        with self.uow.begin() as tx:
            by = self.comers.met(tx, session, context, pipeline)
            if isinstance(by, Refused):
                return by
            response = self.sign_ins.responses.read(tx, by.who, callback, self.clock.now())
            if isinstance(response, Refused):
                return by.carried(self.refusals.told(by, response))
            return response or self.choose(session, context, pipeline, Choice.NOTHING)

    def _take(
        self,
        session: BrowserSession,
        context: Context,
        pipeline: Secret,
        response: Response,
        said: Assertion | Rejected,
    ) -> Finished:
        """Take the answer and finish, with the accounts held that the identity leads to."""
        with self.uow.begin() as tx:
            self.finishing.expect(tx, response, said)
            concerned = partial(self.finishing.concerned, said=said)
            by = self.comers.held(tx, session, context, pipeline, concerned, lock=True)
            if isinstance(by, Refused):
                return by
            refused = self.finishing.take(by, response, said)
            return self.finishing.finish(by, Choice.NOTHING) if refused is None else by.carried(refused)

    # --- the page in between --------------------------------------------------------------------------------------

    def choose(self, session: BrowserSession, context: Context, pipeline: Secret, choice: Choice) -> Finished:
        """Finish with *choice*, with the accounts held that the identity leads to."""
        with self.uow.begin() as tx:
            concerned, links = partial(self.finishing.concerned, said=None), choice is Choice.LINK
            by = self.comers.held(tx, session, context, pipeline, concerned, lock=links)
            return by if isinstance(by, Refused) else self.finishing.finish(by, choice)

    def look(self, session: BrowserSession, pipeline: Secret) -> ChoiceOwed | Refused:
        """Show the page; nobody waits for anybody."""
        return self._answer(session, Context(), pipeline, self.finishing.look, lock=False)

    def mail_proof(self, session: BrowserSession, context: Context, pipeline: Secret) -> MailSent | Refused:
        """Mail a link."""
        return self._answer(session, context, pipeline, self.proofs.mail, lock=True)

    def open_link(
        self, session: BrowserSession, context: Context, pipeline: Secret, token: Secret
    ) -> ChoiceOwed | Refused:
        """Use the link, and show the page that comes next."""

        def opened(by: Comer) -> ChoiceOwed | Refused:
            return self.proofs.open(by, token) or self.finishing.look(by)

        return self._answer(session, context, pipeline, opened, lock=True)

    def abandon(self, session: BrowserSession, context: Context, pipeline: Secret) -> PipelineAbandoned | Refused:
        """End it."""
        return self._answer(session, context, pipeline, self.finishing.abandon, lock=True)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _answer(
        self,
        session: BrowserSession,
        context: Context,
        pipeline: Secret,
        step: Callable[[Comer], AnswerT],
        *,
        lock: bool,
    ) -> AnswerT | Refused:
        """Let *step* answer whoever goes on with *pipeline*, in one transaction, with or without their account held."""
        with self.uow.begin() as tx:
            by = self.comers.met(tx, session, context, pipeline, lock=lock)
            return by if isinstance(by, Refused) else by.carried(settled(lambda: step(by)))


def _may_link(asker: Asker) -> Code | None:
    """Linking is a lasting change: for whoever is signed in, and proved recently who they are (decision 5)."""
    if asker.user is None:
        return asker.why_not or Code.SESSION_REQUIRED
    return None if asker.elevated else Code.SESSION_ELEVATION_REQUIRED
