"""What a file says about its types: every field of every record, and every choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authflow.testing.vectors.scalars import Json, Scalar, Shape
from authflow.testing.vectors.shapes import Record, fields_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from authflow.machine import Machine
    from authflow.testing.explorer import Exploration


def described(machine: Machine[Any, Any, Any], walk: Exploration[Any, Any, Any]) -> dict[str, Json]:
    """Return the types of *machine*: what a file holds, by the place where it stands.

    ``states``, ``commands``, ``answers`` and ``facts`` are whole values, ``values`` what stands inside them, and
    ``choices`` the enumerations. A name means one type in each of them: an answer and a state may share one.

    Raises:
        TypeError: Two types in one place have one name.
    """
    answers = {kind_of(step.answer) for step in walk.steps}
    facts = {kind_of(fact) for step in walk.steps for fact in step.facts}
    wholes: dict[str, Sequence[type]] = {
        "states": machine.states(),
        "commands": machine.commands(),
        "answers": sorted(answers, key=lambda one: one.__name__),
        "facts": sorted(facts, key=lambda one: one.__name__),
    }
    inner = _inner(Record(one) for ones in wholes.values() for one in ones)
    records = sorted({part.kind for part in inner if isinstance(part, Record)}, key=lambda one: one.__name__)
    choices = {part.text: part.members for part in inner if isinstance(part, Scalar) and part.members}
    return {
        **{place: _fields(ones) for place, ones in wholes.items()},
        "values": _fields(records),
        "choices": dict(sorted(choices.items())),
    }


def _fields(records: Iterable[type]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for record in records:
        if record.__name__ in found:
            msg = f"two types are called {record.__name__}"
            raise TypeError(msg)
        found[record.__name__] = {name: shape.text for name, shape in fields_of(record).items()}
    return found


def _inner(shapes: Iterable[Shape]) -> list[Shape]:
    """Return everything that stands inside *shapes*, each once."""
    seen: dict[str, Shape] = {}
    queue = [part for shape in shapes for part in shape.parts()]
    while queue:
        shape = queue.pop()
        if repr(shape) not in seen:
            seen[repr(shape)] = shape
            queue += shape.parts()
    return list(seen.values())
