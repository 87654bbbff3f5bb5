"""Memberships of whole accounts: which organizations would be left without an owner, and moving to another person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.membership.answers import Joined
from authflow.membership.changes import Bar, Join
from authflow.membership.member import MACHINE
from authflow.membership.service.desk import Desk
from authflow.membership.standing import Member, Removed

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from authflow.membership.ports import MembershipTransaction
    from authflow.ports import Organization
    from authflow.values import Asker, Context, OrganizationId, UserId


@attrs.frozen(kw_only=True)
class Moving(Desk):
    """What becomes of memberships when an account is deleted or merged."""

    def owned_alone(self, user: UserId, *, heir: UserId | None = None) -> tuple[OrganizationId, ...]:
        """Return the organizations that have no active owner but *user* (decision 17).

        *heir*, if they can sign in, takes over every membership that they may and do not have themselves: those
        organizations keep an owner. The owners' rows are held until the transaction ends.
        """
        with self.uow.begin() as tx:
            owned = (m for m in tx.members.of_user(user) if m.role == self.policy.roles[-1])
            return tuple(m.organization for m in owned if self._alone(tx, m, heir))

    def merge(self, asker: Asker, context: Context, *, source: UserId, target: UserId) -> tuple[OrganizationId, ...]:
        """Let *target* join every organization of *source* with the same role, teams and flags; return those joined.

        A membership that *target* has stays as it is; where they were removed they stay out, and where *source* was
        removed, *target* is too (decision 15).
        """
        with self.uow.begin() as tx:
            moving = tx.members.of_user(source)
            joined = tuple(m.organization for m in moving if self._take_over(tx, asker, context, m, target))
            for removed in tx.members.removed_of_user(source):
                self._stay_out(tx, asker, context, removed, target)
            return joined

    def sweep(self, now: datetime, *, keep: timedelta) -> int:
        """Delete clicks that wait no longer, and invitations that were over *keep* ago; return how many there were."""
        with self.uow.begin() as tx:
            waiting = tx.consents.remove_over(now - self.policy.consent_ttl)
            return waiting + tx.invitations.remove_over(now - keep)

    def _take_over(
        self, tx: MembershipTransaction, asker: Asker, context: Context, member: Member, target: UserId
    ) -> bool:
        case = self._case(tx, asker, context, member.organization)
        found = tx.members.load(member.organization, target)
        if isinstance(found.state, Member):
            return False
        command = self._succession(tx, member, target, case.organization)
        return isinstance(self._change(case, target, found, command), Joined)

    def _stay_out(
        self, tx: MembershipTransaction, asker: Asker, context: Context, removed: Removed, target: UserId
    ) -> None:
        """Bar *target*, with all that ends for somebody who is removed; an invitation that is newer still leads in."""
        place, found = removed.organization, tx.members.load(removed.organization, target)
        step = MACHINE.step(found.state, Bar(organization=place, user=target, at=removed.at), self.clock.now())
        if step.state == found.state:
            return
        tx.members.save(place, target, step.state, expected=found.version)
        if not isinstance(found.state, Removed):
            self.aftermath.removed(asker, context, organization=place, user=target)

    def _alone(self, tx: MembershipTransaction, member: Member, heir: UserId | None) -> bool:
        owners = [o for o in tx.members.lock_role(member.organization, member.role) if o != member.user]
        people = (tx.users.get(owner) for owner in owners)
        if any(person is not None and person.active for person in people):
            return False
        return heir is None or not self._inherits(tx, member, heir)

    def _inherits(self, tx: MembershipTransaction, member: Member, heir: UserId) -> bool:
        """Tell whether *heir* would own it: the table is asked, and nothing is stored."""
        person, found = tx.users.get(heir), tx.members.load(member.organization, heir).state
        organization = tx.organizations.get(member.organization)
        if person is None or not person.active or organization is None or isinstance(found, Member):
            return False
        command = self._succession(tx, member, heir, organization)
        return isinstance(MACHINE.step(found, command, self.clock.now()).answer, Joined)

    def _succession(self, tx: MembershipTransaction, member: Member, heir: UserId, organization: Organization) -> Join:
        return Join(
            organization=organization,
            person=tx.users.get(heir),
            member=attrs.evolve(member, user=heir, id=self._new_member()),
            invited_at=None,
            policy=self.policy,
        )
