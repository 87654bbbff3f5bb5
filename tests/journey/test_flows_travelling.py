"""To a provider and back: no transaction while the network may be used, one answer, one browser, one organization."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import attrs
import pytest

from authflow.adapters.memory.shared import MemoryAccounts
from authflow.adapters.memory.sso import MemoryProviders
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import Code, ConfigInvalid, InputInvalid, InUnitOfWork
from authflow.facts.records import Audit
from authflow.journey.providers.answers import ProviderAdded, ProviderTried
from authflow.journey.sso.answers import AnswerKept, ChoiceOwed, PipelineAbandoned, SignedOn
from authflow.journey.sso.refusals import TOLD
from authflow.ports import Stored
from authflow.sso.case import Choice
from authflow.sso.endpoints import Endpoints
from authflow.sso.identity import FRESH
from authflow.sso.kinds import Callback, Kinds
from authflow.sso.pipeline import LIFE
from authflow.sso.provider import Connected, NoProvider, Provider
from authflow.testing.browsers import Browser
from authflow.testing.providers import Fault
from authflow.values import NOBODY, Context, OrganizationId, ProviderId, Refused, Secret, UserId
from authflow.wiring import Authflow
from tests.journey.sso_stage import SsoStage, Trip
from tests.stage import CONTEXT

SECOND = timedelta(seconds=1)


@pytest.fixture
def stage() -> SsoStage:
    return SsoStage(MemoryUnitOfWork())


@pytest.fixture
def acme(stage: SsoStage) -> OrganizationId:
    """An organization whose provider knows Ada, who is linked."""
    organization = stage.organization()
    stage.connect(organization)
    stage.idp.person("00u1", email="ada@example.com", name="Ada")
    stage.link(stage.person().user, organization, "00u1")
    return organization


def refused(answer: Any, code: Code) -> None:
    assert isinstance(answer, Refused), answer
    assert answer.code is code


def provider(stage: SsoStage, acme: OrganizationId, **changes: Any) -> None:
    """Change the provider behind everybody's back."""
    with stage.uow.begin() as tx:
        found = tx.providers.load(acme)
        assert isinstance(found.state, Connected)
        tx.providers.save(acme, attrs.evolve(found.state, **changes), expected=found.version)


# --- no transaction while the network may be used -------------------------------------------------------------------


def test_no_transaction_is_open_while_a_provider_is_asked(stage: SsoStage, acme: OrganizationId):
    """Decision 11: neither when it is asked for a request, nor when it checks the answer."""
    asked = list[str]()

    def probe() -> None:
        stage.uow.require_closed()
        assert stage.uow.store.lock.acquire(blocking=False)
        stage.uow.store.lock.release()
        asked.append("asked")

    stage.idp.probe = probe
    assert isinstance(stage.come(Browser(), acme, "00u1").answer, SignedOn)
    assert len(asked) == 2


def test_inside_a_transaction_nobody_is_asked(stage: SsoStage, acme: OrganizationId):
    trip = stage.start(Browser(), acme)
    asked = list[str]()
    stage.idp.probe = lambda: asked.append("asked")
    with stage.uow.begin(), pytest.raises(InUnitOfWork):
        stage.start(Browser(), acme)
    with stage.uow.begin(), pytest.raises(InUnitOfWork):
        trip.back("00u1")
    assert asked == []


# --- the way there ----------------------------------------------------------------------------------------------------


def test_every_start_is_another_journey(stage: SsoStage, acme: OrganizationId):
    """Nothing of an earlier one is used again, in the same browser either (sso 3.3)."""
    browser = Browser()
    one, two = stage.start(browser, acme), stage.start(browser, acme)
    assert one.pipeline != two.pipeline
    assert one.away.url != two.away.url
    assert not one.away.session.renew or not two.away.session.renew
    assert isinstance(two.back("00u1"), SignedOn)
    assert isinstance(one.resume(two.callback("00u1")), Refused)


