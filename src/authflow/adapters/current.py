"""Which transaction is open here: in this thread, and in this task."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")


class Current(Generic[T]):
    """The open transaction of the thread or task that asks, if it has one.

    A context can be copied into another thread (``asyncio.to_thread`` does) or task (``asyncio.create_task`` does); a
    connection must not be. So whoever opened the transaction is remembered, and others find nothing.
    """

    def __init__(self) -> None:
        self._held: ContextVar[tuple[object, T] | None] = ContextVar("authflow_transaction", default=None)

    def get(self) -> T | None:
        """Return the transaction that is open here, or none."""
        held = self._held.get()
        return held[1] if held is not None and held[0] == _whoever() else None

    @contextmanager
    def holding(self, transaction: T) -> Generator[None]:
        """Let *transaction* be the open one inside the block."""
        token = self._held.set((_whoever(), transaction))
        try:
            yield
        finally:
            self._held.reset(token)


def _whoever() -> object:
    """Return what tells this thread, and the task that runs in it, from all others."""
    asyncio = sys.modules.get("asyncio")  # where nobody has imported it there are no tasks
    try:
        task = None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        task = None
    return get_ident() if task is None else task
