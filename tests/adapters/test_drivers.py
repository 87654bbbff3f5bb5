"""Drivers beside those of the other suites: on engines and connections that a host brings, and under the async face."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
import sqlalchemy as sa

from authflow import Arrived, Code, Enrolled, InvitationFate, Refused, SecondFactorOwed
from authflow.adapters.sql.asynchronous import bridge, make_async_engine
from authflow.adapters.sql.engine import prepare
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import (
    AuthflowError,
    CommitUnknown,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    NoTransaction,
    Retryable,
    SchemaMissing,
    UniqueViolated,
)
from authflow.ports import User
from authflow.testing.browsers import Browser, Phone
from authflow.testing.contracts.threads import at_once
from authflow.testing.contracts.unit_of_work import UnitOfWorkContract
from authflow.values import UserId
from tests.adapters.test_within import (  # noqa: F401  # the fixture, and tests that run once more on these drivers
    bare,
    begin_by_hand,
    host,
    standing,
    test_a_host_may_commit_in_between,
    test_a_refused_statement_leaves_the_host_its_connection,
    test_an_error_undoes_our_savepoint_only,
    test_the_hosts_commit_is_ours,
    test_the_hosts_rollback_is_ours_where_we_came_first,
)
from tests.backends import require
from tests.faces import awaited
from tests.stage import CONTEXT, STEP, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faces import Loop

BROUGHT: Final = {"postgresql+psycopg2": "psycopg2", "mariadb+mysqldb": "MySQLdb"}
"""Drivers of a host's own engine or connection, and their modules. `make_engine` opens no URL with them."""

AWAITED: Final = "postgresql+psycopg_async"
"""The async face's other driver on PostgreSQL; all services run through asyncpg elsewhere."""

ANNE = UserId("anne")

GUESTS: Final = 4
"""Fewer than guesses are allowed."""


@attrs.frozen(kw_only=True)
class Driven:
    """One database, reached by the driver that is tested; *plain* reaches it by the one of the other suites."""

    name: str
    plain: SqlUnitOfWork
    loop: Loop
    left: ExitStack

    def open(self, *, setting: str = "", prefix: str = "authflow_", **changed: Any) -> SqlUnitOfWork:
        """Return a unit of work, perhaps with a *setting* of each session, other tables, or another server."""
        engine = self._engine(self.plain.engine.url.set(drivername=self.name, **changed))
        if setting:
            sa.event.listen(engine, "connect", lambda raw, _: (raw.cursor().execute(setting), raw.commit()))
        return SqlUnitOfWork(engine, build(prefix=prefix))

    def run(self, command: Callable[[], Any]) -> Any:
        """Run *command* as the driver's face does."""
        return self.loop.wait(bridge(command)) if self.name == AWAITED else command()

    def stage(self) -> Stage:
        uow = self.open()
        return Stage(self.plain, face=(uow, self.loop)) if self.name == AWAITED else Stage(uow)

    def _engine(self, url: sa.URL) -> sa.Engine:
        if self.name == AWAITED:
            made = make_async_engine(url.render_as_string(hide_password=False))
            self.left.callback(lambda: self.loop.wait(made.dispose()))
            return made.sync_engine
        engine = sa.create_engine(url)
        prepare(engine)
        self.left.callback(engine.dispose)
        return engine


@contextmanager
def driving(request: pytest.FixtureRequest, name: str) -> Iterator[Driven]:
    """Give the driver of that *name* to the block, and close what it opened."""
    module = BROUGHT.get(name)
    if module is not None and find_spec(module) is None:
        require(f"{module} is not installed")
    plain = request.getfixturevalue(f"{name.partition('+')[0]}_uow")
    with ExitStack() as left:
        yield Driven(name=name, plain=plain, loop=request.getfixturevalue("loop"), left=left)


@pytest.fixture(params=[*BROUGHT, AWAITED])
def driven(request: pytest.FixtureRequest) -> Iterator[Driven]:
    """Each of the drivers."""
    with driving(request, request.param) as found:
        yield found


# --- the unit of work


class TestMysqlclientUnitOfWork(UnitOfWorkContract):
    @pytest.fixture
    def uow(self, request: pytest.FixtureRequest) -> Iterator[SqlUnitOfWork]:
        with driving(request, "mariadb+mysqldb") as found:
            yield found.open()


