"""People, organizations and invitations for the tests of membership; every fact can be turned by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs

from authflow.errors import Code
from authflow.membership.admission import Attempt
from authflow.membership.offer import Accepted, Expired, InviteStatus, Offer, Pending, Requested, Withdrawn
from authflow.membership.standing import Authority, Member, MemberFlag, Membership, Outside, Removed, Sponsor, Standing
from authflow.policy import MEMBER, OWNER, MembershipPolicy
from authflow.ports import Organization, Sso, User, UserAddress
from authflow.testing.clocks import START
from authflow.values import (
    Address,
    Asker,
    InvitationId,
    Level,
    LinkId,
    Mark,
    MemberId,
    OrganizationId,
    ProviderId,
    Role,
    Secret,
    SessionId,
    TeamId,
    UserId,
    token_digest,
)

NOW = START
SECOND = timedelta(seconds=1)
POLICY = MembershipPolicy()
HOME = OrganizationId("acme")
ELSEWHERE = OrganizationId("globex")
TOKEN = Secret("7" * 64)
DIGEST = token_digest(TOKEN)
WRONG = token_digest(Secret("8" * 64))
INVITED = Address("ada@example.org")
INVITATION = InvitationId("invitation-1")
NEW_MEMBER = MemberId("member-new")
NO_SSO = Sso()


def person(
    key: str = "ada", *addresses: str, verified: bool = True, active: bool = True, administrator: bool = False
) -> User:
    """Return a person; the first address is the primary one, and all are verified or none is."""
    named = addresses or (f"{key}@example.org",)
    at = NOW if verified else None
    held = tuple(UserAddress(address=Address(a), primary=a is named[0], verified_at=at) for a in named)
    return User(id=UserId(key), label=key, active=active, administrator=administrator, addresses=held)


def organization(key: OrganizationId = HOME, **facts: Any) -> Organization:
    """Return an organization that signals to one region and requires nothing."""
    return Organization(id=key, slug=f"{key}-slug", name=key, default_role=MEMBER, regions=("eu",), **facts)


def asker(
    user: User | None,
    level: Level = Level.TWO,
    *,
    marks: tuple[Mark, ...] = (),
    why_not: Code | None = None,
    session: str = "session-1",
) -> Asker:
    """Return who asks; a stranger when *user* is none."""
    key = None if user is None else user.id
    return Asker(
        user=key,
        session=SessionId(session),
        why_not=why_not or (Code.SESSION_REQUIRED if user is None else None),
        level=Level.NONE if user is None else level,
        marks=marks,
        label="" if user is None else user.label,
    )


def entered(organization: OrganizationId) -> Mark:
    """Return the mark of a session that signed in through the provider of *organization*."""
    provider = ProviderId(f"{organization}-idp")
    return Mark(organization=organization, provider=provider, link=LinkId(f"{organization}-link"), at=NOW)


def member(key: str = "ada", role: Role = MEMBER, place: OrganizationId = HOME, **facts: Any) -> Member:
    """Return a membership."""
    return Member(organization=place, user=UserId(key), id=MemberId(f"member-{key}"), role=role, **facts)


def removed(key: str = "ada", *, at: Any = NOW) -> Removed:
    """Return a tombstone."""
    return Removed(organization=HOME, user=UserId(key), at=at)


def standing(user: User | None = None, membership: Membership | None = None, **facts: Any) -> Standing:
    """Return who somebody is to the organization; by default a stranger."""
    given: dict[str, Any] = {"asker": asker(user), "has_factor": False, "sso": NO_SSO, **facts}
    return Standing(user=user, membership=Outside() if membership is None else membership, **given)


def manager(role: Role = OWNER, key: str = "olga", **facts: Any) -> Standing:
    """Return a member with *role*, by default an owner."""
    user = person(key)
    return standing(user, member(key, role), **facts)


def unheard() -> tuple[Standing, ...]:
    """Return owners whose word does not count: deactivated, over the limit of members, outside their provider."""
    required = Sso(provider=ProviderId("acme-idp"), name="Acme", required=True)
    return (
        standing(attrs.evolve(person("olga"), active=False), member("olga", OWNER)),
        standing(person("olga"), member("olga", OWNER, flags=MemberFlag.MEMBER_LIMIT_RESTRICTED)),
        manager(OWNER, sso=required),
    )


def authority(actor: Standing | None = None, place: Organization | None = None) -> Authority:
    """Return who commands; by default an owner."""
    return Authority(actor=actor or manager(), organization=place or organization(), policy=POLICY)


def sponsor(role: Role = OWNER, **facts: Any) -> Sponsor:
    """Return who stands for an invitation; by default an owner."""
    return Sponsor(user=person("olga", **facts), membership=member("olga", role))


def offer(role: Role = MEMBER, **facts: Any) -> Offer:
    """Return an offer to the invited address."""
    given: dict[str, Any] = {
        "organization": HOME,
        "id": INVITATION,
        "email": INVITED,
        "teams": (TeamId("red"),),
        **facts,
    }
    return Offer(role=role, **given)


def requested(origin: InviteStatus = InviteStatus.REQUESTED_TO_JOIN, by: str = "ada", **facts: Any) -> Requested:
    """Return a request."""
    return Requested(offer=offer(origin=origin, **facts), by=UserId(by), at=NOW)


def pending(**facts: Any) -> Pending:
    """Return an invitation that was just sent and lives as long as the policy says."""
    given: dict[str, Any] = {
        "offer": offer(),
        "sponsor": UserId("olga"),
        "token": DIGEST,
        "issued_at": NOW,
        "expires_at": NOW + POLICY.invitation_ttl,
        **facts,
    }
    return Pending(**given)


def accepted(by: str = "ada") -> Accepted:
    """Return a used invitation."""
    return Accepted(offer=offer(), token=DIGEST, by=UserId(by), member=MemberId("member-ada"), at=NOW)


def withdrawn() -> Withdrawn:
    """Return a withdrawn invitation."""
    return Withdrawn(offer=offer(), token=DIGEST, at=NOW)


def stale(*, bound_to: UserId | None = None) -> Expired:
    """Return an invitation that was seen to be expired."""
    return Expired(
        offer=offer(), sponsor=UserId("olga"), token=DIGEST, at=NOW, bound_to=bound_to, flags=MemberFlag.NONE
    )


def attempt(applicant: Standing | None = None, **facts: Any) -> Attempt:
    """Return somebody at the door with the right token; by default the invited person, signed in."""
    given: dict[str, Any] = {
        "organization": organization(),
        "presented": DIGEST,
        "sponsor": sponsor(),
        "policy": POLICY,
        **facts,
    }
    return Attempt(applicant=applicant or standing(person()), **given)
