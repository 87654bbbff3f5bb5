"""Every shipped store of replies keeps the contract."""

from __future__ import annotations

from typing import Any

import pytest

from authflow.testing.contracts.replies import RepliesContract
from tests.backends import BACKENDS


class TestReplies(RepliesContract):
    @pytest.fixture(params=BACKENDS)
    def uow(self, request: pytest.FixtureRequest) -> Any:
        return request.getfixturevalue(f"{request.param}_uow")
