"""One way to drive the three hosts, whichever framework their test client belongs to."""

from __future__ import annotations

import json
import sqlite3
from abc import ABC, abstractmethod
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from authflow import AuthflowError, ConfigInvalid, Retryable
from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.errors import CommitUnknown, DatabaseUnavailable, InputInvalid, KeysInvalid, StaleVersion
from tests.empty import disposing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authflow.testing import ManualClock

ERRORS: dict[str, AuthflowError] = {
    "busy": Retryable("near-secret-text"),
    "away": DatabaseUnavailable("near-secret-text"),
    "unknown": CommitUnknown("near-secret-text"),
    "stale": StaleVersion("near-secret-text"),
    "input": InputInvalid(field="user", problem="must be 1 to 64 printable ASCII characters without blanks"),
    "caused": KeysInvalid(problem="mode 0644"),
    "setting": ConfigInvalid(setting="near-secret-text", problem="near-secret-text"),
}
"""What each host raises when it is asked for by name."""

ERRORS["caused"].__cause__ = ValueError("row (ada@example.com)")

ADA = "1"
"""The first person of each host."""


@attrs.frozen(kw_only=True)
class Reply:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]
    cookies: list[str]


class Driver(ABC):
    """A browser and a host.

    Attributes:
        clock: The host's.
        file: The host's database, which is SQLite's.
        note: A table of the host's that authflow knows nothing of.
        cookie_name: Of the host's own session.
        log: The logger that shows its errors.
        stored: The host keeps sessions in a store, so that its cookie is an id.
        remembers: An id that was changed still leads to what was kept under it, which opens nothing.
    """

    clock: ManualClock
    file: Path
    note: str = "note"
    cookie_name: str
    log: str
    stored: bool
    remembers: bool

    @abstractmethod
    def send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Reply:
        """Send one request with the cookies of this browser, and keep what comes back."""

    @abstractmethod
    def cookie(self, name: str) -> str | None:
        """Return the value of a cookie."""

    @abstractmethod
    def set_cookie(self, name: str, value: str) -> None:
        """Put a cookie into the browser."""

    @abstractmethod
    def close(self) -> None:
        """Leave no connection open."""

    def rows(self, table: str) -> int:
        """Return how many rows a table holds, of authflow's or of the host's."""
        with closing(sqlite3.connect(self.file)) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # a test's own

    def ids(self) -> set[str]:
        """Return the ids in the host's store of sessions."""
        return set()

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, None, named(headers))

    def post(self, path: str, body: object = None, **headers: str) -> Reply:
        return self.send("POST", path, json.dumps(body or {}), named(headers))

    @property
    def own_cookie(self) -> str:
        """The value of the host's session cookie."""
        value = self.cookie(self.cookie_name)
        assert value
        return value

    @own_cookie.setter
    def own_cookie(self, value: str) -> None:
        self.set_cookie(self.cookie_name, value)


@cache
def migrated() -> bytes:
    """Return an SQLite file as ``authflow schema upgrade`` leaves it: made once, it is where every host begins."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "app.db"
        with disposing(make_engine(f"sqlite:///{file}")) as engine:
            schema.upgrade(engine, build())
        return file.read_bytes()


def named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def shown(answer: Any) -> dict[str, Any]:
    """Return what a host's page shows of an answer."""
    secrets = {name: getattr(answer, name).reveal() for name in ("secret",) if hasattr(answer, name)}
    codes = [code.reveal() for code in getattr(answer, "recovery_codes", ())]
    return {"kind": type(answer).__name__, "flow": getattr(answer, "flow", None), "codes": codes, **secrets}
