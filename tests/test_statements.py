"""What each flow sends to the database, counted from outside: statements on SQLite, round trips on PostgreSQL.

BEGIN, COMMIT and savepoints count. The table holds the numbers of today, exactly: a flow that sends more has become
slower for everybody, and one that sends less is written down, so that it stays so. ``python -m benchmarks compare``
shows what the same takes by hand and what the peers take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
from sqlalchemy import event

from authflow import MailKind, Secret
from authflow.adapters.sql import alive
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.journey.providers.answers import ProviderAdded
from authflow.journey.sso.answers import AccountLinked, ChoiceOwed, MailSent, SignedOn
from authflow.sessions.commands import SecondFactorOwed
from authflow.sso.case import Choice
from authflow.testing.browsers import Browser
from benchmarks.counting import Tally, wire
from benchmarks.protocol import Watch
from tests.journey.sso_stage import SsoStage
from tests.stage import STEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from authflow.values import OrganizationId
    from tests.journey.sso_stage import Trip
    from tests.stage import Person, Stage

    Flow = Callable[[SsoStage, Watch], None]


@attrs.frozen
class Sent:
    """What one run of a flow sends."""

    sqlite: int
    postgresql: int
    round_trips: int


EXPECTED: Final = {
    "first factor": Sent(sqlite=8, postgresql=9, round_trips=3),
    "first factor, second owed": Sent(sqlite=6, postgresql=8, round_trips=3),
    "begin, complete, codes shown": Sent(sqlite=24, postgresql=29, round_trips=10),
    "the same, an invitation waits": Sent(sqlite=39, postgresql=45, round_trips=21),
    "second factor by TOTP": Sent(sqlite=13, postgresql=15, round_trips=4),
    "second factor by recovery code": Sent(sqlite=15, postgresql=17, round_trips=5),
    "address confirmed": Sent(sqlite=20, postgresql=24, round_trips=14),
    "invitation accepted": Sent(sqlite=15, postgresql=18, round_trips=12),
    "sent to a provider": Sent(sqlite=7, postgresql=7, round_trips=4),
    "sign-on, identity known": Sent(sqlite=11, postgresql=17, round_trips=6),
    "sign-on, new account": Sent(sqlite=23, postgresql=32, round_trips=19),
    "identity linked": Sent(sqlite=13, postgresql=19, round_trips=8),
    "sign-on, identity known, joining": Sent(sqlite=17, postgresql=23, round_trips=11),
    "sign-on, second factor owed": Sent(sqlite=10, postgresql=16, round_trips=6),
    "sign-on, a stranger is asked": Sent(sqlite=7, postgresql=11, round_trips=5),
    "the page is looked at": Sent(sqlite=4, postgresql=4, round_trips=3),
    "a new account is chosen": Sent(sqlite=9, postgresql=13, round_trips=7),
    "a setup is confirmed": Sent(sqlite=16, postgresql=21, round_trips=12),
    "access is asked for": Sent(sqlite=6, postgresql=6, round_trips=5),
}

REPEATS: Final = 8
"""By then psycopg has prepared what it prepares (after 5 executions): the cheapest run is the settled one."""


# --- the flows: what stands outside of ``with watch`` is preparation ------------------------------------------------


def first_factor(stage: Stage, watch: Watch) -> None:
    person = newcomer(stage)
    with watch:
        stage.sign_in(person)


def second_owed(stage: Stage, watch: Watch) -> None:
    person = enrolled(stage)
    with watch:
        stage.sign_in(person)


def enroll(stage: Stage, watch: Watch) -> None:
    person = newcomer(stage)
    stage.sign_in(person)
    complete(stage, person, watch)


def enroll_with_an_invitation(stage: Stage, watch: Watch) -> None:
    person = newcomer(stage)
    stage.waiting(person, invited(stage, person, require_second_factor=True))
    complete(stage, person, watch)


def verify_totp(stage: Stage, watch: Watch) -> None:
    person = enrolled(stage)
    stage.sign_in(person)
    code = person.app.code(stage.clock.now())
    with watch:
        answer = stage.verify(person, "totp", code)
    assert answer.user == person.user


def verify_recovery(stage: Stage, watch: Watch) -> None:
    person = enrolled(stage)
    stage.sign_in(person)
    code = person.codes.pop()
    with watch:
        answer = stage.verify(person, "recovery", code)
    assert answer.user == person.user


def confirm(stage: Stage, watch: Watch) -> None:
    person = stage.person(f"{stage.entropy.random_bytes(8).hex()}@example.com", verified=False)
    stage.sign_in(person)
    browser = person.browser
    browser.ask(stage.flows.accounts.send_confirmations, browser.context)
    token = Secret(str(stage.mails(MailKind.ADDRESS_CONFIRMATION)[-1].context["token"]))
    with watch:
        browser.ask(stage.flows.accounts.confirm_address, browser.context, token=token)
    assert stage.user(person.user).primary_verified()


def accept(stage: Stage, watch: Watch) -> None:
    person = newcomer(stage)
    letter = invited(stage, person)
    stage.sign_in(person)
    with watch:
        stage.accept(person, letter)
    assert person.user in {member.user for member in stage.members(letter.organization)}


def sent_to_a_provider(stage: SsoStage, watch: Watch) -> None:
    browser, organization = Browser(), with_provider(stage)
    with watch:
        stage.start(browser, organization)


def sign_on_known(stage: SsoStage, watch: Watch) -> None:
    """The second sign-in: the membership says already that the link stands."""
    person, organization = member(stage)
    stage.link(person.user, organization, person.user)
    assert isinstance(stage.come(Browser(), organization, person.user).answer, SignedOn)
    trip = stage.start(Browser(), organization)
    callback = trip.callback(person.user)
    with watch:
        answer = trip.resume(callback)
    assert answer.user == person.user


def sign_on_new(stage: SsoStage, watch: Watch) -> None:
    """The last step, behind the mail that proved the address: person, address, link, membership and session."""
    organization, subject = with_provider(stage), f"{stage.entropy.random_bytes(8).hex()}@example.com"
    stage.idp.person(subject, email=subject)
    trip = stage.come(Browser(), organization, subject)
    trip.choose(Choice.NEW_ACCOUNT)
    trip.open_link(Secret(str(stage.mails(MailKind.SSO_ADDRESS_PROOF)[-1].context["token"])))
    with watch:
        answer = trip.resume()
    assert isinstance(answer, SignedOn)


def link_identity(stage: SsoStage, watch: Watch) -> None:
    person, organization = member(stage)
    stage.sign_in(person)
    trip = stage.come(person.browser, organization, person.user, link=True)
    with watch:
        answer = trip.choose(Choice.LINK)
    assert isinstance(answer, AccountLinked)


def sign_on_joining(stage: SsoStage, watch: Watch) -> None:
    """The first sign-in of somebody known, by which they become a member."""
    person, organization = newcomer(stage), with_provider(stage)
    stage.link(person.user, organization, person.user)
    stage.idp.person(person.user, email=person.user)
    trip = stage.start(Browser(), organization)
    callback = trip.callback(person.user)
    with watch:
        answer = trip.resume(callback)
    assert answer.member is not None


def sign_on_second_owed(stage: SsoStage, watch: Watch) -> None:
    person, organization = enrolled(stage), with_provider(stage)
    stage.flows.members.add(person.browser.context, organization=organization, user=person.user, role="member")
    stage.link(person.user, organization, person.user)
    stage.idp.person(person.user, email=person.user)
    trip = stage.start(Browser(), organization)
    callback = trip.callback(person.user)
    with watch:
        answer = trip.resume(callback)
    assert isinstance(answer, SecondFactorOwed)


def sign_on_stranger(stage: SsoStage, watch: Watch) -> None:
    trip = stranger(stage)
    callback = trip.callback("00u1")
    with watch:
        answer = trip.resume(callback)
    assert isinstance(answer, ChoiceOwed)


def look_at_the_page(stage: SsoStage, watch: Watch) -> None:
    trip = stranger(stage)
    trip.back("00u1")
    with watch:
        answer = trip.look()
    assert isinstance(answer, ChoiceOwed)


def choose_a_new_account(stage: SsoStage, watch: Watch) -> None:
    trip = stranger(stage)
    trip.back("00u1")
    with watch:
        answer = trip.choose(Choice.NEW_ACCOUNT)
    assert isinstance(answer, MailSent)


def confirm_a_setup(stage: SsoStage, watch: Watch) -> None:
    organization = stage.organization(stage.entropy.random_bytes(8).hex())
    olga = stage.owner(organization, f"{stage.entropy.random_bytes(8).hex()}@example.com")
    browser, providers = olga.browser, stage.flows.providers
    asked = {"organization": organization, "kind": "fake", "settings": {"client_secret": "hush"}}
    away = browser.ask(providers.start_setup, browser.context, **asked)
    stage.idp.person(olga.user, email=olga.user)
    callback = stage.idp.answer(away.url, olga.user)
    browser.ask(providers.resume, browser.context, pipeline=away.pipeline, callback=callback)
    with watch:
        answer = browser.ask(providers.confirm, browser.context, pipeline=away.pipeline)
    assert isinstance(answer, ProviderAdded)


def ask_for_access(stage: SsoStage, watch: Watch) -> None:
    person, organization = member(stage)
    stage.link(person.user, organization, person.user)
    stage.come(person.browser, organization, person.user)
    with watch:
        answer = stage.flows.sso.access(person.browser.session, organization=organization)
    assert answer.met


FLOWS: Final[dict[str, Flow]] = {
    "first factor": first_factor,
    "first factor, second owed": second_owed,
    "begin, complete, codes shown": enroll,
    "the same, an invitation waits": enroll_with_an_invitation,
    "second factor by TOTP": verify_totp,
    "second factor by recovery code": verify_recovery,
    "address confirmed": confirm,
    "invitation accepted": accept,
    "sent to a provider": sent_to_a_provider,
    "sign-on, identity known": sign_on_known,
    "sign-on, new account": sign_on_new,
    "identity linked": link_identity,
    "sign-on, identity known, joining": sign_on_joining,
    "sign-on, second factor owed": sign_on_second_owed,
    "sign-on, a stranger is asked": sign_on_stranger,
    "the page is looked at": look_at_the_page,
    "a new account is chosen": choose_a_new_account,
    "a setup is confirmed": confirm_a_setup,
    "access is asked for": ask_for_access,
}


def newcomer(stage: Stage) -> Person:
    """Return somebody whom nobody knows yet."""
    return stage.person(f"{stage.entropy.random_bytes(8).hex()}@example.com")


def enrolled(stage: Stage) -> Person:
    """Return somebody with an app, whose next code is shown."""
    person = newcomer(stage)
    stage.sign_in(person)
    stage.enroll(person)
    stage.clock.advance(STEP)
    return person


def complete(stage: Stage, person: Person, watch: Watch) -> None:
    with watch:
        begun = stage.begin(person)
    with watch:
        answer = stage.complete(person, begun)
    assert len(answer.recovery_codes) == 10


def invited(stage: Stage, person: Person, **settings: Any) -> Any:
    """Return the letter that invites *person* to a new organization."""
    owner = enrolled(stage)
    organization = stage.organization(stage.entropy.random_bytes(8).hex(), **settings)
    stage.flows.members.add(owner.browser.context, organization=organization, user=owner.user, role="owner")
    return stage.invite(owner, organization, person.user)


def with_provider(stage: SsoStage) -> OrganizationId:
    """Return a new organization that has a provider."""
    organization = stage.organization(stage.entropy.random_bytes(8).hex())
    stage.connect(organization)
    return organization


def stranger(stage: SsoStage) -> Trip:
    """Return a sign-in, sent away, of somebody whom only the provider knows."""
    stage.idp.person("00u1", email=f"{stage.entropy.random_bytes(8).hex()}@example.com")
    return stage.start(Browser(), with_provider(stage))


def member(stage: SsoStage) -> tuple[Person, OrganizationId]:
    """Return a member of such an organization, whom its provider knows and nobody has linked."""
    person, organization = newcomer(stage), with_provider(stage)
    stage.flows.members.add(person.browser.context, organization=organization, user=person.user, role="member")
    stage.idp.person(person.user, email=person.user)
    return person, organization


# --- the databases, watched -----------------------------------------------------------------------------------------


@attrs.frozen
class Watched:
    stage: SsoStage
    tally: Tally

    def run(self, flow: str) -> Watch:
        """Run *flow* once, on new people, and return what it sent."""
        watch = Watch(tally=self.tally)
        FLOWS[flow](self.stage, watch)
        return watch


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_uow: SqlUnitOfWork) -> Iterator[Watched]:
    tally, engine = Tally(), make_engine(f"sqlite:///{sqlite_uow.engine.url.database}")
    event.listen(engine, "connect", lambda connection, _record: tally.trace(connection))
    yield Watched(SsoStage(SqlUnitOfWork(engine, sqlite_uow.tables)), tally)
    engine.dispose()


@pytest.fixture
def postgresql(
    postgresql_url: str, postgresql_uow: SqlUnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    monkeypatch.setattr(alive, "TRUSTED_SECONDS", 3600.0)  # however slow the machine is
    tally = Tally()
    with wire(postgresql_url, tally) as uri:
        engine = make_engine(uri)
        yield Watched(SsoStage(SqlUnitOfWork(engine, postgresql_uow.tables)), tally)
        engine.dispose()


# --- the laws -------------------------------------------------------------------------------------------------------


def listed(run: Watch) -> str:
    """Return what was sent, to be read when it is not what is written down."""
    return "\n".join(f"{number:3} {' '.join(text.split())[:110]}" for number, text in enumerate(run.log, 1))


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_sends_exactly_these_statements_to_sqlite(sqlite: Watched, flow: str):
    runs = [sqlite.run(flow) for _ in range(3)]
    assert {run.statements for run in runs} == {EXPECTED[flow].sqlite}, listed(runs[-1])


@pytest.mark.parametrize("flow", FLOWS)
def test_a_flow_waits_exactly_so_often_for_postgresql(postgresql: Watched, flow: str):
    runs = [postgresql.run(flow) for _ in range(REPEATS)]
    assert {run.statements for run in runs} == {EXPECTED[flow].postgresql}, listed(runs[-1])
    assert min(run.round_trips for run in runs) == EXPECTED[flow].round_trips, listed(runs[-1])


def test_every_flow_has_its_numbers():
    assert list(FLOWS) == list(EXPECTED)
