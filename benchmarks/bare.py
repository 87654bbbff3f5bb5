"""The tables of what is written by hand, and the two bare drivers under it."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.protocol import World

TABLES: Final = (
    "CREATE TABLE pending (user_id TEXT PRIMARY KEY, secret {bytes} NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE TABLE factor (user_id TEXT PRIMARY KEY, secret {bytes} NOT NULL, last_step BIGINT NOT NULL)",
    "CREATE TABLE code (digest {bytes} PRIMARY KEY, user_id TEXT NOT NULL, used_at BIGINT)",
    "CREATE TABLE attempt (key TEXT PRIMARY KEY, total INTEGER NOT NULL)",
    "CREATE TABLE session (digest {bytes} PRIMARY KEY, user_id TEXT NOT NULL, state TEXT NOT NULL)",
    "CREATE TABLE account (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE)",
    "CREATE TABLE identity (provider TEXT, subject TEXT, user_id TEXT NOT NULL, PRIMARY KEY (provider, subject))",
    "CREATE TABLE visit (state {bytes} PRIMARY KEY, browser {bytes} NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE TABLE outbox (number {number}, id TEXT NOT NULL UNIQUE, shard TEXT NOT NULL, payload TEXT NOT NULL)",
)


class Sqlite:
    """The driver of the standard library."""

    def __init__(self, world: World) -> None:
        connection = sqlite3.connect(world.target, isolation_level=None)
        for table in TABLES:
            connection.execute(table.format(bytes="BLOB", number="INTEGER PRIMARY KEY AUTOINCREMENT"))
        world.opened(connection)
        self._connection, self.close = connection, connection.close
        self.together = contextlib.nullcontext

    def run(self, statement: str, *values: object) -> Any:  # noqa: ANN401  # the driver's cursor
        """Execute one statement."""
        return self._connection.execute(statement.replace("%s", "?").replace(" FOR UPDATE", ""), values)

    def enqueue(self, messages: Sequence[tuple[str, str, str]]) -> None:
        """Insert messages in a transaction."""
        self.run("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO outbox (id, shard, payload) VALUES (?, ?, ?)", messages)
        self.run("COMMIT")

    def page(self, size: int) -> list[Any]:
        """Begin, and return the oldest messages."""
        self.run("BEGIN IMMEDIATE")
        page: list[Any] = self.run("SELECT number, payload FROM outbox ORDER BY number LIMIT %s", size).fetchall()
        return page

    def remove(self, page: Sequence[Any]) -> None:
        """Delete what was delivered, and commit."""
        self.run("DELETE FROM outbox WHERE number BETWEEN %s AND %s", page[0][0], page[-1][0])
        self.run("COMMIT")


class Postgresql:
    """psycopg 3, with what need not wait sent together."""

    def __init__(self, world: World) -> None:
        connection = psycopg.connect(world.target, autocommit=True)
        for table in TABLES:
            number = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
            connection.execute(table.format(bytes="BYTEA", number=number))
        self._connection, self.close = connection, connection.close
        self.together = connection.pipeline

    def run(self, statement: str, *values: object) -> Any:  # noqa: ANN401  # the driver's cursor
        """Execute one statement, or send it, inside ``together``."""
        return self._connection.execute(statement.replace("BEGIN IMMEDIATE", "BEGIN"), values or None)

    def enqueue(self, messages: Sequence[tuple[str, str, str]]) -> None:
        """Insert messages in one statement, which is a transaction."""
        if len(messages) == 1:
            self.run("INSERT INTO outbox (id, shard, payload) VALUES (%s, %s, %s)", *messages[0])
            return
        unnested = "INSERT INTO outbox (id, shard, payload) SELECT * FROM unnest(%b::text[], %b::text[], %b::text[])"
        self._connection.execute(unnested, [list(column) for column in zip(*messages, strict=True)])

    def page(self, size: int) -> list[Any]:
        """Begin, and return the oldest messages, locked."""
        self.run("BEGIN")
        found = self.run("SELECT number, payload FROM outbox ORDER BY number LIMIT %s FOR UPDATE SKIP LOCKED", size)
        page: list[Any] = found.fetchall()
        return page

    def remove(self, page: Sequence[Any]) -> None:
        """Delete what was delivered, and commit."""
        self.run("DELETE FROM outbox WHERE number = ANY(%s)", [number for number, _payload in page])
        self.run("COMMIT")
