"""Where providers send people back to: addresses that the host configured, never what a request's ``Host`` says."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import attrs

from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    from authflow.values import OrganizationId

PLACE: Final = "{organization}"
"""Stands in an address for the organization's id: a provider then has a return address of its own (RFC 9700 4.4)."""


def _address(instance: object, field: attrs.Attribute[str], value: object) -> None:
    """Refuse what is no address; one that may be missing, and is, is none."""
    problem = None if value == field.default else _problem(value)
    if problem is not None:
        raise ConfigInvalid(setting=f"{type(instance).__name__}.{field.name}", problem=problem)


@attrs.frozen(kw_only=True)
class Endpoints:
    """The host's addresses for single sign-on, absolute; ``{organization}`` in them is the organization's id.

    Args:
        callback: Takes the provider's answer, by GET and by POST.
        metadata: Describes the service provider; SAML's entity id. A host that has one keeps it.
        logout: Takes the messages of single logout, by GET; empty where the host has none, and nobody is told of one.

    Raises:
        ConfigInvalid: One is not ``https``, unless it is on the machine itself, or has a fragment or credentials.
    """

    callback: str = attrs.field(validator=_address)
    metadata: str = attrs.field(validator=_address)
    logout: str = attrs.field(default="", validator=_address)

    @classmethod
    def at(cls, callback: str, metadata: str | None = None, logout: str = "") -> Endpoints:
        """Return them for *callback*; *metadata* defaults to ``metadata`` below it."""
        return cls(callback=callback, metadata=f"{callback}/metadata" if metadata is None else metadata, logout=logout)

    def of(self, organization: OrganizationId) -> Endpoints:
        """Return them for the one *organization*."""
        place = quote(organization, safe="")
        callback, metadata, logout = (
            address.replace(PLACE, place) for address in (self.callback, self.metadata, self.logout)
        )
        return Endpoints(callback=callback, metadata=metadata, logout=logout)


def _problem(value: object) -> str | None:
    if not isinstance(value, str):
        return "must be an absolute URL"
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return "must be an absolute URL"
    if not host or parts.fragment or parts.username is not None or not value.isprintable() or " " in value:
        return "must be an absolute URL without credentials or fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)):
        return None
    return "must be https, or http on the machine itself"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
