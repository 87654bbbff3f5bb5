"""``flows.providers``, put together: who takes part in connecting a provider, and in keeping it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authflow.journey.door import Askers
from authflow.journey.providers.connecting import Connecting
from authflow.journey.providers.describing import DescribingUs
from authflow.journey.providers.keeping import Keeping
from authflow.journey.providers.orders import Orders
from authflow.journey.providers.partnering import Partnering
from authflow.journey.providers.providing import Providers
from authflow.journey.providers.setting_up import SettingUp

if TYPE_CHECKING:
    from authflow.assembly import Ports, Slices
    from authflow.journey.replaying import Replaying
    from authflow.policy import Policy


def providers(ports: Ports, policy: Policy, slices: Slices, replays: Replaying) -> Providers:
    """Return the services over *ports* and *slices*, as the facade shows them."""
    uow, clock, sessions, desk, connected = ports.uow, ports.clock, slices.sessions, slices.desk, slices.connected
    askers = Askers(uow=uow, clock=clock, sessions=sessions)
    orders = Orders(askers=askers, clock=clock)
    connecting = Connecting(
        uow=uow,
        recorder=slices.recorder,
        sessions=sessions,
        membership=slices.membership,
        desk=desk,
        connected=connected,
        links=slices.links,
        departures=slices.departures,
        policy=policy,
    )
    return Providers(
        uow=uow,
        replays=replays,
        keeping=Keeping(
            uow=uow,
            askers=askers,
            orders=orders,
            desk=desk,
            connected=connected,
            connecting=connecting,
            membership=slices.membership,
            policy=policy,
        ),
        partnering=Partnering(uow=uow, askers=askers, orders=orders, kinds=ports.kinds, connecting=connecting),
        describing=DescribingUs(uow=uow, desk=desk, connected=connected),
        setting_up=SettingUp(
            uow=uow,
            clock=clock,
            sessions=sessions,
            askers=askers,
            orders=orders,
            setups=slices.setups,
            connecting=connecting,
        ),
    )
