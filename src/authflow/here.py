"""Who asks here: which thread, and which task in it. A context is copied into others; a connection must not be."""

from __future__ import annotations

import sys
from threading import get_ident


def whoever() -> object:
    """Return what tells this thread, and the task that runs in it, from all others."""
    asyncio = sys.modules.get("asyncio")  # where nobody has imported it there are no tasks
    try:
        task = None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        task = None
    return get_ident() if task is None else task
