"""The services that a host sees, put together of those of the slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.assembly.providers import providers
from authflow.assembly.single_sign_on import single_sign_on
from authflow.journey.joining import Invitations, Members
from authflow.journey.people import People
from authflow.journey.protecting import Protecting
from authflow.journey.replaying import Replaying
from authflow.journey.signing_in import SigningIn
from authflow.journey.sso.aftermath import Inheriting
from authflow.journey.sso.rechecking import Rechecking
from authflow.journey.sso.resealing import Resealing
from authflow.journey.upkeep import Upkeep
from authflow.journey.waiting import Waiting

if TYPE_CHECKING:
    from authflow.assembly import Ports, Slices
    from authflow.journey.providers.providing import Providers
    from authflow.journey.sso.single_sign_on import SingleSignOn
    from authflow.policy import Policy


@attrs.frozen(kw_only=True)
class Journeys:
    """The services that compose those of the slices, as the facade shows them."""

    sessions: SigningIn
    mfa: Protecting
    invitations: Invitations
    members: Members
    accounts: People
    sso: SingleSignOn
    providers: Providers
    upkeep: Upkeep

    @classmethod
    def of(cls, ports: Ports, policy: Policy, slices: Slices) -> Journeys:
        """Return the services over *ports* and *slices*."""
        uow, clock, sessions, membership = ports.uow, ports.clock, slices.sessions, slices.membership
        replays = Replaying(uow=uow, clock=clock, cipher=ports.cipher, pepper=ports.pepper, sessions=sessions)
        waiting = Waiting(uow=uow, clock=clock, sessions=sessions, membership=membership)
        return cls(
            sessions=SigningIn(uow=uow, clock=clock, sessions=sessions, replays=replays, waiting=waiting),
            mfa=Protecting(
                uow=uow,
                clock=clock,
                sessions=sessions,
                replays=replays,
                factors=slices.factors,
                waiting=waiting,
                recorder=slices.recorder,
                policy=policy.mfa,
            ),
            invitations=Invitations(
                uow=uow, clock=clock, sessions=sessions, replays=replays, membership=membership, waiting=waiting
            ),
            members=Members(uow=uow, clock=clock, sessions=sessions, replays=replays, membership=membership),
            accounts=_people(ports, slices, replays, waiting),
            sso=single_sign_on(ports, policy, slices, replays, waiting),
            providers=providers(ports, policy, slices, replays),
            upkeep=_upkeep(ports, policy, slices, replays),
        )


def _people(ports: Ports, slices: Slices, replays: Replaying, waiting: Waiting) -> People:
    return People(
        uow=ports.uow,
        clock=ports.clock,
        sessions=slices.sessions,
        replays=replays,
        addresses=slices.addresses,
        factors=slices.factors,
        membership=slices.membership,
        waiting=waiting,
        recorder=slices.recorder,
        inheriting=Inheriting(uow=ports.uow, clock=ports.clock, links=slices.links, membership=slices.membership),
    )


def _upkeep(ports: Ports, policy: Policy, slices: Slices, replaying: Replaying) -> Upkeep:
    return Upkeep(
        uow=ports.uow,
        clock=ports.clock,
        sessions=slices.sessions,
        addresses=slices.addresses,
        factors=slices.factors,
        membership=slices.membership,
        replaying=replaying,
        rechecking=Rechecking(
            uow=ports.uow,
            clock=ports.clock,
            entropy=ports.entropy,
            recorder=slices.recorder,
            membership=slices.membership,
            links=slices.links,
            sign_ins=slices.sign_ins,
        ),
        resealing=Resealing(uow=ports.uow, cipher=ports.cipher),
        policy=policy.membership,
    )
