"""What a host's columns hold, as the core sees it, and back: ids, instants, flags."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeGuard
from uuid import UUID

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects.mysql import TINYINT

from authflow.adapters.sql.columns import EPOCH
from authflow.errors import ConfigInvalid, DatabaseError, DatabaseUnavailable, InputInvalid, Retryable
from authflow.values import identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

UNDATED: Final = EPOCH
"""When an address was verified of which the host keeps only that it was."""

INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
"""The one text of each whole number: no sign, zero or blank that another text of it would have."""

INT64: Final = range(-(2**63), 2**63)

Expression = sa.SQLColumnExpression[Any]
"""A column of a `Table`, an attribute of a mapped class, or any SQL expression over them."""


def core(given: Any) -> Any:
    """Return the `Column` behind an attribute of a mapped class; anything else as it is."""
    columns = getattr(getattr(given, "property", None), "columns", None)
    return columns[0] if columns else given


def is_expression(given: Any) -> TypeGuard[sa.ColumnElement[Any]]:
    """Tell whether *given* is an SQL expression; else it is a constant."""
    return isinstance(given, sa.ColumnElement)


def is_column(given: Any, table: Any) -> bool:
    """Tell whether *given* is a plain column of *table*, which can be written."""
    return isinstance(given, sa.ColumnClause) and given.table is table


def type_of(given: Any) -> sa.types.TypeEngine[Any]:
    """Return the type of an expression, what a decorator decorates."""
    kind: Any = given.type
    return kind.impl_instance if isinstance(kind, sa.TypeDecorator) else kind


def require_expression(given: Any, *, setting: str) -> None:
    """Refuse what is no SQL expression.

    Raises:
        ConfigInvalid: It is none.
    """
    if not is_expression(given):
        raise ConfigInvalid(setting=setting, problem="must be a column or an SQL expression")


def require_text(given: Any, *, setting: str) -> None:
    """Refuse what is neither text nor an expression.

    Raises:
        ConfigInvalid: It is neither.
    """
    if not (isinstance(given, str) or is_expression(given)):
        raise ConfigInvalid(setting=setting, problem="must be a column, an SQL expression or a text")


def require_flag(given: Any, *, setting: str) -> None:
    """Refuse what is neither a truth value nor an expression of one: ``bool("f")`` is true.

    Raises:
        ConfigInvalid: It is neither.
    """
    truth = is_expression(given) and isinstance(type_of(given), sa.Boolean | sa.Integer)
    if not isinstance(given, bool) and not truth:
        raise ConfigInvalid(setting=setting, problem="must be a boolean column, a boolean expression, or true or false")


def read(row: Any, name: str, given: Any) -> Any:
    """Return what *row* holds under *name*, if *given* was selected; else *given* is a constant."""
    return getattr(row, name) if is_expression(given) else given


@contextmanager
def readable(setting: str) -> Generator[None]:
    """Turn what a database says of a mapping that does not fit its tables into one error of the configuration.

    Raises:
        ConfigInvalid: The tables are not as they are mapped.
    """
    try:
        yield
    except (DatabaseUnavailable, Retryable):
        raise
    except DatabaseError as error:
        said = str(error.__cause__ or error).partition("\n")[0]  # a table's or a column's name: no value was asked for
        # From the driver's own: what it says in our terms is meant for our tables, and these are the host's.
        raise ConfigInvalid(setting=setting, problem=f"cannot be read as they are mapped: {said}") from error.__cause__


# --- ids ------------------------------------------------------------------------------------------------------------


def _integer(text: str) -> int | None:
    if not INTEGER.fullmatch(text):
        return None
    return number if (number := int(text)) in INT64 else None


def _uuid(text: str) -> UUID | None:
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text else None


def _text(text: str) -> str | None:
    try:
        return identifier(text, field="id")
    except InputInvalid:
        return None


PARSERS: Final[dict[type, Callable[[str], Any]]] = {int: _integer, UUID: _uuid, str: _text}


@attrs.frozen
class Ids:
    """Turns the ids of one column into our opaque text, and back."""

    kind: sa.types.TypeEngine[Any]
    parse: Callable[[str], Any]

    @classmethod
    def of(cls, column: Any, id_type: type | None, *, setting: str) -> Ids:
        """Read from *column*, or take from *id_type*, what its ids are.

        Raises:
            ConfigInvalid: The column does not say, or says what no id can be.
        """
        declared: Any = column.type
        if id_type is None:
            known: dict[type, type] = {sa.Integer: int, sa.Uuid: UUID, sa.String: str}
            id_type = next((ours for theirs, ours in known.items() if isinstance(declared, theirs)), None)
        parse = PARSERS.get(id_type) if id_type is not None else None
        if parse is None:
            raise ConfigInvalid(setting=setting, problem="must be int, str or uuid.UUID: the column does not say which")
        if isinstance(declared, sa.Integer):
            return cls(sa.BigInteger(), parse)  # a number too large for the column finds nobody, and is no error
        if parse is _uuid and not getattr(declared, "as_uuid", True):
            return cls(declared, lambda text: None if parse(text) is None else text)
        return cls(declared, parse)

    def bound(self, name: str) -> sa.BindParameter[Any]:
        """Return a parameter for an id."""
        return sa.bindparam(name, type_=self.kind)

    def text(self, stored: object) -> str | None:
        """Return the identifier of which *stored* is the host's form; none where no identifier has it."""
        return None if stored is None else _text(str(stored))


