"""Where sessions ask the world: one method per thing a browser, an administrator or another slice may want.

Every method is one command in one transaction; `authflow.sessions.session` decides, and the answer carries the
browser's next value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.facts import sessions as facts
from authflow.sessions import commands as answers
from authflow.sessions import devices, standing
from authflow.sessions.commands import (
    AdoptEpoch,
    Cancel,
    Establish,
    Fail,
    FinishEnrollment,
    Look,
    Prove,
    Redeem,
    SignOut,
)
from authflow.sessions.states import Ended, EnrollmentOwed, FactorOwed, ResetLink, SignedIn
from authflow.sessions.visit import Visits
from authflow.values import NOBODY, Asker, BrowserSession, Context, Refused, token_digest

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.policy import Policy
    from authflow.ports import Clock, Entropy, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sessions.outcomes import SessionAnswer
    from authflow.sessions.ports import SessionsTransaction
    from authflow.sessions.states import Session
    from authflow.values import OrganizationId, Proof, Secret, UserId


@attrs.frozen(kw_only=True)
class MailedLink:
    """A single-use link as it is mailed: its token, and until when it works."""

    token: Secret
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Sessions:
    """Browser sessions: who is signed in, by which proofs, how recently, and what is still owed."""

    uow: UnitOfWork[SessionsTransaction]
    clock: Clock
    entropy: Entropy
    recorder: Recorder
    policy: Policy

    @property
    def visits(self) -> Visits:
        """How rows are reached."""
        return Visits(
            entropy=self.entropy,
            recorder=self.recorder,
            policy=self.policy.sessions,
            mark_life=self.policy.sso.mark_life,
        )

    # --- who asks -------------------------------------------------------------------------------------------------

    def identify(self, session: BrowserSession, now: datetime, *, lock: bool = False) -> Asker:
        """Return who asks, by the server's row (decision 3).

        Without *lock* every page may call it. A command on the asker's own account takes the lock: whoever waited
        for it while the session was ended is told so, and acts no more.
        """
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, Context(), now, lock=lock)
            return (
                standing.stranger(visit)
                if isinstance(visit, Refused)
                else standing.asker(visit.state, visit.found, now)
            )

    def enrolling(self, session: BrowserSession, now: datetime) -> Asker:
        """Return who asks to enroll a second factor, under their lock.

        Differs from `identify` in one case: after a reset, the session that redeemed the mailed link is elevated.
        """
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, Context(), now, lock=True)
            if isinstance(visit, Refused):
                return standing.stranger(visit)
            return standing.enrolling_asker(visit.state, visit.found, now)

    def opened(self, session: BrowserSession) -> Session | None:
        """Return the row that *session* opens as it is stored, or none: one statement, and no word on who may act."""
        with self.uow.begin() as tx:
            return self.visits.opened(tx, session)

    def look(self, session: BrowserSession) -> SessionAnswer:
        """Answer what stands here, for a page: signed in, a second factor or an enrollment owed, or nobody."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, Context(), now, lock=False)
            if isinstance(visit, Refused):
                return visit
            return self.visits.take(tx, visit, Look(found=visit.found))

    # --- signing in -----------------------------------------------------------------------------------------------

    def open(self) -> BrowserSession:
        """Return the value of a new row without a person."""
        secret, now = self.visits.secret(), self.clock.now()
        with self.uow.begin() as tx:
            fresh = self.visits.fresh(NOBODY, secret, Context(), now)
            tx.sessions.add(fresh.state)
        handle = fresh.state.handle
        return BrowserSession(id=handle.id, secret=secret, generation=handle.generation, renew=True)

    def kept_or_new(self, session: BrowserSession, asker: Asker) -> BrowserSession:
        """Return *session* if *asker*, who was read by it, opens a living row; else the value of a new row.

        Something pending can hang on a row; on a stranger's, an ended or a superseded value it cannot (decision 3).
        """
        return attrs.evolve(session, renew=False) if asker.opens_a_row else self.open()

    def establish(self, session: BrowserSession, context: Context, *, user: UserId, proof: Proof) -> SessionAnswer:
        """Sign *user* in with a first factor that the host has checked; on a signed-in session, prove it again.

        A value that opens no living row begins as a stranger's: it never reaches the row it once opened.
        """
        now, secret = self.clock.now(), self.visits.secret()
        with self.uow.begin() as tx:
            self.visits.hold(tx, session, user)
            person = self.visits.person(tx, user, lock=True)
            visit = self.visits.at(tx, session, context, now, lock=False)
            if isinstance(visit, Refused) or isinstance(visit.state, Ended):
                visit = self.visits.fresh(session, self.visits.secret(), context, now)
            command = Establish(policy=self.policy.sessions, person=person, proof=proof, digest=token_digest(secret))
            return self.visits.take(tx, visit, command, secret=secret, actor=person)

    def challenged(self, session: BrowserSession, now: datetime) -> FactorOwed | SignedIn | Refused:
        """Return whose second factor may be answered here, under their lock, before any code is compared.

        The loser of two parallel answers is refused here: the winner's value replaced theirs (mfa 21).
        """
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, Context(), now, lock=True)
            if isinstance(visit, Refused):
                return visit
            if isinstance(visit.state, FactorOwed | SignedIn):
                return visit.state
            return Refused(code=standing.unchallenged(visit.state), session=session)

    def prove(
        self, session: BrowserSession, context: Context, *, proof: Proof, device: Secret | None = None
    ) -> SessionAnswer:
        """Finish the pending login, or re-authenticate, with a second factor that was verified just now.

        *device* is the value this browser was given by an earlier one, if it has any.
        """
        now, secret = self.clock.now(), self.visits.secret()
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, context, now, lock=True)
            if isinstance(visit, Refused):
                return visit
            command = Prove(found=visit.found, proof=proof, digest=token_digest(secret))
            answer = self.visits.take(tx, visit, command, secret=secret, lost=Code.SESSION_NO_PENDING_LOGIN)
            if not isinstance(answer, answers.SignedIn | answers.Elevated):
                return answer
            limit, minted = self.policy.mfa.known_browsers, self.visits.secret()
            given = devices.give(tx.devices, answer.user, device, minted=minted, limit=limit, now=now)
            return attrs.evolve(answer, device=given)

    def fail(self, session: BrowserSession, context: Context) -> SessionAnswer:
        """Count a wrong second factor against the pending login, which ends when there are too many."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, context, now, lock=True)
            if isinstance(visit, Refused):
                return visit
            found = visit.found
            if isinstance(visit.state, FactorOwed):
                key = standing.pending_key(visit.state)
                failures = tx.attempts.count(key, expires_at=visit.state.expires_at)
                found = attrs.evolve(found, failures=failures)
            return self.visits.take(tx, visit, Fail(found=found), lost=Code.SESSION_NO_PENDING_LOGIN)

    # --- leaving --------------------------------------------------------------------------------------------------

    def cancel(self, session: BrowserSession, context: Context) -> SessionAnswer:
        """Give up what is pending here."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, context, now, lock=True)
            if isinstance(visit, Refused):
                return visit
            return self.visits.take(tx, visit, Cancel(found=visit.found))

    def sign_out(self, session: BrowserSession, context: Context) -> SessionAnswer:
        """End this session, and whatever is pending in it."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, context, now, lock=True)
            if isinstance(visit, Refused):
                return visit
            return self.visits.take(tx, visit, SignOut())

    def end_others(self, session: BrowserSession, context: Context, *, reason: str) -> SessionAnswer:
        """End every other session of the person, pending logins included, by rotating their epoch."""
        now, secret = self.clock.now(), self.visits.secret()
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, context, now, lock=True)
            if isinstance(visit, Refused):
                return visit
            alive, digest = self.visits.alive(tx, visit), token_digest(secret)
            command = AdoptEpoch(found=visit.found, alive=alive, reason=reason, digest=digest)
            answer = self.visits.take(tx, visit, command, secret=secret)
            if isinstance(answer, answers.OthersEnded) and visit.found.person is not None:
                account = tx.accounts.lock(visit.found.person.user)
                tx.accounts.save(attrs.evolve(account, epoch=account.epoch + 1))
            return answer

    def end_all(self, asker: Asker, context: Context, *, user: UserId, reason: str) -> answers.OthersEnded:
        """End every session of *user*, for whoever may (the caller decides), and forget the known browsers."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            account = tx.accounts.lock(user)
            count = tx.sessions.count_alive(user, epoch=account.epoch, now=now)
            tx.accounts.save(attrs.evolve(account, epoch=account.epoch + 1))
            tx.devices.remove_of_user(user)
            ended = facts.OtherSessionsEnded(user=user, count=count, reason=reason)
            self.recorder.record(tx, (ended,), asker=asker, context=context, now=now)
            return answers.OthersEnded(count=count)

    # --- enrolling ------------------------------------------------------------------------------------------------

    def finish_enrollment(
        self, session: BrowserSession, context: Context, *, proof: Proof, reason: str = "factor_enrolled"
    ) -> SessionAnswer:
        """Let the proof of a factor enrolled just now count here, and end every other session of the person.

        After a reset this finishes the sign-in. The known browsers of the person are forgotten (decision 9).
        """
        now, secret = self.clock.now(), self.visits.secret()
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, context, now, lock=True)
            if isinstance(visit, Refused):
                return visit
            alive, digest = self.visits.alive(tx, visit), token_digest(secret)
            command = FinishEnrollment(found=visit.found, proof=proof, alive=alive, reason=reason, digest=digest)
            answer = self.visits.take(tx, visit, command, secret=secret)
            if isinstance(answer, answers.SignedIn):
                account = tx.accounts.lock(answer.user)
                tx.accounts.save(attrs.evolve(account, epoch=account.epoch + 1, enrollment_required=False))
                tx.devices.remove_of_user(answer.user)
            return answer

    def require_enrollment(self, user: UserId) -> MailedLink:
        """Let *user* sign in next time only to enroll a second factor, with the link returned (mfa 20.6).

        An earlier link of theirs works no more. Ending their sessions, removing their factors and mailing the link
        is for the caller.
        """
        token, now = self.visits.secret(), self.clock.now()
        until = now + self.policy.mfa.reset_link_ttl
        with self.uow.begin() as tx:
            account = tx.accounts.lock(user)
            tx.accounts.save(attrs.evolve(account, enrollment_required=True))
            tx.reset_links.remove_of_user(user)
            tx.reset_links.add(ResetLink(user=user, digest=token_digest(token), expires_at=until))
        return MailedLink(token=token, expires_at=until)

    def redeem(self, session: BrowserSession, context: Context, *, token: Secret) -> SessionAnswer:
        """Open the enrollment that this session owes, with the mailed link: once, and only for its own person."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            visit = self.visits.at(tx, session, context, now, lock=True)
            if isinstance(visit, Refused):
                return visit
            link = None
            if isinstance(visit.state, EnrollmentOwed) and standing.begun_by_themselves(visit.state):
                link = tx.reset_links.spend(token_digest(token), user=visit.state.user, now=now)
            return self.visits.take(tx, visit, Redeem(found=visit.found, link=link))

    def drop_marks(self, user: UserId, organization: OrganizationId) -> None:
        """Take from every session of *user*, whose account is held, what it proved to *organization* (decision 15)."""
        now = self.clock.now()
        with self.uow.begin() as tx:
            self.visits.drop_marks(tx, user, organization, now)

    # --- browsers and people ------------------------------------------------------------------------------------------

    def device_known(self, user: UserId, device: Secret | None) -> str | None:
        """Return the key of this browser's own budgets if it is known for *user*; none for a stranger's."""
        with self.uow.begin() as tx:
            found = devices.known(tx.devices.of_user(user), device)
            return None if found is None else devices.budget_key(found)

    def forget_devices(self, user: UserId) -> None:
        """Forget every known browser of *user*, as must be done when their factors change."""
        with self.uow.begin() as tx:
            tx.devices.remove_of_user(user)

    def forget(self, user: UserId) -> int:
        """Delete every session, known browser and mailed link of *user*; return how many sessions there were."""
        with self.uow.begin() as tx:
            tx.devices.remove_of_user(user)
            tx.reset_links.remove_of_user(user)
            return tx.sessions.remove_of_user(user)

    def sweep(self, now: datetime) -> int:
        """Delete the sessions and mailed links whose time is over; return how many there were."""
        with self.uow.begin() as tx:
            return tx.sessions.remove_expired(now) + tx.reset_links.remove_expired(now)
