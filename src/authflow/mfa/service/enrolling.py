"""Enrolling: begin, show again, complete, cancel; and the recovery codes that come with a first factor."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code, StaleVersion
from authflow.mfa import commands as c
from authflow.mfa import kinds, totp
from authflow.mfa.answers import CodesShown
from authflow.mfa.codes import RECOVERY_CODE_BYTES, digests_to_store, new_codes
from authflow.mfa.enrollment import MACHINE, proof_is_due
from authflow.mfa.factor import binding, flow_digest, pending
from authflow.mfa.gates import BEGINNING, COMPLETING, Request, admitted, code_problems
from authflow.mfa.kinds import RECOVERY
from authflow.mfa.recovery import Add, Regenerate
from authflow.mfa.removal import Change
from authflow.mfa.service.desk import Desk
from authflow.nobody import NO_USER, SYSTEM
from authflow.values import Asker, Context, FlowId, Refused, UserId, new_identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authflow.mfa.answers import EnrollmentAnswer, RecoveryAnswer
    from authflow.mfa.kinds import Kind
    from authflow.mfa.service.desk import Case
    from authflow.ports import Digest
    from authflow.values import Secret

ATTEMPTS_KEPT: Final = timedelta(days=1)
"""How long a flow's count outlives the flow: no sweep gives guesses back to a flow that a clock brings back."""


