"""The document of one machine: its table, its types, single steps and chains of them, as JSON."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from authflow.testing.vectors.choosing import chains, outcome, representatives
from authflow.testing.vectors.described import described
from authflow.testing.vectors.scalars import SCALARS, Json
from authflow.testing.vectors.shapes import encoded, kind_of
from authflow.testing.vectors.sharing import Constants
from authflow.values import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authflow.machine import Machine
    from authflow.testing.explorer import Answered, Exploration
    from authflow.testing.samples import Alphabet
    from authflow.testing.vectors.choosing import Chain

    AnyMachine = Machine[Any, Any, Any]
    AnyStep = Answered[Any, Any, Any]
    AnyWalk = Exploration[Any, Any, Any]

FORMAT: Final = 1
"""Of a file. It rises when a reader of the former format would misread the new one."""


def document(alphabet: Alphabet[Any, Any, Any]) -> dict[str, Json]:
    """Walk the machine of *alphabet* and return its vectors."""
    machine, walk = alphabet.machine, alphabet.walk()
    constants = Constants()
    chosen, told = representatives(walk.steps), alphabet.told()
    legal = [*chosen, *(step for step in told if step not in chosen)]
    steps = [*_named(legal, constants), *_illegal(machine, walk, constants)]
    traces = [_trace(n, chain, constants) for n, chain in enumerate(chains(walk, alphabet.start), start=1)]
    return {
        "format": FORMAT,
        "machine": machine.name,
        "about": _about(machine),
        "table": table(machine),
        "types": described(machine, walk),
        "explored": {
            "states": len(walk.states()),
            "steps": len(walk.steps),
            "outcomes": len({outcome(step) for step in (*walk.steps, *told)}),
        },
        "kept": {"steps": len(legal), "illegal": len(steps) - len(legal), "traces": len(traces)},
        "constants": constants.values,
        "steps": steps,
        "traces": traces,
    }


def table(machine: AnyMachine) -> dict[str, Json]:
    """Return the rows of *machine*, and a digest of them that changes exactly when a row does."""
    rows = [
        {
            "state": row.state.__name__,
            "command": row.command.__name__,
            "rule": row.rule.__name__,
            "next": [target.__name__ for target in row.targets],
        }
        for row in machine.rows
    ]
    return {"version": hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16], "rows": rows}


def _about(machine: AnyMachine) -> str:
    module = importlib.import_module(f"authflow.{machine.name}")
    return " ".join((inspect.getdoc(module) or "").partition("\n\n")[0].split())


# --- steps ------------------------------------------------------------------------------------------------------------


def decision(step: AnyStep) -> dict[str, Json]:
    """Return what *step* decided."""
    facts = [encoded(fact) for fact in step.facts]
    return {"next": encoded(step.target), "answer": encoded(step.answer), "facts": facts}


def asked(command: object, now: datetime) -> dict[str, Json]:
    """Return what was asked, and when."""
    return {"command": encoded(command), "now": SCALARS[datetime].encode(now)}


def _named(steps: Iterable[AnyStep], constants: Constants) -> Iterator[dict[str, Json]]:
    seen = Counter[str]()
    for step in steps:
        name = _name(step)
        seen[name] += 1
        whole = {"state": encoded(step.state), **asked(step.command, step.now), **decision(step)}
        yield {"name": f"{name} #{seen[name]}", **constants.share(whole)}


def _name(step: AnyStep) -> str:
    said = step.answer.code if isinstance(step.answer, Refused) else type(step.answer).__name__
    return f"{type(step.state).__name__}, {type(step.command).__name__} -> {type(step.target).__name__}, {said}"


def _illegal(machine: AnyMachine, walk: AnyWalk, constants: Constants) -> Iterator[dict[str, Json]]:
    """Yield every cell of the table that is empty, with the first state and command of their types."""
    legal = {(row.state, row.command) for row in machine.rows}
    states = _firsts(walk.states())
    tried = {kind_of(step.command): step for step in reversed(walk.steps)}
    for state in machine.states():
        for command in machine.commands():
            if (state, command) not in legal:
                one = tried[command]
                whole = {"state": encoded(states[state]), **asked(one.command, one.now), "illegal": True}
                yield {"name": f"{state.__name__}, {command.__name__}: illegal", **constants.share(whole)}


def _firsts(values: Iterable[Any]) -> dict[type, Any]:
    found: dict[type, Any] = {}
    for value in values:
        found.setdefault(kind_of(value), value)
    return found


def _trace(number: int, chain: Chain, constants: Constants) -> dict[str, Json]:
    steps = [{**asked(step.command, step.now), **decision(step)} for step in chain.steps]
    last = type(chain.steps[-1].target).__name__
    name = f"trace {number}: {type(chain.start).__name__} to {last} in {len(steps)}"
    return {"name": name, **constants.share({"start": encoded(chain.start), "steps": steps})}
