"""What a session's row can be: one class per state, each with exactly its own data.

A browser has one row. The value it keeps leads there; whatever the value says beside that is a cache (decision 3).
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import LinkId, Method, Proof, SessionId, UserId

SUPERSEDED_KEPT: Final = 8
"""How many former secrets a row remembers, so that an old value is told from a stranger's: a browser renews rarely."""


@unique
class EndReason(StrEnum):
    """Why a session, or a pending sign-in, is over."""

    EXPIRED = "expired"
    INACTIVE = "inactive"
    ENDED_ELSEWHERE = "ended_elsewhere"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    CANCELLED = "cancelled"
    SIGNED_OUT = "signed_out"


@attrs.frozen(kw_only=True)
class Handle:
    """What every row has, whatever its state.

    Args:
        id: The row's public handle.
        digest: Of the secret that opens the row now.
        generation: Rises, and the secret with it, whenever the host must change its own session id.
        created_at: When this browser was first seen.
        superseded: Digests of the former secrets, newest first. They open nothing.
    """

    id: SessionId
    digest: bytes = attrs.field(repr=False)
    generation: int = 1
    created_at: datetime
    superseded: tuple[bytes, ...] = attrs.field(default=(), repr=False)

    def renewed(self, digest: bytes) -> Handle:
        """Return the handle of the next generation, which only the secret behind *digest* opens."""
        return Handle(
            id=self.id,
            digest=digest,
            generation=self.generation + 1,
            created_at=self.created_at,
            superseded=(self.digest, *self.superseded)[:SUPERSEDED_KEPT],
        )


@attrs.frozen(kw_only=True)
class Anonymous:
    """A browser with a row and no person: pending consents hang on it."""

    handle: Handle
    expires_at: datetime


@attrs.frozen(kw_only=True)
class FactorOwed:
    """The pending login of mfa 2.3: a first factor passed, a second one is owed. It holds no rights.

    *epoch* is the person's at entry; *expires_at* is never extended by attempts.
    """

    handle: Handle
    expires_at: datetime
    user: UserId
    epoch: int
    proof: Proof
    since: datetime


@attrs.frozen(kw_only=True)
class EnrollmentOwed:
    """After an administrator's reset: a first factor passed, the mailed link has not been used (mfa 20.6)."""

    handle: Handle
    expires_at: datetime
    user: UserId
    epoch: int
    proof: Proof
    since: datetime


@attrs.frozen(kw_only=True)
class EnrollmentOpen:
    """The mailed link was used here: a second factor may be enrolled, and nothing else may be done."""

    handle: Handle
    expires_at: datetime
    user: UserId
    epoch: int
    proof: Proof
    since: datetime
    redeemed_at: datetime


@attrs.frozen(kw_only=True)
class SignedIn:
    """A person is signed in.

    Args:
        proofs: The newest proof of each method and organization. Those with an organization open only that one.
        lapsed: Methods whose own proof was seen to be too old to elevate. A clock that goes back revives none.
        aged: Links whose sign-on was seen to be too old to open their organization; likewise.
    """

    handle: Handle
    expires_at: datetime
    user: UserId
    epoch: int
    proofs: tuple[Proof, ...]
    since: datetime
    lapsed: frozenset[Method] = frozenset()
    aged: frozenset[LinkId] = frozenset()


@attrs.frozen(kw_only=True)
class Ended:
    """Over for good; nothing about the person is left. The row goes when it is swept."""

    handle: Handle
    expires_at: datetime
    reason: EndReason


Pending = FactorOwed | EnrollmentOwed | EnrollmentOpen
"""A sign-in that waits for something: nobody is signed in yet."""

Personal = Pending | SignedIn
"""A row that belongs to a person."""

Session = Anonymous | Pending | SignedIn | Ended
"""Every state of a session."""


@attrs.frozen(kw_only=True)
class Device:
    """A browser that completed a second factor once, known again by a random value (decision 9).

    It has budgets of its own for guesses and never elevates.
    """

    user: UserId
    digest: bytes = attrs.field(repr=False)
    created_at: datetime
    last_used_at: datetime


@attrs.frozen(kw_only=True)
class ResetLink:
    """The link mailed after an administrator's reset: for one person, once, until *expires_at* (mfa 20.6)."""

    user: UserId
    digest: bytes = attrs.field(repr=False)
    expires_at: datetime
