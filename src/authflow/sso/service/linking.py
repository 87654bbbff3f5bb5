"""Links as rows: the table of `authflow.sso.linking` decides, and what it decides is written here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from authflow.command.telemetry import report_unavailable
from authflow.errors import SecretUnavailable
from authflow.sso.grounds import (
    Attach,
    Attached,
    Inherit,
    Migrate,
    NewAccount,
    Recognize,
    Recognized,
    Release,
    Released,
)
from authflow.sso.linking import MACHINE
from authflow.sso.links import Holder, Linked, Renumbered, standing
from authflow.sso.sealing import memory_binding
from authflow.values import LinkId

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.machine import Step
    from authflow.ports import User
    from authflow.sso.grounds import Ground, LinkAnswer, Reason
    from authflow.sso.identity import Identity
    from authflow.sso.links import Link, Linking
    from authflow.sso.ports import SsoTransaction
    from authflow.sso.sealing import Binding
    from authflow.sso.service.desk import Desk
    from authflow.values import Address, Sealed, UserId


@attrs.frozen(kw_only=True)
class Links:
    """Writing links. Every method runs in its caller's transaction, and returns the facts for the caller to record.

    Raises:
        UniqueViolated: Somebody else wrote a link for the subject, or for the person, at this very moment. Whoever
            calls catches it around a savepoint: nobody is looked up by an address instead (CVE-2025-61783).
        StaleVersion: The link is gone, or has another subject by now.
    """

    desk: Desk

    def attach(
        self, tx: SsoTransaction, person: User, identity: Identity, ground: Ground, now: datetime
    ) -> Step[Linking, LinkAnswer]:
        """Make *identity* the identity of *person*, on *ground*; an older link that stands in the way goes."""
        by_subject = tx.links.by_subject(identity.provider, identity.subject, lock=True)
        new = isinstance(ground, NewAccount)  # made in this very transaction: nobody can have linked it
        own = None if new else tx.links.of_user(identity.provider, person.id, lock=True)
        owner = None if by_subject is None else tx.users.get(by_subject.user)
        command = Attach(
            person=Holder(user=person.id, active=person.active),
            identity=identity,
            ground=ground,
            id=LinkId(self.desk.new_id()),
            recipients=person.verified_addresses(),
            former_recipients=() if owner is None or owner.id == person.id else owner.verified_addresses(),
        )
        before = standing(by_subject=by_subject, holder=self.holder(tx, by_subject), own=own)
        return self._written(tx, (by_subject, own), identity, MACHINE.step(before, command, now))

    def recognize(self, tx: SsoTransaction, link: Link, identity: Identity, now: datetime) -> Step[Linking, LinkAnswer]:
        """Confirm *link*, whose provider named its person just now."""
        state = Linked(link=link, holder=self._holder(tx, link.user))
        return self._written(tx, (link,), identity, MACHINE.step(state, Recognize(identity=identity), now))

    def migrate(
        self, tx: SsoTransaction, link: Link, identity: Identity, until: datetime | None, now: datetime
    ) -> Step[Linking, LinkAnswer]:
        """Let *link* go over to the provider's new subject, while the policy lets it."""
        state = Renumbered(link=link, holder=self._holder(tx, link.user))
        return self._written(tx, (link,), identity, MACHINE.step(state, Migrate(identity=identity, until=until), now))

    def release(self, tx: SsoTransaction, link: Link, reason: Reason, now: datetime) -> Step[Linking, LinkAnswer]:
        """End *link*."""
        state = Linked(link=link, holder=self._holder(tx, link.user))
        step = MACHINE.step(state, Release(reason=reason), now)
        if isinstance(step.answer, Released):
            tx.links.remove(link.id)
            self.remember(tx, link, link.user)
        return step

    def inherit(
        self, tx: SsoTransaction, link: Link, target: UserId, *, member: bool, now: datetime
    ) -> Step[Linking, LinkAnswer]:
        """Let *link* be that of *target*, into whose account its person's is merged, or end it.

        The subjects of somebody who may not sign in are barred with it, as by a removal.
        """
        own = tx.links.of_user(link.provider, target, lock=True)
        command = Inherit(
            person=self._holder(tx, target),
            member=member,
            id=LinkId(self.desk.new_id()),
            recipients=(*_addresses(tx, link.user), *_addresses(tx, target)),
        )
        state = standing(by_subject=link, holder=self._holder(tx, link.user), own=own)
        step = MACHINE.step(state, command, now)
        tx.links.remove(link.id)
        if isinstance(step.answer, Attached):
            tx.links.add(step.answer.link)
            return step
        self.remember(tx, link, link.user)
        if isinstance(step.answer, Released) and step.answer.barred:
            tx.former_subjects.bar(link.organization, link.user, now)
        return step

    def remember(self, tx: SsoTransaction, link: Link, user: UserId) -> None:
        """Remember that the subject of *link*, which it has no more, was *user*'s last: their removal is one of it."""
        tx.former_subjects.remember(link.organization, link.provider, link.subject, user)

    def holder(self, tx: SsoTransaction, link: Link | None) -> Holder | None:
        """Return whose *link* is, as they are now; none where there is no link."""
        return None if link is None else self._holder(tx, link.user)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _holder(self, tx: SsoTransaction, user: UserId) -> Holder:
        """Somebody who is gone is as good as inactive: their link opens nothing, and is nobody else's (decision 15)."""
        person = tx.users.get(user)
        return Holder(user=user, active=person is not None and person.active)

    def _written(
        self,
        tx: SsoTransaction,
        stood: tuple[Link | None, ...],
        identity: Identity,
        step: Step[Linking, LinkAnswer],
    ) -> Step[Linking, LinkAnswer]:
        if not isinstance(step.answer, Attached | Recognized):
            return step
        answer, known = step.answer, {link.id: link for link in stood if link is not None}
        gone = [known[link] for link in answer.dropped] if isinstance(answer, Attached) else []
        for link in gone:
            tx.links.remove(link.id)
        before = known.get(answer.link.id)
        after = attrs.evolve(answer.link, memory=self._remembered(before, identity))
        if before is None:
            tx.links.add(after)
        else:
            tx.links.save(before, after)
        for link in gone if before is None else (*gone, before):
            if link.subject != after.subject:
                self.remember(tx, link, link.user)
        return step

    def _remembered(self, before: Link | None, identity: Identity) -> Sealed | None:
        """Return what the link keeps for asking again: what came, and of what it had whatever did not come anew.

        Some providers give what renews the rest only once (sso 4.1).
        """
        binding = memory_binding(identity.provider, identity.subject)
        came = self._opened(identity.memory, binding)
        kept = None if before is None else self._opened(before.memory, memory_binding(before.provider, before.subject))
        if kept is None:
            return None if came is None else identity.memory
        return self.desk.vault.seal({**kept, **(came or {})}, binding)

    def _opened(self, memory: Sealed | None, binding: Binding) -> dict[str, Any] | None:
        """Return what *memory* holds; none where nobody can read it any more, which the log is told and nobody else."""
        if memory is None:
            return None
        try:
            return self.desk.vault.open(memory, binding)
        except SecretUnavailable as error:
            report_unavailable(error)
            return None


def _addresses(tx: SsoTransaction, user: UserId) -> tuple[Address, ...]:
    person = tx.users.get(user)
    return () if person is None else person.verified_addresses()
