"""One visit of one browser: its row is found, recognized and looked at; what the table then decides is stored."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code, StaleVersion
from authflow.ports import Stored
from authflow.sessions import outcomes, standing
from authflow.sessions.commands import Findings, Look, Person
from authflow.sessions.session import MACHINE
from authflow.sessions.states import Anonymous, Ended, FactorOwed, Handle, SignedIn
from authflow.values import (
    NOBODY,
    Asker,
    BrowserSession,
    Context,
    Refused,
    Secret,
    SessionId,
    new_identifier,
    token_digest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from authflow.machine import Fact
    from authflow.policy import SessionPolicy
    from authflow.ports import Entropy
    from authflow.recording import Recorder
    from authflow.sessions.commands import Command
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.sessions.ports import SessionsTransaction
    from authflow.sessions.states import Session
    from authflow.values import OrganizationId, UserId


@attrs.frozen(kw_only=True)
class Visit:
    """A recognized browser: what it presented, its row as it stands now, and what was read about its person."""

    presented: BrowserSession
    stored: Stored[Session]
    found: Findings
    context: Context
    now: datetime

    @property
    def state(self) -> Session:
        """Where the browser stands."""
        return self.stored.state


@attrs.frozen(kw_only=True)
class Visits:
    """How rows are reached and changed; every service method goes through here, inside its own transaction."""

    entropy: Entropy
    recorder: Recorder
    policy: SessionPolicy
    mark_life: timedelta

    def secret(self) -> Secret:
        """Return 256 new random bits."""
        return Secret(new_identifier(self.entropy.random_bytes(32)))

    def fresh(self, session: BrowserSession, secret: Secret, context: Context, now: datetime) -> Visit:
        """Return the visit of a browser that has no row; it gets one when something happens to it."""
        key = SessionId(new_identifier(self.entropy.random_bytes(16)))
        handle = Handle(id=key, digest=token_digest(secret), created_at=now)
        state = Anonymous(handle=handle, expires_at=now + self.policy.anonymous_ttl)
        found = Findings(policy=self.policy)
        return Visit(presented=session, stored=Stored(state, 0), found=found, context=context, now=now)

    def at(
        self, tx: SessionsTransaction, session: BrowserSession, context: Context, now: datetime, *, lock: bool
    ) -> Visit | Refused:
        """Return the visit after a look at the row; or why the value opens none.

        With *lock* the row's person is locked before the row is read for good, so that the visits of one person that
        change something come one after the other. What the look finds over is stored under that lock.
        """
        stored = self._find(tx, session)
        if lock and isinstance(stored, Stored) and (user := standing.owner(stored.state)) is not None:
            tx.accounts.lock(user)
            stored = self._find(tx, session)
        if isinstance(stored, Code):
            return Refused(code=stored, session=of_nobody(session))
        found = self._read(tx, stored.state)
        step = MACHINE.step(stored.state, Look(found=found), now)
        visit = Visit(presented=session, stored=stored, found=found, context=context, now=now)
        if step.state == stored.state:
            return visit
        if lock:
            # Only rows without a person can be changed by somebody else here; then theirs is what the next look finds.
            with contextlib.suppress(StaleVersion):
                tx.sessions.save(step.state, expected=stored.version)
                self._record(tx, step.facts, visit, found.person)
        return self.at(tx, session, context, now, lock=True)

    def opened(self, tx: SessionsTransaction, session: BrowserSession) -> Session | None:
        """Return the row that *session* opens, without a look at it; none where it opens none, or one that is over."""
        stored = self._find(tx, session)
        return None if isinstance(stored, Code) or isinstance(stored.state, Ended) else stored.state

    def owner(self, tx: SessionsTransaction, session: BrowserSession) -> UserId | None:
        """Return whose row *session* opens, without a look at it: what they have may be asked for ahead."""
        row = self.opened(tx, session)
        return None if row is None else standing.owner(row)

    def expect_proof(self, tx: SessionsTransaction, session: BrowserSession) -> UserId | None:
        """Say that a second factor is about to be proven here, behind the lock of whoever is returned."""
        row = self.opened(tx, session)
        if not isinstance(row, FactorOwed | SignedIn):
            return None
        tx.devices.ahead(row.user)
        if isinstance(row, FactorOwed):
            tx.attempts.ahead(row.user, standing.pending_key(row))
        return row.user

    def hold(self, tx: SessionsTransaction, session: BrowserSession, user: UserId) -> None:
        """Lock *user* and whose row *session* opens, in one order: nobody takes over a row that is being changed.

        Whoever owns the row by the time the locks are held is one of the two: a new owner renews the value.
        """
        stored = self._find(tx, session)
        owner = standing.owner(stored.state) if isinstance(stored, Stored) else None
        for person in sorted({user, owner or user}):
            if tx.users.get(person) is not None:
                tx.accounts.lock(person)

    def person(self, tx: SessionsTransaction, user: UserId, *, lock: bool = False) -> Person:
        """Return what is known of *user* now; whoever does not exist is inactive, and gets no row."""
        if tx.users.get(user) is None:
            return Person(user=user, active=False)
        account = tx.accounts.lock(user) if lock else tx.accounts.read(user)
        person = tx.users.get(user)
        if person is None:  # deleted while the lock was waited for
            tx.accounts.remove(user)
            return Person(user=user, active=False)
        return Person(
            user=user,
            label=person.called(),
            active=person.active,
            has_factor=tx.factor_census.protected((user,))[user],
            epoch=account.epoch,
            enrollment_required=account.enrollment_required,
        )

    def alive(self, tx: SessionsTransaction, visit: Visit) -> int:
        """Return how many sessions of the visitor are signed in now, this one too."""
        person = visit.found.person
        return 0 if person is None else tx.sessions.count_alive(person.user, epoch=person.epoch, now=visit.now)

    def drop_marks(self, tx: SessionsTransaction, user: UserId, organization: OrganizationId, now: datetime) -> None:
        """Take from every row of *user* what it proved to *organization*.

        A sign-in that waits for something else, and has nothing but that proof, is over.
        """
        for row in tx.sessions.of_user(user):
            stored = tx.sessions.load(row.handle.id)
            if stored is None or isinstance(stored.state, Anonymous | Ended):
                continue
            step = outcomes.without(stored.state, organization, Findings(policy=self.policy), now)
            if step.state != stored.state:
                tx.sessions.save(step.state, expected=stored.version)
                asker = Asker(user=user, session=row.handle.id)
                self.recorder.record(tx, step.facts, asker=asker, context=Context(), now=now)

    def take(
        self,
        tx: SessionsTransaction,
        visit: Visit,
        command: Command,
        *,
        secret: Secret | None = None,
        actor: Person | None = None,
        lost: Code = Code.SESSION_SUPERSEDED,
    ) -> SessionAnswer:
        """Let the table decide *command*, store what it decides, and answer with the browser's next value.

        *secret* is behind the digest in the command; it is given out if the handle was renewed. Whoever loses the
        row to somebody else is refused with *lost*, and nothing is written.
        """
        step = MACHINE.step(visit.state, command, visit.now)
        if step.state != visit.state:
            try:
                self._save(tx, step.state, visit.stored.version)
            except StaleVersion:
                return Refused(code=lost, session=of_nobody(visit.presented))
        self._record(tx, step.facts, visit, actor or visit.found.person)
        return attrs.evolve(step.answer, session=_value(visit, step.state, secret))

    def _find(self, tx: SessionsTransaction, session: BrowserSession) -> Stored[Session] | Code:
        stored = tx.sessions.load(session.id) if standing.addressable(session) else None
        why_not = standing.unopened(None if stored is None else stored.state, session)
        if stored is None or why_not is not None:
            return why_not or Code.SESSION_REQUIRED
        return stored

    def _read(self, tx: SessionsTransaction, state: Session) -> Findings:
        user = standing.owner(state)
        failures = tx.attempts.read(standing.pending_key(state)) if isinstance(state, FactorOwed) else 0
        person = None if user is None else self.person(tx, user)
        return Findings(policy=self.policy, person=person, failures=failures, mark_life=self.mark_life)

    @staticmethod
    def _save(tx: SessionsTransaction, state: Session, version: int) -> None:
        if version == 0:
            tx.sessions.add(state)
        else:
            tx.sessions.save(state, expected=version)

    def _record(self, tx: SessionsTransaction, facts: Sequence[Fact], visit: Visit, actor: Person | None) -> None:
        asker = Asker(
            user=None if actor is None else actor.user,
            session=visit.state.handle.id,
            label="" if actor is None else actor.label,
        )
        self.recorder.record(tx, facts, asker=asker, context=visit.context, now=visit.now)


def of_nobody(session: BrowserSession) -> BrowserSession:
    """Return *session*, which opens no row, as what it is: it names nobody."""
    return attrs.evolve(session, user=None)


def _value(visit: Visit, state: Session, secret: Secret | None) -> BrowserSession:
    """Return what the host keeps from now on: another value only if the handle was renewed."""
    if isinstance(state, Ended):
        return NOBODY
    user = state.user if isinstance(state, SignedIn) else None
    if secret is None or state.handle.generation == visit.state.handle.generation:
        return attrs.evolve(visit.presented, user=user)
    handle = state.handle
    return BrowserSession(id=handle.id, secret=secret, generation=handle.generation, renew=True, user=user)
