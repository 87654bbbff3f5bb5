"""Single sign-on on every database: the same story, and one winner among many."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from authflow.errors import Code
from authflow.facts.records import MailKind
from authflow.journey.sso.answers import AccountLinked, ChoiceOwed, LinkEnded, SignedOn
from authflow.membership.standing import Member, MemberFlag
from authflow.sessions.states import SignedIn
from authflow.sso.case import Choice
from authflow.sso.kinds import Callback
from authflow.testing.browsers import Browser
from authflow.testing.providers import Fault
from authflow.testing.races import WORKERS, race, tally
from authflow.values import Refused
from tests.backends import BACKENDS
from tests.faces import FACES
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.values import OrganizationId, UserId

ADA = "ada@example.com"
CROWD = 64
LATE = {Code.SSO_STATE_INVALID, Code.SSO_PIPELINE_EXPIRED, Code.SESSION_SUPERSEDED}
"""What whoever comes too late is told: it was taken, it is over, or the browser has another value by now."""

ASKED = 3
"""How often many answers meet at one question: which of them is first is not ours to choose."""

DISABLED = 8
"""How often a provider is disabled under somebody who links: which of them is first is not ours to choose."""


@pytest.fixture(params=(*BACKENDS, *FACES))
def stage(request: pytest.FixtureRequest) -> SsoStage:
    uow = request.getfixturevalue(f"{request.param}_uow")
    if request.param not in FACES:
        return SsoStage(uow)
    host, awaited = uow
    return SsoStage(host, face=(awaited, request.getfixturevalue("loop")))


@pytest.fixture(params=("memory", "sqlite", "postgresql"))
def crowd(request: pytest.FixtureRequest) -> SsoStage:
    return SsoStage(request.getfixturevalue(f"{request.param}_uow"))


def founded(stage: SsoStage) -> OrganizationId:
    """An organization whose provider is trusted with addresses, and knows Ada."""
    acme = stage.organization()
    stage.connect(acme, stage.google)
    stage.google.person("00u1", email=ADA, name="Ada", email_verified=True)
    return acme


def sessions_of(stage: SsoStage, user: UserId) -> int:
    """Return how many browsers *user* is signed in at."""
    with stage.uow.begin() as tx:
        return sum(isinstance(row, SignedIn) for row in tx.sessions.of_user(user))


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


def test_a_subject_that_no_database_can_hold_is_nobodys(stage: SsoStage):
    """Half of a surrogate pair is text in JSON, but in no database; so is more than any column takes."""
    acme = stage.organization()
    stage.connect(acme)
    for subject in ("\ud800", "x" * 4096):
        stage.idp.person(subject, email=ADA)
        refused = stage.come(Browser(), acme, subject).answer
        assert isinstance(refused, Refused), refused
        assert refused.code is Code.SSO_IDENTITY_INCOMPLETE


# --- one winner -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("subjects", [["00u1"], ["00u1", "00u2", "00u3", "00u4"]])
def test_of_many_answers_to_one_pipeline_one_signs_in(crowd: SsoStage, subjects: list[str], *, kept: bool):
    """Invariant 9, row 20: in the same browser, at the same moment, by the same answer or by answers of others."""
    acme = founded(crowd)
    people = {subject: crowd.person(f"{subject}@example.com") for subject in subjects}
    for subject, person in people.items():
        crowd.google.person(subject, email=f"{subject}@example.com")
        crowd.link(person.user, acme, subject)
    trip = crowd.start(Browser(), acme)
    callbacks = [trip.callback(subjects[number % len(subjects)]) for number in range(CROWD)]
    flows, browser = crowd.flows.sso, trip.browser
    if kept:
        stored = tally(race(CROWD, lambda number: flows.keep_answer(callback=callbacks[number])))
        assert stored == {"AnswerKept": 1, Code.SSO_STATE_INVALID: CROWD - 1}
    session, brought = browser.session, [None] * CROWD if kept else callbacks
    answers = race(CROWD, lambda n: flows.resume(session, browser.context, pipeline=trip.pipeline, callback=brought[n]))
    told = tally(answers)
    assert told["SignedOn"] == 1, told
    assert told.keys() <= {"SignedOn", *LATE}, told
    (signed_on,) = (answer for answer in answers if isinstance(answer, SignedOn))
    assert crowd.flows.sessions.identify(signed_on.session).user == signed_on.user
    for person in people.values():
        assert len(crowd.links_of(person.user)) == 1
        assert sessions_of(crowd, person.user) == (person.user == signed_on.user)
        assert crowd.audited(person).count("login_succeeded") == (person.user == signed_on.user)


def test_of_many_pipelines_with_one_assertion_one_signs_in(crowd: SsoStage):
    """Invariant 9: what a provider says once counts once, in however many browsers it is brought at that moment."""
    acme = founded(crowd)
    ada = crowd.person()
    crowd.link(ada.user, acme, "00u1")
    crowd.google.fault = Fault.REUSED
    trips = [crowd.start(Browser(), acme) for _ in range(CROWD)]
    callbacks = [trip.callback("00u1") for trip in trips]
    answers = race(CROWD, lambda number: trips[number].resume(callbacks[number]))
    assert tally(answers) == {"SignedOn": 1, Code.SSO_RESPONSE_REPLAYED: CROWD - 1}
    assert sessions_of(crowd, ada.user) == 1
    assert crowd.audited(ada).count("login_succeeded") == 1


def test_of_many_who_link_at_one_page_one_does(crowd: SsoStage):
    """The page is sent 64 times: there are one link, one entry in the log and one mail."""
    acme, ada = founded(crowd), crowd.person()
    crowd.sign_in(ada)
    trip = crowd.come(ada.browser, acme, "00u1", link=True)
    choose, session = crowd.flows.sso.choose, ada.browser.session
    told = tally(race(CROWD, lambda _: choose(session, CONTEXT, pipeline=trip.pipeline, choice=Choice.LINK)))
    assert told["AccountLinked"] == 1, told
    assert told.keys() <= {"AccountLinked", *LATE}, told
    assert len(crowd.links_of(ada.user)) == 1
    assert crowd.audited(ada).count("sso_identity_link") == 1
    assert len(crowd.mails(MailKind.SSO_LINKED)) == 1


def test_of_many_answers_to_one_question_one_is_used_up(crowd: SsoStage):
    """Whoever is too late waits for the first, and then nothing of what they bring is burnt: the row is held."""
    acme, resume = founded(crowd), crowd.flows.sso.resume
    for _ in range(ASKED):
        trip = crowd.start(Browser(), acme)
        brought = [trip.callback("00u1").fields | {"id": (str(number),)} for number in range(WORKERS)]
        come = partial(resume, trip.browser.session, trip.browser.context, pipeline=trip.pipeline)
        told = tally(race(WORKERS, lambda n, come=come, brought=brought: come(callback=Callback(fields=brought[n]))))
        assert told == {"ChoiceOwed": 1, Code.SSO_STATE_INVALID: WORKERS - 1}
        with crowd.uow.begin() as tx:
            assert tx.single_use.sweep(crowd.clock.now() + timedelta(days=1)) == 1


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
