"""Reading XML that anybody may have written: one hardened parser, limits on everything, and no second opinion.

What only two parsers could see differently is not read at all: document types, entities, comments, processing
instructions, other encodings than UTF-8, identifiers that are not unique (CVE-2017-11427, CVE-2025-25291).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from lxml import etree

from authflow.errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterator


Element: TypeAlias = etree._Element  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # it has no other name

SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
PREFIXES: Final = {"saml": SAML, "samlp": SAMLP, "md": METADATA, "ds": DSIG, "xenc": XENC}

MESSAGE_MAX: Final = 256 * 1024
"""Bytes of one message: real ones have up to 60 KB, where somebody is in hundreds of groups (security 1)."""

ELEMENTS_MAX: Final = 10_000
"""Elements of one document; what looks at each of them stays fast."""

ATTRIBUTES_MAX: Final = 100
"""Attributes of one element: to sort them for a digest takes their number squared. The schema names up to nine."""

UTF_8: Final = frozenset({"UTF-8", "ASCII", "US-ASCII"})

_XML_ID: Final = "{http://www.w3.org/XML/1998/namespace}id"
_IDENTIFIERS: Final = ("ID", "Id", "id")


class Unacceptable(Exception):
    """What came is not taken. *problem* says why, to the log; it never leaves this package as an exception."""

    def __init__(self, problem: str, *, code: Code = Code.SSO_RESPONSE_INVALID) -> None:
        super().__init__(problem)
        self.problem, self.code = problem, code


class Untrusted(Unacceptable):
    """No certificate that is known signed it. A provider may have changed its key since."""


def name(prefix: str, local: str) -> str:
    """Return the name of an element as lxml writes it.

    >>> name("ds", "Signature")
    '{http://www.w3.org/2000/09/xmldsig#}Signature'
    """
    return f"{{{PREFIXES[prefix]}}}{local}"


def parse(data: bytes, *, limit: int = MESSAGE_MAX, comments: bool = False) -> Element:
    """Return the root of *data*.

    With *comments*, comments and processing instructions are left out instead of refused: for what an administrator
    wrote, never for what somebody signed.

    Raises:
        Unacceptable: Too large, not well-formed, or with anything that this reader does not read.
    """
    if len(data) > limit:
        msg = f"document: more than {limit} bytes"
        raise Unacceptable(msg)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        msg = "document: has a document type"
        raise Unacceptable(msg)
    try:
        data.decode("utf-8")
        root = etree.fromstring(data, _parser(comments=comments))
    except (UnicodeDecodeError, etree.XMLSyntaxError, ValueError) as error:
        msg = "document: not well-formed"
        raise Unacceptable(msg) from error
    _require_plain(root)
    return root


def _parser(*, comments: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        no_network=True,
        huge_tree=False,
        remove_comments=comments,
        remove_pis=comments,
    )


def _require_plain(root: Element) -> None:
    document = root.getroottree().docinfo
    if document.doctype or document.internalDTD is not None or document.xml_version != "1.0":
        msg = "document: has a document type, or is no XML 1.0"
        raise Unacceptable(msg)
    if (document.encoding or "UTF-8").upper() not in UTF_8:
        msg = "document: not in UTF-8"
        raise Unacceptable(msg)
    seen: set[str] = set()
    for count, node in enumerate(_nodes(root), 1):
        if count > ELEMENTS_MAX:
            msg = f"document: more than {ELEMENTS_MAX} elements"
            raise Unacceptable(msg)
        _require_plain_node(node, seen)
    declared = [space for _, space in etree.iterwalk(root, events=("start-ns",)) if space]
    if any(":" not in uri for _, uri in declared):  # canonicalization would fail, or leave nothing (CVE-2025-66568)
        msg = "document: a namespace is no absolute URI"
        raise Unacceptable(msg)


def _nodes(root: Element) -> Iterator[Element]:
    """Yield every node of the document, those beside its root as well."""
    yield from root.itersiblings(preceding=True)
    yield from root.itersiblings()
    yield from root.iter()


def _require_plain_node(node: Element, seen: set[str]) -> None:
    if not isinstance(node.tag, str):
        msg = "document: has a comment, a processing instruction or an entity"
        raise Unacceptable(msg)
    if len(node.attrib) > ATTRIBUTES_MAX:
        msg = f"document: more than {ATTRIBUTES_MAX} attributes of one element"
        raise Unacceptable(msg)
    if _XML_ID in node.attrib:  # the parser itself would take it for an identifier (XML-ID 4)
        msg = "document: has xml:id"
        raise Unacceptable(msg)
    for key in _IDENTIFIERS:
        identifier = node.get(key)
        if identifier is None:
            continue
        if not identifier or identifier in seen:
            msg = "document: an ID is empty, or there twice"
            raise Unacceptable(msg)
        seen.add(identifier)


# --- small questions ------------------------------------------------------------------------------------------------


def children(parent: Element, prefix: str, local: str) -> list[Element]:
    """Return the children of that name, and nothing deeper."""
    return parent.findall(name(prefix, local))


def only(parent: Element, prefix: str, local: str) -> Element:
    """Return the one child of that name.

    Raises:
        Unacceptable: There is none, or there are several.
    """
    found = children(parent, prefix, local)
    if len(found) != 1:
        msg = f"{etree.QName(parent).localname}: {len(found)} times {local}, not once"
        raise Unacceptable(msg)
    return found[0]


def text(element: Element) -> str:
    """Return all of the text of a leaf, as it stands.

    Raises:
        Unacceptable: It has elements inside: whatever reads on would see only the text before the first.
    """
    if len(element):
        msg = f"{etree.QName(element).localname}: has elements where text is meant"
        raise Unacceptable(msg)
    return element.text or ""


def shown(value: str | None) -> str:
    """Return what somebody sent in a form that a log may show: quoted, cut to 200 characters."""
    return ascii(value if value is None else value[:200])
