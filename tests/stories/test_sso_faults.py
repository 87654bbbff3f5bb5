"""Every command of both facades of single sign-on, cut off at every step: all of it happens, or nothing (invariant 10).

A step is whatever is sent to the database: a begin, a savepoint, a statement, a commit. What is compared is every row
of every table.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest

from authflow.adapters.sql.tap import Kind
from authflow.errors import CommitUnknown, DatabaseUnavailable
from authflow.facts.records import MailKind
from authflow.policy import AccountsPolicy, Policy, SsoPolicy
from authflow.sso.case import Choice
from authflow.testing.browsers import Browser
from authflow.testing.faults import Faults, Side, connection_lost, injected
from authflow.values import Budget, Refused, Secret
from tests.journey.sso_stage import SsoStage
from tests.providers.test_saml_signing_out import ADA as ADA_THERE
from tests.providers.test_saml_signing_out import Leaving
from tests.providers.test_saml_unasked import Unasked
from tests.providers.test_saml_withdrawing import BOB as BOB_THERE
from tests.providers.test_saml_withdrawing import Pausing
from tests.stage import CONTEXT
from tests.stories.crashing import changed, rows_of
from tests.test_command import ALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.testing.faults import Point
    from authflow.values import Context, OrganizationId
    from tests.journey.sso_stage import Trip
    from tests.stage import Person
    from tests.stories.crashing import Ask, Rows

    Scene = Callable[[SsoStage], Ask]

ADA = "ada@example.com"
COUNTS: Final = {"authflow_limit", "authflow_attempt"}
"""A count outlives its command (decision 7)."""


def plenty(name: str) -> Budget:
    return Budget(name=name, limit=1000, window=timedelta(seconds=20))


POLICY: Final = Policy(
    sso=SsoPolicy(exclusive_second_factor=True, reminders=plenty("sso.reminders")),
    accounts=AccountsPolicy(mails=plenty("accounts.mails")),
)
"""Whoever is cut off asks again, as often as there are steps."""

SENT: Final = frozenset(Kind) - {Kind.ROLLBACK, Kind.ROLLBACK_TO}

SCENES: Final[dict[str, list[tuple[Any, Scene]]]] = {}
"""By the name of the command, what comes before it and on which stage; each returns the command, for a context."""

LOOKS: Final = {
    *("sso.access", "sso.look", "sso.links", "sso.look_unasked", "sso.keep_unasked", "sso.finish_sign_out"),
    *("providers.metadata", "providers.kinds", "providers.view"),
}
"""What writes nothing, whole or cut off: that is its own promise, which the tests of each keep."""


def here(uow: Any) -> SsoStage:
    return SsoStage(uow, POLICY)


def scene(command: str, where: Any = here) -> Callable[[Any], Any]:
    def put(made: Any) -> Any:
        SCENES.setdefault(command, []).append((where, made))
        return made

    return put


def written(stage: SsoStage) -> Rows:
    return {name: rows for name, rows in rows_of(stage.uow).items() if name not in COUNTS}


def unowned(stage: SsoStage) -> Rows:
    """Return what is there beside browsers' rows that have no person."""
    rows = written(stage)
    return rows | {"authflow_session": Counter(r for r in rows.get("authflow_session", ()) if "'anonymous'" not in r)}


def cut_off_at(number: int) -> Faults:
    """Lose the connection before the step of that *number* is sent."""
    steps = count(1)

    def rule(point: Point) -> BaseException | None:
        sent = point.side is Side.BEFORE and point.kind in SENT
        return connection_lost() if sent and next(steps) == number else None

    return Faults(rule)


# --- who is there -----------------------------------------------------------------------------------------------------


def founded(stage: SsoStage) -> OrganizationId:
    """An organization whose provider is trusted with addresses, and knows Ada."""
    acme = stage.organization()
    stage.connect(acme, stage.google)
    stage.google.person("00u1", email=ADA, name="Ada", email_verified=True)
    return acme


def untrusted(stage: SsoStage) -> OrganizationId:
    acme = stage.organization()
    stage.connect(acme)
    stage.idp.person("00u1", email=ADA)
    return acme


