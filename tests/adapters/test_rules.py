"""Every uniqueness rule of the tables comes back under its own name, from every database."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from authflow.adapters.sql.tables import build
from authflow.errors import UniqueViolated

TABLES = build()

UNIQUES = [
    (table, unique)
    for table in TABLES.metadata.sorted_tables
    for unique in (
        table.primary_key,
        *sorted((c for c in table.constraints if isinstance(c, sa.UniqueConstraint)), key=lambda c: str(c.name)),
        *sorted((index for index in table.indexes if index.unique), key=lambda index: str(index.name)),
    )
]


@pytest.fixture(params=["sqlite_uow", "postgresql_uow", "mariadb_uow"])
def uow(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def value(column: sa.Column[Any], variant: int) -> Any:
    kind = column.type.python_type
    return {str: f"{variant}", int: variant, bytes: bytes([variant]) * 32, bool: True}[kind]


def row(table: sa.Table, variant: int) -> dict[str, Any]:
    return {column.name: value(column, variant) for column in table.columns}


@pytest.mark.parametrize(("table", "unique"), UNIQUES, ids=lambda part: getattr(part, "name", None))
def test_a_violated_rule_says_its_name(uow: Any, table: sa.Table, unique: Any):
    """Two rows that agree in the columns of one rule only."""
    shared = {column.name: value(column, 1) for column in unique.columns}
    with uow.begin() as tx:
        tx.connection.run(sa.insert(table), row(table, 1))
        with pytest.raises(UniqueViolated) as raised, uow.savepoint():
            tx.connection.run(sa.insert(table), row(table, 2) | shared)
    assert raised.value.rule == unique.info.get("rule", "primary_key")


def test_no_two_rules_share_a_name():
    named = [str(unique.info["rule"]) for _, unique in UNIQUES if "rule" in unique.info]
    assert len(named) == len(set(named))


def test_every_rule_beside_a_primary_key_has_a_name():
    assert [
        unique.name for table, unique in UNIQUES if unique is not table.primary_key and "rule" not in unique.info
    ] == []


def test_a_rule_of_the_hosts_is_unknown(uow: Any):
    """But for a primary key on MariaDB, which calls each of them PRIMARY and does not say whose."""
    with pytest.raises(UniqueViolated) as raised, uow.begin() as tx:
        tx.connection.run(sa.text("CREATE TEMPORARY TABLE host (a int UNIQUE)"))
        for _ in range(2):
            tx.connection.run(sa.text("INSERT INTO host VALUES (1)"))
    assert raised.value.rule == "unknown"
