"""Many threads at one thing: what a contract needs to show that exactly one of them wins."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TypeVar

from authflow.errors import Retryable

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

T = TypeVar("T")

THREADS: Final = 16
"""How many a contract sends at one row: enough that check-then-act lets most of them through."""

TRIES: Final = 20
"""How often a command is repeated that the database was too busy for."""


def at_once(work: Callable[[int], T], *, threads: int = THREADS, pool: Executor | None = None) -> list[T]:
    """Run ``work(0)``, ``work(1)``, ... in as many threads, which start together.

    Args:
        work: What each does with its number.
        threads: How many.
        pool: At least as many threads, with nothing else to do, that many runs share; none makes new ones.

    Returns:
        What each returned, in the order of their numbers.

    Raises:
        Exception: What the first of them raised, once all have ended.
    """
    start = threading.Barrier(threads)

    def run(number: int) -> T:
        start.wait()
        return patiently(lambda: work(number))

    with ThreadPoolExecutor(threads) if pool is None else nullcontext(pool) as running:
        started = [running.submit(run, number) for number in range(threads)]
        wait(started)
        return [ended.result() for ended in started]


def patiently(command: Callable[[], T]) -> T:
    """Return what *command* returns, repeating it while the database is busy: what raised `Retryable` was undone.

    Raises:
        Retryable: It was busy every time.
    """
    for _ in range(TRIES - 1):
        try:
            return command()
        except Retryable:
            continue
    return command()
