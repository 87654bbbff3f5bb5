"""Sending a mail: still wanted, then opened, then handed to the mailer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import SealBroken, SecretUnavailable
from authflow.facts.records import Mail, MailKind, Scope
from authflow.outbox.delivery import Done, Drop, Park, Result, Retry
from authflow.recording import mail_binding
from authflow.values import Address, Sealed

if TYPE_CHECKING:
    from authflow.facts.records import Message, Scalar
    from authflow.outbox.ports import StillLive
    from authflow.ports import Cipher, Mailer

ENVELOPE: Final = frozenset({"mail", "to", "key_id", "sealed"})
"""What a mail's payload holds beside the context of its template."""

SUBJECT: Final = {Scope.USER: "user", Scope.ORGANIZATION: "organization", Scope.PROJECT: "project"}
"""Under which name a template finds whose lane the mail came from."""


@attrs.frozen(kw_only=True)
class MailHandler:
    """Sends the mail of one message. Every mail has its own message, so each is sent, and never two as one."""

    cipher: Cipher
    mailer: Mailer
    still_live: StillLive

    def __call__(self, message: Message) -> Result:
        """Send the mail, unless what it is about is over (decision 37).

        The message's id is the mail's: a crash after sending and before settling sends the same id again.
        """
        kind, to = message.payload.get("mail"), message.payload.get("to")
        if kind not in set(MailKind):
            return Retry(reason="unknown_mail")
        if not isinstance(to, str) or not to:
            return Park(reason="no_recipient")
        if not self.still_live(message):
            return Drop(reason="no_longer_wanted")
        return self._send(message, MailKind(kind), Address(to))

    def _send(self, message: Message, kind: MailKind, to: Address) -> Result:
        try:
            secrets = self._secrets(message, to)
        except SecretUnavailable as error:
            report_unavailable(error)
            return Park(reason="seal_broken") if isinstance(error, SealBroken) else Retry(reason="key_unavailable")
        except (TypeError, ValueError):
            return Park(reason="malformed")
        self.mailer.send(Mail(id=message.id, kind=kind, to=to, context={**_context(message), **secrets}))
        return Done()

    def _secrets(self, message: Message, to: Address) -> dict[str, str]:
        if "sealed" not in message.payload:
            return {}
        key_id, text = message.payload.get("key_id"), message.payload["sealed"]
        if not isinstance(key_id, str) or not isinstance(text, str):
            raise TypeError
        sealed = Sealed(key_id=key_id, ciphertext=base64.b64decode(text, validate=True))
        return {"token": self.cipher.open(sealed, bound_to=mail_binding(message.id, to)).reveal()}


def _context(message: Message) -> dict[str, Scalar]:
    context = {name: value for name, value in message.payload.items() if name not in ENVELOPE}
    return {**context, SUBJECT[message.scope]: message.shard}