@attrs.frozen(kw_only=True)
class Enrolling(Desk):
    """How a person comes to a second factor."""

    def expect_enrollment(self, user: UserId | None, flow: FlowId | None = None) -> None:
        """Say that *user* is about to begin behind their lock, or to complete *flow*."""
        if user is None:
            return
        with self.uow.begin() as tx:
            tx.factors.ahead(user)
            if flow is not None:
                tx.attempts.ahead(user, _guesses_key(flow_digest(flow)))

    def begin(
        self, asker: Asker, context: Context, *, account: str, kind: str = kinds.TOTP.id, subject: UserId | None = None
    ) -> EnrollmentAnswer:
        """Propose a secret, to be proven with a code; a newer proposal voids an older one (decision 28).

        Args:
            asker: Who asks, as a session that may enroll.
            context: Where the command came from.
            account: What an authenticator app shows beside the code: the person's address.
            kind: What is to be enrolled.
            subject: Whose factor it is to be; anybody else than the asker is refused.

        Raises:
            InputInvalid: *account* is blank.
        """
        named = kinds.named(kind)
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, asker.user or NO_USER)
            request = self._request(case, named, subject)
            if admitted(BEGINNING, request):
                request = attrs.evolve(request, limit=tx.limits.hit(self.policy.proposals, case.user, case.now))
            authenticator = case.held.id_of(named) or self.new_authenticator()
            secret = totp.new_secret(self.entropy.random_bytes(totp.TOTP_SECRET_BYTES))
            command = c.Begin(
                request=request,
                flow=FlowId(new_identifier(self.entropy.random_bytes(32))),
                account=account,
                authenticator=authenticator,
                secret=secret,
                sealed=self.cipher.seal(secret, bound_to=binding(case.user, named.id, authenticator)),
            )
            return self._turn(case, named, command)

    def show_again(
        self, asker: Asker, context: Context, *, flow: FlowId, account: str, kind: str = kinds.TOTP.id
    ) -> EnrollmentAnswer:
        """Show the same secret once more, to the session that began and only against its own handle."""
        named = kinds.named(kind)
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, asker.user or NO_USER)
            secret = self._proposed(case, named)
            request = self._request(case, named)
            return self._turn(case, named, c.ShowAgain(request=request, flow=flow, account=account, secret=secret))

    def complete(
        self,
        asker: Asker,
        context: Context,
        *,
        flow: FlowId,
        code: str | None,
        kind: str = kinds.TOTP.id,
        subject: UserId | None = None,
    ) -> EnrollmentAnswer:
        """Prove what is pending. The gates stand in `COMPLETING`; the call and the guess are counted before a look."""
        named = kinds.named(kind)
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, asker.user or NO_USER)
            request = self._request(case, named, subject, code_problems(code, named))
            if admitted(COMPLETING, request):
                limit = tx.limits.hit(self.policy.enrollments, f"{named.id}:{case.user}", case.now)
                request = attrs.evolve(request, limit=limit)
            command = c.Complete(request=request, flow=flow, code=code or "", secret=self._proposed(case, named))
            return self._turn(case, named, self._counted(case, named, command))

    def cancel(self, asker: Asker, context: Context, *, flow: FlowId, kind: str = kinds.TOTP.id) -> EnrollmentAnswer:
        """Drop what is pending; what is enrolled stays."""
        named = kinds.named(kind)
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, asker.user or NO_USER)
            return self._turn(case, named, c.Cancel(request=self._request(case, named), flow=flow))

    def expire(self, *, batch: int = 100) -> int:
        """Drop every proposal whose time is over, each in a transaction of its own; return how many were.

        Args:
            batch: How many are looked for at a time.
        """
        dropped, found = 0, True
        while found:
            with self.uow.begin() as tx:
                over = tx.factor_census.expired(self.clock.now(), limit=batch)
            gone = sum(self._expired(user, kinds.named(kind)) for user, kind in over)
            dropped, found = dropped + gone, gone > 0
        return dropped

    # --- recovery codes -------------------------------------------------------------------------------------------

    def add_codes(self, asker: Asker, context: Context, *, user: UserId) -> RecoveryAnswer:
        """Add recovery codes for whoever has a primary factor and none yet."""
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, user)
            command = Add(
                user=user,
                authenticator=self.new_authenticator(),
                codes=self._new_codes(),
                protected=bool(case.held.primaries()),
                closed=kinds.closed(RECOVERY, self.policy),
            )
            answer = self.turn_codes(case, command)
            if isinstance(answer, CodesShown):
                tx.recovery_codes.add(answer.authenticator, self._digests(answer))
            return answer

    def regenerate_codes(self, asker: Asker, context: Context) -> RecoveryAnswer:
        """Let all old codes of the asker die and show new ones, once."""
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, asker.user or NO_USER)
            change = Change(asker=asker, subject=case.user, target=RECOVERY)
            answer = self.turn_codes(case, Regenerate(change=change, codes=self._new_codes()))
            if isinstance(answer, CodesShown):
                tx.recovery_codes.replace(answer.authenticator, self._digests(answer))
            return answer

    # --- facts and storing ----------------------------------------------------------------------------------------

    def _request(
        self, case: Case, kind: Kind, subject: UserId | None = None, problems: Mapping[str, str] | None = None
    ) -> Request:
        person = case.tx.users.get(case.user) if case.user else None
        return Request(
            asker=case.asker,
            subject=case.user if subject is None else subject,
            address_verified=person is not None and person.primary_verified(),
            kind=kind,
            enrolled=bool(case.held.id_of(kind)),
            problems=problems or {},
            policy=self.policy,
        )

    def _proposed(self, case: Case, kind: Kind) -> Secret | None:
        """Return the opened secret that waits to be proven; none where nothing waits, or it cannot be opened."""
        proposal = pending(case.held.factor(kind).state)
        if proposal is None:
            return None
        return self.opened(proposal.secret, case.user, kind, proposal.authenticator)

    def _expired(self, user: UserId, kind: Kind) -> bool:
        """Drop one proposal, unless it was proven or dropped meanwhile; tell whether there was one."""
        with self.uow.begin() as tx:
            case = self.case(tx, SYSTEM, Context(), user)
            waited = pending(case.held.factor(kind).state) is not None
            self._turn(case, kind, c.Expire(user=user, kind=kind.id))
            return waited

    def _counted(self, case: Case, kind: Kind, command: c.Complete) -> c.Complete:
        """Count the attempt in the counter table before the code is compared (decision 7)."""
        state = case.held.factor(kind).state
        proposal = pending(state)
        if proposal is None or not proof_is_due(state, command, case.now):
            return command
        key, until = _guesses_key(proposal.flow), proposal.expires_at + ATTEMPTS_KEPT
        return attrs.evolve(command, attempts=case.tx.attempts.count(key, expires_at=until))

    def _turn(self, case: Case, kind: Kind, command: c.EnrollmentCommand) -> EnrollmentAnswer:
        """Let the table decide; whoever loses the row to somebody else is told that the enrollment changed."""
        before = case.held.factor(kind)
        step = MACHINE.step(before.state, command, case.now)
        try:
            self.keep(case, kind, before, step)
        except StaleVersion:
            return Refused(code=Code.MFA_ENROLLMENT_STATE_CHANGED)
        return step.answer

    def _new_codes(self) -> tuple[Secret, ...]:
        count = self.policy.recovery_codes
        return new_codes(self.entropy.random_bytes(count * RECOVERY_CODE_BYTES), count)

    def _digests(self, shown: CodesShown) -> Sequence[Digest]:
        return digests_to_store(self.pepper, shown.authenticator, shown.codes)


def _guesses_key(flow: bytes) -> str:
    """Return where the guesses at one proposal are counted, by the digest of its handle."""
    return f"mfa.enrollment:{flow.hex()}"
