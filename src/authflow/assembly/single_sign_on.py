"""``flows.sso``, put together: who takes part in a sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.journey.door import Askers
from authflow.journey.sso.accessing import Accessing
from authflow.journey.sso.admitting import Admitting
from authflow.journey.sso.circumstances import Circumstances
from authflow.journey.sso.comers import Comers
from authflow.journey.sso.confirming import Confirming
from authflow.journey.sso.finishing import Finishing
from authflow.journey.sso.idp_initiated import IdpInitiated
from authflow.journey.sso.links import LinkKeeping
from authflow.journey.sso.logout import SingleLogout
from authflow.journey.sso.mailed_proofs import MailedProofs
from authflow.journey.sso.refusals import RefusalLog
from authflow.journey.sso.sign_on import SignOn
from authflow.journey.sso.single_sign_on import SingleSignOn
from authflow.journey.sso.standing import Standings
from authflow.sso.service.unasked import UnaskedAnswers
from authflow.sso.service.withdrawals import Withdrawals

if TYPE_CHECKING:
    from authflow.assembly import Ports, Slices
    from authflow.journey.replaying import Replaying
    from authflow.journey.waiting import Waiting
    from authflow.policy import Policy


@attrs.frozen(kw_only=True)
class _Shared:
    """What sign-ins that begin here and sign-ins that begin at the provider have in common."""

    comers: Comers
    circumstances: Circumstances
    standings: Standings
    refusals: RefusalLog
    admitting: Admitting


def single_sign_on(ports: Ports, policy: Policy, slices: Slices, replays: Replaying, waiting: Waiting) -> SingleSignOn:
    """Return the services over *ports* and *slices*, as the facade shows them."""
    uow, clock, sessions, recorder = ports.uow, ports.clock, slices.sessions, slices.recorder
    askers = Askers(uow=uow, clock=clock, sessions=sessions)
    shared = _Shared(
        comers=Comers(clock=clock, sessions=sessions, pipelines=slices.sign_ins.pipelines),
        circumstances=Circumstances(membership=slices.membership, policy=policy.sso),
        standings=Standings(clock=clock, pipelines=slices.sign_ins.pipelines, policy=policy.sso),
        refusals=RefusalLog(clock=clock, recorder=recorder, pipelines=slices.sign_ins.pipelines),
        admitting=_admitting(ports, policy, slices, waiting),
    )
    return SingleSignOn(
        uow=uow,
        replays=replays,
        sign_on=_sign_on(ports, policy, slices, shared),
        idp_initiated=_idp_initiated(ports, policy, slices, shared),
        logout=SingleLogout(
            uow=uow,
            clock=clock,
            sessions=sessions,
            recorder=recorder,
            departures=slices.departures,
            withdrawals=Withdrawals(desk=slices.sign_ins.desk, pipelines=slices.sign_ins.pipelines),
        ),
        kept_links=LinkKeeping(
            uow=uow, clock=clock, askers=askers, links=slices.links, membership=slices.membership, recorder=recorder
        ),
        accessing=Accessing(askers=askers, entrances=slices.entrances),
    )


def _sign_on(ports: Ports, policy: Policy, slices: Slices, shared: _Shared) -> SignOn:
    proofs = MailedProofs(
        clock=ports.clock,
        recorder=slices.recorder,
        sign_ins=slices.sign_ins,
        standings=shared.standings,
        refusals=shared.refusals,
        mails=policy.accounts.mails,
    )
    finishing = Finishing(
        clock=ports.clock,
        sign_ins=slices.sign_ins,
        circumstances=shared.circumstances,
        standings=shared.standings,
        refusals=shared.refusals,
        proofs=proofs,
        admitting=shared.admitting,
    )
    return SignOn(
        uow=ports.uow,
        clock=ports.clock,
        sessions=slices.sessions,
        sign_ins=slices.sign_ins,
        comers=shared.comers,
        finishing=finishing,
        proofs=proofs,
        refusals=shared.refusals,
    )


def _idp_initiated(ports: Ports, policy: Policy, slices: Slices, shared: _Shared) -> IdpInitiated:
    confirming = Confirming(
        clock=ports.clock,
        pipelines=slices.sign_ins.pipelines,
        circumstances=shared.circumstances,
        standings=shared.standings,
        refusals=shared.refusals,
        admitting=shared.admitting,
    )
    return IdpInitiated(
        uow=ports.uow,
        clock=ports.clock,
        sessions=slices.sessions,
        sign_ins=slices.sign_ins,
        unasked=UnaskedAnswers(sign_ins=slices.sign_ins, policy=policy.sso),
        comers=shared.comers,
        confirming=confirming,
        refusals=shared.refusals,
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
