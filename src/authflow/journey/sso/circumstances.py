"""What is known when a sign-in through a provider finishes: every fact of `authflow.sso.case.Known`, read at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.membership.service import Prospects
from authflow.membership.standing import Member
from authflow.sso.case import Choice, Known, Visitor
from authflow.sso.finishing import registers
from authflow.sso.linking import migrates
from authflow.sso.links import Holder
from authflow.sso.login import case_of
from authflow.sso.pipeline import Flow
from authflow.sso.progress import AddressProven, Proven
from authflow.values import same_address

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from authflow.journey.ports import JourneyTransaction
    from authflow.membership.service import Membership
    from authflow.policy import SsoPolicy
    from authflow.sso.case import Case
    from authflow.sso.connection import Connected
    from authflow.sso.identity import Identity, Subject
    from authflow.sso.links import Former, Link
    from authflow.sso.progress import Open, Unconfirmed
    from authflow.values import Address, Asker, ProviderId, UserId


@attrs.frozen(kw_only=True)
class Situation:
    """Who goes on with what: *state* of a pipeline to *provider*, by *asker*, with what they chose."""

    state: Open | Unconfirmed
    provider: Connected
    asker: Asker
    choice: Choice

    @property
    def identity(self) -> Identity:
        """What the provider said."""
        return self.state.identity

    @property
    def claims(self) -> bool:
        """Whoever is signed in wants the identity to be theirs, also where it is somebody else's."""
        return self.state.handle.flow is Flow.LINK or self.choice is Choice.LINK

    def case(self, known: Known) -> Case:
        """Return what the table of finishing looks at."""
        return case_of(self.state, self.choice, known)


@attrs.frozen(kw_only=True)
class Mailable:
    """A member, and their stored address."""

    user: UserId
    address: Address


@attrs.frozen(kw_only=True)
class Circumstances:
    """Reads; every method runs in its caller's transaction, which holds the accounts of all whom it may concern."""

    membership: Membership
    policy: SsoPolicy

    def owners(
        self, tx: JourneyTransaction, provider: ProviderId, subjects: Collection[Subject | None]
    ) -> tuple[UserId, ...]:
        """Return whose *subjects* are: their accounts have to be held before anything is read for good."""
        links = [tx.links.by_subject(provider, subject) for subject in subjects if subject is not None]
        return tuple(link.user for link in links if link is not None)

    def known(self, tx: JourneyTransaction, at: Situation, now: datetime, *, lock: bool) -> Known:
        """Return what is known now; with *lock* the links that decide are held, for whoever acts on it."""
        identity = at.identity
        tx.links.expect(at.provider.id, identity.subject, user=at.asker.user if at.claims else None, lock=lock)
        link = tx.links.by_subject(at.provider.id, identity.subject, lock=lock)
        former = self._former(tx, identity, now, lock=lock) if link is None else None
        prover = _prover(tx, at.state)
        owner = _owner(tx, link or former)
        vouched = owner is None and self._vouched(at)
        newcomer = self._prospects(tx, at, None, vouched=vouched) if owner is None else Prospects()
        return Known(
            link=link,
            former=former,
            holder=owner,
            visitor=self._visitor(tx, at, link, lock=lock),
            prover=prover,
            owes=_owes(tx, owner or prover, at.asker),
            removed=self._removed(tx, at, owner, prover) or (newcomer.removed and _anothers(tx, at, prover)),
            subject_removed=newcomer.removed,
            taken=owner is None and _taken(tx, at),
            vouched=vouched,
            sign_up=tx.registrar is not None,
            open_to_newcomers=at.provider.settings.newcomers or newcomer.invited_at is not None,
            verify_first=self.policy.verify_first,
            second_accounts=self.policy.second_accounts,
        )

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _former(self, tx: JourneyTransaction, identity: Identity, now: datetime, *, lock: bool) -> Link | None:
        """Return the link under the provider's former subject, while the policy takes it over (decision 24)."""
        if identity.legacy is None or not migrates(identity, self.policy.migrate_until, now):
            return None
        return tx.links.by_subject(identity.provider, identity.legacy, lock=lock)

    def _vouched(self, at: Situation) -> bool:
        email = at.identity.email
        place = at.provider.organization
        return email is not None and self.membership.vouches(at.asker.session, organization=place, address=email)

    def _visitor(self, tx: JourneyTransaction, at: Situation, link: Link | None, *, lock: bool) -> Visitor | None:
        """Return who is signed in here; whose subject the provider changed is asked where it would decide."""
        user = at.asker.user
        person = None if user is None else tx.users.get(user)
        if user is None or person is None:
            return None
        renumbers = link is None and at.identity.email_verified and at.choice is Choice.NOTHING
        own = tx.links.of_user(at.provider.id, user, lock=lock) if renumbers else None
        return Visitor(
            user=user,
            elevated=at.asker.elevated,
            member=renumbers and _belongs(tx, at, user),
            linked=own is not None and own.subject != at.identity.subject,
            addresses=person.verified_addresses(),
        )

    def _removed(self, tx: JourneyTransaction, at: Situation, owner: Holder | None, prover: Holder | None) -> bool:
        """Tell whether somebody who would come in was removed: of a linked identity its person would, or a claimant."""
        claimant = at.asker.user if owner is None or at.claims else None
        people = {holder.user for holder in (owner, None if owner is not None else prover) if holder is not None}
        people |= set() if claimant is None else {claimant}
        outside = (user for user in people if not _belongs(tx, at, user))
        return any(self._prospects(tx, at, user, vouched=False).removed for user in outside)

    def _prospects(self, tx: JourneyTransaction, at: Situation, user: UserId | None, *, vouched: bool) -> Prospects:
        place = at.provider.organization
        return self.membership.prospects(
            at.asker.session,
            organization=place,
            user=user,
            address=_proven(at, vouched=vouched),
            removed_at=_removed_at(tx, at),
        )


