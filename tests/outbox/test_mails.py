"""Sending: still wanted, opened only for its own recipient, and never two as one."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from authflow.adapters.mail import MemoryMailer
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import SealBroken, SecretUnavailable
from authflow.facts.mfa import FactorEnrolled, FactorsReset
from authflow.facts.records import Category, Mail, MailKind, Message, Scope
from authflow.outbox.delivery import Done, Park, Retry
from authflow.outbox.mails import MailHandler
from authflow.outbox.relay import Drained
from authflow.ports import User, UserAddress
from authflow.recording import Recorder
from authflow.testing import SeededEntropy
from authflow.testing.clocks import START
from authflow.testing.contracts.outbox import Killed
from authflow.testing.contracts.outbox_stores import Post
from authflow.values import Address, Asker, AuthenticatorId, Context, Sealed, Secret, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Sequence

ANN = UserId("ann")
MAILBOX = Address("ann@example.org")
BOTH = (MAILBOX, Address("ann@example.net"))


class Box:
    """A cipher that is a dictionary: what is opened elsewhere is broken, what it never sealed is unavailable."""

    def __init__(self) -> None:
        self.held: dict[bytes, tuple[str, tuple[str, ...]]] = {}

    def seal(self, secret: Secret, *, bound_to: Sequence[str]) -> Sealed:
        key = str(len(self.held)).encode()
        self.held[key] = (secret.reveal(), tuple(bound_to))
        return Sealed(key_id="k1", ciphertext=key)

    def open(self, sealed: Sealed, *, bound_to: Sequence[str]) -> Secret:
        if sealed.ciphertext not in self.held:
            raise SecretUnavailable(key_id=sealed.key_id)
        text, place = self.held[sealed.ciphertext]
        if place != tuple(bound_to):
            raise SealBroken(key_id=sealed.key_id)
        return Secret(text)

    def needs_reseal(self, sealed: Sealed) -> bool:
        return sealed.key_id != "k1"


class Desk:
    """An installation in which facts become mails: recorder, relay, cipher and mailer."""

    def __init__(self) -> None:
        self.post = Post(MemoryUnitOfWork())
        self.cipher, self.mailer, self.live = Box(), MemoryMailer(), True
        self.asked: list[str] = []
        with self.post.uow.begin() as tx:
            held = tuple(UserAddress(address=a, primary=a == MAILBOX, verified_at=START) for a in BOTH)
            tx.users.add(User(id=ANN, label="ann", addresses=held))  # type: ignore[attr-defined]

    def record(self, *facts: Any) -> None:
        """Record *facts* as a service does."""
        recorder = Recorder(cipher=self.cipher, entropy=SeededEntropy())
        asker = Asker(user=ANN, session=SessionId(""), label="ann")
        with self.post.uow.begin() as tx:
            recorder.record(tx, facts, asker=asker, context=Context(ip="192.0.2.7"), now=START)

    def handler(self) -> MailHandler:
        """A mail handler whose liveness check remembers what it was asked."""

        def still_live(message: Message) -> bool:
            self.asked.append(message.id)
            return self.live

        return MailHandler(cipher=self.cipher, mailer=self.mailer, still_live=still_live)

    def drain(self) -> Drained:
        """Drain the mails; everything else is told to nobody."""
        send = self.handler()
        relay = self.post.relay(lambda given: send(given) if given.category is Category.MAIL else Done())
        return relay.drain()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def reset(until: timedelta = timedelta(hours=1)) -> FactorsReset:
    return FactorsReset(user=ANN, reason="lost", removed=2, token=Secret("t0ken"), expires_at=START + until)


def envelope(**payload: Any) -> Message:
    return Message(
        id="m1",
        scope=Scope.USER,
        shard="ann",
        category=Category.MAIL,
        object="m1",
        payload={"mail": "mfa_reset", "to": MAILBOX, **payload},
        at=START,
        due_at=START,
    )


def test_every_verified_address_gets_the_mail_with_its_secret(desk: Desk) -> None:
    desk.record(reset())
    desk.drain()
    assert [sent.to for sent in desk.mailer.sent] == list(BOTH)
    assert {sent.context["token"] for sent in desk.mailer.sent} == {"t0ken"}
    first = desk.mailer.sent[0]
    assert (first.kind, first.context["user"], first.context["ip"]) == (MailKind.MFA_RESET, "ann", "192.0.2.7")
    assert {"sealed", "key_id", "to", "mail"} & set(first.context) == set()
    assert len({sent.id for sent in desk.mailer.sent}) == 2


def test_a_mail_without_a_secret_opens_nothing(desk: Desk) -> None:
    desk.record(FactorEnrolled(user=ANN, authenticator=AuthenticatorId("a1"), kind="totp"))
    desk.drain()
    assert [(sent.kind, sent.context["kind"]) for sent in desk.mailer.sent] == [(MailKind.MFA_ADDED, "totp")] * 2
    assert "token" not in desk.mailer.sent[0].context


def test_what_is_no_longer_wanted_is_neither_opened_nor_sent(desk: Desk) -> None:
    """Read again before sending, for each mail (decision 37)."""
    desk.record(reset())
    desk.live = False
    desk.cipher.held.clear()
    assert desk.drain() == Drained(dropped=2, delivered=1)
    assert (len(desk.asked), desk.mailer.sent) == (2, [])


def test_an_expired_secret_is_not_sent(desk: Desk) -> None:
    desk.record(reset(timedelta(seconds=5)))
    desk.post.clock.advance(seconds=5)
    assert desk.drain() == Drained(dropped=2, delivered=1)
    assert (desk.asked, desk.mailer.sent) == ([], [])


def test_a_secret_opens_for_its_own_message_and_recipient_only(desk: Desk) -> None:
    sealed = desk.cipher.seal(Secret("t0ken"), bound_to=("mail", "m1", MAILBOX))
    given = {"key_id": "k1", "sealed": base64.b64encode(sealed.ciphertext).decode()}
    assert desk.handler()(envelope(**given, to="eve@example.org")) == Park(reason="seal_broken")
    assert desk.mailer.sent == []
    assert desk.handler()(envelope(**given)) == Done()


def test_a_missing_key_waits_for_it_and_the_log_names_it(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    given = {"key_id": "k1", "sealed": base64.b64encode(b"other").decode()}
    assert desk.handler()(envelope(**given)) == Retry(reason="key_unavailable")
    assert [vars(record)["authflow_key"] for record in caplog.records if record.name == "authflow.keys"] == ["k1"]


@pytest.mark.parametrize(
    "payload",
    [
        {"sealed": "AA=="},
        {"sealed": None, "key_id": "k1"},
        {"sealed": "!", "key_id": "k1"},
        {"sealed": "\u00e4", "key_id": "k1"},
    ],
)
def test_a_malformed_envelope_is_parked(desk: Desk, payload: dict[str, Any]) -> None:
    assert desk.handler()(envelope(**payload)) == Park(reason="malformed")


@pytest.mark.parametrize("to", [None, "", 5])
def test_a_mail_to_nobody_is_parked(desk: Desk, to: Any) -> None:
    assert desk.handler()(envelope(to=to)) == Park(reason="no_recipient")


def test_a_mail_of_a_newer_version_is_tried_again(desk: Desk) -> None:
    assert desk.handler()(envelope(mail="carrier_pigeon")) == Retry(reason="unknown_mail")


def test_a_crash_between_sending_and_settling_sends_again_with_the_same_id(desk: Desk) -> None:
    class Dying(MemoryMailer):
        def send(self, mail: Mail) -> None:
            super().send(mail)
            if len(self.sent) == 1:
                raise Killed

    desk.record(reset())
    desk.mailer = Dying()
    with pytest.raises(Killed):
        desk.drain()
    desk.post.clock.advance(desk.post.policy.lease)
    while desk.drain() != Drained():
        pass
    ids = [sent.id for sent in desk.mailer.sent]
    assert (len(ids), len(set(ids)), ids[0]) == (3, 2, ids[1])
