"""The rules of ``mfa.enrollment`` for what stands: using, naming, removing, moving and sealing a proven factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.facts import mfa as facts
from authflow.machine import Step
from authflow.mfa.answers import Done, EnrollmentAnswer, Kept, Removed, Renamed
from authflow.mfa.factor import Enrolled, Factor, Proposed, Rotating, Unenrolled, with_authenticator
from authflow.mfa.gates import refusal
from authflow.mfa.removal import REMOVING, RENAMING
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.mfa import commands as c

EnrollmentStep = Step[Factor, EnrollmentAnswer]


def use_step(state: Enrolled | Rotating, command: c.UseStep, now: datetime) -> EnrollmentStep:
    """Accept a time step once: only a later one than any accepted before for this secret (mfa 7.5)."""
    if command.step <= state.authenticator.last_accepted_step:
        return Step(state, Refused(code=Code.MFA_CODE_REJECTED))
    used = attrs.evolve(state.authenticator, last_accepted_step=command.step, last_used_at=now)
    return Step(with_authenticator(state, used), Done())


def rename(state: Enrolled | Rotating, command: c.Rename, _now: datetime) -> EnrollmentStep:
    """Behind the gates, give the factor another name; nothing else changes, and nothing pending is disturbed."""
    refused = refusal(RENAMING, command.change)
    if refused is not None:
        return Step(state, refused)
    renamed = attrs.evolve(state.authenticator, name=command.name)
    told = facts.FactorRenamed(user=command.change.subject, authenticator=renamed.id, kind=command.change.target.id)
    return Step(with_authenticator(state, renamed), Renamed(authenticator=renamed.id, name=renamed.name), (told,))


def rename_nothing(state: Unenrolled, command: c.Rename, _now: datetime) -> EnrollmentStep:
    """Behind the gates: the person has no such factor."""
    return Step(state, refusal(RENAMING, command.change) or Refused(code=Code.MFA_NOT_FOUND))


def remove(state: Enrolled | Rotating, command: c.Remove, _now: datetime) -> EnrollmentStep:
    """Behind the gates, take the factor away, and with it what was pending for it."""
    change, gone = command.change, state.authenticator.id
    refused = refusal(REMOVING, change)
    if refused is not None:
        return Step(state, refused)
    role = change.role()
    told = facts.FactorRemoved(user=change.subject, authenticator=gone, kind=change.target.id, actor_role=role)
    answer = Removed(user=change.subject, authenticator=gone, kind=change.target, actor_role=role)
    return Step(Unenrolled(), answer, (told,))


def remove_nothing(state: Unenrolled, command: c.Remove, _now: datetime) -> EnrollmentStep:
    """Behind the gates: the person has no such factor."""
    return Step(state, refusal(REMOVING, command.change) or Refused(code=Code.MFA_NOT_FOUND))


def forget(_state: Factor, _command: c.Forget, _now: datetime) -> EnrollmentStep:
    """Leave nothing, enrolled or pending."""
    return Step(Unenrolled(), Done())


def adopt(_state: Unenrolled | Proposed, command: c.Adopt, _now: datetime) -> EnrollmentStep:
    """Take over a factor with its id and its replay state; a pending proposal is void."""
    return Step(Enrolled(authenticator=command.authenticator), Done())


def keep(state: Enrolled | Rotating, _command: c.Adopt, _now: datetime) -> EnrollmentStep:
    """Keep the own factor; the other one is dropped."""
    return Step(state, Kept())


def reseal(state: Enrolled | Rotating, command: c.Reseal, _now: datetime) -> EnrollmentStep:
    """Keep the same secret under another seal."""
    sealed = attrs.evolve(state.authenticator, secret=command.sealed)
    return Step(with_authenticator(state, sealed), Done())
