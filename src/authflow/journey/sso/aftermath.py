"""What follows for single sign-on where people are removed, deleted or merged, or a link becomes somebody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.membership.changes import FlagGroup
from authflow.membership.standing import Member, MemberFlag
from authflow.nobody import SYSTEM
from authflow.sso.connection import Connected
from authflow.sso.grounds import Attached, Reason
from authflow.values import Context, OrganizationId, UserId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.journey.ports import JourneyTransaction
    from authflow.machine import Fact
    from authflow.membership.service import Membership
    from authflow.outbox.signals import Notice
    from authflow.ports import Clock, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sessions.service import Sessions
    from authflow.sso.links import Link
    from authflow.sso.service import Links
    from authflow.values import Asker, ProviderId


@attrs.frozen(kw_only=True)
class Severing:
    """`authflow.membership.ports.Aftermath`: the link and the marks of whoever was removed, and their subjects (15)."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    sessions: Sessions
    links: Links
    recorder: Recorder

    def removed(self, asker: Asker, context: Context, *, organization: OrganizationId, user: UserId) -> None:
        """Delete the link of *user*, remember every subject of theirs as removed, and take the sign-on from sessions.

        The subjects that they unlinked, or that another one took the place of, are among them: otherwise whoever sees
        a removal coming would keep one back.
        """
        with self.uow.begin() as tx:
            provider, now = tx.providers.load(organization).state, self.clock.now()
            if isinstance(provider, Connected):
                self._sever(tx, provider.id, user, asker, context)
            tx.former_subjects.bar(organization, user, now)
            self.sessions.drop_marks(user, organization)

    def _sever(
        self, tx: JourneyTransaction, provider: ProviderId, user: UserId, asker: Asker, context: Context
    ) -> None:
        now, link = self.clock.now(), tx.links.of_user(provider, user, lock=True)
        if link is not None:
            step = self.links.release(tx, link, Reason.MEMBER_REMOVED, now)
            self.recorder.record(tx, step.facts, asker=asker, context=context, now=now)


@attrs.frozen(kw_only=True)
class Inheriting:
    """Links of whole accounts: forgotten with a person, or moved to another one."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    links: Links
    membership: Membership

    def forget(self, user: UserId) -> None:
        """Delete the links of *user*, who is deleted, and what they began or prove at a provider.

        That somebody was removed under a subject of theirs stays, and says no more who it was.
        """
        with self.uow.begin() as tx:
            tx.links.remove_of_user(user)
            tx.former_subjects.forget(user)
            tx.pipelines.remove_of_user(user)
            tx.provider_sessions.remove_of_user(user)

    def hold(self, user: UserId) -> None:
        """Hold the providers of all organizations of *user*, whose account is held, until they are merged or deleted.

        Whoever edits, configures or disables a provider holds it too, and then changes links and flags of everybody
        they can see. So it is held before a link or a membership is read: what they let links forget is not written
        back, and what they ended or cleared stays so. And so it is held before any row of a member or a link is: their
        order is accounts, then providers, then those rows.
        """
        with self.uow.begin() as tx:
            belonging = {member.organization for member in tx.members.of_user(user)}
            linked = {link.organization for link in tx.links.all_of_user(user)}
            for organization in sorted(belonging | linked):
                tx.providers.load(organization, lock=True)

    def merge(self, asker: Asker, context: Context, *, source: UserId, target: UserId) -> Sequence[Fact]:
        """Let the table of links decide of each link of *source* whether it becomes *target*'s; return the facts.

        Both accounts are held, and what `hold` holds of *source*: the links stand as they are read.
        """
        with self.uow.begin() as tx:
            moved = [self._merged(tx, link, target, asker, context) for link in tx.links.all_of_user(source)]
            self._remember(tx, source, target)
            return [fact for facts in moved for fact in facts]

    def _merged(
        self, tx: JourneyTransaction, link: Link, target: UserId, asker: Asker, context: Context
    ) -> Sequence[Fact]:
        member = isinstance(tx.members.load(link.organization, target).state, Member)
        step = self.links.inherit(tx, link, target, member=member, now=self.clock.now())
        if isinstance(step.answer, Attached):
            former = tx.members.load(link.organization, link.user).state
            self.membership.set_flags(
                asker,
                context,
                organization=link.organization,
                user=target,
                group=FlagGroup.SSO,
                flags=former.flags if isinstance(former, Member) else MemberFlag.NONE,
            )
        return step.facts

    def _remember(self, tx: JourneyTransaction, source: UserId, target: UserId) -> None:
        """Let every subject that was *source*'s last be *target*'s: a removal of either is one of it."""
        for former in tx.former_subjects.of_user(source):
            tx.former_subjects.remember(former.organization, former.provider, former.subject, target)
        for removed in tx.members.removed_of_user(target):
            tx.former_subjects.bar(removed.organization, target, removed.at)


@attrs.frozen(kw_only=True)
class MovedLinks:
    """Hears that a link moved to somebody else: whoever had it is marked invalid, unless they have another by now."""

    uow: UnitOfWork[JourneyTransaction]
    membership: Membership

    def __call__(self, notice: Notice) -> None:
        """Read again, and mark. Told twice, or once per region, it does the same (decision 27)."""
        organization, user = OrganizationId(str(notice.subject)), UserId(str(notice.args["user_id"]))
        with self.uow.begin() as tx:
            tx.accounts.lock(user)
            provider = tx.providers.load(organization).state
            if isinstance(provider, Connected) and tx.links.of_user(provider.id, user) is not None:
                return
            self.membership.mark_unlinked(
                SYSTEM, Context(), organization=organization, user=user, flags=MemberFlag.SSO_INVALID
            )
