"""Nobody is who was not signed for: security rows 6 to 18, generated over a genuine answer, however it was signed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from authflow.adapters.providers.saml.answer import Demands, open_answer
from authflow.adapters.providers.saml.certificates import rsa_key
from authflow.adapters.providers.saml.signature import EXCLUSIVE, PREFIXES_MAX, read_signature
from authflow.adapters.providers.saml.verifier import PythonSamlVerifier
from authflow.adapters.providers.saml.xml import Unacceptable, name
from authflow.sso.kinds import Rejected
from authflow.testing.saml_markup import response, sign
from tests.providers.saml.stage import GENUINE, arrive, keys, provider, said, signed, who
from tests.providers.saml.wrapping import ALGORITHMS, OF_ASSERTIONS, OF_RESPONSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.providers.saml.certificates import OwnKeys
    from authflow.adapters.providers.saml.xml import Element
    from authflow.sso.kinds import Assertion

    Attack = Callable[[Element], Element]

SIGNED = ("assertion", "response", "both")


def attacked(attack: Attack, signs: str) -> Assertion | Rejected:
    root = etree.fromstring(signed(signs))
    return arrive(etree.tostring(attack(root)))


@pytest.mark.parametrize("signs", SIGNED)
def test_what_was_signed_is_read(signs: str):
    assert who(arrive(signed(signs))) == GENUINE


@pytest.mark.parametrize("signs", SIGNED)
def test_what_is_read_is_the_bytes_that_were_digested(signs: str):
    """CVE-2025-25291, CVE-2025-54369: not what stands in the message, though they say the same."""
    beside = b'<samlp:Response xmlns:beside="urn:beside" '  # what nothing uses is in no exclusive canonical form
    document = signed(signs).replace(b"<samlp:Response ", beside, 1)
    opened = open_answer(document, Demands(certificates=[keys("idp").certificate]), PythonSamlVerifier())
    assert "beside" not in opened.assertion.nsmap
    assert ("beside" in opened.response.nsmap) is (signs == "assertion")


@pytest.mark.parametrize("signs", SIGNED)
@pytest.mark.parametrize("attack", OF_ASSERTIONS)
def test_an_assertion_that_was_wrapped_signs_nobody_in(attack: Attack, signs: str):
    assert isinstance(attacked(attack, signs), Rejected)


@pytest.mark.parametrize("signs", ["response", "both"])
@pytest.mark.parametrize("attack", OF_RESPONSES)
def test_a_response_that_was_wrapped_signs_nobody_in(attack: Attack, signs: str):
    assert isinstance(attacked(attack, signs), Rejected)


@pytest.mark.parametrize("signs", SIGNED)
@pytest.mark.parametrize("attack", ALGORITHMS.values(), ids=ALGORITHMS)
def test_other_algorithms_are_not_believed(attack: Attack, signs: str):
    assert isinstance(attacked(attack, signs), Rejected)


def forged_by(forger: OwnKeys, info: Callable[[Element], None]) -> bytes:
    """Return a forged answer that *forger* signed, whose signature names a key as *info* says."""
    root = response(said(name_id="mallory", attributes={"identifier": ("mallory",), "email": ("m@example.com",)}))
    assertion = root.find(name("saml", "Assertion"))
    assert assertion is not None
    sign(assertion, forger)
    root = etree.fromstring(etree.tostring(root))  # lxml does not find by name what xmlsec put in
    info(next(root.iter(name("ds", "KeyInfo"))))
    return etree.tostring(root)


def as_it_is(_info: Element) -> None:
    """The certificate of the forger."""


def by_the_right_certificate(info: Element) -> None:
    for element in info.iter(name("ds", "X509Certificate")):
        element.text = keys("idp").certificate


def by_name(info: Element) -> None:
    info.clear()
    etree.SubElement(info, name("ds", "KeyName")).text = "idp"


def by_value(info: Element) -> None:
    numbers = rsa_key(keys("mallory").private_key).public_key().public_numbers()
    info.clear()
    value = etree.SubElement(etree.SubElement(info, name("ds", "KeyValue")), name("ds", "RSAKeyValue"))
    for local, number in zip(("Modulus", "Exponent"), (numbers.n, numbers.e), strict=True):
        data = number.to_bytes((number.bit_length() + 7) // 8)
        etree.SubElement(value, name("ds", local)).text = base64.b64encode(data).decode()


def by_retrieval(info: Element) -> None:
    info.clear()
    etree.SubElement(info, name("ds", "RetrievalMethod"), {"URI": "file:///etc/passwd"})


def by_nothing(info: Element) -> None:
    parent = info.getparent()
    assert parent is not None
    parent.remove(info)


@pytest.mark.parametrize("info", [as_it_is, by_the_right_certificate, by_name, by_value, by_retrieval, by_nothing])
def test_a_key_in_the_message_is_never_used(info: Callable[[Element], None]):
    assert isinstance(arrive(forged_by(keys("mallory"), info)), Rejected)
    assert who(arrive(forged_by(keys("idp"), info))) == ("mallory", "m@example.com", "")  # the provider may say so


def test_a_signed_response_says_nothing_for_an_assertion_of_another_one():
    other = etree.fromstring(provider("assertion").write(said(name_id="mallory")))
    root = etree.fromstring(signed("response"))
    genuine, foreign = root.find(name("saml", "Assertion")), other.find(name("saml", "Assertion"))
    assert genuine is not None
    assert foreign is not None
    root.replace(genuine, foreign)
    assert isinstance(arrive(etree.tostring(root)), Rejected)


@pytest.mark.parametrize("beside", ["a forged assertion", "a forged response"])
def test_what_else_the_provider_signed_signs_no_answer(beside: str):
    """Such as its metadata, which anybody may have: carried along, with its signature where an answer's belongs."""
    other = etree.Element("{urn:odd}Described", {"ID": "_described"}, nsmap={None: "urn:odd"})
    etree.SubElement(other, "{urn:odd}Name").text = "idp"
    sign(other, keys("idp"))
    other = etree.fromstring(etree.tostring(other))
    root = etree.fromstring(etree.tostring(response(said(name_id="mallory"))))
    place = root if beside == "a forged response" else root.find(name("saml", "Assertion"))
    signature = other.find(name("ds", "Signature"))
    assert place is not None
    assert signature is not None
    place.insert(1, signature)
    extensions = etree.Element(name("samlp", "Extensions"))
    extensions.append(other)
    root.insert(1 + (place is root), extensions)
    assert isinstance(arrive(etree.tostring(root)), Rejected)


