"""Why a command was refused: which rule fired, and what it saw. For logs and engineers, never for a person outside."""

from __future__ import annotations

from collections.abc import Sized
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from authflow.machine import Decision, witnessed
from authflow.values import Explanation, Refused

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

T = TypeVar("T")

DEPTH: Final = 3
"""How deep the facts of a command are looked into."""


@attrs.frozen
class Watch:
    """What one running command has decided so far."""

    command: str
    decisions: list[Decision]

    def explained(self, answer: T) -> T:
        """Return *answer*; a refusal carries its explanation."""
        if not isinstance(answer, Refused):
            return answer
        return attrs.evolve(answer, why=self.why(answer))

    def why(self, refused: Refused) -> Explanation:
        """Return the last decision that refused with this code, or that none did: the command itself refused."""
        for decision in reversed(self.decisions):
            if getattr(decision.step.answer, "code", None) == refused.code:
                return Explanation(
                    command=self.command,
                    machine=decision.machine,
                    rule=decision.rule.__name__,
                    state=type(decision.state).__name__,
                    facts=dict(seen(decision.command)),
                )
        return Explanation(command=self.command, rule=self.command)


@contextmanager
def watched(command: str) -> Generator[Watch]:
    """Watch what *command* decides inside the block."""
    with witnessed() as decisions:
        yield Watch(command, decisions)


def seen(value: object, name: str = "", depth: int = DEPTH) -> Iterator[tuple[str, str]]:
    """Yield what may be told of *value*, by dotted name: truths, numbers, words of ours and instants.

    Text may be an address, a code or a token, so no text is told; neither are bytes.
    """
    match value:
        case Enum():
            yield name, str(value.value)
        case None | bool() | int() | float() | timedelta():
            yield name, str(value)
        case datetime():
            yield name, value.isoformat()
        case str() | bytes():
            return
        case Sized():
            yield f"{name}.count", str(len(value))
        case _:
            yield from _inside(value, name, depth - 1)


def _inside(value: object, name: str, depth: int) -> Iterator[tuple[str, str]]:
    kind: type[Any] = type(value)
    if depth < 0 or not attrs.has(kind):
        return
    for field in attrs.fields(kind):
        yield from seen(getattr(value, field.name), f"{name}.{field.name}" if name else field.name, depth)
