"""Where databases differ in SQL: the INSERT that meets a row which stands already, and the list of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def insert_or_update(
    dialect: str, table: sa.Table, values: Mapping[str, Any] | None, change: Callable[[Any], Mapping[str, Any]]
) -> Any:
    """Return an INSERT of *values* that changes the row of the same primary key instead, if there is one.

    The row is locked either way, and may be read with ``returning``; whether it is new is not told.

    Args:
        dialect: The name of the database.
        table: It has no uniqueness rule beside its primary key: MariaDB would change the row that breaks any of them.
        values: Of the new row; none where whole rows are given when it is run.
        change: What to set in the row that stands, given the columns of the row that was to be inserted.

    Raises:
        ConfigInvalid: The database is none of SQLite, PostgreSQL and MariaDB.
        ValueError: The table has another uniqueness rule.
    """
    _require_one_key(table)
    if dialect == "mariadb":
        new = _with(mysql.insert(table), values)
        return new.on_duplicate_key_update(dict(change(new.inserted)))
    add = _with(_insert(dialect, table), values)
    return add.on_conflict_do_update(index_elements=[*table.primary_key], set_=change(add.excluded))


def insert_or_keep(dialect: str, table: sa.Table, values: Mapping[str, Any]) -> Any:
    """Return an INSERT of *values* that leaves the row of the same primary key as it is, if there is one.

    Not MariaDB's INSERT IGNORE, which cuts text that is too long and writes a zero for a number that is none.

    Raises:
        ConfigInvalid, ValueError: As for `insert_or_update`.
    """
    if dialect == "mariadb":
        key = next(iter(table.primary_key))
        return insert_or_update(dialect, table, values, lambda new: {key.name: new[key.name]})
    _require_one_key(table)
    return _insert(dialect, table).values(values).on_conflict_do_nothing()


def insert_or_tell(dialect: str, table: sa.Table, values: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return an INSERT of *values*, and whether it answers a standing primary key with no row instead of one.

    If it does not, it raises `UniqueViolated` (rule ``primary_key``) and belongs under a savepoint: MariaDB's
    ON DUPLICATE KEY UPDATE gives the row back and counts one row, whether it is new or not.

    Raises:
        ConfigInvalid: As for `insert_or_update`.
    """
    if dialect == "mariadb":
        return sa.insert(table).values(values), False
    add = _insert(dialect, table).values(values).on_conflict_do_nothing(index_elements=[*table.primary_key])
    return add.returning(*table.primary_key), True


def among(dialect: str, column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    """Return that *column* is one of the list given as *name*: on PostgreSQL one array, whatever its length."""
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=sa.ARRAY(unbounded(column.type))))
    return column.in_(sa.bindparam(name, expanding=True))


def unbounded(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """Return *kind* without a length, for a cast: one with a length cuts what is too long, and refuses nothing."""
    return sa.Text() if isinstance(kind, sa.String) else kind


def _with(insert: Any, values: Mapping[str, Any] | None) -> Any:
    return insert if values is None else insert.values(values)


def _insert(dialect: str, table: sa.Table) -> Any:
    if dialect == "sqlite":
        return sqlite.insert(table)
    if dialect == "postgresql":
        return postgresql.insert(table)
    raise ConfigInvalid(setting="database", problem=f"{dialect} is not supported")


def _require_one_key(table: sa.Table) -> None:
    others = [constraint for constraint in table.constraints if isinstance(constraint, sa.UniqueConstraint)]
    if others or any(index.unique for index in table.indexes):
        problem = f"{table.name} has a uniqueness rule beside its primary key"
        raise ValueError(problem)
