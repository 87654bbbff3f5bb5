"""What an invitation offers, to whom, and every state it can be in. The table that moves it stands in `invitation`."""

from __future__ import annotations

import hashlib
from enum import IntEnum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.membership.standing import MemberFlag
from authflow.values import fold_address, token_digest

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import Address, InvitationId, MemberId, OrganizationId, Role, Secret, TeamId, UserId


@unique
class InviteStatus(IntEnum):
    """How an invitation began (sso 2.4). The numbers are stored, and permanent.

    Attributes:
        APPROVED: Somebody who may invite made it, or approved it.
        REQUESTED_TO_BE_INVITED: A member asked that somebody be invited.
        REQUESTED_TO_JOIN: An outsider asked to join.
    """

    APPROVED = 0
    REQUESTED_TO_BE_INVITED = 1
    REQUESTED_TO_JOIN = 2

    @property
    def label(self) -> str:
        """The name as audit entries and mails show it."""
        return self.name.lower()


@attrs.frozen(kw_only=True)
class Offer:
    """What is offered: a role and teams in one organization, to the holder of one address.

    *origin* is how it began. *email* compares with `authflow.values.same_address` only.
    """

    organization: OrganizationId
    id: InvitationId
    email: Address
    role: Role
    teams: tuple[TeamId, ...] = ()
    origin: InviteStatus = InviteStatus.APPROVED


@attrs.frozen(kw_only=True)
class Absent:
    """There is no such invitation in this organization."""


@attrs.frozen(kw_only=True)
class Requested:
    """Somebody asked that the address be invited, or asked to join. Nobody holds a token."""

    offer: Offer
    by: UserId
    at: datetime


@attrs.frozen(kw_only=True)
class Pending:
    """Approved, and waiting to be accepted.

    Args:
        offer: What is offered.
        sponsor: Who stands for it: the inviter, the approver, or who resent it.
        token: The digest under which the token of the last mail is known.
        issued_at: When that token was made.
        expires_at: When it dies: there is no token without an end (decision 12).
        bound_to: The demoted member who alone may accept it (decision 16).
        flags: What a demoted member gets back with the membership.
    """

    offer: Offer
    sponsor: UserId
    token: bytes = attrs.field(repr=False)
    issued_at: datetime
    expires_at: datetime
    bound_to: UserId | None = None
    flags: MemberFlag = MemberFlag.NONE


@attrs.frozen(kw_only=True)
class Accepted:
    """Used up. The token's digest stays, so that its holder is told so and nobody else."""

    offer: Offer
    token: bytes = attrs.field(repr=False)
    by: UserId
    member: MemberId
    at: datetime


@attrs.frozen(kw_only=True)
class Withdrawn:
    """Taken back by somebody who manages the organization."""

    offer: Offer
    token: bytes = attrs.field(repr=False)
    at: datetime


@attrs.frozen(kw_only=True)
class Expired:
    """Seen to be expired; it stays so when a clock goes back (decision 35). Only a resend revives it."""

    offer: Offer
    sponsor: UserId
    token: bytes = attrs.field(repr=False)
    at: datetime
    bound_to: UserId | None = None
    flags: MemberFlag = MemberFlag.NONE


Waiting = Requested | Pending
"""Open: at most one of them for one address, or one person, in an organization."""

Invitation = Absent | Requested | Pending | Accepted | Withdrawn | Expired


def token_of(invitation: Invitation) -> bytes | None:
    """Return the digest of the invitation's newest token, none where there never was one."""
    return None if isinstance(invitation, Absent | Requested) else invitation.token


def expired(invitation: Pending, now: datetime) -> bool:
    """Tell whether the token has died."""
    return now >= invitation.expires_at


def carries(invitation: Invitation, token: Secret, now: datetime) -> bool:
    """Tell whether *token* still opens *invitation*; a mail whose token does not is not worth sending (decision 37)."""
    live = isinstance(invitation, Pending) and not expired(invitation, now)
    return live and token_of(invitation) == token_digest(token)


def open_key(invitation: Invitation) -> bytes | None:
    """Return what only one open invitation of an organization may have: whom it is for. None when it is not open."""
    match invitation:
        case Pending(bound_to=person) if person is not None:
            return person_key(person)
        case Requested(offer=offer) | Pending(offer=offer):
            return address_key(offer.email)
        case _:
            return None


def address_key(address: Address) -> bytes:
    """Return the key of an open invitation to *address*: a digest, so that every database compares it as bytes."""
    return hashlib.sha256(b"address:" + fold_address(address).encode()).digest()


def person_key(user: UserId) -> bytes:
    """Return the key of an open invitation that is bound to *user*."""
    return hashlib.sha256(b"user:" + user.encode()).digest()
