"""Which of the many steps of a walk are written down: every outcome, the values that led to it, and chains.

A walk tries the full product of what its alphabet offers; sessions alone make two hundred thousand steps. A file holds
every *outcome* that a walk can tell apart, and for each the few steps that show most of the values it was seen with.
"""

from __future__ import annotations

from collections import deque
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from authflow.testing.vectors.shapes import encoded, kind_of
from authflow.values import Refused

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from authflow.testing.explorer import Answered, Exploration
    from authflow.testing.vectors.scalars import Json

    AnyStep = Answered[Any, Any, Any]
    AnyWalk = Exploration[Any, Any, Any]

Outcome = tuple[str, ...]
Edge = tuple[type, type, type]
Value = tuple[str, str]
"""Where it stands, and what."""

LOOKED_AT: Final = 64
"""Steps of one outcome that are compared value by value, evenly spread over the walk; more where outcomes are few."""

LOOKED_AT_ALL: Final = 8192
"""Steps of one machine that may be compared all the same."""

MORE_MIN: Final = 3
"""Steps of one outcome that are kept beside the first."""

MORE_OF_REFUSALS: Final = 1
"""The same of a refusal that ends or moves something; of one that leaves no trace only where there is room."""

STEPS_MAX: Final = 280
"""Steps of one machine that are aimed at: few outcomes share the room among them."""

CHAIN_MAX: Final = 12
"""Steps of one trace: short enough to follow by eye."""


def outcome(step: AnyStep) -> Outcome:
    """Return what tells *step* from others: its edge, the answer or the code of the refusal, and the facts."""
    answer = type(step.answer).__name__
    said = f"{answer} {step.answer.code}" if isinstance(step.answer, Refused) else answer
    facts = (type(fact).__name__ for fact in step.facts)
    return (type(step.state).__name__, type(step.command).__name__, type(step.target).__name__, said, *facts)


def edge(step: AnyStep) -> Edge:
    """Return the edge of the table that *step* took."""
    return kind_of(step.state), kind_of(step.command), kind_of(step.target)


# --- single steps -----------------------------------------------------------------------------------------------------


def representatives(steps: Iterable[AnyStep]) -> list[AnyStep]:
    """Return the steps that stand for all *steps*: of each outcome the first, and those that add values to it."""
    by_outcome: dict[Outcome, list[AnyStep]] = {}
    for step in steps:
        by_outcome.setdefault(outcome(step), []).append(step)
    outcomes = max(len(by_outcome), 1)
    room, looked_at = max(STEPS_MAX // outcomes - 1, 0), max(LOOKED_AT_ALL // outcomes, LOOKED_AT)
    return [
        step
        for _, alike in sorted(by_outcome.items())
        for step in _different(_spread(alike, looked_at), max(room, _more_min(alike[0])))
    ]


def _more_min(step: AnyStep) -> int:
    if not isinstance(step.answer, Refused) or step.facts:
        return MORE_MIN
    return MORE_OF_REFUSALS if step.target != step.state else 0


def _spread(steps: Sequence[AnyStep], count: int) -> Sequence[AnyStep]:
    return steps[:: -(-len(steps) // count)]


def _different(steps: Sequence[AnyStep], more: int) -> list[AnyStep]:
    """Return the first and up to *more* steps: those that show most values, and pairs of values, not yet seen."""
    shown = _pairs([frozenset(_values(step)) for step in steps])
    kept, seen = [0], shown[0]
    while len(kept) <= more:
        best = max(range(len(steps)), key=lambda at: (len(shown[at] - seen), -at))
        if shown[best] <= seen:
            break
        kept.append(best)
        seen |= shown[best]
    return [steps[at] for at in sorted(kept)]


def _pairs(values: Sequence[frozenset[Value]]) -> list[frozenset[tuple[Value, Value]]]:
    """Return every pair of values of each step, itself included, but for values that all steps share."""
    shared = frozenset[Value].intersection(*values)
    return [frozenset(combinations_with_replacement(sorted(one - shared), 2)) for one in values]


def _values(step: AnyStep) -> Iterator[Value]:
    yield from _leaves(encoded(step.state), "state")
    yield from _leaves(encoded(step.command), "command")
    yield from _leaves(encoded(step.answer), "answer")
    yield "now", str(step.now)


def _leaves(stored: Json, path: str) -> Iterator[Value]:
    if not stored or not isinstance(stored, dict):
        yield path, str(cast("object", stored))
        return
    for name, value in cast("dict[str, Json]", stored).items():
        yield from _leaves(value, f"{path}.{name}")


# --- chains -----------------------------------------------------------------------------------------------------------


@attrs.frozen
class Chain:
    """Steps of which each begins where the one before it ended."""

    start: Any
    steps: tuple[AnyStep, ...]


def chains(walk: AnyWalk, start: Iterable[Any]) -> list[Chain]:
    """Return chains from *start* that together take every edge that can be taken from there."""
    return list(_Chains(walk).found(start))


class _Chains:
    def __init__(self, walk: AnyWalk) -> None:
        self._leaving: dict[Hashable, list[AnyStep]] = {}
        for step in walk.steps:
            self._leaving.setdefault(_key(step.state), []).append(step)
        self._untaken = {edge(step) for step in walk.steps}

    def found(self, start: Iterable[Any]) -> Iterator[Chain]:
        for state in start:
            while steps := self._chain(state):
                yield Chain(state, tuple(steps))

    def _chain(self, state: Any) -> list[AnyStep]:  # noqa: ANN401  # a state of any machine
        steps: list[AnyStep] = []
        while (path := self._nearest(state)) and (not steps or len(steps) + len(path) <= CHAIN_MAX):
            steps += path
            self._untaken -= {edge(step) for step in path}
            state = path[-1].target
        return steps

    def _nearest(self, state: Any) -> list[AnyStep]:  # noqa: ANN401  # as above
        """Return the shortest way from *state* over an edge that no chain has taken, or nothing."""
        if not self._untaken:
            return []
        came: dict[Hashable, AnyStep | None] = {_key(state): None}
        queue = deque([_key(state)])
        while queue:
            for step in self._leaving.get(queue[0], ()):
                if edge(step) in self._untaken:
                    return [*_way(came, queue[0]), step]
                if _key(step.target) not in came:
                    came[_key(step.target)] = step
                    queue.append(_key(step.target))
            queue.popleft()
        return []


def _way(came: dict[Hashable, AnyStep | None], end: Hashable) -> list[AnyStep]:
    step = came[end]
    return [] if step is None else [*_way(came, _key(step.state)), step]


def _key(state: Any) -> Hashable:  # noqa: ANN401  # as above
    """Return what is equal for equal states; one that holds a document has no hash of its own."""
    try:
        return hash(state), state
    except TypeError:
        return str(encoded(state))
