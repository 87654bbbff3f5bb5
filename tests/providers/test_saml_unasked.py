"""An answer that nobody asked for: off by default, and never more than a page that asks (decision 25, security 22)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow import (
    AccessShown,
    Audit,
    ChoiceOwed,
    Code,
    ConfirmationOwed,
    Policy,
    Refused,
    SecondFactorOwed,
    Secret,
    SignedOn,
    UnaskedKept,
)
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.journey.sso.refusals import TOLD, network
from authflow.membership.standing import Outside
from authflow.policy import SsoPolicy
from authflow.sso.case import Choice
from authflow.sso.kinds import Callback
from authflow.sso.service.unasked import Listening
from authflow.testing.browsers import Browser
from authflow.testing.saml import Asked, SamlFault, SamlPerson, callback
from tests.faces import FACES
from tests.journey.sso_stage import SsoStage
from tests.providers.saml.installed import SamlStage
from tests.stage import written

if TYPE_CHECKING:
    from authflow.values import OrganizationId

OPEN: Final = Policy(sso=SsoPolicy(idp_initiated=True))
ADA: Final = SamlPerson(subject="ada-1", email="ada@example.com", first_name="Ada")
MALLORY: Final = SamlPerson(subject="mallory-1", email="ada@example.com", first_name="Ada")
LOOKED: Final = {"sso_pipeline", "single_use", "session"}
"""What a page that asks may write: the browser's row, its pipeline, and that the answer was taken."""
TELLING: Final = {"audit", "outbox", "limit"}
"""What a refusal writes beside that: the organization's log, within a budget."""


class Unasked(SamlStage):
    """Acme takes in what its provider sends of itself; Ada and Mallory are linked there, as themselves."""

    def __init__(self, uow: Any, policy: Policy = OPEN, face: Any = None) -> None:
        super().__init__(uow, policy, face=face)
        self.acme = self.trusting("acme", idp_initiated=True)
        self.ada, self.mallory = self.person("ada@example.com"), self.person("mallory@example.net")
        for who, subject in ((self.ada, ADA.subject), (self.mallory, MALLORY.subject)):
            self.found(who, self.acme)
            self.link(who.user, self.acme, subject)

    def sent(self, person: SamlPerson, **said: Any) -> Callback:
        """Return what the provider has a browser post."""
        return self.saml.sends(self.here(self.acme), person, **said)

    def kept(self, callback: Callback, place: OrganizationId | None = None) -> Any:
        return self.flows.sso.keep_unasked(organization=place or self.acme, callback=callback)

    def ticket(self, person: SamlPerson) -> Secret:
        kept = self.kept(self.sent(person))
        assert isinstance(kept, UnaskedKept), kept
        return kept.ticket

    def take(self, browser: Browser, ticket: Secret) -> Any:
        return browser.ask(self.flows.sso.take_unasked, browser.context, ticket=ticket)

    def taken(self, browser: Browser, person: SamlPerson) -> ConfirmationOwed:
        owed = self.take(browser, self.ticket(person))
        assert isinstance(owed, ConfirmationOwed), owed
        return owed

    def confirm(self, browser: Browser, pipeline: Secret) -> Any:
        return browser.ask(self.flows.sso.confirm_unasked, browser.context, pipeline=pipeline)

    def here_is(self, browser: Browser) -> Any:
        return self.joining.sessions.identify(browser.session).user


@pytest.fixture
def stage() -> Unasked:
    return Unasked(MemoryUnitOfWork())


def refused(answer: Any, code: Code) -> None:
    assert isinstance(answer, Refused), answer
    assert answer.code is code


