"""A mailer that hands mails to an SMTP server (RFC 5321), encrypted unless it is told otherwise."""

from __future__ import annotations

import smtplib
import ssl
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import attrs

from authflow.adapters.mail import NO_LINKS, render
from authflow.adapters.system import SystemClock
from authflow.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.headerregistry import Address

    from authflow.facts.records import Mail, MailKind
    from authflow.ports import Clock
    from authflow.values import Secret

Encryption = Literal["tls", "starttls", "none"]

PORTS: Final[Mapping[Encryption, int]] = MappingProxyType({"tls": 465, "starttls": 587, "none": 25})
"""Where servers listen (RFC 8314, section 3; RFC 5321)."""


def _address(sender: str) -> Address:
    found: tuple[Address, ...] = SMTP.header_factory("From", sender).addresses if sender.isprintable() else ()
    if len(found) != 1 or not found[0].username or not found[0].domain:
        raise ConfigInvalid(setting="sender", problem="is no address, such as 'Acme <no-reply@acme.example>'")
    return found[0]


@attrs.frozen(kw_only=True)
class SmtpMailer:
    """Sends every mail in plain text, to one recipient, over a connection of its own.

    The `Message-ID` is made of the mail's own id: what the relay hands over twice, because the server's answer was
    lost, is known as the same. Whatever the server does not take raises an exception, and the relay tries again.

    Args:
        host: The server. Its certificate must be for this name.
        port: The one that belongs to *encryption* unless told otherwise.
        sender: Whom mails are from, such as ``Acme <no-reply@acme.example>``.
        links: See `render`.
        encryption: ``tls`` from the first byte; ``starttls``, without which nothing is sent; or ``none``, by which
            whoever is on the way reads the links: for a server on the same machine.
        username, password: If it asks for them. They are never sent without encryption.
        tls: What is trusted; the authorities of this system unless told otherwise.
        timeout: How long each answer of the server is waited for.
        clock: The date of mails.

    Raises:
        ConfigInvalid: *sender* is no address, *encryption* none of the three, or the password would be sent in clear.
    """

    host: str
    sender: Address = attrs.field(converter=_address)
    links: Mapping[MailKind, str] = NO_LINKS
    encryption: Encryption = "tls"
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    tls: ssl.SSLContext = attrs.field(factory=ssl.create_default_context)
    timeout: timedelta = timedelta(seconds=10)
    clock: Clock = attrs.field(factory=SystemClock)

    def __attrs_post_init__(self) -> None:
        if self.encryption not in PORTS:
            raise ConfigInvalid(setting="encryption", problem=f"is none of {', '.join(PORTS)}")
        if (self.username is None) is not (self.password is None):
            raise ConfigInvalid(setting="password", problem="stands with a username, and the other way round")
        if self.password is not None and self.encryption == "none":
            raise ConfigInvalid(setting="password", problem="is not sent without encryption")

    def send(self, mail: Mail) -> None:
        """Hand *mail* to the server.

        Raises:
            ValueError: The address is not exactly one mailbox.
            OSError: It was not sent, or nobody knows; `smtplib.SMTPException` says what the server said.
        """
        message = self._written(mail)
        with self._reached() as server:
            if self.encryption == "starttls":
                server.starttls(context=self.tls)
            if self.username is not None and self.password is not None:
                server.login(self.username, self.password.reveal())
            server.send_message(message, self.sender.addr_spec, [mail.to])

    def _reached(self) -> smtplib.SMTP:
        port, seconds = self.port or PORTS[self.encryption], self.timeout.total_seconds()
        if self.encryption == "tls":
            return smtplib.SMTP_SSL(self.host, port, timeout=seconds, context=self.tls)
        return smtplib.SMTP(self.host, port, timeout=seconds)

    def _written(self, mail: Mail) -> EmailMessage:
        text, message = render(mail, self.links), EmailMessage(policy=SMTP)
        message["From"], message["To"] = self.sender, mail.to
        if [found.addr_spec for found in message["To"].addresses] != [mail.to]:
            msg = "the recipient is not exactly one mailbox"
            raise ValueError(msg)
        message["Subject"] = text.subject
        message["Date"] = self.clock.now()
        message["Message-ID"] = f"<{mail.id}@{self.sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is told to it
        message.set_content(text.body)
        return message
