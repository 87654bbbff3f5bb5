"""What second factors ask of the world: where factors and recovery codes are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from authflow.ports import Transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from authflow.mfa.factor import Factor
    from authflow.mfa.holdings import Holdings
    from authflow.mfa.recovery import Recovery
    from authflow.ports import Digest
    from authflow.values import AuthenticatorId, UserId


class Factors(Protocol):
    """One row per person and kind, recovery codes included; each row has a version of its own."""

    def ahead(self, user: UserId) -> None:
        """Hear that `of_user` is going to be asked for *user* behind their lock: an empty body is right.

        An adapter may read it along with the lock.
        """
        ...

    def of_user(self, user: UserId) -> Holdings:
        """Return everything *user* has, each with its version; what has no row yet has version 0."""
        ...

    def save(self, user: UserId, kind: str, state: Factor | Recovery, *, expected: int) -> None:
        """Store *state* as the next version after *expected*.

        A row stays when nothing is enrolled any more: its version only ever rises.

        Raises:
            StaleVersion: The row has another version than *expected*. Nothing was written; the transaction lives.
            UniqueViolated: ``factor.authenticator``, another row holds an authenticator with this id; maybe not before
                the commit.
        """
        ...

    def remove(self, user: UserId) -> None:
        """Delete every row of *user*, who is deleted."""
        ...


class RecoveryCodes(Protocol):
    """One row per code: its digest, and when it was used. A code is never stored in clear, and never shown again."""

    def add(self, authenticator: AuthenticatorId, digests: Sequence[Digest]) -> None:
        """Store *digests*, unused, together, for an *authenticator* that is new and has none.

        Raises:
            UniqueViolated: ``recovery_code.digest``, two of them are the same; maybe not before the commit.
        """
        ...

    def replace(self, authenticator: AuthenticatorId, digests: Sequence[Digest]) -> None:
        """Delete every code of *authenticator* and store *digests*, unused, together.

        Raises:
            UniqueViolated: ``recovery_code.digest``, two of them are the same.
        """
        ...

    def consume(self, authenticator: AuthenticatorId, digests: Sequence[Digest], now: datetime) -> bool:
        """Mark the code that has one of *digests* as used, if it is unused; tell whether this call did it.

        One conditional update decides: of any number of concurrent calls with one code, exactly one is told true.
        """
        ...

    def remove(self, authenticator: AuthenticatorId) -> None:
        """Delete every code of *authenticator*."""
        ...


class FactorCensus(Protocol):
    """Questions across persons. Answers may be old by the time they are used: lock, load and look again."""

    def protected(self, users: Collection[UserId]) -> Mapping[UserId, bool]:
        """Say for **every** one of *users* whether they have a primary factor; someone unknown has none (mfa 3.6)."""
        ...

    def expired(self, now: datetime, *, limit: int) -> tuple[tuple[UserId, str], ...]:
        """Return up to *limit* (user, kind) whose proposal expired at *now* or before, the oldest first."""
        ...

    def sealing_keys(self) -> frozenset[str]:
        """Return the ids of all keys under which enrolled secrets are sealed."""
        ...

    def sealed_under(
        self, keys: Collection[str], *, limit: int, after: tuple[UserId, str] | None = None
    ) -> tuple[tuple[UserId, str], ...]:
        """Return up to *limit* (user, kind) whose enrolled secret is sealed under one of *keys*.

        They come in the order of (user, kind), beginning behind *after*.
        """
        ...


class MfaTransaction(Transaction, Protocol):
    """A transaction that second factors can work in."""

    @property
    def factors(self) -> Factors: ...
    @property
    def recovery_codes(self) -> RecoveryCodes: ...
    @property
    def factor_census(self) -> FactorCensus: ...
