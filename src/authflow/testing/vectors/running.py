"""Runs a document against a machine, through JSON alone: ours, or one that another team wrote in Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from authflow.errors import AuthflowError, IllegalCommand
from authflow.testing.vectors.document import FORMAT, table
from authflow.testing.vectors.scalars import SCALARS, Json, read
from authflow.testing.vectors.shapes import OneOf, Record, encoded
from authflow.testing.vectors.sharing import resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authflow.machine import Machine

Decide: TypeAlias = Callable[[Json, Json, int], Json]
"""Takes a state, a command and an instant; returns ``next``, ``answer`` and ``facts``, or ``illegal``: true."""

DECIDED: Final = ("next", "answer", "facts")
ILLEGAL: Final = {"illegal": True}


@attrs.frozen(kw_only=True)
class Difference:
    """One expectation that was not met.

    Args:
        step: The name of the step, or of the trace and the number of the step in it.
        part: ``next``, ``answer``, ``facts``, ``illegal``; ``input`` where state or command could not be read.
        expected: What the file says.
        got: What the machine decided.
    """

    step: str
    part: str
    expected: Json
    got: Json

    def __str__(self) -> str:
        return f"{self.step}: {self.part}: expected {_canonical(self.expected)}, got {_canonical(self.got)}"


def replay(document: dict[str, Json], decide: Decide) -> Iterator[Difference]:
    """Yield every expectation of *document* that *decide* does not meet.

    A trace goes on from the state that *decide* itself gave, and ends at its first difference.
    """
    whole = resolved(document, document["constants"])
    for step in whole["steps"]:
        yield from _differences(step["name"], step, _asked(decide, step["state"], step))
    for trace in whole["traces"]:
        yield from _replay_trace(trace, decide)


def _replay_trace(trace: dict[str, Json], decide: Decide) -> Iterator[Difference]:
    state = trace["start"]
    for number, step in enumerate(trace["steps"], start=1):
        got = _asked(decide, state, step)
        found = list(_differences(f"{trace['name']}, step {number}", step, got))
        if found:
            yield from found
            return
        state = got["next"]


def _asked(decide: Decide, state: Json, step: dict[str, Json]) -> dict[str, Json]:
    try:
        got: dict[str, Json] = decide(state, step["command"], step["now"])
    except (ValueError, AuthflowError) as unreadable:
        return {"input": str(unreadable)}
    return got


def _differences(name: str, step: dict[str, Json], got: dict[str, Json]) -> Iterator[Difference]:
    expected = ILLEGAL if "illegal" in step else {part: step[part] for part in DECIDED}
    for part in sorted(expected.keys() | got.keys()):
        if _canonical(expected.get(part)) != _canonical(got.get(part)):
            yield Difference(step=name, part=part, expected=expected.get(part), got=got.get(part))


def _canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


# --- our own machines -------------------------------------------------------------------------------------------------


def through_json(machine: Machine[Any, Any, Any]) -> Decide:
    """Return *machine* as a function of JSON: it reads, steps and writes."""
    states = OneOf(tuple(map(Record, machine.states())))
    commands = OneOf(tuple(map(Record, machine.commands())))

    def decide(state: Json, command: Json, now: int) -> Json:
        given = read(states, state), read(commands, command), read(SCALARS[datetime], now)
        try:
            step = machine.step(*given)
        except IllegalCommand:
            return ILLEGAL
        return {
            "next": encoded(step.state),
            "answer": encoded(step.answer),
            "facts": [encoded(fact) for fact in step.facts],
        }

    return decide


def mismatches(document: dict[str, Json], machine: Machine[Any, Any, Any]) -> Iterator[Difference]:
    """Yield where *document* and *machine* differ: its format, its table, its steps."""
    known = {"format": FORMAT, "table": table(machine)["version"]}
    said = {"format": document["format"], "table": document["table"]["version"]}
    for part, ours in known.items():
        if said[part] != ours:
            yield Difference(step=machine.name, part=part, expected=said[part], got=ours)
    if said["format"] == FORMAT:
        yield from replay(document, through_json(machine))
