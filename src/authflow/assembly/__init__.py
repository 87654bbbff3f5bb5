"""The parts of which `authflow.wiring` makes the flows: ports, the services over them, the handlers of the relay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from authflow.accounts.service import Addresses
from authflow.events.security import SecurityEvents
from authflow.events.service import Events
from authflow.facts.records import Category, Signal
from authflow.journey.liveness import StillWanted
from authflow.journey.providers.telling import MemberMails
from authflow.journey.sso.aftermath import MovedLinks, Severing
from authflow.journey.sso.entrances import Entrances
from authflow.membership.service import Membership
from authflow.mfa.service import SecondFactors
from authflow.outbox.handlers import Handlers
from authflow.outbox.mails import MailHandler
from authflow.outbox.security import SecurityEventHandler
from authflow.outbox.signals import TOLD, SignalHandler
from authflow.recording import Recorder
from authflow.sessions.service import Sessions
from authflow.sso.kinds import Kinds
from authflow.sso.service import Links
from authflow.sso.service.connected import ConnectedProviders
from authflow.sso.service.departures import Departures
from authflow.sso.service.desk import Desk
from authflow.sso.service.travelling import setups, sign_ins

if TYPE_CHECKING:
    from authflow.adapters.keys import KeyRing
    from authflow.outbox.signals import Receivers
    from authflow.policy import Policy
    from authflow.ports import Cipher, Clock, Entropy, Mailer, Pepper, SsoStatus, UnitOfWork
    from authflow.sso.endpoints import Endpoints
    from authflow.sso.service import SetupTravelling, SignInTravelling


@attrs.frozen(kw_only=True)
class Ports:
    """What the world gives: every port of one installation. *uow* makes transactions with every repository.

    Without *sso* its rows say what single sign-on means for somebody. *endpoints* is where providers answer to.
    """

    uow: UnitOfWork[Any]
    clock: Clock
    entropy: Entropy
    cipher: Cipher
    pepper: Pepper
    mailer: Mailer
    sso: SsoStatus | None = None
    kinds: Kinds = attrs.field(factory=Kinds)
    endpoints: Endpoints | None = None


@attrs.frozen(kw_only=True)
class Slices:
    """The services of the slices, which know nothing of each other, and what they are told of single sign-on."""

    recorder: Recorder
    entrances: Entrances
    sessions: Sessions
    addresses: Addresses
    factors: SecondFactors
    desk: Desk
    connected: ConnectedProviders
    links: Links
    sign_ins: SignInTravelling
    setups: SetupTravelling
    departures: Departures
    membership: Membership
    events: Events
    security_events: SecurityEvents

    @classmethod
    def of(cls, ports: Ports, policy: Policy) -> Slices:
        """Return the services over *ports*."""
        uow, clock, entropy, saving = ports.uow, ports.clock, ports.entropy, policy.events
        recorder = Recorder(cipher=ports.cipher, entropy=entropy, security_project=saving.security_project)
        entrances = Entrances(uow=uow, clock=clock, recorder=recorder, policy=policy)
        sessions = Sessions(uow=uow, clock=clock, entropy=entropy, recorder=recorder, policy=policy)
        desk = _desk(ports)
        connected, links = ConnectedProviders(desk=desk), Links(desk=desk)
        return cls(
            recorder=recorder,
            entrances=entrances,
            sessions=sessions,
            addresses=Addresses(uow=uow, clock=clock, entropy=entropy, recorder=recorder, policy=policy.accounts),
            factors=SecondFactors(
                uow=uow,
                clock=clock,
                entropy=entropy,
                recorder=recorder,
                cipher=ports.cipher,
                pepper=ports.pepper,
                policy=policy.mfa,
            ),
            desk=desk,
            connected=connected,
            links=links,
            sign_ins=sign_ins(desk),
            setups=setups(desk),
            departures=Departures(desk=desk, connected=connected, session_life=policy.sessions.lifetime),
            membership=Membership(
                uow=uow,
                clock=clock,
                entropy=entropy,
                recorder=recorder,
                policy=policy.membership,
                sso=ports.sso or entrances,
                aftermath=Severing(uow=uow, clock=clock, sessions=sessions, links=links, recorder=recorder),
            ),
            events=Events(uow=uow, clock=clock, entropy=entropy, recorder=recorder, policy=saving),
            security_events=SecurityEvents(uow=uow, clock=clock, entropy=entropy, recorder=recorder, policy=saving),
        )


def _desk(ports: Ports) -> Desk:
    return Desk(
        uow=ports.uow,
        clock=ports.clock,
        entropy=ports.entropy,
        cipher=ports.cipher,
        kinds=ports.kinds,
        endpoints=ports.endpoints,
    )


def ports_of(
    uow: UnitOfWork[Any],
    keys: KeyRing,
    *,
    clock: Clock | None,
    entropy: Entropy | None,
    mailer: Mailer | None,
    sso: SsoStatus | None,
    kinds: Kinds | None = None,
    endpoints: Endpoints | None = None,
) -> Ports:
    """Return the ports of an installation over *uow*: what is not given is the system's own."""
    from authflow.adapters.keys import AesGcmCipher, HmacPepper
    from authflow.adapters.mail import ConsoleMailer
    from authflow.adapters.system import SystemClock, SystemEntropy

    randomness = entropy or SystemEntropy()
    return Ports(
        uow=uow,
        clock=clock or SystemClock(),
        entropy=randomness,
        cipher=AesGcmCipher(keys, randomness),
        pepper=HmacPepper(keys),
        mailer=mailer or ConsoleMailer(),
        sso=sso,
        kinds=Kinds() if kinds is None else kinds,
        endpoints=endpoints,
    )


def handlers_of(ports: Ports, policy: Policy, slices: Slices, receivers: Receivers) -> Handlers:
    """Return who delivers which category of message."""
    handlers = Handlers()
    still_wanted = StillWanted(
        uow=ports.uow,
        cipher=ports.cipher,
        membership=slices.membership,
        addresses=slices.addresses,
        pipelines=slices.sign_ins.pipelines,
    )
    moved_links = MovedLinks(uow=ports.uow, membership=slices.membership)
    receivers.add("authflow.moved_links", Signal.IDENTITY_MOVED, moved_links)
    telling = SignalHandler(uow=ports.uow, receivers=receivers)
    for category in TOLD:
        handlers.add(category, telling)
    handlers.add(Category.MAIL, MailHandler(cipher=ports.cipher, mailer=ports.mailer, still_live=still_wanted))
    members = MemberMails(uow=ports.uow, clock=ports.clock, recorder=slices.recorder, owner=policy.membership.roles[-1])
    handlers.add(Category.MEMBER_MAILS, members)
    handlers.add(Category.SECURITY_EVENT, SecurityEventHandler(save=slices.security_events.save))
    return handlers
