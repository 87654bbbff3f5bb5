"""What can be asked of a membership: the commands of the table in `member`, with every fact its rules read."""

from __future__ import annotations

from enum import Enum, unique
from typing import TYPE_CHECKING

import attrs

from authflow.membership.standing import MemberFlag

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.membership.standing import Authority, Member
    from authflow.policy import MembershipPolicy
    from authflow.ports import Organization, User
    from authflow.values import InvitationId, OrganizationId, Role, Secret, TeamId, UserId


@unique
class FlagGroup(Enum):
    """Which flags one setter may touch: nothing here clears a flag of another group (sso 2.4).

    Attributes:
        SSO: The link at a provider.
        LIMIT: The plan's limit of members.
        IDP: What a provider provisions.
    """

    SSO = MemberFlag.SSO_LINKED | MemberFlag.SSO_INVALID
    LIMIT = MemberFlag.MEMBER_LIMIT_RESTRICTED
    IDP = MemberFlag.IDP_PROVISIONED | MemberFlag.IDP_ROLE_RESTRICTED


@attrs.frozen(kw_only=True)
class Join:
    """Become the *member*.

    Args:
        organization: Whose member.
        person: Who joins, or none when the host has no such person.
        member: The membership, if it comes to that.
        invited_at: When the invitation's token was made, none where there is no invitation.
        policy: The installation's.
        problems: What is wrong with what the host's own code gave; an invitation was read when it was made.
    """

    organization: Organization
    person: User | None
    member: Member
    invited_at: datetime | None
    policy: MembershipPolicy
    problems: Mapping[str, str] = attrs.field(factory=dict[str, str])


@attrs.frozen(kw_only=True)
class ChangeRole:
    """Give the member another role. *other_owners* are the organization's other active owners, under their lock."""

    authority: Authority
    role: Role
    other_owners: int


@attrs.frozen(kw_only=True)
class SetTeams:
    """Put the member into *teams* and no others; *problems* says what is wrong with them."""

    authority: Authority
    teams: tuple[TeamId, ...]
    problems: dict[str, str]


@attrs.frozen(kw_only=True)
class SetFlags:
    """Make the flags of *group* exactly those in *flags*; the host or another part of authflow says so, no person."""

    group: FlagGroup
    flags: MemberFlag


@attrs.frozen(kw_only=True)
class Remove:
    """End the membership for good; everybody may leave by themselves."""

    authority: Authority
    other_owners: int


@attrs.frozen(kw_only=True)
class Bar:
    """Remember that *user* was removed, whose way back was withdrawn, or who is one with somebody who was removed.

    *at*: when; none for now. A later removal of the same person replaces an earlier one (decision 15).
    """

    organization: OrganizationId
    user: UserId
    at: datetime | None = None


@attrs.frozen(kw_only=True)
class Demote:
    """Turn the membership back into an invitation bound to the person (decision 16).

    Args:
        authority: Who does it.
        person: The member, or none when the host has no such person any more.
        has_factor: They have a second factor.
        other_owners: The organization's other active owners, under their lock.
        invitation: The way back.
        token: 256 random bits; they are mailed to the person's verified addresses and nowhere else.
        only_lacking: Leave alone who meets the organization's requirements.
    """

    authority: Authority
    person: User | None
    has_factor: bool
    other_owners: int
    invitation: InvitationId
    token: Secret
    only_lacking: bool
