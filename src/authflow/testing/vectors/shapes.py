"""How every value of a machine is written as JSON, and read back: one shape per type annotation.

The annotations of states, commands, answers and facts are the only description: what is declared there is what a file
says about its types, and what decides how a value is encoded. A type without an encoding is an error, never a guess.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, NewType, Union, cast, get_args, get_origin

import attrs

from authflow.testing.vectors.scalars import SCALARS, Json, Shape, Unreadable, choice, read
from authflow.values import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

TAG: Final = "type"
"""The key under which a record says what it is; no field may be called so."""

SERVICE_FIELDS: Final = {(Answer, "session")}
"""What no rule decides: the next browser session is the service's to fill in."""


# --- several values ---------------------------------------------------------------------------------------------------


@attrs.frozen
class ListOf:
    """Values in their order."""

    item: Shape

    @property
    def text(self) -> str:
        """How a file calls this type."""
        return f"list<{self.item.text}>"

    def holds(self, value: object) -> bool:
        """Tell whether *value* is a tuple."""
        return isinstance(value, tuple)

    def reads(self, stored: Json) -> bool:
        """Tell whether *stored* is an array."""
        return isinstance(stored, list)

    def encode(self, value: tuple[Any, ...]) -> Json:
        """Return an array."""
        return [self.item.encode(one) for one in value]

    def decode(self, stored: Json) -> tuple[Any, ...]:
        """Return a tuple."""
        return tuple(read(self.item, one) for one in stored)

    def parts(self) -> Iterator[Shape]:
        """Yield the shape of an item."""
        yield self.item


@attrs.frozen
class SetOf:
    """Values without an order: written sorted."""

    item: Shape

    @property
    def text(self) -> str:
        """How a file calls this type."""
        return f"set<{self.item.text}>"

    def holds(self, value: object) -> bool:
        """Tell whether *value* is a frozen set."""
        return isinstance(value, frozenset)

    def reads(self, stored: Json) -> bool:
        """Tell whether *stored* is an array."""
        return isinstance(stored, list)

    def encode(self, value: frozenset[Any]) -> Json:
        """Return a sorted array."""
        return sorted(self.item.encode(one) for one in value)

    def decode(self, stored: Json) -> frozenset[Any]:
        """Return a frozen set."""
        return frozenset(read(self.item, one) for one in stored)

    def parts(self) -> Iterator[Shape]:
        """Yield the shape of an item."""
        yield self.item


@attrs.frozen
class MapOf:
    """Values by a text; ``map<json>`` is any document."""

    item: Shape | None

    @property
    def text(self) -> str:
        """How a file calls this type."""
        return f"map<{'json' if self.item is None else self.item.text}>"

    def holds(self, value: object) -> bool:
        """Tell whether *value* is a mapping."""
        return isinstance(value, Mapping)

    def reads(self, stored: Json) -> bool:
        """Tell whether *stored* is an object."""
        return isinstance(stored, dict)

    def encode(self, value: Mapping[str, Any]) -> Json:
        """Return an object, its keys sorted."""
        return {key: self.item.encode(value[key]) if self.item else value[key] for key in sorted(value)}

    def decode(self, stored: Json) -> dict[str, Any]:
        """Return a dictionary."""
        return {key: read(self.item, one) if self.item else one for key, one in stored.items()}

    def parts(self) -> Iterator[Shape]:
        """Yield the shape of a value, where it has one."""
        yield from () if self.item is None else (self.item,)


@attrs.frozen
class Record:
    """A value with named fields; its tag is the name of its class."""

    kind: type

    @property
    def text(self) -> str:
        """How a file calls this type."""
        return self.kind.__name__

    def holds(self, value: object) -> bool:
        """Tell whether *value* is of exactly this class."""
        return type(value) is self.kind

    def reads(self, stored: Json) -> bool:
        """Tell whether *stored* carries this tag."""
        return type(stored) is dict and self.text == cast("dict[str, Json]", stored).get(TAG)

    def encode(self, value: object) -> Json:
        """Return an object: the tag first, then every field in its order."""
        fields = fields_of(self.kind)
        return {TAG: self.text, **{name: shape.encode(getattr(value, name)) for name, shape in fields.items()}}

    def decode(self, stored: Json) -> Any:  # noqa: ANN401  # of the class that this shape is of
        """Return the value; what a file leaves out has no default."""
        fields = fields_of(self.kind)
        if stored.keys() != {TAG, *fields}:
            msg = f"{self.text} holds {', '.join(fields) or 'nothing'}, not {', '.join(stored.keys() - {TAG})}"
            raise Unreadable(msg)
        return self.kind(**{name: read(shape, stored[name]) for name, shape in fields.items()})

    def parts(self) -> Iterator[Shape]:
        """Yield the shape of each field."""
        yield from fields_of(self.kind).values()


