"""The composition root: it refuses what cannot work, and hands every port and every policy to whoever needs it."""

from __future__ import annotations

import ast
import inspect
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa

from authflow import Authflow, MfaPolicy, Policy, Refused, assembly, wiring
from authflow.adapters.keys import AesGcmCipher, HmacPepper, KeyRing
from authflow.adapters.mail import MemoryMailer
from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.adapters.sql import schema
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.assembly import Ports, journeys, providers, single_sign_on
from authflow.command.running import CommandClock
from authflow.errors import (
    Code,
    ConfigInvalid,
    EventTooLarge,
    KeysMissing,
    NotOwned,
    SchemaMissing,
    SchemaTooNew,
    SchemaTooOld,
)
from authflow.events.adjacent import Project
from authflow.facts.records import Signal
from authflow.journey.answers import Enrolled
from authflow.journey.upkeep import Swept
from authflow.membership.answers import InvitationSent
from authflow.mfa.answers import Begun
from authflow.policy import OWNER, EventPolicy, MembershipPolicy, OutboxPolicy, SessionPolicy
from authflow.sessions.commands import Elevated
from authflow.testing import ManualClock, SeededEntropy, add_organization, add_user
from authflow.testing.browsers import Browser, Phone
from authflow.testing.fakes import FixedSso
from authflow.values import Method, OrganizationId, ProjectId, Proof
from tests.stage import STEP, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from authflow.outbox.signals import Notice
    from authflow.values import UserId
    from tests.stage import Person

KEYS = KeyRing.ephemeral(SeededEntropy())
HOUR = timedelta(hours=1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'app.sqlite3'}"


def made(url: str) -> str:
    """Make the tables, as ``authflow schema upgrade`` does."""
    engine = make_engine(url)
    schema.upgrade(engine, build())
    engine.dispose()
    return url


# --- what cannot work is refused --------------------------------------------------------------------------------------


def test_without_keys_nothing_is_opened(url: str, tmp_path: Path):
    with pytest.raises(KeysMissing):
        Authflow.open(url, keys=None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "given"),
    [
        ("keys", {"keys": "keys.json"}),
        ("policy", {"policy": {"mfa": {}}}),
        ("policy", {"policy": MfaPolicy()}),
        ("mailer", {"mailer": print}),
        ("mailer", {"mailer": MemoryMailer}),
    ],
)
def test_an_argument_of_another_kind_is_named(setting: str, given: dict[str, Any], url: str):
    with pytest.raises(ConfigInvalid) as caught:
        Authflow.open(made(url), **{"keys": KEYS, **given})
    assert caught.value.setting == setting


