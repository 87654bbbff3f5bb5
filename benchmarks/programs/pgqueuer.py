"""The peer ``pgqueuer``: jobs put into PostgreSQL and taken out again, over asyncpg."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from pgqueuer import AsyncpgDriver, QueueManager
from pgqueuer.models import Job  # noqa: TC002  # read when an entry point is registered
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from benchmarks.protocol import Watch, Work, World

ENTRY: Final = "done"


async def done(job: Job) -> None:
    """Do what the handlers of the others do: read the payload."""
    json.loads(job.payload or b"")


class Queue:
    """One connection, one event loop."""

    def __init__(self, world: World) -> None:
        self._loop = asyncio.new_event_loop()
        self._queries = Queries(AsyncpgDriver(self._wait(asyncpg.connect(world.target))))
        self._wait(self._queries.install())
        self._numbers = itertools.count()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  # whatever is waited for
        return self._loop.run_until_complete(work)

    def _payload(self) -> bytes:
        payload = {"authenticator": f"{next(self._numbers):026}", "kind": "totp", "note": "x" * 120}
        return json.dumps(payload).encode()

    async def _put(self, size: int) -> None:
        if size == 1:
            await self._queries.enqueue(ENTRY, self._payload())
        else:
            await self._queries.enqueue([ENTRY] * size, [self._payload() for _ in range(size)], [0] * size)

    async def _take_all(self, batch: int) -> None:
        manager = QueueManager(self._queries)
        manager.entrypoint(ENTRY)(done)
        await manager.run(batch_size=batch, mode=QueueExecutionMode.drain)

    def enqueue(self, size: int) -> Work:
        """Return the row that puts *size* jobs in with one statement."""

        async def several(operations: int, watch: Watch) -> None:
            for _ in range(operations):
                with watch:
                    await self._put(size)

        def enqueued(operations: int, watch: Watch) -> None:
            self._wait(several(operations, watch))

        return enqueued

    def drain(self, size: int, batch: int) -> Work:
        """Return the row that starts a worker, which takes *size* jobs out and ends."""

        def drained(operations: int, watch: Watch) -> None:
            self._wait(self._queries.clear_queue())
            for _ in range(operations):
                self._wait(self._put(size))
                with watch:
                    self._wait(self._take_all(batch))

        return drained


def rows(world: World) -> Mapping[str, Work]:
    """Offer putting in and taking out."""
    queue = Queue(world)
    return {
        "enqueue_1": queue.enqueue(1),
        "enqueue_100": queue.enqueue(100),
        "drain_1": queue.drain(100, 1),
        "drain_100": queue.drain(1000, 100),
    }


if __name__ == "__main__":
    serve(rows, versions=("pgqueuer", "asyncpg"))
