"""What a person is to an organization, and what that opens: entering it, managing it, granting a role.

Everything here is a pure function of facts that a service read in its transaction. ``None`` means yes: the functions
return the code of the refusal, so that a rule can hand it on.
"""

from __future__ import annotations

from enum import Flag, unique
from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.nobody import NO_USER
from authflow.ports import Organization
from authflow.values import Level, Role, UserId
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.policy import MembershipPolicy
    from authflow.ports import Sso, User
    from authflow.values import Asker, MemberId, OrganizationId, TeamId


@unique
class MemberFlag(Flag):
    """What is known of a membership beside role and teams (sso 2.4). The numbers are stored, and permanent.

    Attributes:
        NONE: Nothing.
        SSO_LINKED: A link at the organization's provider stands.
        SSO_INVALID: It stood, and is broken.
        MEMBER_LIMIT_RESTRICTED: Joined above the plan's limit, and may not enter.
        IDP_PROVISIONED: The provider made this membership.
        IDP_ROLE_RESTRICTED: The provider decides the role.
    """

    NONE = 0
    SSO_LINKED = 1
    SSO_INVALID = 2
    MEMBER_LIMIT_RESTRICTED = 4
    IDP_PROVISIONED = 8
    IDP_ROLE_RESTRICTED = 16

    def names(self) -> str:
        """Return the names of the flags that are set, small and joined with commas."""
        return ",".join(str(flag.name).lower() for flag in self)


# --- what a person is to an organization ----------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Outside:
    """The person is no member, and never was removed."""


@attrs.frozen(kw_only=True)
class Member:
    """The person belongs to the organization. *id* names this membership; a later one gets another.

    Args:
        organization: Where.
        user: Who.
        id: Names this membership; a later one gets another.
        role: One of ``policy.membership.roles``.
        teams: Ids of the host's own.
        flags: What else is known.
    """

    organization: OrganizationId
    user: UserId
    id: MemberId
    role: Role
    teams: tuple[TeamId, ...] = ()
    flags: MemberFlag = MemberFlag.NONE


@attrs.frozen(kw_only=True)
class Removed:
    """The tombstone: the person was removed at *at*, and does not simply walk back in (decision 15)."""

    organization: OrganizationId
    user: UserId
    at: datetime


Membership = Outside | Member | Removed


@attrs.frozen(kw_only=True)
class Standing:
    """Who somebody is to one organization at this moment: every fact that a decision about them reads.

    Args:
        asker: The session, as the server's row says.
        user: The person, or none when nobody is signed in there.
        membership: What they are to the organization.
        has_factor: They have a second factor; backup kinds alone are none.
        sso: What single sign-on means for them at the organization.
    """

    asker: Asker
    user: User | None
    membership: Membership
    has_factor: bool
    sso: Sso

    @property
    def person(self) -> UserId:
        """The person's id; empty for nobody, whom no rule lets do anything."""
        return NO_USER if self.user is None else self.user.id


@attrs.frozen(kw_only=True)
class Sponsor:
    """Who stands for an invitation: whoever made, approved or last resent it."""

    user: User | None
    membership: Membership


@attrs.frozen(kw_only=True)
class Authority:
    """Who commands, over which organization, under which policy. An unknown organization is `nowhere`."""

    actor: Standing
    organization: Organization
    policy: MembershipPolicy


def nowhere(organization: OrganizationId) -> Organization:
    """Return what stands for an organization that does not exist: one that takes nobody in and opens nothing."""
    return Organization(id=organization, slug="", name="", active=False, default_role=Role(""))


# --- what that opens ------------------------------------------------------------------------------------------------


def signed_on(asker: Asker, organization: OrganizationId, sso: Sso) -> bool:
    """Tell whether the session's sign-in through the provider of *organization* still counts, required or not.

    It counts no longer than the provider, the very link by which it was made, and its own time (decisions 1, 2).
    """
    return organization in asker.organizations and sso.linked and sso.marked


def proves(asker: Asker, organization: OrganizationId, sso: Sso) -> bool:
    """Tell whether the session's proofs reach *organization*: one of the person's own, or its provider's.

    A proof given by another organization's provider opens that organization only (decision 1). *sso* is what single
    sign-on means for the asker at *organization*.
    """
    return asker.level >= Level.ONE or signed_on(asker, organization, sso)


def proved_twice(standing: Standing, organization: OrganizationId) -> bool:
    """Tell whether this very session passed the person's second factor: having one is not enough (decision 12).

    Before it came a first factor of their own; or the word of the organization's own provider, which is one there and
    nowhere else (decision 1).
    """
    asker = standing.asker
    twice = asker.level >= Level.TWO or (asker.factor_proven and signed_on(asker, organization, standing.sso))
    return standing.has_factor and twice


