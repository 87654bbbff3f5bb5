"""The INSERT that decides between many: it tells whether the row is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authflow.errors import UniqueViolated

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa

    from authflow.adapters.sql.connection import Connection


def inserted(connection: Connection, statement: sa.Executable, values: Mapping[str, Any], *, tells: bool) -> bool:
    """Run what `authflow.adapters.sql.dialect.insert_or_tell` made; false if the primary key is taken.

    Raises:
        UniqueViolated: Another rule than the primary key refused the row.
    """
    if tells:
        return connection.run(statement, values).one_or_none() is not None
    try:
        with connection.savepoint():
            connection.run(statement, values)
    except UniqueViolated as violated:
        if violated.rule == "primary_key":
            return False
        raise
    return True
