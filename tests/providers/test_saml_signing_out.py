"""Single logout through the flows: ours tells the provider, the provider's tells us, and nobody tells for another."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from authflow import (
    Audit,
    Authflow,
    Code,
    ProviderSessionsEnded,
    Refused,
    SecondFactorOwed,
    Secret,
    SentToSignOut,
    SignedOn,
    SignedOut,
)
from authflow import SignedOutThere as There
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.providers.saml import Saml2
from authflow.adapters.providers.saml.subject import UNSPECIFIED
from authflow.errors import ConfigInvalid
from authflow.sso.connection import NoProvider
from authflow.sso.endpoints import Endpoints
from authflow.sso.kinds import Departure, Kinds
from authflow.sso.sealing import Vault, settings_binding
from authflow.sso.service.departures import Counterpart, Leave
from authflow.testing.browsers import CALLBACK, Browser
from authflow.testing.providers import FakeProvider
from authflow.testing.saml import SLO_URL, FakeSamlProvider, SamlPerson, callback
from authflow.testing.saml_markup import EMAIL_FORMAT, PERSISTENT
from authflow.values import ProviderId
from tests.faces import FACES
from tests.journey.sso_stage import SsoStage
from tests.providers.saml.installed import SamlStage, sent_away
from tests.providers.saml.stage import keys
from tests.stage import CONTEXT

if TYPE_CHECKING:
    from authflow.values import OrganizationId
    from tests.stage import Person

ADA: Final = SamlPerson(subject="ada-1", email="ada@example.com")
BOB: Final = SamlPerson(subject="bob-1", email="bob@example.com")


class Leaving(SamlStage):
    """Acme and Globex with a provider each, of one name; Ada is linked at both, Bob at Acme."""

    def __init__(self, uow: Any, face: Any = None) -> None:
        super().__init__(uow, face=face)
        self.other = FakeSamlProvider(self.clock, entity_id="https://other.example/idp", keys=keys("other"))
        self.acme, self.globex = self.trusting("acme"), self.trusting("globex", self.other)
        self.ada, self.bob = self.person("ada@example.com"), self.person("bob@example.com")
        for who, place, subject in (
            (self.ada, self.acme, ADA.subject),
            (self.ada, self.globex, ADA.subject),
            (self.bob, self.acme, BOB.subject),
        ):
            self.found(who, place)
            self.link(who.user, place, subject, f"{place}-{who.user}")

    def owes(self, who: SamlPerson, person: Person, browser: Browser, place: OrganizationId | None = None) -> Secret:
        """Let *person*, who has a second factor of ours, come by *browser* as far as it; return the pipeline."""
        self.sign_in(person)
        self.enroll(person)
        away, idp = sent_away(self, browser, place or self.acme), self.other if place == self.globex else self.saml
        brought = idp.answer(Departure(url=away.url, form=away.form, request={}), who)
        owed = browser.ask(self.flows.sso.resume, browser.context, pipeline=away.pipeline, callback=brought)
        assert isinstance(owed, SecondFactorOwed), owed
        pipeline: Secret = away.pipeline
        return pipeline

    def passes(self, person: Person, browser: Browser) -> Any:
        self.clock.advance(timedelta(seconds=30))
        return self.verify(person, "totp", person.app.code(self.clock.now()), browser)

    def state(self, browser: Browser) -> Any:
        """Return the row of *browser* as it is stored."""
        with self.uow.begin() as tx:
            return tx.sessions.load(browser.session.id)

    def slo(self, place: OrganizationId) -> str:
        return self.here(place).logout

    def comes(self, who: SamlPerson, place: OrganizationId | None = None, browser: Browser | None = None) -> Browser:
        """Let *who* sign in through the provider of *place*."""
        at, organization = browser or Browser(), place or self.acme
        away = sent_away(self, at, organization)
        idp = self.other if organization == self.globex else self.saml
        brought = idp.answer(Departure(url=away.url, form=away.form, request={}), who)
        entered = at.ask(self.flows.sso.resume, at.context, pipeline=away.pipeline, callback=brought)
        assert isinstance(entered, SignedOn), entered
        return at

    def leaves(self, browser: Browser) -> Any:
        return browser.ask(self.flows.sso.sign_out, browser.context)

    def ends(self, url: str, place: OrganizationId | None = None) -> Any:
        return self.flows.sso.end_sessions(CONTEXT, organization=place or self.acme, query=urlsplit(url).query)

    def asks(self, who: SamlPerson, **how: Any) -> str:
        """Return the URL by which Acme's provider ends the session of *who*."""
        return self.saml.ends_session(self.saml.said[who.subject], self.slo(self.acme), **how)

    def here_is(self, browser: Browser) -> Any:
        return self.joining.sessions.identify(browser.session).user

    def entered(self, browser: Browser) -> set[str]:
        return {str(place) for place in self.joining.sessions.identify(browser.session).organizations}