def test_the_state_fits_where_saml_wants_it(stage: SsoStage, acme: OrganizationId):
    """SAML Bindings 3.4.3: ``RelayState`` has at most 80 bytes."""
    (state,) = stage.start(Browser(), acme).callback("00u1").fields["state"]
    assert len(state) <= 80


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"active": False}, Code.ORGANIZATION_UNKNOWN),
        ({}, Code.SSO_NO_PROVIDER),
    ],
)
def test_there_must_be_somewhere_to_go(stage: SsoStage, change: dict[str, Any], code: Code):
    organization = stage.organization("globex", **change)
    browser = Browser()
    with stage.writes():
        refused(browser.ask(stage.flows.sso.start, browser.context, organization=organization), code)


def test_a_kind_that_is_not_installed_is_said_to_be(stage: SsoStage, acme: OrganizationId):
    provider(stage, acme, kind="oidc")
    browser = Browser()
    refused(browser.ask(stage.flows.sso.start, browser.context, organization=acme), Code.SSO_KIND_UNKNOWN)


def test_a_provider_that_cannot_be_asked_is_told_and_leaves_no_journey(stage: SsoStage, acme: OrganizationId):
    stage.idp.fault = Fault.UNREACHABLE
    browser = Browser()
    with stage.writes("session"):
        answer = browser.ask(stage.flows.sso.start, browser.context, organization=acme)
    refused(answer, Code.SSO_PROVIDER_UNREACHABLE)


def test_linking_is_for_whoever_proved_recently_who_they_are(stage: SsoStage, acme: OrganizationId):
    bob = stage.person("bob@example.com")
    ask: Any = stage.flows.sso.start_link
    refused(bob.browser.ask(ask, bob.browser.context, organization=acme), Code.SESSION_REQUIRED)
    stage.sign_in(bob)
    stage.clock.advance(stage.policy.sessions.elevation_age + SECOND)
    refused(bob.browser.ask(ask, bob.browser.context, organization=acme), Code.SESSION_ELEVATION_REQUIRED)


# --- where providers send people back to ------------------------------------------------------------------------------

ADDRESSES = {
    "https://app.example.org/sso": True,
    "https://app.example.org/sso/{organization}": True,
    "http://localhost:8000/sso": True,
    "http://127.0.0.1/sso": True,
    "http://[::1]/sso": True,
    "http://app.example.org/sso": False,
    "//app.example.org/sso": False,
    "/sso": False,
    "https://": False,
    "https://ada:secret@app.example.org/sso": False,
    "https://app.example.org/sso#fragment": False,
    "https://app.example.org/s so": False,
    "https://app.example.org:port/sso": False,
    "javascript:alert(1)": False,
    "http://localhost.example.org/sso": False,
    "": False,
}


@pytest.mark.parametrize(("address", "good"), ADDRESSES.items())
def test_the_hosts_address_is_absolute_and_safe(address: str, good: bool):  # noqa: FBT001  # a table's column
    if good:
        assert Endpoints.at(address).metadata == f"{address}/metadata"
        return
    with pytest.raises(ConfigInvalid):
        Endpoints.at(address)


def test_an_organization_is_one_segment_of_it(stage: SsoStage, acme: OrganizationId):
    made = Endpoints.at("https://app.example.org/{organization}/sso").of(OrganizationId("a/../b?c"))
    assert made.callback == "https://app.example.org/a%2F..%2Fb%3Fc/sso"
    assert "%2Fsso%2Facme" in stage.start(Browser(), acme).away.url


def test_kinds_without_an_address_are_refused_at_the_start(stage: SsoStage):
    with pytest.raises(ConfigInvalid, match="endpoints"):
        Authflow.in_memory(kinds=Kinds(stage.idp))
    flows = Authflow.in_memory(kinds=Kinds(stage.idp), endpoints=Endpoints.at("https://app.example.org/sso"))
    refused(flows.sso.start(NOBODY, CONTEXT, organization=OrganizationId("acme")), Code.ORGANIZATION_UNKNOWN)


# --- and back ---------------------------------------------------------------------------------------------------------


