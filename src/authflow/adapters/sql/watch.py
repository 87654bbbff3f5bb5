"""Watching an installation from outside: what it sends to its database, and what its commands leave there.

For demonstrations and benchmarks; the library itself never looks at what it has written in this way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from authflow.adapters.sql.tap import Kind
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import ConfigInvalid
from authflow.facts.records import Category, Signal

if TYPE_CHECKING:
    from authflow.adapters.sql.tap import Event

ENDS: Final = frozenset({Kind.BEGIN, Kind.COMMIT, Kind.ROLLBACK})
"""What begins or ends a transaction."""


class Watch:
    """Counts the statements of *uow* from now on, in `statements`; what begins or ends a transaction is none.

    Raises:
        ConfigInvalid: *uow* keeps nothing in a database.
    """

    def __init__(self, uow: object) -> None:
        if not isinstance(uow, SqlUnitOfWork):
            raise ConfigInvalid(setting="uow", problem="keeps nothing in a database")
        self.statements = 0
        self._engine = uow.engine
        self._audit, self._outbox = uow.tables.shared.audit, uow.tables.shared.outbox
        uow.tap = self

    def before(self, event: Event) -> None:
        """Count what is about to be sent."""
        self.statements += event.kind not in ENDS

    def after(self, event: Event) -> None:
        """Do nothing: it was counted before."""

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


def _announced(row: Any) -> str:
    category, payload = Category(row.category), json.loads(row.payload)
    if category is Category.SIGNAL:
        return f"signal {Signal(payload['signal']).name.lower()} to {row.destination}"
    if category is Category.MAIL:
        return f"mail {payload['mail']}"
    if category is Category.SECURITY_EVENT:
        return f"event {payload['event']}"
    return f"message {category.name.lower()}"
