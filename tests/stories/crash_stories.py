"""The stories of `test_crashes`, each told in a process that has imported this module, and nothing but it.

A fork copies the page tables, thousands of times: those of a process that collected the whole suite are four times as
long. An assertion names the death at which it failed, since nothing rewrites it here.
"""

from __future__ import annotations

import gc
import warnings
from collections import Counter
from copy import copy
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self

import attrs

from authflow import Arrived
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.tap import Kind
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
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
from tests.stories.small_scenes import HOSTS, SMALL, TIMED

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.facts.records import Mail
    from authflow.testing.crashes import Death, Outside

P = ParamSpec("P")

DATABASES: Final = {"sqlite": SqliteDatabase, "postgresql": PostgresqlDatabase}

KEYED: Final = attrs.evolve(CONTEXT, idempotency_key="k-1")


@attrs.frozen
class Scene:
    """A stage that is put back before each run."""

    stage: Stage
    database: Any


class Teller:
    """A new interpreter, for as long as the block lasts."""

    def __init__(self) -> None:
        self._process = get_context("spawn").Pool(1, _begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_ended: object) -> None:
        self._process.terminate()  # and no waiting for a story that hangs, which the test's timeout ended
        self._process.join()

    def tell(self, url: str, story: Callable[Concatenate[Scene, P], None], *given: P.args, **named: P.kwargs) -> None:
        """Tell *story* on the empty database at *url*; what it raises is raised here."""
        self._process.apply(_told, (url, story, *given), named)


def _begin() -> None:
    warnings.simplefilter("error")
    gc.freeze()  # a collection would write to every page that a child shares


@cache
def _installed(url: str) -> SqlUnitOfWork:
    return SqlUnitOfWork(make_engine(url), build())


def _told(url: str, story: Callable[..., None], *given: Any, **named: Any) -> None:
    uow = copy(_installed(url))
    database = DATABASES[uow.engine.dialect.name](uow)
    try:
        story(Scene(Stage(uow, entropy=Draw()), database), *given, **named)
    finally:
        uow.engine.dispose()  # of the next story the file is another one
    uow.require_closed()


# --- the stories ------------------------------------------------------------------------------------------------------


def is_over(death: Death) -> bool:
    """Tell whether the database had said that it committed."""
    return (death.point.kind, death.point.side) == (Kind.COMMIT, "after")


def all_or_nothing(scene: Scene, flow: str) -> None:
    """Done: another try changes nothing and is told the very answer that was lost. Not done: it is done now, once."""
    stage, database = scene.stage, scene.database
    ask = (FLOWS | SMALL)[flow](stage)
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


def host(scene: Scene, command: str) -> None:
    """Done: another try changes nothing. Not done: it is done now, once."""
    stage, database = scene.stage, scene.database
    ask = HOSTS[command](stage)
    database.save()
    before = database.rows()
    act = acting(stage, lambda: ask(CONTEXT))
    undisturbed(act, prepare=database.restore)
    after = database.rows()
    assert before != after
    for death in deaths(act, prepare=database.restore):
        left = database.rows()
        assert left == (after if is_over(death) else before), (death.name, changed(before, left))
        stage.entropy.begin("other" if is_over(death) else "first")
        ask(CONTEXT)
        assert database.rows() == after, (death.name, changed(after, database.rows()))


def timer(scene: Scene, command: str) -> None:
    """It has many transactions: whoever comes next goes on, and in the end all is as if nobody had died."""
    stage, database = scene.stage, scene.database
    ask, seen = TIMED[command](stage)
    database.save()
    before, act = database.rows(), acting(stage, ask)
    undisturbed(act, prepare=database.restore)
    assert database.rows() != before
    expected, died = shown(seen()), 0
    for death in deaths(act, prepare=database.restore):
        died += 1
        stage.entropy.begin(death.name)  # whoever comes next draws other ids than whoever died
        ask()
        assert shown(seen()) == expected, death.name
    assert died > 10


def sign_in(scene: Scene) -> None:
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


def event(scene: Scene) -> None:
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


def relay(scene: Scene) -> None:
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
        stage.entropy.begin(death.name)  # whoever comes next draws other ids than whoever died
        stage.clock.set(begun + stage.policy.outbox.lease + stage.policy.outbox.longest_delay)
        stage.mailer.sent.clear()
        stage.flows.relay.drain_until_quiet()
        sent = [*death.told, *(mail.id for mail in stage.mailer.sent)]
        assert tuple(dict.fromkeys(sent)) == due, death.name
        assert max(Counter(sent).values()) <= 2, death.name
        assert not {"authflow_outbox", "authflow_outbox_lane", "authflow_outbox_parked"} & database.rows().keys()
        stage.clock.set(begun)
    assert died >= 20


def sweep(scene: Scene) -> None:
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