def test_an_answer_counts_once(stage: SsoStage, acme: OrganizationId):
    """Invariant 9: neither the state nor what made the answer single use is accepted again."""
    first = stage.start(Browser(), acme)
    callback = first.callback("00u1")
    assert isinstance(first.resume(callback), SignedOn)
    refused(first.resume(callback), Code.SSO_PIPELINE_EXPIRED)
    waiting = stage.start(Browser(), acme)
    refused(waiting.resume(callback), Code.SSO_STATE_INVALID)
    assert isinstance(waiting.back("00u1"), SignedOn)


def test_neither_another_tab_nor_a_forged_state_ends_a_sign_in(stage: SsoStage, acme: OrganizationId):
    """The browser keeps one pipeline's secret, the newest: the older tab is refused, and the newer one goes on."""
    browser = Browser()
    older, newer = stage.start(browser, acme), stage.start(browser, acme)
    late, forged = older.callback("00u1"), Callback(fields={"state": ("forged",), "code": ("stolen",)})
    with stage.writes():
        refused(newer.resume(late), Code.SSO_STATE_INVALID)
        refused(newer.resume(forged), Code.SSO_STATE_INVALID)
    assert isinstance(newer.back("00u1"), SignedOn)
    refused(newer.resume(late), Code.SSO_PIPELINE_EXPIRED)


def test_an_assertion_that_was_used_elsewhere_is_a_replay(stage: SsoStage, acme: OrganizationId):
    """SAML replay: another journey, the same assertion. The organization's log keeps it."""
    stage.idp.fault = Fault.REUSED
    assert isinstance(stage.come(Browser(), acme, "00u1").answer, SignedOn)
    refused(stage.come(Browser(), acme, "00u1").answer, Code.SSO_RESPONSE_REPLAYED)
    assert stage.audited_in(acme)[-1] == Audit.SSO_SIGN_ON_REFUSED


def test_a_stranger_fills_no_log_and_hides_nobody_in_it(stage: SsoStage, acme: OrganizationId):
    """Whoever begins journeys and brings bad answers is told of five times an hour, however many browsers they make."""

    def told() -> int:
        return stage.audited_in(acme).count(Audit.SSO_SIGN_ON_REFUSED)

    def fails(ip: str | None, browser: Browser | None = None) -> None:
        at = browser or Browser(Context(ip=ip))
        at.context = Context(ip=ip)
        refused(stage.come(at, acme, "00u1").answer, Code.SSO_RESPONSE_INVALID)

    stage.idp.fault = Fault.INVALID
    for ip in (None, "192.0.2.1", *(f"2001:db8::{number:x}:1" for number in range(8))):
        for _ in range(1 if ip and ":" in ip else 7):
            fails(ip)
    assert told() == 3 * 5
    fails("2001:db8:0:1::1")
    fails("192.0.2.2")
    ada = stage.person("ada@example.net")
    stage.sign_in(ada)
    fails("192.0.2.1", ada.browser)
    assert told() == 3 * TOLD.limit + 3, "another network, and whoever is signed in, are told of all the same"
    stage.idp.fault = Fault.NAMELESS
    refused(stage.come(Browser(Context(ip="192.0.2.1")), acme, "00u1").answer, Code.SSO_IDENTITY_INCOMPLETE)
    assert told() == 3 * TOLD.limit + 4, "and so is another refusal"
    stage.idp.fault = Fault.INVALID
    stage.clock.advance(TOLD.window)
    fails("192.0.2.1")
    assert told() == 3 * TOLD.limit + 5