class TestPsycopg2UnitOfWork(UnitOfWorkContract):
    @pytest.fixture
    def uow(self, request: pytest.FixtureRequest) -> Iterator[SqlUnitOfWork]:
        with driving(request, "postgresql+psycopg2") as found:
            yield found.open()


class TestPsycopgAsyncUnitOfWork(awaited(UnitOfWorkContract)):
    """As a command of the async face runs."""

    @pytest.fixture
    def uow(self, request: pytest.FixtureRequest) -> Iterator[SqlUnitOfWork]:
        with driving(request, AWAITED) as found:
            self.loop = found.loop
            yield found.open()


# --- flows


def test_somebody_is_invited_enrolls_joins_and_comes_back(driven: Driven):
    stage = driven.stage()
    acme = stage.organization(require_second_factor=True)
    olga, ada = stage.owner(acme), stage.person()
    stage.waiting(ada, stage.invite(olga, acme, "ada@example.com"))
    enrolled = stage.enroll(ada)
    assert isinstance(enrolled, Enrolled)
    assert enrolled.invitation.fate is InvitationFate.JOINED
    assert ada.user in {member.user for member in stage.members(acme)}

    stage.clock.advance(STEP)
    browser, code = Browser(CONTEXT), ada.app.code(stage.clock.now())
    assert isinstance(stage.sign_in(ada, browser), SecondFactorOwed)
    wrong = stage.verify(ada, "totp", ada.app.wrong(stage.clock.now()), browser)
    assert (wrong.code, wrong.attempts_left) == (Code.MFA_CODE_REJECTED, 9)
    assert isinstance(stage.verify(ada, "totp", code, browser), Arrived)
    stage.sign_in(ada, other := Browser(CONTEXT))
    assert stage.verify(ada, "totp", code, other).code is Code.MFA_CODE_REJECTED
    assert isinstance(stage.verify(ada, "recovery", ada.codes[0], other), Arrived)

    audited = stage.audited(ada)
    assert audited[-1] == "login_succeeded"
    assert stage.flows.relay.drain_until_quiet() is not None
    stage.flows.upkeep.sweep()
    assert stage.audited(ada) == audited


def test_a_command_that_is_repeated_has_one_effect(driven: Driven):
    stage = driven.stage()
    ada = stage.person()
    stage.sign_in(ada)
    begun = stage.begin(ada)
    session, keyed = ada.browser.session, attrs.evolve(CONTEXT, idempotency_key="7a0c7f7e-1")
    code = Phone(begun.secret).code(stage.clock.now())
    first = stage.flows.mfa.complete_totp(session, keyed, begun.flow, code=code)
    assert isinstance(first, Enrolled)
    with stage.writes():
        assert stage.flows.mfa.complete_totp(session, keyed, begun.flow, code=code) == first


def test_one_of_many_at_once_gets_in_with_a_recovery_code(driven: Driven):
    """What decides is how the driver tells of rows that were written."""
    stage = driven.stage()
    ada = stage.person()
    stage.sign_in(ada)
    stage.enroll(ada)
    browsers = [Browser(CONTEXT) for _ in range(GUESTS)]
    for browser in browsers:
        stage.sign_in(ada, browser)
    answers = at_once(lambda n: stage.verify(ada, "recovery", ada.codes[0], browsers[n]), threads=GUESTS)
    assert [type(answer) for answer in answers].count(Arrived) == 1
    assert {answer.code for answer in answers if isinstance(answer, Refused)} == {Code.MFA_CODE_REJECTED}


# --- what goes wrong


def write(uow: SqlUnitOfWork, label: str = "anne") -> None:
    with uow.begin() as tx:
        tx.users.add(User(id=ANNE, label=label))


@contextmanager
def refused(kind: type[AuthflowError]) -> Iterator[None]:
    """The block raises exactly *kind*, which quotes nothing of the driver's."""
    with pytest.raises(AuthflowError) as raised:
        yield
    assert type(raised.value) is kind
    assert raised.value.__cause__ is not None
    assert "INSERT" not in str(raised.value)


def end(driven: Driven, tx: Any) -> None:
    """End the session of *tx* from the server's side, and wait until it is gone."""
    postgresql = driven.name.startswith("postgresql")
    asked = "pg_backend_pid()" if postgresql else "CONNECTION_ID()"
    number = tx.connection.run(sa.text(f"SELECT {asked}")).scalar_one()
    kill = f"SELECT pg_terminate_backend({number}, 5000)" if postgresql else f"KILL CONNECTION {number}"
    with driven.plain.engine.connect() as other:
        other.exec_driver_sql(kill)
        while not postgresql and number in other.exec_driver_sql("SHOW PROCESSLIST").scalars().all():
            time.sleep(0.01)


