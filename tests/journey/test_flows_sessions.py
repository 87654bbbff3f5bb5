"""The value a browser keeps, through the facade: replaced, forged, torn and shared; the server's row decides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authflow import Code, Elevated, Refused, RequirementsOpen
from authflow.testing import strategies
from authflow.testing.browsers import Browser
from authflow.values import BrowserSession, Secret, SessionId
from tests.stage import CONTEXT, STEP

if TYPE_CHECKING:
    from tests.stage import Letter, Person, Stage

OURS = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The stage of one test serves all its examples: none of them may change it."""


@pytest.fixture
def ada(stage: Stage) -> Person:
    """Somebody who is signed in with both factors."""
    person = stage.person()
    stage.sign_in(person)
    stage.enroll(person)
    stage.clock.advance(STEP)
    return person


@pytest.fixture
def letter(stage: Stage) -> Letter:
    """An invitation for somebody else."""
    acme = stage.organization(require_second_factor=True)
    return stage.invite(stage.owner(acme), acme, "bob@example.com")


COMMANDS: dict[str, Any] = {
    "begin_totp": lambda s, v, _l: s.flows.mfa.begin_totp(v, CONTEXT, account="a"),
    "complete_totp": lambda s, v, _l: s.flows.mfa.complete_totp(v, CONTEXT, "flow", code="123456"),
    "verify": lambda s, v, _l: s.flows.mfa.verify(v, CONTEXT, "totp", "123456"),
    "regenerate_codes": lambda s, v, _l: s.flows.mfa.regenerate_codes(v, CONTEXT),
    "listing": lambda s, v, _l: s.flows.mfa.listing(v),
    "remove": lambda s, v, _l: s.flows.mfa.remove(v, CONTEXT, "factor"),
    "reset": lambda s, v, _l: s.flows.mfa.reset(v, CONTEXT, user="bob", reason=""),
    "invite": lambda s, v, _l: s.flows.invitations.invite(v, CONTEXT, organization="acme", email="x@example.com"),
    "enter": lambda s, v, _l: s.flows.members.enter(v, organization="acme"),
    "export": lambda s, v, _l: s.flows.accounts.export(v, CONTEXT, user="ada@example.com"),
    "delete": lambda s, v, _l: s.flows.accounts.delete(v, CONTEXT, user="ada@example.com"),
    "end_others": lambda s, v, _l: s.flows.sessions.end_others(v, CONTEXT),
    "redeem": lambda s, v, _l: s.flows.sessions.redeem(v, CONTEXT, token=Secret("t")),
    "cancel": lambda s, v, _l: s.flows.sessions.cancel(v, CONTEXT),
    "look": lambda s, v, _l: s.flows.sessions.look(v),
}

EXPECTED = {
    Code.SESSION_REQUIRED,
    Code.SESSION_SUPERSEDED,
    Code.SESSION_NO_PENDING_LOGIN,
    Code.MFA_ENROLLMENT_STATE_CHANGED,  # a flow tells its own refusal to the browser that had it (decision 28)
}

