"""Identifiers, addresses and keys compare as bytes, and nothing that is too long is cut (decision 10)."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Final

import pytest
import sqlalchemy as sa

from authflow.adapters.sql.tables import build
from authflow.errors import DatabaseError, InputInvalid
from authflow.values import IDENTIFIER_MAX, identifier

TABLES = build().metadata.sorted_tables

NAMES: Final = ("alice", "ALICE", "álice", "alice ")
"""MariaDB's default collation takes any of them for any other."""


def rules(table: sa.Table) -> list[Any]:
    unique = (c for c in table.constraints if isinstance(c, sa.UniqueConstraint))
    return [table.primary_key, *sorted(unique, key=lambda rule: str(rule.name))]


KEYS = [
    (table, rule, column)
    for table in TABLES
    for rule in rules(table)
    for column in rule.columns
    if isinstance(column.type, sa.String)
]

TEXTS = [
    (table, column)
    for table in TABLES
    for column in table.columns
    if isinstance(column.type, sa.String) and column.type.length is not None
]


def named(part: Any) -> str:
    return str(getattr(part, "name", part))


def value(column: sa.Column[Any], variant: int) -> Any:
    kind = column.type.python_type
    return {str: f"{variant}", int: variant, bytes: bytes([variant]) * 32, bool: True}[kind]


def row(table: sa.Table, variant: int) -> dict[str, Any]:
    return {column.name: value(column, variant) for column in table.columns}


@pytest.fixture(params=["sqlite_uow", "postgresql_uow", "mariadb_uow"])
def uow(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["postgresql_uow", "mariadb_uow"])
def bounded(request: pytest.FixtureRequest) -> Any:
    """A database that knows how long a text may be; on SQLite only the types that mint ids and addresses do."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(("table", "rule", "column"), KEYS, ids=named)
def test_four_names_are_four_rows(uow: Any, table: sa.Table, rule: Any, column: sa.Column[Any]):
    """Rows that agree in every other column of the rule are told apart by this one, and found by it."""
    shared = {part.name: value(part, 1) for part in rule.columns}
    with uow.begin() as tx:
        for number, name in enumerate(NAMES):
            tx.connection.run(sa.insert(table), row(table, number + 1) | shared | {column.name: name})
        for name in (*NAMES, "Álice", "alice  ", " alice"):
            found = tx.connection.run(sa.select(column).where(column == name)).scalars()
            assert list(found) == [name] * (name in NAMES)
        together = tx.connection.run(sa.select(column).where(column.in_(["alice", "alice "])).order_by(column))
        assert list(together.scalars()) == ["alice", "alice "]


@pytest.mark.parametrize(("table", "column"), TEXTS, ids=named)
def test_a_text_that_is_too_long_is_refused_and_not_cut(bounded: Any, table: sa.Table, column: sa.Column[Any]):
    """Characters are counted, so that the longest text fits whatever it is made of."""
    length = column.type.length  # type: ignore[attr-defined]  # of a String
    with bounded.begin() as tx:
        tx.connection.run(sa.insert(table), row(table, 1) | {column.name: "\U0001f511" * length})
    with pytest.raises(DatabaseError) as refused, bounded.begin() as tx:
        tx.connection.run(sa.insert(table), row(table, 2) | {column.name: "x" * (length + 1)})
    assert type(refused.value) is DatabaseError
    with bounded.begin() as tx:
        assert tx.connection.run(sa.select(column)).scalars() == ["\U0001f511" * length]


def test_a_document_of_megabytes_comes_back_whole(uow: Any):
    """MariaDB's TEXT ends after 64 KiB."""
    audit = next(table for table in TABLES if table.name == "authflow_audit")
    document = "\U0001f511" * 2**20
    with uow.begin() as tx:
        tx.connection.run(sa.insert(audit), row(audit, 1) | {"data": document})
        assert tx.connection.run(sa.select(audit.c.data)).scalar_one() == document


@pytest.mark.parametrize("name", ["\x00", "a\x00b", "a\x00"])
def test_a_nul_is_kept_or_refused_and_never_cut(uow: Any, name: str):
    """PostgreSQL takes none. No id or address of ours has one: the types that mint them see to that."""
    account = next(table for table in TABLES if table.name == "authflow_account")
    refused = uow.engine.dialect.name == "postgresql"
    with pytest.raises(DatabaseError) if refused else nullcontext(), uow.begin() as tx:
        tx.connection.run(sa.insert(account), row(account, 1) | {"user_id": name})
    with uow.begin() as tx:
        assert tx.connection.run(sa.select(account.c.user_id)).scalars() == [name] * (not refused)
        assert tx.connection.run(sa.select(account.c.epoch).where(account.c.user_id == "a")).scalars() == []


@pytest.mark.parametrize("excess", [" ", "\x00", "x"])
def test_what_is_too_long_never_reaches_a_database(excess: str):
    """SQL lets a database drop blanks from the end of a text that is too long, and every server here does."""
    with pytest.raises(InputInvalid):
        identifier("x" * IDENTIFIER_MAX + excess, field="user")
