"""What nobody waits for travels with what somebody waits for, or with COMMIT, and no failure of it is overlooked."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import psycopg
import pytest
import sqlalchemy as sa

from authflow.adapters.sql.engine import make_engine
from authflow.adapters.sql.tap import Event, Kind
from authflow.adapters.sql.unit_of_work import SqlUnitOfWork
from authflow.errors import CommitUnknown, DatabaseError, DatabaseUnavailable, Retryable, UniqueViolated
from authflow.facts.records import Audit, AuditEntry
from authflow.ports import User
from authflow.testing.clocks import START
from authflow.testing.contracts.deeds import Boom
from authflow.values import UserId
from benchmarks.counting import Tally, wire
from tests.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANNE = UserId("anne")


@attrs.frozen
class Wired:
    uow: SqlUnitOfWork
    tally: Tally

    def trips(self, work: Callable[[], object]) -> int:
        """Return how often *work* waited for the server."""
        before = self.tally.round_trips
        work()
        return self.tally.round_trips - before


@pytest.fixture
def wired(postgresql_url: str, postgresql_uow: SqlUnitOfWork) -> Iterator[Wired]:
    tally = Tally()
    with wire(postgresql_url, tally) as uri:
        engine = make_engine(uri)
        uow = SqlUnitOfWork(engine, postgresql_uow.tables)
        with uow.begin() as tx:
            tx.users.get(ANNE)  # connected
        yield Wired(uow, tally)
        engine.dispose()


def entry(number: int) -> AuditEntry:
    return AuditEntry(id=f"{number:026}", at=START, event=Audit.MFA_ADDED, target_user=ANNE)


def written(uow: SqlUnitOfWork) -> list[str]:
    with uow.begin() as tx:
        return sorted(found.id for found in tx.audit.of_user(ANNE))


def test_a_transaction_that_only_writes_is_one_round_trip(wired: Wired):
    def write() -> None:
        with wired.uow.begin() as tx:
            tx.audit.append([entry(1)])
            tx.attempts.clear("guess")

    assert wired.trips(lambda: wired.uow.run(write)) == 1
    assert written(wired.uow) == [entry(1).id]


def test_a_transaction_of_one_statement_is_that_statement(wired: Wired):
    """Alone it is whole or not at all, without BEGIN and COMMIT."""
    before = wired.tally.statements
    with wired.uow.begin() as tx:
        tx.audit.append([entry(1)])
    assert [text.split()[0] for text in wired.tally.log[before:]] == ["INSERT"]
    assert written(wired.uow) == [entry(1).id]


def test_a_transaction_that_does_nothing_asks_nothing(wired: Wired):
    def idle() -> None:
        with wired.uow.begin():
            pass
        with suppress(Boom), wired.uow.begin():
            raise Boom

    assert wired.trips(idle) == 0


def test_nothing_overtakes_what_waits(wired: Wired):
    def write() -> None:
        with wired.uow.begin() as tx:
            tx.attempts.count("guess", expires_at=START + timedelta(hours=1))
            tx.attempts.clear("guess")
            assert tx.attempts.read("guess") == 0
            assert tx.connection.run(sa.text("SELECT count(*) FROM authflow_attempt")).scalar_one() == 0

    assert wired.trips(lambda: wired.uow.run(write)) == 3  # begin and count; clear and look; commit


def test_whoever_looks_asks_and_nothing_else(wired: Wired):
    def look() -> str:
        with wired.uow.begin() as tx:
            return str(tx.connection.run(sa.text("SELECT 'found'")).scalar_one())

    found: list[str] = []
    assert wired.trips(lambda: found.append(wired.uow.look(look))) == 1
    assert found == ["found"]
    with wired.uow.begin() as tx:
        assert tx.connection.raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert tx.connection.raw.autocommit  # ours again, for this transaction


MOVE = sa.text("UPDATE authflow_audit SET id = :moved WHERE id = :which")
GONE = {"which": entry(1).id, "moved": entry(2).id}


def test_a_row_that_is_held_is_changed_with_the_commit(wired: Wired):
    with wired.uow.begin() as tx:
        tx.audit.append([entry(1)])

    def move() -> None:
        with wired.uow.begin() as tx:
            tx.connection.later(MOVE, GONE, one=True)

    assert wired.trips(move) == 1
    assert written(wired.uow) == [entry(2).id]


@pytest.mark.parametrize("behind", [False, True], ids=["at the commit", "at the next question"])
def test_a_row_that_was_held_and_is_gone_lets_nothing_be_committed(wired: Wired, *, behind: bool):
    tries: list[int] = []

    def move() -> None:
        with wired.uow.begin() as tx:
            tries.append(1)
            tx.audit.append([entry(3)])
            tx.connection.later(MOVE, GONE, one=True)
            if behind:
                tx.connection.run(sa.text("SELECT 1"))

    with pytest.raises(Retryable):
        wired.uow.run(move)
    assert len(tries) > 1
    assert written(wired.uow) == []


@pytest.mark.parametrize("finds", [True, False])
def test_a_division_by_zero_is_ours_only_behind_what_has_to_find_its_row(wired: Wired, *, finds: bool):
    """A host's own expression that divides by zero is no race, and is not tried again."""
    with pytest.raises(DatabaseError) as raised, wired.uow.begin() as tx:
        if finds:
            tx.connection.later(MOVE, GONE, one=True)
        tx.connection.run(sa.text("SELECT 1 / 0"))
    assert isinstance(raised.value, Retryable) is finds


