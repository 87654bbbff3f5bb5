"""What every store of second factors must keep: codes that are used once, and the truth about who is protected."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from authflow.errors import DatabaseError, UniqueViolated
from authflow.mfa.factor import Enrolled, Proposed, Rotating, Unenrolled
from authflow.mfa.kinds import RECOVERY, SECURITY_KEY, SMS, TOTP
from authflow.mfa.recovery import NoCodes
from authflow.ports import Digest
from authflow.testing.contracts.factors import (
    ADA,
    BOB,
    EVE,
    INSTANT,
    PROPOSED,
    READY,
    ROTATING,
    SET,
    TICK,
    UNUSED,
    USED,
    authenticator,
    proposal,
)
from authflow.testing.contracts.threads import THREADS, at_once
from authflow.values import AuthenticatorId, UserId

if TYPE_CHECKING:
    from authflow.mfa.factor import Factor
    from authflow.mfa.kinds import Kind
    from authflow.mfa.ports import MfaTransaction
    from authflow.mfa.recovery import Recovery
    from authflow.ports import UnitOfWork

OTHER_SET: Final = AuthenticatorId("codes-of-eve")

MANY: Final = 70_000
"""More persons than any database takes parameters in one statement (SQLite: 32766, PostgreSQL: 65535)."""


def digest(number: int, *, key: str = "p1") -> Digest:
    """Return a digest of its own for every *number*; 10 is a line feed, and 0 ends a text in C."""
    return Digest(key_id=key, value=number.to_bytes(32, "big"))


TEN: Final = tuple(digest(number) for number in range(10))


class RecoveryCodesContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``RecoveryCodes``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[MfaTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    @staticmethod
    def put(
        uow: UnitOfWork[MfaTransaction], digests: tuple[Digest, ...] = TEN, *, owner: AuthenticatorId = SET
    ) -> None:
        """Store a set."""
        with uow.begin() as tx:
            tx.recovery_codes.replace(owner, digests)

    @staticmethod
    def use(uow: UnitOfWork[MfaTransaction], *digests: Digest, owner: AuthenticatorId = SET) -> bool:
        """Use one code up."""
        with uow.begin() as tx:
            return tx.recovery_codes.consume(owner, digests, INSTANT)

    def test_every_code_is_used_once(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Each of the ten, and none twice."""
        self.put(uow)
        assert [self.use(uow, code) for code in TEN] == [True] * 10
        assert [self.use(uow, code) for code in TEN] == [False] * 10

    def test_what_was_never_stored_is_refused(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """An unknown code, another owner's, a set that does not exist, no digest at all."""
        self.put(uow)
        self.put(uow, (digest(99),), owner=OTHER_SET)
        assert not self.use(uow, digest(50))
        assert not self.use(uow, digest(99))
        assert not self.use(uow, TEN[0], owner=OTHER_SET)
        assert not self.use(uow, TEN[0], owner=AuthenticatorId("nobody"))
        assert not self.use(uow)

    def test_a_code_is_found_under_any_of_its_digests(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """After the pepper's rotation a code has several; it is still one code."""
        self.put(uow)
        again = (digest(1000, key="p2"), TEN[3])
        assert self.use(uow, *again)
        assert not self.use(uow, *again)

    def test_a_new_set_kills_the_old_one(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Used and unused ones; another owner's set stays."""
        self.put(uow)
        self.put(uow, owner=OTHER_SET)
        assert self.use(uow, TEN[0])
        self.put(uow, tuple(digest(number) for number in range(100, 110)))
        assert [self.use(uow, code) for code in TEN] == [False] * 10
        assert self.use(uow, digest(100))
        assert self.use(uow, TEN[0], owner=OTHER_SET)

    def test_an_old_code_may_come_again_unused(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """A replaced set leaves nothing behind that would mark a new code as used."""
        self.put(uow)
        assert self.use(uow, TEN[0])
        self.put(uow)
        assert self.use(uow, TEN[0])

    def test_a_first_set_is_added(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Unused, beside another owner's; two codes of it are never the same either."""
        self.put(uow, owner=OTHER_SET)
        with uow.begin() as tx:
            tx.recovery_codes.add(SET, TEN)
        assert [self.use(uow, code) for code in TEN] == [True] * 10
        assert self.use(uow, TEN[0], owner=OTHER_SET)
        with pytest.raises(UniqueViolated), uow.begin() as tx:
            tx.recovery_codes.add(AuthenticatorId("codes-of-ben"), (TEN[0], TEN[0]))

    def test_a_removed_set_is_dead(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Its codes are refused; removing it again, or replacing it by nothing, is no error."""
        self.put(uow)
        self.put(uow, owner=OTHER_SET)
        with uow.begin() as tx:
            tx.recovery_codes.remove(SET)
            tx.recovery_codes.remove(SET)
            tx.recovery_codes.replace(OTHER_SET, ())
        assert not self.use(uow, TEN[0])
        assert not self.use(uow, TEN[0], owner=OTHER_SET)

    def test_two_codes_of_a_set_are_never_the_same(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """One use would otherwise be two."""
        with pytest.raises(UniqueViolated) as violated:
            self.put(uow, (TEN[0], TEN[1], TEN[0]))
        assert violated.value.rule == "recovery_code.digest"
        assert not self.use(uow, TEN[1])

    def test_a_violated_rule_leaves_nothing_of_its_transaction(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Caught without a savepoint: neither half of the new set nor the removal of the old one is kept."""
        self.put(uow)
        with pytest.raises(DatabaseError), uow.begin() as tx, suppress(UniqueViolated):
            tx.recovery_codes.replace(SET, (digest(50), digest(50)))
        assert not self.use(uow, digest(50))
        assert self.use(uow, TEN[0])

    def test_a_failed_transaction_gives_the_code_back(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """A use commits with the sign-in that it was for, or did not happen."""
        self.put(uow)
        with pytest.raises(ZeroDivisionError), uow.begin() as tx:
            assert tx.recovery_codes.consume(SET, (TEN[0],), INSTANT)
            tx.recovery_codes.replace(SET, (digest(77),))
            _ = 1 // 0
        assert not self.use(uow, digest(77))
        assert self.use(uow, TEN[0])

    def test_of_many_at_once_exactly_one_uses_a_code(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """The losers are told the same as whoever guessed wrong."""
        self.put(uow)
        assert sorted(at_once(lambda _: self.use(uow, TEN[0]))) == [False] * (THREADS - 1) + [True]

    def test_many_at_once_use_many_codes(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Nobody loses a code to somebody who uses another one."""
        codes = tuple(digest(number) for number in range(THREADS))
        self.put(uow, codes)
        assert at_once(lambda number: self.use(uow, codes[number])) == [True] * THREADS


class FactorCensusContract:
    """Subclass this, override the fixture `uow`, and pytest checks your ``FactorCensus``."""

    @pytest.fixture
    def uow(self) -> UnitOfWork[MfaTransaction]:
        """Return a unit of work on an empty installation."""
        raise NotImplementedError

    @pytest.mark.parametrize(
        ("state", "kind"), [(USED, TOTP), (UNUSED, TOTP), (ROTATING, TOTP), (USED, SMS), (USED, SECURITY_KEY)]
    )
    def test_a_primary_factor_protects(self, uow: UnitOfWork[MfaTransaction], state: Factor, kind: Kind) -> None:
        """An enrolled one of any kind, whether the deployment can offer it now or not."""
        with uow.begin() as tx:
            tx.factors.save(ADA, kind.id, state, expected=0)
            assert tx.factor_census.protected([ADA]) == {ADA: True}
            assert tx.factor_census.protected([EVE, ADA]) == {ADA: True, EVE: False}

    @pytest.mark.parametrize(
        ("state", "kind"), [(Unenrolled(), TOTP), (PROPOSED, TOTP), (NoCodes(), RECOVERY), (READY, RECOVERY)]
    )
    def test_nothing_else_protects(self, uow: UnitOfWork[MfaTransaction], state: Factor | Recovery, kind: Kind) -> None:
        """A proposal is no factor yet, and recovery codes never stand alone."""
        with uow.begin() as tx:
            tx.factors.save(ADA, kind.id, state, expected=0)
            assert tx.factor_census.protected([ADA]) == {ADA: False}
            assert tx.factor_census.protected([EVE, ADA]) == {ADA: False, EVE: False}

    def test_everybody_who_is_asked_for_is_answered(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """Unknown people too, and however many there are; nobody else is."""
        crowd = [UserId(f"user-{number}") for number in range(MANY)]
        with uow.begin() as tx:
            assert tx.factor_census.protected([]) == {}
            for number, user in enumerate((crowd[0], crowd[-1], EVE)):
                tx.factors.save(user, TOTP.id, Enrolled(authenticator=authenticator(f"a{number}")), expected=0)
            found = tx.factor_census.protected(crowd)
        assert found.keys() == set(crowd)
        assert [user for user in crowd if found[user]] == [crowd[0], crowd[-1]]

    def test_expired_proposals_are_found_oldest_first(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """From the very instant on, rotations as well, no more than asked for; what was proven is none."""
        late, soon = INSTANT + TICK, INSTANT - TICK
        with uow.begin() as tx:
            assert tx.factor_census.expired(late, limit=9) == ()
            tx.factors.save(ADA, TOTP.id, Proposed(proposal=proposal(expires_at=INSTANT)), expected=0)
            rotating = Rotating(authenticator=authenticator(), proposal=proposal(expires_at=soon))
            tx.factors.save(EVE, SMS.id, rotating, expected=0)
            tx.factors.save(BOB, TOTP.id, Proposed(proposal=proposal(expires_at=late)), expected=0)
            tx.factors.save(BOB, SMS.id, Enrolled(authenticator=authenticator("b")), expected=0)
            tx.factors.save(BOB, RECOVERY.id, READY, expected=0)
            assert tx.factor_census.expired(soon - TICK, limit=9) == ()
            assert tx.factor_census.expired(INSTANT, limit=9) == ((EVE, SMS.id), (ADA, TOTP.id))
            assert tx.factor_census.expired(late, limit=1) == ((EVE, SMS.id),)
            tx.factors.save(EVE, SMS.id, Enrolled(authenticator=authenticator()), expected=1)
            assert tx.factor_census.expired(INSTANT, limit=9) == ((ADA, TOTP.id),)

    def test_what_lies_under_a_key_is_found_page_by_page(self, uow: UnitOfWork[MfaTransaction]) -> None:
        """In the order of person and kind; proposals live too short to be sealed anew."""
        places = [(ADA, SMS.id), (ADA, TOTP.id), (BOB, TOTP.id), (EVE, TOTP.id)]
        with uow.begin() as tx:
            assert tx.factor_census.sealing_keys() == frozenset()
            for number, (user, kind) in enumerate(places):
                standing = authenticator(f"a{number}", sealing_key="new" if user == BOB else f"old{number}")
                tx.factors.save(user, kind, Rotating(authenticator=standing, proposal=proposal()), expected=0)
            tx.factors.save(BOB, SMS.id, PROPOSED, expected=0)
            tx.factors.save(BOB, RECOVERY.id, READY, expected=0)
            census = tx.factor_census
            assert census.sealing_keys() == {"old0", "old1", "new", "old3"}
            old = ["old0", "old1", "old3", "k2"]
            assert census.sealed_under(old, limit=9) == (places[0], places[1], places[3])
            assert census.sealed_under(old, limit=1) == (places[0],)
            assert census.sealed_under(old, limit=1, after=places[0]) == (places[1],)
            assert census.sealed_under(old, limit=9, after=places[1]) == (places[3],)
            assert census.sealed_under(old, limit=9, after=places[3]) == ()
            assert census.sealed_under([], limit=9) == ()
