"""Mails by SMTP, to a real server on loopback (aiosmtpd): whole, encrypted, and to one mailbox."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from functools import cache
from pathlib import Path
from smtplib import SMTPException
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authflow import MailKind, Secret
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.smtp import PORTS, SmtpMailer
from authflow.errors import ConfigInvalid
from authflow.facts.records import Mail
from authflow.values import Address
from tests.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

LINK = "https://app.example/new-factor#{token}"
SENDER = "Acme Gr\u00fc\u00dfe <no-reply@acme.example>"


def mail(to: str = "ann@example.org") -> Mail:
    context = {"token": "t0ken", "reason": "lost", "removed": 1, "at": "now", "ip": None, "actor": "\u00fc"}
    return Mail(id="m1", kind=MailKind.MFA_RESET, to=Address(to), context=context)


@cache
def certified() -> tuple[bytes, bytes]:
    """Return a certificate for localhost and its key, as PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem, unencrypted = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted)
    return made.sign(key, hashes.SHA256()).public_bytes(pem), private


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    file = Path(tmp_path_factory.mktemp("smtp")) / "server.pem"
    file.write_bytes(b"".join(certified()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certified()[0].decode())


@attrs.define
class Server:
    """What a server read, and what it says to the next mails: `250 OK` unless a test says otherwise."""

    said: list[str] = attrs.field(factory=list)
    envelopes: list[Any] = attrs.field(factory=list)
    port: int = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.envelopes.append(envelope)
        return self.said.pop(0) if self.said else "250 OK"

    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(envelope.content, policy=default) for envelope in self.envelopes]

    def mailer(self, **given: Any) -> SmtpMailer:
        known: dict[str, Any] = {"host": "localhost", "port": self.port, "sender": SENDER, "tls": trusting()}
        return SmtpMailer(**{**known, "links": {MailKind.MFA_RESET: LINK}, **given})


class Listening(Controller):
    """A server on a port that the system chooses."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def running(**given: Any) -> Iterator[Server]:
    server = Server()
    controller = Listening(server, hostname="127.0.0.1", port=0, **given)
    controller.start()
    server.port = controller.port
    try:
        yield server
    finally:
        controller.stop()


def known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"acme", b"hush"), handled=False)


@contextmanager
def speaking(encryption: str, context: ssl.SSLContext) -> Iterator[Server]:
    """Run a server that speaks *encryption*, and where there is any, to whoever has the password."""
    how: dict[str, dict[str, Any]] = {
        "none": {},
        "starttls": {"tls_context": context, "require_starttls": True, "auth_required": True},
        "tls": {"ssl_context": context, "auth_required": True, "auth_require_tls": False},
    }
    with running(**how[encryption], authenticator=known) as server:
        yield server


@pytest.mark.parametrize("encryption", PORTS)
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it has TLS from the first byte
def test_a_mail_arrives_whole_at_one_mailbox(serving: ssl.SSLContext, encryption: Any):
    password = {} if encryption == "none" else {"username": "acme", "password": Secret("hush")}
    with speaking(encryption, serving) as server:
        server.mailer(encryption=encryption, **password).send(mail())
    (envelope,), (message,) = server.envelopes, server.messages()
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@acme.example", ["ann@example.org"])
    assert (message["From"], message["To"]) == (SENDER, "ann@example.org")
    assert (message["Subject"], message["Message-ID"]) == ("Your second factors were reset", "<m1@acme.example>")
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime is not None
    assert "https://app.example/new-factor#t0ken" in message.get_content().splitlines()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # as above
def test_nothing_is_said_to_a_server_that_is_not_trusted_and_nothing_in_clear(serving: ssl.SSLContext):
    with speaking("tls", serving) as encrypted, speaking("none", serving) as clear:
        for mailer in (
            encrypted.mailer(tls=ssl.create_default_context()),
            encrypted.mailer(host="127.0.0.1"),  # which its certificate does not name
            encrypted.mailer(username="acme", password=Secret("wrong")),
            encrypted.mailer(),  # it wants a password
            clear.mailer(encryption="starttls"),  # it has none
            clear.mailer(encryption="tls"),
        ):
            with pytest.raises((SMTPException, OSError)):
                mailer.send(mail())
    assert encrypted.envelopes == clear.envelopes == []


TO = ["a@b.example, c@d.example", "Ann <a@b.example>", "a@b.example\r\nBcc: c@d.example", "a@b.example;c@d.example", ""]


@pytest.mark.parametrize("to", TO)
def test_what_is_not_one_mailbox_is_sent_nowhere(to: str):
    """CVE-2023-7028: a list of addresses is none. The port is nobody's: it is refused before anybody is asked."""
    with pytest.raises(ValueError, match=r"mailbox|linefeed"):
        SmtpMailer(host="localhost", port=1, sender=SENDER, encryption="none").send(mail(to))


@pytest.mark.parametrize("extended", [True, False])
def test_letters_beyond_ascii_need_a_server_that_takes_them(extended: bool):  # noqa: FBT001  # a table's column
    with running(enable_SMTPUTF8=extended) as server:
        mailer = server.mailer(encryption="none")
        if extended:
            mailer.send(mail("gr\u00fc\u00dfe@example.org"))
        else:
            with pytest.raises(SMTPException):
                mailer.send(mail("gr\u00fc\u00dfe@example.org"))
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [["gr\u00fc\u00dfe@example.org"]] * extended


def test_the_relay_sends_again_what_was_not_taken(serving: ssl.SSLContext):
    """From a flow to the server, which is busy, then refuses it, and then takes it: the same mail, by its id."""
    with speaking("starttls", serving) as server:
        stage = Stage(MemoryUnitOfWork())
        stage.mailer = server.mailer(encryption="starttls", username="acme", password=Secret("hush"), links={})
        stage.flows = stage.open(stage.ring)
        ada = stage.person()
        stage.sign_in(ada)
        stage.enroll(ada)
        server.said = ["451 later", "550 no"]
        for _ in range(5):
            stage.flows.relay.drain_until_quiet()
            stage.clock.advance(stage.policy.outbox.longest_delay)
    assert [message["Subject"] for message in server.messages()] == ["A second factor was set up for your account"] * 3
    assert len({message["Message-ID"] for message in server.messages()}) == 1


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ({"sender": "Acme"}, "sender"),
        ({"sender": "a@b.example, c@d.example"}, "sender"),
        ({"sender": ""}, "sender"),
        ({"sender": "@b.example"}, "sender"),
        ({"sender": "a@b.example\r\nBcc: c@d.example"}, "sender"),
        ({"encryption": "ssl"}, "encryption"),
        ({"username": "acme"}, "password"),
        ({"password": Secret("hush")}, "password"),
        ({"encryption": "none", "username": "acme", "password": Secret("hush")}, "password"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_start(given: dict[str, Any], setting: str):
    with pytest.raises(ConfigInvalid) as refused:
        SmtpMailer(**{"host": "localhost", "sender": SENDER, **given})
    assert refused.value.setting == setting
    assert "hush" not in str(refused.value)


def test_the_password_is_not_printed():
    assert "hush" not in repr(SmtpMailer(host="h", sender=SENDER, username="acme", password=Secret("hush")))