ONE, TWO = (sa.select(sa.literal(n)) for n in (1, 2))


def test_what_is_asked_soon_shares_a_trip_and_every_question_has_its_own_answer(wired: Wired):
    answers: list[int] = []

    def ask() -> None:
        with wired.uow.begin() as tx:
            one, two = (tx.connection.soon(statement, {}) for statement in (ONE, TWO))
            answers.append(tx.connection.run(sa.text("SELECT 3")).scalar_one())
            answers.extend((two().scalar_one(), one().scalar_one()))

    assert wired.trips(ask) == 2  # begin and all three; commit
    assert answers == [3, 2, 1]


def test_what_was_asked_soon_is_waited_for_where_nothing_came_between(wired: Wired):
    with wired.uow.begin() as tx:
        assert tx.connection.soon(ONE, {})().scalar_one() == 1


def test_what_was_asked_soon_in_a_savepoint_that_is_undone_is_asked_no_more(wired: Wired):
    with wired.uow.begin() as tx:
        with suppress(Boom), wired.uow.savepoint():
            tx.users.add(User(id=ANNE, label="anne"))
            tx.connection.soon(ONE, {})
            raise Boom
        assert tx.connection.run(TWO).scalar_one() == 2


def test_a_lock_and_what_is_read_behind_it_are_one_trip(wired: Wired):
    """Whoever waits for the lock reads what its holder left, in that very trip."""
    stage = Stage(wired.uow)
    person = stage.person("ben@example.com")
    stage.sign_in(person)
    session = person.browser.session.id

    def lock() -> None:
        with wired.uow.begin() as tx:
            tx.sessions.load(session)
            tx.accounts.lock(person.user)
            tx.sessions.load(session)

    assert wired.trips(lock) == 3  # begin and the row; the lock and the row again; commit


def test_the_end_of_a_savepoint_travels_with_what_follows(wired: Wired):
    def write() -> None:
        with wired.uow.begin() as tx, wired.uow.savepoint(), wired.uow.savepoint():
            tx.users.add(User(id=ANNE, label="anne"))

    assert wired.trips(write) == 2  # begin, both savepoints and the row; both releases and commit


def test_what_follows_a_savepoint_outlives_the_next_one(wired: Wired):
    with wired.uow.begin() as tx:
        with wired.uow.savepoint():
            tx.users.add(User(id=ANNE, label="anne"))
        with suppress(Boom), wired.uow.savepoint():
            tx.audit.append([entry(1)])
            raise Boom
        tx.audit.append([entry(2)])
    assert written(wired.uow) == [entry(2).id]
    with wired.uow.begin() as tx:
        assert tx.users.get(ANNE) is not None


def test_a_savepoint_that_never_left_takes_back_what_waits_inside_it_and_nothing_else(wired: Wired):
    def write() -> None:
        with wired.uow.begin() as tx:
            tx.accounts.save(attrs.evolve(tx.accounts.lock(ANNE), epoch=7))
            with suppress(Boom), wired.uow.savepoint():
                tx.accounts.save(attrs.evolve(tx.accounts.lock(ANNE), epoch=8))
                raise Boom

    assert wired.trips(write) == 3  # begin and the lock; the first epoch; commit
    with wired.uow.begin() as tx:
        assert tx.accounts.read(ANNE).epoch == 7


@pytest.fixture
def repeated(postgresql_uow: SqlUnitOfWork) -> SqlUnitOfWork:
    """An installation in which `entry` 1 stands already, so that its key cannot be written again."""
    with postgresql_uow.begin() as tx:
        tx.audit.append([entry(1)])
    return postgresql_uow


