"""Signing in through an organization's provider, and linking another identity, from the first redirect to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.command import command, operation
from authflow.command.running import in_one
from authflow.errors import Code
from authflow.journey.arguments import read_choice, require_callback
from authflow.journey.door import carried
from authflow.journey.sso.answers import (
    AnswerKept,
    ChoiceOwed,
    Finished,
    MailSent,
    PipelineAbandoned,
    SentAway,
)
from authflow.journey.sso.door import SsoDoor
from authflow.journey.sso.holding import Comer
from authflow.sso.case import Choice
from authflow.sso.pipeline import Flow
from authflow.sso.progress import Away
from authflow.sso.service.pipelines import bearer
from authflow.sso.service.trips import Back
from authflow.values import Refused, Secret, identifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.journey.ports import JourneyTransaction
    from authflow.sso.kinds import Assertion, Callback, Rejected
    from authflow.sso.service.pipelines import Bearer
    from authflow.sso.service.trips import Leaving, Left
    from authflow.values import Asker, BrowserSession, Context, OrganizationId

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class SigningOn(SsoDoor):
    """``flows.sso``: people come through their organizations' providers.

    Every command that goes on takes *pipeline*, which `SentAway` gave, in the browser session that began. Nothing
    that comes with a request names an organization or a provider: the server's row does.
    """

    # --- there ----------------------------------------------------------------------------------------------------

    @operation("sso.start")
    def start(
        self,
        session: BrowserSession,
        context: Context,  # noqa: ARG002  # every command that changes something takes it
        *,
        organization: OrganizationId,
    ) -> SentAway | Refused:
        """Send the browser to the organization's provider, to sign in. A browser without a session gets one.

        It asks the provider's settings what to do, perhaps over the network, and so runs in no transaction.

        Args:
            session: What the browser sent; `NOBODY` for a new one.
            context: Where the command came from.
            organization: Whose provider.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            ConfigInvalid: The host configured no address to come back to.
            InputInvalid: *organization* cannot be an organization's id.
        """
        return self._send(session, organization, Flow.LOGIN)

    @operation("sso.start_link")
    def start_link(
        self,
        session: BrowserSession,
        context: Context,  # noqa: ARG002  # as above
        *,
        organization: OrganizationId,
    ) -> SentAway | Refused:
        """Send whoever is signed in, and proved it recently, to the provider, to link the identity they have there.

        The arguments are those of `start`, and so is what it raises.
        """
        return self._send(session, organization, Flow.LINK)

    # --- and back -------------------------------------------------------------------------------------------------

    @command("sso.keep_answer")
    def keep_answer(self, *, callback: Callback) -> AnswerKept | Refused:
        """Store the answer that a provider had the browser post here from its own site, without any cookie of ours.

        It decides nothing, and reads nothing but what the provider said. Redirect to a page of your own then, so that
        the browser sends its cookies, and call `resume` without a callback.

        Raises:
            InputInvalid: *callback* is something else.
        """
        require_callback(callback)
        with self._uow.begin() as tx:
            return self._travelling.keep(tx, callback, self._clock.now()) or AnswerKept()

    @operation("sso.resume")
    def resume(
        self, session: BrowserSession, context: Context, *, pipeline: Secret, callback: Callback | None = None
    ) -> Finished:
        """Take the provider's answer, or after a detour go on where it stopped, and finish if nothing has to be chosen.

        The answer is checked with no transaction open; then it is taken once, and everything that follows from it
        happens in one transaction.

        Args:
            session: The browser.
            context: Where the command came from.
            pipeline: From `SentAway`.
            callback: What the browser brought back; none after `keep_answer`, a second factor or a sign-in.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *callback* is something else.
        """
        require_callback(callback, optional=True)
        self._uow.require_closed()
        back = self._one(lambda: self._back(session, context, pipeline, callback))
        if not isinstance(back, Back):
            return back
        came = self._travelling.arrive(back)
        return self._one(lambda: self._take(session, context, pipeline, back, came))

    @command("sso.look")
    def look(self, session: BrowserSession, *, pipeline: Secret) -> ChoiceOwed | Refused:
        """Return the page that a sign-in waits at, as data. Whoever looks changes nothing."""
        with self._uow.begin() as tx:
            asker, who = self._met(tx, session, pipeline)
            seen = who if isinstance(who, Refused) else self._concluding.look(tx, asker, who)
            return carried(seen, session, asker)

    @command("sso.choose")
    def choose(self, session: BrowserSession, context: Context, *, pipeline: Secret, choice: Choice | str) -> Finished:
        """Choose what the page offers, for a POST of a page of your own. The choice counts for this browser alone.

        Args:
            session: The browser.
            context: Where the command came from.
            pipeline: From `SentAway`.
            choice: `Choice.LINK` or `Choice.NEW_ACCOUNT`, or the text of either, as a form brings it.

        Raises:
            InputInvalid: *choice* is anything else.
        """
        return self._go_on(session, context, pipeline, read_choice(choice))

    @command("sso.mail_proof")
    def mail_proof(self, session: BrowserSession, context: Context, *, pipeline: Secret) -> MailSent | Refused:
        """Mail a link to the member who has the asserted address verified, if there is one; all are told the same.

        Opened in this browser it proves the mailbox for this very identity, and nothing else (decision 20).
        """
        with self._uow.begin() as tx:
            asker, who = self._met(tx, session, pipeline, lock=True)
            if isinstance(who, Refused):
                return carried(who, session, asker)
            return carried(self._concluding.mail_proof(tx, asker, context, who), session, asker)

    @command("sso.open_link")
    def open_link(
        self, session: BrowserSession, context: Context, *, pipeline: Secret, token: Secret
    ) -> ChoiceOwed | Refused:
        """Use the mailed link, for a POST, in the browser that asked for it: once. The page that comes next follows.

        Args:
            session: The browser.
            context: Where the command came from.
            pipeline: From `SentAway`: what the browser keeps.
            token: From the link.
        """
        with self._uow.begin() as tx:
            asker, who = self._met(tx, session, pipeline, lock=True)
            if isinstance(who, Refused):
                return carried(who, session, asker)
            opened = self._concluding.open_link(tx, asker, context, who, token)
            return carried(opened or self._concluding.look(tx, asker, who), session, asker)

    @command("sso.abandon")
    def abandon(self, session: BrowserSession, context: Context, *, pipeline: Secret) -> PipelineAbandoned | Refused:
        """Give up. Whatever the provider answers afterwards is refused."""
        with self._uow.begin() as tx:
            asker, who = self._met(tx, session, pipeline, lock=True)
            if isinstance(who, Refused):
                return carried(who, session, asker)
            return carried(self._concluding.abandon(tx, asker, context, who), session, asker)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _one(self, work: Callable[[], T]) -> T:
        return in_one(self._uow, work)

    def _send(self, session: BrowserSession, organization: OrganizationId, flow: Flow) -> SentAway | Refused:
        identifier(organization, field="organization")
        self._uow.require_closed()
        leaving = self._one(lambda: self._leave(session, organization, flow))
        if isinstance(leaving, Refused):
            return leaving
        kept, journey = leaving
        left = self._travelling.depart(journey)
        if isinstance(left, Refused):
            return attrs.evolve(left, session=kept)
        return self._one(lambda: self._sent(kept, journey, left))

    def _leave(
        self, session: BrowserSession, organization: OrganizationId, flow: Flow
    ) -> tuple[BrowserSession, Leaving] | Refused:
        now = self._clock.now()
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, now)
            refusal = _may_link(asker) if flow is Flow.LINK else None
            provider = Refused(code=refusal) if refusal else self._travelling.connected(tx, organization)
            if isinstance(provider, Refused):
                return carried(provider, session, asker)
            opens = asker.session and asker.why_not is not Code.SESSION_SUPERSEDED
            kept = attrs.evolve(session, renew=False) if opens else self._sessions.open()
            purpose = self._travelling.purpose(provider, flow, kept.id, asker.user)
            return kept, self._travelling.leave(purpose, now)

    def _sent(self, kept: BrowserSession, journey: Leaving, left: Left) -> SentAway:
        with self._uow.begin() as tx:
            self._travelling.begin(tx, Away(handle=journey.handle, state=left.state, request=left.request))
        return SentAway(
            session=kept,
            url=left.url,
            form=left.form,
            pipeline=journey.ticket,
            expires_at=journey.handle.expires_at,
        )

    def _back(
        self, session: BrowserSession, context: Context, pipeline: Secret, callback: Callback | None
    ) -> Back | Finished:
        """Return what has to be checked; where nothing has, go on at once."""
        with self._uow.begin() as tx:
            asker, who = self._met(tx, session, pipeline)
            if isinstance(who, Refused):
                return carried(who, session, asker)
            back = self._travelling.back(tx, who, callback, self._clock.now())
            if isinstance(back, Refused):
                return carried(self._concluding.refused(tx, who, back, asker, context), session, asker)
            return back or self._go_on(session, context, pipeline, Choice.NOTHING)

    def _take(
        self, session: BrowserSession, context: Context, pipeline: Secret, back: Back, came: Assertion | Rejected
    ) -> Finished:
        """Take the answer and finish, with the accounts held that the identity leads to."""
        with self._uow.begin() as tx:
            by = self._coming(tx, session, context, pipeline, came)
            if isinstance(by, Refused):
                return by
            taken = self._concluding.take(tx, by, back, came)
            if taken is not None:
                return carried(taken, session, by.asker)
            return self._concluding.finish(tx, by, Choice.NOTHING)

    def _go_on(self, session: BrowserSession, context: Context, pipeline: Secret, choice: Choice) -> Finished:
        with self._uow.begin() as tx:
            by = self._coming(tx, session, context, pipeline, None)
            return by if isinstance(by, Refused) else self._concluding.finish(tx, by, choice)

    def _coming(
        self,
        tx: JourneyTransaction,
        session: BrowserSession,
        context: Context,
        pipeline: Secret,
        came: Assertion | Rejected | None,
    ) -> Comer | Refused:
        """Return who goes on, after holding their account and those of all whom the identity leads to."""
        first, who = self._met(tx, session, pipeline)
        if isinstance(who, Refused):
            return carried(who, session, first)
        self._hold(tx, first.user, *self._concluding.concerned(tx, who, came))
        asker, who = self._met(tx, session, pipeline)
        if isinstance(who, Refused):
            return carried(who, session, asker)
        return Comer(session=session, context=context, asker=asker, who=who)

    def _met(
        self, tx: JourneyTransaction, session: BrowserSession, pipeline: Secret, *, lock: bool = False
    ) -> tuple[Asker, Bearer | Refused]:
        """Return who asks, with or without their account held, and as whom they go on with *pipeline*."""
        self._travelling.read_ahead(tx, pipeline)
        asker = self._sessions.identify(session, self._clock.now(), lock=lock)
        return asker, bearer(asker, pipeline)


def _may_link(asker: Asker) -> Code | None:
    """Linking is a lasting change: for whoever is signed in, and proved recently who they are (decision 5)."""
    if asker.user is None:
        return asker.why_not or Code.SESSION_REQUIRED
    return None if asker.elevated else Code.SESSION_ELEVATION_REQUIRED
