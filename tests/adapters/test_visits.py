"""What is read beside a session's row: believed as long as it must be true, and read again where it may not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest

from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.membership.consent import Given, NoConsent
from authflow.mfa.factor import Enrolled
from authflow.mfa.kinds import TOTP
from authflow.ports import Account, Stored, User, UserAddress
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.testing.samples.consent import CLICK
from authflow.testing.samples.mfa import authenticator
from authflow.testing.samples.sessions import ANNE, anonymous, proof, signed_in
from authflow.values import Address, Method, SessionId, UserId

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.adapters.sql.tap import Event
    from authflow.adapters.sql.transaction import SqlTransaction

HERE = signed_in(proof(Method.PASSWORD))
ROW = HERE.handle.id

PERSON = User(
    id=ANNE,
    label="anne",
    addresses=(
        UserAddress(address=Address("anne@example.org"), primary=True, verified_at=START),
        UserAddress(address=Address("anne@work.example"), primary=False),
    ),
)


class Heard:
    """Keeps the text of every statement that is run."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def before(self, event: Event) -> None:
        if event.kind.name == "STATEMENT":
            self.statements.append(event.text)

    def after(self, event: Event) -> None:
        """Nothing more is to be learned from it."""


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def uow(request: pytest.FixtureRequest) -> SqlUnitOfWork:
    made: SqlUnitOfWork = request.getfixturevalue(f"{request.param}_uow")
    with made.begin() as tx:
        tx.users.add(PERSON)
        tx.accounts.lock(ANNE)
        tx.accounts.save(Account(user=ANNE, epoch=7))
        tx.sessions.add(HERE)
        tx.consents.save(ROW, Given(click=CLICK, user=ANNE), expected=0)
    return made


READS: dict[str, Callable[[SqlTransaction], Any]] = {
    "account": lambda tx: tx.accounts.read(ANNE),
    "click": lambda tx: tx.consents.load(ROW),
    "person": lambda tx: tx.users.get(ANNE),
}


@pytest.mark.parametrize("name", READS)
def test_what_was_read_beside_a_session_is_what_a_statement_of_its_own_reads(uow: SqlUnitOfWork, name: str):
    with uow.begin() as tx:
        alone = READS[name](tx)
    with uow.begin() as tx:
        tx.sessions.load(ROW)
        tx.connection.guard.tap = heard = Heard()
        assert READS[name](tx) == alone
        assert heard.statements == []


def test_nothing_beside_a_session_is_known_to_be_nothing(uow: SqlUnitOfWork):
    """A person who is gone, an account that nobody made, no click: none of them is asked for again."""
    with uow.begin() as tx:
        tx.users.remove(ANNE)
        tx.accounts.remove(ANNE)
        tx.consents.save(ROW, NoConsent(), expected=1)
    with uow.begin() as tx:
        tx.sessions.load(ROW)
        tx.connection.guard.tap = heard = Heard()
        assert tx.users.get(ANNE) is None
        assert tx.accounts.read(ANNE) == Account(user=ANNE, epoch=1)
        assert tx.consents.load(ROW) == Stored(NoConsent(), 0)
        assert heard.statements == []
        assert tx.accounts.lock(ANNE) == Account(user=ANNE, epoch=1)
        assert heard.statements[0].startswith("INSERT"), "the row has to be made"


def test_a_row_without_a_person_has_nobody_beside_it(uow: SqlUnitOfWork):
    with uow.begin() as tx:
        tx.sessions.save(anonymous(), expected=1)
    with uow.begin() as tx:
        assert tx.sessions.load(ROW) == Stored(anonymous(), 2)
        assert tx.consents.load(ROW).version == 1
        assert tx.users.get(ANNE) == PERSON


def test_no_click_waits_in_a_session_that_is_new(uow: SqlUnitOfWork):
    fresh = attrs.evolve(HERE, handle=attrs.evolve(HERE.handle, id=SessionId("fresh")))
    with uow.begin() as tx:
        tx.sessions.add(fresh)
        tx.connection.guard.tap = heard = Heard()
        assert tx.consents.load(fresh.handle.id) == Stored(NoConsent(), 0)
        assert heard.statements == []
        tx.consents.save(fresh.handle.id, Given(click=CLICK, user=ANNE), expected=0)
        assert tx.consents.load(fresh.handle.id).version == 1


def test_what_a_transaction_changes_it_reads_anew(uow: SqlUnitOfWork):
    with uow.begin() as tx:
        tx.sessions.load(ROW)
        tx.users.save(attrs.evolve(PERSON, active=False))
        assert tx.users.get(ANNE) == attrs.evolve(PERSON, active=False)
        tx.consents.save(ROW, NoConsent(), expected=1)
        assert tx.consents.load(ROW) == Stored(NoConsent(), 0)
        tx.consents.save(ROW, Given(click=CLICK, user=ANNE), expected=0)
        assert tx.consents.load(ROW).version == 1
        tx.consents.remove_of_user(ANNE)
        assert tx.consents.load(ROW) == Stored(NoConsent(), 0)
        tx.accounts.lock(ANNE)
        tx.accounts.save(Account(user=ANNE, epoch=8))
        assert tx.accounts.read(ANNE).epoch == 8
        tx.accounts.remove(ANNE)
        assert tx.accounts.read(ANNE).epoch == 1


