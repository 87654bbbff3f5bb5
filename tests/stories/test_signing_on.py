"""Single sign-on on every database: the same story, one winner among many, and a fault at every statement."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from authflow.errors import Code, DatabaseUnavailable
from authflow.journey.sso.answers import AccountLinked, ChoiceOwed, LinkEnded, SignedOn
from authflow.membership.standing import Member, MemberFlag
from authflow.sso.case import Choice
from authflow.testing.browsers import Browser
from authflow.testing.faults import at_statement, connection_lost, injected
from authflow.testing.races import WORKERS, race, tally
from tests.backends import BACKENDS
from tests.faces import FACES
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT
from tests.stories.crashing import changed, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.values import OrganizationId
    from tests.stories.crashing import Rows

ADA = "ada@example.com"
DISABLED = 8
"""How often a provider is disabled under somebody who links: which of them is first is not ours to choose."""

COUNTS = {"authflow_limit", "authflow_attempt"}
"""A count outlives its command (decision 7)."""


@pytest.fixture(params=(*BACKENDS, *FACES))
def stage(request: pytest.FixtureRequest) -> SsoStage:
    uow = request.getfixturevalue(f"{request.param}_uow")
    if request.param not in FACES:
        return SsoStage(uow)
    host, awaited = uow
    return SsoStage(host, face=(awaited, request.getfixturevalue("loop")))


@pytest.fixture(params=("sqlite", "postgresql"))
def crowd(request: pytest.FixtureRequest) -> SsoStage:
    return SsoStage(request.getfixturevalue(f"{request.param}_uow"))


def founded(stage: SsoStage) -> OrganizationId:
    """An organization whose provider is trusted with addresses, and knows Ada."""
    acme = stage.organization()
    stage.connect(acme, stage.google)
    stage.google.person("00u1", email=ADA, name="Ada", email_verified=True)
    return acme


# --- the same story everywhere ----------------------------------------------------------------------------------------


def test_signing_up_coming_again_moving_and_letting_go(stage: SsoStage):
    acme = founded(stage)
    trip = stage.start(Browser(), acme)
    stage.flows.sso.keep_answer(callback=trip.callback("00u1"))
    assert isinstance(trip.resume(), ChoiceOwed)
    assert isinstance(trip.look(), ChoiceOwed)
    joined = trip.choose(Choice.NEW_ACCOUNT)
    assert isinstance(joined, SignedOn), joined
    assert isinstance(stage.member(joined.user, acme), Member)
    again = stage.come(Browser(), acme, "00u1").answer
    assert isinstance(again, SignedOn), again
    assert (again.user, again.link, again.linked) == (joined.user, joined.link, False)
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    moved = stage.come(bob.browser, acme, "00u1", link=True).choose(Choice.LINK)
    assert isinstance(moved, AccountLinked), moved
    assert stage.links_of(joined.user) == ()
    ended = bob.browser.ask(stage.flows.sso.unlink, bob.browser.context, link=moved.link)
    assert isinstance(ended, LinkEnded), ended
    stage.flows.relay.drain_until_quiet()


# --- one winner -------------------------------------------------------------------------------------------------------


def test_of_many_who_bring_the_same_answer_one_is_signed_in(crowd: SsoStage):
    """Invariant 9, row 20: in the same browser, at the same moment, by the very same answer."""
    acme = founded(crowd)
    crowd.link(crowd.person().user, acme, "00u1")
    trip = crowd.start(Browser(), acme)
    callback, session = trip.callback("00u1"), trip.browser.session
    resume = crowd.flows.sso.resume
    answers = race(WORKERS, lambda _: resume(session, trip.browser.context, pipeline=trip.pipeline, callback=callback))
    told = tally(answers)
    assert told["SignedOn"] == 1, told
    assert told.keys() <= {"SignedOn", Code.SSO_STATE_INVALID, Code.SSO_PIPELINE_EXPIRED, Code.SESSION_SUPERSEDED}, told


def test_of_many_who_choose_a_new_account_one_gets_it(crowd: SsoStage):
    acme = founded(crowd)
    trip = crowd.come(Browser(), acme, "00u1")
    choose, session = crowd.flows.sso.choose, trip.browser.session
    answers = race(
        WORKERS,
        lambda _: choose(session, trip.browser.context, pipeline=trip.pipeline, choice=Choice.NEW_ACCOUNT),
    )
    assert tally(answers)["SignedOn"] == 1, tally(answers)
    assert len(crowd.members(acme)) == 1


def test_of_many_people_who_claim_one_identity_one_has_it(crowd: SsoStage):
    """Invariant 5: each in a browser of their own; it may pass from hand to hand, and is never two people's."""
    acme = founded(crowd)
    people = [crowd.person(f"p{number}@example.com") for number in range(WORKERS)]
    for person in people:
        crowd.sign_in(person)
    trips = [crowd.come(person.browser, acme, "00u1", link=True) for person in people]
    answers = race(WORKERS, lambda number: trips[number].choose(Choice.LINK))
    assert set(tally(answers)) <= {"AccountLinked", Code.SSO_IDENTITY_CONFLICT}, tally(answers)
    assert sum(len(crowd.links_of(person.user)) for person in people) == 1