@pytest.fixture
def stage() -> Leaving:
    return Leaving(MemoryUnitOfWork())


def refused(answer: Any, code: Code) -> None:
    assert isinstance(answer, Refused), answer
    assert answer.code is code


@pytest.mark.parametrize("backend", ["memory", "sqlite", "postgresql", *FACES])
def test_a_session_ends_on_both_sides(request: pytest.FixtureRequest, backend: str):
    """Ours first, then theirs; and theirs first, then ours, with the answer that it waits for."""
    uow = request.getfixturevalue(f"{backend}_uow")
    host, face = (uow[0], (uow[1], request.getfixturevalue("loop"))) if backend in FACES else (uow, None)
    stage = Leaving(host, face=face)
    here, there, bobs = stage.comes(ADA), stage.comes(ADA), stage.comes(BOB)
    left = stage.leaves(there)
    assert isinstance(left, SentToSignOut), left
    assert left.url.startswith(f"{SLO_URL}?SAMLRequest=")
    assert (stage.here_is(there), stage.here_is(here)) == (None, stage.ada.user)
    answer = urlsplit(stage.saml.ended_session(left.url, stage.slo(stage.acme))).query
    assert stage.flows.sso.finish_sign_out(ticket=left.ticket, query=answer) == There(complete=True)
    here = stage.comes(ADA, browser=here)
    asked = stage.asks(ADA, state="their state")
    ended = stage.ends(asked)
    assert isinstance(ended, ProviderSessionsEnded), ended
    assert ended.count == 1
    assert ended.url is not None
    assert ended.url.startswith(f"{SLO_URL}?SAMLResponse=")
    assert parse_qs(urlsplit(ended.url).query)["RelayState"] == ["their state"]
    assert (stage.here_is(here), stage.here_is(bobs)) == (None, stage.bob.user)
    assert stage.audited_in(stage.acme).count(Audit.SSO_SIGNED_OUT) == 1
    refused(stage.ends(asked), Code.SSO_RESPONSE_REPLAYED)


# --- which sessions -------------------------------------------------------------------------------------------------


def test_the_session_that_is_named_ends_and_without_a_name_all_of_that_person(stage: Leaving):
    first, second, bobs = stage.comes(ADA), stage.comes(ADA), stage.comes(BOB)
    assert stage.ends(stage.asks(ADA)).count == 1  # the second one's index was said last
    assert (stage.here_is(first), stage.here_is(second)) == (stage.ada.user, None)
    third = stage.comes(ADA)
    assert stage.ends(stage.asks(ADA, everywhere=True)).count == 2
    assert (stage.here_is(first), stage.here_is(third), stage.here_is(bobs)) == (None, None, stage.bob.user)
    nothing = stage.ends(stage.asks(ADA, everywhere=True))
    assert (nothing.count, nothing.url is None) == (0, False)