@attrs.frozen
class OneOf:
    """One of several types, which the JSON tells apart: records by their tags, everything else by its JSON type."""

    options: tuple[Shape, ...]

    @property
    def text(self) -> str:
        """How a file calls this type."""
        return " | ".join(option.text for option in self.options)

    def holds(self, value: object) -> bool:
        """Tell whether *value* is of one of the types."""
        return any(option.holds(value) for option in self.options)

    def reads(self, stored: Json) -> bool:
        """Tell whether *stored* may be of one of the types."""
        return any(option.reads(stored) for option in self.options)

    def encode(self, value: object) -> Json:
        """Return *value* as the one type that it is of."""
        (option,) = (option for option in self.options if option.holds(value))
        return option.encode(value)

    def decode(self, stored: Json) -> Any:  # noqa: ANN401  # of one of the types
        """Return the value of the one type that reads *stored*."""
        (option,) = (option for option in self.options if option.reads(stored))
        return option.decode(stored)

    def parts(self) -> Iterator[Shape]:
        """Yield every option."""
        yield from self.options


def encoded(value: object) -> Json:
    """Return *value*, any record, as JSON."""
    return Record(kind_of(value)).encode(value)


def kind_of(value: object) -> type:
    """Return the class of *value*."""
    return type(value)


# --- annotations ------------------------------------------------------------------------------------------------------


@cache
def fields_of(record: type) -> dict[str, Shape]:
    """Return the shapes of the fields of *record* that a file holds, in their order.

    What takes no part in comparisons is left out, and so is what only a service fills in.

    Raises:
        TypeError: A field has a type without an encoding, or is called like the tag.
    """
    hints: dict[str, Any] = {}
    for base in reversed(record.__mro__):
        if attrs.has(base):
            hints |= inspect.get_annotations(base, globals=_names(base.__module__), eval_str=True)
    kept = [field.name for field in attrs.fields(record) if field.eq and not _is_of_a_service(record, field.name)]
    if TAG in kept:
        msg = f"{record.__name__} has a field that is called {TAG!r}"
        raise TypeError(msg)
    return {name: shape_of(hints[name]) for name in kept}


def shape_of(hint: Any) -> Shape:  # noqa: ANN401  # an annotation may be anything
    """Return the shape of an annotation.

    Raises:
        TypeError: It has no encoding.
    """
    if isinstance(hint, NewType):
        return shape_of(hint.__supertype__)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _one_of([shape_of(option) for option in arguments])
    if origin is not None:
        return _many(hint, *arguments)
    return _one(NoneType if hint is None else hint)


def _one(kind: type) -> Shape:
    if kind in SCALARS:
        return SCALARS[kind]
    if attrs.has(kind):
        return Record(kind)
    if issubclass(kind, Enum):
        return choice(kind)
    msg = f"{kind} has no encoding"
    raise TypeError(msg)


def _is_of_a_service(record: type, field: str) -> bool:
    return any(issubclass(record, owner) and field == name for owner, name in SERVICE_FIELDS)


def _one_of(options: list[Shape]) -> Shape:
    plain = [option for option in options if not isinstance(option, Record) and option.text != "null"]
    if len(plain) > 1:
        msg = f"JSON does not tell {' from '.join(option.text for option in plain)}"
        raise TypeError(msg)
    return OneOf(tuple(options))


def _many(hint: object, item: Any, *more: Any) -> Shape:  # noqa: ANN401  # the arguments of an annotation
    match get_origin(hint), more:
        case builder, (end,) if builder is tuple and end is Ellipsis:
            return ListOf(shape_of(item))
        case builder, () if builder is frozenset:
            return SetOf(shape_of(item))
        case builder, (value,) if builder in {dict, Mapping} and item is str:
            return MapOf(None if value is Any else shape_of(value))
        case _:
            msg = f"{hint} has no encoding"
            raise TypeError(msg)


@cache
def _names(module: str) -> dict[str, Any]:
    """Return what the annotations of *module* may name: also what only type checkers import."""
    found = dict(vars(sys.modules[module]))
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found |= {
                alias.asname or alias.name: getattr(importlib.import_module(line.module), alias.name)
                for line in node.body
                if isinstance(line, ast.ImportFrom) and line.module
                for alias in line.names
            }
    return found