@pytest.mark.parametrize("backend", ["memory", "sqlite", "postgresql", *FACES])
def test_whoever_means_it_comes_in_by_the_link_that_stands(request: pytest.FixtureRequest, backend: str):
    uow = request.getfixturevalue(f"{backend}_uow")
    host, face = (uow[0], (uow[1], request.getfixturevalue("loop"))) if backend in FACES else (uow, None)
    stage, browser = Unasked(host, face=face), Browser()
    stage.sign_in(stage.ada)
    stage.enroll(stage.ada)
    owed = stage.taken(browser, ADA)
    assert (owed.user, owed.organization, owed.email, owed.name) == (stage.ada.user, "acme", ADA.email, "Ada")
    assert stage.here_is(browser) is None
    again = stage.flows.sso.look_unasked(browser.session, pipeline=owed.pipeline)
    assert again == attrs.evolve(owed, session=browser.session)
    assert isinstance(stage.confirm(browser, owed.pipeline), SecondFactorOwed)
    stage.clock.advance(timedelta(seconds=30))
    stage.verify(stage.ada, "totp", stage.ada.app.code(stage.clock.now()), browser)
    entered = stage.confirm(browser, owed.pipeline)
    assert isinstance(entered, SignedOn), entered
    assert (entered.user, entered.linked, entered.code) == (stage.ada.user, False, None)
    shown = stage.flows.sso.access(browser.session, organization=stage.acme)
    assert isinstance(shown, AccessShown)
    assert shown.met
    refused(stage.confirm(browser, owed.pipeline), Code.SSO_PIPELINE_EXPIRED)


@pytest.mark.parametrize(
    ("policy", "settings"),
    [(Policy.strict(), {"idp_initiated": True}), (OPEN, {}), (Policy.strict(), {})],
)
def test_it_takes_the_policy_and_the_owner_to_open_it(policy: Policy, settings: dict[str, Any]):
    """And both are closed by default; what was posted is not even read."""
    stage = Unasked(MemoryUnitOfWork(), policy)
    place = stage.trusting("globex", **settings)
    refused(stage.kept(stage.saml.sends(stage.here(place), ADA), place), Code.SSO_UNASKED_CLOSED)
    refused(stage.kept(Callback(fields={}), place), Code.SSO_UNASKED_CLOSED)
    assert not SsoPolicy().idp_initiated
    assert not Policy.reference_2024().sso.idp_initiated


def test_a_policy_that_was_closed_meanwhile_closes_what_waits(stage: Unasked):
    browser, ticket = Browser(), stage.ticket(MALLORY)
    owed = stage.taken(browser, ADA)
    closed = stage.open(stage.ring, Policy.strict()).sso
    refused(closed.confirm_unasked(browser.session, browser.context, pipeline=owed.pipeline), Code.SSO_UNASKED_CLOSED)
    refused(closed.look_unasked(browser.session, pipeline=owed.pipeline), Code.SSO_UNASKED_CLOSED)
    refused(closed.take_unasked(browser.session, browser.context, ticket=ticket), Code.SSO_UNASKED_CLOSED)


# --- a stranger's browser ---------------------------------------------------------------------------------------------


def test_a_strangers_browser_is_nobody_until_they_press_the_button(stage: Unasked):
    """Login CSRF: Mallory makes a victim's browser bring Mallory's answer, with whatever else can be forged."""
    victim, before = Browser(), stage.snapshot()
    ticket = stage.ticket(MALLORY)
    assert stage.snapshot() == before
    owed = stage.take(victim, ticket)
    assert isinstance(owed, ConfirmationOwed)
    assert owed.user == stage.mallory.user, "the page has to say whose account it would be"
    sso, at = stage.flows.sso, dict[str, Any](pipeline=owed.pipeline)
    forged = [
        victim.ask(sso.resume, victim.context, **at),
        victim.ask(sso.resume, victim.context, callback=stage.sent(MALLORY), **at),
        *(victim.ask(sso.choose, victim.context, choice=choice, **at) for choice in (Choice.LINK, Choice.NEW_ACCOUNT)),
        victim.ask(sso.mail_proof, victim.context, **at),
        victim.ask(sso.open_link, victim.context, token=Secret("none"), **at),
        victim.ask(sso.look, **at),
    ]
    assert {type(answer) for answer in forged} == {Refused}
    assert stage.here_is(victim) is None
    assert written(before, stage.snapshot()) <= LOOKED


