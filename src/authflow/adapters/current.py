"""Which transaction is open here: in this thread, and in this task."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Generic, TypeVar

from authflow.here import whoever

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
        return held[1] if held is not None and held[0] == whoever() else None

    @contextmanager
    def holding(self, transaction: T) -> Generator[None]:
        """Let *transaction* be the open one inside the block."""
        token = self._held.set((whoever(), transaction))
        try:
            yield
        finally:
            self._held.reset(token)