@pytest.mark.parametrize("signs", SIGNED)
def test_what_the_settings_demand_to_be_signed_is(signs: str):
    demanded = {
        "either": True,
        "assertion": signs != "response",
        "response": signs != "assertion",
        "both": signs == "both",
    }
    assert {demand: who(arrive(signed(signs), signed=demand)) == GENUINE for demand in demanded} == demanded


@pytest.mark.parametrize("where", ["CanonicalizationMethod", "Transform"])
def test_a_canonicalization_looks_for_few_prefixes_at_every_element(where: str):
    """Nobody needs a key to have it done: the digest is taken before the signature is refused."""

    def naming(prefixes: int) -> Element:
        signature = next(etree.fromstring(signed("response")).iter(name("ds", "Signature")))
        exclusive = [e for e in signature.iter(name("ds", where)) if e.get("Algorithm") == EXCLUSIVE]
        for method in exclusive:
            method[:] = [etree.Element(f"{{{EXCLUSIVE}}}InclusiveNamespaces", PrefixList="a " * prefixes)]
        return signature

    assert read_signature(naming(PREFIXES_MAX)).value
    with pytest.raises(Unacceptable, match="prefixes"):
        read_signature(naming(PREFIXES_MAX + 1))


def test_a_list_of_prefixes_keeps_namespaces_of_the_response_signed():
    """OpenSAML signs so: the prefix is declared outside of the assertion, and no name in it uses it."""
    markup = etree.tostring(response(said())).replace(b"xmlns:xs=", b"xmlns:unused=")
    root = etree.fromstring(
        markup.replace(b"<samlp:Response ", b'<samlp:Response xmlns:xs="http://www.w3.org/2001/XMLSchema" ')
    )
    assertion = root.find(name("saml", "Assertion"))
    assert assertion is not None
    sign(assertion, keys("idp"), prefixes=("xs",))
    assert b"PrefixList" in etree.tostring(root)
    assert who(arrive(etree.tostring(root))) == GENUINE