def sso_met(sso: Sso) -> bool:
    """Tell whether this session meets the organization's single sign-on, as far as it is required (decision 2)."""
    return not sso.required or (sso.linked and sso.marked)


@gate
def lacks(user: User | None, organization: Organization, *, has_factor: bool) -> Code | None:
    """Return what the organization requires of a person and *user* has not: a second factor, a verified address."""
    if organization.require_second_factor and not has_factor:
        return Code.ORGANIZATION_SECOND_FACTOR_REQUIRED
    if organization.require_verified_address and not (user is not None and user.primary_verified()):
        return Code.ORGANIZATION_ADDRESS_UNVERIFIED
    return None


@gate
def identified(standing: Standing) -> Code | None:
    """Return why nobody who counts is signed in, or none."""
    if standing.user is None:
        return standing.asker.why_not or Code.SESSION_REQUIRED
    return None if standing.user.active else Code.SESSION_USER_INACTIVE


@gate
def may_enter(standing: Standing, organization: Organization) -> Code | None:
    """Decide whether a session may act in *organization* (mfa 17.3); return the code of the refusal, or none.

    An installation's administrator needs no membership and meets no organization's requirement.
    """
    unknown = identified(standing)
    if unknown is not None:
        return unknown
    if not organization.active:
        return Code.ORGANIZATION_UNKNOWN
    if not proves(standing.asker, organization.id, standing.sso):
        return _unproven(standing, organization)
    return None if administrates(standing.user) else _member_may_enter(standing, organization)


def _unproven(standing: Standing, organization: Organization) -> Code:
    """Send whoever came by the provider there again, where it is required: more than its word they may not have."""
    came = organization.id in standing.asker.organizations
    return Code.ORGANIZATION_SSO_REQUIRED if came and not sso_met(standing.sso) else Code.SESSION_ELEVATION_REQUIRED


@gate
def _member_may_enter(standing: Standing, organization: Organization) -> Code | None:
    if role_in(organization.id, standing.membership) is None:
        return Code.MEMBERSHIP_FORBIDDEN
    if not sso_met(standing.sso):
        return Code.ORGANIZATION_SSO_REQUIRED
    return lacks(standing.user, organization, has_factor=standing.has_factor) or _restricted(standing.membership)


@gate
def may_manage(authority: Authority) -> Code | None:
    """Decide whether the actor may invite, approve, change and remove (decision 36); the code, or none."""
    actor, organization = authority.actor, authority.organization
    refusal = may_enter(actor, organization)
    if refusal is not None:
        return refusal
    if administrates(actor.user) or role_in(organization.id, actor.membership) in authority.policy.managing_roles:
        return None
    return Code.MEMBERSHIP_FORBIDDEN


@gate
def may_grant(authority: Authority, role: Role) -> Code | None:
    """Decide whether the actor may give *role*: nobody grants more than their own; the code, or none."""
    actor, organization = authority.actor, authority.organization
    refusal = may_manage(authority)
    if refusal is not None:
        return refusal
    sponsor = Sponsor(user=actor.user, membership=actor.membership)
    return None if entitled(sponsor, role, organization, authority.policy) else Code.ROLE_NOT_ALLOWED


def entitled(sponsor: Sponsor, role: Role, organization: Organization, policy: MembershipPolicy) -> bool:
    """Tell whether *sponsor*, being what they are right now, may give *role* in *organization*."""
    if sponsor.user is None or not sponsor.user.active:
        return False
    if administrates(sponsor.user):
        return policy.rank(role) is not None
    own = role_in(organization.id, sponsor.membership)
    return own is not None and policy.may_grant(own, role)


def may_return(membership: Membership, invited_at: datetime | None, policy: MembershipPolicy) -> bool:
    """Tell whether a removed person may come back: by policy, or by an invitation newer than the removal."""
    if not isinstance(membership, Removed) or policy.rejoin:
        return True
    return invited_at is not None and invited_at > membership.at


def administrates(user: User | None) -> bool:
    """Tell whether *user* acts on the whole installation."""
    return user is not None and user.administrates()


def role_in(organization: OrganizationId, membership: Membership) -> Role | None:
    """Return the role of a member of this very *organization*, none for anybody else."""
    if not isinstance(membership, Member) or membership.organization != organization:
        return None
    return membership.role


@gate
def _restricted(membership: Membership) -> Code | None:
    over = isinstance(membership, Member) and MemberFlag.MEMBER_LIMIT_RESTRICTED in membership.flags
    return Code.MEMBERSHIP_RESTRICTED if over else None
