"""A MariaDB of the tests' own: one server in a temporary directory, reached by its socket, gone with the process."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import pymysql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SMALL: Final = (
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--innodb-doublewrite=0",
    "--performance-schema=off",
    "--skip-log-bin",
)
"""Quick to make and to start."""

FORGETFUL: Final = ("--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", "--debug-no-sync")
"""A commit survives the server, but not the machine; no test cuts the power."""

CARELESS: Final = ("--sql-mode=", "--character-set-server=latin1")
"""What an installation may say, and what must not matter: text is cut, and read in another character set."""

STARTED_IN: Final = 60
"""Seconds."""


class MissingServer(Exception):
    """MariaDB is not installed."""


@attrs.define
class Server:
    """A MariaDB server that can be killed and started again.

    Attributes:
        folder: Everything it writes.
    """

    folder: Path
    _process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def url(self, database: str = "authflow") -> str:
        return f"mariadb://root@localhost/{database}?unix_socket={self.socket}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            _found("mariadbd"),
            *self._common(),
            *FORGETFUL,
            *CARELESS,
            f"--socket={self.socket}",
            "--skip-networking",
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(STARTED_IN * 20):
            if self._answers():
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def kill(self) -> None:
        """End it at once: nothing more is written, nobody is told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def install(self) -> None:
        """Make the system tables and an empty database."""
        made = [_found("mariadb-install-db"), *self._common(), "--skip-test-db"]
        subprocess.run([*made, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        self.start()
        self.run("CREATE DATABASE authflow")

    def run(self, statement: str) -> Sequence[Sequence[object]]:
        """Execute *statement* as the server's administrator, and return what it answers."""
        with pymysql.connect(unix_socket=str(self.socket), user="root", autocommit=True) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall()

    def _common(self) -> list[str]:
        return ["--no-defaults", "--user=root", f"--datadir={self.folder / 'data'}", *SMALL]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as door:  # PyMySQL leaves its own open when nobody answers
            return door.connect_ex(str(self.socket)) == 0


@contextmanager
def server() -> Iterator[Server]:
    """Start a server, and delete it with everything in it when the block is left.

    Raises:
        MissingServer: It is not installed.
    """
    _found("mariadbd")
    started = Server(Path(tempfile.mkdtemp(prefix="mariadb-")))
    try:
        started.install()
        yield started
    finally:
        started.kill()
        shutil.rmtree(started.folder, ignore_errors=True)


def _found(program: str) -> str:
    """Return where *program* is; Debian keeps servers where only the administrator's PATH looks."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise MissingServer(program)
    return path
