"""An organization's provider, through the facade: tried, confirmed, kept, taken away; and who may do what."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow import Code, MailKind, Policy, Refused, Secret
from authflow.adapters.sql.organizations import OrganizationStatements, SqlOrganizations
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.command import Command
from authflow.facts.records import Audit, Category, Signal
from authflow.journey.providers.answers import (
    MembersReminded,
    ProviderAdded,
    ProviderRemoved,
    ProviderSaved,
    ProviderTried,
    ProviderView,
)
from authflow.journey.providers.telling import MemberMails
from authflow.journey.sso.answers import PipelineAbandoned, SentAway
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.outbox.delivery import Done, Drop, Retry
from authflow.policy import OWNER, SsoPolicy
from authflow.recording import Recorder
from authflow.sso.connection import Connected
from authflow.sso.sealing import Vault, settings_binding
from authflow.testing.providers import Fault
from authflow.values import NOBODY, OrganizationId
from tests.journey.sso_stage import SsoStage
from tests.stage import CONTEXT, written

if TYPE_CHECKING:
    from authflow.facts.records import Message
    from authflow.values import UserId
    from tests.stage import Person

SETTINGS = {"client_secret": "hush"}


@pytest.fixture
def stage(memory_uow: Any) -> SsoStage:
    return SsoStage(memory_uow)


def code(answer: object) -> Code:
    assert isinstance(answer, Refused), answer
    return answer.code


def propose(stage: SsoStage, owner: Person, organization: OrganizationId, **given: Any) -> Any:
    browser, asked = owner.browser, {"kind": "fake", "settings": SETTINGS, **given}
    return browser.ask(stage.flows.providers.start_setup, browser.context, organization=organization, **asked)


def come_back(stage: SsoStage, owner: Person, away: SentAway, subject: str = "00u1") -> Any:
    stage.idp.person(subject, email="somebody.else@example.org", name="Olga")
    callback, browser = stage.idp.answer(away.url, subject), owner.browser
    return browser.ask(stage.flows.providers.resume, browser.context, pipeline=away.pipeline, callback=callback)


def tried(stage: SsoStage, owner: Person, organization: OrganizationId, subject: str = "00u1", **given: Any) -> Secret:
    away = propose(stage, owner, organization, **given)
    assert isinstance(away, SentAway), away
    assert isinstance(come_back(stage, owner, away, subject), ProviderTried)
    return away.pipeline


def confirm(stage: SsoStage, owner: Person, pipeline: Secret) -> Any:
    return owner.browser.ask(stage.flows.providers.confirm, owner.browser.context, pipeline=pipeline)


def connected(stage: SsoStage, owner: Person, organization: OrganizationId, **given: Any) -> ProviderAdded:
    answer = confirm(stage, owner, tried(stage, owner, organization, **given))
    assert isinstance(answer, ProviderAdded), answer
    return answer


def provider_of(stage: SsoStage, organization: OrganizationId) -> Connected | None:
    with stage.uow.begin() as tx:
        found = tx.providers.load(organization).state
    return found if isinstance(found, Connected) else None


def member(stage: SsoStage, organization: OrganizationId, address: str, role: str = "member") -> Person:
    person = stage.person(address)
    stage.flows.members.add(CONTEXT, organization=organization, user=person.user, role=role)
    return person


def flags(stage: SsoStage, user: UserId, organization: OrganizationId) -> MemberFlag:
    return stage.member(user, organization).flags  # type: ignore[union-attr]  # they are a member


def access(stage: SsoStage, person: Person, organization: OrganizationId) -> Any:
    return person.browser.ask(stage.flows.sso.access, organization=organization)


def do(stage: SsoStage, person: Person, command: str, organization: OrganizationId, **given: Any) -> Any:
    browser = person.browser
    return browser.ask(getattr(stage.flows.providers, command), browser.context, organization=organization, **given)


# --- connecting -------------------------------------------------------------------------------------------------------


def test_an_owner_tries_a_provider_sees_whom_it_named_and_connects_it(stage: SsoStage):
    """Sso 8: the identity becomes the signed-in admin's, whatever address the provider asserts (CVE-2026-42354)."""
    acme = stage.organization()
    olga, ben = stage.owner(acme), member(stage, acme, "somebody.else@example.org")
    away = propose(stage, olga, acme)
    assert provider_of(stage, acme) is None
    shown = come_back(stage, olga, away)
    assert (shown.user, shown.email, shown.subject) == (olga.user, "somebody.else@example.org", "00u1")
    assert provider_of(stage, acme) is None
    again = olga.browser.ask(stage.flows.providers.resume, CONTEXT, pipeline=away.pipeline)
    assert attrs.evolve(again, session=NOBODY) == attrs.evolve(shown, session=NOBODY)
    before = olga.browser.session
    added = confirm(stage, olga, away.pipeline)
    assert isinstance(added, ProviderAdded)
    assert added.session.generation == before.generation + 1
    (link,) = stage.links_of(olga.user)
    assert (link.id, link.subject, link.organization) == (added.link, "00u1", acme)
    assert stage.links_of(ben.user) == ()
    assert flags(stage, olga.user, acme) == MemberFlag.SSO_LINKED
    assert access(stage, olga, acme).met
    assert stage.identify(olga).mark(acme, added.provider).link == link.id


