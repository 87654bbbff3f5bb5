"""Every row of an installation, read with few statements, each compiled once: most tests do it, before and after."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.adapters.sql.unit_of_work import SqlUnitOfWork


def rows(uow: SqlUnitOfWork) -> dict[str, Sequence[Any]]:
    """Return what every table holds that holds anything, by its name without the prefix."""
    with uow.begin() as tx:
        return {
            table.name.removeprefix(uow.tables.prefix): tx.connection.run(_all(table)).all()
            for table in _filled(tx, uow.tables.metadata)
        }


def _filled(tx: Any, metadata: sa.MetaData) -> list[sa.Table]:
    tables = list(metadata.tables.values())
    return [tables[place] for place in tx.connection.run(filled(metadata)).scalars()]


@cache
def filled(metadata: sa.MetaData) -> sa.Executable:
    """Return the statement that says which tables of *metadata* have rows, by their place: a dozen of thirty."""
    places = (
        sa.select(sa.literal_column(str(place)).label("place")).where(sa.select(1).select_from(table).exists())
        for place, table in enumerate(metadata.tables.values())
    )
    return sa.union_all(*places)


@cache
def _all(table: sa.Table) -> sa.Executable:
    return sa.select(table)
