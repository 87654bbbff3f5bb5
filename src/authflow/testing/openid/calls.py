"""What is asked of the fake provider, and what it answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


@attrs.frozen(kw_only=True)
class Call:
    """One request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Reply:
    """One answer, that comes after so many *seconds*."""

    status: int = 200
    media_type: str = JSON
    body: bytes = b""
    location: str = ""
    seconds: float = 0


def json_reply(said: object, *, status: int = 200) -> Reply:
    """Return an answer that says *said*."""
    return Reply(status=status, body=json.dumps(said).encode())
