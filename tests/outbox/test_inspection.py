from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authflow.errors import InputInvalid
from authflow.outbox.delivery import Park
from authflow.outbox.inspection import Inspection, Redriven
from authflow.outbox.relay import Drained
from authflow.testing.clocks import START
from authflow.testing.contracts.outbox import Heard
from authflow.testing.contracts.outbox_stores import Post, message


@pytest.fixture
def post(uow: Any) -> Post:
    return Post(uow)


def test_depths_are_deepest_first_and_as_many_as_asked_for(post: Post) -> None:
    inspection = Inspection(uow=post.uow, clock=post.clock)
    assert inspection.depths() == ()
    post.write(*(message(f"m{u}{n}", user=f"u{u}") for u in range(12) for n in range(u + 1)))
    assert [depth for _, depth in inspection.depths()] == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    assert [lane.shard for lane, _ in inspection.depths(limit=2)] == ["u11", "u10"]
    assert len(inspection.depths(limit=None)) == 12


def test_of_lanes_that_are_as_deep_the_one_that_waits_longest_is_first(post: Post) -> None:
    post.write(*(message(f"m{user}", user=user) for user in ("u2", "u3", "u1")))
    assert [lane.shard for lane, _ in Inspection(uow=post.uow, clock=post.clock).depths()] == ["u2", "u3", "u1"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(post: Post, limit: int) -> None:
    with pytest.raises(InputInvalid):
        Inspection(uow=post.uow, clock=post.clock).depths(limit=limit)


def test_redriving_drops_what_expired_and_brings_back_the_rest(post: Post) -> None:
    post.write(message("m1", expires_at=START + timedelta(seconds=1)), message("m2", about="o2"))
    assert post.relay(Heard(Park(reason="x"))).drain() == Drained(parked=2)
    post.clock.advance(seconds=1)
    inspection = Inspection(uow=post.uow, clock=post.clock)
    assert inspection.redrive(["m1", "m2", "unknown"]) == Redriven(back=1, dropped=1)
    assert (inspection.parked(), post.left()) == ((), 1)
    assert inspection.redrive([]) == Redriven(back=0, dropped=0)