@pytest.mark.parametrize("ip", ["192.0.2.1", None])
def test_whom_the_provider_named_is_counted_by_name(stage: SsoStage, acme: OrganizationId, ip: str | None):
    """However many come from one network, each of them is told of; one who tries again and again, five times."""
    for number in range(TOLD.limit + 2):
        stage.idp.person(f"new-{number}", email=None)
        trip = stage.come(Browser(Context(ip=ip)), acme, f"new-{number}")
        for _ in range(7 if number == 0 else 1):
            assert isinstance(trip.choose(Choice.NEW_ACCOUNT), Refused)
    assert stage.audited_in(acme).count(Audit.SSO_SIGN_ON_REFUSED) == TOLD.limit + TOLD.limit + 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.UNREACHABLE, Code.SSO_PROVIDER_UNREACHABLE),
        (Fault.REFUSED, Code.SSO_PROVIDER_REFUSED),
        (Fault.INVALID, Code.SSO_RESPONSE_INVALID),
        (Fault.NAMELESS, Code.SSO_IDENTITY_INCOMPLETE),
    ],
)
def test_an_answer_that_says_nobody_ends_the_journey(stage: SsoStage, acme: OrganizationId, fault: Fault, code: Code):
    trip = stage.start(Browser(), acme)
    stage.idp.fault = fault
    refused(trip.back("00u1"), code)
    stage.idp.fault = Fault.NONE
    refused(trip.back("00u1"), Code.SSO_PIPELINE_EXPIRED)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(("name", wrong) for wrong in (None, 5, b"x")),
        *(("kind", wrong) for wrong in (None, ["fake"])),
        *(("settings", wrong) for wrong in (None, [], "x", {5: "x"})),
    ],
)
def test_what_is_of_another_type_is_refused_before_anything_relies_on_it(stage: SsoStage, field: str, wrong: Any):
    providers = stage.flows.providers
    asked: dict[str, Any] = {"organization": "acme", "kind": "fake", "settings": {}, field: wrong}
    for command in (providers.start_setup, providers.provision):
        with pytest.raises(InputInvalid) as told:
            command(NOBODY, CONTEXT, **asked)
        assert told.value.field == field
    if field == "settings":
        with pytest.raises(InputInvalid):
            providers.edit(NOBODY, CONTEXT, organization=OrganizationId("acme"), settings=wrong)


@pytest.mark.parametrize("name", [None, 5, b"Ada", ["Ada"]])
def test_a_name_that_is_no_text_is_none(stage: SsoStage, acme: OrganizationId, name: object):
    stage.idp.person("00u2", email="new@example.com", name=name)
    answer = stage.come(Browser(), acme, "00u2").answer
    assert isinstance(answer, ChoiceOwed), answer
    assert answer.name == ""


def test_no_other_browser_goes_on_with_it(stage: SsoStage, acme: OrganizationId):
    """CVE-2025-68158, CVE-2026-41425: an attacker's journey in a victim's browser, and the other way round."""
    mine, theirs = Browser(), Browser()
    trip, other = stage.start(mine, acme), stage.start(theirs, acme)
    callback = trip.callback("00u1")
    with stage.writes():
        refused(trip.resume(callback, browser=theirs), Code.SSO_PIPELINE_INVALID)
        refused(trip.resume(browser=Browser()), Code.SSO_PIPELINE_INVALID)
        refused(trip.choose(Choice.NEW_ACCOUNT, browser=Browser()), Code.SSO_PIPELINE_INVALID)
    near = Secret(f"{trip.pipeline.reveal().partition('.')[0]}.{other.pipeline.reveal().partition('.')[2]}")
    for pipeline in (near, Secret(""), Secret("x"), Secret("a.b"), Secret("." * 500), Secret("ü.b"), other.pipeline):
        answer = mine.ask(stage.flows.sso.resume, mine.context, pipeline=pipeline, callback=callback)
        refused(answer, Code.SSO_PIPELINE_INVALID)
    assert isinstance(trip.resume(callback), SignedOn)


