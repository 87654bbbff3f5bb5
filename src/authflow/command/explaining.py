"""Why a command was refused: which rule fired, and what it saw. For logs and engineers, never for a person outside.

What is told of a value is decided by its type and by the annotation of the field it stands in, never by its content:

=======================================  ==============================================================
truths, numbers, instants, enumerations  as they are
identifiers: see `IDENTIFIERS`           as they are, unless they cannot be, or are addresses
a kind of second factor                  its id
problems with fields                     the names of the fields
several of those                         in order; the members of a set sorted
a policy                                 nothing: it is the installation's, the same for everybody
any other text, bytes, a `Secret`        nothing; where the field may be empty, whether it was ``given``
a field that is kept out of its repr     likewise
any other value with fields              its fields, to a `DEPTH`; which of several classes it is
=======================================  ==============================================================
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import Enum, Flag
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import attrs

from authflow.errors import InputInvalid
from authflow.values import Explanation, Refused, Secret, identifier
from authflow.witness import Decision, Note, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authflow.witness import Entry

T = TypeVar("T")

IDENTIFIERS: Final = frozenset(
    {
        "AuthenticatorId",
        "EventId",
        "InvitationId",
        "MemberId",
        "OrganizationId",
        "ProjectId",
        "ProviderId",
        "Role",
        "SessionId",
        "TeamId",
        "UserId",
    }
)
"""Text that may be told, by the annotation of its field. A `FlowId` is missing: whoever has one may go on with it."""

CONTAINERS: Final = frozenset({"None", "frozenset", "set", "tuple", "list", "Sequence"})
"""What may stand around an identifier in an annotation."""

CONSTANTS: Final = {"Kind": "id"}
"""Constants of ours, each told by one of its fields."""

DEPTH: Final = 5
"""How many values stand inside each other before no more is told."""

NOTHING: Final = "none"
GIVEN: Final = "given"
"""What is told of something that may be missing, and whose content is not told."""

ADDRESS: Final = "address"
MALFORMED: Final = "malformed"
"""What is told instead of an identifier that is an e-mail address, or cannot be an identifier."""


# --- who said no ------------------------------------------------------------------------------------------------------


def explained(command: str, answer: T, entries: Sequence[Entry]) -> T:
    """Return *answer* of *command*; a refusal carries its explanation, from the *entries* of a witness.

    One that has an explanation keeps it: it was stored with an answer that is replayed.
    """
    if not isinstance(answer, Refused) or answer.why is not None:
        return answer
    return attrs.evolve(answer, why=why(command, answer, entries))


def why(command: str, refused: Refused, entries: Sequence[Entry]) -> Explanation:
    """Return who first said no with this code: later ones hand on what they were told."""
    decided = [entry for entry in entries if not isinstance(entry, Note)]
    alike = [entry for entry in decided if getattr(entry.answer, "code", entry.answer) == refused.code]
    if not alike:
        return Explanation(command=command, rule=command)
    first = alike[0]
    if isinstance(first, Decision):
        return _by_rule(command, first)
    following = next((entry for entry in decided[decided.index(first) :] if isinstance(entry, Decision)), None)
    if following is not None and following in alike:
        return attrs.evolve(_by_rule(command, following), gate=_name(first.gate), facts=dict(_seen_by_gate(first)))
    name = _name(first.gate)
    return Explanation(command=command, rule=name, gate=name, facts=dict(_seen_by_gate(first)))


def _by_rule(command: str, decision: Decision) -> Explanation:
    return Explanation(
        command=command,
        rule=_name(decision.rule),
        machine=decision.machine,
        state=type(decision.state).__name__,
        facts={
            "now": decision.now.isoformat(),
            **dict(seen(decision.command)),
            **dict(seen(decision.state, "state")),
        },
    )


def _name(function: Callable[..., object]) -> str:
    return function.__name__.lstrip("_")


def _seen_by_gate(refusal: Refusal) -> Iterator[tuple[str, str]]:
    asked = signature(refusal.gate)
    for name, value in asked.bind(*refusal.args, **refusal.kwargs).arguments.items():
        yield from _told(value, _Slot.of(name, asked.parameters[name].annotation), name, DEPTH)


# --- what it saw ------------------------------------------------------------------------------------------------------


class _Slot(NamedTuple):
    """A place in which a value stands, and what its annotation says of it."""

    name: str
    words: frozenset[str]
    shown: bool = True

    @classmethod
    def of(cls, name: str, annotation: object, *, shown: bool = True) -> _Slot:
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
        return cls(name, frozenset(re.findall(r"\w+", text)), shown)

    def tells(self, value: object) -> bool:
        """Tell whether *value* may be told where it stands here."""
        if isinstance(value, str) and not isinstance(value, Enum):
            return self.shown and bool(self.words & IDENTIFIERS) and self.words <= IDENTIFIERS | CONTAINERS
        return self.shown and not isinstance(value, bytes | Secret)


class _Slots(dict[type[Any], tuple[_Slot, ...]]):
    """The places in the values of each class, read once; there are none in what is no class of ours."""

    def __missing__(self, kind: type[Any]) -> tuple[_Slot, ...]:
        fields = attrs.fields(kind) if attrs.has(kind) else ()
        found = (_Slot.of(field.name, field.type, shown=bool(field.repr)) for field in fields)
        self[kind] = tuple(slot for slot in found if not any(word.endswith("Policy") for word in slot.words))
        return self[kind]


_SLOTS: Final = _Slots()


def seen(value: object, name: str = "", depth: int = DEPTH) -> Iterator[tuple[str, str]]:
    """Yield what may be told of the fields of *value*, each by its dotted name under *name*, in their order."""
    for slot in _SLOTS[type(value)] if depth else ():
        yield from _told(getattr(value, slot.name), slot, f"{name}.{slot.name}".lstrip("."), depth - 1)


def _told(value: object, slot: _Slot, name: str, depth: int) -> Iterator[tuple[str, str]]:
    text = _text(value, slot)
    if text is not None:
        yield name, text
    elif slot.tells(value):
        if attrs.has(type(value)) and type(value).__name__ not in slot.words:
            yield name, type(value).__name__
        yield from seen(value, name, depth)


def _text(value: object, slot: _Slot) -> str | None:
    """Return what is told of *value* in one text; none where that is nothing, or where its fields are told."""
    if value is None:
        return NOTHING
    if not slot.tells(value):
        return GIVEN if "None" in slot.words else None
    if isinstance(value, Collection) and not isinstance(value, str | Enum):
        return _listed(cast("Any", value), slot)
    constant = CONSTANTS.get(type(value).__name__)
    return _word(value if constant is None else getattr(value, constant))


def _word(value: object) -> str | None:
    match value:
        case Flag():
            return ",".join(str(flag.name).lower() for flag in value) or NOTHING
        case Enum():
            return str(value.value)
        case str():
            return tellable(value)
        case bool() | int() | float() | timedelta() | datetime():
            return str(value)
        case _:
            return None


def _listed(values: Collection[Any], slot: _Slot) -> str | None:
    """Return the members that may be told. What a mapping says is not; that of problems is named by fields of ours."""
    if not values:
        return NOTHING
    if isinstance(values, Mapping):
        return ",".join(cast("Mapping[str, Any]", values)) if slot.name == "problems" else None
    texts = [text for value in values if (text := _text(value, slot)) is not None]
    return ",".join(sorted(texts) if isinstance(values, AbstractSet) else texts) or None


def tellable(text: str) -> str:
    """Return *text* of an identifier; or why it is not told: it may come from a stranger, and will stand in a log.

    A host may identify people by their addresses; those are not told either.
    """
    if not text:
        return NOTHING
    try:
        return ADDRESS if "@" in text else identifier(text, field="id")
    except InputInvalid:
        return MALFORMED