@pytest.mark.parametrize(
    ("asserted", "asked", "ends"),
    [
        (PERSISTENT, PERSISTENT, True),
        (PERSISTENT, EMAIL_FORMAT, False),
        (PERSISTENT, UNSPECIFIED, True),
        (UNSPECIFIED, EMAIL_FORMAT, True),
    ],
)
def test_a_name_of_another_format_is_another_name(stage: Leaving, asserted: str, asked: str, ends: bool):  # noqa: FBT001  # a column
    """Core 8.3: written alike, it may mean somebody else; where one side says nothing, what is written counts."""
    browser = Browser()
    away = sent_away(stage, browser, stage.acme)
    there = Departure(url=away.url, form=away.form, request={})
    said = attrs.evolve(stage.saml.say(stage.saml.read(there), ADA), name_id_format=asserted)
    brought = callback(stage.saml.write(said), stage.saml.read(there).state)
    entered = browser.ask(stage.flows.sso.resume, browser.context, pipeline=away.pipeline, callback=brought)
    assert isinstance(entered, SignedOn)
    url = stage.saml.ends_session(attrs.evolve(said, name_id_format=asked), stage.slo(stage.acme))
    assert stage.ends(url).count == ends
    assert stage.here_is(browser) == (None if ends else stage.ada.user)


def test_a_name_that_cannot_be_read_any_more_ends_what_it_names(stage: Leaving):
    """Its key is gone: whoever is signed out there is signed out here, rather than in doubt."""
    adas = stage.comes(ADA)
    asked = stage.asks(ADA)
    with stage.uow.begin() as tx:
        (row,) = tx.provider_sessions.of_session(adas.session.id)
        tx.provider_sessions.put(attrs.evolve(row, memory=attrs.evolve(row.memory, key_id="gone")))
    assert stage.ends(asked).count == 1
    assert stage.here_is(adas) is None


def test_nothing_of_one_organization_moves_in_another(stage: Leaving):
    """Ada is signed in at both; Acme's provider ends its own word, and hers and Globex's stand."""
    both = stage.comes(ADA, stage.globex, stage.comes(ADA))
    assert stage.entered(both) == {"acme", "globex"}
    with_password = stage.comes(ADA)
    stage.sign_in(stage.ada, with_password)
    assert stage.ends(stage.asks(ADA, everywhere=True)).count == 2
    assert (stage.here_is(both), stage.entered(both)) == (stage.ada.user, {"globex"})
    assert (stage.here_is(with_password), stage.entered(with_password)) == (stage.ada.user, set())
    assert stage.audited_in(stage.globex).count(Audit.SSO_SIGNED_OUT) == 0


def test_another_organizations_provider_ends_nothing_here(stage: Leaving):
    """Neither at its own address nor at this one, whatever person it names; nor by a name of its own choice."""
    adas = stage.comes(ADA)
    ours = stage.saml.said[ADA.subject]
    to_globex = stage.other.ends_session(ours, stage.slo(stage.globex))
    assert stage.ends(to_globex, stage.globex).count == 0
    refused(stage.ends(stage.other.ends_session(ours, stage.slo(stage.acme))), Code.SSO_RESPONSE_INVALID)
    posing = FakeSamlProvider(stage.clock, keys=keys("other"))
    refused(stage.ends(posing.ends_session(ours, stage.slo(stage.acme))), Code.SSO_RESPONSE_INVALID)
    refused(stage.ends(stage.asks(ADA), stage.globex), Code.SSO_RESPONSE_INVALID)
    assert stage.here_is(adas) == stage.ada.user


