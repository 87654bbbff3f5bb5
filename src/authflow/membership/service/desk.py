"""What every membership command does around its table: read the facts, mint what is random, store, record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from authflow.membership.admission import Attempt
from authflow.membership.consent import MACHINE as CONSENT
from authflow.membership.invitation import MACHINE as INVITATION
from authflow.membership.invitation import Void
from authflow.membership.member import MACHINE as MEMBER
from authflow.membership.offer import Absent, Expired, Pending, address_key, person_key
from authflow.membership.standing import (
    Authority,
    Member,
    Membership,
    Outside,
    Removed,
    Sponsor,
    Standing,
    nowhere,
    proves,
)
from authflow.membership.terms import well_formed
from authflow.ports import Allowed, Sso, Stored
from authflow.values import InvitationId, Level, MemberId, Secret, new_identifier

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.errors import UniqueViolated
    from authflow.machine import Step
    from authflow.membership.consent import Answer as ConsentAnswer
    from authflow.membership.consent import Command as ConsentCommand
    from authflow.membership.consent import Consent
    from authflow.membership.invitation import Answer as InvitationAnswer
    from authflow.membership.invitation import Command as InvitationCommand
    from authflow.membership.member import Answer as MemberAnswer
    from authflow.membership.member import Command as MemberCommand
    from authflow.membership.offer import Invitation
    from authflow.membership.ports import Aftermath, MembershipTransaction
    from authflow.policy import MembershipPolicy
    from authflow.ports import Clock, Entropy, Limited, Organization, SsoStatus, UnitOfWork
    from authflow.recording import Recorder
    from authflow.values import Answer, Asker, Context, OrganizationId, SessionId, UserId

PAGE: Final = 100
"""Rows that one list shows, and that one look over all members reads at a time."""

MEMBER_ONCE: Final = "member.user"
"""The uniqueness rule of memberships: one per organization and person."""

AnswerT = TypeVar("AnswerT", bound="Answer")


@attrs.frozen(kw_only=True)
class Case:
    """One command: who gave it, from where, when, over which organization, in which transaction."""

    tx: MembershipTransaction
    asker: Asker
    context: Context
    organization: Organization
    now: datetime


@attrs.frozen(kw_only=True)
class Desk:
    """The ports of the slice, and the reading and writing that its commands share."""

    uow: UnitOfWork[MembershipTransaction]
    clock: Clock
    entropy: Entropy
    recorder: Recorder
    policy: MembershipPolicy
    sso: SsoStatus
    aftermath: Aftermath

    # --- reading --------------------------------------------------------------------------------------------------

    def _case(
        self,
        tx: MembershipTransaction,
        asker: Asker,
        context: Context,
        organization: OrganizationId,
        now: datetime | None = None,
    ) -> Case:
        found = tx.organizations.get(organization) if well_formed(organization) else None
        place = nowhere(organization) if found is None else found
        return Case(tx=tx, asker=asker, context=context, organization=place, now=now or self.clock.now())

    def _hold(self, tx: MembershipTransaction, user: UserId | None) -> None:
        """Lock the person's account, before every other lock: what concerns one person happens in one order."""
        if user is not None:
            tx.accounts.lock(user)

    def _standing(self, case: Case) -> Standing:
        user = None if case.asker.user is None else case.tx.users.get(case.asker.user)
        if user is None or not case.organization.active:
            sso = self.sso.status(case.organization.id, case.asker) if case.organization.active else Sso()
            return Standing(asker=case.asker, user=user, membership=Outside(), has_factor=False, sso=sso)
        return Standing(
            asker=case.asker,
            user=user,
            membership=case.tx.members.load(case.organization.id, user.id).state,
            has_factor=case.tx.factor_census.protected([user.id])[user.id],
            sso=self.sso.status(case.organization.id, case.asker),
        )

    def _reaches(self, asker: Asker, organization: OrganizationId) -> bool:
        """Tell whether the proofs of *asker* reach *organization*; rows are read only where it hangs on them."""
        by_its_word = asker.level < Level.ONE and organization in asker.organizations
        return proves(asker, organization, self.sso.status(organization, asker) if by_its_word else Sso())

    def _authority(self, case: Case) -> Authority:
        return Authority(actor=self._standing(case), organization=case.organization, policy=self.policy)

    def _attempt(self, case: Case, found: Invitation, presented: bytes | None, user: UserId | None) -> Attempt:
        return Attempt(
            organization=case.organization,
            applicant=self._standing(case),
            presented=presented,
            sponsor=self._sponsor(case, found),
            policy=self.policy,
            user=user,
        )

    def _sponsor(self, case: Case, found: Invitation) -> Sponsor:
        if not isinstance(found, Pending | Expired) or not case.organization.active:
            return Sponsor(user=None, membership=Outside())
        user = case.tx.users.get(found.sponsor)
        return Sponsor(user=user, membership=case.tx.members.load(case.organization.id, found.sponsor).state)

    def _invitation(self, case: Case, key: InvitationId, *, lock: bool = False) -> Stored[Invitation]:
        if not well_formed(case.organization.id, key):
            return nothing()
        return case.tx.invitations.load(case.organization.id, key, lock=lock)

    def _allowance(self, case: Case) -> Allowed | Limited:
        if case.asker.user is None:
            return Allowed(0)
        return case.tx.limits.hit(self.policy.invitations, case.asker.user, case.now)

    # --- minting --------------------------------------------------------------------------------------------------

    def _new_invitation(self) -> InvitationId:
        return InvitationId(new_identifier(self.entropy.random_bytes(16)))

    def _new_member(self) -> MemberId:
        return MemberId(new_identifier(self.entropy.random_bytes(16)))

    def _new_token(self) -> Secret:
        """256 bits (sso 2.4): nobody guesses it, and a plain digest of it may be stored."""
        return Secret(self.entropy.random_bytes(32).hex())

    # --- stepping, storing, recording -----------------------------------------------------------------------------

    def _move(
        self, case: Case, key: InvitationId, found: Stored[Invitation], command: InvitationCommand
    ) -> InvitationAnswer:
        step = INVITATION.step(found.state, command, case.now)
        if step.state != found.state:
            case.tx.invitations.save(case.organization.id, key, step.state, expected=found.version)
        return self._told(case, step)

    def _change(self, case: Case, user: UserId, found: Stored[Membership], command: MemberCommand) -> MemberAnswer:
        step = MEMBER.step(found.state, command, case.now)
        if step.state != found.state:
            case.tx.members.save(case.organization.id, user, step.state, expected=found.version)
        answer = self._told(case, step)
        if type(step.state) is not type(found.state):
            self._end_what_waits(case, user, step.state)
            if isinstance(step.state, Removed):
                self.aftermath.removed(case.asker, case.context, organization=case.organization.id, user=user)
        return answer

    def _end_what_waits(self, case: Case, user: UserId, after: Membership) -> None:
        """Void what a change of the membership outdates: nothing sent before it leads back to what was before it.

        Whoever joined another way needs no way back, and nobody need decide any more whether they may come. Whoever is
        removed or demoted keeps no older invitation, so that no order of two nodes' clocks decides about it.
        """
        addresses = self._address_keys(case, user)
        keys = addresses if isinstance(after, Outside) else [*addresses, person_key(user)]
        reason = _BECAME[type(after)]
        for waiting in case.tx.invitations.open_to(keys, case.organization.id):
            key = waiting.state.offer.id
            if isinstance(after, Member) and isinstance(waiting.state, Pending) and waiting.state.bound_to != user:
                continue
            self._move(case, key, self._invitation(case, key, lock=True), Void(reason=reason))

    def _address_keys(self, case: Case, user: UserId) -> list[bytes]:
        person = case.tx.users.get(user)
        return [] if person is None else [address_key(own) for own in person.verified_addresses()]

    def _wait(self, case: Case, session: SessionId, command: ConsentCommand) -> ConsentAnswer:
        found: Stored[Consent] = case.tx.consents.load(session)
        step = CONSENT.step(found.state, command, case.now)
        if step.state != found.state:
            case.tx.consents.save(session, step.state, expected=found.version)
        return step.answer

    def _told(self, case: Case, step: Step[object, AnswerT]) -> AnswerT:
        self.recorder.record(case.tx, step.facts, asker=case.asker, context=case.context, now=case.now)
        return step.answer


_BECAME: Final[dict[type[Membership], str]] = {Member: "joined", Outside: "demoted", Removed: "removed"}


def nothing() -> Stored[Invitation]:
    """Return what stands where there is no invitation."""
    return Stored(Absent(), 0)


def reraise_unless(violated: UniqueViolated, *, rule: str) -> None:
    """Go on if it was *rule* that refused a row: that is somebody's answer. Any other is a bug, and raised on.

    Raises:
        UniqueViolated: Another rule refused it.
    """
    if violated.rule != rule:
        raise violated
