"""Recovery codes of one person: added, replaced, used up one by one, removed.

::

    NoCodes ──Add──► Ready ──Consume──► Ready ──Remove──► NoCodes

The codes themselves are no state: each is one hashed row, and one conditional update of that row decides that it is
used. The command brings the outcome as a fact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.facts import mfa as facts
from authflow.machine import Machine, Step, on
from authflow.mfa.answers import CodesShown, Done, Kept, NoCodesAdded, RecoveryAnswer, Removed, WhyNoCodes
from authflow.mfa.gates import refusal
from authflow.mfa.kinds import RECOVERY
from authflow.mfa.removal import REGENERATING, REMOVING
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.machine import Fact
    from authflow.mfa.removal import Change
    from authflow.values import AuthenticatorId, Secret, UserId


# --- states ---------------------------------------------------------------------------------------------------------


@attrs.frozen
class NoCodes:
    """There are no recovery codes."""


@attrs.frozen(kw_only=True)
class Ready:
    """There is a set of codes, *left* of them unused; it may be zero."""

    authenticator: AuthenticatorId
    created_at: datetime
    last_used_at: datetime | None = None
    left: int


Recovery = NoCodes | Ready


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Add:
    """Add *codes* if the person has a primary factor and no codes yet."""

    user: UserId
    authenticator: AuthenticatorId
    codes: tuple[Secret, ...]
    protected: bool
    closed: bool


@attrs.frozen(kw_only=True)
class Regenerate:
    """Replace every code by *codes*."""

    change: Change
    codes: tuple[Secret, ...]


@attrs.frozen(kw_only=True)
class Consume:
    """The conditional update of one unused code succeeded: take it off."""

    user: UserId


@attrs.frozen(kw_only=True)
class Remove:
    """Take all codes away, because their owner wants it."""

    change: Change


@attrs.frozen(kw_only=True)
class Fall:
    """Take all codes away, because the last primary factor is gone (mfa 14.4)."""

    user: UserId


@attrs.frozen
class Forget:
    """Leave nothing. Whoever resets, deletes or merges the account tells about it."""


@attrs.frozen(kw_only=True)
class Adopt:
    """Take over the codes of an account that is merged into this one."""

    ready: Ready


RecoveryCommand = Add | Regenerate | Consume | Remove | Fall | Forget | Adopt

RecoveryStep = Step[Recovery, RecoveryAnswer]


# --- rules ----------------------------------------------------------------------------------------------------------


def add(state: NoCodes, command: Add, now: datetime) -> RecoveryStep:
    """Add codes for whoever has a primary factor. A closed kind means "do not add" and is never an error (mfa 3.3)."""
    if command.closed:
        return Step(state, NoCodesAdded(why=WhyNoCodes.CLOSED))
    if not command.protected:
        return Step(state, NoCodesAdded(why=WhyNoCodes.NO_PRIMARY))
    told = facts.RecoveryCodesAdded(user=command.user, authenticator=command.authenticator, count=len(command.codes))
    return _new_set(command.authenticator, command.codes, now, told)


def add_no_more(state: Ready, _command: Add, _now: datetime) -> RecoveryStep:
    """Leave the codes that there are."""
    return Step(state, NoCodesAdded(why=WhyNoCodes.PRESENT))


def regenerate(state: Ready, command: Regenerate, now: datetime) -> RecoveryStep:
    """Behind the gates, let all old codes die and show new ones, once; the set keeps its id."""
    refused = refusal(REGENERATING, command.change)
    if refused is not None:
        return Step(state, refused)
    told = facts.RecoveryCodesRegenerated(
        user=command.change.subject, authenticator=state.authenticator, count=len(command.codes)
    )
    return _new_set(state.authenticator, command.codes, now, told)


def regenerate_nothing(state: NoCodes, command: Regenerate, _now: datetime) -> RecoveryStep:
    """Behind the gates: there is nothing to replace."""
    return Step(state, refusal(REGENERATING, command.change) or Refused(code=Code.MFA_NOT_ENROLLED))


def consume(state: Ready, command: Consume, now: datetime) -> RecoveryStep:
    """One code less; the owner is told how many are left."""
    left = state.left - 1
    told = facts.RecoveryCodeUsed(user=command.user, authenticator=state.authenticator, remaining=left)
    return Step(attrs.evolve(state, left=left, last_used_at=now), Done(), (told,))


def remove(state: Ready, command: Remove, _now: datetime) -> RecoveryStep:
    """Behind the gates, take all codes away; the primary factor stays, so a requirement is still met."""
    change, gone = command.change, state.authenticator
    refused = refusal(REMOVING, change)
    if refused is not None:
        return Step(state, refused)
    told = facts.BackupFactorRemoved(user=change.subject, authenticator=gone, kind=change.target.id, cascade=False)
    answer = Removed(user=change.subject, authenticator=gone, kind=change.target, actor_role=change.role())
    return Step(NoCodes(), answer, (told,))


def fall(state: Ready, command: Fall, _now: datetime) -> RecoveryStep:
    """Take all codes away: they never stand alone."""
    told = facts.BackupFactorRemoved(
        user=command.user, authenticator=state.authenticator, kind=RECOVERY.id, cascade=True
    )
    return Step(NoCodes(), Done(), (told,))


def fall_nothing(state: NoCodes, _command: Fall, _now: datetime) -> RecoveryStep:
    """There are no codes that could fall."""
    return Step(state, Done())


def forget(_state: Recovery, _command: Forget, _now: datetime) -> RecoveryStep:
    """Leave nothing."""
    return Step(NoCodes(), Done())


def adopt(_state: NoCodes, command: Adopt, _now: datetime) -> RecoveryStep:
    """Take over a set with its id: its digests are bound to that, not to the owner."""
    return Step(command.ready, Done())


def keep(state: Ready, _command: Adopt, _now: datetime) -> RecoveryStep:
    """Keep the own codes; the others are dropped."""
    return Step(state, Kept())


def _new_set(authenticator: AuthenticatorId, codes: tuple[Secret, ...], now: datetime, told: Fact) -> RecoveryStep:
    ready = Ready(authenticator=authenticator, created_at=now, left=len(codes))
    return Step(ready, CodesShown(authenticator=authenticator, codes=codes, created_at=now), (told,))


MACHINE = Machine[Recovery, RecoveryCommand, RecoveryAnswer](
    "mfa.recovery",
    rows=(
        # state     command            rule                next
        on(NoCodes, Add).to(add, NoCodes, Ready),
        on(NoCodes, Regenerate).to(regenerate_nothing, NoCodes),
        on(NoCodes, Fall).to(fall_nothing, NoCodes),
        on(NoCodes, Forget).to(forget, NoCodes),
        on(NoCodes, Adopt).to(adopt, Ready),
        on(Ready, Add).to(add_no_more, Ready),
        on(Ready, Regenerate).to(regenerate, Ready),
        on(Ready, Consume).to(consume, Ready),
        on(Ready, Remove).to(remove, Ready, NoCodes),
        on(Ready, Fall).to(fall, NoCodes),
        on(Ready, Forget).to(forget, NoCodes),
        on(Ready, Adopt).to(keep, Ready),
    ),
)
