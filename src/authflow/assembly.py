"""The parts of which `authflow.wiring` makes the flows: ports, the slices' services, the handlers of the relay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from authflow.accounts.service import Addresses
from authflow.events.security import SecurityEvents
from authflow.events.service import Events
from authflow.facts.records import Category
from authflow.journey.liveness import StillWanted
from authflow.membership.service import Membership
from authflow.mfa.service import SecondFactors
from authflow.outbox.handlers import Handlers
from authflow.outbox.mails import MailHandler
from authflow.outbox.security import SecurityEventHandler
from authflow.outbox.signals import TOLD, SignalHandler
from authflow.recording import Recorder
from authflow.sessions.service import Sessions

if TYPE_CHECKING:
    from authflow.adapters.keys import KeyRing
    from authflow.outbox.signals import Receivers
    from authflow.policy import Policy
    from authflow.ports import Cipher, Clock, Entropy, Mailer, Pepper, SsoStatus, UnitOfWork


@attrs.frozen(kw_only=True)
class Ports:
    """What the world gives: every port of one installation. *uow* makes transactions with every repository."""

    uow: UnitOfWork[Any]
    clock: Clock
    entropy: Entropy
    cipher: Cipher
    pepper: Pepper
    mailer: Mailer
    sso: SsoStatus


@attrs.frozen(kw_only=True)
class Slices:
    """The services of the slices, which know nothing of each other."""

    recorder: Recorder
    sessions: Sessions
    addresses: Addresses
    factors: SecondFactors
    membership: Membership
    events: Events
    security_events: SecurityEvents

    @classmethod
    def of(cls, ports: Ports, policy: Policy) -> Slices:
        """Return the services over *ports*."""
        recorder = Recorder(cipher=ports.cipher, entropy=ports.entropy, security_project=policy.events.security_project)
        world: dict[str, Any] = {
            "uow": ports.uow,
            "clock": ports.clock,
            "entropy": ports.entropy,
            "recorder": recorder,
        }
        return cls(
            recorder=recorder,
            sessions=Sessions(policy=policy, **world),
            addresses=Addresses(policy=policy.accounts, **world),
            factors=SecondFactors(cipher=ports.cipher, pepper=ports.pepper, policy=policy.mfa, **world),
            membership=Membership(policy=policy.membership, sso=ports.sso, **world),
            events=Events(policy=policy.events, **world),
            security_events=SecurityEvents(policy=policy.events, **world),
        )


def ports_of(
    uow: UnitOfWork[Any],
    keys: KeyRing,
    *,
    clock: Clock | None,
    entropy: Entropy | None,
    mailer: Mailer | None,
    sso: SsoStatus | None,
) -> Ports:
    """Return the ports of an installation over *uow*: what is not given is the system's own."""
    from authflow.adapters.keys import AesGcmCipher, HmacPepper
    from authflow.adapters.mail import ConsoleMailer
    from authflow.adapters.sso import NoSso
    from authflow.adapters.system import SystemClock, SystemEntropy

    randomness = entropy or SystemEntropy()
    return Ports(
        uow=uow,
        clock=clock or SystemClock(),
        entropy=randomness,
        cipher=AesGcmCipher(keys, randomness),
        pepper=HmacPepper(keys),
        mailer=mailer or ConsoleMailer(),
        sso=sso or NoSso(),
    )


def handlers_of(ports: Ports, slices: Slices, receivers: Receivers) -> Handlers:
    """Return who delivers which category of message."""
    handlers = Handlers()
    still_wanted = StillWanted(
        uow=ports.uow, cipher=ports.cipher, membership=slices.membership, addresses=slices.addresses
    )
    telling = SignalHandler(uow=ports.uow, receivers=receivers)
    for category in TOLD:
        handlers.add(category, telling)
    handlers.add(Category.MAIL, MailHandler(cipher=ports.cipher, mailer=ports.mailer, still_live=still_wanted))
    handlers.add(Category.SECURITY_EVENT, SecurityEventHandler(save=slices.security_events.save))
    return handlers
