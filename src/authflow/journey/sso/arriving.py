"""Sign-ins that begin at the provider: the answer is taken in, given to a browser, and confirmed there, or not at all.

Anybody can make a stranger's browser bring an answer about an account of their own, and hope that the stranger goes on
working in it (security 22). So there is a page in between, which says whose account it is, and a button on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.command import command, operation
from authflow.command.running import in_one
from authflow.errors import Code, ConfigInvalid
from authflow.journey.arguments import require_callback
from authflow.journey.door import carried
from authflow.journey.sso.answers import ConfirmationOwed, SignedOn, UnaskedKept
from authflow.journey.sso.door import SsoDoor
from authflow.journey.sso.holding import Comer, named
from authflow.sso.kinds import Rejected
from authflow.sso.progress import Unconfirmed
from authflow.sso.service.pipelines import bearer
from authflow.sso.service.unasked import TICKET_LIFE
from authflow.values import Refused, identifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.journey.ports import JourneyTransaction
    from authflow.sessions.commands import EnrollmentOwed, SecondFactorOwed
    from authflow.sso.kinds import Assertion, Callback
    from authflow.sso.service.unasked import Brought, Listening
    from authflow.values import Asker, BrowserSession, Context, OrganizationId, Secret

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Comes:
    """Who brings an answer: in which browser, from where, as whom."""

    session: BrowserSession
    context: Context
    asker: Asker


@attrs.frozen(kw_only=True)
class ArrivingUnasked(SsoDoor):
    """The part of ``flows.sso`` for answers that nobody asked for. It is closed, unless a policy opens it."""

    @operation("sso.keep_unasked")
    def keep_unasked(self, *, organization: OrganizationId, callback: Callback) -> UnaskedKept | Refused:
        """Take in what a provider had the browser post of itself, where ``sso.keep_answer`` knew of no sign-in.

        Nothing is stored, and nobody is signed in: the answer is checked, and goes on as a *ticket* with the redirect
        to a page of yours, where the browser sends its cookies. ``RelayState`` is not looked at: follow it nowhere.

        Args:
            organization: Whose provider: the one in the address that was posted to.
            callback: What the browser brought.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            ConfigInvalid: The host configured no address to come back to.
            InputInvalid: *organization* cannot be an organization's id, or *callback* is something else.
        """
        identifier(organization, field="organization")
        require_callback(callback)
        self._uow.require_closed()
        here = self._travelling.endpoints
        if here is None:
            raise ConfigInvalid(setting="endpoints", problem="are missing: providers need an address to answer to")
        now = self._clock.now()
        to = self._one(lambda: self._listening(organization))
        if isinstance(to, Refused):
            return to
        came = self._unasked.arrive(to, here, callback, now)
        return self._given(to, came, now)

    @command("sso.take_unasked")
    def take_unasked(
        self,
        session: BrowserSession,
        context: Context,
        *,
        ticket: Secret,
    ) -> ConfirmationOwed | Refused:
        """Give the answer to this browser, once, for the page to which it was redirected: show whom it would let in.

        A browser that waits for an answer of its own takes no other one, and one in which somebody else is signed in
        does not either. A browser without a session gets one.

        Args:
            session: The browser.
            context: Where the command came from.
            ticket: From `UnaskedKept`.
        """
        now = self._clock.now()
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, now, lock=True)
            brought = self._unasked.brought(ticket, now)
            to = brought if isinstance(brought, Refused) else self._unasked.listening(tx, brought.organization)
            if isinstance(brought, Refused) or isinstance(to, Refused):
                refused = to if isinstance(to, Refused) else Refused(code=Code.SSO_STATE_INVALID)
                return carried(refused, session, asker)
            return self._taken(tx, Comes(session=session, context=context, asker=asker), to, brought)

    @command("sso.look_unasked")
    def look_unasked(self, session: BrowserSession, *, pipeline: Secret) -> ConfirmationOwed | Refused:
        """Return the page that waits for a confirmation, as data. Whoever looks changes nothing."""
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now())
            return carried(self._page(tx, asker, pipeline), session, asker)

    @command("sso.confirm_unasked")
    def confirm_unasked(
        self, session: BrowserSession, context: Context, *, pipeline: Secret
    ) -> SignedOn | SecondFactorOwed | EnrollmentOwed | Refused:
        """Come in after all, for a POST of the page that `take_unasked` showed, and again after a second factor.

        Only a link that stands lets somebody in: none is made, nor an account. Nobody becomes a member by coming so,
        unless an invitation of theirs is open.
        """
        with self._uow.begin() as tx:
            first = self._sessions.identify(session, self._clock.now())
            who = bearer(first, pipeline)
            if isinstance(who, Refused):
                return carried(who, session, first)
            asker = self._held(tx, session, *self._confirming.concerned(tx, who))
            who = bearer(asker, pipeline)
            if isinstance(who, Refused):
                return carried(who, session, asker)
            return self._confirming.finish(tx, Comer(session=session, context=context, asker=asker, who=who))

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _one(self, work: Callable[[], T]) -> T:
        return in_one(self._uow, work)

    def _listening(self, organization: OrganizationId) -> Listening | Refused:
        with self._uow.begin() as tx:
            return self._unasked.listening(tx, organization)

    def _given(self, to: Listening, came: Assertion | Rejected, now: datetime) -> UnaskedKept | Refused:
        if isinstance(came, Rejected):
            return Refused(code=came.code)
        ticket = self._unasked.ticket(to, came, now)
        if isinstance(ticket, Refused):
            return ticket
        return UnaskedKept(ticket=ticket, expires_at=now + TICKET_LIFE)

    def _taken(self, tx: JourneyTransaction, by: Comes, to: Listening, brought: Brought) -> ConfirmationOwed | Refused:
        opens = by.asker.session and by.asker.why_not is not Code.SESSION_SUPERSEDED
        kept = attrs.evolve(by.session, renew=False) if opens else self._sessions.open()
        begun = self._unasked.begin(tx, to, brought, attrs.evolve(by.asker, session=kept.id))
        if isinstance(begun, Refused):
            return carried(self._untaken(tx, by, brought, begun), by.session, by.asker)
        leaving, identity = begun
        self._travelling.begin(tx, Unconfirmed(handle=leaving.handle, identity=identity))
        shown = self._page(tx, attrs.evolve(by.asker, session=kept.id, why_not=None), leaving.ticket)
        if isinstance(shown, Refused):
            self._untaken(tx, by, brought, shown)
        return attrs.evolve(shown, session=kept)

    def _untaken(self, tx: JourneyTransaction, by: Comes, brought: Brought, refused: Refused) -> Refused:
        """Return *refused*, of which the organization is told as of the answers that were asked for."""
        self._confirming.tell(
            tx, brought, refused, comer=named(brought.said.subject), asker=by.asker, context=by.context
        )
        return refused

    def _page(self, tx: JourneyTransaction, asker: Asker, pipeline: Secret) -> ConfirmationOwed | Refused:
        who = bearer(asker, pipeline)
        return who if isinstance(who, Refused) else self._confirming.page(tx, asker, who, pipeline)
