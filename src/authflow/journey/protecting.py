"""The post flow and everything else a person does with second factors, each in one transaction over the slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command
from authflow.errors import Code
from authflow.facts.mfa import FactorsReset as ResetFact
from authflow.journey import post_flow, removal, sign_in
from authflow.journey.answers import Arrived, Enrolled, FactorRemoved, FactorsReset
from authflow.journey.arguments import require_identifier, require_text
from authflow.journey.door import Door, carried, expect
from authflow.journey.gates import may_administer, reason_problems, unreachable
from authflow.journey.post_flow import CodesSettled, FactorProven, Protected, SettleCodes
from authflow.journey.sign_in import Ask, Directive
from authflow.mfa import kinds
from authflow.mfa.answers import Begun, Cancelled, CodesShown, Proven, Removed, Renamed, Verified
from authflow.mfa.factor import Mode
from authflow.mfa.kinds import RECOVERY
from authflow.sessions.commands import Elevated, OthersEnded, SignedIn
from authflow.sessions.devices import presented_key
from authflow.values import Method, Proof, Refused

if TYPE_CHECKING:
    from authflow.journey.waiting import Waiting
    from authflow.mfa.answers import ChallengeAnswer, Details, Listing
    from authflow.mfa.service import SecondFactors
    from authflow.policy import MfaPolicy
    from authflow.recording import Recorder
    from authflow.values import Asker, AuthenticatorId, BrowserSession, Context, FlowId, Secret, UserId


@attrs.frozen(kw_only=True)
class Protecting(Door):
    """``flows.mfa``: second factors, enrolled, answered, kept and reset."""

    _factors: SecondFactors = attrs.field(alias="factors")
    _waiting: Waiting = attrs.field(alias="waiting")
    _recorder: Recorder = attrs.field(alias="recorder")
    _policy: MfaPolicy = attrs.field(alias="policy")

    # --- enrolling ------------------------------------------------------------------------------------------------

    @command("mfa.begin_totp")
    def begin_totp(self, session: BrowserSession, context: Context, *, account: str) -> Begun | Refused:
        """Propose a TOTP secret. For whoever has one already, proving it will rotate that one in place.

        Args:
            session: The browser; it must be elevated.
            context: Where the command came from.
            account: What the authenticator app shows: the person's address.
        """
        require_text(account, field="account")
        with self._uow.begin() as tx:
            self._factors.expect_enrollment(self._sessions.visits.owner(tx, session))
            asker = self._sessions.enrolling(session, self._clock.now())
            answer = expect(self._factors.begin(asker, context, account=account), Begun, Refused)
            return carried(answer, session, asker)

    @command("mfa.show_totp")
    def show_totp(self, session: BrowserSession, context: Context, flow: FlowId, *, account: str) -> Begun | Refused:
        """Show a proposed secret once more, to the browser session that began and only against its handle."""
        require_text(account, field="account")
        with self._uow.begin():
            asker = self._sessions.enrolling(session, self._clock.now())
            answer = self._factors.show_again(asker, context, flow=flow, account=account)
            return carried(expect(answer, Begun, Refused), session, asker)

    @command("mfa.cancel_totp")
    def cancel_totp(self, session: BrowserSession, context: Context, flow: FlowId) -> Cancelled | Refused:
        """Drop a proposed secret; what is enrolled goes on working."""
        with self._uow.begin():
            asker = self._sessions.enrolling(session, self._clock.now())
            answer = expect(self._factors.cancel(asker, context, flow=flow), Cancelled, Refused)
            return carried(answer, session, asker)

    @command("mfa.complete_totp", guesses=True)
    def complete_totp(
        self, session: BrowserSession, context: Context, flow: FlowId, *, code: str | None, user: UserId | None = None
    ) -> Enrolled | Refused:
        """Prove the proposed secret with *code*: the post flow, in one transaction (decision 32).

        Afterwards the factor stands, recovery codes were made if there were none, the other sessions of the person
        are over, lost-password links are void, and the invitation that waited in this browser has its outcome.
        The primary address must be verified (``require_verified_address``).

        Args:
            session: The browser in which it began.
            context: Where the command came from.
            flow: From `Begun`.
            code: What was typed.
            user: Whom the page showed as the one who enrolls. Whoever else asks is refused, also an administrator, and
                never enrolled instead (mfa 12.1 G5); only a completion enrolls, so the other steps do not ask.
        """
        require_identifier(user, field="user")
        with self._uow.begin() as tx:
            self._factors.expect_enrollment(self._sessions.visits.owner(tx, session), flow)
            asker = self._sessions.enrolling(session, self._clock.now())
            answer = self._factors.complete(asker, context, flow=flow, code=code, subject=user)
            if not isinstance(answer, Proven):
                return carried(expect(answer, Refused), session, asker)
            return self._finish(session, context, asker, answer)

    def _finish(self, session: BrowserSession, context: Context, asker: Asker, proven: Proven) -> Enrolled:
        now = self._clock.now()
        with self._uow.begin() as tx:
            protected, codes = self._settle_codes(asker, context, proven)
            tx.users.drop_password_resets(proven.user)
            proof = Proof(method=expect(proven.kind.method, Method), at=now)
            signed_in = expect(self._sessions.finish_enrollment(session, context, proof=proof), SignedIn)
            outcome = self._waiting.settle(protected, signed_in.session, context)
        return Enrolled(
            session=signed_in.session,
            authenticator=proven.authenticator,
            kind=proven.kind.id,
            rotated=proven.mode is Mode.ROTATION,
            recovery_codes=codes,
            ended_sessions=signed_in.others_ended,
            invitation=outcome,
        )

    def _settle_codes(self, asker: Asker, context: Context, proven: Proven) -> tuple[Protected, tuple[Secret, ...]]:
        now = self._clock.now()
        with self._uow.begin() as tx:
            command = SettleCodes(
                has_backup=bool(tx.factors.of_user(proven.user).backups()),
                closed=kinds.closed(RECOVERY, self._policy),
            )
            step = post_flow.MACHINE.step(FactorProven(), command, now)
            protected = expect(step.state, Protected)
            if not expect(step.answer, CodesSettled).add:
                return protected, ()
            shown = expect(self._factors.add_codes(asker, context, user=proven.user), CodesShown)
            return protected, shown.codes

    # --- answering ------------------------------------------------------------------------------------------------

    @command("mfa.verify", guesses=True)
    def verify(
        self, session: BrowserSession, context: Context, kind: str, code: str | None, *, device: Secret | None = None
    ) -> Arrived | Elevated | Refused:
        """Answer with a code of an enrolled factor: finishes a pending sign-in, or elevates a session.

        Args:
            session: The browser, of `SecondFactorOwed` or signed in.
            context: Where the command came from.
            kind: ``totp`` or ``recovery``.
            code: What was typed.
            device: The value of this browser's long-lived cookie, if it has one (decision 9).
        """
        now = self._clock.now()
        with self._uow.begin() as tx:
            self._factors.expect_answer(self._sessions.visits.expect_proof(tx, session), kind, presented_key(device))
            who = self._sessions.challenged(session, now)
            standing = sign_in.standing(who)
            asker = self._sessions.identify(session, now)
            asked = sign_in.MACHINE.step(standing, Ask(), now).answer
            if asked.code is not None or isinstance(who, Refused):
                return carried(Refused(code=asked.code or Code.SESSION_NO_PENDING_LOGIN), session, asker)
            browser = self._sessions.device_known(who.user, device)
            person = tx.users.get(who.user)
            label = "" if person is None else person.called()
            answering = attrs.evolve(asker, user=who.user, label=label)
            judged = self._factors.verify(answering, context, user=who.user, kind=kind, code=code, browser=browser)
            verdict = sign_in.MACHINE.step(standing, sign_in.judgement(judged), now).answer
            return self._carry_out(
                verdict.directive, judged, asker=asker, session=session, context=context, device=device
            )

    def _carry_out(
        self,
        directive: Directive,
        judged: ChallengeAnswer,
        *,
        asker: Asker,
        session: BrowserSession,
        context: Context,
        device: Secret | None,
    ) -> Arrived | Elevated | Refused:
        match directive:
            case Directive.PROVE:
                proof = Proof(method=expect(expect(judged, Verified).kind.method, Method), at=self._clock.now())
                answer = self._sessions.prove(session, context, proof=proof, device=device)
                arrived = self._waiting.arrived(answer, context, Protected())
                return expect(arrived, Arrived, Elevated, Refused)
            case Directive.COUNT_FAILURE:
                return expect(self._sessions.fail(session, context), Refused)
            case Directive.JUDGE | Directive.LEAVE:
                return carried(expect(judged, Refused), session, asker)

    # --- keeping --------------------------------------------------------------------------------------------------

    @command("mfa.listing")
    def listing(self, session: BrowserSession, *, user: UserId | None = None) -> Listing | Refused:
        """List every kind of second factor, enrolled or not. It holds no secret and needs no elevation."""
        return self._shown(session, lambda asker: self._factors.listing(asker, subject=user))

    @command("mfa.details")
    def details(
        self, session: BrowserSession, authenticator: AuthenticatorId, *, user: UserId | None = None
    ) -> Details | Refused:
        """Show one factor: name, dates, recovery codes left. Never a secret, never a code."""
        details = self._factors.details
        return self._shown(session, lambda a: details(a, authenticator=authenticator, subject=user))

    @command("mfa.rename")
    def rename(
        self, session: BrowserSession, context: Context, authenticator: AuthenticatorId, *, name: str | None
    ) -> Renamed | Refused:
        """Give a factor another name, of 1 to 60 characters after trimming; an empty one is refused."""
        rename = self._factors.rename
        return self._asked(
            session, lambda a: expect(rename(a, context, authenticator=authenticator, name=name), Renamed, Refused)
        )

    @command("mfa.regenerate_codes")
    def regenerate_codes(self, session: BrowserSession, context: Context) -> CodesShown | Refused:
        """Make new recovery codes and show them once; all old ones are dead."""
        regenerate = self._factors.regenerate_codes
        return self._asked(session, lambda asker: expect(regenerate(asker, context), CodesShown, Refused))

    @command("mfa.remove")
    def remove(
        self,
        session: BrowserSession,
        context: Context,
        authenticator: AuthenticatorId,
        *,
        user: UserId | None = None,
    ) -> FactorRemoved | Refused:
        """Remove a factor; backup kinds fall with the last primary one, and other sessions of its owner end.

        *user*'s, for an installation administrator; no organization manages an account yet (decision 18).
        """
        with self._uow.begin() as tx:
            asker = self._held(tx, session, *(() if user is None else (user,)))
            answer = self._factors.remove(asker, context, authenticator=authenticator, subject=user)
            if not isinstance(answer, Removed):
                return carried(expect(answer, Refused), session, asker)
            return self._after_removal(session, context, asker, answer)

    def _after_removal(
        self, session: BrowserSession, context: Context, asker: Asker, removed: Removed
    ) -> FactorRemoved:
        with self._uow.begin() as tx:
            state: removal.Removal = removal.BackupRemoved()
            if not removed.kind.backup:
                state = removal.PrimaryRemoved(primaries=removed.primaries, backups=removed.backups)
            falls = removal.MACHINE.step(state, removal.Cascade(), self._clock.now()).answer
            self._factors.fall(asker, context, user=removed.user, kinds=falls.kinds)
            tx.users.drop_password_resets(removed.user)
            kept, ended = self._end_sessions(session, context, asker, removed.user, reason="factor_removed")
        return FactorRemoved(
            session=kept,
            authenticator=removed.authenticator,
            fallen=falls.kinds,
            protected=not falls.unprotected,
            ended_sessions=ended,
        )

    # --- resetting ------------------------------------------------------------------------------------------------

    @command("mfa.reset")
    def reset(self, session: BrowserSession, context: Context, *, user: UserId, reason: str) -> FactorsReset | Refused:
        """Remove every factor of *user*, for an installation administrator (mfa 20.6, decision 33).

        All their sessions end, and a single-use link is mailed to them; until they enrolled again with it, a sign-in
        leads to `EnrollmentOwed` and nowhere else.

        Args:
            session: The administrator's, elevated.
            context: Where the command came from.
            user: Whose factors.
            reason: Kept in the audit log, at most 200 characters.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        with self._uow.begin() as tx:
            asker = self._held(tx, session, user)
            actor = None if asker.user is None else tx.users.get(asker.user)
            person = tx.users.get(user)
            refusal = may_administer(asker, actor, person) or unreachable(person)
            if refusal is not None:
                return carried(Refused(code=refusal), session, asker)
            if problems := reason_problems(reason):
                return carried(Refused(code=Code.ACCOUNT_INPUT_INVALID, problems=problems), session, asker)
            answer = self._reset(context, asker, user, reason)
            return carried(answer, session, self._sessions.identify(session, self._clock.now()))

    def _reset(self, context: Context, asker: Asker, user: UserId, reason: str) -> FactorsReset:
        now = self._clock.now()
        with self._uow.begin() as tx:
            removed = self._factors.forget(asker, context, user=user)
            self._factors.unlock(asker, context, user=user)
            tx.users.drop_password_resets(user)
            ended = self._sessions.end_all(asker, context, user=user, reason="factors_reset")
            link = self._sessions.require_enrollment(user)
            fact = ResetFact(
                user=user,
                reason=reason,
                removed=len(removed),
                token=link.token,
                expires_at=link.expires_at,
            )
            self._recorder.record(tx, (fact,), asker=asker, context=context, now=now)
        return FactorsReset(user=user, removed=removed, ended_sessions=ended.count, link_expires_at=link.expires_at)

    def _end_sessions(
        self, session: BrowserSession, context: Context, asker: Asker, user: UserId, *, reason: str
    ) -> tuple[BrowserSession, int]:
        """End the other sessions of the owner; all of them where somebody else acted on their factors."""
        if user != asker.user:
            return session, self._sessions.end_all(asker, context, user=user, reason=reason).count
        ended = expect(self._sessions.end_others(session, context, reason=reason), OthersEnded)
        self._sessions.forget_devices(user)
        return ended.session, ended.count