def test_whoever_tries_a_provider_sees_whether_it_can_be_asked_again(stage: SsoStage):
    """Its settings may promise it, and the provider give nothing to ask with: signing in is all that confirms then."""
    acme = stage.organization()
    olga = stage.owner(acme)
    for gives in (True, False):
        stage.idp.secret = gives
        away = propose(stage, olga, acme)
        assert come_back(stage, olga, away).confirms == gives
        for promises in (True, False):
            stage.idp.secret = promises
            again = olga.browser.ask(stage.flows.providers.resume, CONTEXT, pipeline=away.pipeline)
            assert again.confirms == (promises and gives)


def test_connecting_is_logged_signalled_and_mailed(stage: SsoStage):
    """Sso 16, decisions 5 and 39: owners hear that it stands, members without a link are asked to make one."""
    acme = stage.organization()
    olga, _otto = stage.owner(acme), stage.owner(acme, "otto@example.com")
    member(stage, acme, "ben@example.com")
    nobody = member(stage, acme, "cyd@example.com")
    stage.save(attrs.evolve(stage.user(nobody.user), active=False))
    told: list[Any] = []
    stage.flows.receivers.add("ear", Signal.SSO_ENABLED, told.append)
    connected(stage, olga, acme)
    assert stage.audited_in(acme)[-2:] == [Audit.SSO_ENABLE, Audit.MEMBER_EDIT]
    assert Audit.SSO_IDENTITY_LINK in stage.audited(olga)
    assert {mail.to for mail in stage.mails(MailKind.SSO_ENABLED)} == {"olga@example.com", "otto@example.com"}
    asked = stage.mails(MailKind.SSO_LINK_ACCOUNT)
    assert sorted(mail.to for mail in asked) == ["ben@example.com", "otto@example.com"]
    assert {mail.context["actor"] for mail in asked} == {stage.user(olga.user).label}
    assert [(n.region, dict(n.args)) for n in told] == [
        (region, {"user_id": olga.user, "provider": "fake"}) for region in ("eu", "us")
    ]


def test_all_members_are_mailed_through_one_message_of_the_command(stage: SsoStage):
    """However many there are: the handler writes the mails, a page at a time, and each of them once."""
    acme = stage.organization()
    olga = stage.owner(acme)
    for number in range(230):
        member(stage, acme, f"m{number}@example.com")
    stage.flows.relay.drain_until_quiet()
    before = stage.snapshot().get("outbox", frozenset())
    connected(stage, olga, acme)
    with stage.uow.begin() as tx:
        waiting = tx.queue.depths(limit=None)
    assert sum(depth for _, depth in waiting) - len(before) < 20
    assert sorted(mail.to for mail in stage.mails(MailKind.SSO_LINK_ACCOUNT)) == sorted(
        f"m{number}@example.com" for number in range(230)
    )


def test_a_message_that_is_delivered_twice_writes_its_mails_once(stage: SsoStage):
    """A relay that dies between delivering and settling delivers again; what is not wanted any more is dropped."""
    acme = stage.organization()
    olga = stage.owner(acme)
    member(stage, acme, "ben@example.com")
    stage.flows.relay.drain_until_quiet()
    connected(stage, olga, acme)
    handler = MemberMails(
        uow=stage.uow,
        clock=stage.clock,
        recorder=Recorder(cipher=stage.cipher, entropy=stage.entropy),
        owner=OWNER,
    )
    message = waiting(stage, Category.MEMBER_MAILS)
    before = stage.snapshot()
    assert handler(message) == Done()
    assert written(before, stage.snapshot()) == {"outbox", "outbox_receipt"}
    with stage.writes():
        assert handler(message) == Done()
    assert handler(attrs.evolve(message, payload={**message.payload, "mail": "unheard_of"})) == Retry(
        reason="unknown_mail"
    )
    do(stage, olga, "disable", acme)
    again = attrs.evolve(message, id="another")
    with stage.writes():
        assert handler(again) == Drop(reason="no_longer_wanted")


def waiting(stage: SsoStage, category: Category) -> Message:
    """Return the one message of *category* that waits."""
    with stage.uow.begin() as tx:
        lanes = [lane for lane, _ in tx.queue.depths(limit=None)]
        pages = [tx.queue.page(lane, stage.clock.now(), limit=100) for lane in lanes]
    (found,) = [queued.message() for page in pages for queued in page if queued.category == category]
    assert found is not None
    return found


