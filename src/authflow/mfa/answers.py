"""What the second-factor commands answer. Secrets and codes in here are shown once and never stored."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.mfa.factor import Mode
    from authflow.mfa.kinds import Kind
    from authflow.values import AuthenticatorId, FlowId, Secret, UserId


# --- enrolling ------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Begun(Answer):
    """A secret was proposed: show it, and come back with *flow* and a code that it makes.

    Args:
        flow: The handle of this enrollment; worthless in any other browser session.
        kind: What is being enrolled.
        mode: What a proof will do.
        secret: The bare secret, base32.
        uri: The ``otpauth`` address for a QR code; it contains the secret.
        grouped: The secret in blocks of four, for whoever types it.
        expires_at: When the proposal dies.
    """

    flow: FlowId = attrs.field(repr=False)
    kind: Kind
    mode: Mode
    secret: Secret
    uri: Secret
    grouped: Secret
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Proven(Answer):
    """The proposed secret was proven and is the factor's secret now; the time step of the proof is burnt."""

    user: UserId
    authenticator: AuthenticatorId
    kind: Kind
    mode: Mode
    step: int


@attrs.frozen
class Cancelled(Answer):
    """Nothing is pending any more; what is enrolled stays."""


# --- recovery codes -------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class CodesShown(Answer):
    """New recovery codes. Show them now: nobody can show them again.

    Args:
        authenticator: The id of the set.
        codes: All of them, in the order in which they are shown.
        created_at: When they were made.
    """

    authenticator: AuthenticatorId
    codes: tuple[Secret, ...]
    created_at: datetime


@unique
class WhyNoCodes(StrEnum):
    """Why no recovery codes were added; none of these is an error."""

    NO_PRIMARY = "no_primary"
    PRESENT = "present"
    CLOSED = "closed"


@attrs.frozen(kw_only=True)
class NoCodesAdded(Answer):
    """No recovery codes were made."""

    why: WhyNoCodes


# --- answering a challenge ------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Verified(Answer):
    """A code of an enrolled factor was accepted, and is used up.

    Args:
        user, authenticator, kind: Whose factor, and which.
        step: The time step that is burnt now, where the code was one of a time step.
        remaining: Recovery codes left, where one was used.
        failures: Refused codes of the same browser before this one.
    """

    user: UserId
    authenticator: AuthenticatorId
    kind: Kind
    step: int | None = None
    remaining: int | None = None
    failures: int = 0


# --- between services -----------------------------------------------------------------------------------------------


@attrs.frozen
class Done(Answer):
    """It is so now."""


@attrs.frozen
class Kept(Answer):
    """There was one already: it stays, and the other is dropped."""


# --- listing and changing -------------------------------------------------------------------------------------------


@unique
class Status(StrEnum):
    """Where a kind stands for a person (mfa 3.2).

    Attributes:
        NEW: Nothing is enrolled.
        EXISTING: One is enrolled, and there can be no second.
        MULTI: One is enrolled, and another may be added.
    """

    NEW = "new"
    EXISTING = "existing"
    MULTI = "multi"


@attrs.frozen(kw_only=True)
class Held:
    """One enrolled authenticator, of whatever kind. It holds no secret and no code.

    Args:
        kind: Which.
        id: Opaque, public.
        name: What its owner calls it.
        created_at: When its present secret was proven, or its present codes were made.
        last_used_at: When a code was accepted last, or none.
        remaining: Recovery codes left, where it is a set of those.
    """

    kind: Kind
    id: AuthenticatorId
    name: str
    created_at: datetime
    last_used_at: datetime | None
    remaining: int | None = None


@attrs.frozen(kw_only=True)
class Entry:
    """One kind as a person's security page shows it.

    Args:
        kind: Its names, labels and abilities.
        status: Where it stands.
        available: The deployment can offer it now.
        closed: No new one can be enrolled.
        held: What is enrolled, or none.
    """

    kind: Kind
    status: Status
    available: bool
    closed: bool
    held: Held | None


@attrs.frozen(kw_only=True)
class Listing(Answer):
    """Every kind that the deployment offers or the person has, in the order of kinds.

    *protected* tells whether they have a second factor: a primary one, available or not.

    Args:
        entries: One for each kind.
        protected: They have a second factor: a primary one, available or not.
    """

    entries: tuple[Entry, ...]
    protected: bool


@attrs.frozen(kw_only=True)
class Details(Answer):
    """One enrolled factor.

    Args:
        entry: Its kind, and what is enrolled of it.
    """

    entry: Entry


@attrs.frozen(kw_only=True)
class Renamed(Answer):
    """The factor has this name now.

    Args:
        authenticator: Which.
        name: As it is stored: trimmed.
    """

    authenticator: AuthenticatorId
    name: str


@attrs.frozen(kw_only=True)
class Removed(Answer):
    """One factor is gone.

    Args:
        user: Whose.
        authenticator, kind: What.
        actor_role: Who removed it: ``self``, ``administrator`` or ``manager``.
        primaries, backups: The ids of the kinds that are left, read after the removal.
    """

    user: UserId
    authenticator: AuthenticatorId
    kind: Kind
    actor_role: str
    primaries: tuple[str, ...] = ()
    backups: tuple[str, ...] = ()


EnrollmentAnswer = Begun | Proven | Cancelled | Renamed | Removed | Done | Kept | Refused
"""Everything that ``mfa.enrollment`` answers."""

RecoveryAnswer = CodesShown | NoCodesAdded | Removed | Done | Kept | Refused
"""Everything that ``mfa.recovery`` answers."""

ChallengeAnswer = Verified | Done | Refused
"""Everything that ``mfa.challenge`` answers."""
