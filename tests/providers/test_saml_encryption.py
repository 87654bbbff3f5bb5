"""An encrypted assertion is opened by our key and by nothing else, and what comes out is checked like any other."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

import pytest
import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from lxml import etree

from authflow.adapters.providers.saml.certificates import pem, rsa_key
from authflow.adapters.providers.saml.encryption import CHAINED, GCM, HASHES, TRANSPORTS
from authflow.adapters.providers.saml.xml import name
from authflow.sso.kinds import Rejected
from authflow.testing.clocks import SeededEntropy
from authflow.testing.saml_markup import encrypt, response, sign
from tests.providers.saml.stage import GENUINE, arrive, keys, provider, said, signed, who

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.providers.saml.xml import Element

OURS = keys("sp")


def encrypted(signs: str = "assertion") -> Element:
    return etree.fromstring(provider(signs).write(said(), reader=OURS))


def with_plain(
    plain: bytes, algorithm: str = "http://www.w3.org/2009/xmlenc11#aes256-gcm", *, cut: bool = False, **parts: str
) -> bytes:
    """Return an answer that nobody signed around *plain*, encrypted for us by *algorithm* and *parts* of OAEP.

    With *cut*, *plain* is padded already.
    """
    root = response(said())
    encrypt(root, OURS, SeededEntropy())
    root = etree.fromstring(etree.tostring(root))
    content, held = next(root.iter(name("xenc", "EncryptedData"))), next(root.iter(name("xenc", "EncryptedKey")))
    key = os.urandom({**GCM, **CHAINED}[algorithm])
    mask = MGF1(hashes.SHA1())  # noqa: S303  # the only one that the transports have without parameters
    padding = OAEP(mgf=mask, algorithm=HASHES[parts.get("digest", _DIGEST)](), label=None)
    wrapped = rsa_key(OURS.private_key).public_key().encrypt(key, padding)
    held[0].set("Algorithm", parts.get("transport", "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"))
    held[0][0].set("Algorithm", parts.get("digest", _DIGEST))
    content[0].set("Algorithm", algorithm)
    _value(held).text = base64.b64encode(wrapped).decode()
    sealed = _sealed(key, plain, chained=algorithm in CHAINED)
    _value(content).text = base64.b64encode(sealed[:-16] if cut else sealed).decode()
    return etree.tostring(root)


_DIGEST = "http://www.w3.org/2001/04/xmlenc#sha256"


def _value(element: Element) -> Element:
    found = element.find(f"{name('xenc', 'CipherData')}/{name('xenc', 'CipherValue')}")
    assert found is not None
    return found


def _sealed(key: bytes, plain: bytes, *, chained: bool) -> bytes:
    nonce = os.urandom(16 if chained else 12)
    if not chained:
        return nonce + AESGCM(key).encrypt(nonce, plain, None)
    length = 16 - len(plain) % 16
    encryptor = Cipher(AES(key), CBC(nonce)).encryptor()
    return nonce + encryptor.update(plain + os.urandom(length - 1) + bytes([length])) + encryptor.finalize()


def plain_assertion() -> bytes:
    found = etree.fromstring(signed()).find(name("saml", "Assertion"))
    assert found is not None
    return etree.tostring(found)


@pytest.mark.parametrize("signs", ["assertion", "response", "both"])
def test_what_was_encrypted_for_us_is_read(signs: str):
    assert who(arrive(etree.tostring(encrypted(signs)))) == GENUINE


def test_it_takes_our_key():
    answer = etree.tostring(encrypted())
    assert who(arrive(answer, private_key="")) is None
    assert who(arrive(answer, private_key=keys("mallory").private_key.reveal())) is None


@pytest.mark.parametrize("demanded", [True, False])
def test_the_settings_may_demand_it(*, demanded: bool):
    assert (who(arrive(signed(), encrypted=demanded)) is None) is demanded
    assert who(arrive(etree.tostring(encrypted()), encrypted=demanded)) == GENUINE


@pytest.mark.parametrize("algorithm", [*GCM, *CHAINED])
def test_every_listed_cipher_opens(algorithm: str):
    assert who(arrive(with_plain(plain_assertion(), algorithm))) == GENUINE


@pytest.mark.parametrize(
    "cipher", [xmlsec.constants.TransformAes256Gcm, xmlsec.constants.TransformAes128Cbc], ids=["GCM", "CBC"]
)
@pytest.mark.parametrize("signs", ["assertion", "both"])
def test_what_another_implementation_encrypts_opens(cipher: Any, signs: str):
    root = etree.fromstring(signed())
    found = root.find(name("saml", "Assertion"))
    assert found is not None
    template = xmlsec.template.encrypted_data_create(root, cipher, type=xmlsec.constants.TypeEncElement, ns="xenc")
    xmlsec.template.encrypted_data_ensure_cipher_value(template)
    info = xmlsec.template.encrypted_data_ensure_key_info(template, ns="ds")
    held = xmlsec.template.add_encrypted_key(info, xmlsec.constants.TransformRsaOaep)
    xmlsec.template.encrypted_data_ensure_cipher_value(held)
    manager = xmlsec.KeysManager()
    manager.add_key(xmlsec.Key.from_memory(pem(OURS.certificate), xmlsec.constants.KeyDataFormatCertPem, None))
    context = xmlsec.EncryptionContext(manager)
    bits = 256 if cipher is xmlsec.constants.TransformAes256Gcm else 128
    context.key = xmlsec.Key.generate(xmlsec.constants.KeyDataAes, bits, xmlsec.constants.KeyDataTypeSession)
    wrapper = etree.Element(name("saml", "EncryptedAssertion"))
    found.addprevious(wrapper)
    wrapper.append(found)
    context.encrypt_xml(template, found)
    root = etree.fromstring(etree.tostring(root))
    if signs == "both":
        sign(root, keys("idp"))
    assert who(arrive(etree.tostring(root))) == GENUINE


@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
@pytest.mark.parametrize("digest", HASHES)
def test_every_listed_way_around_the_key_opens(transport: str, digest: str):
    assert who(arrive(with_plain(plain_assertion(), transport=transport, digest=digest))) == GENUINE


def test_the_key_may_stand_beside_the_text():
    root = encrypted()
    held, parent = next(root.iter(name("xenc", "EncryptedKey"))), next(root.iter(name("saml", "EncryptedAssertion")))
    info = held.getparent()
    assert info is not None
    etree.SubElement(info, name("ds", "RetrievalMethod"), {"URI": "#somewhere"})
    parent.append(held)
    assert who(arrive(etree.tostring(root))) == GENUINE


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"<",
        b"not XML",
        b"\0" * 64,
        b"<saml:Assertion/>",
        b'<!DOCTYPE r [<!ENTITY x "y">]>' + plain_assertion(),
        plain_assertion() + plain_assertion(),
        b"<r>" + plain_assertion() + b"</r>",
        plain_assertion() + b"text",
        b"</context><context>" + plain_assertion(),
        b"</context>" + plain_assertion() + b"<context>",
        plain_assertion() + b"</context><!--",
        signed(),
        etree.tostring(response(said())[2]),  # nobody signed it
        plain_assertion().replace(b"ada-1", b"ada<!---->-1"),
    ],
    ids=range(15),  # what is signed differs from process to process
)
@pytest.mark.parametrize(
    "algorithm", ["http://www.w3.org/2009/xmlenc11#aes128-gcm", "http://www.w3.org/2001/04/xmlenc#aes128-cbc"]
)
def test_what_comes_out_is_as_little_believed_as_any_message(plain: bytes, algorithm: str):
    assert isinstance(arrive(with_plain(plain, algorithm)), Rejected)


def _algorithm(local: str, value: str) -> Callable[[Element], object]:
    return lambda root: next(root.iter(name("xenc", local)))[0].set("Algorithm", value)


def _pkcs1(root: Element) -> None:
    """The old padding, rightly made: it must not be tried at all (CVE-2026-28490)."""
    held, content = next(root.iter(name("xenc", "EncryptedKey"))), next(root.iter(name("xenc", "EncryptedData")))
    key = os.urandom(32)
    held[0].set("Algorithm", "http://www.w3.org/2001/04/xmlenc#rsa-1_5")
    _value(held).text = base64.b64encode(rsa_key(OURS.private_key).public_key().encrypt(key, PKCS1v15())).decode()
    _value(content).text = base64.b64encode(_sealed(key, plain_assertion(), chained=False)).decode()


def _by_reference(root: Element) -> None:
    content = next(root.iter(name("xenc", "EncryptedData")))
    data = content.find(name("xenc", "CipherData"))
    assert data is not None
    data.clear()
    etree.SubElement(data, name("xenc", "CipherReference"), {"URI": "file:///etc/passwd"})


def _twice(local: str) -> Callable[[Element], object]:
    def edit(root: Element) -> None:
        element = next(root.iter(name("xenc", local)))
        element.addnext(etree.fromstring(etree.tostring(element)))

    return edit


def _beside(root: Element) -> None:
    root.append(etree.fromstring(plain_assertion()))


def _cut(local: str, length: int) -> Callable[[Element], object]:
    def edit(root: Element) -> None:
        value = _value(next(root.iter(name("xenc", local))))
        value.text = base64.b64encode(base64.b64decode(value.text or "")[:length]).decode()

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        _pkcs1,
        _by_reference,
        _beside,
        _twice("EncryptedKey"),
        _twice("EncryptedData"),
        _algorithm("EncryptedKey", "http://www.w3.org/2001/04/xmlenc#kw-aes128"),
        _algorithm("EncryptedData", "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"),
        _algorithm("EncryptedData", "http://www.w3.org/2009/xmlenc11#aes128-gcm"),
        _algorithm("EncryptedData", "http://www.w3.org/2001/04/xmlenc#aes256-cbc"),
        _cut("EncryptedData", 20),
        _cut("EncryptedData", 0),
        _cut("EncryptedKey", 20),
        lambda root: next(root.iter(name("ds", "DigestMethod"))).set(
            "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#md5"
        ),
        lambda root: next(root.iter(name("ds", "DigestMethod"))).set(
            "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"
        ),
        lambda root: setattr(_value(next(root.iter(name("xenc", "EncryptedData")))), "text", "*"),
    ],
)
def test_no_other_shape_is_opened(edit: Callable[[Element], object]):
    root = encrypted()
    edit(root)
    assert isinstance(arrive(etree.tostring(root)), Rejected)


@pytest.mark.parametrize("length", [0, 17, 255])
def test_a_padding_that_no_block_has_is_none(length: int):
    """Of CBC the last byte says how long the padding is."""
    whole = 16 - len(plain_assertion()) % 16
    padded = plain_assertion() + bytes(whole - 1) + bytes([length])
    algorithm = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    assert isinstance(arrive(with_plain(padded, algorithm, cut=True)), Rejected)


def test_the_schema_holds_inside_as_well():
    root = response(said())
    assertion = root.find(name("saml", "Assertion"))
    assert assertion is not None
    assertion.set("odd", "1")
    sign(assertion, keys("idp"))
    encrypt(root, OURS, SeededEntropy())
    assert isinstance(arrive(etree.tostring(root)), Rejected)


def test_a_response_that_was_signed_covers_the_cipher():
    root = encrypted("response")
    other = encrypted("response")  # the same text under another key
    old, new = (next(r.iter(name("saml", "EncryptedAssertion"))) for r in (root, other))
    root.replace(old, new)
    assert isinstance(arrive(etree.tostring(root)), Rejected)


def test_our_key_alone_is_no_proof_of_the_provider():
    """Anybody has our certificate: an assertion that nobody signed may be encrypted by anybody."""
    root = response(said())
    assertion = root.find(name("saml", "Assertion"))
    assert assertion is not None
    encrypt(root, OURS, SeededEntropy())
    assert isinstance(arrive(etree.tostring(root)), Rejected)
    sign(root, keys("mallory"))
    assert isinstance(arrive(etree.tostring(root)), Rejected)