def test_whoever_finishes_is_who_began_and_still_may(stage: SsoStage):
    """Not signed in, somebody else in this browser, no owner any more, another browser, another organization's."""
    acme = stage.organization()
    olga, otto = stage.owner(acme), stage.owner(acme, "otto@example.com")
    pipeline = tried(stage, olga, acme)
    assert code(stage.flows.providers.confirm(otto.browser.session, CONTEXT, pipeline=pipeline)) is (
        Code.SSO_PIPELINE_INVALID
    )
    assert code(stage.flows.providers.confirm(NOBODY, CONTEXT, pipeline=pipeline)) is Code.SSO_PIPELINE_INVALID
    stage.clock.advance(timedelta(seconds=30))
    stage.sign_in(otto, olga.browser)
    stage.verify(otto, "totp", otto.app.code(stage.clock.now()), olga.browser)
    again = olga.browser.ask(stage.flows.providers.resume, CONTEXT, pipeline=pipeline)
    assert code(again) is Code.SSO_IDENTITY_MISMATCH, "whom the provider named is the beginner's to see"
    assert code(confirm(stage, olga, pipeline)) is Code.SSO_IDENTITY_MISMATCH
    assert provider_of(stage, acme) is None


def test_whom_a_provider_named_is_not_told_to_who_took_over_the_browser(stage: SsoStage):
    acme = stage.organization()
    olga, otto = stage.owner(acme), stage.owner(acme, "otto@example.com")
    away = propose(stage, olga, acme)
    stage.sign_in(otto, olga.browser)
    stage.clock.advance(timedelta(seconds=30))
    stage.verify(otto, "totp", otto.app.code(stage.clock.now()), olga.browser)
    assert code(come_back(stage, olga, away)) is Code.SSO_IDENTITY_MISMATCH
    assert code(confirm(stage, olga, away.pipeline)) is Code.SSO_IDENTITY_MISMATCH


def test_an_owner_who_was_demoted_meanwhile_connects_nothing(stage: SsoStage):
    acme = stage.organization()
    olga, otto = stage.owner(acme), stage.owner(acme, "otto@example.com")
    pipeline = tried(stage, olga, acme)
    key = stage.member(olga.user, acme).id  # type: ignore[union-attr]  # they are a member
    otto.browser.ask(stage.flows.members.change_role, CONTEXT, organization=acme, member=key, role="manager")
    assert code(confirm(stage, olga, pipeline)) is Code.MEMBERSHIP_FORBIDDEN
    assert provider_of(stage, acme) is None


def test_it_takes_a_recent_proof_to_propose_and_to_confirm(stage: SsoStage):
    acme = stage.organization()
    olga = stage.owner(acme)
    pipeline = tried(stage, olga, acme)
    stage.clock.advance(stage.policy.sessions.elevation_age + timedelta(seconds=1))
    assert code(propose(stage, olga, acme)) is Code.SESSION_ELEVATION_REQUIRED
    stage.elevate(olga)
    assert code(confirm(stage, olga, pipeline)) is Code.SSO_IDENTITY_EXPIRED


def test_a_proposal_that_cannot_be_is_refused_by_name(stage: SsoStage):
    acme = stage.organization()
    olga = stage.owner(acme)
    assert code(propose(stage, olga, acme, kind="none")) is Code.SSO_KIND_UNKNOWN
    bad = propose(stage, olga, acme, settings={"colour": "red", "shape": "round"})
    assert (bad.code, dict(bad.problems)) == (
        Code.SSO_INPUT_INVALID,
        {"colour": "is unknown", "shape": "is unknown"},
    )
    assert propose(stage, olga, acme, default_role="king").problems == {
        "default_role": "is no role of this installation"
    }
    stage.idp.fault = Fault.UNREACHABLE
    unreachable = propose(stage, olga, acme)
    assert (unreachable.code, unreachable.problems) == (Code.SSO_PROVIDER_UNREACHABLE, {"provider": "scripted"})


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.INVALID, Fault.NAMELESS, Fault.UNREACHABLE])
def test_a_provider_that_does_not_work_is_not_connected(stage: SsoStage, fault: Fault):
    acme = stage.organization()
    olga = stage.owner(acme)
    away = propose(stage, olga, acme)
    stage.idp.fault = fault
    refused = come_back(stage, olga, away)
    assert refused.problems == ({} if fault is Fault.NAMELESS else {"provider": "scripted"}), "it is hers to mend"
    stage.idp.fault = Fault.NONE
    assert code(confirm(stage, olga, away.pipeline)) is Code.SSO_PIPELINE_EXPIRED
    assert stage.audited_in(acme)[-1] == Audit.SSO_SIGN_ON_REFUSED


def test_whoever_signs_in_is_told_the_code_alone(stage: SsoStage):
    """What was wrong with a provider's answer is for who can mend it, and for the log."""
    acme = stage.organization()
    stage.connect(acme)
    away = stage.flows.sso.start(NOBODY, CONTEXT, organization=acme)
    assert isinstance(away, SentAway)
    stage.idp.fault = Fault.REFUSED
    back = stage.idp.answer(away.url, "00u1")
    refused = stage.flows.sso.resume(away.session, CONTEXT, pipeline=away.pipeline, callback=back)
    assert (code(refused), refused.problems) == (Code.SSO_PROVIDER_REFUSED, {})
    stage.idp.fault = Fault.UNREACHABLE
    refused = stage.flows.sso.start(NOBODY, CONTEXT, organization=acme)
    assert (code(refused), refused.problems) == (Code.SSO_PROVIDER_UNREACHABLE, {})


