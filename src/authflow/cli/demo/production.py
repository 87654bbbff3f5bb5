"""Puts the story on: opens authflow on the tables of the demo, and listens to what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.adapters.keys import AesGcmCipher
from authflow.adapters.sql.watch import Watch
from authflow.adapters.system import SystemEntropy
from authflow.cli.demo import cast
from authflow.cli.demo.narrator import Narrator
from authflow.cli.demo.postbox import MARGIN, Postbox
from authflow.cli.demo.sso_cast import ENDPOINTS
from authflow.cli.demo.sso_story import SsoStory
from authflow.cli.demo.sso_whereabouts import SsoWhereabouts
from authflow.cli.demo.story import Story
from authflow.cli.demo.whereabouts import Whereabouts
from authflow.cli.layout import wrapped
from authflow.facts.records import Category, Signal
from authflow.sso.kinds import Kinds
from authflow.sso.sealing import Vault
from authflow.wiring import Authflow

if TYPE_CHECKING:
    from authflow.adapters.keys import KeyRing
    from authflow.adapters.sql.throwaway import Ground
    from authflow.cli.demo.idp import Pair
    from authflow.outbox.signals import Notice, Receivers, Topic

HEARD: Final[tuple[Topic, ...]] = (
    Signal.MEMBER_INVITED,
    Signal.MEMBER_JOINED,
    Signal.SSO_ENABLED,
    Category.FACTOR_ENROLLED,
)
"""What somebody listens to here."""


def produce(ground: Ground, ring: KeyRing, *, interactive: bool, draw: bool) -> None:
    """Play the story on *ground*, whose tables are empty, and print one table of it at the end.

    Raises:
        Unfinished: The person at the keyboard left, or mistyped too often.
    """
    postbox = Postbox()
    flows = Authflow.open(ground.engine, keys=ring, policy=cast.POLICY, mailer=postbox, prefix=ground.tables.prefix)
    _listen(flows.receivers)
    narrator = Narrator(Watch(flows.uow), Whereabouts(flows.uow).read)
    Story(
        flows=flows,
        clock=flows.clock,
        narrator=narrator,
        postbox=postbox,
        interactive=interactive,
        draw=draw,
    ).play()
    narrator.conclude()
    if not interactive:
        narrator.tell("With the codes of your own phone: authflow demo --interactive")


def produce_sso(ground: Ground, ring: KeyRing, pair: Pair) -> None:
    """Play the story of single sign-on with the providers of *pair*, likewise.

    Raises:
        Unfinished: Something was answered that does not belong to the story.
    """
    postbox = Postbox()
    flows = Authflow.open(
        ground.engine,
        keys=ring,
        policy=cast.POLICY,
        mailer=postbox,
        prefix=ground.tables.prefix,
        kinds=Kinds(pair.kind),
        endpoints=ENDPOINTS,
    )
    _listen(flows.receivers)
    whereabouts = SsoWhereabouts(flows.uow, Vault(AesGcmCipher(ring, SystemEntropy())))
    narrator = Narrator(Watch(flows.uow), whereabouts.read)
    SsoStory(
        flows=flows, clock=flows.clock, narrator=narrator, postbox=postbox, pair=pair, whereabouts=whereabouts
    ).play()
    narrator.conclude()


def _listen(receivers: Receivers) -> None:
    for topic in HEARD:
        receivers.add(f"demo.{topic.name.lower()}", topic, _hear)


def _hear(notice: Notice) -> None:
    place = "" if notice.region is None else f" in {notice.region}"
    told = ", ".join(f"{name}={value}" for name, value in notice.args.items())
    heard = f"A receiver of {notice.topic.name.lower()}{place} hears: {notice.subject}, {told}"
    print(wrapped(heard, indent=MARGIN) + "\n")
