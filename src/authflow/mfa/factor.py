"""What is stored of one factor of one person: one aggregate per (user, kind), in one of four states.

A secret is sealed for its owner, its authenticator and its kind (`binding`), so that a ciphertext which was moved to
another row does not open. The handle of a pending enrollment is stored as a digest, and never shown by a state.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.values import IDENTIFIER_MAX

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import AuthenticatorId, Sealed, SessionId, UserId


@unique
class Mode(StrEnum):
    """What a pending enrollment will do when it is proven; fixed when it begins (decision 28).

    Attributes:
        NEW: Enroll a first one of this kind.
        ROTATION: Replace the secret of the one that is enrolled; its id stays.
    """

    NEW = "new"
    ROTATION = "rotation"


@attrs.frozen(kw_only=True)
class Authenticator:
    """A proven factor.

    Args:
        id: Opaque, public, kept through every rotation.
        name: What its owner calls it.
        created_at: When its present secret was proven.
        last_used_at: When a code of its present secret was accepted last, or none.
        secret: Sealed.
        last_accepted_step: The newest time step ever accepted for this secret; only later ones are (mfa 7.5).
    """

    id: AuthenticatorId
    name: str
    created_at: datetime
    last_used_at: datetime | None = None
    secret: Sealed
    last_accepted_step: int


@attrs.frozen(kw_only=True)
class Proposal:
    """A secret that waits to be proven.

    Args:
        flow: The digest of the handle that was shown to the session that began.
        session: That session: no other continues the flow.
        authenticator: The id that the factor will have; in a rotation, has already.
        secret: Sealed.
        created_at, expires_at: Its life; nothing prolongs it.
    """

    flow: bytes = attrs.field(repr=False)
    session: SessionId
    authenticator: AuthenticatorId
    secret: Sealed
    created_at: datetime
    expires_at: datetime

    def continues(self, flow: object, session: SessionId) -> bool:
        """Tell whether *flow*, presented by *session*, is the handle of this proposal."""
        return session == self.session and hmac.compare_digest(self.flow, flow_digest(flow))


@attrs.frozen
class Unenrolled:
    """Nothing is enrolled, and nothing is pending."""


@attrs.frozen(kw_only=True)
class Proposed:
    """A first secret waits to be proven."""

    proposal: Proposal


@attrs.frozen(kw_only=True)
class Enrolled:
    """A factor is enrolled."""

    authenticator: Authenticator


@attrs.frozen(kw_only=True)
class Rotating:
    """A factor is enrolled and goes on working; a new secret for it waits to be proven."""

    authenticator: Authenticator
    proposal: Proposal


Factor = Unenrolled | Proposed | Enrolled | Rotating


def pending(state: Factor) -> Proposal | None:
    """Return what waits to be proven, or none."""
    return state.proposal if isinstance(state, Proposed | Rotating) else None


def enrolled(state: Factor) -> Authenticator | None:
    """Return what is enrolled, or none."""
    return state.authenticator if isinstance(state, Enrolled | Rotating) else None


def mode_of(state: Factor) -> Mode:
    """Return what a proof would do in *state*."""
    return Mode.NEW if enrolled(state) is None else Mode.ROTATION


def with_proposal(state: Factor, proposal: Proposal) -> Proposed | Rotating:
    """Return *state* with *proposal* pending, whatever was pending before."""
    standing = enrolled(state)
    return Proposed(proposal=proposal) if standing is None else Rotating(authenticator=standing, proposal=proposal)


def with_authenticator(state: Enrolled | Rotating, authenticator: Authenticator) -> Enrolled | Rotating:
    """Return *state* with *authenticator* enrolled; what is pending stays pending."""
    if isinstance(state, Enrolled):
        return Enrolled(authenticator=authenticator)
    return Rotating(authenticator=authenticator, proposal=state.proposal)


def without_proposal(state: Factor) -> Unenrolled | Enrolled:
    """Return *state* with nothing pending."""
    standing = enrolled(state)
    return Unenrolled() if standing is None else Enrolled(authenticator=standing)


def flow_digest(flow: object) -> bytes:
    """Return the digest under which a flow handle is stored; anything that cannot be a handle has none."""
    if not isinstance(flow, str) or not flow.isascii() or not 1 <= len(flow) <= IDENTIFIER_MAX:
        return b""
    return hashlib.sha256(flow.encode()).digest()


def binding(user: UserId, kind: str, authenticator: AuthenticatorId) -> tuple[str, ...]:
    """Return what a factor's sealed secret is bound to (mfa 20.5)."""
    return ("mfa", user, kind, authenticator)
