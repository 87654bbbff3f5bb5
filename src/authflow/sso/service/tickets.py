"""What a browser carries for us, sealed: a few facts that nobody but we can write or read, in one cookie."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from authflow.errors import SecretUnavailable
from authflow.values import Sealed, Secret

if TYPE_CHECKING:
    from authflow.sso.kinds import Document
    from authflow.sso.sealing import Binding, Vault

TICKET_MAX: Final = 3800
"""Characters: a cookie of 4096 bytes holds it with its name and attributes (RFC 6265 6.1)."""


def write_ticket(vault: Vault, document: Document, binding: Binding) -> Secret | None:
    """Return *document* for a browser; none if it is too much for one."""
    sealed = vault.seal(document, binding)
    text = f"{sealed.key_id}.{base64.urlsafe_b64encode(sealed.ciphertext).decode()}"
    return Secret(text) if len(text) <= TICKET_MAX else None


def read_ticket(vault: Vault, ticket: Secret, binding: Binding) -> dict[str, Any] | None:
    """Return the document; none if it is not of ours. Anybody may bring anything, so nobody is told of it."""
    text = ticket.reveal()
    key, _, body = text.partition(".")
    if len(text) > TICKET_MAX or not text.isascii():
        return None
    try:
        ciphertext = base64.b64decode(body, altchars=b"-_", validate=True)
        return vault.open(Sealed(key_id=key, ciphertext=ciphertext), binding)
    except (binascii.Error, SecretUnavailable):
        return None
