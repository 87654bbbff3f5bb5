"""Who checks signatures: the port, and python3-saml behind it.

python3-saml is used for what it is: a checker of signatures and of the schema. Its own idea of a valid answer is not
asked (security 1.2): it parses the message a second time, judges times by the clock of the machine, compares the
destination with the beginning of an URL, and lets an answer pass that was not asked for. With nothing of it in use that
a setting could turn off, there is no ``strict`` to forget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lxml import etree

from authflow.adapters.providers.saml.signature import covered
from authflow.adapters.providers.saml.toolkit import schema, signed_by
from authflow.adapters.providers.saml.xml import Unacceptable, Untrusted

if TYPE_CHECKING:
    from collections.abc import Collection

    from authflow.adapters.providers.saml.signature import Signed
    from authflow.adapters.providers.saml.xml import Element


class SamlVerifier(Protocol):
    """Checks what `read_signature` found in the right shape."""

    def verify(self, signed: Signed, *, certificates: Collection[str]) -> Element:
        """Return the element that was signed, read from the bytes that were digested and from nothing else.

        *certificates* are those of the settings, base64 of DER; a key in the message is never used. The document that
        the signature stands in is no longer whole afterwards.

        Raises:
            Untrusted: None of them signed it.
            Unacceptable: The signature is good, and of other bytes.
        """
        ...

    def require_schema(self, message: Element) -> None:
        """Return if *message* is valid by the schema of SAML's protocol.

        Raises:
            Unacceptable: It is not.
        """
        ...


class PythonSamlVerifier:
    """`SamlVerifier` by python3-saml: xmlsec and libxml2."""

    def verify(self, signed: Signed, *, certificates: Collection[str]) -> Element:
        if any(signed_by(signed.signature, certificate) for certificate in certificates):
            return covered(signed)
        msg = f"{etree.QName(signed.element).localname}: no configured certificate signed it"
        raise Untrusted(msg)

    def require_schema(self, message: Element) -> None:
        if not schema().validate(message):
            msg = f"{etree.QName(message).localname}: not valid by the schema of SAML"
            raise Unacceptable(msg)
