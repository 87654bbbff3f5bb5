"""Invitations, single sign-on, second factors and policies, composed: the pure decisions, asked one after the other.

Each slice decides for itself, by a table of its own. Whether they agree with each other can be seen only where all of
them are asked about one person: that is done here, in the order in which the flows ask, for every combination of what
an installation can set and of what somebody can come with. Nothing is stored, and nobody else is asked.
"""

from __future__ import annotations

from enum import StrEnum, unique
from itertools import product
from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.membership.admission import Admitted, Attempt, Denied, Open, may_accept
from authflow.membership.changes import Join
from authflow.membership.member import MACHINE as MEMBERSHIP
from authflow.membership.standing import Member, MemberFlag, Outside, Removed, Standing, may_enter
from authflow.policy import MEMBER, OWNER
from authflow.ports import Sso
from authflow.sessions.commands import Findings, Person
from authflow.sessions.standing import asker
from authflow.sessions.states import FactorOwed, SignedIn
from authflow.sso.access import MARK_LIFE, UNUSABLE, Door, Entrant, access, unmet
from authflow.sso.case import Ask, Case, Challenge, Choice, Deny, Known, Register, Visitor
from authflow.sso.finishing import decide
from authflow.testing.samples import links, membership, sessions
from authflow.values import Address, Method, Proof, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authflow.membership.admission import Decision as Admission
    from authflow.membership.admission import Requirement
    from authflow.membership.offer import Invitation
    from authflow.membership.standing import Membership
    from authflow.ports import Organization, User
    from authflow.sso.case import Decision
    from authflow.values import Asker

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


# --- the decisions, one after the other -------------------------------------------------------------------------------


def compose(given: Settings, coming: Coming) -> Result | None:
    """Return what comes of somebody who comes to an organization; none where there is no such way in."""
    if coming.way is Way.PASSWORD:
        return _Arrival(given=given, coming=coming).result()
    if given.provider is Provider.NONE:
        return None
    decision = decide(_Arrival(given=given, coming=coming).case(), NOW)
    match decision:
        case Deny():
            return Result(decision=decision, code=decision.code)
        case Ask():
            return Result(decision=decision, code=Code.SESSION_REQUIRED)
        case Challenge():
            return Result(decision=decision, code=Code.SESSION_SECOND_FACTOR_OWED)
        case _:
            return _Arrival(given=given, coming=coming, decision=decision).result()