def member(stage: SsoStage, acme: OrganizationId) -> Person:
    ada = stage.person()
    stage.found(ada, acme)
    return ada


def proving(stage: SsoStage) -> tuple[Trip, Secret]:
    """Ada was mailed a link that proves her mailbox."""
    acme = untrusted(stage)
    member(stage, acme)
    trip = stage.come(Browser(), acme, "00u1")
    trip.mail_proof()
    return trip, Secret(str(stage.mails(MailKind.SSO_PROOF)[-1].context["token"]))


def tried(stage: SsoStage, *, returned: bool = True) -> tuple[Person, OrganizationId, Any, Any]:
    """An owner proposed a provider, and signed in there."""
    acme = stage.organization(require_second_factor=True)
    olga = stage.owner(acme)
    stage.idp.person("00u1")
    away = start_setup(stage, olga, acme)(CONTEXT)
    callback = stage.idp.answer(away.url, "00u1")
    if returned:
        resume(stage, olga, away, callback)(CONTEXT)
    return olga, acme, away, callback


def connected(stage: SsoStage) -> tuple[Person, OrganizationId]:
    olga, acme, away, _ = tried(stage)
    olga.browser.ask(stage.flows.providers.confirm, CONTEXT, pipeline=away.pipeline)
    ben = stage.person("ben@example.com")
    stage.found(ben, acme)
    return olga, acme


def at(person: Person, command: Any, **given: Any) -> Ask:
    return lambda context: person.browser.ask(command, context, **given)


def by(browser: Browser, act: Callable[[], Any]) -> Ask:
    """Return what *browser* sends in *act*, which sends the context of its browser."""

    def ask(context: Context) -> Any:
        browser.context = context
        return act()

    return ask


def start_setup(stage: SsoStage, olga: Person, acme: OrganizationId) -> Ask:
    flows, settings = stage.flows.providers, {"client_secret": "hush"}
    return at(olga, flows.start_setup, organization=acme, kind="fake", settings=settings)


def resume(stage: SsoStage, olga: Person, away: Any, callback: Any) -> Ask:
    return at(olga, stage.flows.providers.resume, pipeline=away.pipeline, callback=callback)


# --- flows.sso --------------------------------------------------------------------------------------------------------


@scene("sso.start")
def leaving(stage: SsoStage) -> Ask:
    acme = founded(stage)
    return lambda context: Browser().ask(stage.flows.sso.start, context, organization=acme)


@scene("sso.start")
def leaving_once_more(stage: SsoStage) -> Ask:
    """From a browser that has its row."""
    acme = founded(stage)
    browser = stage.start(Browser(), acme).browser
    return lambda context: browser.ask(stage.flows.sso.start, context, organization=acme)


@scene("sso.start_link")
def leaving_to_link(stage: SsoStage) -> Ask:
    acme, ada = founded(stage), stage.person()
    stage.sign_in(ada)
    return at(ada, stage.flows.sso.start_link, organization=acme)


@scene("sso.keep_answer")
def keeping(stage: SsoStage) -> Ask:
    trip = stage.start(Browser(), founded(stage))
    callback = trip.callback("00u1")
    return lambda _context: stage.flows.sso.keep_answer(callback=callback)


@scene("sso.resume")
def arriving(stage: SsoStage) -> Ask:
    acme = founded(stage)
    stage.link(stage.person().user, acme, "00u1")
    trip = stage.start(Browser(), acme)
    callback = trip.callback("00u1")
    return by(trip.browser, lambda: trip.resume(callback))


@scene("sso.resume")
def arriving_with_what_was_kept(stage: SsoStage) -> Ask:
    acme = founded(stage)
    stage.link(stage.person().user, acme, "00u1")
    trip = stage.start(Browser(), acme)
    stage.flows.sso.keep_answer(callback=trip.callback("00u1"))
    return by(trip.browser, trip.resume)


@scene("sso.resume")
def owing_a_second_factor(stage: SsoStage) -> Ask:
    acme, ada = founded(stage), stage.person()
    stage.sign_in(ada)
    stage.enroll(ada)
    stage.link(ada.user, acme, "00u1")
    trip = stage.start(Browser(), acme)
    callback = trip.callback("00u1")
    return by(trip.browser, lambda: trip.resume(callback))


