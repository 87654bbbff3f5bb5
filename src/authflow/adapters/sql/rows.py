"""What a statement brings back: rows that cost next to nothing, and the questions that repositories ask of them."""

from __future__ import annotations

from datetime import date, time
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

import attrs
import sqlalchemy as sa

from authflow.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class Row(tuple[Any, ...]):
    """A row, by position and by the names of its columns. `shape` makes the class for one list of names."""

    __slots__ = ()

    names: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is no column: the class made by `shape` has a property for each of those.
        message = f"no column {name!r} among {', '.join(self.names)}"
        raise AttributeError(message)

    def as_dict(self) -> dict[str, Any]:
        """Return the values by the names of their columns."""
        return dict(zip(self.names, self, strict=True))


def shape(names: Sequence[str]) -> type[Row]:
    """Return the class of the rows whose columns are called *names*."""
    columns = {name: property(itemgetter(place)) for place, name in enumerate(names)}
    return cast("type[Row]", type("Row", (Row,), {"__slots__": (), **columns, "names": tuple(names)}))


DECORATOR: Final[Any] = sa.TypeDecorator
"""What a host's decorator inherits where it says nothing of its own."""

READ: Final = (date, time, UUID)
"""What a type makes of a driver's text. A ``datetime`` is a ``date``."""


class Reader:
    """Reads the rows of one statement, with what the types of its columns make of a driver's values.

    Args:
        dialect: Whose values they are.
        columns: What the statement says of its columns, by their keys; none where it is text, and the names are the
            database's.
    """

    def __init__(self, dialect: sa.Dialect, columns: Sequence[tuple[str | None, sa.types.TypeEngine[Any]]]) -> None:
        self._dialect = dialect
        self._columns = columns
        self._make: Callable[[Iterable[Any]], Row] | None = None
        self._processors: tuple[tuple[int, Callable[[Any], Any]], ...] = ()

    def read(self, cursor: Any) -> list[Row]:
        """Return every row that waits at *cursor*; none after a statement that answers with no rows."""
        make = self._make
        if make is None:  # psycopg describes rows at a cost, so they are described once
            if cursor.description is None:
                return []
            make = self._learn(cursor.description)
        if not self._processors:
            return [make(row) for row in cursor.fetchall()]
        return [make(self._processed(row)) for row in cursor.fetchall()]

    def _learn(self, description: Sequence[Sequence[Any]]) -> Callable[[Iterable[Any]], Row]:
        """Learn the rest from the first answer: what the driver calls each column, and of which type it says it is."""
        unknown: tuple[str | None, Any] = (None, None)
        described = list(zip(self._columns or [unknown] * len(description), description, strict=True))
        found = ((place, _processor(self._dialect, kind, said[1])) for place, ((_, kind), said) in enumerate(described))
        self._processors = tuple((place, processor) for place, processor in found if processor is not None)
        self._make = shape([key or said[0] for (key, _), said in described])
        return self._make

    def _processed(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for place, processor in self._processors:
            values[place] = processor(values[place])
        return values


def _processor(dialect: sa.Dialect, kind: Any, said: Any) -> Callable[[Any], Any] | None:
    if kind is None:
        return None
    if isinstance(kind, sa.TypeDecorator):
        return _decorated(dialect, kind, said)
    processor: Callable[[Any], Any] | None = kind.dialect_impl(dialect).result_processor(dialect, said)
    return None if processor is None else _unless_read(processor)


def _own(dialect: sa.Dialect, kind: Any, said: Any) -> Callable[[Any], Any] | None:
    processor: Callable[[Any], Any] | None = kind.result_processor(dialect, said)
    return processor


def _decorated(dialect: sa.Dialect, kind: Any, said: Any) -> Callable[[Any], Any] | None:
    """Read as the type that is decorated does, then as the host's decorator does, which every value goes through."""
    plain = _processor(dialect, kind.load_dialect_impl(dialect), said)
    theirs = cast("Any", type(kind))
    if theirs.process_result_value is DECORATOR.process_result_value:
        return plain if theirs.result_processor is DECORATOR.result_processor else _own(dialect, kind, said)

    def process(value: Any) -> Any:
        return kind.process_result_value(value if plain is None else plain(value), dialect)

    return process


def _unless_read(processor: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Leave a value alone that a connection of the host's has made already, as Django's do with SQLite's instants."""

    def process(value: Any) -> Any:
        return value if isinstance(value, READ) else processor(value)

    return process


@attrs.frozen
class Result:
    """The answer to one statement. ``rowcount`` counts what a plain UPDATE or DELETE changed, and nothing else."""

    rows: list[Row]
    rowcount: int

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def all(self) -> list[Row]:
        """Return every row."""
        return self.rows

    def one(self) -> Row:
        """Return the only row.

        Raises:
            DatabaseError: There is none, or there are more.
        """
        row = self.one_or_none()
        if row is None:
            detail = "[a row was expected, and none came]"
            raise DatabaseError(detail)
        return row

    def one_or_none(self) -> Row | None:
        """Return the only row, or none.

        Raises:
            DatabaseError: There are more.
        """
        if len(self.rows) > 1:
            detail = f"[one row was expected, and {len(self.rows)} came]"
            raise DatabaseError(detail)
        return self.rows[0] if self.rows else None

    def scalars(self) -> list[Any]:
        """Return the first column of every row."""
        return [row[0] for row in self.rows]

    def scalar_one(self) -> Any:
        """Return the first column of the only row.

        Raises:
            DatabaseError: There is no row, or there are more.
        """
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """Return the first column of the only row, or none.

        Raises:
            DatabaseError: There are more.
        """
        row = self.one_or_none()
        return None if row is None else row[0]