def test_a_reloaded_page_of_a_setup_that_is_over_says_that_it_is(stage: SsoStage):
    acme, globex = stage.organization(), stage.organization("globex")
    olga, otto = stage.owner(acme), stage.owner(globex, "otto@example.com")
    confirmed, given_up = tried(stage, olga, acme), tried(stage, otto, globex, "00u2")
    assert isinstance(confirm(stage, olga, confirmed), ProviderAdded)
    assert isinstance(otto.browser.ask(stage.flows.providers.abandon, pipeline=given_up), PipelineAbandoned)
    for owner, pipeline in ((olga, confirmed), (otto, given_up)):
        again = owner.browser.ask(stage.flows.providers.resume, CONTEXT, pipeline=pipeline)
        assert code(again) is Code.SSO_PIPELINE_EXPIRED


def test_a_provider_stands_once(stage: SsoStage):
    acme = stage.organization()
    olga, otto = stage.owner(acme), stage.owner(acme, "otto@example.com")
    first, second = tried(stage, olga, acme), tried(stage, otto, acme, "00u2")
    assert isinstance(confirm(stage, olga, first), ProviderAdded)
    assert code(confirm(stage, otto, second)) is Code.ORGANIZATION_SSO_REQUIRED
    assert code(confirm(stage, olga, first)) is Code.SSO_PIPELINE_EXPIRED
    assert code(propose(stage, olga, acme)) is Code.SSO_PROVIDER_EXISTS


def test_a_setup_can_be_given_up_and_is_no_sign_in(stage: SsoStage):
    acme = stage.organization()
    olga = stage.owner(acme)
    pipeline = tried(stage, olga, acme)
    browser = olga.browser
    assert isinstance(browser.ask(stage.flows.sso.look, pipeline=pipeline), Refused)
    assert isinstance(browser.ask(stage.flows.sso.resume, CONTEXT, pipeline=pipeline), Refused)
    assert provider_of(stage, acme) is None
    given_up = browser.ask(stage.flows.providers.abandon, pipeline=pipeline)
    assert isinstance(given_up, PipelineAbandoned)
    assert code(confirm(stage, olga, pipeline)) is Code.SSO_PIPELINE_EXPIRED


def test_a_sign_in_is_no_setup(stage: SsoStage):
    acme = stage.organization()
    olga = stage.owner(acme)
    stage.connect(acme)
    trip = stage.start(olga.browser, acme)
    assert code(confirm(stage, olga, trip.pipeline)) is Code.SSO_PIPELINE_INVALID
    resumed = olga.browser.ask(
        stage.flows.providers.resume, CONTEXT, pipeline=trip.pipeline, callback=trip.callback("00u1")
    )
    assert code(resumed) is Code.SSO_PIPELINE_INVALID


def test_a_setup_that_is_repeated_under_a_key_is_done_once(stage: SsoStage):
    acme = stage.organization()
    olga = stage.owner(acme)
    pipeline, session = tried(stage, olga, acme), olga.browser.session
    context = attrs.evolve(CONTEXT, idempotency_key="confirm-1")
    one = stage.flows.providers.confirm(session, context, pipeline=pipeline)
    two = stage.flows.providers.confirm(session, context, pipeline=pipeline)
    assert isinstance(one, ProviderAdded)
    assert attrs.evolve(two, session=NOBODY) == attrs.evolve(one, session=NOBODY)


# --- second factors (decision 26) -------------------------------------------------------------------------------------


def test_a_required_second_factor_stays_where_it_is_composed(stage: SsoStage):
    acme = stage.organization(require_second_factor=True)
    olga = stage.owner(acme)
    assert not connected(stage, olga, acme).lifted
    assert stage.organization_of(acme).require_second_factor
    assert Audit.ORG_EDIT not in stage.audited_in(acme)


def test_where_it_is_exclusive_it_is_switched_off_and_comes_back(memory_uow: Any):
    stage = SsoStage(memory_uow, Policy(sso=SsoPolicy(exclusive_second_factor=True)))
    acme, globex = stage.organization(require_second_factor=True), stage.organization("globex")
    olga, gus = stage.owner(acme), stage.owner(globex, "gus@example.com")
    assert connected(stage, olga, acme).lifted
    assert not connected(stage, gus, globex, subject="00u7").lifted
    assert not stage.organization_of(acme).require_second_factor
    assert stage.audited_in(acme).count(Audit.ORG_EDIT) == 1
    assert do(stage, olga, "disable", acme).restored
    assert not do(stage, gus, "disable", globex).restored
    assert stage.organization_of(acme).require_second_factor
    assert not stage.organization_of(globex).require_second_factor
    assert stage.audited_in(acme).count(Audit.ORG_EDIT) == 2
    assert Audit.ORG_EDIT not in stage.audited_in(globex)


