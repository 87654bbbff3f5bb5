"""What may be asked of a session, with every fact the rules need, and what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.values import Answer

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from authflow.policy import SessionPolicy
    from authflow.sessions.states import ResetLink
    from authflow.values import Level, Proof, Secret, UserId


@attrs.frozen(kw_only=True)
class Person:
    """What is known of a person now, read in the transaction of the command.

    Args:
        active: May sign in; false for whoever does not exist.
        has_factor: A primary second factor is enrolled.
        epoch: Sessions that began under another one are over.
        enrollment_required: An administrator's reset demands an enrollment before anything else.
    """

    user: UserId
    label: str = ""
    active: bool = True
    has_factor: bool = False
    epoch: int = 1
    enrollment_required: bool = False


@attrs.frozen(kw_only=True)
class Findings:
    """What the service read before it asked.

    Args:
        person: Whom the row belongs to, or none.
        failures: Wrong second factors of the pending login so far, from the counter that no rollback undoes.
        mark_life: How long a sign-on through a provider counts; none where it does not age here.
    """

    policy: SessionPolicy
    person: Person | None = None
    failures: int = 0
    mark_life: timedelta | None = None


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Look:
    """See what stands, and store what is over."""

    found: Findings


@attrs.frozen(kw_only=True)
class Establish:
    """Sign *person* in with a first factor that the host has checked; *digest* is of the secret for a renewed value."""

    policy: SessionPolicy
    person: Person
    proof: Proof
    digest: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Prove:
    """A second factor was verified."""

    found: Findings
    proof: Proof
    digest: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Fail:
    """A second factor was wrong; *found.failures* counts this one too."""

    found: Findings


@attrs.frozen(kw_only=True)
class Redeem:
    """The mailed link of a reset was opened. *link* is it, spent just now for this row's person, or none."""

    found: Findings
    link: ResetLink | None


@attrs.frozen(kw_only=True)
class FinishEnrollment:
    """A factor was enrolled and proven: the epoch is rotated with this session alone. *alive* as in `AdoptEpoch`."""

    found: Findings
    proof: Proof
    alive: int
    reason: str
    digest: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class AdoptEpoch:
    """End every other session by rotating the epoch. *alive* counts those that are signed in, this one too."""

    found: Findings
    alive: int
    reason: str
    digest: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Cancel:
    """Give up a pending sign-in; asking twice changes nothing."""

    found: Findings


@attrs.frozen(kw_only=True)
class SignOut:
    """End this session."""


Command = Look | Establish | Prove | Fail | Redeem | FinishEnrollment | AdoptEpoch | Cancel | SignOut


# --- answers --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class SignedIn(Answer):
    """*user* is signed in, and *others_ended* other sessions of theirs are over.

    A *device* value goes into a long-lived cookie of this browser (decision 9).

    Args:
        user: Who.
        level: The assurance of the session.
        device: A value for a long-lived cookie of this browser, or none (decision 9).
        others_ended: How many other sessions of theirs are over.
    """

    user: UserId
    level: Level
    device: Secret | None = None
    others_ended: int = 0


@attrs.frozen(kw_only=True)
class SecondFactorOwed(Answer):
    """The first factor passed; a second one is owed until *expires_at*. Nothing is said about the person.

    Args:
        expires_at: When the sign-in is over without it.
        attempts_left: Wrong codes that this sign-in survives; `Refused` says what else may come first.
    """

    expires_at: datetime
    attempts_left: int


@attrs.frozen(kw_only=True)
class EnrollmentOwed(Answer):
    """A second factor must be enrolled before anything else, once the mailed link has been used.

    Args:
        expires_at: When this sign-in is over without it.
        link_redeemed: The mailed link was used here: ``mfa.begin_totp`` comes next, else ``sessions.redeem``.
    """

    expires_at: datetime
    link_redeemed: bool


@attrs.frozen(kw_only=True)
class Elevated(Answer):
    """The signed-in person proved a second factor once more. *device* as in `SignedIn`.

    Args:
        user: Who.
        level: The assurance of the session.
        device: As of `Arrived`.
    """

    user: UserId
    level: Level
    device: Secret | None = None


@attrs.frozen(kw_only=True)
class OthersEnded(Answer):
    """*count* other sessions of the person ended.

    Args:
        count: How many ended.
    """

    count: int


@attrs.frozen(kw_only=True)
class SignInCancelled(Answer):
    """No sign-in is pending here now."""


@attrs.frozen(kw_only=True)
class SignedOut(Answer):
    """Nobody is signed in here now."""
