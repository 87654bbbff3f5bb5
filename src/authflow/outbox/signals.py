"""Telling receivers: a signal to those of an organization's region, everything else to local ones.

Each receiver is called with the message's id, and its success is remembered by that id, so that a receiver that fails
is tried again alone. A crash between the call and the memory repeats the call with the same id: receivers de-duplicate
by it (outbox 2.4).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import ConfigInvalid
from authflow.facts.records import Category, Scope, Signal
from authflow.outbox.delivery import Done, Result, Retry
from authflow.values import OrganizationId, ProjectId, UserId, identifier

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.facts.records import Message, Scalar
    from authflow.outbox.ports import OutboxTransaction
    from authflow.ports import UnitOfWork

LOG: Final = logging.getLogger("authflow.outbox")

ARGUMENT: Final = "arg."
"""The prefix under which a signal's arguments travel in the payload."""

TOLD: Final = (
    Category.SIGNAL,
    Category.FACTOR_ENROLLED,
    Category.FACTOR_REMOVED,
    Category.RECOVERY_CODES_REGENERATED,
    Category.EMAIL_VERIFIED,
    Category.USER_SIGNED_UP,
    Category.EVENT_STORED,
)
"""The categories that are told to receivers; a message that nobody wants to hear is delivered to nobody."""

Topic = Signal | Category
"""What a receiver listens to: a signal of an organization, or a category of local messages."""

Subject = OrganizationId | UserId | ProjectId


@attrs.frozen(kw_only=True)
class Notice:
    """What a receiver is told.

    Args:
        id: The message's id. The same notice comes at least once, always with the same id.
        topic: The signal or category.
        subject: The organization, the person or the project it is about, as the topic says.
        region: The region of the organization's receivers, or none for local ones.
        at: When the change happened, not when it is told.
        args: Scalars named by the table of facts. They hint; whoever needs the present state reads it.
    """

    id: str
    topic: Topic
    subject: Subject
    region: str | None
    at: datetime
    args: Mapping[str, Scalar]


Receiver = Callable[[Notice], None]
"""Called outside any transaction, serially within one lane. Any exception means: not reached, try again."""

SIGNALS: Final = frozenset(Signal)
"""What this version knows."""

SUBJECTS: Final[dict[Scope, Callable[[str], Subject]]] = {
    Scope.ORGANIZATION: OrganizationId,
    Scope.USER: UserId,
    Scope.PROJECT: ProjectId,
}


def read(message: Message) -> Notice | None:
    """Return what *message* tells, or none if it is a signal that this version does not know."""
    topic = _topic(message)
    if topic is None:
        return None
    return Notice(
        id=message.id,
        topic=topic,
        subject=SUBJECTS[message.scope](message.shard),
        region=message.destination,
        at=message.at,
        args=_arguments(message.payload) if isinstance(topic, Signal) else message.payload,
    )


def _topic(message: Message) -> Topic | None:
    if message.category is not Category.SIGNAL:
        return message.category
    number = message.payload.get("signal")
    return Signal(number) if isinstance(number, int) and number in SIGNALS else None


def _arguments(payload: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {name.removeprefix(ARGUMENT): value for name, value in payload.items() if name.startswith(ARGUMENT)}


@attrs.frozen(kw_only=True)
class _Listening:
    topic: Topic
    region: str | None
    receiver: Receiver


class Receivers:
    """Who listens to what. The host registers receivers before the first message is delivered; then it is frozen."""

    def __init__(self) -> None:
        self._listening: dict[str, _Listening] = {}
        self._frozen = False

    def add(self, name: str, topic: Topic, receiver: Receiver, *, region: str | None = None) -> None:
        """Register *receiver* under the lasting *name* by which its successes are remembered.

        Args:
            name: 1 to 64 printable characters, unique; a renamed receiver may be told again what it knows.
            topic: The signal or category to listen to.
            receiver: Called with a `Notice`.
            region: Listen only to what this region is sent; none listens to every region.

        Raises:
            ConfigInvalid: The name is taken, nobody is ever told of the topic, the receiver cannot be called, or the
                first message was delivered already.
            InputInvalid: This cannot be a name.
        """
        if not isinstance(topic, Signal) and (topic is Category.SIGNAL or topic not in TOLD):
            raise ConfigInvalid(setting="receivers", problem=f"cannot listen to {topic!r}: nobody is told of it")
        if not callable(receiver):
            raise ConfigInvalid(setting="receivers", problem=f"need something to call for {name}")
        if self._frozen:
            raise ConfigInvalid(setting="receivers", problem="were frozen when the first message was delivered")
        if identifier(name, field="receiver") in self._listening:
            raise ConfigInvalid(setting="receivers", problem=f"already hold one named {name}")
        self._listening[name] = _Listening(topic=topic, region=region, receiver=receiver)

    def of(self, notice: Notice) -> dict[str, Receiver]:
        """Return the receivers that *notice* is for, by name, in the order of their registration."""
        self._frozen = True
        return {
            name: heard.receiver
            for name, heard in self._listening.items()
            if heard.topic is notice.topic and heard.region in {None, notice.region}
        }


@attrs.frozen(kw_only=True)
class SignalHandler:
    """Delivers a message to every receiver that it has not reached yet. Nobody listening is delivered, too."""

    uow: UnitOfWork[OutboxTransaction]
    receivers: Receivers

    def __call__(self, message: Message) -> Result:
        """Tell each receiver; one failure never keeps another from being told."""
        notice = read(message)
        if notice is None:
            return Retry(reason="unknown_signal")
        failed = [name for name, receiver in self._open(notice).items() if not self._tell(notice, name, receiver)]
        return Retry(reason=f"receivers: {', '.join(failed)}") if failed else Done()

    def _open(self, notice: Notice) -> dict[str, Receiver]:
        receivers = self.receivers.of(notice)
        if not receivers:
            return receivers
        with self.uow.begin() as tx:
            reached = tx.receipts.of(notice.id)
        return {name: receiver for name, receiver in receivers.items() if name not in reached}

    def _tell(self, notice: Notice, name: str, receiver: Receiver) -> bool:
        try:
            receiver(notice)
        except Exception as error:  # noqa: BLE001  # a receiver is the host's code: whatever it raises is its failure
            LOG.warning("receiver %s failed with %s on message %s", name, type(error).__name__, notice.id)
            return False
        with self.uow.begin() as tx:
            tx.receipts.add(notice.id, name)
        return True
