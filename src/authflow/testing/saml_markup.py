"""What a SAML identity provider writes: answers, signatures and ciphers, right ones and such as no provider writes."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import xmlsec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from authflow.adapters.providers.saml.certificates import pem, rsa_key
from authflow.adapters.providers.saml.gate import SUCCESS
from authflow.adapters.providers.saml.rules import BEARER, write_instant
from authflow.adapters.providers.saml.xml import PREFIXES, name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from authflow.adapters.providers.saml.certificates import OwnKeys
    from authflow.adapters.providers.saml.xml import Element
    from authflow.ports import Entropy

LIFE: Final = timedelta(minutes=5)
EMAIL_FORMAT: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"

_SPACES: Final = {"samlp": PREFIXES["samlp"], "saml": PREFIXES["saml"]}
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_VALUES: Final = {"xs": "http://www.w3.org/2001/XMLSchema", "xsi": _XSI}
_GCM: Final = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
_OAEP: Final = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
_SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
_PASSWORD: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"  # noqa: S105  # a class's name


@attrs.frozen(kw_only=True)
class Said:
    """Everything that an answer says; `attrs.evolve` makes one that says something else.

    *request* is what it answers, or none. *name_id* is left out where it is empty.
    """

    issuer: str
    audience: str
    destination: str | None
    recipient: str
    request: str | None
    issued: datetime
    not_before: datetime
    not_on_or_after: datetime
    session_ends: datetime | None = None
    response_id: str
    assertion_id: str
    name_id: str
    name_id_format: str = PERSISTENT
    session_index: str = ""
    attributes: Mapping[str, tuple[str, ...]]
    status: str = SUCCESS
    version: str = "2.0"


# --- answers --------------------------------------------------------------------------------------------------------


def response(said: Said) -> Element:
    """Return a ``Response``, signed nowhere; one that says that somebody signed in has an ``Assertion``."""
    root = etree.Element(name("samlp", "Response"), nsmap=_SPACES)
    _set(root, ID=said.response_id, Version=said.version, IssueInstant=write_instant(said.issued))
    _set(root, Destination=said.destination, InResponseTo=said.request)
    _add(root, "Issuer").text = said.issuer
    status = etree.SubElement(root, name("samlp", "Status"))
    etree.SubElement(status, name("samlp", "StatusCode"), {"Value": said.status})
    if said.status == SUCCESS:
        root.append(_assertion(said))
    return root


def _assertion(said: Said) -> Element:
    """Return an ``Assertion``, not signed."""
    root = etree.Element(name("saml", "Assertion"), nsmap={"saml": PREFIXES["saml"]})
    _set(root, ID=said.assertion_id, Version=said.version, IssueInstant=write_instant(said.issued))
    _add(root, "Issuer").text = said.issuer
    _subject(root, said)
    conditions = _add(root, "Conditions")
    _set(conditions, NotBefore=write_instant(said.not_before), NotOnOrAfter=write_instant(said.not_on_or_after))
    _add(_add(conditions, "AudienceRestriction"), "Audience").text = said.audience
    statement = _add(root, "AuthnStatement")
    _set(statement, AuthnInstant=write_instant(said.issued), SessionIndex=said.session_index or None)
    _set(statement, SessionNotOnOrAfter=None if said.session_ends is None else write_instant(said.session_ends))
    _add(_add(statement, "AuthnContext"), "AuthnContextClassRef").text = _PASSWORD
    _attributes(root, said.attributes)
    return root


def _subject(root: Element, said: Said) -> None:
    subject = _add(root, "Subject")
    if said.name_id:
        name_id = _add(subject, "NameID")
        name_id.text = said.name_id
        _set(name_id, Format=said.name_id_format)
    confirmation = _add(subject, "SubjectConfirmation")
    _set(confirmation, Method=BEARER)
    confirmed = _add(confirmation, "SubjectConfirmationData")
    _set(
        confirmed, NotOnOrAfter=write_instant(said.not_on_or_after), Recipient=said.recipient, InResponseTo=said.request
    )


def _attributes(root: Element, attributes: Mapping[str, tuple[str, ...]]) -> None:
    if not attributes:
        return
    statement = _add(root, "AttributeStatement")
    for key, values in attributes.items():
        attribute = _add(statement, "Attribute")
        _set(attribute, Name=key)
        for text in values:
            value = etree.SubElement(attribute, name("saml", "AttributeValue"), nsmap=_VALUES)
            value.set(f"{{{_XSI}}}type", "xs:string")
            value.text = text


def _add(parent: Element, local: str) -> Element:
    return etree.SubElement(parent, name("saml", local))


def _set(element: Element, **attributes: str | None) -> None:
    for key, value in attributes.items():
        if value is not None:
            element.set(key, value)


# --- signatures and ciphers -----------------------------------------------------------------------------------------


def sign(element: Element, keys: OwnKeys, *, weak: bool = False, prefixes: Collection[str] = ()) -> None:
    """Sign *element* in the place where SAML wants it, behind its issuer; *weak* is by SHA-1, as it was in 2005.

    *prefixes* are signed with it though no name in it uses them, as OpenSAML does.
    """
    method, digest = (
        (xmlsec.constants.TransformRsaSha1, xmlsec.constants.TransformSha1)
        if weak
        else (xmlsec.constants.TransformRsaSha256, xmlsec.constants.TransformSha256)
    )
    signature = xmlsec.template.create(element, xmlsec.constants.TransformExclC14N, method, ns="ds")
    element.insert(1, signature)
    reference = xmlsec.template.add_reference(signature, digest, uri=f"#{element.get('ID')}")
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    exclusive = xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    if prefixes:
        xmlsec.template.transform_add_c14n_inclusive_namespaces(exclusive, [*prefixes])
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    xmlsec.tree.add_ids(element, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(keys.private_key.reveal(), xmlsec.constants.KeyDataFormatPem, None)
    context.key.load_cert_from_memory(pem(keys.certificate), xmlsec.constants.KeyDataFormatPem)
    context.sign(signature)


def encrypt(root: Element, recipient: OwnKeys, entropy: Entropy) -> None:
    """Put the assertion of the response *root* under a cipher that only *recipient* opens: AES-GCM, RSA-OAEP."""
    found = root.find(name("saml", "Assertion"))
    if found is None:
        return
    key, nonce = entropy.random_bytes(32), entropy.random_bytes(12)
    cipher = nonce + AESGCM(key).encrypt(nonce, etree.tostring(found), None)
    padding = OAEP(mgf=MGF1(hashes.SHA1()), algorithm=hashes.SHA256(), label=None)  # noqa: S303  # of the mask
    wrapped = rsa_key(recipient.private_key).public_key().encrypt(key, padding)
    encrypted = etree.Element(name("saml", "EncryptedAssertion"))
    content = _encrypted(encrypted, "EncryptedData", _GCM)
    content.set("Type", f"{PREFIXES['xenc']}Element")
    held = _encrypted(etree.SubElement(content, name("ds", "KeyInfo")), "EncryptedKey", _OAEP)
    etree.SubElement(held[0], name("ds", "DigestMethod"), {"Algorithm": _SHA256})
    _cipher(held, wrapped)
    _cipher(content, cipher)
    root.replace(found, encrypted)


def _encrypted(parent: Element, local: str, algorithm: str) -> Element:
    element = etree.SubElement(parent, name("xenc", local), nsmap={"xenc": PREFIXES["xenc"], "ds": PREFIXES["ds"]})
    etree.SubElement(element, name("xenc", "EncryptionMethod"), {"Algorithm": algorithm})
    return element


def _cipher(element: Element, cipher: bytes) -> None:
    value = etree.SubElement(etree.SubElement(element, name("xenc", "CipherData")), name("xenc", "CipherValue"))
    value.text = base64.b64encode(cipher).decode()
