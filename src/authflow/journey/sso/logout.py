"""Single logout: whoever signs out here is signed out at the provider too, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command.running import in_one
from authflow.errors import Code
from authflow.facts.sso import SignedOutByProvider
from authflow.journey.door import hold
from authflow.journey.sso.answers import ProviderSessionsEnded, SentToSignOut, SignedOutThere
from authflow.nobody import SYSTEM
from authflow.sessions.commands import Findings, SignedOut
from authflow.sessions.signing_off import sign_off
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.machine import Fact
    from authflow.ports import Clock, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.sessions.service import Sessions
    from authflow.sso.capabilities import LogoutRequested
    from authflow.sso.kinds import Document
    from authflow.sso.provider_session import ProviderSession
    from authflow.sso.service.departures import Counterpart, Departures, Leave
    from authflow.values import BrowserSession, Context, OrganizationId, Secret, UserId


@attrs.frozen(kw_only=True)
class SingleLogout:
    """The commands that end sessions on both sides; the provider is asked, and read, between transactions."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions
    recorder: Recorder
    departures: Departures

    def sign_out(self, session: BrowserSession, context: Context) -> SentToSignOut | SignedOut | Refused:
        """End the session here, and say where it ends at the provider."""
        self.uow.require_closed()
        answer, leave = in_one(self.uow, lambda: self._left(session, context))
        if not isinstance(answer, SignedOut) or leave is None:
            return answer if isinstance(answer, SignedOut | Refused) else Refused(code=Code.SESSION_REQUIRED)
        left = self.departures.depart(leave)
        if left is None:
            return answer
        departure, ticket = left
        return SentToSignOut(session=answer.session, url=departure.url, ticket=ticket)

    def finish(self, ticket: Secret, query: str) -> SignedOutThere | Refused:
        """Let the kind check the provider's answer."""
        self.uow.require_closed()
        waited = in_one(self.uow, lambda: self._awaited(ticket))
        if isinstance(waited, Refused):
            return waited
        came = self.departures.arrive(*waited, query)
        return came if isinstance(came, Refused) else SignedOutThere(complete=came.complete)

    def end(self, context: Context, organization: OrganizationId, query: str) -> ProviderSessionsEnded | Refused:
        """Let the kind check the provider's request, end what it means, and let the kind answer."""
        self.uow.require_closed()
        self.departures.require_endpoint()
        of = in_one(self.uow, lambda: self._counterpart(organization))
        if isinstance(of, Refused):
            return of
        asked = self.departures.read(of, query)
        if isinstance(asked, Refused):
            return asked
        count = in_one(self.uow, lambda: self._ended(of, asked, context))
        if isinstance(count, Refused):
            return count
        answer = self.departures.answer(of, asked)
        return ProviderSessionsEnded(count=count, url=None if answer is None else answer.url)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _left(self, session: BrowserSession, context: Context) -> tuple[SessionAnswer, Leave | None]:
        with self.uow.begin() as tx:
            asker = self.sessions.identify(session, self.clock.now(), lock=True)
            leave = None if asker.user is None else self.departures.leave(tx, asker)
            return self.sessions.sign_out(session, context), leave

    def _awaited(self, ticket: Secret) -> tuple[Counterpart, Document] | Refused:
        with self.uow.begin() as tx:
            return self.departures.awaited(tx, ticket, self.clock.now())

    def _counterpart(self, organization: OrganizationId) -> Counterpart | Refused:
        with self.uow.begin() as tx:
            return self.departures.counterpart(tx, organization)

    def _ended(self, of: Counterpart, asked: LogoutRequested, context: Context) -> int | Refused:
        """End them, with the accounts held whose sessions they are; and spend the request, which counts once."""
        place = of.provider.organization
        with self.uow.begin() as tx:
            hold(tx, None, *{row.user for row in self.departures.meant(tx, of, asked)})
            standing = tx.providers.load(place, lock=True).state
            if standing != of.provider:
                return Refused(code=Code.SSO_PROVIDER_CHANGED)
            if not tx.single_use.spend(asked.once):
                return Refused(code=Code.SSO_RESPONSE_REPLAYED)
            rows = self.departures.meant(tx, of, asked)
            return sum(self._signed_off(tx, of, user, rows, context) for user in sorted({row.user for row in rows}))

    def _signed_off(
        self, tx: JourneyTransaction, of: Counterpart, user: UserId, rows: tuple[ProviderSession, ...], context: Context
    ) -> int:
        own, now, provider = [row for row in rows if row.user == user], self.clock.now(), of.provider
        found = Findings(policy=self.sessions.policy.sessions)
        sessions = [row.session for row in own]
        count, told = sign_off(tx, sessions, user=user, provider=provider.id, found=found, now=now)
        for row in own:
            tx.provider_sessions.remove(row.session, row.provider)
        ended = SignedOutByProvider(organization=provider.organization, provider=provider.id, user=user, count=count)
        facts: tuple[Fact, ...] = (*told, ended) if count else ()
        self.recorder.record(tx, facts, asker=SYSTEM, context=context, now=now)
        return count
