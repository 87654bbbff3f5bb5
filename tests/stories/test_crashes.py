"""Killed before and after every statement and every commit: all of it is there or nothing, and a repetition answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow import Arrived
from authflow.adapters.sql.tap import Kind
from authflow.events.save import Created, Identical
from authflow.facts.records import MailKind
from authflow.testing.crashes import deaths, undisturbed
from authflow.values import NOBODY, ProjectId
from tests.stage import CONTEXT, Stage
from tests.stories.crashing import (
    ACME,
    FLOWS,
    Draw,
    PostgresqlDatabase,
    SqliteDatabase,
    acting,
    changed,
    protected,
    shown,
)

if TYPE_CHECKING:
    from authflow.facts.records import Mail
    from authflow.testing.crashes import Death, Outside

DATABASES: Final = {"sqlite": SqliteDatabase, "postgresql": PostgresqlDatabase}

KEYED: Final = attrs.evolve(CONTEXT, idempotency_key="k-1")


@attrs.frozen
class Scene:
    """A stage that is put back before each run."""

    stage: Stage
    database: Any


@pytest.fixture
def backend() -> str:
    """Where a test does not say it."""
    return "sqlite"


@pytest.fixture
def scene(request: pytest.FixtureRequest, backend: str) -> Scene:
    stage = Stage(request.getfixturevalue(f"{backend}_uow"), entropy=Draw())
    return Scene(stage, DATABASES[backend](stage.uow))


def is_over(death: Death) -> bool:
    """Tell whether the database had said that it committed."""
    return (death.point.kind, death.point.side) == (Kind.COMMIT, "after")


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("backend", DATABASES)
def test_all_or_nothing_and_one_answer(scene: Scene, backend: str, flow: str):  # the fixture reads it
    """Done: another try changes nothing and is told the very answer that was lost. Not done: it is done now, once."""
    stage, database = scene.stage, scene.database
    ask = FLOWS[flow](stage)
    database.save()
    before = database.rows()
    act = acting(stage, lambda: ask(KEYED))
    life = undisturbed(act, prepare=database.restore)
    after = database.rows()
    assert before != after
    assert [point.kind for point in life.points].count(Kind.COMMIT) == 2, "one transaction, heard on both sides"
    died = 0
    for death in deaths(act, prepare=database.restore):
        died += 1
        left = database.rows()
        assert left == (after if is_over(death) else before), (death.name, changed(before, left))
        stage.entropy.begin("other" if is_over(death) else "first")
        assert shown(ask(KEYED)) == life.returned, death.name
        assert database.rows() == after, (death.name, changed(after, database.rows()))
    assert died == len(life.points)


# --- what is no command with a key ------------------------------------------------------------------------------------


def test_a_sign_in_without_a_browser_session_is_done_anew(scene: Scene):
    """Nobody can be told from anybody else: the value that was lost with the answer opens nothing for anybody."""
    stage, database = scene.stage, scene.database
    ada = stage.person()
    proof = stage.password()

    def ask() -> Any:
        return stage.flows.sessions.establish(NOBODY, KEYED, user=ada.user, proof=proof)

    database.save()
    before = database.rows()
    for death in deaths(acting(stage, ask), prepare=database.restore):
        assert (database.rows() == before) is not is_over(death), death.name
        stage.entropy.begin("other")
        answer = ask()
        assert isinstance(answer, Arrived), death.name
        assert stage.flows.sessions.identify(answer.session).user == ada.user
        assert database.rows()["authflow_session"].total() == 1 + is_over(death)


def test_an_event_is_saved_once_under_its_own_id(scene: Scene):
    """Saved again it is the very same: nobody is told twice, nothing is counted twice."""
    stage, database = scene.stage, scene.database
    project = stage.project(ProjectId("web"), ACME, security=False)
    event = {"event_id": "c" * 32, "type": "generic", "platform": "python", "timestamp": stage.clock.now().isoformat()}

    def ask() -> Any:
        return stage.flows.events.save(project, event)

    database.save()
    act = acting(stage, ask)
    before = database.rows()
    undisturbed(act, prepare=database.restore)
    after = database.rows()
    assert before != after
    for death in deaths(act, prepare=database.restore):
        assert database.rows() == (after if is_over(death) else before), death.name
        assert isinstance(ask(), Identical if is_over(death) else Created), death.name
        assert len(stage.flows.events.latest(project)) == 1, death.name
        again = database.rows()
        assert again["authflow_outbox"].total() == after["authflow_outbox"].total(), death.name


class Post:
    """A mailer that no rollback reaches: what it sent is known outside the process, whatever becomes of that."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def send(self, mail: Mail) -> None:
        self._outside.tell(mail.id)


def test_a_relay_that_dies_loses_nothing_and_repeats_only_the_same_message(scene: Scene):
    """At least once, in the order of the lane; whoever comes after the lease sends the rest."""
    stage, database = scene.stage, scene.database
    ada = protected(stage)
    stage.flows.relay.drain_until_quiet()
    ada.browser.ask(stage.flows.mfa.regenerate_codes, CONTEXT)
    ada.browser.ask(stage.flows.mfa.remove, CONTEXT, ada.factor)
    database.save()

    def act(outside: Outside) -> None:
        stage.uow.tap, stage.mailer = outside.tap, Post(outside)
        stage.open(stage.ring).relay.drain()

    due = undisturbed(act, prepare=database.restore).told
    assert len(due) == len(set(due)) == 2
    begun, died = stage.clock.now(), 0
    for death in deaths(act, prepare=database.restore):
        died += 1
        stage.clock.set(begun + stage.policy.outbox.lease + stage.policy.outbox.longest_delay)
        stage.mailer.sent.clear()
        stage.flows.relay.drain_until_quiet()
        sent = [*death.told, *(mail.id for mail in stage.mailer.sent)]
        assert tuple(dict.fromkeys(sent)) == due, death.name
        assert max(Counter(sent).values()) <= 2, death.name
        assert not {"authflow_outbox", "authflow_outbox_lane", "authflow_outbox_parked"} & database.rows().keys()
        stage.clock.set(begun)
    assert died >= 20


def test_a_sweep_over_members_goes_on_where_it_died(scene: Scene):
    """Each member is a transaction of its own: whole or not at all, and nobody is demoted or mailed twice."""
    stage, database = scene.stage, scene.database
    olga = stage.owner(stage.organization(ACME))
    people = [stage.person(f"p{number}@example.com") for number in range(2)]
    for person in people:
        stage.flows.members.add(CONTEXT, organization=ACME, user=person.user)
    stage.change(ACME, require_second_factor=True)
    session = olga.browser.session

    def ask() -> Any:
        return stage.flows.members.enforce(session, CONTEXT, organization=ACME)

    def fates() -> tuple[int, int]:
        return len(stage.members(ACME)), stage.audited_in(ACME).count("member_pending")

    database.save()
    seen = set()
    for death in deaths(acting(stage, ask), prepare=database.restore):
        left, demoted = fates()
        assert left + demoted == 1 + len(people), death.name
        seen.add(demoted)
        ask()
        assert fates() == (1, len(people)), death.name
        assert len(stage.mails(MailKind.SETUP_SECOND_FACTOR)) == len(people), death.name
        stage.mailer.sent.clear()
    assert seen == set(range(len(people) + 1))
