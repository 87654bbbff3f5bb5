"""What every store of factors must keep: whole states, versions that only rise, ids that name one authenticator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from authflow.errors import StaleVersion, UniqueViolated
from authflow.mfa.factor import Authenticator, Enrolled, Proposal, Proposed, Rotating, Unenrolled
from authflow.mfa.holdings import Holdings
from authflow.mfa.kinds import RECOVERY, SMS, TOTP
from authflow.mfa.recovery import NoCodes, Ready
from authflow.ports import Stored
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import UTC, AuthenticatorId, Sealed, SessionId, UserId

if TYPE_CHECKING:
    from authflow.mfa.factor import Factor
    from authflow.mfa.ports import MfaTransaction
    from authflow.mfa.recovery import Recovery
    from authflow.ports import UnitOfWork

ADA: Final = UserId("ada")
EVE: Final = UserId("eve")
BOB: Final = UserId("bob")

INSTANT: Final = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
TICK: Final = timedelta(microseconds=1)

SET: Final = AuthenticatorId("codes-of-ada")


def authenticator(key: str = "phone", *, sealing_key: str = "k1") -> Authenticator:
    """Return a proven factor with everything in it."""
    return Authenticator(
        id=AuthenticatorId(key),
        name="Ada's téléphone 📱",
        created_at=INSTANT,
        last_used_at=INSTANT + TICK,
        secret=Sealed(key_id=sealing_key, ciphertext=bytes(range(256))),
        last_accepted_step=58_000_000,
    )


def proposal(key: str = "phone", *, expires_at: datetime = INSTANT) -> Proposal:
    """Return a proposal with everything in it."""
    return Proposal(
        flow=bytes(range(32)),
        session=SessionId("browser"),
        authenticator=AuthenticatorId(key),
        secret=Sealed(key_id="k2", ciphertext=b"\x00\xff"),
        created_at=expires_at - TICK,
        expires_at=expires_at,
    )


UNUSED: Final = Enrolled(authenticator=attrs.evolve(authenticator(), last_used_at=None))
USED: Final = Enrolled(authenticator=authenticator())
PROPOSED: Final = Proposed(proposal=proposal())
ROTATING: Final = Rotating(authenticator=authenticator(), proposal=proposal())
READY: Final = Ready(authenticator=SET, created_at=INSTANT, last_used_at=INSTANT + TICK, left=7)
FRESH: Final = Ready(authenticator=SET, created_at=INSTANT, left=10)

FACTORS: Final[dict[str, Factor]] = {
    "unenrolled": Unenrolled(),
    "proposed": PROPOSED,
    "unused": UNUSED,
    "used": USED,
    "rotating": ROTATING,
}
RECOVERIES: Final[dict[str, Recovery]] = {"no_codes": NoCodes(), "fresh": FRESH, "ready": READY}


class FactorsContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``Factors``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[MfaTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    @staticmethod
    def put(
        uow: UnitOfWork[MfaTransaction],
        state: Factor | Recovery,
        *,
        user: UserId = ADA,
        kind: str = TOTP.id,
        expected: int = 0,
    ) -> None:
        """Store *state*."""
        with uow.begin() as tx:
            tx.factors.save(user, kind, state, expected=expected)

    @staticmethod
    def read(uow: UnitOfWork[MfaTransaction], user: UserId = ADA) -> Holdings:
        """Return what stands for *user*."""
        with uow.begin() as tx:
            return tx.factors.of_user(user)

    def test_who_has_nothing_has_version_zero(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Of every kind, and of recovery codes."""
        held = self.read(uow)
        assert held == Holdings()
        assert held.factor(TOTP) == Stored(Unenrolled(), 0)
        assert held.recovery == Stored(NoCodes(), 0)

    @pytest.mark.parametrize("state", FACTORS.values(), ids=FACTORS)
    def test_a_factor_comes_back_whole(self, uow: UnitOfWork[MfaTransaction], state: Factor) -> None:
        """Every field, bytes and instants exactly; another person and another kind have nothing of it."""
        self.put(uow, state)
        assert self.read(uow) == Holdings(factors={TOTP.id: Stored(state, 1)})
        assert self.read(uow).factor(SMS) == Stored(Unenrolled(), 0)
        assert self.read(uow, EVE) == Holdings()

    @pytest.mark.parametrize("state", RECOVERIES.values(), ids=RECOVERIES)
    def test_recovery_codes_come_back_whole(self, uow: UnitOfWork[MfaTransaction], state: Recovery) -> None:
        """They are a row beside the factors, and never one of them."""
        self.put(uow, state, kind=RECOVERY.id)
        assert self.read(uow) == Holdings(recovery=Stored(state, 1))

    @pytest.mark.parametrize("after", FACTORS.values(), ids=FACTORS)
    @pytest.mark.parametrize("before", FACTORS.values(), ids=FACTORS)
    def test_every_state_may_follow_every_other(
        self, uow: UnitOfWork[MfaTransaction], before: Factor, after: Factor
    ) -> None:
        """Nothing of the state before is left; the version rises by one."""
        self.put(uow, before)
        self.put(uow, after, expected=1)
        assert self.read(uow).factor(TOTP) == Stored(after, 2)

    @pytest.mark.parametrize("after", RECOVERIES.values(), ids=RECOVERIES)
    @pytest.mark.parametrize("before", RECOVERIES.values(), ids=RECOVERIES)
    def test_every_state_of_codes_may_follow_every_other(
        self, uow: UnitOfWork[MfaTransaction], before: Recovery, after: Recovery
    ) -> None:
        """As with factors."""
        self.put(uow, before, kind=RECOVERY.id)
        self.put(uow, after, kind=RECOVERY.id, expected=1)
        assert self.read(uow).recovery == Stored(after, 2)

    def test_what_a_transaction_wrote_it_reads(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Also where it has read before."""
        with uow.begin() as tx:
            assert tx.factors.of_user(ADA) == Holdings()
            tx.factors.save(ADA, TOTP.id, PROPOSED, expected=0)
            tx.factors.save(ADA, RECOVERY.id, FRESH, expected=0)
            assert tx.factors.of_user(ADA) == Holdings(
                factors={TOTP.id: Stored(PROPOSED, 1)}, recovery=Stored(FRESH, 1)
            )
            tx.factors.save(ADA, TOTP.id, USED, expected=1)
            assert tx.factors.of_user(ADA).factor(TOTP) == Stored(USED, 2)
            with pytest.raises(StaleVersion):
                tx.factors.save(ADA, TOTP.id, ROTATING, expected=1)
            assert tx.factors.of_user(ADA).factor(TOTP) == Stored(USED, 2)
            tx.factors.remove(ADA)
            assert tx.factors.of_user(ADA) == Holdings()

    def test_a_stale_version_writes_nothing(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Compare-and-set, for the first row too; the transaction lives on."""
        with uow.begin() as tx:
            with pytest.raises(StaleVersion):
                tx.factors.save(ADA, TOTP.id, USED, expected=1)
            tx.factors.save(ADA, TOTP.id, PROPOSED, expected=0)
            for wrong in (0, 2):
                with pytest.raises(StaleVersion):
                    tx.factors.save(ADA, TOTP.id, USED, expected=wrong)
        assert self.read(uow).factor(TOTP) == Stored(PROPOSED, 1)

    def test_a_version_only_rises(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """A factor that went and came again is not the one that somebody loaded before."""
        self.put(uow, USED)
        self.put(uow, Unenrolled(), expected=1)
        self.put(uow, USED, expected=2)
        with pytest.raises(StaleVersion):
            self.put(uow, ROTATING, expected=1)
        assert self.read(uow).factor(TOTP) == Stored(USED, 3)

    def test_a_failed_transaction_leaves_nothing(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Neither a new row nor a changed one."""
        self.put(uow, USED)
        with pytest.raises(ZeroDivisionError), uow.begin() as tx:
            tx.factors.save(ADA, TOTP.id, Unenrolled(), expected=1)
            tx.factors.save(ADA, RECOVERY.id, FRESH, expected=0)
            _ = 1 // 0
        assert self.read(uow) == Holdings(factors={TOTP.id: Stored(USED, 1)})

    @pytest.mark.parametrize(("user", "kind"), [(EVE, TOTP.id), (ADA, SMS.id), (EVE, RECOVERY.id)])
    def test_an_id_names_one_authenticator(self, uow: UnitOfWork[MfaTransaction], user: UserId, kind: str) -> None:
        """In the whole installation: of another person, of another kind, and of a set of codes."""
        self.put(uow, ROTATING)
        state = attrs.evolve(READY, authenticator=ROTATING.authenticator.id) if kind == RECOVERY.id else USED
        with pytest.raises(UniqueViolated) as violated:
            self.put(uow, state, user=user, kind=kind)
        assert violated.value.rule == "factor.authenticator"

    def test_an_id_may_move_to_another_person(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Once its first owner holds it no more; what is only proposed holds none."""
        self.put(uow, USED)
        self.put(uow, PROPOSED, user=BOB)
        with uow.begin() as tx:
            tx.factors.save(ADA, TOTP.id, Unenrolled(), expected=1)
            tx.factors.save(EVE, TOTP.id, USED, expected=0)
        assert self.read(uow, EVE).factor(TOTP) == Stored(USED, 1)

    def test_who_is_deleted_leaves_no_row(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Of no kind; others keep theirs."""
        self.put(uow, USED)
        self.put(uow, READY, kind=RECOVERY.id)
        self.put(uow, PROPOSED, user=EVE)
        with uow.begin() as tx:
            tx.factors.remove(ADA)
            tx.factors.remove(BOB)
        assert self.read(uow) == Holdings()
        assert self.read(uow, EVE).factor(TOTP) == Stored(PROPOSED, 1)

    @pytest.mark.parametrize("standing", [0, 1])
    def test_of_many_at_once_exactly_one_saves(self, uow: UnitOfWork[MfaTransaction], standing: int) -> None:
        """Over one version of one factor, the first included; without any other lock."""
        if standing:
            self.put(uow, PROPOSED)

        def save(number: int) -> str:
            state = Enrolled(authenticator=authenticator(f"a{number}"))
            try:
                self.put(uow, state, expected=standing)
            except StaleVersion:
                return "stale"
            return state.authenticator.id

        told = at_once(save)
        winner = next(key for key in told if key != "stale")
        assert told.count("stale") == THREADS - 1
        assert self.read(uow).id_of(TOTP) == winner
        assert self.read(uow).factor(TOTP).version == standing + 1
