"""A session's state as a row, and back: stable tags, and a format number for the part that is a document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from authflow.adapters.sql import columns as c
from authflow.errors import SchemaTooNew
from authflow.sessions.states import (
    Anonymous,
    Ended,
    EndReason,
    EnrollmentOpen,
    EnrollmentOwed,
    FactorOwed,
    Handle,
    SignedIn,
)
from authflow.values import LinkId, Method, OrganizationId, Proof, ProviderId, SessionId, UserId

if TYPE_CHECKING:
    from authflow.sessions.states import Session

FORMAT: Final = 1
"""Of the document; a later version of the library reads the older ones."""

TAGS: Final[dict[type[Session], str]] = {
    Anonymous: "anonymous",
    FactorOwed: "factor_owed",
    EnrollmentOwed: "enrollment_owed",
    EnrollmentOpen: "enrollment_open",
    SignedIn: "signed_in",
    Ended: "ended",
}
"""Stable: stored rows carry them."""

STATES: Final = {tag: state for state, tag in TAGS.items()}


def dump(state: Session) -> dict[str, Any]:
    """Return the columns of *state*, its version excepted."""
    handle = state.handle
    user, epoch = (None, None) if isinstance(state, Anonymous | Ended) else (state.user, state.epoch)
    document = {"superseded": [old.hex() for old in handle.superseded], **_document(state)}
    return {
        "id": handle.id,
        "state": TAGS[type(state)],
        "user_id": user,
        "epoch": epoch,
        "digest": handle.digest,
        "generation": handle.generation,
        "created_at": c.micros(handle.created_at),
        "expires_at": c.micros(state.expires_at),
        "format": FORMAT,
        "data": c.dump(document),
    }


def load(row: Any) -> Session:
    """Return the state that `dump` made.

    Raises:
        SchemaTooNew: A newer library wrote the row.
    """
    if row.format != FORMAT:
        raise SchemaTooNew(found=f"format {row.format} of a session")
    document: dict[str, Any] = json.loads(row.data)
    handle = Handle(
        id=SessionId(row.id),
        digest=bytes(row.digest),
        generation=row.generation,
        created_at=c.moment(row.created_at),
        superseded=tuple(bytes.fromhex(old) for old in document.pop("superseded")),
    )
    person = {} if row.user_id is None else {"user": UserId(row.user_id), "epoch": row.epoch}
    kind: type[Any] = STATES[row.state]
    state: Session = kind(handle=handle, expires_at=c.moment(row.expires_at), **person, **_fields(document))
    return state


def _document(state: Session) -> dict[str, Any]:
    match state:
        case Anonymous():
            return {}
        case Ended(reason=reason):
            return {"reason": reason.value}
        case SignedIn(proofs=proofs, lapsed=lapsed, aged=aged):
            methods, old = sorted(method.value for method in lapsed), {"aged": sorted(aged)} if aged else {}
            return {"proofs": [_proof(p) for p in proofs], "since": c.micros(state.since), "lapsed": methods, **old}
        case EnrollmentOpen(redeemed_at=redeemed_at):
            opened = {"redeemed_at": c.micros(redeemed_at)}
            return {"proof": _proof(state.proof), "since": c.micros(state.since), **opened}
        case FactorOwed() | EnrollmentOwed():
            return {"proof": _proof(state.proof), "since": c.micros(state.since)}


def _proof(proof: Proof) -> list[Any]:
    """Without a link it is the list that earlier versions wrote, and that those still running read."""
    place = [proof.organization, proof.provider]
    return [proof.method.value, c.micros(proof.at), *place, *([] if proof.link is None else [proof.link])]


def _fields(document: dict[str, Any]) -> dict[str, Any]:
    """Every key of a document names a field; how it is read depends on nothing else."""
    return {name: READERS[name](value) for name, value in document.items()}


def _read_proof(stored: list[Any]) -> Proof:
    method, at, organization, provider, *link = stored
    return Proof(
        method=Method(method),
        at=c.moment(at),
        organization=None if organization is None else OrganizationId(organization),
        provider=None if provider is None else ProviderId(provider),
        link=LinkId(link[0]) if link else None,
    )


def _read_proofs(stored: list[list[Any]]) -> tuple[Proof, ...]:
    return tuple(_read_proof(proof) for proof in stored)


def _read_methods(stored: list[str]) -> frozenset[Method]:
    return frozenset(Method(value) for value in stored)


def _read_links(stored: list[str]) -> frozenset[LinkId]:
    return frozenset(LinkId(value) for value in stored)


READERS: Final[dict[str, Any]] = {
    "reason": EndReason,
    "proof": _read_proof,
    "proofs": _read_proofs,
    "lapsed": _read_methods,
    "aged": _read_links,
    "since": c.moment,
    "redeemed_at": c.moment,
}
