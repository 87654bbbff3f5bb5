"""What an import costs: a fresh interpreter with it, less a fresh interpreter without, one right after the other."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.protocol import Watch, Work


def importing(statement: str) -> Work:
    """Return the row that runs *statement* in interpreters of this environment."""

    def imported(operations: int, watch: Watch) -> None:
        for _ in range(operations):
            watch.seconds += _took(statement) - _took("pass")

    return imported


def _took(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)  # noqa: S603  # this interpreter, a literal statement
    return time.perf_counter() - began
