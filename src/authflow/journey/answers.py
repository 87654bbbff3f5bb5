"""What the composed commands answer: the slices' answers, joined into what a host matches on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.values import Answer

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.journey.post_flow import InvitationOutcome
    from authflow.values import Address, AuthenticatorId, Level, Secret, UserId


@attrs.frozen(kw_only=True)
class Arrived(Answer):
    """A person signed in here just now, and what had waited for that happened.

    Args:
        user: Who.
        level: The assurance of the session.
        device: A value for a long-lived cookie of this browser, or none (decision 9).
        invitation: What became of the invitation that had waited in this browser.
    """

    user: UserId
    level: Level
    device: Secret | None = None
    invitation: InvitationOutcome


@attrs.frozen(kw_only=True)
class Enrolled(Answer):
    """A second factor was proven, and everything that had waited for it happened.

    Args:
        authenticator: The factor's id; a rotation keeps it.
        kind: What was enrolled.
        rotated: Its secret was replaced in place; false for a new factor.
        recovery_codes: New recovery codes, if they were just made. Show them now: nobody can show them again.
        ended_sessions: How many other sessions of the person ended.
        invitation: What became of the invitation that had waited in this browser.
    """

    authenticator: AuthenticatorId
    kind: str
    rotated: bool
    recovery_codes: tuple[Secret, ...] = ()
    ended_sessions: int = 0
    invitation: InvitationOutcome


@attrs.frozen(kw_only=True)
class FactorRemoved(Answer):
    """A factor was removed.

    Args:
        authenticator: Which.
        fallen: Backup kinds that fell with it.
        protected: The person still has a second factor.
        ended_sessions: How many other sessions of the person ended.
    """

    authenticator: AuthenticatorId
    fallen: tuple[str, ...] = ()
    protected: bool
    ended_sessions: int = 0


@attrs.frozen(kw_only=True)
class FactorsReset(Answer):
    """An administrator removed every factor of a person, who was mailed a single-use link.

    Args:
        user: Whose.
        removed: The kinds that were removed.
        ended_sessions: How many of their sessions ended.
        link_expires_at: Until when the mailed link works.
    """

    user: UserId
    removed: tuple[str, ...]
    ended_sessions: int
    link_expires_at: datetime


@attrs.frozen(kw_only=True)
class Resumed(Answer):
    """What had waited in this browser was tried once more.

    Args:
        invitation: What became of it.
    """

    invitation: InvitationOutcome


@attrs.frozen(kw_only=True)
class AddressRecorded(Answer):
    """An address that the host verified was recorded, and what had waited for it happened.

    Args:
        invitation: What became of the invitation that had waited for it in this browser.
    """

    invitation: InvitationOutcome


@attrs.frozen(kw_only=True)
class AddressConfirmed(Answer):
    """The mailed link was used: *address* is verified, and what had waited for it happened.

    Args:
        address: Which.
        ended_sessions: How many other sessions of the person ended, because it was the first address they proved:
            whoever opened the account before that may have been somebody else.
        invitation: What became of the invitation that had waited in this browser.
    """

    address: Address
    ended_sessions: int = 0
    invitation: InvitationOutcome


@attrs.frozen(kw_only=True)
class AlreadyConfirmed(Answer):
    """A second click, or an old link where nothing is left to confirm: a success.

    Args:
        invitation: What became of the invitation that had waited in this browser.
    """

    invitation: InvitationOutcome


@attrs.frozen(kw_only=True)
class AccountDeleted(Answer):
    """Everything that authflow kept about a person is gone, and so is the person.

    Args:
        user: Who is gone.
    """

    user: UserId


@attrs.frozen(kw_only=True)
class AccountsMerged(Answer):
    """One account took over another.

    Args:
        user: Who is left.
        moved: Kinds of second factors that moved.
        dropped: Kinds that were dropped, because *user* had them already (mfa 2.1).
        memberships: Organizations that *user* joined by it.
    """

    user: UserId
    moved: tuple[str, ...]
    dropped: tuple[str, ...]
    memberships: tuple[str, ...]


@attrs.frozen(kw_only=True)
class AccountExported(Answer):
    """Everything stored about a person, as JSON types, every secret blanked.

    Args:
        user: Whose.
        document: The person, their factors, memberships, sessions and audit entries.
    """

    user: UserId
    document: dict[str, object] = attrs.field(repr=False)
