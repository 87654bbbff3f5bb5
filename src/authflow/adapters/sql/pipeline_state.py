"""A pipeline as a row, and back: a handle in columns that are written once, a stable tag, and a document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from authflow.adapters.sql import columns as c
from authflow.sso.identity import Identity, Subject
from authflow.sso.pipeline import Flow, Handle, PipelineId
from authflow.sso.progress import (
    AddressMailed,
    AddressProven,
    Away,
    Identified,
    Over,
    ProofMailed,
    Proven,
    Why,
)
from authflow.sso.setup import Proposed, Tried
from authflow.values import Address, OrganizationId, ProviderId, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authflow.sso.progress import Login
    from authflow.sso.setup import Setup

    Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]

FORMAT: Final = 1
"""Of the document. A pipeline lives for an hour: one in another format is none, and the person begins again."""

TAGS: Final[dict[type[Login | Setup], str]] = {
    Away: "away",
    Identified: "identified",
    ProofMailed: "proof_mailed",
    Proven: "proven",
    AddressMailed: "address_mailed",
    AddressProven: "address_proven",
    Proposed: "proposed",
    Tried: "tried",
    Over: "over",
}
"""Stable: stored rows carry them."""

STATES: Final = {tag: state for state, tag in TAGS.items()}

WAITS: Final = (TAGS[Away], TAGS[Proposed])
"""Whose browser is at the provider."""


def dump_handle(handle: Handle) -> dict[str, Any]:
    """Return the columns of *handle*."""
    return {
        "id": handle.id,
        "digest": handle.digest,
        "session_id": handle.session,
        "flow": handle.flow.value,
        "organization_id": handle.organization,
        "provider_id": handle.provider,
        "kind": handle.kind,
        "steps": handle.steps,
        "started_by": handle.started_by,
        "started_at": c.micros(handle.started_at),
        "expires_at": c.micros(handle.expires_at),
    }


def dump(state: Login | Setup) -> dict[str, Any]:
    """Return the columns of *state*, its handle and version excepted."""
    user = getattr(state, "user", None)
    return {"state": TAGS[type(state)], "user_id": user, "format": FORMAT, "data": c.dump(_write(FIELDS, state))}


def load(row: Any) -> Login | Setup | None:
    """Return the state that `dump` made; none if it is in the format of another version of the library."""
    if row.format != FORMAT:
        return None
    document: dict[str, Any] = json.loads(row.data)
    person = {} if row.user_id is None else {"user": UserId(row.user_id)}
    kind: type[Any] = STATES[row.state]
    state: Login | Setup = kind(handle=_handle(row), **person, **_read(FIELDS, document))
    return state


def _handle(row: Any) -> Handle:
    return Handle(
        id=PipelineId(row.id),
        digest=bytes(row.digest),
        session=SessionId(row.session_id),
        flow=Flow(row.flow),
        organization=OrganizationId(row.organization_id),
        provider=ProviderId(row.provider_id),
        kind=row.kind,
        steps=bytes(row.steps),
        started_by=None if row.started_by is None else UserId(row.started_by),
        started_at=c.moment(row.started_at),
        expires_at=c.moment(row.expires_at),
    )


def _write(codecs: Mapping[str, Codec], value: object) -> dict[str, Any]:
    """Return what *value* has of these fields; one that is none is left out."""
    fields = {name: getattr(value, name, None) for name in codecs}
    return {name: codecs[name][0](field) for name, field in fields.items() if field is not None}


def _read(codecs: Mapping[str, Codec], document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: codecs[name][1](stored) for name, stored in document.items()}


def _identity(identity: Identity) -> dict[str, Any]:
    return _write(IDENTITY, identity)


def _read_identity(stored: dict[str, Any]) -> Identity:
    return Identity(**_read(IDENTITY, stored))


def _why(why: Why) -> str:
    return why.value


BYTES: Final[Codec] = (bytes.hex, bytes.fromhex)
MOMENT: Final[Codec] = (c.micros, c.moment)
SEAL: Final[Codec] = (c.dump_seal, c.load_seal)

IDENTITY: Final[dict[str, Codec]] = {
    "organization": (str, OrganizationId),
    "provider": (str, ProviderId),
    "subject": (str, Subject),
    "legacy": (str, Subject),
    "email": (str, Address),
    "email_verified": (bool, bool),
    "name": (str, str),
    "at": MOMENT,
    "memory": SEAL,
}

FIELDS: Final[dict[str, Codec]] = {
    "state": BYTES,
    "request": SEAL,
    "proposal": SEAL,
    "identity": (_identity, _read_identity),
    "token": BYTES,
    "expires_at": MOMENT,
    "address": (str, Address),
    "why": (_why, Why),
}
"""Every key of a document names a field; how it is written and read depends on nothing else."""