@scene("sso.choose")
def signing_up(stage: SsoStage) -> Ask:
    trip = stage.come(Browser(), founded(stage), "00u1")
    return by(trip.browser, lambda: trip.choose(Choice.NEW_ACCOUNT))


@scene("sso.choose")
def signing_up_unvouched(stage: SsoStage) -> Ask:
    """The address has to be proved first: a mail leaves."""
    trip = stage.come(Browser(), untrusted(stage), "00u1")
    return by(trip.browser, lambda: trip.choose(Choice.NEW_ACCOUNT))


@scene("sso.choose")
def attaching(stage: SsoStage) -> Ask:
    """A link that moves from somebody who has it to somebody who has another: as much as one command writes."""
    acme = founded(stage)
    ada, eve = stage.person(), stage.person("eve@example.com")
    stage.link(eve.user, acme, "00u1")
    stage.link(ada.user, acme, "00u2")
    stage.sign_in(ada)
    trip = stage.come(ada.browser, acme, "00u1", link=True)
    return by(trip.browser, lambda: trip.choose(Choice.LINK))


@scene("sso.choose")
def coming_in_by_a_mailed_proof(stage: SsoStage) -> Ask:
    trip, token = proving(stage)
    trip.open_link(token)
    return by(trip.browser, lambda: trip.choose(Choice.LINK))


@scene("sso.mail_proof")
def asking_for_a_mail(stage: SsoStage) -> Ask:
    acme = untrusted(stage)
    member(stage, acme)
    trip = stage.come(Browser(), acme, "00u1")
    return by(trip.browser, trip.mail_proof)


@scene("sso.open_link")
def opening_a_mail(stage: SsoStage) -> Ask:
    trip, token = proving(stage)
    return by(trip.browser, lambda: trip.open_link(token))


@scene("sso.abandon")
def giving_up(stage: SsoStage) -> Ask:
    trip = stage.come(Browser(), founded(stage), "00u1")
    return by(trip.browser, trip.abandon)


@scene("sso.unlink")
def letting_go(stage: SsoStage) -> Ask:
    acme, ada = founded(stage), stage.person()
    link = stage.link(ada.user, acme, "00u1").id
    trip = stage.come(ada.browser, acme, "00u1")
    assert not isinstance(trip.answer, Refused)
    stage.sign_in(ada)
    return at(ada, stage.flows.sso.unlink, link=link)


@scene("sso.release")
def releasing(stage: SsoStage) -> Ask:
    acme, ada = founded(stage), stage.person()
    link = stage.link(ada.user, acme, "00u1").id
    stage.come(ada.browser, acme, "00u1")
    return at(stage.administrator(), stage.flows.sso.release, link=link)


@scene("sso.take_unasked", Unasked)
def taking_what_nobody_asked_for(stage: Unasked) -> Ask:
    browser, ticket = Browser(), stage.ticket(ADA_THERE)
    return by(browser, lambda: stage.take(browser, ticket))


@scene("sso.confirm_unasked", Unasked)
def meaning_it_after_all(stage: Unasked) -> Ask:
    browser = Browser()
    owed = stage.taken(browser, ADA_THERE)
    return by(browser, lambda: stage.confirm(browser, owed.pipeline))


@scene("sso.sign_out", Leaving)
def leaving_on_both_sides(stage: Leaving) -> Ask:
    browser = stage.comes(ADA_THERE)
    return by(browser, lambda: stage.leaves(browser))


@scene("sso.end_sessions", Leaving)
def being_signed_out(stage: Leaving) -> Ask:
    stage.comes(ADA_THERE)
    url = stage.asks(ADA_THERE)
    return lambda _context: stage.ends(url)


@scene("sso.end_sessions", Pausing)
def being_signed_out_at_a_page(stage: Pausing) -> Ask:
    stage.owing()
    query = stage.asks(BOB_THERE)
    return lambda _context: stage.asked(query)


# --- flows.providers --------------------------------------------------------------------------------------------------


