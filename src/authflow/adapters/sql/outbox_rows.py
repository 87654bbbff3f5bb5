"""How lanes and messages of the outbox are stored: their columns, and what is made of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from authflow.adapters.sql import columns as c
from authflow.outbox.delivery import Due, Leased, Parked, Waiting
from authflow.outbox.lanes import Lane, Queued
from authflow.outbox.ports import ParkedMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

DUE, LEASED, WAITING = "due", "leased", "waiting"
"""The stable tags of the stored states."""

QUEUED: Final = ("number", "id", "category", "object", "payload", "at", "due_at", "expires_at")
"""The columns of a message in a lane that is known."""


def key(lane: Lane) -> dict[str, Any]:
    """Return what names *lane* in every statement."""
    return {"lane_destination": lane.destination or "", "lane_scope": lane.scope, "lane_shard": lane.shard}


def load_lane(row: Any) -> Lane:
    """Return the lane of *row*."""
    return Lane(destination=row.destination or None, scope=row.scope, shard=row.shard)


def load_state(row: Any) -> Due | Leased | Waiting:
    """Return the state of the lane of *row*."""
    if row.state == DUE:
        return Due()
    if row.state == WAITING:
        return Waiting(head=row.head, until=c.moment(row.until), attempts=row.attempts)
    return Leased(head=row.head, token=row.token, until=c.moment(row.until), attempts=row.attempts)


def dump_state(state: Leased | Waiting) -> dict[str, Any]:
    """Return the columns of *state*."""
    return {
        "state": LEASED if isinstance(state, Leased) else WAITING,
        "head": state.head,
        "token": state.token if isinstance(state, Leased) else None,
        "until": c.micros(state.until),
        "attempts": state.attempts,
    }


def load_queued(row: Sequence[Any], lane: Lane) -> Queued:
    """Return the message of *row*, whose columns are `QUEUED`."""
    number, which, category, about, payload, at, due_at, expires_at = row
    return Queued(
        number=number,
        lane=lane,
        id=which,
        category=category,
        object=about,
        payload=json.loads(payload),
        at=c.moment(at),
        due_at=c.moment(due_at),
        expires_at=c.moment_or_none(expires_at),
    )


def load_parked(row: Any) -> ParkedMessage:
    """Return the message of *row*, and why it was set aside."""
    parked = Parked(reason=row.reason, attempts=row.attempts, at=c.moment(row.parked_at))
    return ParkedMessage(queued=load_queued([getattr(row, name) for name in QUEUED], load_lane(row)), parked=parked)
