"""Single logout: whoever signs out here is signed out at the provider too, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from authflow.command import operation
from authflow.command.running import in_one
from authflow.errors import Code
from authflow.facts.sso import SignedOutByProvider
from authflow.journey.arguments import require_types
from authflow.journey.sso.answers import ProviderSessionsEnded, SentToSignOut, SignedOutThere
from authflow.journey.sso.door import SsoDoor
from authflow.nobody import SYSTEM
from authflow.sessions.commands import Findings, SignedOut
from authflow.sessions.signing_off import sign_off
from authflow.values import Refused, UserId, identifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.journey.ports import JourneyTransaction
    from authflow.machine import Fact
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.sso.capabilities import LogoutRequested
    from authflow.sso.kinds import Document
    from authflow.sso.provider_session import ProviderSession
    from authflow.sso.service.departures import Counterpart, Leave
    from authflow.values import BrowserSession, Context, OrganizationId, Secret

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Departing(SsoDoor):
    """The part of ``flows.sso`` that ends sessions on both sides."""

    @operation("sso.sign_out")
    def sign_out(self, session: BrowserSession, context: Context) -> SentToSignOut | SignedOut | Refused:
        """End this session, as ``sessions.sign_out`` does; and say where to go to end it at the provider as well.

        Ours is over whatever the provider says. Where there is nobody to ask, or no way to, it is `SignedOut`.

        Args:
            session: What the browser sent.
            context: Where the command came from.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
        """
        self._uow.require_closed()
        answer, leave = self._one(lambda: self._left(session, context))
        if not isinstance(answer, SignedOut) or leave is None:
            return answer if isinstance(answer, SignedOut | Refused) else Refused(code=Code.SESSION_REQUIRED)
        left = self._departures.depart(leave)
        if left is None:
            return answer
        departure, ticket = left
        return SentToSignOut(session=answer.session, url=departure.url, ticket=ticket)

    @operation("sso.finish_sign_out")
    def finish_sign_out(self, *, ticket: Secret, query: str) -> SignedOutThere | Refused:
        """Check the provider's answer to `sign_out`. Nothing depends on it: show it, on a page of your own.

        Args:
            ticket: From `SentToSignOut`.
            query: The raw text behind the question mark: that is what is signed. What it carries beside the answer is
                not looked at: follow no ``RelayState``.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *query* is no text.
        """
        require_types(query=query)
        self._uow.require_closed()
        waited = self._one(lambda: self._awaited(ticket))
        if isinstance(waited, Refused):
            return waited
        came = self._departures.arrive(*waited, query)
        return came if isinstance(came, Refused) else SignedOutThere(complete=came.complete)

    @operation("sso.end_sessions")
    def end_sessions(
        self, context: Context, *, organization: OrganizationId, query: str
    ) -> ProviderSessionsEnded | Refused:
        """End the sessions that a provider asks to end, by a request that it signed and that counts once.

        They are those of one person that came by this very provider. One that stands on something else too, such as a
        password or another organization's provider, only loses this one's word (decision 1). No session of the browser
        that brings the request is looked at, so that it works without cookies.

        Args:
            context: Where the command came from.
            organization: Whose provider: the one in the address that was asked for.
            query: The raw text behind the question mark: that is what is signed.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            ConfigInvalid: The host configured no address for single logout.
            InputInvalid: *organization* cannot be an organization's id, or *query* is no text.
        """
        identifier(organization, field="organization")
        require_types(query=query)
        self._uow.require_closed()
        self._departures.require_endpoint()
        of = self._one(lambda: self._counterpart(organization))
        asked = of if isinstance(of, Refused) else self._departures.read(of, query)
        if isinstance(of, Refused) or isinstance(asked, Refused):
            return asked if isinstance(asked, Refused) else Refused(code=Code.SSO_NO_PROVIDER)
        count = self._one(lambda: self._ended(of, asked, context))
        if isinstance(count, Refused):
            return count
        answer = self._departures.answer(of, asked)
        return ProviderSessionsEnded(count=count, url=None if answer is None else answer.url)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _one(self, work: Callable[[], T]) -> T:
        return in_one(self._uow, work)

    def _left(self, session: BrowserSession, context: Context) -> tuple[SessionAnswer, Leave | None]:
        with self._uow.begin() as tx:
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            leave = None if asker.user is None else self._departures.leave(tx, asker)
            return self._sessions.sign_out(session, context), leave

    def _awaited(self, ticket: Secret) -> tuple[Counterpart, Document] | Refused:
        with self._uow.begin() as tx:
            return self._departures.awaited(tx, ticket, self._clock.now())

    def _counterpart(self, organization: OrganizationId) -> Counterpart | Refused:
        with self._uow.begin() as tx:
            return self._departures.counterpart(tx, organization)

    def _ended(self, of: Counterpart, asked: LogoutRequested, context: Context) -> int | Refused:
        """End them, with the accounts held whose sessions they are; and spend the request, which counts once."""
        place = of.provider.organization
        with self._uow.begin() as tx:
            for user in sorted({row.user for row in self._departures.meant(tx, of, asked)}):
                if tx.users.get(user) is not None:
                    tx.accounts.lock(user)
            standing = tx.providers.load(place, lock=True).state
            if standing != of.provider:
                return Refused(code=Code.SSO_PROVIDER_CHANGED)
            if not tx.single_use.spend(asked.once):
                return Refused(code=Code.SSO_RESPONSE_REPLAYED)
            rows = self._departures.meant(tx, of, asked)
            return sum(self._signed_off(tx, of, user, rows, context) for user in sorted({row.user for row in rows}))

    def _signed_off(
        self, tx: JourneyTransaction, of: Counterpart, user: UserId, rows: tuple[ProviderSession, ...], context: Context
    ) -> int:
        own, now, provider = [row for row in rows if row.user == user], self._clock.now(), of.provider
        found = Findings(policy=self._sessions.policy.sessions)
        sessions = [row.session for row in own]
        count, told = sign_off(tx, sessions, user=user, provider=provider.id, found=found, now=now)
        for row in own:
            tx.provider_sessions.remove(row.session, row.provider)
        ended = SignedOutByProvider(organization=provider.organization, provider=provider.id, user=user, count=count)
        facts: tuple[Fact, ...] = (*told, ended) if count else ()
        self._recorder.record(tx, facts, asker=SYSTEM, context=context, now=now)
        return count
