"""Counts what reaches a database, seen from outside of whatever sends it: SQLite's own trace, PostgreSQL's own wire.

Nothing here knows the library under test, so that peers, hand-written code and authflow are counted alike. BEGIN,
COMMIT and savepoints count; what a driver sends when it connects does not, if it is connected before the count.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

ENCRYPTION_REQUESTS: Final = frozenset({80877103, 80877104})
"""SSLRequest and GSSENCRequest come before the start-up message, in its form (PostgreSQL, "Message Formats")."""

ASKS: Final = frozenset(b"QSH")
"""Query, Sync and Flush: the client's messages that make the server answer."""

FLUSH: Final = ord("H")
"""Right behind another message that asks, it asks for nothing more; psycopg ends a pipeline so."""

FILE_NAME: Final = ".s.PGSQL.5432"
"""What a client appends to a host that is a folder."""


class Tally:
    """What was counted: every statement's text in `log`, and `round_trips`, which only a server has."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.round_trips = 0

    @property
    def statements(self) -> int:
        """How many statements were executed."""
        return len(self.log)

    def trace(self, connection: Any) -> None:  # noqa: ANN401  # sqlite3.Connection, or a subclass of a framework's own
        """Count what the SQLite *connection* executes from now on; an ``executemany`` is one statement per row."""
        connection.set_trace_callback(self.log.append)


class Frontend:
    """Reads what a client says, message by message, however its bytes are cut into pieces."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._started = False
        self._asked = False
        self._rest = b""
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}

    def feed(self, piece: bytes) -> None:
        """Count every message that is complete with this *piece*."""
        self._rest += piece
        while (end := self._end()) and len(self._rest) >= end:
            message, self._rest = self._rest[:end], self._rest[end:]
            self._count(message)

    def _end(self) -> int:
        """Return where the first message ends, or nothing while its length is not known."""
        kind = 1 if self._started else 0
        if len(self._rest) < kind + 4:
            return 0
        return kind + int(struct.unpack_from("!I", self._rest, kind)[0])

    def _count(self, message: bytes) -> None:
        if not self._started:
            self._started = struct.unpack_from("!I", message, 4)[0] not in ENCRYPTION_REQUESTS
            return
        kind, body = message[0], message[5:]
        self._tally.round_trips += kind in ASKS and not (self._asked and kind == FLUSH)
        self._asked = kind in ASKS
        match chr(kind):
            case "Q":
                self._tally.log.append(_text(body))
            case "P":
                name, text, _types = body.split(b"\0", 2)
                self._prepared[name] = _text(text)
            case "B":
                portal, name, _values = body.split(b"\0", 2)
                self._portals[portal] = self._prepared.get(name, "")
            case "E":
                self._tally.log.append(self._portals.get(body.partition(b"\0")[0], ""))
            case _:
                pass


@contextlib.contextmanager
def wire(uri: str, tally: Tally) -> Generator[str]:
    """Stand between a client and the PostgreSQL at *uri*; give the URI at which the client connects instead.

    A round trip is a message that makes the server answer, so a pipeline that waits once counts once. Whatever a
    client was answered has been counted before: there is no race between a flow and its count.
    """
    parts = urlsplit(uri)
    with tempfile.TemporaryDirectory(prefix="wire-") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(str(Path(folder) / FILE_NAME))
        server.listen()
        standing = Standing(server, str(Path(parse_qs(parts.query)["host"][0]) / FILE_NAME), tally)
        threading.Thread(target=standing.accept, daemon=True).start()
        try:
            yield f"postgresql://{parts.username}:@/{parts.path.lstrip('/')}?host={quote(folder, '')}"
        finally:
            standing.stop()


class Standing:
    """Takes what clients say to *server*, counts it, and says it to the socket at *upstream*."""

    def __init__(self, server: socket.socket, upstream: str, tally: Tally) -> None:
        self._server, self._upstream, self._tally = server, upstream, tally
        self._open: list[socket.socket] = [server]
        self._threads: list[threading.Thread] = []

    def accept(self) -> None:
        """Serve every client, until `stop`."""
        with contextlib.suppress(OSError):  # the server was shut down
            while True:
                client, _address = self._server.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(self._upstream)
                serving = threading.Thread(target=self._serve, args=(client, upstream), daemon=True)
                self._open += [client, upstream]
                self._threads.append(serving)
                serving.start()

    def stop(self) -> None:
        """Hang up on everybody, and return when everything is closed."""
        for opened in self._open:
            with contextlib.suppress(OSError):  # closed already
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _serve(self, client: socket.socket, upstream: socket.socket) -> None:
        with client, upstream:
            back = threading.Thread(target=_pump, args=(upstream, client, None), daemon=True)
            back.start()
            _pump(client, upstream, Frontend(self._tally).feed)
            back.join()


def _pump(source: socket.socket, target: socket.socket, seen: Callable[[bytes], None] | None) -> None:
    with contextlib.suppress(OSError):  # either side may hang up
        while piece := source.recv(65536):
            if seen is not None:
                seen(piece)
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _text(body: bytes) -> str:
    return body.rstrip(b"\0").decode()
