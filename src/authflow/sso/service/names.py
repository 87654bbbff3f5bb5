"""What providers call people, and their sessions there: by these names they end them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import SecretUnavailable
from authflow.sso.capabilities import LoggingOut
from authflow.sso.sealing import memory_binding

if TYPE_CHECKING:
    from authflow.sso.capabilities import LogoutRequested, Named
    from authflow.sso.identity import Identity
    from authflow.sso.kinds import Document
    from authflow.sso.service.desk import Desk

LOG: Final = logging.getLogger("authflow.sso")


@attrs.frozen(kw_only=True)
class Spoken:
    """What a provider calls the session of which it spoke, and what it is asked by to end it."""

    called: Named
    memory: Document = attrs.field(repr=False)


def spoken(desk: Desk, kind: str, identity: Identity) -> Spoken | None:
    """Return what the provider, of that *kind*, calls the session of which *identity* tells, if it can end any by that.

    None where what it is called by cannot be read any more: nobody's sign-on fails of it.
    """
    endpoints, provider = desk.endpoints, desk.kinds.get(kind)
    if identity.memory is None or endpoints is None or not endpoints.logout:
        return None
    if provider is None or not isinstance(provider, LoggingOut):
        return None
    try:
        memory = desk.vault.open(identity.memory, memory_binding(identity.provider, identity.subject))
    except SecretUnavailable as error:
        report_unavailable(error)
        return None
    called = named(provider, memory)
    return None if called is None else Spoken(called=called, memory=memory)


def named(kind: LoggingOut, memory: Document) -> Named | None:
    """Return what the provider calls a session; none where *kind* raises: a sign-on does not fail of it."""
    try:
        return kind.named(memory)
    except Exception:  # as `authflow.sso.service.asking`: a kind may be anybody's code
        LOG.exception("the kind %s raised instead of naming a session", type(kind).__name__)
        return None


def same_format(called: Named | None, asked: LogoutRequested) -> bool:
    """Tell whether a name has the format that is *asked* for, or may have (SAML core 8.3).

    Where either says nothing of it, or cannot be read any more, the text of the name decides: whoever is signed out
    there and stays signed in here is worse off than who signs in once more.
    """
    return called is None or not asked.format or called.format in {"", asked.format}
