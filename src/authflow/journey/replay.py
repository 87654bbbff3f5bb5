"""Replay: whether a command under an idempotency key is done, or answered from its stored reply (decision 8).

::

    Vacant ──Record──► Stored, or Renewed, or Ended
    Renewed, Ended ──Fetch──► Closed

The state is what stands under the key. Whoever presents a session value that is still good asks (`Ask`); a value that
opens nothing can only fetch the one answer that made it so (`Fetch`). The answer itself is no state: it lies sealed
beside it, and no rule looks into it.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.machine import Machine, Step, on
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import UserId

LIFETIME: Final = timedelta(hours=24)
LIFETIME_WITH_SECRETS: Final = timedelta(minutes=10)
"""How long an answer can be replayed, and one that shows a secret (decision 8)."""

FORMER_LIFETIME: Final = timedelta(minutes=10)
"""How long a session value that the answer replaced, or ended, still fetches that one answer (decision 8)."""


# --- states: what stands under the key --------------------------------------------------------------------------------


@attrs.frozen
class Vacant:
    """No reply, or one that has expired. Whoever asks has claimed the key: others wait for the end."""


@attrs.frozen(kw_only=True)
class Stored:
    """A reply; the session value that asked goes on.

    Args:
        holder: Digest of the secret of the session value that the reply is for.
        actor: Who was signed in when it was asked for, or none.
        expires_at: From when on it counts as absent.
    """

    holder: bytes = attrs.field(repr=False)
    actor: UserId | None
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Closed:
    """A reply that no former value fetches any more. Its fields are those of `Stored`."""

    holder: bytes = attrs.field(repr=False)
    actor: UserId | None
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Renewed:
    """A reply whose answer carries the next session value.

    Args:
        former: Digest of the secret that asked: it fetches the answer, and the next value with it.
        former_until: Until when.
        holder: Digest of the secret of the next value.
        actor: As in `Stored`.
        expires_at: As in `Stored`.
    """

    former: bytes = attrs.field(repr=False)
    former_until: datetime
    holder: bytes = attrs.field(repr=False)
    actor: UserId | None
    expires_at: datetime

    def closed(self) -> Closed:
        """Return what is left for the holder of the next value."""
        return Closed(holder=self.holder, actor=self.actor, expires_at=self.expires_at)


@attrs.frozen(kw_only=True)
class Ended:
    """A reply after which the session value that asked is over, and none came after it. Its fields are as above."""

    former: bytes = attrs.field(repr=False)
    former_until: datetime
    actor: UserId | None
    expires_at: datetime

    def closed(self) -> Closed:
        """Return what is left: a reply that waits for its end."""
        return Closed(holder=self.former, actor=self.actor, expires_at=self.expires_at)


Standing = Stored | Renewed | Ended | Closed
"""A reply that stands."""

Replay = Vacant | Standing


# --- commands: who asks, and what was answered ------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Begin:
    """May the command be done under this key? *opens*: the session value opens a row that is not over."""

    opens: bool


@attrs.frozen(kw_only=True)
class Record:
    """The command was done.

    Args:
        asked: Digest of the session secret that asked.
        actor: Who was signed in when it asked, or none.
        elsewhere: The answer was given to another row than the one that asked.
        carries: Digest of the secret of the session value that the answer carries; none where that is nobody's.
        names: That value names somebody who is signed in.
        secret_shown: The answer shows a secret.
    """

    asked: bytes = attrs.field(repr=False)
    actor: UserId | None
    elsewhere: bool
    carries: bytes | None = attrs.field(repr=False)
    names: bool
    secret_shown: bool


@attrs.frozen(kw_only=True)
class Ask:
    """A session value that opens a living row asks.

    Args:
        secret: Digest of its secret.
        user: Who is signed in there now, or none.
        alike: It asks with the arguments of the first time.
        missed: Other arguments have been tried before.
    """

    secret: bytes = attrs.field(repr=False)
    user: UserId | None
    alike: bool
    missed: bool


@attrs.frozen(kw_only=True)
class Fetch:
    """A session value that opens nothing asks.

    Args:
        secret: Digest of its secret.
        alike: It asks with the arguments of the first time.
        missed: Other arguments have been tried before.
        next_lives: The session value that the answer carries opens a living row.
    """

    secret: bytes = attrs.field(repr=False)
    alike: bool
    missed: bool
    next_lives: bool


Command = Begin | Record | Ask | Fetch


# --- answers: what is done --------------------------------------------------------------------------------------------


@attrs.frozen
class Do:
    """Do the command, and record its answer."""


@attrs.frozen
class Bypass:
    """Do the command as without a key: authentication will say what it says."""


@attrs.frozen
class CountMiss:
    """Count that other arguments were tried, where no host can undo it; then ask again as after a miss."""


@attrs.frozen
class Give:
    """Give the stored answer; the session value that asks goes on."""


@attrs.frozen
class HandOver:
    """Give the stored answer with the session value that it carries."""


@attrs.frozen
class Recorded:
    """What stands under the key now is the next state."""


Verdict = Do | Bypass | CountMiss | Give | HandOver | Recorded | Refused

ReplayStep = Step[Replay, Verdict]


# --- rules ------------------------------------------------------------------------------------------------------------


def begin(state: Vacant, command: Begin, _now: datetime) -> ReplayStep:
    """Whoever comes first does the command; a value that opens no row could not be known again, and has no key."""
    return Step(state, Do() if command.opens else Bypass())


def record(_state: Vacant, command: Record, now: datetime) -> ReplayStep:
    """Store the answer for whoever asked, and what it left of their session value; not if another row was given it."""
    asked, carries = command.asked, command.carries
    expires_at = now + (LIFETIME_WITH_SECRETS if command.secret_shown else LIFETIME)
    if command.elsewhere:
        return Step(Vacant(), Recorded())
    # A value that named somebody, and now names nobody under the same secret, lost its row to another command.
    if carries is None or (carries == asked and command.actor is not None and not command.names):
        until = now + FORMER_LIFETIME
        return Step(Ended(former=asked, former_until=until, actor=command.actor, expires_at=expires_at), Recorded())
    if carries == asked:
        return Step(Stored(holder=asked, actor=command.actor, expires_at=expires_at), Recorded())
    renewed = Renewed(
        former=asked,
        former_until=now + FORMER_LIFETIME,
        holder=carries,
        actor=command.actor,
        expires_at=expires_at,
    )
    return Step(renewed, Recorded())


def repeat(state: Standing, command: Ask, _now: datetime) -> ReplayStep:
    """Answer alike whoever asks alike: the holder, or the same person. Everything else under the key is a conflict.

    An argument may be a code, and the answer that stands may have told nothing of it: so the first other argument is
    counted, and from then on the right one is a conflict, too. A stranger learns nothing here, and costs nobody that.
    """
    holder = state.former if isinstance(state, Ended) else state.holder
    same = hmac.compare_digest(holder, command.secret) or (state.actor is not None and state.actor == command.user)
    if not same or command.missed:
        return Step(state, Refused(code=Code.IDEMPOTENCY_CONFLICT))
    return Step(state, Give() if command.alike else CountMiss())


def fetch_next(state: Renewed, command: Fetch, now: datetime) -> ReplayStep:
    """The value that asked gets this one answer, with the next value, for ten minutes and as long as that one lives."""
    barred = _barred(state, command, now)
    if barred is not None:
        return barred
    return Step(state, HandOver() if command.next_lives else Bypass())


def fetch_last(state: Ended, command: Fetch, now: datetime) -> ReplayStep:
    """The value that asked is told for ten minutes how it ended."""
    return _barred(state, command, now) or Step(state, HandOver())


def fetch_nothing(state: Stored | Closed, _command: Fetch, _now: datetime) -> ReplayStep:
    """The answer did not make this value what it is, or its time is over: it is as dead as without a key."""
    return Step(state, Bypass())


def _barred(state: Renewed | Ended, command: Fetch, now: datetime) -> ReplayStep | None:
    """Return the step of a former value that fetches nothing, or none.

    The first other argument ends this way as it does for `repeat`. And so does its time, for good: a clock that goes
    back revives nothing (decision 35).
    """
    if command.missed or not hmac.compare_digest(state.former, command.secret):
        return Step(state, Bypass())
    if not command.alike:
        return Step(state, CountMiss())
    return Step(state.closed(), Bypass()) if now >= state.former_until else None


MACHINE = Machine[Replay, Command, Verdict](
    "journey.replay",
    rows=(
        # state     command       rule           next
        on(Vacant, Begin).to(begin, Vacant),
        on(Vacant, Record).to(record, Vacant, Stored, Renewed, Ended),
        on(Stored, Ask).to(repeat, Stored),
        on(Stored, Fetch).to(fetch_nothing, Stored),
        on(Renewed, Ask).to(repeat, Renewed),
        on(Renewed, Fetch).to(fetch_next, Renewed, Closed),
        on(Ended, Ask).to(repeat, Ended),
        on(Ended, Fetch).to(fetch_last, Ended, Closed),
        on(Closed, Ask).to(repeat, Closed),
        on(Closed, Fetch).to(fetch_nothing, Closed),
    ),
)
