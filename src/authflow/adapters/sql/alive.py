"""Whether a connection of a pool still lives, at less than a round trip for each transaction.

A server that ends a session says so, or hangs up: then its socket has something to read. One that was used a moment ago
and has nothing to read is taken as it is; any other is asked for an answer first, as SQLAlchemy's pre-ping does with
every one of them.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event, exc

if TYPE_CHECKING:
    import sqlalchemy as sa

TRUSTED_SECONDS: Final = 5.0
"""How long a connection may lie in the pool unasked. Networks drop idle ones in silence, the hastiest after minutes."""

USED: Final = "authflow_used"
"""Under which a connection's record keeps when it came back to the pool."""


def watch(engine: sa.Engine) -> None:
    """Let the pool of *engine* replace a connection that died while nobody used it."""
    dialect = engine.dialect

    def require_alive(raw: Any, record: Any, _lent: object) -> None:
        used = record.info.get(USED)
        try:
            if used is not None and not _is_as_left(record.driver_connection, used):
                dialect.do_ping(raw)
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, raw, None):
                raise exc.InvalidatePoolError from error  # the pool connects anew, and its others are suspect, too
            raise

    event.listen(engine, "checkin", _note)
    event.listen(engine, "checkout", require_alive)


def _note(_raw: object, record: Any) -> None:
    record.info[USED] = time.monotonic()


def _is_as_left(driven: Any, used: float) -> bool:
    """Tell whether the server has said nothing since it was *used*, which was a moment ago.

    It cannot be told of a driver that shows no socket.
    """
    if time.monotonic() - used >= TRUSTED_SECONDS or not (hasattr(driven, "fileno") and hasattr(select, "poll")):
        return False
    socket = select.poll()
    socket.register(driven.fileno(), select.POLLIN)
    return not socket.poll(0)
