"""What happens to a person's second factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import AuthenticatorId, Secret, UserId


@attrs.frozen(kw_only=True)
class EnrollmentBegun(Fact):
    """A secret was proposed. Nothing is recorded: nothing is enrolled yet."""

    user: UserId
    kind: str


@attrs.frozen(kw_only=True)
class FactorEnrolled(Fact):
    """A new factor was proven and stored."""

    user: UserId
    authenticator: AuthenticatorId
    kind: str


@attrs.frozen(kw_only=True)
class FactorRotated(Fact):
    """The secret of an enrolled factor was replaced in place."""

    user: UserId
    authenticator: AuthenticatorId
    kind: str


@attrs.frozen(kw_only=True)
class EnrollmentProofRejected(Fact):
    """A code did not prove the proposed secret."""

    user: UserId
    kind: str
    attempts: int


@attrs.frozen(kw_only=True)
class EnrollmentEnded(Fact):
    """A pending enrollment is over without a factor: *reason* is ``expired`` or ``too_many_attempts``."""

    user: UserId
    kind: str
    reason: str


@attrs.frozen(kw_only=True)
class EnrollmentLimitReached(Fact):
    """A completion was refused by the daily limit."""

    user: UserId
    kind: str


@attrs.frozen(kw_only=True)
class FactorRenamed(Fact):
    """A factor got another name."""

    user: UserId
    authenticator: AuthenticatorId
    kind: str


@attrs.frozen(kw_only=True)
class FactorRemoved(Fact):
    """A primary factor was removed, by its owner or by *actor_role*."""

    user: UserId
    authenticator: AuthenticatorId
    kind: str
    actor_role: str = "self"


@attrs.frozen(kw_only=True)
class BackupFactorRemoved(Fact):
    """A backup factor was removed: *cascade* when no primary factor was left. Never mailed."""

    user: UserId
    authenticator: AuthenticatorId
    kind: str
    cascade: bool


@attrs.frozen(kw_only=True)
class RecoveryCodesAdded(Fact):
    """The first recovery codes were made."""

    user: UserId
    authenticator: AuthenticatorId
    count: int


@attrs.frozen(kw_only=True)
class RecoveryCodesRegenerated(Fact):
    """All old codes died; *count* new ones were made."""

    user: UserId
    authenticator: AuthenticatorId
    count: int


@attrs.frozen(kw_only=True)
class RecoveryCodeUsed(Fact):
    """One recovery code was consumed; *remaining* are left."""

    user: UserId
    authenticator: AuthenticatorId
    remaining: int


@attrs.frozen(kw_only=True)
class SecondFactorVerified(Fact):
    """A code of an enrolled factor was accepted. The session's own fact records what that led to."""

    user: UserId
    authenticator: AuthenticatorId
    kind: str


@attrs.frozen(kw_only=True)
class SecondFactorFailed(Fact):
    """A code was evaluated and refused."""

    user: UserId
    kind: str


@attrs.frozen(kw_only=True)
class CodeReplayed(Fact):
    """A right code of a time step that was accepted before came again. The answer does not tell."""

    user: UserId
    authenticator: AuthenticatorId
    kind: str


@attrs.frozen(kw_only=True)
class SecondFactorLimited(Fact):
    """Guesses ran into a budget."""

    user: UserId
    kind: str


@attrs.frozen(kw_only=True)
class TooManyAttemptsTold(Fact):
    """The owner is told of too many guesses; at most as often as `MfaPolicy.told_of_guesses` says (mfa 16.2)."""

    user: UserId
    kind: str


@attrs.frozen(kw_only=True)
class SecondFactorLocked(Fact):
    """Too many failures in a row: codes from unknown browsers are refused."""

    user: UserId
    failures: int


@attrs.frozen(kw_only=True)
class SignInAfterFailures(Fact):
    """A second factor passed after several failures; the owner is told."""

    user: UserId
    failures: int


@attrs.frozen(kw_only=True)
class FactorsReset(Fact):
    """An installation administrator removed every factor of *user*, who enrolls again through a mailed link."""

    user: UserId
    reason: str
    removed: int
    token: Secret
    expires_at: datetime


@attrs.frozen(kw_only=True)
class EnrollmentDemanded(Fact):
    """*user*, who had no second factor, must enroll one through a mailed link, for *reason*; nothing was removed."""

    user: UserId
    reason: str
    token: Secret
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ResetLinkUsed(Fact):
    """The mailed link of a reset was used; it works no more."""

    user: UserId
