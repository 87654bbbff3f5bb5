"""``flows.sso``, put together: the part of `authflow.assembly` that knows who takes part in a sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.journey.sso.admitting import Admitting
from authflow.journey.sso.circumstances import Circumstances
from authflow.journey.sso.concluding import Concluding
from authflow.journey.sso.confirming import Confirming
from authflow.journey.sso.single_sign_on import SingleSignOn
from authflow.sso.service.unasked import UnaskedAnswers

if TYPE_CHECKING:
    from authflow.assembly import Ports, Slices
    from authflow.journey.replaying import Replaying
    from authflow.journey.waiting import Waiting
    from authflow.policy import Policy


def single_sign_on(ports: Ports, policy: Policy, slices: Slices, replays: Replaying, waiting: Waiting) -> SingleSignOn:
    """Return the services over *ports* and *slices*, as the facade shows them."""
    circumstances = Circumstances(membership=slices.membership, policy=policy.sso)
    admitting = _admitting(ports, policy, slices, waiting)
    concluding = Concluding(
        uow=ports.uow,
        clock=ports.clock,
        recorder=slices.recorder,
        travelling=slices.travelling,
        circumstances=circumstances,
        admitting=admitting,
        mails=policy.accounts.mails,
    )
    confirming = Confirming(
        uow=ports.uow,
        clock=ports.clock,
        recorder=slices.recorder,
        travelling=slices.travelling,
        circumstances=circumstances,
        mails=policy.accounts.mails,
        admitting=admitting,
        policy=policy.sso,
    )
    return SingleSignOn(
        uow=ports.uow,
        clock=ports.clock,
        sessions=slices.sessions,
        replays=replays,
        travelling=slices.travelling,
        concluding=concluding,
        links=slices.links,
        membership=slices.membership,
        recorder=slices.recorder,
        entrances=slices.entrances,
        unasked=UnaskedAnswers(travelling=slices.travelling, policy=policy.sso),
        confirming=confirming,
        departures=slices.departures,
    )


def _admitting(ports: Ports, policy: Policy, slices: Slices, waiting: Waiting) -> Admitting:
    return Admitting(
        uow=ports.uow,
        entropy=ports.entropy,
        recorder=slices.recorder,
        sessions=slices.sessions,
        links=slices.links,
        addresses=slices.addresses,
        membership=slices.membership,
        waiting=waiting,
        departures=slices.departures,
        policy=policy.sso,
    )
