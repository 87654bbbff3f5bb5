"""PostgreSQL's pipeline as psycopg has it: several statements go out in one trip, and their answers come in one.

asyncpg and psycopg's asynchronous connections, as SQLAlchemy adapts them, have none; nor do the other databases.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Generator

    from authflow.adapters.sql.prepared import Bound
    from authflow.adapters.sql.tap import Kind


CUT_OFF: Final = ("08", "57P")
"""SQLSTATEs that begin so end the connection: connection exceptions, and what an operator or a timeout has ended."""


@attrs.frozen(eq=False)
class Unsent:
    """A statement that waits for the next trip; *kind* is none for a BEGIN, which was told when it was asked for.

    One whose answer is read later has a *cursor* of its own.
    """

    kind: Kind | None
    text: str
    bound: Bound | None = None
    cursor: Any = None


def finding(text: str) -> str:
    """Return the UPDATE or DELETE *text* as a statement that fails if it finds no row: by dividing by their number.

    So a COMMIT may travel behind it unseen: the server passes over whatever is behind a statement that failed.
    """
    return f"WITH found AS ({text} RETURNING 1) SELECT 1 / count(*) FROM found"  # noqa: S608  # a compiled statement


class WirePipeline:
    """The pipeline of one psycopg connection.

    Args:
        raw: The connection, outside a transaction.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._ours = False

    def begin(self) -> str | None:
        """Return how a transaction is begun, if it is left to us; psycopg's own BEGIN would be a trip of its own."""
        if not self.take_over():
            return None
        level = self._raw.isolation_level
        return "BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {_words(level)}"

    def take_over(self) -> bool:
        """Let psycopg commit every statement by itself until `end`; false where the host's settings forbid it."""
        raw = self._raw
        if raw.autocommit or raw.read_only is not None or raw.deferrable is not None or raw.info.transaction_status:
            return False  # the host has wishes that the driver knows how to write, or it is inside already
        raw.autocommit = self._ours = True
        return True

    def end(self) -> None:
        """Leave the connection as it was found; its transaction is over."""
        if self._ours:
            self._raw.autocommit = self._ours = False

    def answered(self, error: object) -> bool:
        """Tell whether *error* is what the server answered, on a connection that goes on: it was not cut off."""
        state: str | None = getattr(error, "sqlstate", None)
        return state is not None and not state.startswith(CUT_OFF) and not self._raw.closed

    @contextmanager
    def together(self) -> Generator[None]:
        """Send what the block executes without waiting for answers; leaving it waits for all of them.

        Behind a statement that failed the server passes everything over, COMMIT too; its error is what is raised. Where
        the block raises one itself, the answers that are left are nobody's; psycopg would log them, values and all.
        """
        with self._raw.pipeline() as pipeline:
            try:
                yield
            except BaseException:
                with suppress(Exception):
                    pipeline.sync()
                raise


def wire_pipeline_of(raw: Any) -> WirePipeline | None:
    """Return the pipeline of the connection *raw*, or none where its driver has none."""
    psycopg: Any = sys.modules.get("psycopg")  # whoever has a connection of it has loaded it
    if psycopg is None or not isinstance(raw, psycopg.Connection) or not psycopg.Pipeline.is_supported():
        return None
    return WirePipeline(raw)


def _words(level: Any) -> str:
    return str(level.name).replace("_", " ")