class Elsewhere(SqlOrganizations):
    """Organizations of a host that decides about second factors somewhere else."""

    def demand_second_factor(self, organization: OrganizationId, *, required: bool) -> bool:  # noqa: ARG002  # the port's
        return False


def test_where_the_requirement_is_fixed_nothing_is_connected(sqlite_uow: Any):
    """A refusal, and not a provider beside a requirement that the policy excludes; the setup can go on afterwards."""
    tables = sqlite_uow.tables
    statements = OrganizationStatements.of(tables.shared, tables.membership.member)
    uow = SqlUnitOfWork(sqlite_uow.engine, tables, organizations=lambda connection: Elsewhere(connection, statements))
    stage = SsoStage(uow, Policy(sso=SsoPolicy(exclusive_second_factor=True)))
    acme = stage.organization(require_second_factor=True)
    olga = stage.owner(acme)
    pipeline = tried(stage, olga, acme)
    with stage.writes():
        assert code(confirm(stage, olga, pipeline)) is Code.SSO_REQUIREMENT_FIXED
    stage.change(acme, require_second_factor=False)
    assert isinstance(confirm(stage, olga, pipeline), ProviderAdded)


# --- keeping it -------------------------------------------------------------------------------------------------------


def test_what_is_secret_is_never_shown_stays_when_it_is_not_given_and_goes_nowhere_else(stage: SsoStage):
    """An owner who changes the address does not learn what another one typed in for the former address."""
    acme = stage.organization()
    olga = stage.owner(acme)
    connected(stage, olga, acme, name="Acme login", newcomers=False)
    seen = olga.browser.ask(stage.flows.providers.view, organization=acme)
    assert isinstance(seen, ProviderView)
    assert (seen.name, seen.required, seen.newcomers) == ("Acme login", True, False)
    assert (set(seen.settings), seen.secrets) == ({"url"}, {"client_secret"})
    elsewhere = {"url": "https://other.example/authorize"}
    silent = do(stage, olga, "edit", acme, settings=elsewhere)
    assert (silent.code, list(silent.problems)) == (Code.SSO_INPUT_INVALID, ["client_secret"])
    edited = do(stage, olga, "edit", acme, settings={**elsewhere, "client_secret": "hush"})
    assert isinstance(edited, ProviderSaved)
    assert edited.changed == ("config",)
    with stage.uow.begin() as tx:
        made = tx.providers.load(acme).state
        config = Vault(stage.cipher).open(made.settings.config, settings_binding(acme, made.id))
    assert config == {"url": "https://other.example/authorize", "client_secret": "hush"}
    assert {mail.to for mail in stage.mails(MailKind.SSO_TRUST_CHANGED)} == {"olga@example.com"}
    assert do(stage, olga, "edit", acme, settings=elsewhere).changed == ()
    assert code(do(stage, olga, "edit", acme, settings={"colour": "red"})) is Code.SSO_INPUT_INVALID


def test_a_secret_that_goes_nowhere_is_not_asked_for_when_its_provider_renews_what_it_is(stage: SsoStage):
    """Such as the private key of ours, when the provider has another certificate."""
    stage.idp.sent_to = {"client_secret": frozenset()}
    acme = stage.organization()
    olga = stage.owner(acme)
    connected(stage, olga, acme)
    renewed = do(stage, olga, "edit", acme, settings={"url": "https://renewed.example/authorize"})
    assert isinstance(renewed, ProviderSaved)
    with stage.uow.begin() as tx:
        made = tx.providers.load(acme).state
        config = Vault(stage.cipher).open(made.settings.config, settings_binding(acme, made.id))
    assert config == {"url": "https://renewed.example/authorize", "client_secret": "hush"}


def test_what_was_begun_under_other_settings_ends(stage: SsoStage):
    acme = stage.organization()
    olga = stage.owner(acme)
    connected(stage, olga, acme)
    ben = member(stage, acme, "ben@example.com")
    stage.sign_in(ben)
    trip = stage.start(ben.browser, acme)
    do(stage, olga, "edit", acme, settings={"url": "https://other.example/authorize", "client_secret": "new"})
    assert code(trip.back("00u1")) is Code.SSO_PROVIDER_CHANGED


def test_an_issuer_is_not_edited(stage: SsoStage):
    """The same subject of another issuer is somebody else: no link made under the former name may stand for them."""
    acme, globex = stage.organization(), stage.organization("globex")
    olga, root = stage.owner(acme), stage.administrator()
    issuer, other = {"issuer": "https://one.example"}, {"issuer": "https://other.example"}
    connected(stage, olga, acme, settings={**SETTINGS, **issuer})
    refused = do(stage, olga, "edit", acme, settings={**SETTINGS, **other})
    assert (refused.code, list(refused.problems)) == (Code.SSO_INPUT_INVALID, ["issuer"])
    for settings, done in ((issuer, True), (other, False)):
        assert isinstance(do(stage, root, "provision", globex, kind="fake", settings=issuer), ProviderAdded)
        again = do(stage, root, "provision", globex, kind="fake", settings=settings)
        assert isinstance(again, ProviderAdded) == done
        assert done or list(again.problems) == ["issuer"]


