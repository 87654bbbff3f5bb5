"""Single logout: whoever signs out here is signed out at the provider too, and the other way round."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import attrs

from authflow.command.running import in_one, looked
from authflow.errors import Code, DatabaseError, Retryable
from authflow.facts.sso import AnswersWithdrawn, SignedOutByProvider
from authflow.journey.door import hold
from authflow.journey.sso.answers import ProviderSessionsEnded, SentToSignOut, SignedOutThere
from authflow.nobody import SYSTEM
from authflow.sessions.commands import Findings, SignedOut
from authflow.sessions.signing_off import sign_off
from authflow.sso.progress import Proven
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
    from authflow.sso.pipeline import PipelineId
    from authflow.sso.ports import SealedPipeline
    from authflow.sso.progress import Open, Unconfirmed
    from authflow.sso.provider_session import ProviderSession
    from authflow.sso.service.departures import Counterpart, Departures, Leave
    from authflow.sso.service.withdrawals import Withdrawals
    from authflow.values import BrowserSession, Context, OrganizationId, Secret, SessionId, UserId

LOG: Final = logging.getLogger("authflow.sso")

CAME_MEANWHILE: Final = "somebody came in whom the provider is about to sign out"


@attrs.frozen(kw_only=True)
class SingleLogout:
    """The commands that end sessions on both sides; the provider is asked, and read, between transactions."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions
    recorder: Recorder
    departures: Departures
    withdrawals: Withdrawals

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
        of = looked(self.uow, lambda: self._counterpart(organization))
        if isinstance(of, Refused):
            return of
        asked = self.departures.read(of, query)
        if isinstance(asked, Refused):
            return asked
        count = self._all_ended(of, asked, context)
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

    def _all_ended(self, of: Counterpart, asked: LogoutRequested, context: Context) -> int | Refused:
        """End what it means, and once more what shows only then: at REPEATABLE READ a transaction does not see it."""
        count = in_one(self.uow, lambda: self._ended(of, asked, context, first=True))
        return count if isinstance(count, Refused) else count + self._left_over(of, asked, context)

    def _left_over(self, of: Counterpart, asked: LogoutRequested, context: Context) -> int:
        """End what is left; a failure changes no answer about what has ended by now, and is told in the log."""
        try:
            if not looked(self.uow, lambda: self._is_left(of, asked)):
                return 0
            more = in_one(self.uow, lambda: self._ended(of, asked, context, first=False))
        except DatabaseError:
            LOG.warning("whoever came in while a provider's logout waited may still be here", exc_info=True)
            return 0
        return 0 if isinstance(more, Refused) else more

    def _is_left(self, of: Counterpart, asked: LogoutRequested) -> bool:
        with self.uow.begin() as tx:
            meant = self._meant(tx, of, asked)
            return bool(meant.rows or meant.waiting)

    def _ended(self, of: Counterpart, asked: LogoutRequested, context: Context, *, first: bool) -> int | Refused:
        """End what it means, with all of that held; and spend the request at *first*, which counts once.

        Accounts are held first, then pipelines, then the provider, as whoever finishes a sign-on holds them: that is
        before this, and what came of it ends, or after it, and the answer is worth nothing.

        Raises:
            Retryable: Somebody came in, or as far as a page, before the provider was held. The next try holds them too.
        """
        place = of.provider.organization
        with self.uow.begin() as tx:
            seen = self._meant(tx, of, asked)
            hold(tx, None, *seen.users)
            waiting = self.withdrawals.hold(tx, seen.pipelines)
            if tx.providers.load(place, lock=True).state != of.provider:
                return Refused(code=Code.SSO_PROVIDER_CHANGED)
            if first and not tx.single_use.spend(asked.once):
                return Refused(code=Code.SSO_RESPONSE_REPLAYED)
            meant = self._meant(tx, of, asked)
            if not (meant.users <= seen.users and meant.pipelines <= seen.pipelines):
                raise Retryable(CAME_MEANWHILE)
            withdrawn = self.withdrawals.withdraw(tx, of.provider.id, asked, waiting, self.clock.now())
            self._told(tx, of, withdrawn, context)
            for row in meant.rows:
                tx.provider_sessions.remove(row.session, row.provider)
            sessions = _sessions(meant.rows, withdrawn)
            return sum(self._signed_off(tx, of, user, sessions[user], context) for user in sorted(sessions))

    def _meant(self, tx: JourneyTransaction, of: Counterpart, asked: LogoutRequested) -> _Meant:
        waiting = self.withdrawals.named(tx, of.provider.id, asked)
        return _Meant(rows=self.departures.meant(tx, of, asked), waiting=waiting)

    def _signed_off(
        self, tx: JourneyTransaction, of: Counterpart, user: UserId, sessions: set[SessionId], context: Context
    ) -> int:
        now, provider = self.clock.now(), of.provider
        found = Findings(policy=self.sessions.policy.sessions)
        count, told = sign_off(tx, sorted(sessions), user=user, provider=provider.id, found=found, now=now)
        ended = SignedOutByProvider(organization=provider.organization, provider=provider.id, user=user, count=count)
        facts: tuple[Fact, ...] = (*told, ended) if count else ()
        self.recorder.record(tx, facts, asker=SYSTEM, context=context, now=now)
        return count

    def _told(
        self, tx: JourneyTransaction, of: Counterpart, withdrawn: tuple[Open | Unconfirmed, ...], context: Context
    ) -> None:
        fact = AnswersWithdrawn(organization=of.provider.organization, provider=of.provider.id, count=len(withdrawn))
        self.recorder.record(tx, (fact,) if withdrawn else (), asker=SYSTEM, context=context, now=self.clock.now())


@attrs.frozen(kw_only=True)
class _Meant:
    """What a provider's request may mean: *rows* of sessions, and pipelines that wait with an answer of its."""

    rows: tuple[ProviderSession, ...]
    waiting: tuple[SealedPipeline, ...]

    @property
    def users(self) -> set[UserId]:
        """Whose sessions they are, and who proves a mailbox in one of the pipelines."""
        provers = {pipeline.user for pipeline in self.waiting if pipeline.user is not None}
        return {row.user for row in self.rows} | provers

    @property
    def pipelines(self) -> set[PipelineId]:
        """Which they are."""
        return {pipeline.handle.id for pipeline in self.waiting}


def _sessions(
    rows: tuple[ProviderSession, ...], withdrawn: tuple[Open | Unconfirmed, ...]
) -> dict[UserId, set[SessionId]]:
    """Return whose sessions end: those of *rows*, and those of whoever proved a mailbox for what was *withdrawn*.

    Who did and owes a second factor has no link, and so no row: their sign-in was begun by that proof, in the
    pipeline's own browser.
    """
    proven = [(state.user, state.handle.session) for state in withdrawn if isinstance(state, Proven)]
    found: dict[UserId, set[SessionId]] = {}
    for user, session in (*((row.user, row.session) for row in rows), *proven):
        found.setdefault(user, set()).add(session)
    return found
