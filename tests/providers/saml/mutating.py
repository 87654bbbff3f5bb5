"""Mistakes in answers, drawn by a seed: in the tree before the provider signs it or after, and in the text that leaves.

Some of them say the same in other words, and a reader may take them; most break what was signed.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Final

import xmlsec
from lxml import etree

from authflow.adapters.providers.saml.xml import name
from authflow.testing.saml_markup import response, sign

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from authflow.adapters.providers.saml.certificates import OwnKeys
    from authflow.adapters.providers.saml.xml import Element
    from authflow.testing.saml_markup import Said

ASSERTION: Final = name("saml", "Assertion")
TEXTS: Final = (
    *("", " ", "\n", "ada-1", "ADA-1", "mallory", "ada-1 ", "https://sp.example/acme/metadata", "https://evil.example"),
    *("2019-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "not a time", "-1", "a" * 300, "\u00e9\u200b", "..", "true"),
    *("urn:oasis:names:tc:SAML:2.0:status:Responder", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"),
    *("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"),
    *("http://www.w3.org/TR/1999/REC-xslt-19991116", "#_other", "2.1", "1.1"),
)
NOTHING_MORE: Final = ("<!---->", "<?php ?>", "<![CDATA[]]>", "&#32;", "&#x9;", "&amp;", "&e;", "\n", "\t", "\u00a0")
INSERTED: Final = (*NOTHING_MORE, "<", ">", '"', "'", "]]>", "<!DOCTYPE a>", '<a xmlns="">', "</a>", "\0", "\ufffe")


def mutated(said: Said, keys: OwnKeys, chance: Random) -> bytes:
    """Return a signed answer with one to three mistakes."""
    while True:
        with suppress(xmlsec.Error):  # the mistake is one with which nobody can sign
            return _mutated(said, keys, chance)


def _mutated(said: Said, keys: OwnKeys, chance: Random) -> bytes:
    root = response(said)
    early = chance.random() < 0.5
    if early:
        _mistaken(root, chance)
    for element in chance.choice(([ASSERTION], [root.tag], [ASSERTION, root.tag])):
        for found in list(root.iter(element)):
            sign(found, keys)
    if not early or chance.random() < 0.1:
        _mistaken(root, chance)
    document = etree.tostring(root)
    return _retyped(document, chance) if chance.random() < 0.3 else document


def _mistaken(root: Element, chance: Random) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        chance.choice(IN_TREES)(root, chance)


def _one(root: Element, chance: Random, *, below: bool = True) -> Element:
    found = [element for element in root.iter() if isinstance(element.tag, str) and (element is not root or not below)]
    return chance.choice(found) if found else root


def _cut(root: Element, chance: Random) -> None:
    element = _one(root, chance)
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _double(root: Element, chance: Random) -> None:
    element = _one(root, chance)
    element.addnext(deepcopy(element)) if element.getparent() is not None else None


def _move(root: Element, chance: Random) -> None:
    element, place = _one(root, chance), _one(root, chance, below=False)
    if element is not root and place not in element.iter():
        place.insert(chance.randint(0, len(place)), element)


def _wrap(root: Element, chance: Random) -> None:
    element = _one(root, chance)
    parent = element.getparent()
    if parent is not None:
        around = etree.Element(chance.choice((element.tag, name("samlp", "Extensions"), name("ds", "Object"))))
        parent.replace(element, around)
        around.append(element)


def _rename(root: Element, chance: Random) -> None:
    element = _one(root, chance)
    element.tag = chance.choice((_one(root, chance).tag, etree.QName(element).localname))


def _say(root: Element, chance: Random) -> None:
    _one(root, chance).text = chance.choice(TEXTS)


def _set(root: Element, chance: Random) -> None:
    element = _one(root, chance, below=False)
    known = [*element.attrib, "ID", "Format"]
    element.set(chance.choice(known), chance.choice(TEXTS))


def _unset(root: Element, chance: Random) -> None:
    element = _one(root, chance, below=False)
    if element.attrib:
        del element.attrib[chance.choice(list(element.attrib))]


def _comment(root: Element, chance: Random) -> None:
    element = _one(root, chance)
    text = element.text or ""
    cut = chance.randint(0, len(text))
    element.text, comment = text[:cut], etree.Comment("!")
    comment.tail = text[cut:]
    element.insert(0, comment)


IN_TREES: Final[tuple[Callable[[Element, Random], None], ...]] = (
    *(_cut, _double, _move, _wrap, _rename, _say, _set, _unset, _comment),
)


def _retyped(document: bytes, chance: Random) -> bytes:
    """Return *document* with something inserted, left out or turned into another character."""
    text = document.decode()
    place = chance.randrange(len(text))
    kind = chance.randrange(4)
    if kind == 0:
        return (text[:place] + chance.choice(INSERTED) + text[place:]).encode()
    if kind == 1:
        return (text[:place] + text[place + chance.choice((1, 2, 20)) :]).encode()
    if kind == 2:
        return (text[:place] + f"&#{ord(text[place])};" + text[place + 1 :]).encode()
    return document[:place] + bytes([chance.randrange(256)]) + document[place + 1 :]
