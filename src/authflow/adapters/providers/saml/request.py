"""Messages of ours: what asks a provider, and the two bindings that carry it there through the browser."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from lxml import etree

from authflow.adapters.providers.saml.certificates import rsa_key
from authflow.adapters.providers.saml.metadata import POST
from authflow.adapters.providers.saml.rules import write_instant
from authflow.adapters.providers.saml.toolkit import signed_inside
from authflow.adapters.providers.saml.xml import PREFIXES, name

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.adapters.providers.saml.certificates import OwnKeys
    from authflow.adapters.providers.saml.xml import Element
    from authflow.values import Secret

RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

IDENTIFIER_BYTES: Final = 20
"""Random bytes of a message's id: 160 bits (SAML core 1.3.4 wants 128)."""

_SPACES: Final = {"samlp": PREFIXES["samlp"], "saml": PREFIXES["saml"]}


def new_id(random: bytes) -> str:
    """Return *random* as the id of a message; an XML name does not begin with a digit."""
    return f"_{random.hex()}"


def message(local: str, *, identifier: str, now: datetime, destination: str, issuer: str) -> Element:
    """Return a message of the protocol with what every one of them has."""
    root = etree.Element(name("samlp", local), nsmap=_SPACES)
    root.set("ID", identifier)
    root.set("Version", "2.0")
    root.set("IssueInstant", write_instant(now))
    root.set("Destination", destination)
    etree.SubElement(root, name("saml", "Issuer")).text = issuer
    return root


def authentication_request(*, identifier: str, now: datetime, destination: str, issuer: str, callback: str) -> Element:
    """Return an ``AuthnRequest``, to be answered by a form that is posted to *callback*."""
    request = message("AuthnRequest", identifier=identifier, now=now, destination=destination, issuer=issuer)
    request.set("AssertionConsumerServiceURL", callback)
    request.set("ProtocolBinding", POST)
    etree.SubElement(request, name("samlp", "NameIDPolicy"), {"AllowCreate": "true"})
    return request


# --- bindings -------------------------------------------------------------------------------------------------------


def redirect_url(url: str, parameter: str, root: Element, *, state: Secret | None, own: OwnKeys | None) -> str:
    """Return *url* with the message in its query, signed with our key if there is one (SAML bindings 3.4.4.1)."""
    deflated = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = deflated.compress(etree.tostring(root)) + deflated.flush()
    fields = {parameter: base64.b64encode(packed).decode()}
    if state is not None:
        fields["RelayState"] = state.reveal()
    if own is not None:
        fields["SigAlg"] = RSA_SHA256
    query = urlencode(fields, quote_via=quote, safe="")
    if own is not None:
        query = f"{query}&Signature={quote(_signature(query, own), safe='')}"
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _signature(query: str, own: OwnKeys) -> str:
    key = rsa_key(own.private_key)
    return base64.b64encode(key.sign(query.encode(), PKCS1v15(), hashes.SHA256())).decode()


def post_form(parameter: str, root: Element, *, state: Secret, own: OwnKeys | None) -> dict[str, str]:
    """Return the fields of the form that posts the message, signed inside with our key if there is one."""
    markup = etree.tostring(root)
    if own is not None:
        markup = signed_inside(markup, own)
    return {parameter: base64.b64encode(markup).decode(), "RelayState": state.reveal()}