def test_whoever_is_signed_in_is_not_made_somebody_else(stage: Unasked):
    """Neither at once, nor if they signed in while the page was open."""
    victim = stage.ada.browser
    stage.sign_in(stage.ada)
    refused(stage.take(victim, stage.ticket(MALLORY)), Code.SSO_IDENTITY_MISMATCH)
    assert stage.here_is(victim) == stage.ada.user
    later = Browser()
    owed = stage.taken(later, MALLORY)
    stage.sign_in(stage.ada, later)
    refused(stage.confirm(later, owed.pipeline), Code.SSO_IDENTITY_MISMATCH)
    assert stage.here_is(later) == stage.ada.user
    own = stage.taken(victim, ADA)
    assert isinstance(stage.confirm(victim, own.pipeline), SignedOn)


def test_the_page_is_the_browsers_that_took_it(stage: Unasked):
    mine, other = Browser(), Browser()
    owed = stage.taken(mine, ADA)
    stage.taken(other, MALLORY)
    for answer in (
        stage.confirm(other, owed.pipeline),
        other.ask(stage.flows.sso.look_unasked, pipeline=owed.pipeline),
        stage.confirm(mine, Secret(f"{owed.pipeline.reveal()}x")),
        stage.confirm(Browser(), owed.pipeline),
    ):
        refused(answer, Code.SSO_PIPELINE_INVALID)
    assert isinstance(stage.confirm(mine, owed.pipeline), SignedOn)


# --- never a link -----------------------------------------------------------------------------------------------------


def test_it_links_nobody_and_makes_nobody(stage: Unasked):
    """An unknown subject with Ada's address, for nobody, for Ada, and for Ada who proved it just now."""
    before = stage.snapshot()
    unknown = attrs.evolve(ADA, subject="evil")
    refused(stage.take(Browser(), stage.ticket(unknown)), Code.SSO_UNASKED_UNLINKED)
    assert written(before, stage.snapshot()) <= LOOKED | TELLING
    stage.sign_in(stage.ada)
    before = stage.snapshot()
    refused(stage.take(stage.ada.browser, stage.ticket(unknown)), Code.SSO_UNASKED_UNLINKED)
    assert written(before, stage.snapshot()) <= LOOKED | TELLING


def test_it_makes_nobody_a_member(stage: Unasked):
    """Eve is linked and belongs to nothing: the provider that makes members of whoever asks makes none of her."""
    eve, browser = stage.person("eve@example.com"), Browser()
    stage.link(eve.user, stage.acme, "eve-1")
    owed = stage.taken(browser, attrs.evolve(ADA, subject="eve-1"))
    entered = stage.confirm(browser, owed.pipeline)
    assert isinstance(entered, SignedOn)
    assert entered.member is None
    assert entered.code is not None
    assert isinstance(stage.member(eve.user, stage.acme), Outside)


# --- once -------------------------------------------------------------------------------------------------------------


def test_an_assertion_is_taken_once_however_often_it_is_posted(stage: Unasked):
    posted, first = stage.sent(ADA), Browser()
    tickets = [stage.kept(posted).ticket for _ in range(2)]
    assert isinstance(stage.take(first, tickets[0]), ConfirmationOwed)
    for ticket in tickets:
        refused(stage.take(Browser(), ticket), Code.SSO_RESPONSE_REPLAYED)
    refused(stage.take(first, tickets[0]), Code.SSO_RESPONSE_REPLAYED)


def test_a_ticket_is_good_for_a_minute_and_made_by_nobody_else(stage: Unasked):
    kept, browser = stage.kept(stage.sent(ADA)), Browser()
    assert kept.expires_at == stage.clock.now() + timedelta(minutes=1)
    ticket = kept.ticket
    text = ticket.reveal()
    for forged in ("", ".", text[:-8], f"{text[:-4]}AAAA", "x" * 9000, f"{text}é", f"other.{text.partition('.')[2]}"):
        refused(stage.take(browser, Secret(forged)), Code.SSO_STATE_INVALID)
    moment = timedelta(microseconds=1)
    stage.clock.advance(-moment)
    refused(stage.take(browser, ticket), Code.SSO_PIPELINE_EXPIRED)
    stage.clock.advance(timedelta(minutes=1))
    late = stage.ticket(MALLORY)
    assert isinstance(stage.take(browser, ticket), ConfirmationOwed)
    stage.clock.advance(timedelta(minutes=1))
    refused(stage.take(Browser(), late), Code.SSO_PIPELINE_EXPIRED)


