"""What the host lets authflow delete of a person: rows that it names, or whatever its own function deletes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import sqlalchemy as sa

from authflow.adapters.sql.hosted.conversion import Expression, core, is_column
from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.connection import Connection
    from authflow.adapters.sql.hosted.conversion import Ids


class RowsOf:
    """The rows whose column is a person's id: of each column's table in turn, the person's own row last.

    >>> import sqlalchemy as sa
    >>> token = sa.table("reset_token", sa.column("user_id", sa.Integer))
    >>> RowsOf(token.c.user_id)
    RowsOf(reset_token.user_id)

    Raises:
        ConfigInvalid: No column, or something that is no column of a table.
    """

    def __init__(self, *columns: Expression) -> None:
        plain = tuple(core(column) for column in columns)
        if not plain or not all(is_column(column, getattr(column, "table", None)) for column in plain):
            raise ConfigInvalid(setting="RowsOf", problem="must name columns of tables")
        self.columns: Final = plain

    def __repr__(self) -> str:
        return f"RowsOf({', '.join(map(str, self.columns))})"

    def deleting(self, ids: Ids) -> Callable[[Connection, Any], int]:
        """Return a function that deletes them, and says how many rows of the last column's table it deleted."""
        statements = [sa.delete(column.table).where(column == ids.bound("owner")) for column in self.columns]

        def delete(connection: Connection, owner: Any) -> int:
            return [connection.changed(statement, {"owner": owner}) for statement in statements][-1]

        return delete


def deleting(given: Any, ids: Ids, *, setting: str, problem: str) -> Callable[[Connection, Any], int]:
    """Return how *given* deletes: rows, or a function of the host's.

    Raises:
        ConfigInvalid: It is neither; *problem* says what is asked for.
    """
    if isinstance(given, RowsOf):
        return given.deleting(ids)
    if not callable(given):
        raise ConfigInvalid(setting=setting, problem=problem)
    return cast("Callable[[Connection, Any], int]", given)
