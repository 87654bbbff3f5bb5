"""The shapes that the gate lets through, asked of the gate alone: no signature is looked at, none would save it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

import pytest
from lxml import etree

from authflow.adapters.providers.saml.gate import read_assertion, read_response
from authflow.adapters.providers.saml.xml import Unacceptable, name
from tests.providers.saml.stage import signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.providers.saml.xml import Element

ASSERTION: Final = name("saml", "Assertion")
SIGNATURE: Final = name("ds", "Signature")


def genuine() -> tuple[Element, Element]:
    """Return a response and its one assertion, which is signed."""
    root = etree.fromstring(signed())
    found = root.find(ASSERTION)
    assert found is not None
    return root, found


def second(root: Element, assertion: Element) -> None:
    root.append(deepcopy(assertion))


def second_inside(_root: Element, assertion: Element) -> None:
    assertion.append(deepcopy(assertion))


def lower(root: Element, assertion: Element) -> None:
    etree.SubElement(root, name("samlp", "Extensions")).append(assertion)


def encrypted_beside(root: Element, _assertion: Element) -> None:
    etree.SubElement(root, name("saml", "EncryptedAssertion"))


def signed_twice(_root: Element, assertion: Element) -> None:
    assertion.append(deepcopy(assertion.find(SIGNATURE)))


def signed_below(_root: Element, assertion: Element) -> None:
    assertion[-1].append(deepcopy(assertion.find(SIGNATURE)))


def signed_info_elsewhere(root: Element, assertion: Element) -> None:
    info = next(assertion.iter(name("ds", "SignedInfo")))
    root.append(deepcopy(info))


@pytest.mark.parametrize(
    "change",
    [second, second_inside, lower, encrypted_beside, signed_twice, signed_below, signed_info_elsewhere],
)
def test_a_response_of_another_shape_goes_no_further(change: Callable[[Element, Element], None]):
    root, assertion = genuine()
    assert read_response(etree.tostring(root)).assertion_signature is not None
    change(root, assertion)
    with pytest.raises(Unacceptable):
        read_response(etree.tostring(root))


def of_assertion() -> bytes:
    return etree.tostring(genuine()[1], with_tail=False)


def test_what_was_encrypted_is_one_assertion():
    place = genuine()[0]
    found, signature = read_assertion(of_assertion(), place)
    assert (found.tag, signature is not None) == (ASSERTION, True)


def inside(change: Callable[[Element, Element], None]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        assertion = etree.fromstring(data)
        change(assertion, assertion)
        return etree.tostring(assertion)

    return changed


def response_inside(_root: Element, assertion: Element) -> None:
    etree.SubElement(assertion, name("samlp", "Response"))


def encrypted_inside(_root: Element, assertion: Element) -> None:
    etree.SubElement(assertion, name("saml", "EncryptedAssertion"))


@pytest.mark.parametrize(
    "changed",
    [
        lambda _: b"",
        lambda data: data + data,
        lambda data: b"text" + data,
        lambda data: data + b"text",
        lambda data: data + b"<a/>",
        lambda data: b"<a>" + data + b"</a>",
        lambda data: data.replace(b"saml:Assertion", b"saml:Advice"),
        lambda _: b"<samlp:Response/>",
        *map(inside, (second_inside, response_inside, encrypted_inside, signed_twice, signed_below)),
        inside(signed_info_elsewhere),
    ],
)
def test_what_was_encrypted_is_nothing_else(changed: Callable[[bytes], bytes]):
    with pytest.raises(Unacceptable):
        read_assertion(changed(of_assertion()), genuine()[0])
