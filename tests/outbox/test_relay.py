"""The relay on every database keeps its contract."""

from __future__ import annotations

from authflow.testing.contracts.outbox import OutboxContract


class TestOutbox(OutboxContract):
    """In memory, on SQLite and on PostgreSQL."""
