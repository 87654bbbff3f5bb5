"""What an installation can set, what somebody can come with, and what can come of it."""

from __future__ import annotations

from enum import StrEnum, unique
from itertools import product
from typing import TYPE_CHECKING, Final

import attrs

from authflow.sso.access import Door
from authflow.testing.samples import links, membership
from authflow.values import Address, Method, Proof

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authflow.errors import Code
    from authflow.membership.admission import Requirement
    from authflow.membership.offer import Invitation
    from authflow.ports import Organization
    from authflow.sso.case import Decision

NOW: Final = links.NOW
ADA: Final = links.ADA
LINK: Final = attrs.evolve(links.link(), verified_at=NOW)
PASSWORD: Final = Proof(method=Method.PASSWORD, at=NOW)
TOTP: Final = Proof(method=Method.TOTP, at=NOW)
CAME: Final = Proof(method=Method.SSO, at=NOW, organization=links.ACME, provider=links.ACME_IDP, link=LINK.id)


# --- what can be set --------------------------------------------------------------------------------------------------


@unique
class Provider(StrEnum):
    """Whether the organization has a provider, and whether its members must sign in through it."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@unique
class SecondFactor(StrEnum):
    """Whether the organization requires a second factor, and what connecting a provider does to that (decision 26)."""

    NOT_REQUIRED = "not required"
    COMPOSED = "required, composed"
    EXCLUSIVE = "required, exclusive"


@attrs.frozen(kw_only=True)
class Settings:
    """What an organization and its installation set. *newcomers*: whoever the provider sends becomes a member."""

    provider: Provider
    second_factor: SecondFactor
    newcomers: bool

    def organization(self) -> Organization:
        """Return the organization. Connecting a provider lifts what is exclusive with it."""
        lifted = self.second_factor is SecondFactor.EXCLUSIVE and self.provider is not Provider.NONE
        required = self.second_factor is not SecondFactor.NOT_REQUIRED and not lifted
        return membership.organization(require_second_factor=required)

    def door(self) -> Door | None:
        """Return what single sign-on asks, or none where there is no provider."""
        if self.provider is Provider.NONE:
            return None
        required = self.provider is Provider.REQUIRED
        return Door(organization=links.ACME, provider=links.ACME_IDP, required=required, confirms=True)


# --- what somebody comes with -----------------------------------------------------------------------------------------


@unique
class Place(StrEnum):
    """What the person is to the organization, and which invitation they have."""

    MEMBER = "a member"
    ONLY_OWNER = "the only owner"
    INVITED = "invited"
    INVITED_ELSEWHERE = "another address is invited"
    EXPIRED = "the invitation expired"
    STRANGER = "not invited"
    REMOVED = "removed before"


INVITATIONS: Final[Mapping[Place, Invitation]] = {
    Place.INVITED: membership.pending(),
    Place.INVITED_ELSEWHERE: membership.pending(offer=membership.offer(email=Address("grace@example.net"))),
    Place.EXPIRED: membership.pending(expires_at=NOW),
}


@unique
class Way(StrEnum):
    """How somebody comes in.

    Attributes:
        PASSWORD: With a password of their own, or a mailed link.
        PROVIDER: Through the organization's provider, where they are linked.
        NEW_ACCOUNT: Through the provider, where nobody is linked, for a new account, after its address was proven.
        LINKING: As PASSWORD, then through the provider, to link that identity.
    """

    PASSWORD = "password"  # noqa: S105  # a way to sign in, and none of their secrets
    PROVIDER = "provider"
    NEW_ACCOUNT = "new account"
    LINKING = "linking"


@unique
class Factor(StrEnum):
    """What there is of a second factor: none, one that is not proven here yet, or one that was proven just now."""

    NONE = "none"
    UNPROVEN = "unproven"
    PROVEN = "proven"


@attrs.frozen(kw_only=True)
class Coming:
    """Somebody comes."""

    place: Place
    way: Way
    factor: Factor


@attrs.frozen(kw_only=True)
class Result:
    """What comes of it.

    Args:
        decision: Of finishing the sign-in through the provider; none where nobody came through it.
        joined: They became a member, by an invitation or by policy.
        open: What the organization still asks before the invitation counts.
        code: Why they may not act in the organization now, or none: they may.
    """

    decision: Decision | None = None
    joined: bool = False
    open: frozenset[Requirement] = frozenset()
    code: Code | None = None


def settings() -> Iterator[Settings]:
    """Yield everything that can be set; without a provider nobody is sent by one."""
    for provider, second_factor, newcomers in product(Provider, SecondFactor, (True, False)):
        if newcomers or provider is not Provider.NONE:
            yield Settings(provider=provider, second_factor=second_factor, newcomers=newcomers)


def comings() -> Iterator[Coming]:
    """Yield everybody who can come; whoever makes an account has no factor, and whoever links is signed in."""
    for place, way, factor in product(Place, Way, Factor):
        fits = {Way.NEW_ACCOUNT: factor is Factor.NONE, Way.LINKING: factor is not Factor.UNPROVEN}
        new = way is Way.NEW_ACCOUNT and place in {Place.MEMBER, Place.ONLY_OWNER}
        if fits.get(way, True) and not new:
            yield Coming(place=place, way=way, factor=factor)
