"""Mailing all members of an organization: one message of the outbox becomes their mails, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import attrs

from authflow.facts.records import MailKind
from authflow.facts.sso import LinkingAsked, MembersToMail, MemberToldOfEnd
from authflow.journey.ports import JourneyTransaction
from authflow.nobody import SYSTEM
from authflow.outbox.delivery import Done, Drop, Retry
from authflow.outbox.ports import OutboxTransaction
from authflow.sso.connection import Connected
from authflow.values import Context, MemberId, OrganizationId, ProviderId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from authflow.facts.records import Message
    from authflow.machine import Fact
    from authflow.membership.standing import Member
    from authflow.outbox.delivery import Result
    from authflow.ports import Clock, UnitOfWork
    from authflow.recording import Recorder
    from authflow.values import Address, Role

PAGE: Final = 100
"""Members whose mails one delivery writes; another message goes on behind them."""

NAME: Final = "authflow.member_mails"
"""Under which name it is remembered that a message was delivered: a second delivery writes no second mail."""


class TellingTransaction(JourneyTransaction, OutboxTransaction, Protocol):
    """Where the people are read from, and where it is remembered that they were told."""


@attrs.frozen(kw_only=True)
class MemberMails:
    """Delivers a message of `Category.MEMBER_MAILS`: writes the mails of a page of members, and a message for the rest.

    Who is mailed is read when it is delivered: a member who linked their account meanwhile is not asked to.
    """

    uow: UnitOfWork[TellingTransaction]
    clock: Clock
    recorder: Recorder
    owner: Role

    def __call__(self, message: Message) -> Result:
        """Write them in one transaction, once."""
        kind = message.payload.get("mail")
        if kind not in {MailKind.SSO_LINK_ACCOUNT, MailKind.SSO_ENDED}:
            return Retry(reason="unknown_mail")
        with self.uow.begin() as tx:
            if NAME in tx.receipts.of(message.id):
                return Done()
            organization = tx.organizations.get(OrganizationId(message.shard))
            provider = tx.providers.load(OrganizationId(message.shard)).state
            stands = isinstance(provider, Connected) and provider.id == message.payload.get("target")
            if organization is None or (kind == MailKind.SSO_LINK_ACCOUNT and not stands):
                return Drop(reason="no_longer_wanted")
            after = MemberId(str(message.payload.get("after") or ""))
            page = tx.members.of_organization(organization.id, limit=PAGE, after=after or None)
            asking = provider if kind == MailKind.SSO_LINK_ACCOUNT and isinstance(provider, Connected) else None
            mails = self._ended(tx, page) if asking is None else self._asked(tx, page, asking)
            asker = attrs.evolve(SYSTEM, label=str(message.payload.get("actor") or ""))
            facts = [*mails, *_rest(message, page)]
            self.recorder.record(tx, facts, asker=asker, context=Context(), now=self.clock.now())
            tx.receipts.add(message.id, NAME)
        return Done()

    def _asked(self, tx: TellingTransaction, page: Sequence[Member], provider: Connected) -> Iterator[Fact]:
        linked = tx.links.linked(provider.id, [member.user for member in page])
        for member in page:
            recipients = () if member.user in linked else _mailbox(tx, member)
            if recipients:
                yield LinkingAsked(
                    organization=member.organization, user=member.user, kind=provider.kind, recipients=recipients
                )

    def _ended(self, tx: TellingTransaction, page: Sequence[Member]) -> Iterator[Fact]:
        """Whoever owns the organization was told when it happened."""
        for member in page:
            recipients = () if member.role == self.owner else _mailbox(tx, member)
            if recipients:
                yield MemberToldOfEnd(organization=member.organization, user=member.user, recipients=recipients)


def _rest(message: Message, page: Sequence[Member]) -> Iterator[Fact]:
    if len(page) == PAGE:
        yield MembersToMail(
            organization=OrganizationId(message.shard),
            provider=ProviderId(str(message.payload.get("target"))),
            mail=str(message.payload.get("mail")),
            after=page[-1].id,
            actor=str(message.payload.get("actor") or ""),
        )


def _mailbox(tx: TellingTransaction, member: Member) -> tuple[Address, ...]:
    """Return the one address at which an active member is asked to do something; none where none is verified."""
    person = tx.users.get(member.user)
    return () if person is None or not person.active else person.verified_addresses()[:1]
