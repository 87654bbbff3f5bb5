"""Moving: factors of whole accounts, when one is reset, deleted, merged or exported, and under which key they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import InputInvalid
from authflow.mfa import commands as c
from authflow.mfa import kinds
from authflow.mfa.answers import Kept
from authflow.mfa.challenge import failures_key
from authflow.mfa.enrollment import MACHINE
from authflow.mfa.factor import binding, enrolled
from authflow.mfa.kinds import KINDS, RECOVERY
from authflow.mfa.recovery import Adopt as AdoptCodes
from authflow.mfa.recovery import Forget as ForgetCodes
from authflow.mfa.recovery import Ready
from authflow.mfa.service.desk import Desk
from authflow.nobody import SYSTEM
from authflow.values import Context, Sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.errors import SecretUnavailable
    from authflow.mfa.answers import Held
    from authflow.mfa.factor import Authenticator
    from authflow.mfa.kinds import Kind
    from authflow.mfa.service.desk import Case
    from authflow.values import Asker, UserId


@attrs.frozen(kw_only=True)
class Merged:
    """What a merge did: the kinds that moved, and those that were dropped because there was one already (mfa 2.1)."""

    moved: tuple[str, ...]
    dropped: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Moving(Desk):
    """The factors of whole accounts."""

    def forget(self, asker: Asker, context: Context, *, user: UserId) -> tuple[str, ...]:
        """Take every factor and code of *user* away, enrolled or pending; return the kinds that there were.

        Whoever resets, merges or deletes the account records it.
        """
        with self.uow.begin() as tx:
            case = self.case(tx, asker, context, user)
            self._empty(case)
            ready = case.held.recovery.state
            if isinstance(ready, Ready):
                tx.recovery_codes.remove(ready.authenticator)
            return tuple(held.kind.id for held in case.held.held())

    def erase(self, user: UserId) -> None:
        """Delete every row of *user*, who is deleted; somebody who gets the same id later is not locked."""
        with self.uow.begin() as tx:
            for kind in (kinds.TOTP, RECOVERY):
                tx.attempts.clear(failures_key(user, kind, None))
            ready = tx.factors.of_user(user).recovery.state
            if isinstance(ready, Ready):
                tx.recovery_codes.remove(ready.authenticator)
            tx.factors.remove(user)

    def merge(self, asker: Asker, context: Context, *, source: UserId, target: UserId) -> Merged:
        """Move the factors of *source* to *target*, who keeps their own; ids stay, secrets are sealed anew.

        Raises:
            SecretUnavailable: A secret that would move cannot be opened. Nothing was moved.
            InputInvalid: *source* is *target*, who would lose everything.
        """
        if source == target:
            raise InputInvalid(field="target", problem="must be somebody else than the source")
        with self.uow.begin() as tx:
            for user in sorted((source, target)):
                tx.accounts.lock(user)
            giving, taking = self.case(tx, asker, context, source), self.case(tx, asker, context, target)
            self._empty(giving)  # first: an authenticator's id is unique
            kept = {held.kind.id: self._kept(giving, taking, held.kind) for held in giving.held.held()}
            return Merged(
                moved=tuple(kind for kind, dropped in kept.items() if not dropped),
                dropped=tuple(kind for kind, dropped in kept.items() if dropped),
            )

    def export(self, user: UserId) -> list[dict[str, object]]:
        """Return what *user* has enrolled as JSON types; every secret is blanked (mfa 2.1)."""
        with self.uow.begin() as tx:
            return [_exported(held) for held in tx.factors.of_user(user).held()]

    def reseal(self, *, limit: int = 100, report: Callable[[SecretUnavailable], None] = report_unavailable) -> int:
        """Seal up to *limit* secrets that lie under an older key anew; return how many were (mfa 20.5).

        What cannot be opened stays as it is, and keeps nothing else from its turn; *report* is told of each.
        """
        with self.uow.begin() as tx:
            keys = [k for k in tx.factor_census.sealing_keys() if self.cipher.needs_reseal(_under(k))]
        done, after = 0, None
        while keys and done < limit:
            with self.uow.begin() as tx:
                found = tx.factor_census.sealed_under(keys, limit=limit - done, after=after)
            if not found:
                break
            done += sum(self._reseal(user, kinds.named(kind), report) for user, kind in found)
            after = found[-1]
        return done

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _reseal(self, user: UserId, kind: Kind, report: Callable[[SecretUnavailable], None]) -> bool:
        with self.uow.begin() as tx:
            case = self.case(tx, SYSTEM, Context(), user)
            before = case.held.factor(kind)
            after = self.sealed_anew(case, kind, before.state, report)
            if after == before.state:
                return False
            tx.factors.save(user, kind.id, after, expected=before.version)
            return True

    def _empty(self, case: Case) -> None:
        """Leave no factor. The rows of single codes stay: they go with the person, or move."""
        for kind in KINDS:
            before = case.held.factor(kind)
            if kind is not RECOVERY and before.version:
                self.keep(case, kind, before, MACHINE.step(before.state, c.Forget(), case.now))
        if isinstance(case.held.recovery.state, Ready):
            self.turn_codes(case, ForgetCodes())

    def _kept(self, giving: Case, taking: Case, kind: Kind) -> bool:
        """Hand the factor of one kind over; tell whether the target kept their own instead."""
        ready, proven = giving.held.recovery.state, enrolled(giving.held.factor(kind).state)
        if proven is not None:
            return self._kept_factor(giving, taking, kind, proven)
        return isinstance(ready, Ready) and self._kept_codes(giving, taking, ready)

    def _kept_factor(self, giving: Case, taking: Case, kind: Kind, proven: Authenticator) -> bool:
        before = taking.held.factor(kind)
        if enrolled(before.state) is None:
            proven = self._moved(giving, taking, kind, proven)
        step = MACHINE.step(before.state, c.Adopt(authenticator=proven), taking.now)
        self.keep(taking, kind, before, step)
        return isinstance(step.answer, Kept)

    def _kept_codes(self, giving: Case, taking: Case, ready: Ready) -> bool:
        if not isinstance(self.turn_codes(taking, AdoptCodes(ready=ready)), Kept):
            return False
        giving.tx.recovery_codes.remove(ready.authenticator)
        return True

    def _moved(self, giving: Case, taking: Case, kind: Kind, proven: Authenticator) -> Authenticator:
        secret = self.cipher.open(proven.secret, bound_to=binding(giving.user, kind.id, proven.id))
        return attrs.evolve(proven, secret=self.cipher.seal(secret, bound_to=binding(taking.user, kind.id, proven.id)))


def _under(key: str) -> Sealed:
    return Sealed(key_id=key, ciphertext=b"")


def _exported(held: Held) -> dict[str, object]:
    return {
        "kind": held.kind.id,
        "id": held.id,
        "name": held.name,
        "created_at": held.created_at.isoformat(),
        "last_used_at": None if held.last_used_at is None else held.last_used_at.isoformat(),
        "remaining": held.remaining,
    }
