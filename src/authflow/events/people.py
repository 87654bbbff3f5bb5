"""The address of the person behind an event (outbox 3.3)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from authflow.events.document import Document, Notes

AUTO: Final = "{{auto}}"
"""A client asks that the address be filled in."""

CLIENT_SIDE: Final = frozenset({"javascript", "objc", "cocoa"})
"""Platforms on which the sender of the event is the person's own device."""

IDENTIFYING: Final = (("id", "id"), ("username", "username"), ("email", "email"), ("ip_address", "ip"))
"""Fields of a user, the strongest first, and what each is called in the derived tag (outbox 3.6)."""


def with_address(user: Document, *, request: Document, platform: str, client_ip: str | None, notes: Notes) -> Document:
    """Return *user* with a valid address, or without one. An address that is given is never overwritten."""
    given = user.get("ip_address")
    rest = {name: value for name, value in user.items() if name != "ip_address"}
    if given == AUTO:
        found = client_ip
    elif given is not None:
        found = _valid(given)
        if found is None:
            notes.add("invalid_data", "user.ip_address", given)
    else:
        found = _remote(request) or (client_ip if platform in CLIENT_SIDE else None)
    return rest if found is None else {**rest, "ip_address": found}


def _remote(request: Document) -> str | None:
    env = request.get("env")
    return _valid(cast("Document", env).get("REMOTE_ADDR")) if isinstance(env, dict) else None


def _valid(given: object) -> str | None:
    try:
        return str(ipaddress.ip_address(given)) if isinstance(given, str) else None
    except ValueError:
        return None


def label(user: Document) -> str | None:
    """Return the value by which people are counted, such as ``id:7``, or none."""
    for field, short in IDENTIFYING:
        value = user.get(field)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return f"{short}:{value}"
    return None