@scene("providers.start_setup")
def proposing(stage: SsoStage) -> Ask:
    acme = stage.organization()
    return start_setup(stage, stage.owner(acme), acme)


@scene("providers.resume")
def trying(stage: SsoStage) -> Ask:
    olga, _, away, callback = tried(stage, returned=False)
    return resume(stage, olga, away, callback)


@scene("providers.confirm")
def confirming(stage: SsoStage) -> Ask:
    olga, _, away, _ = tried(stage)
    return at(olga, stage.flows.providers.confirm, pipeline=away.pipeline)


@scene("providers.abandon")
def thinking_better_of_it(stage: SsoStage) -> Ask:
    olga, _, away, _ = tried(stage)
    return lambda _context: olga.browser.ask(stage.flows.providers.abandon, pipeline=away.pipeline)


@scene("providers.edit")
def editing(stage: SsoStage) -> Ask:
    olga, acme = connected(stage)
    settings = {"url": "https://idp.example", "client_secret": "new"}
    return at(olga, stage.flows.providers.edit, organization=acme, settings=settings)


@scene("providers.configure")
def configuring(stage: SsoStage) -> Ask:
    olga, acme = connected(stage)
    return at(olga, stage.flows.providers.configure, organization=acme, required=False, newcomers=False)


@scene("providers.remind")
def reminding(stage: SsoStage) -> Ask:
    olga, acme = connected(stage)
    return at(olga, stage.flows.providers.remind, organization=acme)


@scene("providers.disable")
def disabling(stage: SsoStage) -> Ask:
    olga, acme = connected(stage)
    return at(olga, stage.flows.providers.disable, organization=acme)


def provision(stage: SsoStage) -> tuple[Person, OrganizationId, Ask]:
    acme = stage.organization()
    stage.owner(acme)
    root, settings = stage.administrator(), {"client_secret": "hush"}
    return (
        root,
        acme,
        at(root, stage.flows.providers.provision, organization=acme, kind="fake", settings=settings),
    )


@scene("providers.provision")
def provisioning(stage: SsoStage) -> Ask:
    return provision(stage)[-1]


@scene("providers.withdraw")
def withdrawing(stage: SsoStage) -> Ask:
    root, acme, provide = provision(stage)
    provide(CONTEXT)
    return at(root, stage.flows.providers.withdraw, organization=acme)


# --- and who else ends links ------------------------------------------------------------------------------------------


@scene("members.remove")
def removing(stage: SsoStage) -> Ask:
    acme = stage.organization()
    olga, ben = stage.owner(acme), stage.person("ben@example.com")
    stage.connect(acme, required=False)
    stage.found(ben, acme)
    stage.link(ben.user, acme, "00u2")
    stage.idp.person("00u2")
    stage.come(ben.browser, acme, "00u2")
    key = stage.member(ben.user, acme).id  # type: ignore[union-attr]  # they are a member
    return at(olga, stage.flows.members.remove, organization=acme, member=key)


# --- the law ----------------------------------------------------------------------------------------------------------


def test_every_command_that_writes_is_tried():
    both = {name for name in ALL if name.startswith(("sso.", "providers."))}
    assert both - LOOKS <= SCENES.keys()


@pytest.mark.parametrize(("where", "setting"), [found for scenes in SCENES.values() for found in scenes])
def test_whatever_is_cut_off_leaves_nothing_and_succeeds_afterwards(sqlite_uow: Any, where: Any, setting: Scene):
    stage = where(sqlite_uow)
    command = setting(stage)
    seen = unowned if setting is leaving else written  # a browser gets its row first, and is sent away then
    before = seen(stage)
    for number in count(1):
        with injected(stage.uow, cut_off_at(number)) as faults:
            try:
                answer = command(CONTEXT)
            except (DatabaseUnavailable, CommitUnknown):
                assert seen(stage) == before, (faults.raised, changed(before, seen(stage)))
                continue
        break
    # A provider's logout looks once more when it is done, and answers all the same if it cannot.
    assert faults.raised == [] or setting in (being_signed_out, being_signed_out_at_a_page)
    assert number > 4, "there are a begin, a read, a write and a commit at least"
    assert not isinstance(answer, Refused), answer
    assert seen(stage) != before
