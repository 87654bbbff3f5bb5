"""What a command of single sign-on holds until it commits, and in which order: seen on MariaDB (decision 11).

Whoever holds too little decides by what is not so any more when it commits. A race shows that now and then; what is
sent shows it every time. On MariaDB each lock is a statement of its own, sent when it is asked for; on PostgreSQL some
travel ahead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from authflow.facts.records import MailKind
from authflow.testing.browsers import Browser
from authflow.testing.faults import Points, Side
from authflow.testing.providers import Fault
from authflow.values import Secret
from tests.stage import CONTEXT
from tests.stories import test_sso_faults as scenes

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.testing.faults import Point
    from tests.journey.sso_stage import SsoStage, Trip
    from tests.stories.crashing import Ask

    Scene = Callable[[SsoStage], Ask]

ACCOUNT: Final = re.compile(r"INSERT INTO authflow_account\b")
ONCE: Final = re.compile(r"INSERT INTO authflow_single_use\b")
ROW: Final = re.compile(r"\bFROM authflow_(?:sso_)?(pipeline|provider|link)\b.* FOR UPDATE", re.DOTALL)


def held(point: Point) -> str | None:
    """Return of which table a statement holds a row, or that it spends what is good for one; or none."""
    if point.side is not Side.BEFORE:
        return None
    if ACCOUNT.search(point.text):
        return "account"
    if ONCE.search(point.text):
        return "once"
    row = ROW.search(point.text)
    return None if row is None else row[1]


# --- what no story of crashes needs: somebody who goes on is signed in, and a provider that says no -------------------


def at_the_page(stage: SsoStage) -> Trip:
    """Ada, who is signed in, wants to be linked."""
    acme = scenes.untrusted(stage)
    ada = scenes.member(stage, acme)
    stage.sign_in(ada)
    return stage.come(ada.browser, acme, "00u1", link=True)


def giving_up(stage: SsoStage) -> Ask:
    trip = at_the_page(stage)
    return scenes.by(trip.browser, trip.abandon)


def looking(stage: SsoStage) -> Ask:
    trip = at_the_page(stage)
    return lambda _context: trip.look()


def asking_for_a_mail(stage: SsoStage) -> Ask:
    trip = at_the_page(stage)
    return scenes.by(trip.browser, trip.mail_proof)


def opening_a_mail(stage: SsoStage) -> Ask:
    trip = at_the_page(stage)
    trip.mail_proof()
    token = Secret(str(stage.mails(MailKind.SSO_PROOF)[-1].context["token"]))
    return scenes.by(trip.browser, lambda: trip.open_link(token))


def arriving_to_link(stage: SsoStage) -> Ask:
    acme, ada = scenes.untrusted(stage), stage.person()
    stage.sign_in(ada)
    trip = stage.start(ada.browser, acme, link=True)
    callback = trip.callback("00u1")
    return scenes.by(trip.browser, lambda: trip.resume(callback))


def being_refused(stage: SsoStage) -> Ask:
    trip = stage.start(Browser(), scenes.untrusted(stage))
    stage.idp.fault = Fault.INVALID
    callback = trip.callback("00u1")
    return scenes.by(trip.browser, lambda: trip.resume(callback))


HELD: Final[dict[str, tuple[Scene, ...]]] = {
    "": (looking, scenes.leaving_to_link),
    "account": (scenes.letting_go, scenes.leaving_on_both_sides),
    "account provider": (scenes.disabling,),
    "account provider once": (scenes.being_signed_out,),
    "account account link": (scenes.removing,),
    "pipeline provider": (being_refused,),
    "pipeline provider link account": (scenes.signing_up,),  # whoever is made a moment ago is held by nobody else
    "account pipeline": (giving_up,),
    "account pipeline provider": (asking_for_a_mail, opening_a_mail),
    "account pipeline provider link": (scenes.meaning_it_after_all,),
    "account pipeline provider link link": (scenes.coming_in_by_a_mailed_proof,),
    "account account pipeline provider link link": (scenes.attaching,),
    "account pipeline provider once link": (scenes.arriving, scenes.owing_a_second_factor, arriving_to_link),
    "account pipeline provider once": (scenes.being_signed_out_at_a_page,),
}
"""By what is held, who asks."""

STAGES: Final = {made: where for found in scenes.SCENES.values() for where, made in found}


@pytest.mark.parametrize(
    ("scene", "expected"),
    [pytest.param(scene, expected, id=scene.__name__) for expected, found in HELD.items() for scene in found],
)
def test_what_decides_is_held_in_one_order(mariadb_uow: Any, scene: Scene, expected: str):
    stage = STAGES.get(scene, scenes.here)(mariadb_uow)
    command, heard = scene(stage), list[str | None]()
    stage.uow.tap = Points(lambda point: heard.append(held(point)))
    command(CONTEXT)
    assert " ".join(each for each in heard if each is not None) == expected
