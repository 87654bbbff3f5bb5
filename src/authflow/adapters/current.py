"""Which transaction is open here: in this thread, and in this task."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from authflow.here import whoever

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

T = TypeVar("T")


@attrs.define(eq=False)
class _Block(Generic[T]):
    """A block that holds a transaction open, inside of *outer*."""

    transaction: T
    who: object
    outer: _Block[T] | None
    open: bool = True


class Current(Generic[T]):
    """The open transaction of the thread or task that asks, if it has one.

    A context can be copied into another thread (``asyncio.to_thread`` does) or task (``asyncio.create_task`` does); a
    connection must not be. So whoever opened the transaction is remembered, and others find nothing. Generators
    may end their blocks in any order, and in the context of another thread: so each block knows whether it is over.
    """

    def __init__(self) -> None:
        self._held: ContextVar[_Block[T] | None] = ContextVar("authflow_transaction", default=None)

    def get(self) -> T | None:
        """Return the transaction that is open here, or none."""
        block = next(self._open(), None)
        return block.transaction if block is not None and block.who == whoever() else None

    def elsewhere(self) -> bool:
        """Tell whether the open transaction of this context is another thread's or task's."""
        block = next(self._open(), None)
        return block is not None and block.who != whoever()

    @contextmanager
    def holding(self, transaction: T) -> Generator[Callable[[], bool]]:
        """Let *transaction* be the open one inside the block, which may ask whether its context is still the same."""
        block = _Block(transaction, whoever(), next(self._open(), None))
        self._held.set(block)
        try:
            yield lambda: block in self._open()
        finally:
            block.open = False
            self._held.set(next(self._open(), None))

    def _open(self) -> Generator[_Block[T]]:
        """Yield the blocks of this context that are not over, from the innermost outwards."""
        block = self._held.get()
        while block is not None:
            if block.open:
                yield block
            block = block.outer
