"""From the bytes that a browser brought to an assertion that was signed, and nothing besides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.adapters.providers.saml.encryption import open_assertion
from authflow.adapters.providers.saml.gate import read_assertion, read_response
from authflow.adapters.providers.saml.rules import VerifiedAssertion
from authflow.adapters.providers.saml.xml import Unacceptable, only

if TYPE_CHECKING:
    from collections.abc import Collection

    from authflow.adapters.providers.saml.gate import Message
    from authflow.adapters.providers.saml.signature import Signed
    from authflow.adapters.providers.saml.verifier import SamlVerifier
    from authflow.adapters.providers.saml.xml import Element
    from authflow.values import Secret

EITHER, ASSERTION, RESPONSE, BOTH = "either", "assertion", "response", "both"
SIGNED: Final = (EITHER, ASSERTION, RESPONSE, BOTH)
"""What must be signed. An assertion that no signature covers is never taken."""


@attrs.frozen(kw_only=True)
class Demands:
    """What an answer is opened with, the provider's certificates and our key, and what it must not lack."""

    certificates: Collection[str]
    private_key: Secret | None = None
    signed: str = EITHER
    encrypted: bool = False


def open_answer(data: bytes, demands: Demands, verifier: SamlVerifier) -> VerifiedAssertion:
    """Return the assertion in *data*, and the response around it.

    Raises:
        Unacceptable: It has another shape, is not signed by the provider, or not for us to open.
    """
    message = read_response(data)
    verifier.require_schema(message.response)
    if demands.encrypted and not message.encrypted:
        msg = "Response: its assertion is not encrypted, as the settings demand"
        raise Unacceptable(msg)
    response = message.response
    whole = message.response_signature is not None
    if message.response_signature is not None:  # first: taking out the assertion's own would change what this covers
        response = verifier.verify(message.response_signature, certificates=demands.certificates)
    found, signature = _assertion(message, response, demands, verifier)
    if signature is not None:
        found = verifier.verify(signature, certificates=demands.certificates)
    _require_demanded(demands, whole=whole, alone=signature is not None)
    return VerifiedAssertion(response=response, assertion=found, whole=whole)


def _assertion(
    message: Message, response: Element, demands: Demands, verifier: SamlVerifier
) -> tuple[Element, Signed | None]:
    """Return the assertion of *response*, which is what was signed if all of it was, and its own signature."""
    if not message.encrypted:
        return only(response, "saml", "Assertion"), message.assertion_signature
    if demands.private_key is None:
        msg = "EncryptedAssertion: there is no key of ours to open it"
        raise Unacceptable(msg)
    encrypted = only(response, "saml", "EncryptedAssertion")
    opened, signature = read_assertion(open_assertion(encrypted, demands.private_key), encrypted)
    verifier.require_schema(opened)
    return opened, signature


def _require_demanded(demands: Demands, *, whole: bool, alone: bool) -> None:
    if not whole and not alone:
        msg = "Signature: there is none"
        raise Unacceptable(msg)
    if (demands.signed in {RESPONSE, BOTH} and not whole) or (demands.signed in {ASSERTION, BOTH} and not alone):
        msg = f"Signature: not of what the settings demand: {demands.signed}"
        raise Unacceptable(msg)