def test_managers_say_who_must_use_it_and_owners_whom_to_believe(stage: SsoStage):
    """Decision 5: what is believed takes an owner with a recent proof; a client's secret is among it."""
    acme = stage.organization()
    olga = stage.owner(acme)
    connected(stage, olga, acme, required=False)
    mia = member(stage, acme, "mia@example.com", "manager")
    stage.sign_in(mia)
    saved = do(stage, mia, "configure", acme, required=True, newcomers=False, default_role="admin")
    assert saved.changed == ("required", "newcomers", "default_role")
    said = stage.flows.audit.of_organization(acme)[0].data  # the newest, and of what did not change how it is
    assert (said["changed"], said["required"], said["newcomers"]) == ("required,newcomers,default_role", True, False)
    assert (said["scim"], said["default_role"]) == (False, "admin")
    assert code(do(stage, mia, "configure", acme, required=False)) is Code.ORGANIZATION_SSO_REQUIRED
    assert do(stage, olga, "configure", acme, required=False).changed == ("required",)
    assert code(do(stage, mia, "configure", acme, default_role="owner")) is Code.ROLE_NOT_ALLOWED
    assert do(stage, mia, "configure", acme, default_role="").changed == ("default_role",)
    for settings in ({"url": "https://evil.example"}, {"client_secret": "mine"}):
        assert code(do(stage, mia, "edit", acme, settings=settings)) is Code.MEMBERSHIP_FORBIDDEN
    assert code(do(stage, mia, "disable", acme)) is Code.MEMBERSHIP_FORBIDDEN
    stage.clock.advance(stage.policy.sessions.elevation_age + timedelta(seconds=1))
    assert code(do(stage, olga, "edit", acme, settings={"url": "https://x.example"})) is Code.SESSION_ELEVATION_REQUIRED
    assert code(do(stage, olga, "disable", acme)) is Code.SESSION_ELEVATION_REQUIRED


def test_a_manager_lets_nobody_in_as_more_than_they_may_grant(stage: SsoStage):
    """Decision 36: by the provider's default role or the organization's own, given now or before."""
    acme = stage.organization()
    olga, mia = stage.owner(acme), member(stage, acme, "mia@example.com", "manager")
    connected(stage, olga, acme, required=False, newcomers=False, default_role="owner")
    stage.sign_in(mia)
    assert code(do(stage, mia, "configure", acme, newcomers=True)) is Code.ROLE_NOT_ALLOWED
    assert do(stage, mia, "configure", acme, newcomers=True, default_role="member").changed == (
        "newcomers",
        "default_role",
    )
    stage.change(acme, default_role="owner")
    assert code(do(stage, mia, "configure", acme, default_role="")) is Code.ROLE_NOT_ALLOWED
    assert do(stage, mia, "configure", acme, newcomers=False).changed == ("newcomers",)
    assert do(stage, olga, "configure", acme, default_role="").changed == ("default_role",)
    assert code(do(stage, mia, "configure", acme, newcomers=True)) is Code.ROLE_NOT_ALLOWED
    assert do(stage, olga, "configure", acme, newcomers=True).changed == ("newcomers",)


def test_a_provider_that_makes_no_members_any_more_governs_none(stage: SsoStage):
    acme = stage.organization()
    olga, ben = stage.owner(acme), member(stage, acme, "ben@example.com")
    connected(stage, olga, acme)
    for group, given in (
        (FlagGroup.IDP, MemberFlag.IDP_PROVISIONED | MemberFlag.IDP_ROLE_RESTRICTED),
        (FlagGroup.LIMIT, MemberFlag.MEMBER_LIMIT_RESTRICTED),
    ):
        stage.flows.members.set_flags(CONTEXT, organization=acme, user=ben.user, group=group, flags=given)
    assert do(stage, olga, "configure", acme, scim=True).changed == ("scim",)
    assert MemberFlag.IDP_PROVISIONED in flags(stage, ben.user, acme)
    do(stage, olga, "configure", acme, scim=False)
    assert flags(stage, ben.user, acme) == MemberFlag.MEMBER_LIMIT_RESTRICTED


def test_who_comes_back_after_the_provider_is_gone_is_governed_by_nobody(stage: SsoStage):
    """A demoted member's flags come back with the membership (decision 16), but for those of a provider that ended."""
    acme = stage.organization()
    olga, ben = stage.owner(acme), member(stage, acme, "ben@example.com")
    connected(stage, olga, acme, required=False)
    given = MemberFlag.IDP_PROVISIONED | MemberFlag.IDP_ROLE_RESTRICTED
    stage.flows.members.set_flags(CONTEXT, organization=acme, user=ben.user, group=FlagGroup.IDP, flags=given)
    with stage.uow.begin() as tx:
        was = tx.members.load(acme, ben.user).state
    gone = olga.browser.ask(stage.flows.members.demote, CONTEXT, organization=acme, member=was.id)
    assert isinstance(do(stage, olga, "disable", acme), ProviderRemoved)
    stage.sign_in(ben)
    joined = ben.browser.ask(stage.flows.invitations.accept, CONTEXT, organization=acme, invitation=gone.invitation)
    assert joined.member.flags == MemberFlag.NONE