def test_the_page_waits_as_long_as_any_sign_in_and_no_longer_than_the_answer_is_fresh(stage: Unasked):
    browser = Browser()
    owed = stage.taken(browser, ADA)
    assert owed.expires_at == stage.clock.now() + timedelta(hours=1)
    stage.clock.advance(timedelta(minutes=10))
    refused(stage.confirm(browser, owed.pipeline), Code.SSO_IDENTITY_EXPIRED)


# --- while another answer is waited for -------------------------------------------------------------------------------


def test_a_browser_that_waits_for_its_own_answer_takes_no_other(stage: Unasked):
    """Decision 25: its ``InResponseTo`` is demanded, until it is there, given up or over."""
    browser = Browser()
    trip = stage.start(browser, stage.acme)
    refused(stage.take(browser, stage.ticket(ADA)), Code.SSO_STATE_INVALID)
    trip.abandon()
    assert isinstance(stage.take(browser, stage.ticket(ADA)), ConfirmationOwed)


def test_a_browser_that_asked_itself_meanwhile_confirms_no_other_answer(stage: Unasked):
    """Decision 25: while it waits for its own; the page goes on once it does not."""
    browser = Browser()
    page = stage.taken(browser, ADA)
    trip = stage.start(browser, stage.acme)
    refused(stage.confirm(browser, page.pipeline), Code.SSO_STATE_INVALID)
    assert stage.here_is(browser) is None
    trip.abandon()
    assert isinstance(stage.confirm(browser, page.pipeline), SignedOn)


def test_an_answer_that_was_asked_for_is_not_taken_as_one_that_was_not(stage: Unasked):
    asked = stage.start(Browser(), stage.acme)
    assert isinstance(asked.resume(stage.answered(asked.away, attrs.evolve(ADA, subject="nobody-1"))), ChoiceOwed)
    refused(stage.confirm(asked.browser, asked.pipeline), Code.SSO_PIPELINE_INVALID)
    refused(asked.browser.ask(stage.flows.sso.look_unasked, pipeline=asked.pipeline), Code.SSO_PIPELINE_INVALID)
    asked.abandon()
    refused(stage.confirm(asked.browser, asked.pipeline), Code.SSO_PIPELINE_INVALID)
    trip = stage.start(Browser(), stage.acme)
    refused(stage.kept(stage.answered(trip.away, ADA)), Code.SSO_STATE_INVALID)
    unasked = stage.answered(trip.away, ADA, SamlFault.UNASKED)
    refused(trip.resume(unasked), Code.SSO_RESPONSE_INVALID)


# --- whose it is ------------------------------------------------------------------------------------------------------


def test_what_is_said_to_one_organization_counts_in_no_other(stage: Unasked):
    """Not its answer, and not its ticket after the provider is another one."""
    globex = stage.trusting("globex", idp_initiated=True)
    refused(stage.kept(stage.sent(ADA), globex), Code.SSO_RESPONSE_INVALID)
    ticket = stage.ticket(ADA)
    with stage.uow.begin() as tx:
        stored = tx.providers.load(stage.acme)
        changed = attrs.evolve(stored.state, settings=attrs.evolve(stored.state.settings, steps=b"\0" * 32))
        tx.providers.save(stage.acme, changed, expected=stored.version)
    refused(stage.take(Browser(), ticket), Code.SSO_PROVIDER_CHANGED)


def test_whoever_may_not_sign_in_does_not_come_in_so(stage: Unasked):
    browser = Browser()
    owed = stage.taken(browser, ADA)
    stage.save(attrs.evolve(stage.user(stage.ada.user), active=False))
    refused(stage.confirm(browser, owed.pipeline), Code.SSO_IDENTITY_DISABLED)
    refused(stage.take(Browser(), stage.ticket(ADA)), Code.SSO_IDENTITY_DISABLED)


