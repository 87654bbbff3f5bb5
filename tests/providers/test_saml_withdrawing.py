"""A provider that ends somebody's session takes back what waits of it on a page here: nobody goes on with that."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import pytest

from authflow import (
    Audit,
    Choice,
    ChoiceOwed,
    Code,
    ConfirmationOwed,
    MailSent,
    Policy,
    ProviderSessionsEnded,
    Refused,
    SecondFactorOwed,
    Secret,
    SignedOn,
    UnaskedKept,
)
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.facts.records import MailKind
from authflow.policy import SsoPolicy
from authflow.sso.kinds import Departure
from authflow.sso.provider_session import name_digest
from authflow.sso.sealing import Vault, state_binding
from authflow.testing.browsers import Browser
from authflow.testing.saml import FakeSamlProvider, SamlPerson, callback
from authflow.testing.saml_markup import EMAIL_FORMAT, PERSISTENT
from tests.faces import FACES
from tests.providers.saml.installed import SamlStage, sent_away
from tests.providers.saml.stage import keys
from tests.stage import CONTEXT
from tests.stories.test_sso_merging import WAITING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stage import Person

ADA: Final = SamlPerson(subject="ada-1", email="ada@example.com")
BOB: Final = SamlPerson(subject="bob-1", email="bob@example.com")
EVE: Final = SamlPerson(subject="eve-1", email="eve@example.com")
"""Ada is linked, and has a second factor; Bob is a member with one, and is not; Eve is nobody here."""


@attrs.frozen(kw_only=True)
class Page:
    """Where a browser waits: *go_on* is what its person would press next."""

    browser: Browser
    pipeline: Secret
    go_on: Callable[[], Any]


class Pausing(SamlStage):
    """Acme, whose provider knows Ada, Bob and Eve, and sends answers of itself."""

    def __init__(self, uow: Any, face: Any = None, **policy: Any) -> None:
        super().__init__(uow, Policy(sso=SsoPolicy(idp_initiated=True, **policy)), face=face)
        self.acme = self.trusting("acme", idp_initiated=True)
        self.ada, self.bob = self.person("ada@example.com"), self.person("bob@example.com")
        for one in (self.ada, self.bob):
            self.found(one, self.acme)
            self.sign_in(one)
            self.enroll(one)
        self.link(self.ada.user, self.acme, ADA.subject)

    def comes(self, who: SamlPerson, browser: Browser | None = None) -> tuple[Browser, Secret, Any]:
        """Let *who* come back from the provider; return where they wait, and what they are answered."""
        browser = browser or Browser()
        away = sent_away(self, browser, self.acme)
        brought = self.answered(away, who)
        came = browser.ask(self.flows.sso.resume, browser.context, pipeline=away.pipeline, callback=brought)
        return browser, away.pipeline, came

    def page(self, browser: Browser, pipeline: Secret, choice: Choice | None = None) -> Page:
        """Return where *browser* waits: with a *choice*, or behind a second factor."""
        flows = self.flows.sso
        chosen = partial(flows.resume) if choice is None else partial(flows.choose, choice=choice)
        go_on = partial(browser.ask, chosen, browser.context, pipeline=pipeline)
        return Page(browser=browser, pipeline=pipeline, go_on=go_on)

    # --- where somebody waits ---------------------------------------------------------------------------------------

    def choosing(self) -> Page:
        browser, pipeline, came = self.comes(EVE)
        assert isinstance(came, ChoiceOwed), came
        return self.page(browser, pipeline, Choice.NEW_ACCOUNT)

    def proving_an_address(self) -> Page:
        """Eve wants an account, and the mail is there."""
        page = self.choosing()
        assert isinstance(page.go_on(), MailSent)
        return self._opening(page, MailKind.SSO_ADDRESS_PROOF)

    def proving(self, browser: Browser | None = None) -> Page:
        """Bob says who he is by his mailbox, and the mail is there."""
        browser, pipeline, came = self.comes(BOB, browser)
        assert isinstance(came, ChoiceOwed), came
        mailed = browser.ask(self.flows.sso.mail_proof, browser.context, pipeline=pipeline)
        assert isinstance(mailed, MailSent), mailed
        return self._opening(self.page(browser, pipeline), MailKind.SSO_PROOF)

    def owing(self) -> Page:
        """Bob opened the link, and owes a second factor."""
        page = self.proving()
        assert isinstance(page.go_on(), ChoiceOwed)
        linking = self.page(page.browser, page.pipeline, Choice.LINK)
        assert isinstance(linking.go_on(), SecondFactorOwed)
        return linking

    def owing_by_a_link(self) -> Page:
        browser, pipeline, came = self.comes(ADA)
        assert isinstance(came, SecondFactorOwed), came
        return self.page(browser, pipeline)

    def confirming(self) -> Page:
        """Nobody asked; Ada is shown a button."""
        browser = Browser()
        kept = self.flows.sso.keep_unasked(organization=self.acme, callback=self.saml.sends(self.here(self.acme), ADA))
        assert isinstance(kept, UnaskedKept), kept
        owed = browser.ask(self.flows.sso.take_unasked, browser.context, ticket=kept.ticket)
        assert isinstance(owed, ConfirmationOwed), owed
        page = self.page(browser, owed.pipeline)
        confirm = self.flows.sso.confirm_unasked
        return attrs.evolve(page, go_on=partial(browser.ask, confirm, browser.context, pipeline=owed.pipeline))

    def _opening(self, page: Page, kind: MailKind) -> Page:
        token = Secret(str(self.mails(kind)[-1].context["token"]))
        opened = partial(self.flows.sso.open_link, pipeline=page.pipeline, token=token)
        return attrs.evolve(page, go_on=partial(page.browser.ask, opened, page.browser.context))

    # --- what the provider does -------------------------------------------------------------------------------------

    def asks(self, who: SamlPerson, *, everywhere: bool = True, **said: Any) -> str:
        """Return the query by which the provider ends the last session of *who*, or all of theirs."""
        of = attrs.evolve(self.saml.said[who.subject], **said)
        return urlsplit(self.saml.ends_session(of, self.here(self.acme).logout, everywhere=everywhere)).query

    def asked(self, query: str) -> Any:
        return self.flows.sso.end_sessions(CONTEXT, organization=self.acme, query=query)

    def ends(self, who: SamlPerson, **how: Any) -> Any:
        return self.asked(self.asks(who, **how))

    def passes(self, person: Person, browser: Browser) -> None:
        """Let *person* give their second factor."""
        self.clock.advance(timedelta(seconds=30))
        self.verify(person, "totp", person.app.code(self.clock.now()), browser)
        assert self.here_is(browser) == person.user

    def here_is(self, browser: Browser) -> Any:
        return self.joining.sessions.identify(browser.session).user

    def told(self) -> list[Any]:
        entries = reversed(self.flows.audit.of_organization(self.acme))
        return [entry.data["count"] for entry in entries if entry.event is Audit.SSO_ANSWERS_WITHDRAWN]


WAITS: Final[dict[Callable[[Pausing], Page], SamlPerson]] = {
    Pausing.choosing: EVE,
    Pausing.proving_an_address: EVE,
    Pausing.proving: BOB,
    Pausing.owing: BOB,
    Pausing.owing_by_a_link: ADA,
    Pausing.confirming: ADA,
}
"""Every page on which an answer of the provider waits, and about whom it is."""


@pytest.fixture
def stage() -> Pausing:
    return Pausing(MemoryUnitOfWork())


def refused(answer: Any, code: Code) -> None:
    assert isinstance(answer, Refused), answer
    assert answer.code is code


@pytest.mark.parametrize("backend", ["memory", "sqlite", "postgresql", *FACES])
def test_nobody_goes_on_whose_session_at_the_provider_ended(request: pytest.FixtureRequest, backend: str):
    """Wherever they wait; whoever was not named goes on."""
    uow = request.getfixturevalue(f"{backend}_uow")
    host, face = (uow[0], (uow[1], request.getfixturevalue("loop"))) if backend in FACES else (uow, None)
    stage = Pausing(host, face=face)
    pages = {waits: waits(stage) for waits in WAITS}
    for who, sessions in ((BOB, 1), (ADA, 1)):  # a second factor is owed by one of each; Eve waits all the while
        ended = stage.ends(who)
        assert isinstance(ended, ProviderSessionsEnded), ended
        assert ended.count == sessions
    assert stage.told() == [2, 2]
    for waits, who in WAITS.items():
        page = pages[waits]
        if who is EVE:
            assert not isinstance(page.go_on(), Refused)
        else:
            refused(page.go_on(), Code.SSO_PIPELINE_EXPIRED)
            refused(page.go_on(), Code.SSO_PIPELINE_EXPIRED)
            assert stage.here_is(page.browser) is None


@pytest.mark.parametrize("waits", WAITS, ids=lambda waits: waits.__name__)
def test_what_was_taken_back_is_not_shown_either(stage: Pausing, waits: Callable[[Pausing], Page]):
    """And whoever comes anew comes in: it is the answer that is worth nothing, and not its person."""
    page, flows = waits(stage), stage.flows.sso
    stage.ends(WAITS[waits])
    looks = flows.look_unasked if waits is Pausing.confirming else flows.look
    refused(page.browser.ask(looks, pipeline=page.pipeline), Code.SSO_PIPELINE_EXPIRED)
    assert isinstance(waits(stage), Page)


def test_the_session_that_is_named_is_taken_back_and_no_other_one_of_that_person(stage: Pausing):
    first, second = stage.choosing(), stage.choosing()
    stage.ends(EVE, everywhere=False)  # the second one's index was said last
    refused(second.go_on(), Code.SSO_PIPELINE_EXPIRED)
    assert isinstance(first.go_on(), MailSent)
    assert stage.told() == [1]


@pytest.mark.parametrize(("asked", "ends"), [(PERSISTENT, True), (EMAIL_FORMAT, False)])
def test_a_name_of_another_format_takes_nothing_back(stage: Pausing, asked: str, *, ends: bool):
    """SAML core 8.3: written alike, it may mean somebody else."""
    browser = Browser()
    away = sent_away(stage, browser, stage.acme)
    there = stage.saml.read(Departure(url=away.url, form=away.form, request={}))
    said = attrs.evolve(stage.saml.say(there, EVE), name_id_format=PERSISTENT)
    brought = callback(stage.saml.write(said), there.state)
    browser.ask(stage.flows.sso.resume, browser.context, pipeline=away.pipeline, callback=brought)
    stage.saml.said[EVE.subject] = said
    stage.ends(EVE, name_id_format=asked)
    came = stage.page(browser, away.pipeline, Choice.NEW_ACCOUNT).go_on()
    assert isinstance(came, Refused if ends else MailSent), came


def test_whoever_passed_a_second_factor_behind_a_mailed_proof_is_signed_out(stage: Pausing):
    """Nothing links them yet: their sign-in was begun by what the provider said, and by nothing that is their own."""
    page = stage.owing()
    stage.passes(stage.bob, page.browser)
    assert stage.ends(BOB).count == 1
    assert stage.here_is(page.browser) is None


def test_whoever_was_signed_in_by_a_password_of_their_own_stays_so(stage: Pausing):
    """The answer that waits beside that is taken back all the same."""
    page = stage.proving()
    page.go_on()
    stage.sign_in(stage.bob, page.browser)
    stage.passes(stage.bob, page.browser)
    assert (stage.ends(BOB).count, stage.told()) == (0, [1])
    assert stage.here_is(page.browser) == stage.bob.user


def test_whoever_is_signed_in_where_somebody_else_proved_a_mailbox_stays_so(stage: Pausing):
    """And is signed out by their own name, afterwards."""
    adas = stage.owing_by_a_link()
    stage.passes(stage.ada, adas.browser)
    assert isinstance(adas.go_on(), SignedOn)
    page = stage.proving(adas.browser)
    assert isinstance(page.go_on(), ChoiceOwed)
    assert (stage.ends(BOB).count, stage.told()) == (0, [1])
    assert stage.here_is(adas.browser) == stage.ada.user
    assert stage.ends(ADA).count == 1
    assert stage.here_is(adas.browser) is None


def test_a_provider_takes_back_nothing_of_anothers(stage: Pausing):
    """By the same name, at its own address."""
    page, other = stage.choosing(), FakeSamlProvider(stage.clock, entity_id="https://o.example/idp", keys=keys("other"))
    globex = stage.trusting("globex", other)
    url = other.ends_session(stage.saml.said[EVE.subject], stage.here(globex).logout, everywhere=True)
    ended = stage.flows.sso.end_sessions(CONTEXT, organization=globex, query=urlsplit(url).query)
    assert isinstance(ended, ProviderSessionsEnded), ended
    assert isinstance(page.go_on(), MailSent)


def test_what_cannot_be_read_any_more_is_taken_back_by_the_name_alone(stage: Pausing):
    """Its key is gone: whoever is signed out there is not let in here, rather than in doubt."""
    page = stage.choosing()
    with stage.uow.begin() as tx:
        (row,) = tx.pipelines.named(tx.providers.load(stage.acme).state.id, name_digest(EVE.subject))
        stored = tx.pipelines.load(row.handle.id, lock=True)
        binding = state_binding(row.handle.id)
        document = Vault(stage.cipher).open(row.state, binding)
        document["fields"]["identity"]["memory"][0] = "gone"
        sealed = Vault(stage.cipher).seal(document, binding)
        tx.pipelines.save(attrs.evolve(row, state=sealed), expected=stored.version)
    stage.ends(EVE, everywhere=False, session_index="another one")
    refused(page.go_on(), Code.SSO_PIPELINE_EXPIRED)


# --- at the same time -----------------------------------------------------------------------------------------------


def wait_for(uow: SqlUnitOfWork, waiting: int) -> None:
    """Return when so many wait for a lock; it is not needed if that takes ten seconds."""
    until = time.monotonic() + 10
    with uow.engine.connect() as connection:
        while connection.execute(WAITING).scalar_one() < waiting:
            assert time.monotonic() < until
            time.sleep(0.01)
            connection.rollback()  # a transaction sees the statistics as they were at its first look


def both(stage: Pausing, first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """Return what two answer who wait for the provider at the same time, or the second one for what the first holds."""
    with ThreadPoolExecutor(2) as pool:
        with stage.uow.begin() as tx:
            tx.providers.load(stage.acme, lock=True)
            done: list[Future[Any]] = []
            for step in (first, second):
                done.append(pool.submit(step))
                wait_for(stage.uow, len(done))
        return [each.result() for each in done]


def test_whoever_finishes_while_the_provider_signs_them_out_is_out(postgresql_uow: SqlUnitOfWork):
    """No session is left behind, also not that of somebody who was nobody here when they were signed out."""
    stage = Pausing(postgresql_uow, verify_first=False)
    page = stage.choosing()
    came, ended = both(stage, page.go_on, partial(stage.ends, EVE))
    assert isinstance(came, SignedOn), came
    assert isinstance(ended, ProviderSessionsEnded), ended
    assert (ended.count, stage.here_is(page.browser)) == (1, None)


def test_whoever_is_signed_out_while_they_finish_does_not_come_in(postgresql_uow: SqlUnitOfWork):
    stage = Pausing(postgresql_uow, verify_first=False)
    page = stage.choosing()
    ended, came = both(stage, partial(stage.ends, EVE), page.go_on)
    assert isinstance(ended, ProviderSessionsEnded), ended
    refused(came, Code.SSO_PIPELINE_EXPIRED)
    assert (stage.told(), stage.here_is(page.browser)) == ([1], None)


@pytest.fixture(params=["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def level_uow(request: pytest.FixtureRequest, postgresql_uow: SqlUnitOfWork) -> SqlUnitOfWork:
    engine = postgresql_uow.engine.execution_options(isolation_level=request.param)
    return SqlUnitOfWork(engine, postgresql_uow.tables)


def test_what_arrives_before_the_provider_is_held_is_taken_back_too(level_uow: SqlUnitOfWork):
    """The request looks again when it holds everything, and once more when it is done: it may not have seen all."""
    stage, browser = Pausing(level_uow), Browser()
    away = sent_away(stage, browser, stage.acme)
    brought = stage.answered(away, EVE)
    resume = partial(stage.flows.sso.resume, pipeline=away.pipeline, callback=brought)
    came, ended = both(stage, lambda: browser.ask(resume, browser.context), partial(stage.ends, EVE))
    assert isinstance(came, ChoiceOwed), came
    assert isinstance(ended, ProviderSessionsEnded), ended
    refused(stage.page(browser, away.pipeline).go_on(), Code.SSO_PIPELINE_EXPIRED)
    assert stage.told() == [1]


def test_whoever_comes_in_before_the_provider_is_held_is_signed_out_too(level_uow: SqlUnitOfWork):
    stage, browser = Pausing(level_uow), Browser()
    cat, there = stage.person("cat@example.com"), SamlPerson(subject="cat-1", email="cat@example.com")
    stage.found(cat, stage.acme)
    stage.link(cat.user, stage.acme, there.subject)
    away = sent_away(stage, browser, stage.acme)
    resume = partial(stage.flows.sso.resume, pipeline=away.pipeline, callback=stage.answered(away, there))
    came, ended = both(stage, lambda: browser.ask(resume, browser.context), partial(stage.ends, there))
    assert isinstance(came, SignedOn), came
    assert isinstance(ended, ProviderSessionsEnded), ended
    assert (ended.count, stage.here_is(browser)) == (1, None)
