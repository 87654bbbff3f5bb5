"""What a shape is, and the shapes of single values: a text, a number, an instant, a secret, a choice."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import attrs

from authflow.errors import Code
from authflow.values import UTC, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json: TypeAlias = Any
"""What `json.loads` gives."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class Unreadable(ValueError):
    """A file holds something that is not of the type that should stand there."""


class Shape(Protocol):
    """How one declared type is written and read. *text* is its description in a file."""

    @property
    def text(self) -> str:
        """How a file calls this type."""
        ...

    def holds(self, value: object, /) -> bool:
        """Tell whether *value* is of this type."""
        ...

    def reads(self, stored: Json, /) -> bool:
        """Tell whether *stored* may be a value of this type."""
        ...

    def encode(self, value: Any, /) -> Json:  # noqa: ANN401  # the shape itself says of which type
        """Return *value* as JSON."""
        ...

    def decode(self, stored: Json, /) -> Any:  # noqa: ANN401  # as above
        """Return the value that `encode` gave.

        Raises:
            ValueError: *stored* is none.
        """
        ...

    def parts(self) -> Iterator[Shape]:
        """Yield the shapes of which this one is made."""
        ...


# --- one value --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Scalar:
    """A value that is one JSON string, number, truth or null; *members* are the values of an enumeration by name."""

    text: str
    kind: type
    stored: type | tuple[type, ...]
    encode: Callable[[Any], Json]
    decode: Callable[[Json], Any]
    members: dict[str, Json] = attrs.field(factory=dict[str, Json])

    def holds(self, value: object) -> bool:
        """Tell whether *value* is of this type; a truth is no number."""
        return isinstance(value, self.kind) and isinstance(value, bool) == (self.kind is bool)

    def reads(self, stored: Json) -> bool:
        """Tell whether *stored* may be a value of this type."""
        return isinstance(stored, self.stored) and isinstance(stored, bool) == (self.stored is bool)

    def parts(self) -> Iterator[Shape]:
        """Yield nothing."""
        yield from ()


def read(shape: Shape, stored: Json) -> Any:  # noqa: ANN401  # of the type that the shape is of
    """Return the value of *shape* that *stored* is.

    Raises:
        ValueError: It is none.
    """
    if not shape.reads(stored):
        msg = f"{stored!r} is no {shape.text}"
        raise Unreadable(msg)
    return shape.decode(stored)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unbase64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)


def _nothing(_: object) -> None:
    return None


SCALARS: Final = {
    shape.kind: shape
    for shape in (
        Scalar("text", str, str, str, str),
        Scalar("integer", int, int, int, int),
        Scalar("number", float, (float, int), float, float),
        Scalar("boolean", bool, bool, bool, bool),
        Scalar("null", NoneType, NoneType, _nothing, _nothing),
        Scalar("instant", datetime, int, lambda at: (at - EPOCH) // MICROSECOND, lambda n: EPOCH + n * MICROSECOND),
        Scalar("duration", timedelta, int, lambda span: span // MICROSECOND, lambda n: n * MICROSECOND),
        Scalar("bytes", bytes, str, _base64url, _unbase64url),
        Scalar("secret", Secret, str, Secret.reveal, Secret),
        Scalar("code", Code, str, str, Code),
    )
}


@cache
def choice(kind: type[Enum]) -> Scalar:
    """Return the shape of an enumeration: the values of its members, and of combinations where it is one of flags.

    Raises:
        TypeError: They are of several types.
    """
    stored: set[type] = {type(plain_value(member)) for member in kind}
    if len(stored) != 1:
        msg = f"the values of {kind.__name__} are of several types"
        raise TypeError(msg)
    members = {plain_value(member): member for member in kind}
    return Scalar(
        kind.__name__,
        kind,
        stored.pop(),
        encode=plain_value,
        decode=lambda value: members.get(value) or kind(value),
        members={member.name: plain_value(member) for member in kind},
    )


def plain_value(member: Enum) -> Json:
    """Return the value of *member*; a member that stands for one of another enumeration has the value of that."""
    return plain_value(member.value) if isinstance(member.value, Enum) else member.value