def test_the_id_of_a_pipeline_opens_nothing_writes_nothing_and_counts_nothing(stage: SsoStage, acme: OrganizationId):
    """It stands in ``state``, which the provider sees: without the browser's secret it is as good as none."""
    stage.idp.person("00u2", email="new@example.com")
    away, waiting, strange = stage.start(Browser(), acme), stage.come(Browser(), acme, "00u2"), Browser()
    stage.flows.sso.keep_answer(callback=away.callback("00u1"))
    stage.start(strange, acme)
    sso = stage.flows.sso
    for trip, browser in product((away, waiting), (strange, None)):
        at = browser or trip.browser
        junk = Secret(f"{trip.pipeline.reveal().partition('.')[0]}.junk")
        with stage.writes():
            refused(sso.resume(at.session, at.context, pipeline=junk), Code.SSO_PIPELINE_INVALID)
            refused(sso.mail_proof(at.session, at.context, pipeline=junk), Code.SSO_PIPELINE_INVALID)
            for choice in (Choice.LINK, Choice.NEW_ACCOUNT):
                answer = sso.choose(at.session, at.context, pipeline=junk, choice=choice)
                refused(answer, Code.SSO_PIPELINE_INVALID)


def test_what_strangers_try_again_and_again_is_in_no_log(stage: SsoStage, acme: OrganizationId):
    stage.idp.person("00u2", email="new@example.com")
    trip, back = stage.come(Browser(), acme, "00u2"), stage.start(Browser(), acme)
    with stage.writes():
        refused(trip.choose(Choice.LINK), Code.SSO_LINK_UNPROVEN)
        refused(back.resume(Callback(fields={"state": ("wrong",)})), Code.SSO_STATE_INVALID)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"code": ("x",)},
        {"state": ()},
        {"state": ("",)},
        {"state": ("one", "two")},
        {"state": ("wrong",), "RelayState": ("wrong",)},
        {"RelayState": ("x" * 100_000,)},
    ],
)
def test_a_state_is_there_once_and_right(stage: SsoStage, acme: OrganizationId, fields: dict[str, tuple[str, ...]]):
    trip = stage.start(Browser(), acme)
    asked = list[str]()
    stage.idp.probe = lambda: asked.append("asked")
    near = Callback(fields={"state": (f"{trip.pipeline.reveal().partition('.')[0]}.wrong",)})
    refused(stage.flows.sso.keep_answer(callback=near), Code.SSO_STATE_INVALID)
    refused(stage.flows.sso.keep_answer(callback=Callback(fields=fields)), Code.SSO_STATE_INVALID)
    refused(trip.resume(Callback(fields=fields)), Code.SSO_STATE_INVALID)
    assert asked == [], "nobody is asked about an answer that was not asked for"
    assert isinstance(trip.back("00u1"), SignedOn)


def test_the_right_state_beside_another_one_is_none(stage: SsoStage, acme: OrganizationId):
    """Whichever of two a reader would take, and were they the same: nobody has to know which (security 43)."""
    trip = stage.start(Browser(), acme)
    fields = trip.callback("00u1").fields
    (right,) = fields["state"]
    for states in ((right, "wrong"), ("wrong", right), (right, right)):
        refused(trip.resume(Callback(fields={**fields, "state": states})), Code.SSO_STATE_INVALID)
        apart = {"state": states[:1], "RelayState": states[1:]}
        refused(trip.resume(Callback(fields={**fields, **apart})), Code.SSO_STATE_INVALID)
        refused(stage.flows.sso.keep_answer(callback=Callback(fields={**fields, **apart})), Code.SSO_STATE_INVALID)
    assert isinstance(trip.back("00u1"), SignedOn)


# --- cross-site, as SAML comes ----------------------------------------------------------------------------------------


def test_an_answer_that_was_posted_cross_site_waits_for_its_browser(stage: SsoStage, acme: OrganizationId):
    """Invariant 12: no cookie came with it, so it decides nothing; the browser that began goes on."""
    browser = Browser()
    trip = stage.start(browser, acme)
    callback = trip.callback("00u1")
    assert isinstance(stage.flows.sso.keep_answer(callback=callback), AnswerKept)
    assert stage.flows.sessions.identify(browser.session).user is None
    other = {"state": callback.fields["state"], "code": ("00u2|other",)}
    refused(stage.flows.sso.keep_answer(callback=Callback(fields=other)), Code.SSO_STATE_INVALID)
    refused(trip.resume(browser=Browser()), Code.SSO_PIPELINE_INVALID)
    assert isinstance(trip.resume(), SignedOn)
    refused(stage.flows.sso.keep_answer(callback=callback), Code.SSO_STATE_INVALID)


