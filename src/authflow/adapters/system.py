"""The real clock and the real randomness."""

from __future__ import annotations

import secrets
from datetime import datetime

from authflow.values import UTC


class SystemClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)


class SystemEntropy:
    """The operating system's cryptographically secure randomness."""

    def random_bytes(self, count: int) -> bytes:
        """Return *count* unpredictable bytes."""
        return secrets.token_bytes(count)
