"""The gate in front of every answer: what has another shape than the one that is read goes no further.

It runs before any signature is looked at, on the one parse of the message that everything else reads, too. Nothing in
here knows keys, times or people.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

import attrs

from authflow.adapters.providers.saml.signature import Signed, read_signature
from authflow.adapters.providers.saml.xml import MESSAGE_MAX, Unacceptable, children, name, only, parse, shown
from authflow.errors import Code

if TYPE_CHECKING:
    from authflow.adapters.providers.saml.xml import Element
INFLATED_MAX: Final = 64 * 1024
"""Bytes of a message of the redirect binding, inflated: it came in an URL (CVE-2025-25293)."""

SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"

_BASE64_MAX: Final = MESSAGE_MAX * 4 // 3 + MESSAGE_MAX // 32
"""Characters of a message in base64, broken into lines."""


@attrs.frozen(kw_only=True)
class Message:
    """A response with one assertion, which may be *encrypted*. Nothing of it is believed yet.

    A signature of the response covers all of it, one of the assertion that alone; of an encrypted one it is inside.
    """

    response: Element
    response_signature: Signed | None
    assertion_signature: Signed | None
    encrypted: bool


# --- bytes ----------------------------------------------------------------------------------------------------------


def decode(field: str) -> bytes:
    """Return the bytes of a field of the POST binding (SAML bindings 3.5.4).

    Raises:
        Unacceptable: Too large, or no strict base64; line breaks are let through.
    """
    if len(field) > _BASE64_MAX:
        msg = f"message: more than {MESSAGE_MAX} bytes"
        raise Unacceptable(msg)
    try:
        return base64.b64decode(field.replace("\r", "").replace("\n", "").encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "message: no base64"
        raise Unacceptable(msg) from error


def inflate(field: str) -> bytes:
    """Return the bytes of a parameter of the redirect binding (SAML bindings 3.4.4.1).

    Raises:
        Unacceptable: No strict base64, no DEFLATE, something behind it, or more than `INFLATED_MAX` bytes inside.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = stream.decompress(decode(field), INFLATED_MAX + 1)
    except zlib.error as error:
        msg = "message: not deflated"
        raise Unacceptable(msg) from error
    if len(inflated) > INFLATED_MAX or not stream.eof or stream.unused_data:
        msg = f"message: more than {INFLATED_MAX} bytes inflated, or broken off"
        raise Unacceptable(msg)
    return inflated


# --- shapes ---------------------------------------------------------------------------------------------------------


def read_response(data: bytes) -> Message:
    """Return the response in *data*.

    Raises:
        Unacceptable: Another shape; or with ``sso.provider_refused``, the provider says that nobody signed in.
    """
    response = parse(data)
    if response.tag != name("samlp", "Response"):
        msg = "document: no Response"
        raise Unacceptable(msg)
    _require_success(response)
    assertions = list(response.iter(name("saml", "Assertion"), name("saml", "EncryptedAssertion")))
    if len(assertions) != 1 or assertions[0].getparent() is not response:
        msg = f"Response: {len(assertions)} assertions in it, not one below its root"
        raise Unacceptable(msg)
    found = assertions[0]
    encrypted = found.tag == name("saml", "EncryptedAssertion")
    _require_signatures_in_place(response, found)
    return Message(
        response=response,
        response_signature=_signature(response),
        assertion_signature=None if encrypted else _signature(found),
        encrypted=encrypted,
    )


def read_assertion(data: bytes, place: Element) -> tuple[Element, Signed | None]:
    """Return the assertion in *data*, which was encrypted and stood at *place*, and its signature.

    It may use prefixes that are declared only there (XML Encryption 4.3.3): it is read inside an element with the same.

    Raises:
        Unacceptable: Another shape.
    """
    around = parse(_opening(place) + data + b"</context>")
    inside = list(around.iter(name("saml", "Assertion"), name("saml", "EncryptedAssertion"), "{*}Response"))
    beside = [around.text, *(child.tail for child in around)]
    if len(around) != 1 or inside != [around[0]] or around[0].tag != name("saml", "Assertion") or any(beside):
        msg = "EncryptedAssertion: something else than one assertion is in it"
        raise Unacceptable(msg)
    assertion = around[0]
    _require_signatures_in_place(assertion, assertion)
    return assertion, _signature(assertion)


def _opening(place: Element) -> bytes:
    declared = (f" xmlns{f':{prefix}' if prefix else ''}={quoteattr(uri)}" for prefix, uri in place.nsmap.items())
    return f"<context{''.join(declared)}>".encode()


def _require_success(response: Element) -> None:
    outer = only(only(response, "samlp", "Status"), "samlp", "StatusCode")
    inner = children(outer, "samlp", "StatusCode")
    if outer.get("Value") != SUCCESS or inner:
        codes = " ".join(shown(code.get("Value")) for code in (outer, *inner))
        msg = f"Response: its status is {codes}"
        raise Unacceptable(msg, code=Code.SSO_PROVIDER_REFUSED)


def _require_signatures_in_place(root: Element, assertion: Element) -> None:
    """Every signature, and every part of one, stands right below the response or the assertion, once."""
    for signature in root.iter(name("ds", "Signature")):
        if signature.getparent() not in (root, assertion):
            msg = "Signature: where none belongs"
            raise Unacceptable(msg)
    for info in root.iter(name("ds", "SignedInfo")):
        parent = info.getparent()
        if parent is None or parent.tag != name("ds", "Signature"):
            msg = "SignedInfo: where none belongs"
            raise Unacceptable(msg)


def _signature(element: Element) -> Signed | None:
    found = children(element, "ds", "Signature")
    if len(found) > 1:
        msg = "Signature: several of one element"
        raise Unacceptable(msg)
    return read_signature(found[0]) if found else None
