"""Inviting, asking to be invited, and everything that managers do to an invitation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code, UniqueViolated
from authflow.membership.answers import InvitationClosed, InvitationList
from authflow.membership.changes import Bar
from authflow.membership.invitation import MACHINE, Expire
from authflow.membership.issue import Approve, Invite, Reject, Request, RequestToJoin, Resend, Withdraw
from authflow.membership.offer import (
    Expired,
    Pending,
    address_key,
    expired,
    person_key,
)
from authflow.membership.service.desk import PAGE, Case, Desk, nothing, reraise_unless
from authflow.membership.standing import Member, may_manage
from authflow.membership.terms import Malformed, page_problems, read_terms
from authflow.membership.view import listed
from authflow.ports import Stored
from authflow.values import Context, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from authflow.membership.invitation import Answer, Command
    from authflow.membership.offer import Invitation, Waiting
    from authflow.membership.terms import Terms
    from authflow.values import Address, Asker, InvitationId, OrganizationId, UserId

OPEN_ONCE: Final = "invitation.open"
"""The uniqueness rule of open invitations: one per organization and address, or person."""


@attrs.frozen(kw_only=True)
class Invitations(Desk):
    """How invitations come about, and how they end unused."""

    def invite(
        self,
        asker: Asker,
        context: Context,
        *,
        organization: OrganizationId,
        email: str,
        role: str | None = None,
        teams: Sequence[str] = (),
    ) -> Answer:
        """Invite *email* to *role*, by default the organization's; the token leaves by mail and nowhere else."""
        key, token = self._new_invitation(), self._new_token()
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            allowance, terms = self._allowance(case), self._terms(case, email, role, teams)
            holders = self._holders(case, terms)
            open_ones = self._open_to(case, terms, holders)
            command = Invite(
                id=key,
                authority=self._authority(case),
                allowance=allowance,
                terms=terms,
                token=token,
                taken=_taken(open_ones, case.now),
                member=self._belongs(case, holders),
            )
            return self._file(case, key, open_ones, command)

    def request_invite(
        self,
        asker: Asker,
        context: Context,
        *,
        organization: OrganizationId,
        email: str,
        role: str | None = None,
        teams: Sequence[str] = (),
    ) -> Answer:
        """Ask, as a member, that *email* be invited."""
        key = self._new_invitation()
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            allowance, terms = self._allowance(case), self._terms(case, email, role, teams)
            holders = self._holders(case, terms)
            open_ones = self._open_to(case, terms, holders)
            command = Request(
                id=key,
                authority=self._authority(case),
                allowance=allowance,
                terms=terms,
                taken=_taken(open_ones, case.now),
                member=self._belongs(case, holders),
            )
            return self._file(case, key, open_ones, command)

    def request_join(self, asker: Asker, context: Context, *, organization: OrganizationId) -> Answer:
        """Ask to join, under one's own verified primary address and the organization's default role."""
        key = self._new_invitation()
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            allowance, authority = self._allowance(case), self._authority(case)
            person = authority.actor.user
            own = () if person is None else (a.address for a in person.addresses if a.primary)
            terms = self._terms(case, next(iter(own), ""), None, ())
            open_ones = self._open_to(case, terms, self._holders(case, terms))
            taken = _taken(open_ones, case.now)
            command = RequestToJoin(id=key, authority=authority, allowance=allowance, terms=terms, taken=taken)
            return self._file(case, key, open_ones, command)

    def approve(
        self, asker: Asker, context: Context, *, organization: OrganizationId, invitation: InvitationId
    ) -> Answer:
        """Make an invitation of a request, and mail its token to the address."""
        token = self._new_token()
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            found = self._invitation(case, invitation, lock=True)
            return self._move(case, invitation, found, Approve(authority=self._authority(case), token=token))

    def reject(
        self, asker: Asker, context: Context, *, organization: OrganizationId, invitation: InvitationId
    ) -> Answer:
        """Delete a request."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            found = self._invitation(case, invitation, lock=True)
            return self._move(case, invitation, found, Reject(authority=self._authority(case)))

    def withdraw(
        self, asker: Asker, context: Context, *, organization: OrganizationId, invitation: InvitationId
    ) -> Answer:
        """Take an invitation back. Taking back a demoted member's removes that person for good."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            bound = _bound_to(self._invitation(case, invitation).state)
            self._hold(tx, bound)
            found = self._invitation(case, invitation, lock=True)
            answer = self._move(case, invitation, found, Withdraw(authority=self._authority(case)))
            if bound is not None and isinstance(answer, InvitationClosed):
                stands = tx.members.load(organization, bound)
                self._change(case, bound, stands, Bar(organization=organization, user=bound))
            return answer

    def resend(
        self, asker: Asker, context: Context, *, organization: OrganizationId, invitation: InvitationId
    ) -> Answer:
        """Mail a fresh token with a fresh life; every older one is dead, and so is every click that waits with it."""
        token = self._new_token()
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            allowance = self._allowance(case)
            found = self._invitation(case, invitation, lock=True)
            command = Resend(
                authority=self._authority(case),
                allowance=allowance,
                token=token,
                recipients=self._recipients(case, found.state),
                taken=self._revived_too_late(case, found.state),
            )
            return self._unless_taken(case, invitation, found, command)

    # --- lists ------------------------------------------------------------------------------------------------------

    def pending(
        self, asker: Asker, *, organization: OrganizationId, limit: int = PAGE, after: InvitationId | None = None
    ) -> InvitationList | Refused:
        """List requests and invitations that wait, for whoever manages the organization."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, Context(), organization)
            refusal = may_manage(self._authority(case))
            if refusal is not None:
                return Refused(code=refusal)
            if problems := page_problems(limit=limit, after=after):
                return Refused(code=Code.INVITATION_INPUT_INVALID, problems=problems)
            found = tx.invitations.open_in(organization, limit=limit, after=after)
            return InvitationList(invitations=tuple(listed(one, case.now) for one in found))

    def mine(self, asker: Asker) -> InvitationList:
        """List what waits for the person signed in here: under their verified addresses, or bound to them.

        A session that proves somebody to one organization only lists that organization's (decision 1).
        """
        now = self.clock.now()
        with self.uow.begin() as tx:
            user = None if asker.user is None else tx.users.get(asker.user)
            if user is None:
                return InvitationList(invitations=())
            keys = [*(address_key(own) for own in user.verified_addresses()), person_key(user.id)]
            found = (listed(stored.state, now) for stored in tx.invitations.open_to(keys))
            return InvitationList(invitations=tuple(one for one in found if self._reaches(asker, one.organization)))

    # --- facts and storing ------------------------------------------------------------------------------------------

    def _terms(self, case: Case, email: str, role: str | None, teams: Sequence[str]) -> Terms | Malformed:
        offered = case.organization.default_role if role is None else role
        return read_terms(email=email, role=offered, teams=teams, policy=self.policy)

    def _holders(self, case: Case, terms: Terms | Malformed) -> tuple[UserId, ...]:
        if isinstance(terms, Malformed) or not case.organization.active:
            return ()
        return case.tx.users.holders(terms.email)

    def _open_to(
        self, case: Case, terms: Terms | Malformed, holders: tuple[UserId, ...]
    ) -> tuple[Stored[Waiting], ...]:
        """Return what waits for the address: also a demoted member's way back, which is bound to who holds it."""
        if isinstance(terms, Malformed) or not case.organization.active:
            return ()
        return case.tx.invitations.open_to(_keys(terms.email, holders), case.organization.id)

    def _belongs(self, case: Case, holders: tuple[UserId, ...]) -> bool:
        load = case.tx.members.load
        return any(isinstance(load(case.organization.id, user).state, Member) for user in holders)

    def _recipients(self, case: Case, found: Invitation) -> tuple[Address, ...]:
        if not isinstance(found, Pending | Expired):
            return ()
        if found.bound_to is None:
            return (found.offer.email,)
        person = case.tx.users.get(found.bound_to)
        return () if person is None else person.verified_addresses()

    def _revived_too_late(self, case: Case, found: Invitation) -> bool:
        """An expired invitation cannot come back beside a newer one for the same address or the same person."""
        if not isinstance(found, Expired):
            return False
        holders = case.tx.users.holders(found.offer.email)
        bound = () if found.bound_to is None else (found.bound_to,)
        return bool(case.tx.invitations.open_to(_keys(found.offer.email, {*holders, *bound}), case.organization.id))

    def _file(self, case: Case, key: InvitationId, open_ones: tuple[Stored[Waiting], ...], command: Command) -> Answer:
        """Store what is new; what expired under the same address is stored so first, and makes room."""
        new = nothing()
        if MACHINE.step(new.state, command, case.now).state != new.state:
            for stale in open_ones:
                self._move(case, stale.state.offer.id, Stored(stale.state, stale.version), Expire())
        return self._unless_taken(case, key, new, command)

    def _unless_taken(self, case: Case, key: InvitationId, found: Stored[Invitation], command: Command) -> Answer:
        try:
            with self.uow.savepoint():
                return self._move(case, key, found, command)
        except UniqueViolated as violated:
            reraise_unless(violated, rule=OPEN_ONCE)
            return Refused(code=Code.INVITATION_ALREADY_INVITED)


def _keys(email: Address, people: Iterable[UserId]) -> list[bytes]:
    return [address_key(email), *(person_key(user) for user in people)]


def _taken(open_ones: tuple[Stored[Waiting], ...], now: datetime) -> bool:
    return any(not (isinstance(one.state, Pending) and expired(one.state, now)) for one in open_ones)


def _bound_to(found: Invitation) -> UserId | None:
    return found.bound_to if isinstance(found, Pending | Expired) else None
