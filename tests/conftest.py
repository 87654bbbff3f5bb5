"""What every test may use: a clock that stands still, randomness with a seed, and how Hypothesis behaves."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from authflow.testing import ManualClock, SeededEntropy
from tests.backends import (  # noqa: F401  # fixtures: pytest finds them by name
    mariadb_installation,
    mariadb_server,
    mariadb_uow,
    mariadb_url,
    memory_uow,
    postgresql_installation,
    postgresql_uow,
    postgresql_url,
    sqlite_installation,
    sqlite_uow,
    uow,
)
from tests.faces import aiosqlite_uow, asyncpg_uow, known, loop, psycopg_async_uow  # noqa: F401  # as above
from tests.stage import stage  # noqa: F401  # as above

# No test is timed: a slow machine is no defect. On CI an example that failed is printed so that it can be replayed.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

EARLY: Final = {"typing", "test_crashes.py", "test_post_flow.py", "test_canaries.py", "test_vectors.py"}
"""Folders and files whose tests run first."""

MEMORY: Final = Path("/dev/shm")  # noqa: S108  # only directories with names of their own are made in it
ROOM: Final = 2 << 30
"""Bytes that a run may need: the servers of two workers, and what failed tests leave."""

# Databases wait for the disk at every commit; in memory they do not, and no test cuts the power.
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_configure() -> None:
    """Hear Ctrl-C: a run that a shell started in the background ignores it, and so would every program it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: for one of them all workers would wait at the end."""
    items.sort(key=lambda item: EARLY.isdisjoint(item.path.parts))


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over thousands of tests, each of which lives as long as the run."""
    gc.freeze()


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands at the first instant of 2026."""
    return ManualClock()


@pytest.fixture
def entropy() -> SeededEntropy:
    """Return the same bytes in every run."""
    return SeededEntropy()