@pytest.mark.parametrize("uow", ["postgresql", "mariadb"], indirect=True)
def test_what_changed_before_the_lock_was_had_is_read_again(uow: SqlUnitOfWork):
    """Whoever held the lock may have changed all of it."""
    other = SqlUnitOfWork(uow.engine, uow.tables)
    with uow.begin() as tx:
        tx.sessions.load(ROW)
        with other.begin() as meanwhile:
            meanwhile.accounts.lock(ANNE)
            meanwhile.accounts.save(Account(user=ANNE, epoch=8))
            meanwhile.users.save(attrs.evolve(PERSON, active=False))
            meanwhile.consents.save(ROW, NoConsent(), expected=1)
        assert tx.accounts.lock(ANNE).epoch == 8
        assert tx.users.get(ANNE) == attrs.evolve(PERSON, active=False)
        assert tx.consents.load(ROW) == Stored(NoConsent(), 0)


@pytest.mark.parametrize("uow", ["postgresql", "mariadb"], indirect=True)
def test_what_a_code_is_judged_by_is_read_again_behind_the_lock(uow: SqlUnitOfWork):
    """How often somebody failed, and what they have: also if it was on its way when the lock was waited for."""
    other = SqlUnitOfWork(uow.engine, uow.tables)

    def fail() -> None:
        with other.begin() as meanwhile:
            meanwhile.attempts.count("failures", expires_at=START)
            meanwhile.factors.save(ANNE, TOTP.id, Enrolled(authenticator=authenticator()), expected=0)

    def judge() -> tuple[int, bool]:
        with uow.begin() as tx:
            assert tx.attempts.read("failures") == 0
            tx.devices.of_user(ANNE)
            other.run(fail)
            tx.accounts.lock(ANNE)
            return tx.attempts.read("failures"), bool(tx.factors.of_user(ANNE).primaries())

    assert uow.run(judge) == (1, True)


def test_a_total_is_read_once_and_counted_on_in_memory_where_nobody_else_can(uow: SqlUnitOfWork):
    def count() -> list[str]:
        with uow.begin() as tx:
            tx.connection.guard.tap = heard = Heard()
            assert [tx.attempts.read("failures") for _ in range(2)] == [0, 0]
            assert [tx.attempts.count("failures", expires_at=START) for _ in range(3)] == [1, 2, 3]
            assert tx.attempts.read("failures") == 3
            return [text.split()[0] for text in heard.statements]

    alone = uow.engine.dialect.name == "sqlite"
    assert uow.run(count) == (["SELECT"] if alone else ["SELECT", "INSERT"])
    with uow.begin() as tx:
        assert tx.attempts.read("failures") == 3


def test_what_is_read_behind_a_lock_is_what_its_last_holder_left(uow: SqlUnitOfWork):
    """However many wait for it in the middle of a trip, nothing that one of them writes is lost."""

    def write(_number: int) -> None:
        with uow.begin() as tx:
            tx.sessions.load(ROW)
            account = tx.accounts.lock(ANNE)
            stored = tx.sessions.load(ROW)
            assert stored is not None
            tx.accounts.save(attrs.evolve(account, epoch=account.epoch + 1))
            tx.sessions.save(stored.state, expected=stored.version)

    at_once(write)
    with uow.begin() as tx:
        after = tx.sessions.load(ROW)
        assert (tx.accounts.read(ANNE).epoch, after and after.version) == (7 + THREADS, 1 + THREADS)


@pytest.mark.parametrize("uow", ["postgresql", "mariadb"], indirect=True)
def test_a_person_is_locked_also_if_their_session_went_meanwhile(uow: SqlUnitOfWork):
    other = SqlUnitOfWork(uow.engine, uow.tables)
    with uow.begin() as tx:
        tx.sessions.load(ROW)
        with other.begin() as meanwhile:
            meanwhile.sessions.remove_of_user(ANNE)
        assert tx.accounts.lock(ANNE) == Account(user=ANNE, epoch=7)
        assert tx.sessions.load(ROW) is None


@pytest.mark.parametrize("uow", ["postgresql", "mariadb"], indirect=True)
def test_a_lock_of_one_reads_the_accounts_of_others_again(uow: SqlUnitOfWork):
    other = SqlUnitOfWork(uow.engine, uow.tables)
    with uow.begin() as tx:
        tx.sessions.load(ROW)
        with other.begin() as meanwhile:
            meanwhile.accounts.lock(ANNE)
            meanwhile.accounts.save(Account(user=ANNE, epoch=8))
        tx.accounts.lock(UserId("ben"))
        assert tx.accounts.read(ANNE).epoch == 8


@pytest.mark.parametrize("uow", ["sqlite"], indirect=True)
def test_where_nobody_else_writes_what_was_read_is_locked_without_a_statement(uow: SqlUnitOfWork):
    with uow.begin() as tx:
        tx.sessions.load(ROW)
        tx.connection.guard.tap = heard = Heard()
        assert tx.accounts.lock(ANNE) == Account(user=ANNE, epoch=7)
        assert heard.statements == []
