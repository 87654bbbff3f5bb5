"""What every command around a factor does beside its table: lock, read, open, mint, store, record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import SecretUnavailable
from authflow.mfa.commands import Reseal
from authflow.mfa.enrollment import MACHINE as FACTOR_MACHINE
from authflow.mfa.factor import binding, enrolled
from authflow.mfa.holdings import Holdings
from authflow.mfa.kinds import RECOVERY
from authflow.mfa.recovery import MACHINE as RECOVERY_MACHINE
from authflow.values import AuthenticatorId, new_identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from authflow.machine import Fact, Step
    from authflow.mfa.answers import RecoveryAnswer
    from authflow.mfa.factor import Factor
    from authflow.mfa.kinds import Kind
    from authflow.mfa.ports import MfaTransaction
    from authflow.mfa.recovery import Recovery, RecoveryCommand
    from authflow.policy import MfaPolicy
    from authflow.ports import Cipher, Clock, Entropy, Pepper, Stored, UnitOfWork
    from authflow.recording import Recorder
    from authflow.values import Asker, Context, Sealed, Secret, UserId


@attrs.frozen(kw_only=True)
class Case:
    """One command: who gave it, from where, when, about whose factors, in which transaction.

    *user* is empty where nobody is signed in. *held* was read under their lock, by whatever changes something; it is
    empty where *user* is nobody whom *asker* may read, or nobody at all, which *known* tells.
    """

    tx: MfaTransaction
    asker: Asker
    context: Context
    now: datetime
    user: UserId
    held: Holdings
    known: bool = True


@attrs.frozen(kw_only=True)
class Desk:
    """The ports of the slice, and the reading and writing that its commands share."""

    uow: UnitOfWork[MfaTransaction]
    clock: Clock
    entropy: Entropy
    recorder: Recorder
    cipher: Cipher
    pepper: Pepper
    policy: MfaPolicy

    # --- reading --------------------------------------------------------------------------------------------------

    def case(self, tx: MfaTransaction, asker: Asker, context: Context, user: UserId, *, lock: bool = True) -> Case:
        """Return the case about *user*, under their lock; a stranger's is about nobody and reads nothing."""
        if user and lock:
            tx.accounts.lock(user)
        held = tx.factors.of_user(user) if user else Holdings()
        return Case(tx=tx, asker=asker, context=context, now=self.clock.now(), user=user, held=held)

    def opened(
        self,
        sealed: Sealed,
        user: UserId,
        kind: Kind,
        authenticator: AuthenticatorId,
        report: Callable[[SecretUnavailable], None] = report_unavailable,
    ) -> Secret | None:
        """Return the secret, or none where it cannot be opened now, which the log tells: never a wrong code."""
        try:
            return self.cipher.open(sealed, bound_to=binding(user, kind.id, authenticator))
        except SecretUnavailable as error:
            report(error)
            return None

    def sealed_anew(
        self, case: Case, kind: Kind, state: Factor, report: Callable[[SecretUnavailable], None] = report_unavailable
    ) -> Factor:
        """Return *state* with its secret under the active key (mfa 20.5); as it is, where it lies there or is lost."""
        proven = enrolled(state)
        if proven is None or not self.cipher.needs_reseal(proven.secret):
            return state
        secret = self.opened(proven.secret, case.user, kind, proven.id, report)
        if secret is None:
            return state
        sealed = self.cipher.seal(secret, bound_to=binding(case.user, kind.id, proven.id))
        return FACTOR_MACHINE.step(state, Reseal(sealed=sealed), case.now).state

    # --- minting --------------------------------------------------------------------------------------------------

    def new_authenticator(self) -> AuthenticatorId:
        """Return a fresh id."""
        return AuthenticatorId(new_identifier(self.entropy.random_bytes(16)))

    # --- writing --------------------------------------------------------------------------------------------------

    def keep(self, case: Case, kind: Kind, before: Stored[Factor], step: Step[Factor, object]) -> None:
        """Store what the step changed, and record what it tells."""
        if step.state != before.state:
            case.tx.factors.save(case.user, kind.id, step.state, expected=before.version)
        self.tell(case, step.facts)

    def turn_codes(self, case: Case, command: RecoveryCommand) -> RecoveryAnswer:
        """Let the table of recovery codes decide *command*, and store and record that."""
        before: Stored[Recovery] = case.held.recovery
        step = RECOVERY_MACHINE.step(before.state, command, case.now)
        if step.state != before.state:
            case.tx.factors.save(case.user, RECOVERY.id, step.state, expected=before.version)
        self.tell(case, step.facts)
        return step.answer

    def tell(self, case: Case, facts: Sequence[Fact]) -> None:
        """Record *facts* in the case's own transaction."""
        self.recorder.record(case.tx, facts, asker=case.asker, context=case.context, now=case.now)
