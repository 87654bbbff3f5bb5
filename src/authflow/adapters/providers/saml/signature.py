"""The one shape of an XML signature that is believed: over the element that it stands in, and nothing else.

Everything that XML Signature lets a signer say, and a wrapper use, is compared with a literal: one reference, two
transforms, listed algorithms, no key of its own (CVE-2009-0217, CVE-2024-45409, CVE-2025-29774).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

import attrs
from lxml import etree

from authflow.adapters.providers.saml.xml import Unacceptable, children, name, only, parse, text

if TYPE_CHECKING:
    from authflow.adapters.providers.saml.xml import Element
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
"""Exclusive canonicalization without comments, the only one (SAML core 5.4.3)."""

ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

SIGNATURES: Final = frozenset(
    {
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
    }
)
"""Algorithms of a signature (RFC 9231 2.3): no SHA-1, no HMAC, no DSA."""

DIGESTS: Final = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
"""Algorithms of a digest (RFC 9231 2.1)."""

PREFIXES_MAX: Final = 20
"""Prefixes that a canonicalization may name: it looks for each of them at every element. Real ones name three."""

_INCLUSIVE: Final = f"{{{EXCLUSIVE}}}InclusiveNamespaces"


@attrs.frozen(kw_only=True)
class Signed:
    """A signature of the right shape, not yet checked, over *element*, whose child it is."""

    element: Element
    signature: Element
    digest: str
    value: bytes
    prefixes: tuple[str, ...]


def read_signature(signature: Element) -> Signed:
    """Return what *signature* claims.

    Raises:
        Unacceptable: It has another shape than the one that is believed.
    """
    element = signature.getparent()
    if element is None:
        msg = "Signature: covers nothing"
        raise Unacceptable(msg)
    _require_children(signature, "SignedInfo", "SignatureValue", optional="KeyInfo")
    info = only(signature, "ds", "SignedInfo")
    _require_children(info, "CanonicalizationMethod", "SignatureMethod", "Reference")
    _prefixes(only(info, "ds", "CanonicalizationMethod"))
    method = only(info, "ds", "SignatureMethod")
    if len(method) or method.get("Algorithm") not in SIGNATURES:
        msg = "Signature: its algorithm is not allowed"
        raise Unacceptable(msg)
    reference = only(info, "ds", "Reference")
    identifier = element.get("ID")
    if not identifier or dict(reference.attrib) != {"URI": f"#{identifier}"}:
        msg = "Signature: refers to something else than the element that it stands in"
        raise Unacceptable(msg)
    return _referring(reference, element, signature)


def _referring(reference: Element, element: Element, signature: Element) -> Signed:
    _require_children(reference, "Transforms", "DigestMethod", "DigestValue")
    method = only(reference, "ds", "DigestMethod")
    digest = DIGESTS.get(method.get("Algorithm", ""))
    if len(method) or digest is None:
        msg = "Signature: its digest is not allowed"
        raise Unacceptable(msg)
    return Signed(
        element=element,
        signature=signature,
        digest=digest,
        value=_digest_value(only(reference, "ds", "DigestValue")),
        prefixes=_transforms(only(reference, "ds", "Transforms")),
    )


def _require_children(element: Element, *expected: str, optional: str | None = None) -> None:
    found = [child.tag for child in element]
    wanted = [name("ds", local) for local in expected]
    if found != wanted and (optional is None or found != [*wanted, name("ds", optional)]):
        msg = f"Signature: {etree.QName(element).localname} has other parts than it should"
        raise Unacceptable(msg)


def _transforms(transforms: Element) -> tuple[str, ...]:
    _require_children(transforms, "Transform", "Transform")
    enveloped, exclusive = children(transforms, "ds", "Transform")
    if len(enveloped) or dict(enveloped.attrib) != {"Algorithm": ENVELOPED}:
        msg = "Signature: its first transform is not the enveloped signature"
        raise Unacceptable(msg)
    return _prefixes(exclusive)


def _prefixes(exclusive: Element) -> tuple[str, ...]:
    """Return the prefixes that *exclusive* canonicalization keeps though nothing in sight uses them."""
    if dict(exclusive.attrib) != {"Algorithm": EXCLUSIVE}:
        msg = "Signature: the canonicalization is not the exclusive one"
        raise Unacceptable(msg)
    if not len(exclusive):
        return ()
    listed = exclusive[0]
    if len(exclusive) > 1 or listed.tag != _INCLUSIVE or set(listed.attrib) != {"PrefixList"} or len(listed):
        msg = "Signature: the canonicalization has other parts than it should"
        raise Unacceptable(msg)
    prefixes = tuple(listed.get("PrefixList", "").split())
    if len(prefixes) > PREFIXES_MAX:
        msg = f"Signature: the canonicalization names more than {PREFIXES_MAX} prefixes"
        raise Unacceptable(msg)
    return prefixes


def _digest_value(element: Element) -> bytes:
    try:
        return base64.b64decode("".join(text(element).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "Signature: the digest is no base64"
        raise Unacceptable(msg) from error


def covered(signed: Signed) -> Element:
    """Return what was signed, read from the very bytes whose digest stands in the signature.

    The signature itself must have been verified. It is taken out of the document, as the transform says.

    Raises:
        Unacceptable: The digest is of other bytes: whoever verified the signature saw another element.
    """
    _detach(signed)
    canonical = etree.tostring(
        signed.element, method="c14n", exclusive=True, inclusive_ns_prefixes=signed.prefixes or None
    )
    if not hmac.compare_digest(hashlib.new(signed.digest, canonical).digest(), signed.value):
        msg = "Signature: the digest is of something else"
        raise Unacceptable(msg)
    return parse(canonical)


def _detach(signed: Signed) -> None:
    """Take the signature out and leave the text behind it, which is signed."""
    before, tail = signed.signature.getprevious(), signed.signature.tail or ""
    signed.element.remove(signed.signature)
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        signed.element.text = (signed.element.text or "") + tail
