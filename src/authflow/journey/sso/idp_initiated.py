"""Sign-ins that begin at the provider: the answer is taken in, given to a browser, and confirmed there, or not at all.

Anybody can make a stranger's browser bring an answer about an account of their own, and hope that the stranger goes on
working in it (security 22). So there is a page in between, which says whose account it is, and a button on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command.running import looked
from authflow.journey.door import Declined, carried, need, settled
from authflow.journey.sso.answers import ConfirmationOwed, UnaskedKept
from authflow.journey.sso.comers import Comer
from authflow.journey.sso.refusals import counted_as_subject
from authflow.sso.kinds import Rejected
from authflow.sso.progress import Unconfirmed
from authflow.sso.service.pipelines import bearer
from authflow.sso.service.unasked import TICKET_LIFE
from authflow.values import Context, Refused

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.sso.comers import Comers
    from authflow.journey.sso.confirming import Confirmed, Confirming
    from authflow.journey.sso.refusals import RefusalLog
    from authflow.ports import Clock, UnitOfWork
    from authflow.sessions.service import Sessions
    from authflow.sso.kinds import Callback
    from authflow.sso.service import SignInTravelling
    from authflow.sso.service.unasked import Brought, Listening, UnaskedAnswers
    from authflow.values import Asker, BrowserSession, OrganizationId, Secret


@attrs.frozen(kw_only=True)
class _Bringer:
    """Who brings an answer: in which browser, from where, as whom."""

    tx: JourneyTransaction
    session: BrowserSession
    context: Context
    asker: Asker


@attrs.frozen(kw_only=True)
class IdpInitiated:
    """The commands of a sign-in that began at the provider. They are closed, unless a policy opens them."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions
    sign_ins: SignInTravelling
    unasked: UnaskedAnswers
    comers: Comers
    confirming: Confirming
    refusals: RefusalLog

    def keep(self, organization: OrganizationId, callback: Callback) -> UnaskedKept | Refused:
        """Let the kind check the answer, after a transaction; what it says goes out again, sealed."""
        self.uow.require_closed()
        self.sign_ins.desk.require_endpoints()
        now = self.clock.now()
        to = looked(self.uow, lambda: self._listening(organization))
        if isinstance(to, Refused):
            return to
        came = self.unasked.arrive(to, callback, now)
        ticket = Refused(code=came.code) if isinstance(came, Rejected) else self.unasked.ticket(to, came, now)
        return ticket if isinstance(ticket, Refused) else UnaskedKept(ticket=ticket, expires_at=now + TICKET_LIFE)

    def _listening(self, organization: OrganizationId) -> Listening | Refused:
        with self.uow.begin() as tx:
            return self.unasked.listening(tx, organization)

    def take(self, session: BrowserSession, context: Context, ticket: Secret) -> ConfirmationOwed | Refused:
        """Make a pipeline of the answer, in this browser, and show the page of it."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            asker = self.sessions.identify(session, now, lock=True)
            try:
                brought = need(self.unasked.brought(ticket, now))
                to = need(self.unasked.listening(tx, brought.organization))
            except Declined as declined:
                return carried(declined.answer, session, asker)
            return self._taken(_Bringer(tx=tx, session=session, context=context, asker=asker), to, brought)

    def look(self, session: BrowserSession, pipeline: Secret) -> ConfirmationOwed | Refused:
        """Show the page; nobody waits for anybody."""
        with self.uow.begin() as tx:
            by = self.comers.met(tx, session, Context(), pipeline)
            return by if isinstance(by, Refused) else by.carried(self._page(by, pipeline))

    def confirm(self, session: BrowserSession, context: Context, pipeline: Secret) -> Confirmed:
        """Finish, with the account held that the identity leads to."""
        with self.uow.begin() as tx:
            by = self.comers.held(tx, session, context, pipeline, self.confirming.concerned)
            return by if isinstance(by, Refused) else self.confirming.finish(by)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _taken(self, by: _Bringer, to: Listening, brought: Brought) -> ConfirmationOwed | Refused:
        kept = self.sessions.kept_or_new(by.session, by.asker)
        begun = self.unasked.begin(by.tx, to, brought, attrs.evolve(by.asker, session=kept.id))
        if isinstance(begun, Refused):
            return carried(self._untaken(by, brought, begun), by.session, by.asker)
        new, identity = begun
        self.sign_ins.pipelines.begin(by.tx, Unconfirmed(handle=new.handle, identity=identity))
        shown = self._first_page(by, kept, new.ticket)
        if isinstance(shown, Refused):
            self._untaken(by, brought, shown)
        return attrs.evolve(shown, session=kept)

    def _untaken(self, by: _Bringer, brought: Brought, refused: Refused) -> Refused:
        """Return *refused*, of which the organization is told as of the answers that were asked for."""
        comer = counted_as_subject(brought.said.subject)
        self.refusals.tell(by.tx, brought, refused, comer=comer, asker=by.asker, context=by.context)
        return refused

    def _first_page(self, by: _Bringer, kept: BrowserSession, pipeline: Secret) -> ConfirmationOwed | Refused:
        """Return the page for the browser that has the pipeline as of now, in the session that it may just have got."""
        asker = attrs.evolve(by.asker, session=kept.id, why_not=None)
        who = bearer(asker, pipeline)
        if isinstance(who, Refused):
            return who
        return self._page(Comer(tx=by.tx, session=kept, context=by.context, asker=asker, who=who), pipeline)

    def _page(self, by: Comer, pipeline: Secret) -> ConfirmationOwed | Refused:
        return settled(lambda: self.confirming.page(by, pipeline))
