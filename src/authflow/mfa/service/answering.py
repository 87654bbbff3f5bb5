"""Answering a challenge with a code: budgets first, then the count, then the comparison, then the code is used up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.bounds import LIFETIME_MAX
from authflow.errors import StaleVersion
from authflow.machine import Step
from authflow.mfa import codes, kinds
from authflow.mfa import commands as c
from authflow.mfa.answers import Done, Verified
from authflow.mfa.challenge import (
    MACHINE,
    Attempt,
    Submit,
    TypedStep,
    Unlock,
    UsedUp,
    budgets,
    code_is_due,
    failures_key,
    guesses_key,
    limit_is_due,
    standing,
)
from authflow.mfa.enrollment import MACHINE as ENROLLMENT
from authflow.mfa.factor import enrolled
from authflow.mfa.gates import code_problems
from authflow.mfa.kinds import RECOVERY
from authflow.mfa.recovery import Consume, Ready
from authflow.mfa.service.desk import Desk
from authflow.ports import Allowed

if TYPE_CHECKING:
    from authflow.mfa.answers import ChallengeAnswer
    from authflow.mfa.challenge import Challenge
    from authflow.mfa.factor import Authenticator
    from authflow.mfa.kinds import Kind
    from authflow.mfa.service.desk import Case
    from authflow.values import Asker, Context, Secret, UserId


@attrs.frozen(kw_only=True)
class Answering(Desk):
    """How a person proves a factor that is enrolled."""

    def expect_answer(self, user: UserId | None, kind: str, browser: str | None) -> None:
        """Say that *user* is about to answer with a *kind*, behind their lock, at *browser* if that is known."""
        if user is None:
            return
        named = kinds.named(kind)
        with self.uow.begin() as tx:
            tx.factors.ahead(user)
            tx.attempts.ahead(user, *(failures_key(user, named, key) for key in (None, browser)))

    def verify(
        self, asker: Asker, context: Context, *, user: UserId, kind: str, code: str | None, browser: str | None = None
    ) -> ChallengeAnswer:
        """Accept one code of an enrolled factor, once (mfa 15.5, decisions 9 and 43).

        Args:
            asker: Who is recorded as the one who answered.
            context: Where the command came from.
            user: Whose factor.
            kind: Which kind is answered.
            code: What was typed.
            browser: The key of a known browser, or none for one that nobody knows.
        """
        named = kinds.named(kind)
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, user)
            state, command = self._submitted(case, named, code, browser)
            step = MACHINE.step(state, command, case.now)
            if isinstance(step.answer, Verified) and not self._used_up(case, step.answer):
                step = MACHINE.step(state, attrs.evolve(command, proof=None), case.now)
            if isinstance(step.answer, Verified):
                self._forgive(case, named, browser)
            self.tell(case, step.facts)
            return step.answer

    def unlock(self, asker: Asker, context: Context, *, user: UserId) -> None:
        """Forget the failures of *user*: the owner came back another way, or an administrator helped."""
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, user)
            for kind in (kinds.TOTP, RECOVERY):
                key = failures_key(user, kind, None)
                state = standing(tx.attempts.read(key), kind=kind, browser=None, policy=self.policy)
                self.tell(case, MACHINE.step(state, Unlock(), case.now).facts)
                tx.attempts.clear(key)

    # --- facts and storing ----------------------------------------------------------------------------------------

    def _submitted(self, case: Case, kind: Kind, code: str | None, browser: str | None) -> tuple[Challenge, Submit]:
        """Return what the counter stands for, and the answer with its facts: what will be compared is counted first."""
        key = failures_key(case.user, kind, browser)
        failures = case.tx.attempts.read(key)
        state = standing(failures, kind=kind, browser=browser, policy=self.policy)
        proven = enrolled(case.held.factor(kind).state)
        secret = None if proven is None else self.opened(proven.secret, case.user, kind, proven.id)
        attempt = Attempt(
            user=case.user,
            kind=kind,
            authenticator=case.held.id_of(kind),
            browser=browser,
            readable=proven is None or secret is not None,
            problems=code_problems(code, kind),
            policy=self.policy,
        )
        if limit_is_due(state, attempt):
            attempt = self._limited(case, attempt)
        if not code_is_due(state, attempt):
            return state, Submit(attempt=attempt, proof=None, failures=failures)
        failures = case.tx.attempts.count(key, expires_at=case.now + LIFETIME_MAX)
        proof = self._proof(case, kind, code or "", proven, secret)
        return state, Submit(attempt=attempt, proof=proof, failures=failures)

    def _limited(self, case: Case, attempt: Attempt) -> Attempt:
        """Spend a guess of every budget, or of none: what is refused is not counted (decision 31)."""
        key = guesses_key(attempt.user, attempt.kind, attempt.browser)
        limit = case.tx.limits.hit_all(budgets(attempt.kind, self.policy), key, case.now)
        if isinstance(limit, Allowed):
            return attrs.evolve(attempt, limit=limit)
        told = case.tx.limits.hit(self.policy.told_of_guesses, attempt.user, case.now)
        return attrs.evolve(attempt, limit=limit, tell=isinstance(told, Allowed))

    def _proof(
        self, case: Case, kind: Kind, code: str, proven: Authenticator | None, secret: Secret | None
    ) -> TypedStep | UsedUp | None:
        if proven is not None and secret is not None:
            return TypedStep(code=code, secret=secret, after=proven.last_accepted_step)
        ready = case.held.recovery.state
        parsed = codes.parse_recovery_code(code)
        if kind is not RECOVERY or not isinstance(ready, Ready) or parsed is None:
            return None
        digests = codes.digest(self.pepper, ready.authenticator, parsed)
        consumed = case.tx.recovery_codes.consume(ready.authenticator, digests, case.now)
        return UsedUp(consumed=consumed, left=ready.left - 1)

    def _used_up(self, case: Case, verified: Verified) -> bool:
        """Use the code up for good; false if somebody else did, in spite of the lock: then it is a wrong code."""
        if verified.step is None:
            self.turn_codes(case, Consume(user=case.user))
            return True
        before = case.held.factor(verified.kind)
        step = ENROLLMENT.step(before.state, c.UseStep(step=verified.step), case.now)
        used = Step(self.sealed_anew(case, verified.kind, step.state), step.answer)
        try:
            self.keep(case, verified.kind, before, used)
        except StaleVersion:
            return False
        return isinstance(step.answer, Done)

    def _forgive(self, case: Case, kind: Kind, browser: str | None) -> None:
        """Forget the failures of this browser, and give a known one its budget back (decision 9).

        What unknown browsers have spent stays spent: nobody knows that it was this one. A recovery code is the way
        back from their lock (mfa 16.2).
        """
        forgiven = {failures_key(case.user, kind, browser)}
        if kind.backup and browser is None:
            forgiven.add(failures_key(case.user, kinds.TOTP, None))
        for key in sorted(forgiven):
            case.tx.attempts.clear(key)
        if browser is not None:
            for budget in budgets(kind, self.policy):
                case.tx.limits.reset(budget, guesses_key(case.user, kind, browser))
