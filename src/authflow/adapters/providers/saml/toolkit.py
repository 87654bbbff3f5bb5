"""The three things that python3-saml and xmlsec do for us. python3-saml has no types: this module gives it some."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import xmlsec
from lxml import etree
from onelogin.saml2 import utils  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # none

from authflow.adapters.providers.saml.certificates import pem

if TYPE_CHECKING:
    from authflow.adapters.providers.saml.certificates import OwnKeys
    from authflow.adapters.providers.saml.xml import Element

_TOOLKIT: Final[Any] = utils.OneLogin_Saml2_Utils
_PROTOCOL_SCHEMA: Final = "saml-schema-protocol-2.0.xsd"


def signed_by(signature: Element, certificate: str) -> bool:
    """Tell whether the key of *certificate* made *signature*, and its reference is to what it digests."""
    root = signature.getroottree().getroot()
    xmlsec.tree.add_ids(root, ["ID"])
    return bool(_TOOLKIT.validate_node_sign(signature, root, cert=pem(certificate), raise_exceptions=False))


def signed_inside(markup: bytes, own: OwnKeys) -> bytes:
    """Return the message in *markup* with our signature in it, by RSA and SHA-256."""
    signed: bytes = _TOOLKIT.add_sign(markup, own.private_key.reveal(), pem(own.certificate))
    return signed


@cache
def schema() -> etree.XMLSchema:
    """Return the schema of the protocol that python3-saml ships; reading it costs ten times what using it does."""
    folder = Path(str(utils.__file__)).parent / "schemas"
    return etree.XMLSchema(etree.parse(folder / _PROTOCOL_SCHEMA))