def test_a_session_that_was_ended(driven: Driven):
    uow = driven.open()

    def command() -> None:
        with uow.begin() as tx:
            end(driven, tx)
            tx.users.get(ANNE)

    with refused(DatabaseUnavailable):
        driven.run(command)
    driven.run(lambda: write(uow))


def test_a_session_that_was_ended_before_its_commit(driven: Driven):
    uow = driven.open()

    def command() -> None:
        with uow.begin() as tx:
            tx.users.add(User(id=ANNE, label="anne"))
            tx.flush()
            end(driven, tx)

    with refused(CommitUnknown):
        driven.run(command)
    with driven.plain.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_a_server_that_is_not_there(driven: Driven):
    uow = driven.open(host="127.0.0.1", port=1, query={})
    with refused(DatabaseUnavailable):
        driven.run(lambda: write(uow))


def test_a_lock_that_is_not_granted(driven: Driven):
    postgresql = driven.name.startswith("postgresql")
    uow = driven.open(setting="SET lock_timeout = 1" if postgresql else "SET SESSION innodb_lock_wait_timeout = 0")

    def lock() -> None:
        with uow.begin() as tx:
            tx.accounts.lock(ANNE)

    with driven.plain.begin() as tx:
        tx.accounts.lock(ANNE)
        with refused(Retryable):
            driven.run(lock)
    driven.run(lock)


def test_a_session_that_may_only_read(driven: Driven):
    postgresql = driven.name.startswith("postgresql")
    setting = "SET default_transaction_read_only = on" if postgresql else "SET SESSION tx_read_only = ON"
    uow = driven.open(setting=setting)
    with refused(DatabaseReadOnly):
        driven.run(lambda: write(uow))


def test_no_tables(driven: Driven):
    uow = driven.open(prefix="absent_")
    with refused(SchemaMissing):
        driven.run(lambda: write(uow))


def test_a_violated_rule_has_its_name(driven: Driven):
    uow = driven.open()
    driven.run(lambda: write(uow))
    with pytest.raises(UniqueViolated) as raised:
        driven.run(lambda: write(uow))
    assert raised.value.rule == "primary_key"


@pytest.mark.parametrize("label", ["\ud800", "a" * 255], ids=["surrogate", "too long"])
def test_values_that_cannot_be_stored(driven: Driven, label: str):
    """Nothing is cut or replaced on the way."""
    uow = driven.open()
    with refused(DatabaseError):
        driven.run(lambda: write(uow, label))
    with driven.plain.begin() as tx:
        assert tx.users.get(ANNE) is None


# --- inside a host's transaction


@pytest.fixture(params=BROUGHT)
def uow(request: pytest.FixtureRequest) -> Iterator[SqlUnitOfWork]:
    """The drivers that a host brings, in a database that also has a table of the host's."""
    with driving(request, request.param) as found:
        with found.plain.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE note (text VARCHAR(40) PRIMARY KEY)")
        yield found.open()
        found.plain.engine.dispose()
    with found.plain.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE note")


def test_a_connection_that_commits_by_itself_is_refused(uow: SqlUnitOfWork):
    """Unless a transaction was begun by hand; each driver tells that in another way."""
    with closing(bare(uow)) as raw:
        if uow.engine.dialect.name == "mariadb":
            raw.autocommit(True)  # noqa: FBT003  # mysqlclient's own signature
        else:
            raw.autocommit = True
        with uow.within(raw):
            with pytest.raises(NoTransaction):
                write(uow)
            begin_by_hand(raw)
            write(uow)
            raw.rollback()
    assert standing(uow) == (set(), set())


def test_a_connection_of_the_driver_joins_an_installation_on_the_usual_one(
    uow: SqlUnitOfWork, request: pytest.FixtureRequest
):
    """As Django's does, where the installation was opened from a URL."""
    usual: SqlUnitOfWork = request.getfixturevalue(f"{uow.engine.dialect.name}_uow")
    with closing(bare(uow)) as raw:
        for ending in (raw.rollback, raw.commit):
            with usual.within(raw):
                write(usual)
            ending()
            assert standing(usual)[0] == ({ANNE} if ending == raw.commit else set())
