"""Signing in: what an answer to the second factor means for the browser session that gave it.

The challenge (``mfa.challenge``) knows the person's factors and budgets, the session (``sessions.session``) knows what
is owed and proven. Neither knows the other; this table decides what one means for the other. No state is stored.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.machine import Machine, Step, on
from authflow.sessions.states import FactorOwed
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.mfa.answers import ChallengeAnswer
    from authflow.sessions.states import SignedIn


UNOPENED: Final = frozenset({Code.SESSION_REQUIRED, Code.SESSION_SUPERSEDED})
"""The value opens no row. Who answers with a stranger's or a replaced one is told what losers are told (mfa 21)."""


# --- states: where the browser session stands -----------------------------------------------------------------------


@attrs.frozen
class Owing:
    """A first factor passed here, a second one is owed."""


@attrs.frozen
class Present:
    """A person is signed in here."""


@attrs.frozen(kw_only=True)
class Absent:
    """Nobody who could answer: *why_not* is the session's own reason, for whoever reads the log."""

    why_not: Code


@attrs.frozen
class Answered:
    """The answer was taken."""


SignIn = Owing | Present | Absent | Answered


# --- commands: how the challenge judged the answer --------------------------------------------------------------------


@attrs.frozen
class Pass:
    """The code was accepted, and is used up."""


@attrs.frozen(kw_only=True)
class Miss:
    """The code was compared and refused: a guess."""

    code: Code


@attrs.frozen(kw_only=True)
class Decline:
    """Nothing was compared: bad input, a budget, an unknown kind, a secret that cannot be opened."""

    code: Code


@attrs.frozen
class Ask:
    """May an answer be judged at all? Asked before any code is compared."""


Command = Ask | Pass | Miss | Decline


# --- answers: what the session does -----------------------------------------------------------------------------------


@unique
class Directive(Enum):
    """What is done to the browser session."""

    JUDGE = "judge"
    PROVE = "prove"
    COUNT_FAILURE = "count_failure"
    LEAVE = "leave"


@attrs.frozen(kw_only=True)
class Verdict:
    """What is done, and the refusal to tell, if any."""

    directive: Directive
    code: Code | None = None


def judge(state: Owing | Present, _command: Ask, _now: datetime) -> Step[SignIn, Verdict]:
    """Somebody is here: the challenge may compare the code."""
    return Step(state, Verdict(directive=Directive.JUDGE))


def nobody(state: Absent, _command: Ask, _now: datetime) -> Step[SignIn, Verdict]:
    """Nobody is here: no code is compared, so none can be guessed or used up."""
    told = Code.SESSION_NO_PENDING_LOGIN if state.why_not in UNOPENED else state.why_not
    return Step(state, Verdict(directive=Directive.LEAVE, code=told))


def finish(_state: Owing, _command: Pass, _now: datetime) -> Step[SignIn, Verdict]:
    """The second factor that was owed is given: the sign-in finishes."""
    return Step(Answered(), Verdict(directive=Directive.PROVE))


def elevate(_state: Present, _command: Pass, _now: datetime) -> Step[SignIn, Verdict]:
    """A signed-in person proved once more who they are."""
    return Step(Answered(), Verdict(directive=Directive.PROVE))


def count(_state: Owing, command: Miss, _now: datetime) -> Step[SignIn, Verdict]:
    """A wrong code counts against the pending sign-in, which ends when there are too many."""
    return Step(Answered(), Verdict(directive=Directive.COUNT_FAILURE, code=command.code))


def refuse(_state: Present, command: Miss, _now: datetime) -> Step[SignIn, Verdict]:
    """A wrong code takes nothing away from a session that is signed in."""
    return Step(Answered(), Verdict(directive=Directive.LEAVE, code=command.code))


def decline(_state: Owing | Present, command: Decline, _now: datetime) -> Step[SignIn, Verdict]:
    """Nothing was compared, so nothing counts against the session."""
    return Step(Answered(), Verdict(directive=Directive.LEAVE, code=command.code))


MACHINE = Machine[SignIn, Command, Verdict](
    "journey.sign_in",
    rows=(
        # state      command       rule     next
        on(Owing, Ask).to(judge, Owing),
        on(Present, Ask).to(judge, Present),
        on(Absent, Ask).to(nobody, Absent),
        on(Owing, Pass).to(finish, Answered),
        on(Owing, Miss).to(count, Answered),
        on(Owing, Decline).to(decline, Answered),
        on(Present, Pass).to(elevate, Answered),
        on(Present, Miss).to(refuse, Answered),
        on(Present, Decline).to(decline, Answered),
    ),
)


# --- what the slices say, in the words of the table -------------------------------------------------------------------


def standing(who: FactorOwed | SignedIn | Refused) -> Owing | Present | Absent:
    """Return where the browser stands, of which the sessions say that *who* may be asked there."""
    if isinstance(who, Refused):
        return Absent(why_not=who.code)
    return Owing() if isinstance(who, FactorOwed) else Present()


def judgement(answer: ChallengeAnswer) -> Pass | Miss | Decline:
    """Return how the second factors judged what was typed."""
    if not isinstance(answer, Refused):
        return Pass()
    return (Miss if answer.code is Code.MFA_CODE_REJECTED else Decline)(code=answer.code)