def test_scim_is_switched_on_where_the_host_serves_it_and_off_anywhere(stage: SsoStage):
    """4.7: the fake kind is served, the other one is not; what stands from before may go, and stay meanwhile."""
    acme = stage.organization()
    olga = stage.owner(acme)
    stage.connect(acme, stage.google, required=False)
    assert do(stage, olga, "configure", acme, scim=True).code is Code.SSO_SCIM_UNAVAILABLE
    assert do(stage, olga, "configure", acme, scim=False).changed == ()
    with stage.uow.begin() as tx:
        stored = tx.providers.load(acme)
        settings = attrs.evolve(stored.state.settings, scim=True)
        tx.providers.save(acme, attrs.evolve(stored.state, settings=settings), expected=stored.version)
    assert do(stage, olga, "configure", acme, required=True, scim=True).changed == ("required",)
    assert do(stage, olga, "configure", acme, required=False, scim=False).changed == ("required", "scim")


def test_a_plan_says_which_kinds_are_connected_and_not_what_becomes_of_them(stage: SsoStage):
    """Section 4: asked when a setup starts, of whoever may start one; what stands is kept, and ended."""
    acme, globex = stage.organization(), stage.organization("globex")
    olga, ben = stage.owner(acme), member(stage, globex, "ben@example.com")
    connected(stage, olga, acme)
    stage.excluded = {"fake"}
    assert propose(stage, stage.owner(globex, "gus@example.com"), globex).code is Code.SSO_FEATURE_MISSING
    stage.sign_in(ben)
    assert propose(stage, ben, globex).code is Code.MEMBERSHIP_FORBIDDEN
    assert do(stage, olga, "configure", acme, required=False).changed == ("required",)
    assert isinstance(do(stage, olga, "disable", acme), ProviderRemoved)


def test_reminders_are_mailed_within_a_budget(stage: SsoStage):
    acme = stage.organization()
    olga = stage.owner(acme)
    member(stage, acme, "ben@example.com")
    connected(stage, olga, acme)
    sent = [do(stage, olga, "remind", acme) for _ in range(3)]
    assert [answer.left for answer in sent if isinstance(answer, MembersReminded)] == [2, 1, 0]
    refused = do(stage, olga, "remind", acme)
    assert (refused.code, refused.retry_after) == (Code.SSO_RATE_LIMITED, timedelta(days=1))
    assert [mail.to for mail in stage.mails(MailKind.SSO_LINK_ACCOUNT)] == ["ben@example.com"] * 4


def test_disabling_ends_links_flags_and_the_sign_on_and_tells_everybody(stage: SsoStage):
    """Sso 14.2: nobody is let in by what the provider once said, and everybody is told how to come in now."""
    acme, globex = stage.organization(), stage.organization("globex")
    olga, gus = stage.owner(acme), stage.owner(globex, "gus@example.com")
    connected(stage, olga, acme)
    connected(stage, gus, globex, subject="00u7")
    ben = member(stage, acme, "ben@example.com")
    gone = do(stage, olga, "disable", acme)
    assert isinstance(gone, ProviderRemoved)
    assert (gone.links, gone.restored) == (1, False)
    assert provider_of(stage, acme) is None
    assert stage.links_of(olga.user) == ()
    assert flags(stage, olga.user, acme) == MemberFlag.NONE
    assert access(stage, olga, acme).met
    assert [mail.to for mail in stage.mails(MailKind.SSO_DISABLED)] == ["olga@example.com"]
    assert [mail.to for mail in stage.mails(MailKind.SSO_ENDED)] == [str(stage.user(ben.user).addresses[0].address)]
    assert stage.audited_in(acme)[-1] == Audit.SSO_DISABLE
    assert code(do(stage, olga, "disable", acme)) is Code.SSO_NO_PROVIDER
    assert (flags(stage, gus.user, globex), len(stage.links_of(gus.user))) == (MemberFlag.SSO_LINKED, 1)
    connected(stage, olga, acme)


# --- whose it is ------------------------------------------------------------------------------------------------------

COMMANDS: dict[str, dict[str, Any]] = {
    "start_setup": {"kind": "fake", "settings": SETTINGS},
    "view": {},
    "edit": {"settings": {"url": "https://evil.example"}},
    "configure": {"required": False},
    "remind": {},
    "disable": {},
    "provision": {"kind": "fake", "settings": SETTINGS},
    "withdraw": {},
}
"""Every command of somebody that names an organization, and what it takes; `metadata` is anybody's."""


