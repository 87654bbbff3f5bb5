"""The installations that the tests of the service use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mfa.world import WIDE, World


@pytest.fixture
def world(uow: Any) -> World:
    """Return an installation on each database in turn, under the policy as it comes."""
    return World(uow)


@pytest.fixture
def wide(uow: Any) -> World:
    """Return one whose budgets stand in nobody's way."""
    return World(uow, WIDE)


@pytest.fixture
def memory(memory_uow: Any) -> World:
    """Return one without a database, for what takes many steps."""
    return World(memory_uow)
