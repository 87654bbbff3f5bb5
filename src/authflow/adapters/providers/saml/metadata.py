"""Metadata: what a provider says of itself, read; and what we say of ourselves, written (SAML metadata 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
from lxml import etree

from authflow.adapters.providers.saml.certificates import CERTIFICATES_MAX, read_certificate
from authflow.adapters.providers.saml.rules import read_instant
from authflow.adapters.providers.saml.xml import PREFIXES, Unacceptable, children, name, parse, text
from authflow.errors import InputInvalid
from authflow.sso.fetching import BODY_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.providers.saml.xml import Element
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.kinds import Document

REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
BINDINGS: Final = {REDIRECT: "redirect", POST: "post"}
"""The bindings that are spoken, the preferred one first, and their names in settings."""

ENTITY_ID_MAX: Final = 1024
"""Characters (SAML core 8.3.6)."""

NAME_ID_UNSPECIFIED: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"


@attrs.frozen(kw_only=True)
class Peer:
    """A provider as its metadata shows it, or as an administrator typed it.

    *certificates* are those that may sign, all of them alike: while a provider changes its key there are two.
    """

    entity_id: str
    sso_url: str
    sso_binding: str
    slo_url: str = ""
    certificates: tuple[str, ...]
    valid_until: datetime | None = None


def read_metadata(data: bytes, *, entity_id: str = "") -> Peer:
    """Return the identity provider that *data* describes; of several, that with *entity_id*.

    Raises:
        Unacceptable: It describes none, several, or one that we cannot speak to.
    """
    root = parse(data, limit=BODY_MAX, comments=True)
    described = [e for e in root.iter(name("md", "EntityDescriptor")) if children(e, "md", "IDPSSODescriptor")]
    chosen = [e for e in described if not entity_id or e.get("entityID") == entity_id]
    if len(chosen) != 1:
        named = " of that entity id" if entity_id else ""
        msg = f"describes {len(chosen)} identity providers{named}, not one"
        raise Unacceptable(msg)
    entity, role = chosen[0], children(chosen[0], "md", "IDPSSODescriptor")[0]
    certificates = _signing_certificates(role)
    endpoints = _endpoints(role, "SingleSignOnService")
    if not certificates or not endpoints or not 0 < len(entity.get("entityID", "")) <= ENTITY_ID_MAX:
        msg = "names no entity id of a usable length, no sign-on by redirect or POST, or no certificate that signs"
        raise Unacceptable(msg)
    binding = next(binding for binding in BINDINGS if binding in endpoints)
    return Peer(
        entity_id=entity.get("entityID", ""),
        sso_url=endpoints[binding],
        sso_binding=BINDINGS[binding],
        slo_url=_endpoints(role, "SingleLogoutService").get(REDIRECT, ""),
        certificates=certificates,
        valid_until=_valid_until(root, entity),
    )


def _endpoints(role: Element, service: str) -> dict[str, str]:
    found = {e.get("Binding", ""): e.get("Location", "") for e in reversed(children(role, "md", service))}
    return {binding: url for binding, url in found.items() if binding in BINDINGS and url}


def _signing_certificates(role: Element) -> tuple[str, ...]:
    signing = [key for key in children(role, "md", "KeyDescriptor") if key.get("use", "signing") == "signing"]
    found = dict.fromkeys("".join(text(c).split()) for key in signing for c in key.iter(name("ds", "X509Certificate")))
    if len(found) > CERTIFICATES_MAX:
        msg = f"names more than {CERTIFICATES_MAX} certificates that sign"
        raise Unacceptable(msg)
    return tuple(dict.fromkeys(read_certificate(pasted) for pasted in found))


def _valid_until(*elements: Element) -> datetime | None:
    """Return when the first of them ends to be valid.

    Raises:
        Unacceptable: One says something else than an instant.
    """
    stated = [element.get("validUntil") for element in elements]
    instants = [read_instant(value) for value in stated if value is not None]
    if None in instants:
        msg = "says until when it is valid, but not as an instant in UTC"
        raise Unacceptable(msg)
    return min((instant for instant in instants if instant is not None), default=None)


# --- our own --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Ourselves:
    """What a service provider says of itself.

    Args:
        entity_id: The address of this very document.
        callback: Where assertions are posted.
        logout: Where single logout is answered, by redirect; empty if it is not.
        certificate: Of the key that signs our requests and opens assertions, if there is one.
        signs_requests: Whether requests are signed.
    """

    entity_id: str
    callback: str
    logout: str = ""
    certificate: str = ""
    signs_requests: bool = False


def ourselves(settings: Document, endpoints: Endpoints) -> Ourselves:
    """Return what we say of ourselves at *endpoints*, with what *settings*, which may be incomplete, say of our key.

    Raises:
        InputInvalid: ``certificate``: it is none, or is missing where requests are signed.
    """
    given, signs = settings.get("certificate"), settings.get("sign_requests") is True
    if signs and not given:
        raise InputInvalid(field="certificate", problem="is missing, and requests are signed with its key")
    try:
        certificate = read_certificate(given) if given else ""
    except Unacceptable as refused:
        raise InputInvalid(field="certificate", problem=refused.problem) from refused
    return Ourselves(
        entity_id=endpoints.metadata,
        callback=endpoints.callback,
        logout=endpoints.logout,
        certificate=certificate,
        signs_requests=signs,
    )


def write_metadata(ours: Ourselves) -> str:
    """Return the XML document by which an identity provider is told of us."""
    spaces = {"md": PREFIXES["md"], "ds": PREFIXES["ds"]}
    root = etree.Element(name("md", "EntityDescriptor"), {"entityID": ours.entity_id}, nsmap=spaces)
    role = _add(
        root,
        "SPSSODescriptor",
        AuthnRequestsSigned="true" if ours.signs_requests else "false",
        WantAssertionsSigned="true",
        protocolSupportEnumeration=PREFIXES["samlp"],
    )
    for use in ("signing", "encryption") if ours.certificate else ():
        info = etree.SubElement(_add(role, "KeyDescriptor", use=use), name("ds", "KeyInfo"))
        held = etree.SubElement(info, name("ds", "X509Data"))
        etree.SubElement(held, name("ds", "X509Certificate")).text = ours.certificate
    if ours.logout:
        _add(role, "SingleLogoutService", Binding=REDIRECT, Location=ours.logout)
    _add(role, "NameIDFormat").text = NAME_ID_UNSPECIFIED
    _add(role, "AssertionConsumerService", Binding=POST, Location=ours.callback, index="0", isDefault="true")
    etree.indent(root)
    return etree.tostring(root, encoding="unicode")


def _add(parent: Element, local: str, **attributes: str) -> Element:
    return etree.SubElement(parent, name("md", local), attributes)