def test_whoever_links_while_the_provider_is_disabled_is_left_without_link_and_flag(postgresql_uow: Any):
    """Decision 16: it is one after the other, so that nothing of a provider stays that is gone."""
    stage = SsoStage(postgresql_uow)
    olga, ada = stage.person("olga@example.com"), stage.person()
    stage.sign_in(olga)
    for number in range(DISABLED):
        place = stage.organization(f"acme-{number}")
        stage.connect(place, required=False)
        stage.found(olga, place, "owner")
        stage.found(ada, place)
        stage.idp.person(f"new-{number}", email="new@example.com")
        stage.sign_in(ada)
        trip = stage.come(ada.browser, place, f"new-{number}")
        disable = partial(olga.browser.ask, stage.flows.providers.disable, CONTEXT, organization=place)
        acts: tuple[Callable[[], Any], ...] = (partial(trip.choose, Choice.LINK), disable)
        told = tally(race(2, lambda which, acts=acts: acts[which]()))
        assert told["ProviderRemoved"] == 1, told
        assert stage.links_of(ada.user) == ()
        standing = stage.member(ada.user, place)
        assert isinstance(standing, Member)
        assert standing.flags is MemberFlag.NONE


# --- a fault at every statement ---------------------------------------------------------------------------------------


def written(stage: SsoStage) -> Rows:
    return {name: rows for name, rows in rows_of(stage.uow).items() if name not in COUNTS}


def signing_up(stage: SsoStage) -> Callable[[], Any]:
    trip = stage.come(Browser(), founded(stage), "00u1")
    return lambda: trip.choose(Choice.NEW_ACCOUNT)


def attaching(stage: SsoStage) -> Callable[[], Any]:
    """A link that moves from somebody who has it to somebody who has another: as much as one command writes."""
    acme = founded(stage)
    ada, eve = stage.person(), stage.person("eve@example.com")
    stage.link(eve.user, acme, "00u1")
    stage.link(ada.user, acme, "00u2")
    stage.sign_in(ada)
    trip = stage.come(ada.browser, acme, "00u1", link=True)
    return lambda: trip.choose(Choice.LINK)


@pytest.mark.parametrize("scene", [signing_up, attaching])
def test_a_fault_at_any_statement_leaves_nothing_behind(sqlite_uow: Any, scene: Callable[[SsoStage], Any]):
    """Invariant 10: neither a person, a link nor a membership; the same choice succeeds afterwards."""
    stage = SsoStage(sqlite_uow)
    command = scene(stage)
    before = written(stage)
    for number in count(1):
        with injected(stage.uow, at_statement(number, connection_lost)) as faults:
            try:
                answer = command()
            except DatabaseUnavailable:
                assert written(stage) == before, (number, changed(before, written(stage)))
                continue
        break
    assert faults.raised == []
    assert number > 15  # every one of them was cut off
    assert isinstance(answer, SignedOn | AccountLinked), answer
    assert written(stage) != before
