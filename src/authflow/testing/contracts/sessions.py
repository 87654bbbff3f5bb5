"""What every store of sessions must keep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import StaleVersion, UniqueViolated
from authflow.ports import Stored
from authflow.sessions.states import (
    Anonymous,
    Ended,
    EndReason,
    EnrollmentOpen,
    EnrollmentOwed,
    FactorOwed,
    Handle,
    Session,
    SignedIn,
)
from authflow.testing.clocks import START
from authflow.testing.contracts.threads import at_once
from authflow.values import LinkId, Method, OrganizationId, Proof, ProviderId, SessionId, UserId

if TYPE_CHECKING:
    from authflow.ports import UnitOfWork
    from authflow.sessions.ports import SessionsTransaction

ANNE: Final = UserId("anne")
BEN: Final = UserId("ben")
HOUR: Final = timedelta(hours=1)
INSTANT: Final = START + timedelta(microseconds=1)
"""Not a whole second: no store may round it."""

PASSWORD: Final = Proof(method=Method.PASSWORD, at=INSTANT)
ASSERTED: Final = Proof(
    method=Method.SSO,
    at=INSTANT,
    organization=OrganizationId("acme"),
    provider=ProviderId("acme-idp"),
    link=LinkId("acme-link"),
)
RENEWED: Final = Handle(
    id=SessionId("row"), digest=b"\xff" * 32, generation=3, created_at=INSTANT, superseded=(b"\x00" * 32, b"\n" * 32)
)


def handle(key: str = "row") -> Handle:
    """Return the handle of a new row."""
    return Handle(id=SessionId(key), digest=b"\x00" * 32, created_at=INSTANT)


def anonymous(key: str = "row") -> Anonymous:
    """Return the row of a browser without a person."""
    return Anonymous(handle=handle(key), expires_at=START + HOUR)


def signed_in(key: str = "row", user: UserId = ANNE, epoch: int = 1) -> SignedIn:
    """Return the row of a browser where *user* is signed in."""
    return SignedIn(
        handle=handle(key),
        expires_at=START + HOUR,
        user=user,
        epoch=epoch,
        proofs=(PASSWORD, ASSERTED),
        since=INSTANT,
        lapsed=frozenset({Method.PASSWORD, Method.TOTP}),
        aged=frozenset({LinkId("acme-link"), LinkId("globex-link")}),
    )


def factor_owed(key: str = "row", user: UserId = ANNE) -> FactorOwed:
    """Return the row of a browser where a second factor of *user* is owed."""
    return FactorOwed(handle=handle(key), expires_at=START + HOUR, user=user, epoch=1, proof=PASSWORD, since=INSTANT)


STATES: Final[tuple[Session, ...]] = (
    anonymous(),
    Anonymous(handle=RENEWED, expires_at=INSTANT),
    factor_owed(),
    EnrollmentOwed(handle=handle(), expires_at=INSTANT, user=ANNE, epoch=2, proof=ASSERTED, since=INSTANT),
    EnrollmentOpen(
        handle=handle(),
        expires_at=INSTANT,
        user=ANNE,
        epoch=2,
        proof=PASSWORD,
        since=INSTANT,
        redeemed_at=INSTANT + HOUR,
    ),
    signed_in(),
    SignedIn(handle=RENEWED, expires_at=INSTANT, user=BEN, epoch=2**31 - 1, proofs=(), since=INSTANT),
    *(Ended(handle=handle(), expires_at=INSTANT, reason=reason) for reason in EndReason),
)
"""Every state, and every field with a value of its own."""


class SessionsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``SessionRows``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[SessionsTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    @pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
    def test_a_row_comes_back_as_it_was_added(self, uow: UnitOfWork[SessionsTransaction], state: Session) -> None:
        """Every field of every state survives, in version 1, in this transaction and in the next."""
        with uow.begin() as tx:
            tx.sessions.add(state)
            assert tx.sessions.load(state.handle.id) == Stored(state, 1)
        with uow.begin() as tx:
            assert tx.sessions.load(state.handle.id) == Stored(state, 1)

    @pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
    def test_a_row_becomes_any_other_state(self, uow: UnitOfWork[SessionsTransaction], state: Session) -> None:
        """Nothing of the former state is left, and the version rises by one."""
        with uow.begin() as tx:
            tx.sessions.add(signed_in())
            tx.sessions.save(state, expected=1)
            assert tx.sessions.load(state.handle.id) == Stored(state, 2)
        with uow.begin() as tx:
            assert tx.sessions.load(state.handle.id) == Stored(state, 2)

    def test_an_unknown_row_is_none(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """Nothing is made by looking, and identifiers compare as bytes (decision 10)."""
        with uow.begin() as tx:
            tx.sessions.add(anonymous("row"))
            assert [tx.sessions.load(SessionId(key)) for key in ("other", "ROW", "row ", "")] == [None] * 4

    def test_a_row_is_added_once(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """A second row under the same id is refused by name, and the first one stays."""
        with uow.begin() as tx:
            tx.sessions.add(anonymous())
        with pytest.raises(UniqueViolated) as refusal, uow.begin() as tx:
            tx.sessions.add(signed_in())
        assert refusal.value.rule == "primary_key"
        with uow.begin() as tx:
            assert tx.sessions.load(SessionId("row")) == Stored(anonymous(), 1)

    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_a_save_is_a_compare_and_set(self, uow: UnitOfWork[SessionsTransaction], expected: int) -> None:
        """Any version but the present one is stale; nothing is written, and the transaction lives."""
        with uow.begin() as tx:
            tx.sessions.add(anonymous())
            tx.sessions.save(factor_owed(), expected=1)
            with pytest.raises(StaleVersion):
                tx.sessions.save(signed_in(), expected=expected)
            assert tx.sessions.load(SessionId("row")) == Stored(factor_owed(), 2)
            tx.sessions.add(anonymous("another"))
        with uow.begin() as tx:
            assert tx.sessions.load(SessionId("row")) == Stored(factor_owed(), 2)
            assert tx.sessions.load(SessionId("another")) == Stored(anonymous("another"), 1)

    def test_a_row_that_is_gone_is_not_saved(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """A row that was swept meanwhile is not made again."""
        with uow.begin() as tx, pytest.raises(StaleVersion):
            tx.sessions.save(signed_in(), expected=1)
        with uow.begin() as tx:
            assert tx.sessions.load(SessionId("row")) is None

    def test_one_of_many_saves_wins(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """All of them loaded the same version; the others are told that theirs is stale."""
        with uow.begin() as tx:
            tx.sessions.add(factor_owed())

        def finish(number: int) -> int | None:
            state = attrs.evolve(signed_in(), epoch=number)
            try:
                with uow.begin() as tx:
                    tx.sessions.save(state, expected=1)
            except StaleVersion:
                return None
            return number

        winners = [number for number in at_once(finish) if number is not None]
        assert len(winners) == 1
        with uow.begin() as tx:
            assert tx.sessions.load(SessionId("row")) == Stored(attrs.evolve(signed_in(), epoch=winners[0]), 2)

    def test_a_rollback_takes_a_save_back(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """The row belongs to the caller's transaction."""
        with uow.begin() as tx:
            tx.sessions.add(anonymous())
        with pytest.raises(ZeroDivisionError), uow.begin() as tx:
            tx.sessions.save(signed_in(), expected=1)
            raise ZeroDivisionError
        with uow.begin() as tx:
            assert tx.sessions.load(SessionId("row")) == Stored(anonymous(), 1)

    def test_only_signed_in_rows_of_the_epoch_are_alive(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """Pending, ended, expired and older ones, and those of other people, are not counted."""
        with uow.begin() as tx:
            for state in (
                signed_in("a"),
                signed_in("b"),
                signed_in("older", epoch=0),
                signed_in("ben", BEN),
                factor_owed("pending"),
                anonymous("nobody"),
            ):
                tx.sessions.add(state)
            before, at = START + HOUR - timedelta(microseconds=1), START + HOUR
            assert tx.sessions.count_alive(ANNE, epoch=1, now=before) == 2
            assert tx.sessions.count_alive(ANNE, epoch=1, now=at) == 0
            assert tx.sessions.count_alive(UserId("nobody"), epoch=1, now=START) == 0

    def test_a_persons_rows_are_found_and_removed(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """The oldest first; other people's rows and rows without a person stay."""
        older = attrs.evolve(factor_owed("z"), handle=attrs.evolve(handle("z"), created_at=START))
        with uow.begin() as tx:
            for state in (signed_in("b"), signed_in("a"), older, signed_in("ben", BEN), anonymous()):
                tx.sessions.add(state)
        with uow.begin() as tx:
            assert tx.sessions.of_user(ANNE) == (older, signed_in("a"), signed_in("b"))
            assert tx.sessions.load(SessionId("a")) == Stored(signed_in("a"), 1)
            assert tx.sessions.remove_of_user(ANNE) == 3
            assert tx.sessions.load(SessionId("a")) is None
            assert tx.sessions.of_user(ANNE) == ()
            assert tx.sessions.of_user(BEN) == (signed_in("ben", BEN),)
            assert tx.sessions.load(SessionId("row")) is not None

    def test_rows_whose_time_is_over_are_removed(self, uow: UnitOfWork[SessionsTransaction]) -> None:
        """At the very instant, and not before."""
        later = attrs.evolve(anonymous("later"), expires_at=START + 2 * HOUR)
        with uow.begin() as tx:
            for state in (anonymous(), signed_in("in"), later):
                tx.sessions.add(state)
            assert tx.sessions.remove_expired(START + HOUR - timedelta(microseconds=1)) == 0
            assert tx.sessions.load(SessionId("in")) == Stored(signed_in("in"), 1)
            assert tx.sessions.remove_expired(START + HOUR) == 2
            assert tx.sessions.load(SessionId("in")) is None
            assert tx.sessions.load(SessionId("later")) == Stored(later, 1)
