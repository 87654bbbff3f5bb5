"""Watching an installation from outside: what it sends to its database, and what its commands leave there.

For demonstrations and benchmarks; the library itself never looks at what it has written in this way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from authflow.facts.records import Category, Signal

if TYPE_CHECKING:
    import sqlalchemy as sa

    from authflow.adapters.sql.tables import Tables


class Watch:
    """Counts the statements of *engine* from now on, in `statements`; what begins or ends a transaction is none."""

    def __init__(self, engine: sa.Engine, tables: Tables) -> None:
        self.statements = 0
        self._engine = engine
        self._audit, self._outbox = tables.shared.audit, tables.shared.outbox
        event.listen(engine, "before_cursor_execute", self._count)

    def audited(self) -> dict[str, str]:
        """Return what every audit entry says happened, by the entry's id, in the order in which they were written."""
        with self._engine.begin() as connection:
            found = connection.execute(self._audit.select().order_by(self._audit.c.number))
            return {row.id: row.event for row in found}

    def waiting(self) -> dict[str, str]:
        """Return what every message in the outbox announces, by the message's id, in the order of writing."""
        with self._engine.begin() as connection:
            found = connection.execute(self._outbox.select().order_by(self._outbox.c.number))
            return {row.id: _announced(row) for row in found}

    def _count(self, _connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        self.statements += not statement.startswith("BEGIN")


def _announced(row: Any) -> str:
    category, payload = Category(row.category), json.loads(row.payload)
    if category is Category.SIGNAL:
        return f"signal {Signal(payload['signal']).name.lower()} to {row.destination}"
    if category is Category.MAIL:
        return f"mail {payload['mail']}"
    if category is Category.SECURITY_EVENT:
        return f"event {payload['event']}"
    return f"message {category.name.lower()}"
