"""A database that is locked, gone, read-only or without tables, through the facade: an error of ours, nothing lost."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import sqlalchemy as sa

from authflow import CATALOGUE, Enrolled, InvitationFate, RequirementsOpen
from authflow.adapters.keys import KeyRing
from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tables import build
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import Code, DatabaseError, DatabaseReadOnly, DatabaseUnavailable, Retryable, SchemaMissing
from authflow.testing.browsers import Phone, installed
from tests.stage import CONTEXT, STEP, Stage, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authflow.wiring import Authflow
    from tests.stage import Person

UNREACHABLE = {
    "sqlite": "sqlite:////nowhere/at/all/app.db",
    "postgresql": "postgresql://127.0.0.1:1/nowhere",
    "mariadb": "mariadb://127.0.0.1:1/nowhere",
}
READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET default_transaction_read_only = on",
    "mariadb": "SET SESSION tx_read_only = ON",
}
IMPATIENT = {
    "sqlite": "PRAGMA busy_timeout = 1",
    "postgresql": "SET lock_timeout = 1",
    "mariadb": "SET lock_wait_timeout = 0",
}

FAULTS: dict[str, type[DatabaseError]] = {
    "locked": Retryable,
    "gone": DatabaseUnavailable,
    "read-only": DatabaseReadOnly,
    "without tables": SchemaMissing,
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.getfixturevalue(f"{request.param}_uow"))


@pytest.fixture
def broken(stage: Stage) -> Iterator[Callable[[str], Authflow]]:
    """Open the same installation on a database with a fault."""
    with ExitStack() as undo:
        yield lambda fault: undo.enter_context(_broken(stage, fault))


@contextmanager
def _broken(stage: Stage, fault: str) -> Iterator[Authflow]:
    whole: sa.Engine = stage.uow.engine
    kind = whole.dialect.name
    url = UNREACHABLE[kind] if fault == "gone" else whole.url.render_as_string(hide_password=False)
    engine = make_engine(url)
    setting = {"read-only": READ_ONLY, "locked": IMPATIENT}.get(fault, {}).get(kind)
    if setting is not None:
        sa.event.listen(engine, "connect", lambda raw, _: (raw.cursor().execute(setting), raw.commit()))
    tables = build(prefix="missing_") if fault == "without tables" else stage.uow.tables
    with ExitStack() as held:
        if fault == "locked":
            other = held.enter_context(whole.connect())
            other.begin()
            held.callback(other.rollback)
            if kind == "postgresql":
                every = ", ".join(stage.uow.tables.metadata.tables)
                other.exec_driver_sql(f"LOCK TABLE {every} IN ACCESS EXCLUSIVE MODE")
            if kind == "mariadb":
                every = ", ".join(f"{name} WRITE" for name in stage.uow.tables.metadata.tables)
                other.exec_driver_sql(f"LOCK TABLES {every}")
                held.callback(other.exec_driver_sql, "UNLOCK TABLES")
        held.callback(engine.dispose)
        parts = {"clock": stage.clock, "mailer": stage.mailer, "ring": stage.ring, "policy": stage.policy}
        yield installed(SqlUnitOfWork(engine, tables), **parts)


@attrs.frozen(kw_only=True)
class Scene:
    stage: Stage
    ada: Person
    begun: Any
    code: str

    def commands(self, flows: Authflow) -> dict[str, Callable[[], Any]]:
        session = self.ada.browser.session
        return {
            "complete_totp": lambda: flows.mfa.complete_totp(session, CONTEXT, self.begun.flow, code=self.code),
            "begin_totp": lambda: flows.mfa.begin_totp(session, CONTEXT, account="a"),
            "verify": lambda: flows.mfa.verify(session, CONTEXT, "totp", "123456"),
            "establish": lambda: flows.sessions.establish(
                session, CONTEXT, user=self.ada.user, proof=self.stage.password()
            ),
            "sign_out": lambda: flows.sessions.sign_out(session, CONTEXT),
            "resume": lambda: flows.invitations.resume(session, CONTEXT),
            "delete": lambda: flows.accounts.delete(session, CONTEXT, user=self.ada.user),
            "add": lambda: flows.members.add(CONTEXT, organization="acme", user=self.ada.user),
            "sweep": flows.upkeep.sweep,
        }


@pytest.fixture
def scene(stage: Stage) -> Scene:
    """Ada's click waits, and her proof is one call away."""
    acme = stage.organization(require_second_factor=True)
    letter = stage.invite(stage.owner(acme), acme, "ada@example.com")
    ada = stage.person()
    assert isinstance(stage.waiting(ada, letter), RequirementsOpen)
    begun = stage.begin(ada)
    return Scene(stage=stage, ada=ada, begun=begun, code=Phone(begun.secret).code(stage.clock.now()))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_database_is_an_error_of_ours_and_nothing_is_lost(
    scene: Scene, broken: Callable[[str], Authflow], fault: str
):
    stage = scene.stage
    before = stage.snapshot() if fault != "locked" else None
    for name, command in scene.commands(broken(fault)).items():
        with pytest.raises(DatabaseError) as raised:
            command()
        assert isinstance(raised.value, FAULTS[fault]), (name, raised.value)
        assert raised.value.code in CATALOGUE
        assert "authflow_" not in str(raised.value), name
    if before is not None:
        assert written(before, stage.snapshot()) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_command_works_when_the_database_does(scene: Scene, broken: Callable[[str], Authflow], fault: str):
    with _broken(scene.stage, fault) as flows, pytest.raises(FAULTS[fault]):
        scene.commands(flows)["complete_totp"]()
    answer = scene.commands(scene.stage.flows)["complete_totp"]()
    assert isinstance(answer, Enrolled)
    assert answer.invitation.fate is InvitationFate.JOINED
    assert broken is not None


# --- keys and ciphertexts ---------------------------------------------------------------------------------------------


@pytest.fixture
def protected(stage: Stage) -> Person:
    ada = stage.person()
    stage.sign_in(ada)
    stage.enroll(ada)
    stage.clock.advance(STEP)
    return ada


def test_a_lost_key_is_never_a_wrong_code_and_costs_nothing(stage: Stage, protected: Person):
    stage.flows = stage.open(KeyRing.generate(stage.entropy, stage.clock.now()))
    right = protected.app.code(stage.clock.now())
    with stage.writes():
        for code in (right, "000000"):
            assert stage.verify(protected, "totp", code).code is Code.MFA_SECRET_UNAVAILABLE
    assert stage.verify(protected, "recovery", protected.codes[0]).code is Code.MFA_CODE_REJECTED
    begun = stage.begin(protected)
    assert isinstance(stage.complete(protected, begun), Enrolled), "a new secret is the way on"


def test_a_damaged_ciphertext_is_never_a_wrong_code(stage: Stage, protected: Person):
    with stage.uow.begin() as tx:
        stored = tx.factors.of_user(protected.user).factors["totp"]
        whole = stored.state.authenticator.secret
        torn = attrs.evolve(whole, ciphertext=whole.ciphertext[:-1] + bytes([255 - whole.ciphertext[-1]]))
        damaged = attrs.evolve(stored.state, authenticator=attrs.evolve(stored.state.authenticator, secret=torn))
        tx.factors.save(protected.user, "totp", damaged, expected=stored.version)
    with stage.writes():
        answer = stage.verify(protected, "totp", protected.app.code(stage.clock.now()))
    assert answer.code is Code.MFA_SECRET_UNAVAILABLE