def test_what_was_kept_is_sealed_bounded_and_ages(stage: SsoStage, acme: OrganizationId):
    trip = stage.start(Browser(), acme)
    callback = trip.callback("00u1")
    huge = Callback(fields={**callback.fields, "SAMLResponse": ("x" * 300_000,)})
    refused(stage.flows.sso.keep_answer(callback=huge), Code.SSO_RESPONSE_INVALID)
    stage.flows.sso.keep_answer(callback=callback)
    assert "00u1" not in str(stage.snapshot()["sso_pipeline"])
    stage.clock.advance(FRESH)
    refused(trip.resume(), Code.SSO_IDENTITY_EXPIRED)


# --- what stands in between ------------------------------------------------------------------------------------------


CHANGES = {
    "disabled": lambda stage, acme: _save(stage, acme, NoProvider()),
    "other settings": lambda stage, acme: provider(
        stage, acme, settings=attrs.evolve(_provider(stage, acme).settings, steps=b"\0" * 32)
    ),
    "another kind": lambda stage, acme: provider(stage, acme, kind="google"),
    "another version of the kind": lambda stage, _acme: setattr(stage.idp, "version", "2"),
}


def _provider(stage: SsoStage, acme: OrganizationId) -> Any:
    with stage.uow.begin() as tx:
        return tx.providers.load(acme).state


def _save(stage: SsoStage, acme: OrganizationId, state: Any) -> None:
    with stage.uow.begin() as tx:
        tx.providers.save(acme, state, expected=tx.providers.load(acme).version)


@pytest.mark.parametrize("change", CHANGES)
def test_a_provider_that_changed_meanwhile_is_trusted_no_more(stage: SsoStage, acme: OrganizationId, change: str):
    """CVE-2026-1486: between the request and the answer, and between the answer and the choice."""
    stage.idp.person("00u2", email="new@example.com")
    trip, waiting = stage.start(Browser(), acme), stage.come(Browser(), acme, "00u2")
    callback = trip.callback("00u1")
    assert isinstance(waiting.answer, ChoiceOwed)
    CHANGES[change](stage, acme)
    with stage.writes("sso_pipeline", "audit", "outbox", "limit"):
        refused(trip.resume(callback), Code.SSO_PROVIDER_CHANGED)
        refused(waiting.look(), Code.SSO_PROVIDER_CHANGED)
        refused(waiting.choose(Choice.NEW_ACCOUNT), Code.SSO_PROVIDER_CHANGED)


@pytest.mark.parametrize("choice", [Choice.LINK, Choice.NEW_ACCOUNT])
@pytest.mark.parametrize("there", [(True, False), (False, True)])
@pytest.mark.parametrize("other", [None, "a", "z"])
def test_a_provider_that_goes_between_two_reads_decides_nothing(
    *,
    stage: SsoStage,
    acme: OrganizationId,
    monkeypatch: pytest.MonkeyPatch,
    choice: Choice,
    there: tuple[bool, bool],
    other: str | None,
):
    """Under READ COMMITTED others write while this command reads: what it saw once decides nothing by itself."""
    stage.idp.person("00u2", email="new@example.com")
    trip = stage.come(Browser(), acme, "00u2")
    stands, seen = MemoryProviders.load, iter(there)

    def load(self: MemoryProviders, organization: OrganizationId, *, lock: bool = False) -> Stored[Provider]:
        found = stands(self, organization, lock=lock)
        if next(seen):
            return found
        return Stored(NoProvider() if other is None else attrs.evolve(found.state, id=ProviderId(other)), 0)

    monkeypatch.setattr(MemoryProviders, "load", load)
    refused(trip.choose(choice), Code.SSO_PROVIDER_CHANGED)