def test_a_request_that_nobody_signed_ends_nothing(stage: Leaving):
    adas = stage.comes(ADA)
    for url in (
        stage.asks(ADA, signs=False),
        stage.asks(ADA).partition("&Signature=")[0],
        stage.asks(ADA, state="a").replace("RelayState=a", "RelayState=b"),
        stage.saml.ends_session(stage.saml.said[ADA.subject], "https://other.example/slo"),
        "https://app.example.org/?",
    ):
        refused(stage.ends(url), Code.SSO_RESPONSE_INVALID)
    late = stage.asks(ADA)
    stage.clock.advance(timedelta(hours=2))
    refused(stage.ends(late), Code.SSO_IDENTITY_EXPIRED)
    assert stage.here_is(adas) == stage.ada.user


def test_a_provider_that_changes_while_its_request_is_read_ends_nothing(
    stage: Leaving, monkeypatch: pytest.MonkeyPatch
):
    """No transaction is open meanwhile: what was trusted by its settings is trusted no more."""
    adas, url, reads = stage.comes(ADA), stage.asks(ADA), Saml2.read_logout

    def read(*given: Any) -> Any:
        with stage.uow.begin() as tx:
            found = tx.providers.load(stage.acme)
            tx.providers.save(stage.acme, attrs.evolve(found.state, name="Another"), expected=found.version)
        return reads(*given)

    monkeypatch.setattr(Saml2, "read_logout", read)
    refused(stage.ends(url), Code.SSO_PROVIDER_CHANGED)
    assert stage.here_is(adas) == stage.ada.user
    assert remembered(stage, adas) == 1


def test_a_request_counts_once_also_after_its_person_came_back(stage: Leaving):
    stage.comes(ADA)
    captured = stage.asks(ADA, everywhere=True)
    assert stage.ends(captured).count == 1
    again = stage.comes(ADA)
    refused(stage.ends(captured), Code.SSO_RESPONSE_REPLAYED)
    assert stage.here_is(again) == stage.ada.user


def test_a_sign_in_that_waits_for_a_second_factor_ends_too(stage: Leaving):
    """There is nothing any more that a code would finish, and no pipeline that somebody would go on with."""
    browser = Browser()
    pipeline = stage.owes(ADA, stage.ada, browser)
    assert stage.ends(stage.asks(ADA)).count == 1
    refused(stage.passes(stage.ada, browser), Code.SESSION_NO_PENDING_LOGIN)
    refused(browser.ask(stage.flows.sso.resume, browser.context, pipeline=pipeline), Code.SSO_PIPELINE_EXPIRED)
    assert stage.here_is(browser) is None


@pytest.mark.parametrize("ends", ["there", "here"])
def test_whoever_passed_a_second_factor_and_went_no_further_is_signed_out_on_both_sides(stage: Leaving, ends: str):
    """The session has the provider's word from the code on, whether or not the browser goes back to the pipeline."""
    browser = Browser()
    stage.owes(ADA, stage.ada, browser)
    stage.passes(stage.ada, browser)
    assert stage.entered(browser) == {"acme"}
    if ends == "here":
        assert isinstance(stage.leaves(browser), SentToSignOut)
    else:
        assert stage.ends(stage.asks(ADA)).count == 1
    assert stage.here_is(browser) is None


@pytest.mark.parametrize("passed", [True, False], ids=["passed", "owed"])
def test_nobody_loses_a_session_with_whoever_was_there_before(stage: Leaving, passed: bool):  # noqa: FBT001
    """Bob came by this browser first; whatever is remembered of him there says nothing of Ada."""
    browser = stage.comes(BOB)
    with stage.uow.begin() as tx:
        (bobs,) = tx.provider_sessions.of_session(browser.session.id)
    stage.owes(ADA, stage.ada, browser)
    assert stage.ends(stage.asks(BOB, everywhere=True)).count == 0, "his row was replaced by hers"
    with stage.uow.begin() as tx:
        tx.provider_sessions.put(bobs)
    if passed:
        stage.passes(stage.ada, browser)
    before = stage.state(browser)
    assert stage.ends(stage.asks(BOB, everywhere=True)).count == 0
    assert stage.state(browser) == before
    assert stage.audited_in(stage.acme).count(Audit.SSO_SIGNED_OUT) == 0


