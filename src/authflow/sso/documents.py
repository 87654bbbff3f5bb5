"""A pipeline's state as the document that is sealed for its row, and back: a format, a stable tag, and the fields."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from authflow.sso.identity import Identity, Subject
from authflow.sso.progress import (
    AddressMailed,
    AddressProven,
    Away,
    Identified,
    Over,
    ProofMailed,
    Proven,
    Unconfirmed,
    Why,
)
from authflow.sso.setup import Proposed, Tried
from authflow.values import Address, OrganizationId, ProviderId, Sealed, UserId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from authflow.sso.kinds import Document, Json
    from authflow.sso.pipeline import Handle
    from authflow.sso.progress import Login
    from authflow.sso.setup import Setup

    Codec = tuple[Callable[[Any], Json], Callable[[Any], Any]]

FORMAT: Final = 1
"""Of the document. A pipeline lives for an hour: one in another format is none, and the person begins again."""

TAGS: Final[dict[type[Login | Setup], str]] = {
    Away: "away",
    Identified: "identified",
    Unconfirmed: "unconfirmed",
    ProofMailed: "proof_mailed",
    Proven: "proven",
    AddressMailed: "address_mailed",
    AddressProven: "address_proven",
    Proposed: "proposed",
    Tried: "tried",
    Over: "over",
}
"""Stable: stored documents carry them."""

STATES: Final = {tag: state for state, tag in TAGS.items()}


def write(state: Login | Setup) -> Document:
    """Return *state* as a document, its handle excepted."""
    return {"format": FORMAT, "state": TAGS[type(state)], "fields": _write(FIELDS, state)}


def read(handle: Handle, document: Mapping[str, Any]) -> Login | Setup | None:
    """Return the state that `write` was given; none if it is in the format of another version of the library."""
    if document.get("format") != FORMAT:
        return None
    kind: type[Any] = STATES[document["state"]]
    state: Login | Setup = kind(handle=handle, **_read(FIELDS, document["fields"]))
    return state


def _write(codecs: Mapping[str, Codec], value: object) -> dict[str, Json]:
    """Return what *value* has of these fields; one that is none is left out."""
    fields = {name: getattr(value, name, None) for name in codecs}
    return {name: codecs[name][0](field) for name, field in fields.items() if field is not None}


def _read(codecs: Mapping[str, Codec], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: codecs[name][1](field) for name, field in stored.items()}


def _identity(identity: Identity) -> Json:
    return _write(IDENTITY, identity)


def _read_identity(stored: Mapping[str, Any]) -> Identity:
    return Identity(**_read(IDENTITY, stored))


def _seal(sealed: Sealed) -> Json:
    return [sealed.key_id, base64.b64encode(sealed.ciphertext).decode()]


def _read_seal(stored: tuple[str, str]) -> Sealed:
    return Sealed(key_id=stored[0], ciphertext=base64.b64decode(stored[1]))


def _why(why: Why) -> Json:
    return why.value


BYTES: Final[Codec] = (bytes.hex, bytes.fromhex)
MOMENT: Final[Codec] = (datetime.isoformat, datetime.fromisoformat)
SEAL: Final[Codec] = (_seal, _read_seal)

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
    "user": (str, UserId),
    "token": BYTES,
    "expires_at": MOMENT,
    "address": (str, Address),
    "why": (_why, Why),
}
"""How each field is written and read, by its name: the same in every state that has one."""