def test_a_refusal_is_in_the_log_with_whose_it_is(stage: Unasked, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "authflow.sso")
    refused(stage.kept(Callback(fields={"SAMLResponse": ("AAAA",)})), Code.SSO_RESPONSE_INVALID)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "authflow.sso"]
    assert line.startswith(f"saml2 of {stage.acme}, unasked, rejected: {Code.SSO_RESPONSE_INVALID} ")


def test_no_settings_are_printed():
    nobody: Any = None
    assert "hush" not in repr(Listening(provider=nobody, kind=nobody, settings={"private_key": "hush"}))


def test_the_organization_is_told_of_whoever_was_refused(stage: Unasked):
    """As of answers that were asked for: of whom it knows nobody, of who may not sign in, of a second use."""

    def told() -> int:
        return stage.audited_in(stage.acme).count(Audit.SSO_SIGN_ON_REFUSED)

    posted = stage.sent(MALLORY)
    once, twice = stage.kept(posted), stage.kept(posted)
    assert isinstance(stage.take(Browser(), once.ticket), ConfirmationOwed)
    assert told() == 0
    refused(stage.take(Browser(), twice.ticket), Code.SSO_RESPONSE_REPLAYED)
    assert told() == 1
    stranger = attrs.evolve(ADA, subject="nobody-1")
    refused(stage.take(Browser(), stage.ticket(stranger)), Code.SSO_UNASKED_UNLINKED)
    assert told() == 2
    stage.save(attrs.evolve(stage.user(stage.ada.user), active=False))
    refused(stage.take(Browser(), stage.ticket(ADA)), Code.SSO_IDENTITY_DISABLED)
    assert told() == 3


def test_nobodys_refusals_hide_anothers(stage: Unasked):
    """From one address: each subject is told of as often as any, and then no more."""

    def inactive(person: Any, *, now: bool) -> None:
        stage.save(attrs.evolve(stage.user(person.user), active=not now))

    def told() -> int:
        return stage.audited_in(stage.acme).count(Audit.SSO_SIGN_ON_REFUSED)

    for who, person, before in ((MALLORY, stage.mallory, 0), (ADA, stage.ada, TOLD.limit)):
        for _ in range(TOLD.limit + 1):
            browser = Browser()
            owed = stage.taken(browser, who)
            inactive(person, now=True)
            refused(stage.confirm(browser, owed.pipeline), Code.SSO_IDENTITY_DISABLED)
            inactive(person, now=False)
        assert told() == before + TOLD.limit


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.5", "203.0.113.6", False),
        ("::ffff:203.0.113.5", "::ffff:198.51.100.7", False),
        ("::ffff:203.0.113.5", "203.0.113.5", True),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        (None, "not an address", True),
    ],
)
def test_a_network_is_what_one_customer_has(one: str | None, other: str, *, same: bool):
    """However a server with both kinds of addresses writes one of them."""
    assert (network(one) == network(other)) is same


def test_kinds_that_cannot_say_so():
    plain = SsoStage(MemoryUnitOfWork(), OPEN)
    acme = plain.organization()
    empty = Callback(fields={})
    refused(plain.flows.sso.keep_unasked(organization=acme, callback=empty), Code.SSO_NO_PROVIDER)
    plain.connect(acme)
    refused(plain.flows.sso.keep_unasked(organization=acme, callback=empty), Code.SSO_KIND_UNABLE)


def test_what_is_too_much_for_a_cookie_is_refused(stage: Unasked):
    here = stage.here(stage.acme)
    said = stage.saml.say(Asked(id="", issuer=here.metadata, callback=here.callback, state="", signed=False), ADA)
    long = stage.saml.write(attrs.evolve(said, session_index="i" * 4000))
    refused(stage.kept(callback(long, "")), Code.SSO_RESPONSE_INVALID)
