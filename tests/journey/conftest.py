"""Who asks twice under one key, on each database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.stage import Stage

if TYPE_CHECKING:
    from tests.stage import Person


@pytest.fixture
def host(uow: Any) -> Stage:
    """The facade over each database in turn."""
    return Stage(uow)


@pytest.fixture
def ada(host: Stage) -> Person:
    """Ada, who is signed in with a second factor."""
    ada = host.person()
    host.sign_in(ada)
    host.enroll(ada)
    return ada
