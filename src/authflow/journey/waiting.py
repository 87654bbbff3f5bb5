"""Drives the post flow's second half: the invitation that waits in this browser meets the second factor.

Every detour ends here: an enrollment, a sign-in, a verified address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code, StaleVersion, UniqueViolated
from authflow.journey.answers import Arrived
from authflow.journey.door import expect
from authflow.journey.post_flow import (
    MACHINE,
    InvitationOutcome,
    MeetAccepted,
    MeetConfirmation,
    MeetNoInvitation,
    MeetOpenRequirements,
    MeetRefusal,
    Protected,
    Unprotected,
)
from authflow.membership.answers import ConfirmationOwed, Joined, RequirementsOpen
from authflow.sessions.commands import SignedIn
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.journey.ports import JourneyTransaction
    from authflow.journey.post_flow import Command
    from authflow.membership.service import Membership
    from authflow.ports import Clock, UnitOfWork
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.sessions.service import Sessions
    from authflow.values import Asker, BrowserSession, Context, OrganizationId


@attrs.frozen(kw_only=True)
class Waiting:
    """The invitation that waits in a browser session, and what becomes of it."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions
    membership: Membership

    def settle(
        self, standing: Protected | Unprotected, session: BrowserSession, context: Context, *, confirmed: bool = False
    ) -> InvitationOutcome:
        """Return what became of the invitation that waited in *session*. It never undoes what came before it."""
        now = self.clock.now()
        step = MACHINE.step(standing, self._meet(session, context, now, confirmed=confirmed), now)
        return expect(step.answer, InvitationOutcome)

    def settled(
        self, asker: Asker, session: BrowserSession, context: Context, *, confirmed: bool = False
    ) -> InvitationOutcome:
        """Return what became of it, for whoever *asker* is."""
        with self.uow.begin() as tx:
            user = asker.user
            protected = user is not None and tx.factor_census.protected([user])[user]
            standing = Protected() if protected else Unprotected()
            return self.settle(standing, session, context, confirmed=confirmed)

    def arrived(
        self, answer: SessionAnswer, context: Context, standing: Protected | Unprotected
    ) -> Arrived | SessionAnswer:
        """Return a sign-in with what had waited for it; every other answer as it is."""
        if not isinstance(answer, SignedIn):
            return answer
        outcome = self.settle(standing, answer.session, context)
        return Arrived(
            session=answer.session, user=answer.user, level=answer.level, device=answer.device, invitation=outcome
        )

    def _meet(self, session: BrowserSession, context: Context, now: datetime, *, confirmed: bool) -> Command:
        """Try to complete the waiting click, under a savepoint: a lost race is an outcome (decision 32)."""
        asker = self.sessions.identify(session, now)
        waiting = self.membership.click_in(asker.session) if asker.opens_a_row else None
        if waiting is None:
            return MeetNoInvitation()
        organization = waiting.organization
        try:
            with self.uow.savepoint():
                answer = self.membership.accept_consent(asker, context, now, confirmed=confirmed)
        except (StaleVersion, UniqueViolated) as lost:
            return MeetRefusal(organization=organization, code=lost.code, waits=True)
        match answer:
            case Joined(member=member):
                return MeetAccepted(organization=organization, member=member.id)
            case RequirementsOpen(requirements=requirements):
                return MeetOpenRequirements(organization=organization, requirements=requirements)
            case ConfirmationOwed():
                return MeetConfirmation(organization=organization)
            case Refused(code=code):
                return self._refused(session, organization, code, now)

    def _refused(self, session: BrowserSession, organization: OrganizationId, code: Code, now: datetime) -> MeetRefusal:
        waits = self.membership.consent_of(session.id, now) is not None
        return MeetRefusal(organization=organization, code=code, waits=waits)
