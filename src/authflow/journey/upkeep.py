"""What an installation does for itself: removing what has expired, sealing anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import operation
from authflow.command.telemetry import EachKeyOnce

if TYPE_CHECKING:
    from authflow.accounts.service import Addresses
    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.replaying import Replaying
    from authflow.journey.sso.rechecking import LinksRechecked, Rechecking
    from authflow.journey.sso.resealing import Resealing
    from authflow.membership.service import Membership
    from authflow.mfa.service import SecondFactors
    from authflow.policy import MembershipPolicy
    from authflow.ports import Clock, UnitOfWork
    from authflow.sessions.service import Sessions


@attrs.frozen(kw_only=True)
class Swept:
    """How much a sweep removed.

    Args:
        sessions: Session rows, and links of resets.
        proposals: Secrets that nobody proved.
        invitations: Invitations that ended, and clicks that waited.
        replies: Replies kept under idempotency keys.
        limits: Counted calls.
        attempts: Counters of wrong codes.
        confirmations: Links that confirmed addresses, long after their end.
        pipelines: Sign-ins and setups through providers that came to nothing, or are over.
        single_uses: Answers of providers that nobody could use again in any case.
        provider_sessions: By what names sessions came that are over.
    """

    sessions: int
    proposals: int
    invitations: int
    replies: int
    limits: int
    attempts: int
    confirmations: int
    pipelines: int
    single_uses: int
    provider_sessions: int


@attrs.frozen(kw_only=True)
class Upkeep:
    """``flows.upkeep``: what a timer calls. Nothing depends on it: what has expired is refused, swept or not."""

    _uow: UnitOfWork[JourneyTransaction] = attrs.field(alias="uow")
    _clock: Clock = attrs.field(alias="clock")
    _sessions: Sessions = attrs.field(alias="sessions")
    _addresses: Addresses = attrs.field(alias="addresses")
    _factors: SecondFactors = attrs.field(alias="factors")
    _membership: Membership = attrs.field(alias="membership")
    _replaying: Replaying = attrs.field(alias="replaying")
    _rechecking: Rechecking = attrs.field(alias="rechecking")
    _resealing: Resealing = attrs.field(alias="resealing")
    _policy: MembershipPolicy = attrs.field(alias="policy")

    @operation("upkeep.sweep")
    def sweep(self) -> Swept:
        """Remove what has expired: sessions, proposals, clicks, invitations, links, replies, counters. Run it daily."""
        now = self._clock.now()
        proposals = self._factors.expire()
        invitations = self._membership.sweep(now, keep=self._policy.ended_kept)
        sessions = self._sessions.sweep(now)
        replies = self._replaying.sweep(now)
        confirmations = self._addresses.sweep(now)
        with self._uow.begin() as tx:
            limits, attempts = tx.limits.sweep(now), tx.attempts.sweep(now)
            pipelines, single_uses = tx.pipelines.remove_over(now), tx.single_use.sweep(now)
            provider_sessions = tx.provider_sessions.remove_over(now)
        return Swept(
            sessions=sessions,
            proposals=proposals,
            invitations=invitations,
            replies=replies,
            limits=limits,
            attempts=attempts,
            confirmations=confirmations,
            pipelines=pipelines,
            single_uses=single_uses,
            provider_sessions=provider_sessions,
        )

    @operation("upkeep.reseal")
    def reseal(self, *, limit: int = 100) -> int:
        """Seal up to *limit* secrets that lie under an older key under the active one; return how many were.

        What cannot be opened stays as it is, and is logged once for each key.

        Raises:
            InputInvalid: *limit* is no count.
        """
        report = EachKeyOnce()
        done = self._factors.reseal(limit=limit, report=report)
        return done + self._resealing.reseal(limit=limit - done, report=report)

    @operation("upkeep.recheck_links")
    def recheck_links(self, *, limit: int = 100) -> LinksRechecked:
        """Ask providers again about up to *limit* people who are linked, the longest unasked first. Run it hourly.

        A link is due once a day. It uses the network, and so runs in no transaction; of any number that run at once,
        each takes other links.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
            InputInvalid: *limit* is no count.
        """
        return self._rechecking.round(limit)