def test_a_journey_that_is_swept_while_its_provider_is_asked_signs_nobody_in(stage: SsoStage, acme: OrganizationId):
    trip = stage.start(Browser(), acme)
    callback = trip.callback("00u1")

    def swept() -> None:
        with stage.uow.begin() as tx:
            assert tx.pipelines.remove_over(stage.clock.now() + LIFE) == 1

    stage.idp.probe = swept
    refused(trip.resume(callback), Code.SSO_PIPELINE_INVALID)


def test_an_organization_that_is_over_lets_nobody_in(stage: SsoStage, acme: OrganizationId):
    trip = stage.start(Browser(), acme)
    stage.change(acme, active=False)
    refused(trip.back("00u1"), Code.SSO_PIPELINE_INVALID)


def test_a_journey_lives_an_hour_whatever_happens(stage: SsoStage, acme: OrganizationId):
    stage.idp.person("00u2", email="new@example.com")
    trip, late, kept = stage.come(Browser(), acme, "00u2"), stage.start(Browser(), acme), stage.start(Browser(), acme)
    stage.clock.advance(FRESH)
    refused(trip.choose(Choice.NEW_ACCOUNT), Code.SSO_IDENTITY_EXPIRED)
    stage.clock.advance(LIFE - FRESH)
    refused(late.back("00u1"), Code.SSO_PIPELINE_EXPIRED)
    refused(late.look(), Code.SSO_PIPELINE_EXPIRED)
    assert isinstance(stage.flows.sso.keep_answer(callback=kept.callback("00u1")), AnswerKept), "it decides nothing"
    refused(kept.resume(), Code.SSO_PIPELINE_EXPIRED)
    stage.clock.advance(-LIFE)
    for over in (late.back("00u1"), kept.resume()):  # decision 35
        refused(over, Code.SSO_PIPELINE_EXPIRED)


def test_the_answer_to_a_setup_is_none_to_a_sign_in_and_the_other_way_round(stage: SsoStage, acme: OrganizationId):
    """The host's address is the same for both: the wrong command takes nothing, and the right one still does."""
    owner, globex, providers = stage.person("owner@example.com"), stage.organization("globex"), stage.flows.providers
    stage.found(owner, globex, role="owner")
    stage.sign_in(owner)
    at = owner.browser
    asked = {"organization": globex, "kind": "fake", "settings": {}}
    setup = Trip(stage, at, at.ask(providers.start_setup, at.context, **asked))
    refused(setup.back("00u1"), Code.SSO_PIPELINE_INVALID)
    tried = at.ask(providers.resume, at.context, pipeline=setup.pipeline, callback=setup.callback("00u1"))
    assert isinstance(tried, ProviderTried), tried
    trip = stage.start(at, acme)
    callback = trip.callback("00u1")
    refused(at.ask(providers.resume, at.context, pipeline=trip.pipeline, callback=callback), Code.SSO_PIPELINE_INVALID)
    assert isinstance(trip.resume(callback), SignedOn)


@pytest.mark.parametrize("over", ["abandoned", "finished"])
def test_a_setup_that_is_over_is_no_sign_in_either(stage: SsoStage, acme: OrganizationId, over: str):
    """Whatever a browser asks of its pipeline is answered; commands of sign-ins tell nothing of a setup."""
    owner, globex, providers = (
        stage.owner(acme, "owner@example.com"),
        stage.organization("globex"),
        stage.flows.providers,
    )
    stage.found(owner, globex, role="owner")
    stage.elevate(owner)
    at = owner.browser
    asked = {"organization": globex, "kind": "fake", "settings": {}}
    setup = Trip(stage, at, at.ask(providers.start_setup, at.context, **asked))
    if over == "abandoned":
        refused(setup.abandon(), Code.SSO_PIPELINE_INVALID)
        assert isinstance(at.ask(providers.abandon, pipeline=setup.pipeline), PipelineAbandoned)
    else:
        at.ask(providers.resume, at.context, pipeline=setup.pipeline, callback=setup.callback("00u1"))
        confirmed = at.ask(providers.confirm, at.context, pipeline=setup.pipeline)
        assert isinstance(confirmed, ProviderAdded), confirmed
    refused(setup.look(), Code.SSO_PIPELINE_INVALID)
    refused(setup.choose(Choice.LINK), Code.SSO_PIPELINE_INVALID)
    refused(setup.mail_proof(), Code.SSO_PIPELINE_INVALID)
    refused(setup.open_link(Secret("token")), Code.SSO_PIPELINE_INVALID)
    confirm = stage.flows.sso.confirm_unasked
    refused(at.ask(confirm, at.context, pipeline=setup.pipeline), Code.SSO_PIPELINE_INVALID)