def test_every_command_that_names_an_organization_is_tried(stage: SsoStage):
    named = {
        name
        for name, found in vars_of(type(stage.flows.providers)).items()
        if {"session", "organization"} <= found.signature.parameters.keys()
    }
    assert named == set(COMMANDS)


def vars_of(service: type) -> dict[str, Command[..., Any]]:
    return {name: value for kind in service.__mro__ for name, value in vars(kind).items() if isinstance(value, Command)}


@pytest.mark.parametrize("who", ["owner elsewhere", "member", "removed owner", "inactive owner", "nobody"])
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("stands", [True, False])
def test_nobody_else_reaches_it_and_nobody_learns_whether_there_is_one(
    stage: SsoStage, command: str, who: str, *, stands: bool
):
    """Invariant 3: an owner with every proof, of another organization, is a stranger in this one."""
    acme, globex = stage.organization(), stage.organization("globex")
    olga = stage.owner(acme)
    person = {
        "owner elsewhere": lambda: stage.owner(globex, "gus@example.com"),
        "member": lambda: signed_in(stage, member(stage, acme, "mel@example.com")),
        "removed owner": lambda: gone(stage, olga, acme),
        "inactive owner": lambda: inactive(stage, acme),
        "nobody": lambda: stage.person("nobody@example.com"),
    }[who]()
    if stands:
        stage.connect(acme, required=False)
    context = () if command == "view" else (CONTEXT,)
    before = stage.snapshot()
    answer = getattr(stage.flows.providers, command)(
        person.browser.session, *context, organization=acme, **COMMANDS[command]
    )
    refused = code(answer)
    assert (
        refused
        in {
            "owner elsewhere": {Code.MEMBERSHIP_FORBIDDEN, Code.ACCOUNT_FORBIDDEN},
            "member": {Code.MEMBERSHIP_FORBIDDEN, Code.ACCOUNT_FORBIDDEN},
            "removed owner": {Code.MEMBERSHIP_FORBIDDEN, Code.ACCOUNT_FORBIDDEN},
            "inactive owner": {Code.SESSION_ENDED},
            "nobody": {Code.SESSION_REQUIRED},
        }[who]
    )
    assert written(before, stage.snapshot()) <= {"session"}  # an inactive person's session is found over


def signed_in(stage: SsoStage, person: Person) -> Person:
    stage.sign_in(person)
    stage.enroll(person)
    return person


def gone(stage: SsoStage, by: Person, organization: OrganizationId) -> Person:
    otto = stage.owner(organization, "otto@example.com")
    key = stage.member(otto.user, organization).id  # type: ignore[union-attr]  # they are a member
    by.browser.ask(stage.flows.members.remove, CONTEXT, organization=organization, member=key)
    return otto


def inactive(stage: SsoStage, organization: OrganizationId) -> Person:
    otto = stage.owner(organization, "otto@example.com")
    stage.save(attrs.evolve(stage.user(otto.user), active=False))
    return otto


# --- partners ---------------------------------------------------------------------------------------------------------


def test_what_a_partner_provisioned_is_the_partner_s_to_change(stage: SsoStage):
    """Sso 4.6: doing it again is harmless, and the organization's owners can only look."""
    acme = stage.organization()
    olga, root = stage.owner(acme), stage.administrator()
    added = do(stage, root, "provision", acme, kind="fake", settings=SETTINGS, required=False)
    assert isinstance(added, ProviderAdded)
    assert added.link is None
    with stage.writes():
        again = do(stage, root, "provision", acme, kind="fake", settings=SETTINGS, required=False)
    assert again.provider == added.provider
    assert olga.browser.ask(stage.flows.providers.view, organization=acme).partner
    for command, given in (("edit", {"settings": {}}), ("configure", {"required": True}), ("disable", {})):
        assert code(do(stage, olga, command, acme, **given)) is Code.SSO_PARTNER_LOCKED
    assert do(stage, root, "provision", acme, kind="fake", settings=SETTINGS).provider == added.provider
    found = provider_of(stage, acme)
    assert found is not None
    assert found.settings.required
    assert isinstance(do(stage, root, "withdraw", acme), ProviderRemoved)


def test_an_administrator_does_not_take_over_what_an_owner_connected(stage: SsoStage):
    acme = stage.organization()
    olga, root = stage.owner(acme), stage.administrator()
    connected(stage, olga, acme)
    assert code(do(stage, root, "provision", acme, kind="fake", settings=SETTINGS)) is Code.SSO_PROVIDER_EXISTS
    assert code(do(stage, root, "withdraw", acme)) is Code.SSO_PARTNER_LOCKED
    assert code(do(stage, olga, "provision", acme, kind="fake", settings=SETTINGS)) is Code.ACCOUNT_FORBIDDEN
    nowhere = do(stage, root, "provision", OrganizationId("nowhere"), kind="fake", settings=SETTINGS)
    assert code(nowhere) is Code.ORGANIZATION_UNKNOWN
    assert code(do(stage, root, "provision", acme, kind="none", settings={})) is Code.SSO_KIND_UNKNOWN
