"""A factor's state as a row, and back: stable tags, and a format number for the part that is a document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from authflow.adapters.sql import columns as c
from authflow.errors import SchemaTooNew
from authflow.mfa.factor import (
    Authenticator,
    Enrolled,
    Proposal,
    Proposed,
    Rotating,
    Unenrolled,
    enrolled,
    pending,
)
from authflow.mfa.recovery import NoCodes, Ready
from authflow.values import AuthenticatorId, SessionId

if TYPE_CHECKING:
    from authflow.mfa.factor import Factor
    from authflow.mfa.recovery import Recovery

FORMAT: Final = 1
"""Of the document; a later version of the library reads the older ones."""

TAGS: Final[dict[type[Factor | Recovery], str]] = {
    Unenrolled: "unenrolled",
    Proposed: "proposed",
    Enrolled: "enrolled",
    Rotating: "rotating",
    NoCodes: "no_codes",
    Ready: "ready",
}
"""Stable: stored rows carry them."""

STATES: Final = {tag: state for state, tag in TAGS.items()}


def dump(state: Factor | Recovery) -> dict[str, Any]:
    """Return the columns of *state*, its key and version excepted."""
    columns: dict[str, Any] = {"authenticator": None, "sealing_key": None, "proposal_expires_at": None}
    document: dict[str, Any] = {}
    if isinstance(state, Ready):
        columns["authenticator"] = state.authenticator
        document["ready"] = [c.micros(state.created_at), c.micros_or_none(state.last_used_at), state.left]
    elif not isinstance(state, NoCodes):
        proven, proposal = enrolled(state), pending(state)
        if proven is not None:
            columns |= {"authenticator": proven.id, "sealing_key": proven.secret.key_id}
            document["authenticator"] = _authenticator(proven)
        if proposal is not None:
            columns["proposal_expires_at"] = c.micros(proposal.expires_at)
            document["proposal"] = _proposal(proposal)
    return {**columns, "state": TAGS[type(state)], "format": FORMAT, "data": c.dump(document)}


def load(row: Any) -> Factor | Recovery:
    """Return the state that `dump` made.

    Raises:
        SchemaTooNew: A newer library wrote the row.
    """
    if row.format != FORMAT:
        raise SchemaTooNew(found=f"format {row.format} of a factor")
    kind: type[Any] = STATES[row.state]
    document: dict[str, Any] = json.loads(row.data)
    if kind is Ready:
        created, used, left = document["ready"]
        return Ready(
            authenticator=AuthenticatorId(row.authenticator),
            created_at=c.moment(created),
            last_used_at=c.moment_or_none(used),
            left=left,
        )
    state: Factor | Recovery = kind(**{name: READERS[name](value) for name, value in document.items()})
    return state


def _authenticator(proven: Authenticator) -> list[Any]:
    used = c.micros_or_none(proven.last_used_at)
    seal = c.dump_seal(proven.secret)
    return [proven.id, proven.name, c.micros(proven.created_at), used, seal, proven.last_accepted_step]


def _proposal(proposal: Proposal) -> list[Any]:
    life = [c.micros(proposal.created_at), c.micros(proposal.expires_at)]
    return [proposal.flow.hex(), proposal.session, proposal.authenticator, c.dump_seal(proposal.secret), *life]


def _read_authenticator(stored: list[Any]) -> Authenticator:
    key, name, created, used, seal, step = stored
    return Authenticator(
        id=AuthenticatorId(key),
        name=name,
        created_at=c.moment(created),
        last_used_at=c.moment_or_none(used),
        secret=c.load_seal(seal),
        last_accepted_step=step,
    )


def _read_proposal(stored: list[Any]) -> Proposal:
    flow, session, authenticator, seal, created, expires = stored
    return Proposal(
        flow=bytes.fromhex(flow),
        session=SessionId(session),
        authenticator=AuthenticatorId(authenticator),
        secret=c.load_seal(seal),
        created_at=c.moment(created),
        expires_at=c.moment(expires),
    )


READERS: Final[dict[str, Any]] = {"authenticator": _read_authenticator, "proposal": _read_proposal}
