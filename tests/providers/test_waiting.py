"""Whoever waits for a provider holds nobody else up: neither the database nor, under the async face, the event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from authflow.adapters.sql.asynchronous import bridge, make_async_engine
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork

if TYPE_CHECKING:
    from pathlib import Path


def test_the_event_loop_goes_on_while_a_provider_is_asked(tmp_path: Path):
    """The provider answers only after another task has run: on a loop that stands still it never would."""
    answered = threading.Event()

    async def both() -> bool:
        engine = make_async_engine(f"sqlite:///{tmp_path / 'authflow.sqlite3'}")
        uow = SqlUnitOfWork(engine.sync_engine)
        asked = asyncio.create_task(bridge(uow.outside, lambda: answered.wait(20)))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.05, answered.set)
        try:
            return await asked
        finally:
            await engine.dispose()

    assert asyncio.run(both())