# --- instants -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Instants:
    """Turns what a host keeps of the verification of an address into an instant, and back."""

    given: Any
    unit: timedelta | None
    setting: str

    def __attrs_post_init__(self) -> None:
        if isinstance(self.given, bool) or self._is_flag() or self._is_date():
            return
        if not is_expression(self.given) or not isinstance(type_of(self.given), sa.Integer):
            problem = "must be a column of instants or flags, or true or false"
            raise ConfigInvalid(setting=self.setting, problem=problem)
        if self.unit is None or self.unit <= timedelta(0):
            problem = "is a column of numbers: say what one of it is, such as unit=timedelta(seconds=1)"
            raise ConfigInvalid(setting=self.setting, problem=problem)

    def proven(self) -> sa.ColumnElement[bool]:
        """Return the condition under which an address is verified."""
        if isinstance(self.given, bool):
            return sa.true() if self.given else sa.false()
        condition: sa.ColumnElement[bool] = self.given.is_(sa.true()) if self._is_flag() else self.given.is_not(None)
        return condition

    def unproven(self) -> sa.ColumnElement[bool]:
        """Return the condition under which an address is not verified, as `read` sees it."""
        if self.unit is not None:
            return sa.or_(self.given.is_(None), self.given == 0)
        return sa.not_(self.proven())

    def read(self, stored: Any) -> datetime | None:
        """Return the instant that the host stored, `UNDATED` for a flag, or none."""
        if self._is_flag() or isinstance(self.given, bool):
            return UNDATED if stored else None
        if stored is None:
            return None
        if self.unit is not None:
            return EPOCH + int(stored) * self.unit if stored else None  # zero is how a NOT NULL column says "never"
        moment: datetime = stored
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def stored(self, at: datetime) -> object:
        """Return *at* as the host stores it."""
        if self._is_flag():
            return True
        if self.unit is not None:
            return (at - EPOCH) // self.unit
        at = at.astimezone(UTC)
        decorated = isinstance(self.given.type, sa.TypeDecorator)  # which takes an aware one, and does what it does
        return at if decorated or self.given.type.timezone else at.replace(tzinfo=None)

    def _is_flag(self) -> bool:
        return is_expression(self.given) and isinstance(type_of(self.given), sa.Boolean | TINYINT)

    def _is_date(self) -> bool:
        return is_expression(self.given) and isinstance(type_of(self.given), sa.DateTime)
