"""What every pipeline does alike, whatever it is for: rules that `authflow.sso.login` and `authflow.sso.setup` share.

A rule that needs a pipeline which may go on is marked `live`, and is not asked of any other.
"""

from __future__ import annotations

import hmac
from functools import wraps
from typing import TYPE_CHECKING, Protocol, TypeVar

from authflow.errors import Code
from authflow.machine import Step
from authflow.sso.pipeline import barred, not_theirs
from authflow.sso.progress import Abandon, Abandoned, Over, Return, Why
from authflow.values import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from authflow.sso.identity import Identity
    from authflow.sso.pipeline import Handle, Present


class Pipeline(Protocol):
    """A state of a pipeline, of whichever machine."""

    @property
    def handle(self) -> Handle:
        """What was written when it started."""
        ...


class Waiting(Pipeline, Protocol):
    """A state in which the provider's answer is awaited, of whichever machine."""

    @property
    def state(self) -> bytes:
        """What the answer that was asked for brings back."""
        ...


class Going(Protocol):
    """A command, of whichever machine: whoever gives it goes on with a pipeline."""

    @property
    def present(self) -> Present:
        """What stands now."""
        ...


StateT = TypeVar("StateT", bound=Pipeline)
CommandT = TypeVar("CommandT", bound=Going)
WaitingT = TypeVar("WaitingT", bound=Waiting)
NextT = TypeVar("NextT")
AnswerT = TypeVar("AnswerT")


def live(
    rule: Callable[[StateT, CommandT, datetime], Step[NextT, AnswerT]],
) -> Callable[[StateT, CommandT, datetime], Step[StateT | NextT | Over, AnswerT | Refused]]:
    """Make *rule* one of a pipeline that may go on; of any other it says why not, and *rule* is not asked.

    To a stranger nothing happens and nothing is told. Without its time or its provider a pipeline is over for good.
    """

    @wraps(rule)
    def asked(state: StateT, command: CommandT, now: datetime) -> Step[StateT | NextT | Over, AnswerT | Refused]:
        code = barred(state.handle, command.present, now)
        if code is None:
            return rule(state, command, now)
        return Step(state, Refused(code=code)) if code is Code.SSO_PIPELINE_INVALID else failed(state, code)

    return asked


# --- rules ------------------------------------------------------------------------------------------------------------


@live
def repeat(state: StateT, _command: Return, _now: datetime) -> Step[StateT, Refused]:
    """The provider's answer is taken once: whatever comes after it is refused, and changes nothing."""
    return Step(state, Refused(code=Code.SSO_STATE_INVALID))


def abandon(state: StateT, command: Abandon, _now: datetime) -> Step[StateT | Over, Abandoned | Refused]:
    """Whoever started it may end it."""
    code = not_theirs(state.handle, command.present)
    if code is not None:
        return Step(state, Refused(code=code))
    return Step(Over(handle=state.handle, why=Why.ABANDONED), Abandoned())


def too_late(state: Over, command: Going, _now: datetime) -> Step[Over, Refused]:
    """It is over, and stays so; only the browser that started it is told."""
    code = not_theirs(state.handle, command.present)
    return Step(state, Refused(code=code or Code.SSO_PIPELINE_EXPIRED))


# --- pieces -----------------------------------------------------------------------------------------------------------


def asserted(state: WaitingT, command: Return) -> Identity | Step[WaitingT | Over, Refused]:
    """Return whom the provider asserted in the answer that was asked for; or the step, where that is nobody."""
    if not hmac.compare_digest(state.state, command.state):
        return Step(state, Refused(code=Code.SSO_STATE_INVALID))
    said, handle = command.said, state.handle
    if isinstance(said, Code):
        return failed(state, said)
    same = (said.organization, said.provider) == (handle.organization, handle.provider)
    return said if same else failed(state, Code.SSO_IDENTITY_MISMATCH)


def failed(state: Pipeline, code: Code) -> Step[Over, Refused]:
    """Return the end of a pipeline, for the reason that *code* says."""
    why = Why.EXPIRED if code is Code.SSO_PIPELINE_EXPIRED else Why.FAILED
    return Step(Over(handle=state.handle, why=why), Refused(code=code))
