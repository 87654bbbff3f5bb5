"""Who belongs to an organization: entering it, and changing, removing, demoting and adding its members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import AuthflowError, Code, DatabaseUnavailable, UniqueViolated
from authflow.membership.answers import Entered, MemberGone, MemberList, RequirementsEnforced
from authflow.membership.changes import ChangeRole, Demote, Join, Remove, SetFlags, SetTeams
from authflow.membership.issue import InviteBack
from authflow.membership.member import home
from authflow.membership.offer import Offer, person_key
from authflow.membership.service.desk import MEMBER_ONCE, PAGE, Case, Desk, reraise_unless
from authflow.membership.standing import Member, MemberFlag, Outside, lacks, may_enter, may_manage
from authflow.membership.terms import page_problems, read_teams, well_formed
from authflow.nobody import NO_USER
from authflow.ports import Stored
from authflow.values import Context, Refused, Role, UserId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from authflow.membership.changes import FlagGroup
    from authflow.membership.member import Answer
    from authflow.membership.standing import Authority, Membership
    from authflow.values import Address, Asker, InvitationId, MemberId, OrganizationId


@attrs.frozen(kw_only=True)
class Members(Desk):
    """The members of an organization."""

    # --- reading ----------------------------------------------------------------------------------------------------

    def enter(self, asker: Asker, *, organization: OrganizationId) -> Entered | Refused:
        """Answer whether this session may act in the organization, and as whom (mfa 17.3)."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, Context(), organization)
            standing = self._standing(case)
            refusal = may_enter(standing, case.organization)
            if refusal is not None:
                return Refused(code=refusal)
            return Entered(member=standing.membership if isinstance(standing.membership, Member) else None)

    def members(
        self, asker: Asker, *, organization: OrganizationId, limit: int = PAGE, after: MemberId | None = None
    ) -> MemberList | Refused:
        """List the members, for whoever may enter."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, Context(), organization)
            refusal = may_enter(self._standing(case), case.organization)
            if refusal is not None:
                return Refused(code=refusal)
            if problems := page_problems(limit=limit, after=after):
                return Refused(code=Code.MEMBERSHIP_INPUT_INVALID, problems=problems)
            return MemberList(members=tx.members.of_organization(organization, limit=limit, after=after))

    def authority(self, asker: Asker, *, organization: OrganizationId) -> Authority:
        """Return who *asker* is there, for a journey that lets `authflow.membership.standing` judge them."""
        with self.uow.begin() as tx:
            return self._authority(self._case(tx, asker, Context(), organization))

    # --- what managers do -------------------------------------------------------------------------------------------

    def change_role(
        self, asker: Asker, context: Context, *, organization: OrganizationId, member: MemberId, role: str
    ) -> Answer:
        """Give a member another role, at most one's own; one active owner stays."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            user = self._subject(case, member)
            others = self._other_owners(case, user)
            command = ChangeRole(authority=self._authority(case), role=Role(role), other_owners=others)
            return self._change(case, user, self._membership(case, user), command)

    def set_teams(
        self, asker: Asker, context: Context, *, organization: OrganizationId, member: MemberId, teams: Sequence[str]
    ) -> Answer:
        """Put a member into *teams* and no others."""
        listed, problems = read_teams(teams)
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            user = self._subject(case, member)
            command = SetTeams(authority=self._authority(case), teams=listed, problems=problems)
            return self._change(case, user, self._membership(case, user), command)

    def remove(self, asker: Asker, context: Context, *, organization: OrganizationId, member: MemberId) -> Answer:
        """End a membership for good; a member may end their own."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            user = self._subject(case, member)
            others = self._other_owners(case, user)
            command = Remove(authority=self._authority(case), other_owners=others)
            return self._change(case, user, self._membership(case, user), command)

    def demote(
        self,
        asker: Asker,
        context: Context,
        *,
        organization: OrganizationId,
        member: MemberId,
        only_lacking: bool = False,
    ) -> Answer:
        """Turn a membership back into an invitation that only the same person can accept (decision 16).

        With *only_lacking*, a member who meets the organization's requirements is left alone.
        """
        token = self._new_token()
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            user = self._subject(case, member)
            others = self._other_owners(case, user)
            found = self._membership(case, user)
            command = Demote(
                authority=self._authority(case),
                person=tx.users.get(user),
                has_factor=tx.factor_census.protected([user])[user],
                other_owners=others,
                invitation=self._way_back(case, user),
                token=token,
                only_lacking=only_lacking,
            )
            answer, email = self._change(case, user, found, command), home(command.person)
            if isinstance(answer, MemberGone) and isinstance(found.state, Member) and email is not None:
                self._leave_way_back(case, found.state, command, email)
            return answer

    def enforce(
        self, asker: Asker, context: Context, *, organization: OrganizationId
    ) -> RequirementsEnforced | Refused:
        """Demote every member who lacks what the organization requires now (mfa 17.1, sso 13.6).

        For the moment at which the host has switched a requirement on, and for looking again. Each member is a
        command of its own, decided under locks; run twice, it changes nothing the second time. An error over one
        member lets nobody else stay; only a database that is away ends it.
        """
        with self.uow.begin() as tx:
            case = self._case(tx, asker, context, organization)
            refusal = may_manage(self._authority(case))
            lacking = () if refusal is not None else tuple(self._lacking(case))
        if refusal is not None:
            return Refused(code=refusal)
        answers = {member: self._demote_lacking(asker, context, organization, member) for member in lacking}
        return RequirementsEnforced(
            demoted=tuple(member for member, answer in answers.items() if isinstance(answer, MemberGone)),
            kept={member: answer.code for member, answer in answers.items() if isinstance(answer, Refused)},
        )

    def _demote_lacking(self, asker: Asker, context: Context, organization: OrganizationId, member: MemberId) -> Answer:
        try:
            return self.demote(asker, context, organization=organization, member=member, only_lacking=True)
        except DatabaseUnavailable:
            raise
        except AuthflowError as error:
            return Refused(code=error.code)

    # --- what the host and journeys do: nobody is asked for permission ----------------------------------------------

    def add(
        self,
        asker: Asker,
        context: Context,
        *,
        organization: OrganizationId,
        user: UserId,
        role: str | None = None,
        teams: Sequence[str] = (),
    ) -> Answer:
        """Make *user* a member without an invitation; a membership that stands is returned unchanged.

        For the host's own code, such as the one that makes an organization and its first owner: *asker* is only who
        the log names. Who was removed stays out unless the policy lets removed people come back (decision 15).
        """
        key = self._new_member()
        listed, problems = read_teams(teams)
        with self.uow.begin() as tx:
            self._hold(tx, user if tx.users.get(user) else None)
            case = self._case(tx, asker, context, organization)
            joined = Member(
                organization=organization,
                user=user,
                id=key,
                role=case.organization.default_role if role is None else Role(role),
                teams=listed,
            )
            command = Join(
                organization=case.organization,
                person=tx.users.get(user),
                member=joined,
                invited_at=None,
                policy=self.policy,
                problems=problems,
            )
            try:
                with self.uow.savepoint():
                    return self._change(case, user, self._membership(case, user), command)
            except UniqueViolated as violated:
                reraise_unless(violated, rule=MEMBER_ONCE)
                return self._change(case, user, self._membership(case, user), command)

    def set_flags(
        self,
        asker: Asker,
        context: Context,
        *,
        organization: OrganizationId,
        user: UserId,
        group: FlagGroup,
        flags: MemberFlag,
    ) -> Answer:
        """Make the flags of *group* exactly those in *flags*; the flags of other groups stay as they are."""
        with self.uow.begin() as tx:
            self._hold(tx, user)
            case = self._case(tx, asker, context, organization)
            return self._change(case, user, self._membership(case, user), SetFlags(group=group, flags=flags))

    def clear_flags(self, organization: OrganizationId, *groups: FlagGroup) -> int:
        """Take the flags of *groups* from everybody in *organization*; return how many members had any.

        A demoted member's way back gives none of them back either.
        """
        taken = MemberFlag.NONE
        for group in groups:
            taken |= group.value
        with self.uow.begin() as tx:
            cleared = tx.members.clear_flags(organization, taken)
            tx.invitations.clear_flags(organization, taken)
            return cleared

    def of_user(self, user: UserId) -> tuple[Member, ...]:
        """Return every membership of *user*, for an export or a page of their own."""
        with self.uow.begin() as tx:
            return tx.members.of_user(user)

    def forget(self, user: UserId) -> int:
        """Delete everything about *user*, who is deleted; return how many memberships there were."""
        with self.uow.begin() as tx:
            self._hold(tx, user)
            tx.invitations.remove_of_user(user)
            tx.consents.remove_of_user(user)
            return tx.members.remove_of_user(user)

    # --- facts and storing ------------------------------------------------------------------------------------------

    def _subject(self, case: Case, member: MemberId) -> UserId:
        """Return whose membership it is, under their lock; nobody's where there is no such member here."""
        known = case.organization.active and well_formed(member)
        user = case.tx.members.user_of(case.organization.id, member) if known else None
        self._hold(case.tx, user)
        return NO_USER if user is None else user

    def _membership(self, case: Case, user: UserId) -> Stored[Membership]:
        known = case.organization.active and well_formed(user)
        return case.tx.members.load(case.organization.id, user) if known else Stored(Outside(), 0)

    def _other_owners(self, case: Case, user: UserId) -> int:
        """Count the other active owners and hold their rows, so that two of them cannot end each other."""
        if not user:
            return 0
        owners = case.tx.members.lock_role(case.organization.id, self.policy.roles[-1])
        people = (case.tx.users.get(owner) for owner in owners if owner != user)
        return sum(1 for person in people if person is not None and person.active)

    def _lacking(self, case: Case) -> Iterator[MemberId]:
        after: MemberId | None = None
        while page := case.tx.members.of_organization(case.organization.id, limit=PAGE, after=after):
            protected = case.tx.factor_census.protected([member.user for member in page])
            for member in page:
                person = case.tx.users.get(member.user)
                if lacks(person, case.organization, has_factor=protected[member.user]) is not None:
                    yield member.id
            after = page[-1].id

    def _way_back(self, case: Case, user: UserId) -> InvitationId:
        """Return the invitation that leads back: the one that is bound to the person already, or a new one."""
        waiting = case.tx.invitations.open_to([person_key(user)], case.organization.id) if user else ()
        return waiting[0].state.offer.id if waiting else self._new_invitation()

    def _leave_way_back(self, case: Case, before: Member, command: Demote, email: Address) -> None:
        offer = Offer(
            organization=before.organization, id=command.invitation, email=email, role=before.role, teams=before.teams
        )
        found = self._invitation(case, command.invitation, lock=True)
        way_back = InviteBack(
            authority=command.authority, offer=offer, token=command.token, bound_to=before.user, flags=before.flags
        )
        self._move(case, command.invitation, found, way_back)