# --- from here ------------------------------------------------------------------------------------------------------


def test_nobody_is_led_anywhere_but_to_the_provider(stage: Leaving):
    """The address is the settings'; what comes back names none, and is not looked at for one."""
    left = stage.leaves(stage.comes(ADA))
    assert isinstance(left, SentToSignOut)
    evil = urlsplit(stage.saml.ended_session(left.url, stage.slo(stage.acme), state="https://evil.example/")).query
    answered = stage.flows.sso.finish_sign_out(ticket=left.ticket, query=evil)
    assert answered == There(complete=True)
    stage.comes(ADA)
    ended = stage.ends(stage.asks(ADA, state="https://evil.example/"))
    assert str(ended.url).startswith(f"{SLO_URL}?")


def test_an_answer_is_to_the_request_that_was_made(stage: Leaving):
    one, other = stage.leaves(stage.comes(ADA)), stage.leaves(stage.comes(BOB))
    flows, slo = stage.flows.sso, stage.slo(stage.acme)
    to_other = urlsplit(stage.saml.ended_session(other.url, slo)).query
    refused(flows.finish_sign_out(ticket=one.ticket, query=to_other), Code.SSO_RESPONSE_INVALID)
    partly = urlsplit(stage.saml.ended_session(one.url, slo, complete=False)).query
    assert flows.finish_sign_out(ticket=one.ticket, query=partly) == There(complete=False)
    refused(flows.finish_sign_out(ticket=Secret("none.AAAA"), query=partly), Code.SSO_STATE_INVALID)
    moment = timedelta(microseconds=1)
    stage.clock.advance(-moment)
    refused(flows.finish_sign_out(ticket=one.ticket, query=partly), Code.SSO_PIPELINE_EXPIRED)
    stage.clock.advance(timedelta(minutes=10))
    assert flows.finish_sign_out(ticket=one.ticket, query=partly) == There(complete=False)
    stage.clock.advance(moment)
    refused(flows.finish_sign_out(ticket=one.ticket, query=partly), Code.SSO_PIPELINE_EXPIRED)


@pytest.mark.parametrize("other", [ProviderId("!"), ProviderId("~")])
def test_an_answer_counts_for_nobody_but_the_provider_that_was_asked(stage: Leaving, other: ProviderId):
    """Where another one, with the same settings, stands in its place: whichever way their ids sort."""
    left = stage.leaves(stage.comes(ADA))
    answer = urlsplit(stage.saml.ended_session(left.url, stage.slo(stage.acme))).query
    vault = Vault(stage.cipher)
    with stage.uow.begin() as tx:
        stored = tx.providers.load(stage.acme, lock=True)
        made: Any = stored.state
        document = vault.open(made.settings.config, settings_binding(stage.acme, made.id))
        moved = attrs.evolve(made.settings, config=vault.seal(document, settings_binding(stage.acme, other)))
        tx.providers.save(stage.acme, NoProvider(), expected=stored.version)
        tx.providers.save(stage.acme, attrs.evolve(made, id=other, settings=moved), expected=0)
    refused(stage.flows.sso.finish_sign_out(ticket=left.ticket, query=answer), Code.SSO_PROVIDER_CHANGED)


@pytest.mark.parametrize("last", ["acme", "globex"])
def test_whoever_came_by_two_providers_is_sent_to_the_last(stage: Leaving, last: str):
    first, then = (stage.globex, stage.acme) if last == "acme" else (stage.acme, stage.globex)
    browser = stage.comes(ADA, first)
    stage.clock.advance(timedelta(seconds=1))
    left = stage.leaves(stage.comes(ADA, then, browser))
    assert isinstance(left, SentToSignOut)
    answer = urlsplit((stage.saml if last == "acme" else stage.other).ended_session(left.url, stage.slo(then))).query
    assert stage.flows.sso.finish_sign_out(ticket=left.ticket, query=answer) == There(complete=True)