LIES: dict[str, Any] = {
    "id of nobody": lambda v: attrs.evolve(v, id=SessionId("a" * 26)),
    "id empty": lambda v: attrs.evolve(v, id=SessionId("")),
    "id too long": lambda v: attrs.evolve(v, id=SessionId("n" * 10_000)),
    "id full-width": lambda v: attrs.evolve(v, id=SessionId("\uff41" * 26)),
    "id with NUL": lambda v: attrs.evolve(v, id=SessionId(f"{v.id}\x00")),
    "id with half a character": lambda v: attrs.evolve(v, id=SessionId(f"{v.id}\ud800")),
    "id in capitals": lambda v: attrs.evolve(v, id=SessionId(v.id.upper())),
    "secret empty": lambda v: attrs.evolve(v, secret=Secret("")),
    "secret of nobody": lambda v: attrs.evolve(v, secret=Secret("a" * 52)),
    "secret in capitals": lambda v: attrs.evolve(v, secret=Secret(v.secret.reveal().upper())),
    "secret with half a character": lambda v: attrs.evolve(v, secret=Secret("\udfff")),
    "secret too long": lambda v: attrs.evolve(v, secret=Secret("n" * 100_000)),
    "secret is the id": lambda v: attrs.evolve(v, secret=Secret(v.id)),
    "older generation": lambda v: attrs.evolve(v, generation=v.generation - 1),
    "newer generation": lambda v: attrs.evolve(v, generation=v.generation + 1),
    "absurd generation": lambda v: attrs.evolve(v, generation=2**70),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_forged_value_opens_nothing_and_writes_nothing(stage: Stage, ada: Person, letter: Letter, lie: str):
    forged = LIES[lie](ada.browser.session)
    with stage.writes():
        assert stage.flows.sessions.identify(forged).user is None
        for name, command in COMMANDS.items():
            answer = command(stage, forged, letter)
            assert isinstance(answer, Refused), name
            assert answer.code in EXPECTED, name
            assert answer.session.user is None, name
    assert stage.identify(ada).user == ada.user


@OURS
@given(data=st.data())
def test_no_tampering_is_found_that_opens_a_session(stage: Stage, ada: Person, data: st.DataObject):
    forged = data.draw(strategies.tampered(ada.browser.session))
    asker = stage.flows.sessions.identify(forged)
    assert (asker.user, asker.elevated) == (None, False)


@OURS
@given(data=st.data())
def test_what_is_only_cached_decides_nothing(stage: Stage, ada: Person, data: st.DataObject):
    lying = data.draw(strategies.relabelled(ada.browser.session))
    assert stage.flows.sessions.identify(lying) == stage.identify(ada)


@OURS
@given(stored=strategies.garbage())
def test_garbage_in_a_cookie_is_a_stranger(stage: Stage, stored: Any):
    session = BrowserSession.from_json(stored)  # perhaps one in form, of a row that there is not
    assert stage.flows.sessions.identify(session).why_not is Code.SESSION_REQUIRED


@pytest.mark.parametrize("lie", LIES)
def test_a_forged_value_gets_a_session_of_its_own_for_a_click(stage: Stage, ada: Person, letter: Letter, lie: str):
    """It never reaches the row it pretends to: not to hang a click on it either."""
    before = ada.browser.session
    answer = stage.flows.invitations.accept(LIES[lie](before), CONTEXT, **letter.where())
    superseded = isinstance(answer, Refused) and answer.code is Code.SESSION_SUPERSEDED
    assert superseded or isinstance(answer, RequirementsOpen)
    assert superseded or answer.session.id != before.id
    with stage.uow.begin() as tx:
        assert type(tx.consents.load(before.id).state).__name__ == "NoConsent"


def test_every_value_of_a_whole_story_dies_with_its_successor(stage: Stage, ada: Person):
    """Sign-in, second factor, elevation, another person, sign-out: what was replaced never opens anything again."""
    browser, bob = Browser(CONTEXT), stage.person("bob@example.com")
    stage.sign_in(ada, browser)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)
    stage.sign_in(bob, browser)
    stage.clock.advance(STEP)
    stage.sign_in(ada, browser)
    stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)
    for stored in browser.former:
        old = BrowserSession.from_json(json.loads(stored))
        assert stage.flows.sessions.identify(old).user is None
        if old.id == browser.session.id and old.generation != browser.session.generation:
            assert stage.flows.sessions.identify(old).why_not is Code.SESSION_SUPERSEDED
    assert stage.flows.sessions.identify(browser.session).user == ada.user
    browser.ask(stage.flows.sessions.sign_out, CONTEXT)
    assert all(
        stage.flows.sessions.identify(BrowserSession.from_json(json.loads(stored))).user is None
        for stored in browser.former
    )


def test_two_tabs_of_one_session_go_on_working(stage: Stage, ada: Person):
    """Only what opens more renews the value; everything else leaves both tabs as they are."""
    one, two = ada.browser, Browser(CONTEXT)
    two.stored = one.stored
    for tab in (one, two, one, two):
        assert not isinstance(tab.ask(stage.flows.mfa.listing), Refused)
        stage.clock.advance(STEP)
        assert isinstance(stage.verify(ada, "totp", ada.app.code(stage.clock.now()), tab), Elevated)
    assert one.session == two.session


def test_a_value_leaves_no_secret_in_a_log(stage: Stage, ada: Person):
    session = ada.browser.session
    assert session.secret.reveal() not in f"{session!r} {session} {stage.identify(ada)!r}"


def test_the_row_holds_no_secret(stage: Stage, ada: Person):
    rows = str(stage.snapshot())
    assert ada.browser.session.secret.reveal() not in rows
    assert ada.browser.device is None or ada.browser.device.reveal() not in rows
