"""Single logout over the redirect binding: messages whose signature stands in the query, over the text as it was sent.

Functions of a query, the provider's certificates and what is expected; what a logout ends is decided elsewhere.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from authflow.adapters.providers.saml.certificates import certificate
from authflow.adapters.providers.saml.gate import SUCCESS, inflate
from authflow.adapters.providers.saml.request import message
from authflow.adapters.providers.saml.rules import require_message, single_use
from authflow.adapters.providers.saml.subject import QUALIFIERS, require_unqualified, specified
from authflow.adapters.providers.saml.xml import Unacceptable, Untrusted, children, name, only, parse, shown, text
from authflow.sso.capabilities import LoggedOut, LogoutRequested

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.adapters.providers.saml.rules import Expected
    from authflow.adapters.providers.saml.xml import Element
    from authflow.sso.kinds import Document

ALGORITHMS: Final[dict[str, hashes.HashAlgorithm]] = {
    f"http://www.w3.org/2001/04/xmldsig-more#{key}-{title}": made
    for key in ("rsa", "ecdsa")
    for title, made in (("sha256", hashes.SHA256()), ("sha384", hashes.SHA384()), ("sha512", hashes.SHA512()))
}

DEFLATE: Final = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"


# --- reading --------------------------------------------------------------------------------------------------------


def read_logout_request(query: str, *, certificates: Collection[str], expected: Expected) -> LogoutRequested:
    """Return the ``LogoutRequest`` in *query*, the text behind the question mark as it came.

    Raises:
        Unacceptable: It is none, nobody we know signed it, or it is for somebody else, or too old, or names somebody
            by a name of other parties (core 3.7.3.2).
    """
    request = _read(query, "SAMLRequest", "LogoutRequest", certificates=certificates)
    require_message(request, expected, "NotOnOrAfter")
    person = only(request, "saml", "NameID")
    require_unqualified(person, expected)
    return LogoutRequested(
        id=request.get("ID", ""),
        name_id=text(person),
        sessions=tuple(text(index) for index in children(request, "samlp", "SessionIndex")),
        state=_state(query),
        once=single_use(request, expected),
        format=specified(person.get("Format")),
    )


def read_logout_response(query: str, *, certificates: Collection[str], expected: Expected) -> LoggedOut:
    """Return the ``LogoutResponse`` in *query*, which must answer the request that is *expected*.

    Raises:
        Unacceptable: As for `read_logout_request`.
    """
    response = _read(query, "SAMLResponse", "LogoutResponse", certificates=certificates)
    require_message(response, expected)
    status = only(only(response, "samlp", "Status"), "samlp", "StatusCode")
    return LoggedOut(complete=status.get("Value") == SUCCESS and not len(status))


def _read(query: str, parameter: str, local: str, *, certificates: Collection[str]) -> Element:
    fields = _fields(query)
    if parameter not in fields or fields.get("SAMLEncoding", DEFLATE) != DEFLATE:
        msg = f"query: has no {parameter}, or one of another encoding"
        raise Unacceptable(msg)
    _require_signature(query, parameter, fields, certificates)
    root = parse(inflate(fields[parameter]))
    if root.tag != name("samlp", local) or next(root.iter(name("ds", "Signature")), None) is not None:
        msg = f"document: no {local}, or with a signature of its own"
        raise Unacceptable(msg)
    return root


def _raw(query: str) -> dict[str, str]:
    """Return the fields of *query* as they were sent: the signature is over these, not over what they mean.

    Raises:
        Unacceptable: One is there twice, or it is no query as browsers send it.
    """
    if not query.isascii():
        msg = "query: has other characters than ASCII"
        raise Unacceptable(msg)
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    raw = {key: value for key, _, value in pairs}
    if len(raw) != len(pairs):
        msg = "query: a field is there twice"
        raise Unacceptable(msg)
    return raw


def _fields(query: str) -> dict[str, str]:
    return {key: unquote(value.replace("+", " "), errors="replace") for key, value in _raw(query).items()}


def _state(query: str) -> str | None:
    return _fields(query).get("RelayState")


def _require_signature(query: str, parameter: str, fields: dict[str, str], certificates: Collection[str]) -> None:
    raw = _raw(query)
    algorithm = ALGORITHMS.get(fields.get("SigAlg", ""))
    if algorithm is None:
        msg = f"SigAlg: {shown(fields.get('SigAlg'))} is not allowed"
        raise Unacceptable(msg)
    signed = "&".join(f"{key}={raw[key]}" for key in (parameter, "RelayState", "SigAlg") if key in raw).encode()
    try:
        signature = base64.b64decode("".join(fields.get("Signature", "").split()).encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "Signature: no base64"
        raise Unacceptable(msg) from error
    curve = "#ecdsa" in fields["SigAlg"]
    if not any(_signed(signature, signed, body, algorithm, curve=curve) for body in certificates):
        msg = "Signature: no configured certificate signed the query"
        raise Untrusted(msg)


def _signed(signature: bytes, signed: bytes, body: str, algorithm: hashes.HashAlgorithm, *, curve: bool) -> bool:
    key = certificate(body).public_key()
    try:
        if curve and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_der(signature), signed, ec.ECDSA(algorithm))
            return True
        if not curve and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, PKCS1v15(), algorithm)
            return True
    except InvalidSignature:
        return False
    return False


def _der(signature: bytes) -> bytes:
    """Return a signature of XML, the two numbers side by side, as the library reads it (RFC 9231 2.3.6)."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


# --- writing --------------------------------------------------------------------------------------------------------


def logout_request(memory: Document, *, identifier: str, now: datetime, destination: str, issuer: str) -> Element:
    """Return the ``LogoutRequest`` for whom *memory*, which an assertion left, means.

    The ``NameID`` is identical to that of the assertion, attributes included (profiles 4.4.4.1, core 3.3.4).
    """
    request = message("LogoutRequest", identifier=identifier, now=now, destination=destination, issuer=issuer)
    subject = etree.SubElement(request, name("saml", "NameID"))
    subject.text = str(memory.get("value", ""))
    for attribute, kept in {"Format": "format", **QUALIFIERS}.items():
        if memory.get(kept):
            subject.set(attribute, str(memory[kept]))
    if memory.get("session_index"):
        etree.SubElement(request, name("samlp", "SessionIndex")).text = str(memory["session_index"])
    return request


def logout_response(answered: str, *, identifier: str, now: datetime, destination: str, issuer: str) -> Element:
    """Return the ``LogoutResponse`` to the request with the id *answered*: done."""
    response = message("LogoutResponse", identifier=identifier, now=now, destination=destination, issuer=issuer)
    response.set("InResponseTo", answered)
    etree.SubElement(etree.SubElement(response, name("samlp", "Status")), name("samlp", "StatusCode"), Value=SUCCESS)
    return response