@attrs.frozen(kw_only=True)
class _Arrival:
    """Somebody, and what was decided of them on their way through the provider, if they came through it."""

    given: Settings
    coming: Coming
    decision: Decision | None = None

    def case(self) -> Case:
        """Return what the sign-in through the provider finishes with."""
        way, place = self.coming.way, self.coming.place
        linked = way is Way.PROVIDER
        here = way is Way.LINKING or (linked and self.coming.factor is Factor.PROVEN)
        known = Known(
            link=links.link() if linked else None,
            holder=links.holder() if linked else None,
            visitor=self._visitor() if here else None,
            owes=self.coming.factor is Factor.UNPROVEN,
            removed=place is Place.REMOVED,
            sign_up=True,
            open_to_newcomers=self.given.newcomers or place is Place.INVITED,
        )
        choice = {Way.NEW_ACCOUNT: Choice.NEW_ACCOUNT, Way.LINKING: Choice.LINK}.get(way, Choice.NOTHING)
        proved = links.MAILBOX if way is Way.NEW_ACCOUNT else None
        return Case(identity=links.identity(), choice=choice, registered=proved, known=known)

    def result(self) -> Result:
        """Return what comes of it: whoever is signed in joins if they can, and acts if they may."""
        before = self._before()
        if isinstance(before, Member) or self.asker.user is None:
            return self._may_act(before)
        said = self._invited(before)
        if isinstance(said, Open):
            return Result(decision=self.decision, open=said.requirements, code=Code.INVITATION_REQUIREMENTS_OPEN)
        if isinstance(said, Denied) and self.decision is None:
            return Result(code=said.code)
        if isinstance(said, Denied) and not self.given.newcomers:
            return Result(decision=self.decision, code=Code.SSO_JOIN_CLOSED)
        return self._become(before, invited=isinstance(said, Admitted))

    # --- joining --------------------------------------------------------------------------------------------------

    def _invited(self, before: Membership) -> Admission:
        """Return what the invitation says: shown with its token, or through the provider found by the address."""
        invitation = INVITATIONS.get(self.coming.place)
        if invitation is None:
            return Denied(Code.MEMBERSHIP_FORBIDDEN)
        attempt = Attempt(
            organization=self.given.organization(),
            applicant=self._standing(before),
            presented=membership.DIGEST if self.decision is None else None,
            sponsor=membership.sponsor(),
            policy=membership.POLICY,
        )
        return may_accept(invitation, attempt, NOW)

    def _become(self, before: Membership, *, invited: bool) -> Result:
        flags = MemberFlag.NONE if self.decision is None else MemberFlag.SSO_LINKED
        command = Join(
            organization=self.given.organization(),
            person=self.person,
            member=membership.member(flags=flags),
            invited_at=NOW if invited else None,
            policy=membership.POLICY,
        )
        step = MEMBERSHIP.step(before, command, NOW)
        if isinstance(step.answer, Refused):
            return Result(decision=self.decision, code=step.answer.code)
        return attrs.evolve(self._may_act(step.state), joined=True)

    def _may_act(self, stands: Membership) -> Result:
        return Result(decision=self.decision, code=may_enter(self._standing(stands), self.given.organization()))

    # --- facts ----------------------------------------------------------------------------------------------------

    @property
    def person(self) -> User:
        """Who it is; a new account's address is verified only if somebody who may say so said so."""
        return membership.person(verified=self.decision.verified if isinstance(self.decision, Register) else True)

    @property
    def asker(self) -> Asker:
        """Who asks, as the session's row says it."""
        factor, handle, expires_at = self.coming.factor, sessions.handle(), NOW + sessions.POLICY.lifetime
        found = Findings(policy=sessions.POLICY, person=Person(user=ADA, has_factor=factor is not Factor.NONE))
        if factor is Factor.UNPROVEN:
            owed = FactorOwed(handle=handle, expires_at=expires_at, user=ADA, epoch=1, proof=PASSWORD, since=NOW)
            return asker(owed, found, NOW)
        given = {
            PASSWORD: self.coming.way in {Way.PASSWORD, Way.LINKING},
            CAME: self.decision is not None,
            TOTP: factor is Factor.PROVEN,
        }
        proofs = tuple(proof for proof, was_given in given.items() if was_given)
        row = SignedIn(handle=handle, expires_at=expires_at, user=ADA, epoch=1, proofs=proofs, since=NOW)
        return asker(row, found, NOW)

    def _visitor(self) -> Visitor:
        return Visitor(user=ADA, elevated=self.asker.elevated, member=isinstance(self._before(), Member))

    def _before(self) -> Membership:
        if self.coming.place is Place.REMOVED:
            return Removed(organization=links.ACME, user=ADA, at=NOW)
        if self.coming.place not in {Place.MEMBER, Place.ONLY_OWNER}:
            return Outside()
        flags = MemberFlag.NONE if self.decision is None else MemberFlag.SSO_LINKED
        return membership.member(role=OWNER if self.coming.place is Place.ONLY_OWNER else MEMBER, flags=flags)

    def _standing(self, stands: Membership) -> Standing:
        asking = self.asker
        return Standing(
            asker=asking,
            user=None if asking.user is None else self.person,
            membership=stands,
            has_factor=self.coming.factor is not Factor.NONE,
            sso=self._sso(asking, stands),
        )

    def _sso(self, asking: Asker, stands: Membership) -> Sso:
        """Return what single sign-on means for them, as the flows read it of the rows (`journey.entrances`)."""
        door, came = self.given.door(), asking.mark(links.ACME, links.ACME_IDP)
        if door is None:
            return Sso()
        flags = stands.flags if isinstance(stands, Member) else MemberFlag.SSO_LINKED
        entrant = Entrant(
            level=asking.level,
            owner=self.coming.place is Place.ONLY_OWNER,
            link=None if came is None else LINK,
            linked=MemberFlag.SSO_LINKED in flags,
            mark=came,
        )
        missing, found = unmet(door, entrant, NOW, MARK_LIFE), access(door, entrant, NOW)
        return Sso(
            provider=door.provider,
            name="Acme",
            required=door.required and not found.broken_glass,
            linked=missing not in UNUSABLE,
            marked=missing is None,
        )