def test_a_sign_in_that_is_over_is_no_setup_either(stage: SsoStage, acme: OrganizationId):
    trip, providers = stage.start(Browser(), acme), stage.flows.providers
    at = trip.browser
    assert isinstance(trip.abandon(), PipelineAbandoned)
    refused(at.ask(providers.abandon, pipeline=trip.pipeline), Code.SSO_PIPELINE_INVALID)
    refused(at.ask(providers.confirm, at.context, pipeline=trip.pipeline), Code.SSO_PIPELINE_INVALID)
    refused(at.ask(providers.resume, at.context, pipeline=trip.pipeline), Code.SSO_PIPELINE_INVALID)


def test_whoever_gives_up_is_out(stage: SsoStage, acme: OrganizationId):
    trip = stage.start(Browser(), acme)
    refused(trip.look(), Code.SSO_PROVIDER_UNTRIED)
    refused(trip.choose(Choice.LINK), Code.SSO_PROVIDER_UNTRIED)
    refused(trip.mail_proof(), Code.SSO_PROVIDER_UNTRIED)
    refused(trip.open_link(Secret("token")), Code.SSO_PROVIDER_UNTRIED)
    refused(trip.resume(), Code.SSO_PROVIDER_UNTRIED)
    assert isinstance(trip.abandon(), PipelineAbandoned)
    refused(trip.back("00u1"), Code.SSO_PIPELINE_EXPIRED)
    refused(trip.abandon(), Code.SSO_PIPELINE_EXPIRED)


@pytest.mark.parametrize("step", ["the answer", "the choice"])
def test_a_session_that_is_superseded_while_its_account_is_waited_for_goes_on_with_nothing(
    stage: SsoStage, acme: OrganizationId, monkeypatch: pytest.MonkeyPatch, step: str
):
    """Decision 3: who goes on is decided once the accounts are held, and not by the first look at the session."""
    bob = stage.person("bob@example.com")
    stage.sign_in(bob)
    stage.idp.person("00u2", email="new@example.com")
    trip = stage.start(bob.browser, acme)
    callback = trip.callback("00u2")
    if step == "the choice":
        trip.resume(callback)
    former, hold, pending = bob.browser.session, MemoryAccounts.lock, [True]

    def lock(self: MemoryAccounts, user: UserId) -> Any:
        if pending and pending.pop():
            stage.sign_in(stage.person("ada@example.net"), bob.browser)
        return hold(self, user)

    monkeypatch.setattr(MemoryAccounts, "lock", lock)
    sso, here = stage.flows.sso, {"pipeline": trip.pipeline}
    if step == "the choice":
        answer = sso.choose(former, bob.browser.context, choice=Choice.NEW_ACCOUNT, **here)
    else:
        answer = sso.resume(former, bob.browser.context, callback=callback, **here)
    refused(answer, Code.SESSION_SUPERSEDED)


def test_a_superseded_session_goes_on_with_nothing(stage: SsoStage, acme: OrganizationId):
    browser = Browser()
    trip = stage.start(browser, acme)
    former = browser.session
    stage.sign_in(stage.person("bob@example.com"), browser)
    answer = stage.flows.sso.resume(former, browser.context, pipeline=trip.pipeline, callback=trip.callback("00u1"))
    refused(answer, Code.SESSION_SUPERSEDED)
