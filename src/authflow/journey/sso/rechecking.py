"""Asking providers again about people who are linked (sso 14.1): stamped first, asked outside of any transaction."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import attrs

from authflow.command.running import in_one
from authflow.errors import DatabaseUnavailable
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import Member, MemberFlag
from authflow.nobody import SYSTEM
from authflow.recording import shown
from authflow.sso.connection import Connected
from authflow.sso.grounds import Reason
from authflow.sso.kinds import Rechecked
from authflow.sso.recheck import AHEAD, SKEW, Flags, Said, check, due
from authflow.sso.sealing import memory_binding, settings_binding
from authflow.values import Context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from authflow.journey.ports import JourneyTransaction
    from authflow.membership.service import Membership
    from authflow.ports import Clock, Entropy, UnitOfWork
    from authflow.recording import Recorder
    from authflow.sso.links import Link
    from authflow.sso.service import Links, SignInTravelling
    from authflow.values import Sealed

LOG: Final = logging.getLogger("authflow.sso")

PROVIDERS: Final = 100
"""Providers that are looked at in one transaction; a page of them that has enough links due is the last one."""


@attrs.frozen(kw_only=True)
class LinksRechecked:
    """What a round of asking came to.

    Args:
        confirmed: Links that their provider confirmed.
        revoked: Links that it did not: their people cannot come in through it any more.
        failed: Links that it could not be asked about; three times in a row, and their people cannot come in either.
            Also those whose answer could not be stored: that is in the log, and is held against nobody.
        ended: Links of people who belong to the organization no more.
        unasked: Links for which their provider gave nothing to ask with: each stands until its sign-in is too old.
        more: More links may be due: ask again at once.
    """

    confirmed: int = 0
    revoked: int = 0
    failed: int = 0
    ended: int = 0
    unasked: int = 0
    more: bool = False


@attrs.frozen(kw_only=True)
class _Due:
    provider: Connected
    link: Link


@attrs.frozen(kw_only=True)
class Rechecking:
    """Takes what is due, asks, and stores what the answers make of links and memberships."""

    uow: UnitOfWork[JourneyTransaction]
    clock: Clock
    entropy: Entropy
    recorder: Recorder
    membership: Membership
    links: Links
    sign_ins: SignInTravelling

    def round(self, limit: int) -> LinksRechecked:
        """Ask about up to *limit* links. One that fails never stops the others; a database that is away does.

        Raises:
            InUnitOfWork: A transaction is open, or a host's is shared.
        """
        self.uow.require_closed()
        taken = list(self._take(limit))
        came = [self._one(each) for each in taken]
        counted = {said: sum(1 for each in came if each is said) for said in Said}
        return LinksRechecked(
            confirmed=counted[Said.CONFIRMED],
            revoked=counted[Said.REVOKED],
            failed=counted[Said.FAILED],
            ended=sum(1 for each in came if each is None),
            unasked=counted[Said.UNASKED],
            more=len(taken) >= limit,
        )

    def _take(self, limit: int) -> Iterator[_Due]:
        """Yield what is due, marked as asked about: no other round takes the same."""
        now, after = self.clock.now(), None
        before = due(now, self._skew())
        kinds = [kind.key for kind in self.sign_ins.desk.kinds]
        left = limit
        while left > 0:
            with self.uow.begin() as tx:
                page = tx.providers.with_kind(kinds, limit=PROVIDERS, after=after)
                asked = {made.id: made for made in page if made.settings.confirms}
                taken = tx.links.take_due(list(asked), before, now, beyond=now + AHEAD, limit=left) if asked else ()
            yield from (_Due(provider=asked[link.provider], link=link) for link in taken)
            if len(page) < PROVIDERS:
                return
            left, after = left - len(taken), page[-1].organization

    def _skew(self) -> timedelta:
        """Return up to two hours, by chance: links that were made together are not asked about together for ever."""
        return SKEW * (int.from_bytes(self.entropy.random_bytes(4), "big") / 2**32)

    def _one(self, each: _Due) -> Said | None:
        """Return what came of asking about one link; none where it ended."""
        asked = self._ask(each)
        if asked.said is Said.FAILED:
            kind, organization = each.provider.kind, each.provider.organization
            LOG.warning("%s of %s could not be asked again: %s", kind, organization, shown(asked.detail))
        try:
            return in_one(self.uow, lambda: self._store(each, asked))
        except DatabaseUnavailable:
            raise
        except Exception:  # whatever is wrong with one link, the others are asked about
            LOG.exception("what came of asking about link %s could not be stored", each.link.id)
            return Said.FAILED

    def _ask(self, each: _Due) -> Rechecked:
        """Ask, with no transaction open; whatever goes wrong counts as a provider that could not be asked."""
        kind = self.sign_ins.desk.kinds.get(each.provider.kind)
        if kind is None:
            return Rechecked(said=Said.FAILED, detail="this installation does not know its kind")
        made, link, vault = each.provider, each.link, self.sign_ins.desk.vault
        try:
            settings = vault.open(made.settings.config, settings_binding(made.organization, made.id))
            memory = {} if link.memory is None else vault.open(link.memory, memory_binding(link.provider, link.subject))
            return self.uow.outside(lambda: kind.recheck(settings, memory, self.clock.now()))
        except Exception as error:  # noqa: BLE001  # a provider's answer, a key that is missing: nobody is held for it
            return Rechecked(said=Said.FAILED, detail=type(error).__name__)

    def _store(self, each: _Due, asked: Rechecked) -> Said | None:
        now, was = self.clock.now(), each.link
        with self.uow.begin() as tx:
            tx.accounts.lock(was.user)
            link = tx.links.of_user(was.provider, was.user, lock=True)
            member = tx.members.load(was.organization, was.user).state
            provider = tx.providers.load(was.organization).state
            same = isinstance(provider, Connected) and _asked_as(provider) == _asked_as(each.provider)
            if not same or link is None or (link.id, link.subject) != (was.id, was.subject):
                return None  # it ended or changed meanwhile, and what was said is of another
            if not isinstance(member, Member):
                self._end(tx, link)
                return None
            before = Flags(linked=MemberFlag.SSO_LINKED in member.flags, invalid=MemberFlag.SSO_INVALID in member.flags)
            checked = check(link, before, link.failures, asked.said, now)
            memory = link.memory if not asked.memory else self._sealed(link, asked)
            after = attrs.evolve(checked.link, failures=checked.failures, memory=memory)
            tx.links.save(link, after)
            if checked.changed:
                self._flag(member, checked.flags)
        return asked.said

    def _sealed(self, link: Link, asked: Rechecked) -> Sealed:
        return self.sign_ins.desk.vault.seal(asked.memory, memory_binding(link.provider, link.subject))

    def _flag(self, member: Member, flags: Flags) -> None:
        linked = MemberFlag.SSO_LINKED if flags.linked else MemberFlag.NONE
        invalid = MemberFlag.SSO_INVALID if flags.invalid else MemberFlag.NONE
        self.membership.set_flags(
            SYSTEM,
            Context(),
            organization=member.organization,
            user=member.user,
            group=FlagGroup.SSO,
            flags=linked | invalid,
        )

    def _end(self, tx: JourneyTransaction, link: Link) -> None:
        now = self.clock.now()
        step = self.links.release(tx, link, Reason.MEMBER_REMOVED, now)
        self.recorder.record(tx, step.facts, asker=SYSTEM, context=Context(), now=now)


def _asked_as(provider: Connected) -> tuple[object, ...]:
    """Return what was asked, and under which settings: an answer to others says nothing of these."""
    return provider.id, provider.settings.steps