def test_whoever_did_not_come_by_a_provider_is_signed_out_here_alone(stage: Leaving):
    """By password; by a provider that has no address for it; by one that is gone or another one by now."""
    stage.sign_in(stage.ada)
    assert isinstance(stage.leaves(stage.ada.browser), SignedOut)
    mute = stage.trusting("mute", slo_url="")
    stage.found(stage.ada, mute)
    stage.link(stage.ada.user, mute, "ada-7")
    assert isinstance(stage.leaves(stage.comes(attrs.evolve(ADA, subject="ada-7"), mute)), SignedOut)
    adas = stage.comes(ADA)
    with stage.uow.begin() as tx:
        stored = tx.providers.load(stage.acme, lock=True)
        tx.providers.save(stage.acme, NoProvider(), expected=stored.version)
    assert isinstance(stage.leaves(adas), SignedOut)
    assert stage.here_is(adas) is None
    nobody = stage.leaves(Browser())
    refused(nobody, Code.SESSION_REQUIRED)


def test_a_refusal_is_in_the_log_with_whose_it_is(stage: Leaving, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "authflow.sso")
    refused(stage.ends("https://app.example.org/?"), Code.SSO_RESPONSE_INVALID)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "authflow.sso"]
    assert line.startswith(f"saml2 of {stage.acme}, single logout, rejected: {Code.SSO_RESPONSE_INVALID} query: ")


def test_neither_settings_nor_what_was_kept_is_printed():
    nobody: Any = None
    of = Counterpart(provider=nobody, kind=nobody, settings={"private_key": "hush"})
    assert "hush" not in repr((of, Leave(of=of, memory={"value": "hush"})))


def test_kinds_and_hosts_that_cannot_say_so():
    plain = SsoStage(MemoryUnitOfWork())
    acme = plain.organization()
    ask = plain.flows.sso.end_sessions
    refused(ask(CONTEXT, organization=acme, query=""), Code.SSO_NO_PROVIDER)
    plain.connect(acme)
    refused(ask(CONTEXT, organization=acme, query=""), Code.SSO_KIND_UNABLE)
    without = Authflow.in_memory(kinds=Kinds(FakeProvider()), endpoints=Endpoints.at(CALLBACK))
    with pytest.raises(ConfigInvalid):
        without.sso.end_sessions(CONTEXT, organization=acme, query="")


def remembered(stage: Leaving, browser: Browser) -> int:
    """Return how many providers' names of the session of *browser* are kept."""
    with stage.uow.begin() as tx:
        return len(tx.provider_sessions.of_session(browser.session.id))


def test_what_is_remembered_goes_with_its_session_its_person_and_its_time(stage: Leaving):
    ended, deleted = stage.comes(ADA), stage.comes(BOB)
    assert (remembered(stage, ended), remembered(stage, deleted)) == (1, 1)
    assert stage.ends(stage.asks(ADA)).count == 1
    assert remembered(stage, ended) == 0
    stage.administrator().browser.ask(stage.flows.accounts.delete, CONTEXT, user=stage.bob.user)
    assert remembered(stage, deleted) == 0
    stage.comes(ADA)
    stage.clock.advance(stage.policy.sessions.lifetime)
    assert stage.flows.upkeep.sweep().provider_sessions == 1


def test_what_is_remembered_is_sealed_anew_and_ends_the_session_there_when_the_former_key_is_gone(stage: Leaving):
    adas = stage.comes(ADA)
    rotated = stage.ring.rotate(stage.entropy, stage.clock.now())
    flows = stage.open(rotated)
    while flows.upkeep.reseal(limit=1):
        pass
    stage.ring = rotated.retire(stage.ring.active.id)
    stage.flows = stage.open(stage.ring)
    assert isinstance(stage.leaves(adas), SentToSignOut)
