"""What decided, collected for whoever explains it afterwards. No decision depends on it.

Machines and gates report here only while somebody listens, in the same thread or task; otherwise they cost a lookup.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

P = ParamSpec("P")
R = TypeVar("R")


class Decision(NamedTuple):
    """One decision that a machine made: by which row's *rule*, of what, and with which *answer*."""

    machine: str
    rule: Callable[..., Any]
    state: object
    command: object
    now: datetime
    answer: object


class Refusal(NamedTuple):
    """One gate that did not open: what it was asked with, and why not."""

    gate: Callable[..., Any]
    args: tuple[object, ...]
    kwargs: dict[str, Any]
    answer: object


class Note(NamedTuple):
    """What a command is about, in one word of the installation's own: no decision says it, and logs count by it."""

    name: str
    value: str


Entry = Decision | Refusal | Note

_WITNESS: Final[ContextVar[list[Entry] | None]] = ContextVar("authflow_witness", default=None)

listening: Final = _WITNESS.get
"""Return the list in which whoever decides something here writes it down, or none while nobody listens."""

listen: Final = _WITNESS.set
"""Let what is decided from now on be written into a list; return the token that `unlisten` takes."""

unlisten: Final = _WITNESS.reset
"""Let whoever listened before listen again."""


def refused(function: Callable[..., object], answer: object, *args: object, **kwargs: object) -> None:
    """Write down that the gate *function*, asked with these arguments, gave *answer*."""
    entries = listening()
    if entries is not None:
        entries.append(Refusal(function, args, kwargs, answer))


def noted(name: str, value: str) -> None:
    """Write down, for logs and traces alone, that the *name* of what is done here is *value*: never of a person."""
    entries = listening()
    if entries is not None:
        entries.append(Note(name, value))


def gate(function: Callable[P, R]) -> Callable[P, R]:
    """Make *function*, which returns why not, or none, a gate: its refusals are explained by its name."""

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        answer = function(*args, **kwargs)
        if answer is not None:
            refused(function, answer, *args, **kwargs)
        return answer

    return asked
