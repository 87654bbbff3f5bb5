"""What every test may use: a clock that stands still, randomness with a seed, and how Hypothesis behaves."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from authflow.testing import ManualClock, SeededEntropy
from tests.backends import (  # noqa: F401  # fixtures: pytest finds them by name
    mariadb_engine,
    mariadb_server,
    mariadb_uow,
    mariadb_url,
    memory_uow,
    postgresql_engine,
    postgresql_uow,
    postgresql_url,
    sqlite_file,
    sqlite_uow,
    uow,
)
from tests.faces import aiosqlite_uow, asyncpg_uow, loop, psycopg_async_uow  # noqa: F401  # as above
from tests.stage import stage  # noqa: F401  # as above

# No test is timed: a slow machine is no defect. On CI an example that failed is printed so that it can be replayed.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), print_blob=True, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands at the first instant of 2026."""
    return ManualClock()


@pytest.fixture
def entropy() -> SeededEntropy:
    """Return the same bytes in every run."""
    return SeededEntropy()
