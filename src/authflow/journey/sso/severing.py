"""What of single sign-on ends with a membership, or with a whole account (decision 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.facts.sso import IdentityMoved
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import Member, MemberFlag
from authflow.sso.grounds import Reason
from authflow.sso.provider import Connected
from authflow.values import LinkId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.journey.ports import JourneyTransaction
    from authflow.machine import Fact
    from authflow.membership.service import Membership
    from authflow.ports import Clock, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sessions.service import Sessions
    from authflow.sso.links import Link
    from authflow.sso.service import Links
    from authflow.values import Address, Asker, Context, OrganizationId, ProviderId, UserId


@attrs.frozen(kw_only=True)
class Severing:
    """`authflow.membership.ports.Aftermath`: the link and the marks of whoever was removed, and their subjects."""

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

    def merge(self, asker: Asker, context: Context, *, source: UserId, target: UserId) -> Sequence[Fact]:
        """Let the links of *source* be those of *target*, wherever *target* belongs and has none; return the facts.

        The row of a link never changes its owner: the old one goes, and a new one stands (CVE-2026-27197).
        """
        with self.uow.begin() as tx:
            links = tx.links.all_of_user(source)
            moving = [link for link in links if self._takes_over(tx, link, target)]
            self._inherit(tx, [link for link in links if link not in moving], source, target)
            told = (*_addresses(tx, source), *_addresses(tx, target))
            return [self._move(tx, link, asker, context, target=target, told=told) for link in moving]

    def _inherit(self, tx: JourneyTransaction, ending: Sequence[Link], source: UserId, target: UserId) -> None:
        """Let every subject that was *source*'s last be *target*'s: a removal of either is one of it."""
        for link in ending:
            tx.links.remove(link.id)
            self.links.remember(tx, link, target)
        for former in tx.former_subjects.of_user(source):
            tx.former_subjects.remember(former.organization, former.provider, former.subject, target)
        for removed in tx.members.removed_of_user(target):
            tx.former_subjects.bar(removed.organization, target, removed.at)

    def _takes_over(self, tx: JourneyTransaction, link: Link, target: UserId) -> bool:
        member = tx.members.load(link.organization, target).state
        return isinstance(member, Member) and tx.links.of_user(link.provider, target, lock=True) is None

    def _move(
        self,
        tx: JourneyTransaction,
        link: Link,
        asker: Asker,
        context: Context,
        *,
        target: UserId,
        told: tuple[Address, ...],
    ) -> Fact:
        moved = attrs.evolve(link, id=LinkId(self.links.new_id()), user=target)
        tx.links.remove(link.id)
        tx.links.add(moved)
        flags = tx.members.load(link.organization, link.user).state
        self.membership.set_flags(
            asker,
            context,
            organization=link.organization,
            user=target,
            group=FlagGroup.SSO,
            flags=flags.flags if isinstance(flags, Member) else MemberFlag.NONE,
        )
        return IdentityMoved(
            organization=link.organization,
            provider=link.provider,
            link=moved.id,
            user=target,
            former_link=link.id,
            former_user=link.user,
            recipients=told,
        )


def _addresses(tx: JourneyTransaction, user: UserId) -> tuple[Address, ...]:
    person = tx.users.get(user)
    return () if person is None else person.verified_addresses()