def mailable(tx: JourneyTransaction, state: Open | Unconfirmed) -> Mailable | None:
    """Return who can prove the asserted address: the one member who has it verified (decision 20), or none.

    Where two have it verified nobody is meant: nobody is picked by an order. It is asked before the mail is written,
    before it leaves, when its link is opened, and when the link is used: whoever lost the address proves nothing by it.
    """
    email = state.identity.email
    holders = () if email is None else tx.users.holders(email)
    if len(holders) != 1 or not _holder(tx, holders[0]).active:
        return None
    member = tx.members.load(state.handle.organization, holders[0]).state
    own = written(tx, holders[0], email)
    return Mailable(user=holders[0], address=own[0]) if isinstance(member, Member) and own else None


def written(tx: JourneyTransaction, user: UserId, address: Address | None) -> tuple[Address, ...]:
    """Return *address* as *user* has it stored and verified: mail goes there, never to what was asserted."""
    person = tx.users.get(user)
    if person is None or address is None:
        return ()
    return tuple(own for own in person.verified_addresses() if same_address(own, address))


def _prover(tx: JourneyTransaction, state: Open | Unconfirmed) -> Holder | None:
    """Return who proved a mailbox here, while it is theirs."""
    found = mailable(tx, state) if isinstance(state, Proven) else None
    if found is None or not isinstance(state, Proven) or found.user != state.user:
        return None
    return Holder(user=found.user, active=True)


def _taken(tx: JourneyTransaction, at: Situation) -> bool:
    email = at.identity.email
    return email is not None and registers(at.case(Known())) and bool(tx.users.holders(email))


def _removed_at(tx: JourneyTransaction, at: Situation) -> datetime | None:
    """Return when whom the provider means was removed, under this subject or the former one of the same person."""
    gone = (former.removed_at for former in _former_of(tx, at))
    return max((when for when in gone if when is not None), default=None)


def _anothers(tx: JourneyTransaction, at: Situation, prover: Holder | None) -> bool:
    """Tell whether there is somebody to link it to, and another person was removed under it: nobody frees theirs."""
    linker = at.asker.user or (None if prover is None else prover.user)
    return linker is not None and any(
        former.removed_at is not None and former.user != linker for former in _former_of(tx, at)
    )


def _former_of(tx: JourneyTransaction, at: Situation) -> tuple[Former, ...]:
    place, identity = at.provider.organization, at.identity
    found = (tx.former_subjects.find(place, at.provider.id, subject) for subject in identity.subjects)
    return tuple(former for former in found if former is not None)


def _proven(at: Situation, *, vouched: bool) -> Address | None:
    """Return the asserted address, if somebody who may say so says that it is theirs."""
    email, state = at.identity.email, at.state
    good = at.identity.email_verified or vouched or isinstance(state, AddressProven)
    return email if good else None


def _belongs(tx: JourneyTransaction, at: Situation, user: UserId) -> bool:
    return isinstance(tx.members.load(at.provider.organization, user).state, Member)


def _owner(tx: JourneyTransaction, link: Link | None) -> Holder | None:
    return None if link is None else _holder(tx, link.user)


def _holder(tx: JourneyTransaction, user: UserId) -> Holder:
    person = tx.users.get(user)
    return Holder(user=user, active=person is not None and person.active)


def _owes(tx: JourneyTransaction, entrant: Holder | None, asker: Asker) -> bool:
    """Whoever is signed in has passed what they owed; a session is not begun without."""
    if entrant is None or entrant.user == asker.user:
        return False
    return (
        tx.factor_census.protected([entrant.user])[entrant.user] or tx.accounts.read(entrant.user).enrollment_required
    )