def test_what_fails_on_the_way_to_the_commit_is_raised_and_undoes_everything(repeated: SqlUnitOfWork):
    with pytest.raises(UniqueViolated), repeated.begin() as tx:
        tx.users.add(User(id=ANNE, label="anne"))
        tx.audit.append([entry(1)])
    with repeated.begin() as tx:
        assert tx.users.get(ANNE) is None


def test_what_fails_on_the_way_is_raised_by_what_is_waited_for_next(repeated: SqlUnitOfWork):
    with pytest.raises(DatabaseError) as raised, repeated.begin() as tx:
        tx.audit.append([entry(1)])
        tx.audit.flush()
        with pytest.raises(UniqueViolated) as seen:
            tx.users.get(ANNE)
        assert isinstance(seen.value.__cause__, psycopg.errors.UniqueViolation)
    assert type(raised.value) is DatabaseError, "nobody goes on after a statement that failed"


def test_a_savepoint_undoes_what_fails_on_its_way_and_nothing_else(repeated: SqlUnitOfWork):
    with repeated.begin() as tx:
        tx.audit.append([entry(2)])
        with pytest.raises(UniqueViolated), repeated.savepoint():
            tx.users.add(User(id=ANNE, label="anne"))
            tx.audit.append([entry(1)])
            tx.audit.flush()
        assert tx.users.get(ANNE) is None
    assert written(repeated) == [entry(1).id, entry(2).id]


def test_what_fails_before_a_savepoint_is_not_taken_for_a_failure_inside(repeated: SqlUnitOfWork):
    inside = False
    with pytest.raises(UniqueViolated), repeated.begin() as tx:
        tx.audit.append([entry(1)])
        tx.audit.flush()
        with repeated.savepoint():
            inside = True
    assert not inside


class Once:
    """Raises *fault* once, at the step that *when* names; after it, everything goes well."""

    def __init__(self, when: tuple[str, Kind, str], fault: BaseException) -> None:
        self._when: tuple[str, Kind, str] | None = when
        self._fault = fault

    def before(self, event: Event) -> None:
        self._hear("before", event)

    def after(self, event: Event) -> None:
        self._hear("after", event)

    def _hear(self, side: str, event: Event) -> None:
        if self._when and (side, event.kind) == self._when[:2] and self._when[2] in event.text:
            self._when = None
            raise self._fault


def lost() -> Exception:
    return ConnectionResetError("on purpose")


def busy() -> Exception:
    return psycopg.errors.DeadlockDetected("on purpose")


AUDITED, COMMITTED = (Kind.STATEMENT, "authflow_audit"), (Kind.COMMIT, "")


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(
    ("step", "fault", "expected"),
    [(AUDITED, busy, Retryable), (AUDITED, lost, DatabaseUnavailable), (COMMITTED, lost, CommitUnknown)],
)
def test_a_fault_on_the_way_says_whether_the_commit_was_sent(
    postgresql_uow: SqlUnitOfWork,
    side: str,
    step: tuple[Kind, str],
    fault: Callable[[], Exception],
    expected: Any,
    *,
    alone: bool,
):
    postgresql_uow.tap = Once((side, *step), fault())
    with pytest.raises(DatabaseError) as raised, postgresql_uow.begin() as tx:
        if not alone:
            tx.users.add(User(id=ANNE, label="anne"))
        tx.audit.append([entry(1)])
    assert type(raised.value) is expected
    assert bool(written(postgresql_uow)) == ((step, side) == (COMMITTED, "after"))


def test_an_error_that_comes_second_is_not_logged_with_its_values(
    repeated: SqlUnitOfWork, caplog: pytest.LogCaptureFixture
):
    repeated.tap = Once(("before", *COMMITTED), busy())
    with pytest.raises(Retryable), repeated.begin() as tx:
        tx.audit.append([entry(1)])
    assert entry(1).id not in caplog.text


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_begin_travels_with_the_level_of_the_connection_and_leaves_it_as_it_was(postgresql_url: str, level: Any):
    engine = make_engine(postgresql_url)
    strict = SqlUnitOfWork(engine.execution_options(isolation_level=level))
    with strict.begin() as tx:
        assert tx.connection.run(sa.text("SHOW transaction_isolation")).scalar_one().upper() == level
        raw = tx.connection.raw
    with engine.connect() as connection:
        assert connection.connection.dbapi_connection is raw
        assert not raw.autocommit
    engine.dispose()
