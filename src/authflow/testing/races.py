"""Many at once at one thing that is good for one: exactly one wins, and the others all hear the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from authflow.testing.contracts.threads import at_once
from authflow.values import NOBODY, Answer, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

T = TypeVar("T")
AnswerT = TypeVar("AnswerT", bound=Answer)

WORKERS: Final = 16
"""How many race unless told otherwise: enough that a check before the write lets most of them through."""


def race(workers: int, command: Callable[[int], T], *, pool: Executor | None = None) -> list[T]:
    """Run ``command(0)`` to ``command(workers - 1)``, each in a thread of its own; all of them start together.

    A command that the database was too busy for was undone, and is repeated: that is what a host does.

    Args:
        workers: How many.
        command: What each does with its number.
        pool: At least as many threads, with nothing else to do, for many races one after the other.

    Returns:
        What each returned, in the order of their numbers.

    Raises:
        Exception: What the first of them raised, once all have ended. An `AuthflowError` other than `Retryable` is a
            finding, and so is every other exception: no driver's error gets out.

    >>> race(3, lambda number: number * number)
    [0, 1, 4]
    """
    return at_once(command, threads=workers, pool=pool)


def tally(answers: Sequence[Answer]) -> Counter[str]:
    """Return how often each answer was given: a refusal by its code, every other answer by the name of its type."""
    return Counter(str(a.code) if isinstance(a, Refused) else type(a).__name__ for a in answers)


def only_winner(answers: Sequence[Answer], kind: type[AnswerT]) -> AnswerT:
    """Return the one answer that is a *kind*; every other one is the same refusal.

    Raises:
        AssertionError: Nobody won, several did, or the losers heard different things.
    """
    winners = [answer for answer in answers if isinstance(answer, kind)]
    losers = {repr(attrs.evolve(answer, session=NOBODY)) for answer in answers if not isinstance(answer, kind)}
    assert len(winners) == 1, f"{len(winners)} winners: {dict(tally(answers))}"
    assert len(losers) == min(len(answers) - 1, 1), f"the losers heard {sorted(losers)}"
    assert all(isinstance(answer, Refused) for answer in answers if not isinstance(answer, kind)), sorted(losers)
    return winners[0]
