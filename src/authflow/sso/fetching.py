"""Asking a provider over HTTP: the port that discovery, key sets, tokens and metadata are fetched through.

Whoever owns a provider's settings chooses where we connect to, so the port promises more than an HTTP client does: it
never reaches the installation's own network, never waits, and never reads more than it can hold.
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final, Literal, Protocol
from urllib.parse import urlsplit

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

BUDGET: Final = timedelta(seconds=10)
"""All fetches of one errand together, from the first name looked up to the last byte (security 4)."""

BODY_MAX: Final = 2**20
"""Bytes of one body, counted as they are after decompression (security 4)."""

URL_MAX: Final = 2048
"""Characters of an URL that somebody may set."""

PLAIN: Final = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII without blanks and backslashes: parsers of URLs disagree about everything else."""


def is_well_formed(url: str) -> bool:
    """Tell whether *url* names a host, and has nothing that a browser or a log should not carry."""
    if len(url) > URL_MAX or PLAIN.fullmatch(url) is None:
        return False
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or a bracket that never closes
        return False
    return named and "@" not in parts.netloc and "#" not in url


@attrs.frozen(kw_only=True)
class Request:
    """One request; with *form* it is posted, urlencoded. Header names are lower-case."""

    url: str
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    form: Mapping[str, str] | None = attrs.field(default=None, repr=False)

    @property
    def method(self) -> Literal["GET", "POST"]:
        """``POST`` where there is a form."""
        return "GET" if self.form is None else "POST"


@attrs.frozen(kw_only=True)
class Response:
    """What came back, whatever its *status*; a redirect never does.

    *media_type* is that of ``Content-Type`` in lower case, without parameters, and empty where none was said.
    """

    status: int
    media_type: str = ""
    body: bytes = attrs.field(repr=False)


@unique
class Failure(StrEnum):
    """Why nothing came back."""

    FORBIDDEN = "forbidden"
    """The URL is not one that may be fetched, or its name leads to an address inside: nothing was connected to."""

    UNREACHABLE = "unreachable"
    """The name is unknown, the connection refused, the certificate not trusted, or what was spoken is not HTTP."""

    SLOW = "slow"
    """The errand's budget was used up."""

    BUSY = "busy"
    """Too much is being fetched at once; nothing was connected to."""

    LARGE = "large"
    """The body is longer than `BODY_MAX`."""

    REDIRECTED = "redirected"
    """A redirect was answered, and is never followed: where it leads was not configured by anybody."""


@attrs.frozen(kw_only=True)
class Unfetched:
    """Nothing usable came back. *detail* is for the log and names no secret."""

    failure: Failure
    detail: str = ""


class Errand(Protocol):
    """Some fetches that share one budget. Not for more than one thread."""

    def fetch(self, request: Request) -> Response | Unfetched:
        """Return the answer to *request*, or why there is none; what the other side does raises nothing."""
        ...

    def left(self) -> timedelta:
        """Return what is left of the budget, never less than nothing: whoever waits for an answer waits no longer."""
        ...


class Fetcher(Protocol):
    """HTTP to places that an organization's settings name. Safe to share between threads.

    Only ``https``; no address that is private, loopback, link-local, shared, multicast or reserved, whatever the name
    resolves to and however often its answer changes: the very address that was checked is connected to, while the
    certificate must be the name's. No redirect, no cookie, no proxy of the environment, no credentials in an URL. An
    installation may name loopback origins, for development and tests, to which the first two do not apply.

    Never used while a transaction is open.
    """

    def permits(self, url: str) -> bool:
        """Tell whether *url* may be set at all: scheme, form and length. Nothing is looked up."""
        ...

    def errand(self) -> Errand:
        """Begin an errand: its fetches have `BUDGET` together, from now on."""
        ...
