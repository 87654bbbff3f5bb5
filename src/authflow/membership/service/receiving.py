"""Coming in through the organization's provider: what awaits a person there, and how they become a member (sso 10)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import attrs

from authflow.errors import BrokenPromise, Code
from authflow.membership.admission import suits
from authflow.membership.answers import Joined, MemberSaved, RequirementsOpen
from authflow.membership.changes import FlagGroup, Join, SetFlags
from authflow.membership.consent import Anonymous, NoConsent
from authflow.membership.offer import Pending, address_key, expired, person_key
from authflow.membership.service.admissions import Admissions
from authflow.membership.standing import Member, MemberFlag, Outside, Removed
from authflow.values import Asker, Context, MemberId, Refused, SessionId, same_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from authflow.membership.service.admissions import Outcome
    from authflow.membership.service.desk import Case
    from authflow.membership.standing import Membership as MemberState
    from authflow.ports import Stored
    from authflow.values import Address, InvitationId, OrganizationId, Role, UserId


@attrs.frozen(kw_only=True)
class Prospects:
    """What awaits somebody at an organization.

    Args:
        member: Which member they are, or none.
        removed: They were removed, and neither the policy nor a newer approved invitation leads back (decision 15).
        invited_at: When the newest token was made of an invitation that is open for them; none where there is none, and
            where nothing depends on it: for members, and for people whom nobody removed.
    """

    member: MemberId | None = None
    removed: bool = False
    invited_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Receiving(Admissions):
    """What the other ways in have, for whoever an organization's own provider sends."""

    def prospects(
        self,
        session: SessionId,
        *,
        organization: OrganizationId,
        user: UserId | None,
        address: Address | None,
        removed_at: datetime | None = None,
    ) -> Prospects:
        """Return what awaits *user*, or with none somebody new, who clicked an invitation in *session* if anybody did.

        Args:
            session: The browser.
            organization: Where they come in.
            user: Who comes in, or none for somebody new.
            address: One that is proven to be theirs, beside those that *user* verified; or none.
            removed_at: When whoever the provider means was removed, or none; beside *user*'s own removal.
        """
        with self.uow.begin() as tx:
            case = self._case(tx, Asker(user=user, session=session), Context(), organization)
            found = Outside() if user is None else tx.members.load(organization, user).state
            if isinstance(found, Member):
                return Prospects(member=found.id)
            gone = [at for at in (removed_at, found.at if isinstance(found, Removed) else None) if at is not None]
            if user is not None and not gone:
                return Prospects()
            moments = [open_one.issued_at for open_one in self._open_for(case, user, address)]
            newest = max(moments, default=None)
            return Prospects(removed=any(not self._returns(at, newest) for at in gone), invited_at=newest)

    def vouches(self, session: SessionId, *, organization: OrganizationId, address: Address) -> bool:
        """Tell whether an invitation that left only by mail to *address* was clicked in *session* (decision 21)."""
        with self.uow.begin() as tx:
            case = self._case(tx, Asker(user=None, session=session), Context(), organization)
            clicked = self._clicked(case)
            return clicked is not None and clicked.bound_to is None and same_address(clicked.offer.email, address)

    def come_in(
        self,
        asker: Asker,
        context: Context,
        *,
        organization: OrganizationId,
        role: Role | None,
        newcomers: bool,
    ) -> Outcome:
        """Make *asker*, whom the organization's provider sent, a member: by an open invitation, else with *role*.

        Role and teams of the invitation win; where it still asks for something it waits, and so does the person. A
        membership that stands stays, and says from now on that the link stands.

        Args:
            asker: Who was signed in just now, through the provider.
            context: Where they come from.
            organization: Where they come in.
            role: For whoever comes without an invitation; none for the organization's own default.
            newcomers: Whoever comes without an invitation becomes a member.

        Raises:
            UniqueViolated: They became a member at this very moment, by somebody who does not hold their account.
        """
        with self.uow.begin() as tx:
            self._hold(tx, asker.user)
            case = self._case(tx, asker, context, organization)
            user = asker.user
            if user is None:
                return Refused(code=asker.why_not or Code.SESSION_REQUIRED)
            found = tx.members.load(organization, user)
            if not isinstance(found.state, Member):
                answer = self._by_invitation(case, user) or self._by_policy(
                    case, user, found, role, newcomers=newcomers
                )
                if not isinstance(answer, Joined):
                    return answer
            return self._linked(case, user)

    def stands(self, organization: OrganizationId, user: UserId) -> bool:
        """Tell whether *user* is a member already: `come_in` changes their one row then, or nothing."""
        with self.uow.begin() as tx:
            return isinstance(tx.members.load(organization, user).state, Member)

    def mark_unlinked(
        self, asker: Asker, context: Context, *, organization: OrganizationId, user: UserId, flags: MemberFlag
    ) -> bool:
        """Let a membership say of its link what *flags* say, if there is one; tell whether there is."""
        with self.uow.begin() as tx:
            self._hold(tx, user)
            case = self._case(tx, asker, context, organization)
            found = tx.members.load(organization, user)
            command = SetFlags(group=FlagGroup.SSO, flags=flags)
            return isinstance(self._change(case, user, found, command), MemberSaved)

    # --- pieces ---------------------------------------------------------------------------------------------------

    def _by_invitation(self, case: Case, user: UserId) -> Outcome | None:
        """Join by an invitation for this very person; none where there is none that lets them in."""
        for key in self._invitations_of(case, user):
            answer = self._join(case, key, self._invitation(case, key), None, user)
            if isinstance(answer, Joined | RequirementsOpen):
                return answer
        return None

    def _by_policy(
        self, case: Case, user: UserId, found: Stored[MemberState], role: Role | None, *, newcomers: bool
    ) -> Outcome:
        if not newcomers:
            return Refused(code=Code.SSO_JOIN_CLOSED)
        member = Member(
            organization=case.organization.id,
            user=user,
            id=self._new_member(),
            role=case.organization.default_role if role is None else role,
            flags=MemberFlag.SSO_LINKED,
        )
        command = Join(
            organization=case.organization,
            person=case.tx.users.get(user),
            member=member,
            invited_at=None,
            policy=self.policy,
        )
        answer = self._change(case, user, found, command)
        if isinstance(answer, Joined | Refused):
            return answer
        raise BrokenPromise(answer=type(answer).__name__)

    def _linked(self, case: Case, user: UserId) -> Outcome:
        found = case.tx.members.load(case.organization.id, user)
        command = SetFlags(group=FlagGroup.SSO, flags=MemberFlag.SSO_LINKED)
        answer = self._change(case, user, found, command)
        return (
            Joined(member=answer.member)
            if isinstance(answer, MemberSaved)
            else Refused(code=Code.MEMBERSHIP_NOT_MEMBER)
        )

    def _returns(self, removed_at: datetime, invited_at: datetime | None) -> bool:
        return self.policy.rejoin or (invited_at is not None and invited_at > removed_at)

    def _invitations_of(self, case: Case, user: UserId) -> list[InvitationId]:
        keys = [*self._address_keys(case, user), person_key(user)]
        waiting = case.tx.invitations.open_to(keys, case.organization.id)
        return [found.state.offer.id for found in waiting if isinstance(found.state, Pending)]

    def _open_for(self, case: Case, user: UserId | None, address: Address | None) -> Iterator[Pending]:
        """Yield the approved invitations that are open for them: by a verified address, by name, by a click."""
        own = [] if user is None else [*self._address_keys(case, user), person_key(user)]
        keys = own if address is None else [*own, address_key(address)]
        for found in case.tx.invitations.open_to(keys, case.organization.id) if keys else ():
            if isinstance(found.state, Pending) and not expired(found.state, case.now):
                yield found.state
        clicked = self._clicked(case)
        if clicked is not None and self._meant(case, clicked, address):
            yield clicked

    def _meant(self, case: Case, clicked: Pending, address: Address | None) -> bool:
        user = None if case.asker.user is None else case.tx.users.get(case.asker.user)
        if user is not None and suits(clicked, user, case.organization):
            return True
        named = address is not None and same_address(clicked.offer.email, address)
        return clicked.bound_to is None and (named or not case.organization.invites_bound_to_address)

    def _clicked(self, case: Case) -> Pending | None:
        """Return the invitation to this organization that was clicked in this browser with its token, as it stands."""
        waiting = case.tx.consents.load(case.asker.session).state if case.asker.session else NoConsent()
        if isinstance(waiting, NoConsent) or waiting.click.organization != case.organization.id:
            return None
        if not isinstance(waiting, Anonymous) and waiting.user != case.asker.user:
            return None
        click = waiting.click
        found = self._invitation(case, click.invitation).state
        if not isinstance(found, Pending) or expired(found, case.now) or case.now >= click.at + self.policy.consent_ttl:
            return None
        return found if click.by_token and hmac.compare_digest(found.token, click.token) else None
