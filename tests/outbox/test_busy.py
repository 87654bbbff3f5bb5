"""A database that is busy makes a pass of the relay wait, or fail as a whole, and loses no message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authflow import Authflow, Context, KeyRing, MemoryMailer
from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.system import SystemEntropy
from authflow.errors import Retryable
from authflow.testing import add_organization, add_user
from authflow.testing.faults import at_statement, everywhere, injected, sqlite_busy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authflow.testing.faults import Faults


@pytest.fixture
def flows(tmp_path: Path) -> Iterator[Authflow]:
    """On SQLite, with one message in the outbox."""
    engine = make_engine(f"sqlite:///{tmp_path / 'app.db'}")
    schema.upgrade(engine, build())
    flows = Authflow.open(engine, keys=KeyRing.ephemeral(SystemEntropy()), mailer=MemoryMailer())
    acme, ada = add_organization(flows, "acme"), add_user(flows, "ada@example.com")
    flows.members.add(Context(), organization=acme, user=ada)
    yield flows
    engine.dispose()


def always() -> Faults:
    return everywhere(1.0, [sqlite_busy], seed=1)


@pytest.mark.parametrize("nth", [1, 2])
def test_a_pass_that_lost_to_somebody_is_made_again(flows: Authflow, nth: int):
    with injected(flows.uow, at_statement(nth, sqlite_busy)) as faults:
        drained = flows.relay.drain()
    assert [point.nth for point in faults.raised] == [nth]
    assert (drained.delivered, drained.busy, drained.failed) == (1, 0, 0)


def test_a_loop_that_goes_on_after_a_busy_database_delivers_everything(flows: Authflow):
    with injected(flows.uow, always()), pytest.raises(Retryable):
        flows.relay.drain()
    assert flows.relay.drain().delivered == 1
    assert flows.relay.drain().settled == 0
