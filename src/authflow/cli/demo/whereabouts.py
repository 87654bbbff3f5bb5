"""Where Ada stands in each machine, read from the database as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.cli.demo import cast
from authflow.membership.consent import NoConsent
from authflow.membership.offer import Pending
from authflow.mfa.kinds import TOTP

if TYPE_CHECKING:
    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import UnitOfWork
    from authflow.values import InvitationId, SessionId


class Whereabouts:
    """Reads the states. It goes on looking at every session and invitation that it has seen once."""

    def __init__(self, uow: UnitOfWork[JourneyTransaction]) -> None:
        self._uow = uow
        self._sessions: list[SessionId] = []
        self._invitation: InvitationId | None = None

    def read(self) -> dict[str, str]:
        """Return the name of the state of each machine; one that Ada has not come to yet is left out."""
        with self._uow.begin() as tx:
            held = tx.factors.of_user(cast.ADA)
            states: dict[str, object] = {
                "mfa.enrollment": held.factor(TOTP).state,
                "mfa.recovery": held.recovery.state,
                **self._of_sessions(tx),
                **self._of_invitation(tx),
                "membership.consent": self._consent(tx),
                "membership.member": tx.members.load(cast.ACME, cast.ADA).state,
            }
        return {machine: type(state).__name__ for machine, state in states.items()}

    def _of_sessions(self, tx: JourneyTransaction) -> dict[str, object]:
        found = [row.handle.id for row in tx.sessions.of_user(cast.ADA)]
        self._sessions += [key for key in found if key not in self._sessions]
        rows = [tx.sessions.load(key) for key in self._sessions]
        named = zip(cast.BROWSERS, rows, strict=False)
        return {f"sessions.session ({name})": row.state for name, row in named if row is not None}

    def _consent(self, tx: JourneyTransaction) -> object:
        waiting = [tx.consents.load(key).state for key in self._sessions]
        return next((state for state in waiting if not isinstance(state, NoConsent)), NoConsent())

    def _of_invitation(self, tx: JourneyTransaction) -> dict[str, object]:
        for found in tx.invitations.open_in(cast.ACME, limit=1):
            if isinstance(found, Pending):
                self._invitation = found.offer.id
        if self._invitation is None:
            return {}
        return {"membership.invitation": tx.invitations.load(cast.ACME, self._invitation).state}
