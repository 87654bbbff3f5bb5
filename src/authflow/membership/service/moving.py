"""Memberships of whole accounts: which organizations would be left without an owner, and moving to another person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.membership.answers import Joined
from authflow.membership.changes import Join
from authflow.membership.service.desk import Desk
from authflow.membership.standing import Member

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from authflow.membership.ports import MembershipTransaction
    from authflow.values import Asker, Context, OrganizationId, UserId


@attrs.frozen(kw_only=True)
class Moving(Desk):
    """What becomes of memberships when an account is deleted or merged."""

    def owned_alone(self, user: UserId, *, heir: UserId | None = None) -> tuple[OrganizationId, ...]:
        """Return the organizations that have no active owner but *user* (decision 17).

        *heir* takes over every membership that they do not have themselves: those organizations keep an owner.
        The owners' rows are held until the transaction ends.
        """
        with self.uow.begin() as tx:
            owned = (m for m in tx.members.of_user(user) if m.role == self.policy.roles[-1])
            return tuple(m.organization for m in owned if self._alone(tx, m, heir))

    def merge(self, asker: Asker, context: Context, *, source: UserId, target: UserId) -> tuple[OrganizationId, ...]:
        """Let *target* join every organization of *source* with the same role, teams and flags; return those joined.

        A membership that *target* has stays as it is; where they were removed they stay out (decision 15).
        """
        with self.uow.begin() as tx:
            moving = tx.members.of_user(source)
            return tuple(m.organization for m in moving if self._take_over(tx, asker, context, m, target))

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
        command = Join(
            organization=case.organization,
            person=tx.users.get(target),
            member=attrs.evolve(member, user=target, id=self._new_member()),
            invited_at=None,
            policy=self.policy,
        )
        return isinstance(self._change(case, target, found, command), Joined)

    def _alone(self, tx: MembershipTransaction, member: Member, heir: UserId | None) -> bool:
        owners = [o for o in tx.members.lock_role(member.organization, member.role) if o != member.user]
        people = (tx.users.get(owner) for owner in owners)
        if any(person is not None and person.active for person in people):
            return False
        return heir is None or isinstance(tx.members.load(member.organization, heir).state, Member)
