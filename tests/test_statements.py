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
from benchmarks.counting import Tally, wire
from benchmarks.protocol import Watch
from tests.stage import STEP, Person, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Flow = Callable[[Stage, Watch], None]


@attrs.frozen
class Sent:
    """What one run of a flow sends."""

    sqlite: int
    postgresql: int
    round_trips: int


EXPECTED: Final = {
    "first factor": Sent(sqlite=8, postgresql=9, round_trips=6),
    "first factor, second owed": Sent(sqlite=7, postgresql=10, round_trips=7),
    "begin, complete, codes shown": Sent(sqlite=24, postgresql=28, round_trips=20),
    "the same, an invitation waits": Sent(sqlite=46, postgresql=50, round_trips=37),
    "second factor by TOTP": Sent(sqlite=13, postgresql=17, round_trips=11),
    "second factor by recovery code": Sent(sqlite=15, postgresql=19, round_trips=12),
    "address confirmed": Sent(sqlite=21, postgresql=23, round_trips=18),
    "invitation accepted": Sent(sqlite=23, postgresql=25, round_trips=20),
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


FLOWS: Final[dict[str, Flow]] = {
    "first factor": first_factor,
    "first factor, second owed": second_owed,
    "begin, complete, codes shown": enroll,
    "the same, an invitation waits": enroll_with_an_invitation,
    "second factor by TOTP": verify_totp,
    "second factor by recovery code": verify_recovery,
    "address confirmed": confirm,
    "invitation accepted": accept,
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


# --- the databases, watched -----------------------------------------------------------------------------------------


@attrs.frozen
class Watched:
    stage: Stage
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
    yield Watched(Stage(SqlUnitOfWork(engine, sqlite_uow.tables)), tally)
    engine.dispose()


@pytest.fixture
def postgresql(
    postgresql_url: str, postgresql_uow: SqlUnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    monkeypatch.setattr(alive, "TRUSTED_SECONDS", 3600.0)  # however slow the machine is
    tally = Tally()
    with wire(postgresql_url, tally) as uri:
        engine = make_engine(uri)
        yield Watched(Stage(SqlUnitOfWork(engine, postgresql_uow.tables)), tally)
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