@pytest.mark.parametrize("database", ["", "app.db", "oracle://host/app", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_is_none_is_named(database: str):
    with pytest.raises(ConfigInvalid) as caught:
        Authflow.open(database, keys=KEYS)
    assert caught.value.setting == "database"


def test_missing_tables_are_missed_and_not_made(url: str, tmp_path: Path):
    with pytest.raises(SchemaMissing):
        Authflow.open(url, keys=KEYS)
    assert not list(tmp_path.iterdir())


class Unready:
    """A mailer of a host's that is not made yet."""

    @property
    def send(self) -> Any:
        return 1 // 0


def test_whatever_a_host_raises_no_connection_is_left_open(url: str):
    """Neither by an error of ours nor by any other."""
    made(url)
    seen: list[str] = []
    told = {name: partial(_note, seen, name) for name in ("connect", "close")}
    for name, note in told.items():
        sa.event.listen(sa.Pool, name, note)
    try:
        with pytest.raises(ZeroDivisionError):
            Authflow.open(url, keys=KEYS, mailer=Unready())
    finally:
        for name, note in told.items():
            sa.event.remove(sa.Pool, name, note)
    assert seen.count("connect") == seen.count("close") > 0


def _note(seen: list[str], name: str, *_connection: object) -> None:
    seen.append(name)


def test_another_prefix_has_other_tables(url: str):
    made(url)
    with Authflow.open(url, keys=KEYS) as flows:
        assert flows.upkeep.sweep().sessions == 0
    with pytest.raises(SchemaMissing):
        Authflow.open(url, keys=KEYS, prefix="other_")


def test_older_tables_are_refused_with_the_revision_to_reach(url: str, monkeypatch: pytest.MonkeyPatch):
    made(url)
    monkeypatch.setitem(schema.check.__kwdefaults__, "revisions", (*schema.REVISIONS, "9999"))
    with pytest.raises(SchemaTooOld) as caught:
        Authflow.open(url, keys=KEYS)
    assert (caught.value.found, caught.value.missing) == (schema.REVISIONS[-1], "9999")


def test_tables_of_a_newer_version_are_refused(url: str):
    made(url)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE authflow_schema_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew) as caught:
        Authflow.open(url, keys=KEYS)
    assert caught.value.found == "9999"


def test_a_name_whose_extra_is_missing_names_the_extra():
    code = """
import sys
sys.modules["sqlalchemy"] = None
import authflow
try:
    authflow.UserTable
except authflow.ExtraMissing as error:
    print(error.extra)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["sql"]


@pytest.mark.parametrize(
    ("library", "database", "extra"),
    [("sqlalchemy", "sqlite:///app.db", "sql"), ("psycopg", "postgresql://127.0.0.1:1/app", "postgres")],
)
def test_a_missing_extra_is_named(library: str, database: str, extra: str):
    """In a fresh interpreter in which the library cannot be imported."""
    code = f"""
import sys
sys.modules[{library!r}] = None
from authflow.adapters.keys import KeyRing
from authflow.adapters.system import SystemEntropy
from authflow.errors import ExtraMissing
from authflow.wiring import Authflow
Authflow.in_memory().upkeep.sweep()  # needs no extra
try:
    Authflow.open({database!r}, keys=KeyRing.ephemeral(SystemEntropy()))
except ExtraMissing as missing:
    print(missing.extra)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == (extra, 0), done.stderr


# --- the policy reaches each slice ------------------------------------------------------------------------------------


def enrolling(flows: Authflow, address: str = "ada@example.com") -> tuple[UserId, Browser, Begun]:
    """Sign somebody in and show them a secret."""
    user, browser = add_user(flows, address), Browser()
    sign_in(flows, browser, user)
    begun = browser.ask(flows.mfa.begin_totp, browser.context, account=user)
    assert isinstance(begun, Begun)
    return user, browser, begun


def sign_in(flows: Authflow, browser: Browser, user: UserId) -> Any:
    proof = Proof(method=Method.PASSWORD, at=flows.clock.now())
    return browser.ask(flows.sessions.establish, browser.context, user=user, proof=proof)


def invite(flows: Authflow, *, address: str = "eve@example.com") -> Any:
    """Found an organization and invite somebody to it."""
    owner, browser, begun = enrolling(flows, "olga@example.com")
    place = add_organization(flows, "acme")
    flows.members.add(browser.context, organization=place, user=owner, role=OWNER)
    code = Phone(begun.secret).code(flows.clock.now())
    browser.ask(flows.mfa.complete_totp, browser.context, begun.flow, code=code)
    return browser.ask(flows.invitations.invite, browser.context, organization=place, email=address)


def in_memory(**given: Any) -> Authflow:
    return Authflow.in_memory(**{"clock": ManualClock(), "entropy": SeededEntropy(), "mailer": MemoryMailer(), **given})


def test_the_policy_of_second_factors_is_asked():
    _, _, begun = enrolling(in_memory(policy=Policy(mfa=MfaPolicy(issuer="Acme", pending_enrollment_ttl=HOUR))))
    assert "issuer=Acme" in begun.uri.reveal()
    assert begun.expires_at == ManualClock().now() + HOUR


def test_the_policy_of_sessions_is_asked():
    clock = ManualClock()
    flows = in_memory(policy=Policy(sessions=SessionPolicy(lifetime=HOUR)), clock=clock)
    _, browser, _ = enrolling(flows)
    clock.advance(HOUR - timedelta(seconds=1))
    assert flows.sessions.identify(browser.session).user is not None
    clock.advance(seconds=1)
    assert flows.sessions.identify(browser.session).user is None


def test_the_policy_of_memberships_is_asked():
    sent = invite(in_memory(policy=Policy(membership=MembershipPolicy(invitation_ttl=HOUR))))
    assert isinstance(sent, InvitationSent)
    assert sent.expires_at == ManualClock().now() + HOUR


def test_the_policy_of_the_outbox_is_asked():
    """A receiver that always fails: the message is parked after as many tries as the policy says."""
    clock = ManualClock()
    flows = in_memory(policy=Policy(outbox=OutboxPolicy(attempts=2)), clock=clock)

    def fail(_: Notice) -> None:
        raise ConnectionError

    flows.receivers.add("crm", Signal.MEMBER_INVITED, fail)
    invite(flows)
    flows.relay.drain_until_quiet()
    assert not flows.outbox.parked()
    clock.advance(HOUR)
    flows.relay.drain_until_quiet()
    assert len(flows.outbox.parked()) == 1


def test_the_policy_of_events_is_asked():
    """Facts about a person become events of the installation's security project, if it has one."""
    project = ProjectId("security")
    flows = in_memory(policy=Policy(events=EventPolicy(security_project=project)))
    with flows.uow.begin() as tx:
        tx.projects.add(Project(id=project, organization=OrganizationId("us"), slug="security", security=True))
    invite(flows)
    flows.relay.drain_until_quiet()
    assert flows.events.latest(project)


def test_the_size_of_events_is_asked():
    flows = in_memory(policy=Policy(events=EventPolicy(max_bytes=1000)))
    with pytest.raises(EventTooLarge):
        flows.events.draft({"message": "x" * 1000})


def test_a_kind_that_is_closed_is_not_handed_out():
    """Recovery codes are made in the journey, which has the policy from here."""
    flows = in_memory(policy=Policy(mfa=MfaPolicy(closed_kinds=frozenset({"recovery"}))))
    _, browser, begun = enrolling(flows)
    code = Phone(begun.secret).code(flows.clock.now())
    enrolled = browser.ask(flows.mfa.complete_totp, browser.context, begun.flow, code=code)
    assert isinstance(enrolled, Enrolled)
    assert enrolled.recovery_codes == ()


def test_the_sweep_keeps_what_has_ended_as_long_as_the_policy_says():
    clock = ManualClock()
    flows = in_memory(policy=Policy(membership=MembershipPolicy(invitation_ttl=HOUR, ended_kept=HOUR)), clock=clock)
    invite(flows)
    clock.advance(2 * HOUR)
    assert flows.upkeep.sweep().invitations == 0
    clock.advance(seconds=1)
    assert flows.upkeep.sweep().invitations == 1


# --- ports of the host's own ------------------------------------------------------------------------------------------


class Noted:
    """A port that notes which of its methods were called."""

    def __init__(self, port: Any) -> None:
        self.port, self.calls = port, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.calls.add(name)
        return getattr(self.port, name)


def test_every_port_of_the_hosts_own_is_used():
    entropy = SeededEntropy()
    own: dict[str, Any] = {
        "uow": MemoryUnitOfWork(),
        "clock": ManualClock(),
        "entropy": entropy,
        "cipher": AesGcmCipher(KEYS, entropy),
        "pepper": HmacPepper(KEYS),
        "mailer": MemoryMailer(),
        "sso": FixedSso(),
    }
    assert own.keys() | {"kinds", "endpoints"} == {field.name for field in attrs.fields(Ports)}
    noted = {name: Noted(port) for name, port in own.items()}
    flows = Authflow.of(Ports(**noted), Policy())  # type: ignore[arg-type]  # it is whatever it stands for
    assert isinstance(invite(flows), InvitationSent)
    flows.relay.drain_until_quiet()
    assert [name for name, port in noted.items() if not port.calls] == []
    assert {mail.to for mail in own["mailer"].sent} >= {"eve@example.com"}


def clocks(service: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every clock that *service* has, and whatever is in it, each by its place."""
    for field in attrs.fields(type(service)):
        value, place = getattr(service, field.name), f"{name}.{field.alias}"
        if field.alias == "clock":
            yield place, value
        elif attrs.has(type(value)):
            yield from clocks(value, place)


def test_no_service_looks_at_the_hosts_clock_itself():
    """Each has it as commands see it, which look once; the facade shows the host's own."""
    clock = ManualClock()
    found = dict(clocks(in_memory(clock=clock), "flows"))
    assert {place for place, seen in found.items() if not isinstance(seen, CommandClock)} == {"flows.clock"}
    assert found["flows.clock"] is clock
    assert len(set(found.values())) == 2
    assert "flows.sessions.sessions.clock" in found


@pytest.mark.parametrize("module", [wiring, assembly, journeys, providers, single_sign_on])
def test_every_part_is_given_by_its_name(module: ModuleType):
    """Type checkers see no wrong part behind ``**``: here everything meets."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    assert calls
    assert [call.lineno for call in calls if any(keyword.arg is None for keyword in call.keywords)] == []


def test_two_installations_share_nothing():
    """There is no global state: what one has, another one in the same process does not."""
    one, other = in_memory(), in_memory()
    user, browser, _ = enrolling(one)
    assert one.sessions.identify(browser.session).user == user
    assert other.sessions.identify(browser.session).user is None


def test_nothing_secret_is_shown_by_the_facade():
    assert repr(in_memory()) == "Authflow(MemoryUnitOfWork)"


# --- upkeep -----------------------------------------------------------------------------------------------------------


def test_a_sweep_takes_what_has_expired_and_counts_it(stage: Stage):
    """One of each kind that is over, beside one of each that is not."""
    acme = stage.organization(require_second_factor=True)
    olga = stage.owner(acme)
    letter = stage.invite(olga, acme, "ada@example.com")
    eve = stage.person("eve@example.com")
    stage.sign_in(eve)
    assert isinstance(stage.complete(eve, stage.begin(eve), "000000"), Refused)
    ada = stage.person()
    stage.waiting(ada, letter)
    stage.clock.advance(HOUR + timedelta(seconds=1))
    nothing = Swept(
        sessions=0,
        proposals=0,
        invitations=0,
        replies=0,
        limits=0,
        attempts=0,
        confirmations=0,
        pipelines=0,
        single_uses=0,
        provider_sessions=0,
    )
    assert stage.flows.upkeep.sweep() == attrs.evolve(nothing, proposals=1, invitations=1, limits=3)
    with stage.writes():
        assert stage.flows.upkeep.sweep() == nothing
    stage.clock.advance(stage.policy.sessions.lifetime)
    later = stage.flows.upkeep.sweep()
    assert (later.sessions, later.attempts) == (3, 2)  # two enrollments were proven, one of them wrongly
    assert stage.letter(acme, letter.invitation) == letter


def test_secrets_under_an_older_key_are_sealed_anew_once(stage: Stage):
    ada, eve = stage.person(), stage.person("eve@example.com")
    for person in (ada, eve):
        stage.sign_in(person)
        stage.enroll(person)
    rotated = stage.ring.rotate(stage.entropy, stage.clock.now())
    flows = stage.open(rotated)
    assert [flows.upkeep.reseal(limit=1) for _ in range(3)] == [1, 1, 0]
    stage.flows = stage.open(rotated.retire(stage.ring.active.id))
    assert isinstance(stage.elevate(ada), Elevated)


# --- a host that rolls back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["memory", "postgresql", "mariadb"])
def test_guesses_count_although_the_host_rolls_everything_back(database: str, request: pytest.FixtureRequest):
    """Decision 7: a host that raises after every refusal still gets the sixth answer in 20 seconds limited."""
    stage = Stage(request.getfixturevalue(f"{database}_uow"))
    ada, browser = owing(stage)
    answers = [guess_and_roll_back(stage, browser, ada.app.wrong(stage.clock.now())) for _ in range(6)]
    assert [answer.code for answer in answers] == [*[Code.MFA_CODE_REJECTED] * 5, Code.MFA_RATE_LIMITED]


def test_sqlite_has_no_other_place_to_count_so_nothing_is_guessed_there(sqlite_uow: Any):
    stage = Stage(sqlite_uow)
    ada, browser = owing(stage)
    with pytest.raises(NotOwned), sqlite_uow.begin():
        stage.verify(ada, "totp", ada.app.code(stage.clock.now()), browser)


def owing(stage: Stage) -> tuple[Person, Browser]:
    """Return somebody who owes a second factor, and the browser in which they do."""
    ada = stage.person()
    stage.sign_in(ada)
    stage.enroll(ada)
    stage.clock.advance(STEP)
    stage.sign_in(ada, browser := Browser())
    return ada, browser


def guess_and_roll_back(stage: Stage, browser: Browser, code: str) -> Refused:
    """Answer with *code* in a transaction that its opener ends by an exception."""
    answer: Any = None
    with pytest.raises(ZeroDivisionError), stage.uow.begin():
        answer = browser.ask(stage.flows.mfa.verify, browser.context, "totp", code)
        raise ZeroDivisionError
    assert isinstance(answer, Refused)
    return answer
