"""Answering a challenge: a typed code of an enrolled factor, its budgets, and the lock against endless guessing.

::

    Open ──Submit──► Open        at the last failure in a row: Open ──Submit──► Locked ──Unlock──► Open

`MfaPolicy.lock_after` says how many failures that takes. One counter per person, class of kinds and browser is the
whole state: `standing` reads it. Browsers that nobody knows share one counter, and only that one locks, so that a
stranger with the password locks out strangers and not the owner at a known browser (decision 9). Recovery codes have a
counter of their own, and never lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.facts import mfa as facts
from authflow.machine import Machine, Step, on
from authflow.mfa import kinds, totp
from authflow.mfa.answers import ChallengeAnswer, Done, Verified
from authflow.mfa.gates import refusal
from authflow.mfa.kinds import UNKNOWN
from authflow.ports import Limited
from authflow.values import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.machine import Fact
    from authflow.mfa.kinds import Kind
    from authflow.policy import MfaPolicy
    from authflow.ports import Allowed
    from authflow.values import AuthenticatorId, Budget, Secret, UserId


# --- states ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Open:
    """Codes are compared. *failures* came in a row."""

    failures: int = 0


@attrs.frozen(kw_only=True)
class Locked:
    """Codes are not compared any more."""

    failures: int


Challenge = Open | Locked


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Attempt:
    """Everything the gates of an answer look at.

    Args:
        user: Whose factor.
        kind: Which kind is answered.
        authenticator: The enrolled factor of that kind; empty where there is none.
        browser: The known browser that answers, or none for one that nobody knows.
        readable: Its secret can be opened.
        limit: What the limiter said; none while it has not been asked.
        tell: The owner may be told of too many guesses now.
        problems: Field name and what is wrong with it.
        policy: The installation's.
    """

    user: UserId
    kind: Kind
    authenticator: AuthenticatorId
    browser: str | None = None
    readable: bool = True
    limit: Allowed | Limited | None = None
    tell: bool = False
    problems: Mapping[str, str] = attrs.field(factory=dict[str, str])
    policy: MfaPolicy


@attrs.frozen(kw_only=True)
class TypedStep:
    """A code of a time step, with what it is compared with: the opened *secret*, and the step accepted last."""

    code: str
    secret: Secret
    after: int


@attrs.frozen(kw_only=True)
class UsedUp:
    """A recovery code: *consumed* says whether its one conditional update found it unused, *left* how many remain."""

    consumed: bool
    left: int


@attrs.frozen(kw_only=True)
class Submit:
    """Answer with a code. *failures* are those of this counter in a row, were this one to fail too."""

    attempt: Attempt
    proof: TypedStep | UsedUp | None
    failures: int


@attrs.frozen
class Unlock:
    """The owner came back another way, or an administrator helped: forget the failures."""


ChallengeCommand = Submit | Unlock

ChallengeStep = Step[Challenge, ChallengeAnswer]


# --- gates ----------------------------------------------------------------------------------------------------------


def input_valid(attempt: Attempt) -> Refused | None:
    """There is a code that can be looked at."""
    return Refused(code=Code.MFA_INPUT_INVALID, problems=attempt.problems) if attempt.problems else None


def enrolled(attempt: Attempt) -> Refused | None:
    """The person has a factor of this kind. A name that is no kind meets the limiter first, in one bucket for all."""
    if not attempt.authenticator and attempt.kind != UNKNOWN:
        return Refused(code=Code.MFA_NOT_ENROLLED)
    return None


def kind_available(attempt: Attempt) -> Refused | None:
    """The deployment can offer the kind now."""
    if attempt.kind == UNKNOWN or kinds.available(attempt.kind, attempt.policy):
        return None
    return Refused(code=Code.MFA_KIND_UNAVAILABLE)


def readable(attempt: Attempt) -> Refused | None:
    """The secret can be opened: a lost key is never told as a wrong code, and costs no guess."""
    return None if attempt.readable else Refused(code=Code.MFA_SECRET_UNAVAILABLE)


def within_limit(attempt: Attempt) -> Refused | None:
    """The budgets of this person, kind and browser hold."""
    if isinstance(attempt.limit, Limited):
        return Refused(code=Code.MFA_RATE_LIMITED, retry_after=attempt.limit.retry_after)
    return None


def kind_known(attempt: Attempt) -> Refused | None:
    """There is such a kind."""
    return Refused(code=Code.MFA_KIND_UNKNOWN) if attempt.kind == UNKNOWN else None


UNCOUNTED: Final = (input_valid, enrolled, kind_available, readable)
"""What is refused before the lock and the limiter are asked: nothing is counted (mfa 15.5)."""

ANSWERING: Final = (*UNCOUNTED, within_limit, kind_known)
"""The whole order; the lock stands between the two."""


def limit_is_due(state: Challenge, attempt: Attempt) -> bool:
    """Tell whether the limiter is to be asked."""
    return isinstance(state, Open) and refusal(UNCOUNTED, attempt) is None


def code_is_due(state: Challenge, attempt: Attempt) -> bool:
    """Tell whether a code will be compared: exactly then the failure is counted, before it is compared."""
    return isinstance(state, Open) and refusal(ANSWERING, attempt) is None


# --- counters -------------------------------------------------------------------------------------------------------


def standing(failures: int, *, kind: Kind, browser: str | None, policy: MfaPolicy) -> Challenge:
    """Return the state that a counter of *failures* stands for."""
    locks = _lockable(kind, browser) and failures >= policy.lock_after
    return Locked(failures=failures) if locks else Open(failures=failures)


def failures_key(user: UserId, kind: Kind, browser: str | None) -> str:
    """Return where failures in a row are counted; the person comes last, because only we choose the other parts."""
    return f"mfa.failures:{'backup' if kind.backup else 'code'}:{browser or ''}:{user}"


def guesses_key(user: UserId, kind: Kind, browser: str | None) -> str:
    """Return whose budget a guess uses up."""
    return f"{kind.id}:{browser or ''}:{user}"


def budgets(kind: Kind, policy: MfaPolicy) -> tuple[Budget, Budget]:
    """Return the long and the short budget of guesses at *kind* (decision 9)."""
    return (policy.recovery_guesses if kind.backup else policy.guesses_long, policy.guesses_short)


def _lockable(kind: Kind, browser: str | None) -> bool:
    return browser is None and not kind.backup


# --- rules ----------------------------------------------------------------------------------------------------------


def submit(state: Open, command: Submit, now: datetime) -> ChallengeStep:
    """Behind the gates, compare the code. Wrong, old and used codes get the same answer (mfa 5)."""
    attempt = command.attempt
    refused = refusal(ANSWERING, attempt)
    if refused is not None:
        return Step(state, refused, _of_refusal(attempt, refused))
    match command.proof:
        case UsedUp(consumed=True, left=left):
            return _accepted(command, remaining=left)
        case TypedStep() as typed:
            return _compared(command, typed, now)
        case _:
            return _failed(command, facts.SecondFactorFailed(user=attempt.user, kind=attempt.kind.id))


def submit_locked(state: Locked, command: Submit, _now: datetime) -> ChallengeStep:
    """Refuse whatever could be compared, without comparing it; nothing is counted."""
    return Step(state, refusal(UNCOUNTED, command.attempt) or Refused(code=Code.MFA_LOCKED))


def unlock(_state: Challenge, _command: Unlock, _now: datetime) -> ChallengeStep:
    """Forget the failures."""
    return Step(Open(), Done())


def _compared(command: Submit, typed: TypedStep, now: datetime) -> ChallengeStep:
    attempt, code = command.attempt, totp.parse_code(typed.code)
    window = attempt.policy.totp_window
    matched = totp.match(typed.secret, code, now, after=typed.after, window=window) if code else None
    match matched:
        case totp.MatchedStep(step=step):
            return _accepted(command, step=step)
        case totp.Replayed():
            replayed = facts.CodeReplayed(user=attempt.user, authenticator=attempt.authenticator, kind=attempt.kind.id)
            return _failed(command, replayed)
        case _:
            return _failed(command, facts.SecondFactorFailed(user=attempt.user, kind=attempt.kind.id))


def _accepted(command: Submit, *, step: int | None = None, remaining: int | None = None) -> ChallengeStep:
    attempt, before = command.attempt, command.failures - 1
    verified = Verified(
        user=attempt.user,
        authenticator=attempt.authenticator,
        kind=attempt.kind,
        step=step,
        remaining=remaining,
        failures=before,
    )
    told: list[Fact] = [
        facts.SecondFactorVerified(user=attempt.user, authenticator=attempt.authenticator, kind=attempt.kind.id)
    ]
    if before >= attempt.policy.mail_after_failures:
        told.append(facts.SignInAfterFailures(user=attempt.user, failures=before))
    return Step(Open(), verified, tuple(told))


def _failed(command: Submit, fact: Fact) -> ChallengeStep:
    attempt, failures = command.attempt, command.failures
    state = standing(failures, kind=attempt.kind, browser=attempt.browser, policy=attempt.policy)
    locked = (facts.SecondFactorLocked(user=attempt.user, failures=failures),) if isinstance(state, Locked) else ()
    return Step(state, Refused(code=Code.MFA_CODE_REJECTED), (fact, *locked))


def _of_refusal(attempt: Attempt, refused: Refused) -> tuple[Fact, ...]:
    if refused.code is not Code.MFA_RATE_LIMITED:
        return ()
    limited = facts.SecondFactorLimited(user=attempt.user, kind=attempt.kind.id)
    told = facts.TooManyAttemptsTold(user=attempt.user, kind=attempt.kind.id)
    return (limited, told) if attempt.tell else (limited,)


MACHINE = Machine[Challenge, ChallengeCommand, ChallengeAnswer](
    "mfa.challenge",
    rows=(
        # state    command           rule           next
        on(Open, Submit).to(submit, Open, Locked),
        on(Open, Unlock).to(unlock, Open),
        on(Locked, Submit).to(submit_locked, Locked),
        on(Locked, Unlock).to(unlock, Open),
    ),
)
