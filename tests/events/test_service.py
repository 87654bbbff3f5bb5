"""Event saving on every database keeps its contract."""

from __future__ import annotations

from authflow.testing.contracts.events import EventsContract


class TestEvents(EventsContract):
    """In memory, on SQLite and on PostgreSQL."""
