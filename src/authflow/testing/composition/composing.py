"""The pure decisions about somebody who comes, asked in the order in which the flows ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from authflow.sso.access import MARK_LIFE, UNUSABLE, Entrant, access, unmet
from authflow.sso.case import Ask, Case, Challenge, Choice, Deny, Known, Register, Visitor
from authflow.sso.finishing import decide
from authflow.testing.samples import links, membership, sessions
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.membership.admission import Decision as Admission
    from authflow.membership.standing import Membership
    from authflow.ports import User
    from authflow.sso.case import Decision
    from authflow.values import Asker

from authflow.testing.composition.cases import (
    ADA,
    CAME,
    INVITATIONS,
    LINK,
    NOW,
    PASSWORD,
    TOTP,
    Coming,
    Factor,
    Place,
    Provider,
    Result,
    Settings,
    Way,
)

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
        """Return what single sign-on means for them, as the flows read it of the rows (`journey.sso.entrances`)."""
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
