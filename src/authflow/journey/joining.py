"""Invitations and members, for whoever a browser session is: each command runs with its session in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import attrs

from authflow.command import command, operation
from authflow.errors import InputInvalid
from authflow.journey.answers import Resumed
from authflow.journey.door import Door, carried, expect
from authflow.membership import answers
from authflow.membership.answers import InvitationClosed, InvitationSent, Joined, MemberGone, MemberSaved, RequestFiled
from authflow.membership.changes import FlagGroup
from authflow.membership.standing import MemberFlag
from authflow.values import NOBODY, Refused, identifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authflow.journey.waiting import Waiting
    from authflow.membership.answers import Entered, InvitationList, InvitationView, MemberList, RequirementsEnforced
    from authflow.membership.service import Membership
    from authflow.membership.service.admissions import Outcome
    from authflow.values import BrowserSession, Context, InvitationId, MemberId, OrganizationId, Secret, UserId


@attrs.frozen(kw_only=True)
class Invitations(Door):
    """``flows.invitations``: how people are invited, ask to join, and come in."""

    _membership: Membership = attrs.field(alias="membership")
    _waiting: Waiting = attrs.field(alias="waiting")

    @command("invitations.look")
    def look(
        self,
        session: BrowserSession,
        *,
        organization: OrganizationId,
        invitation: InvitationId,
        token: Secret | None = None,
    ) -> InvitationView | Refused:
        """Answer what somebody sees before they accept. Looking changes nothing: a link scanner uses nothing up."""
        look = self._membership.look
        return self._shown(session, lambda a: look(a, organization=organization, invitation=invitation, token=token))

    @command("invitations.accept")
    def accept(
        self,
        session: BrowserSession,
        context: Context,
        *,
        organization: OrganizationId,
        invitation: InvitationId,
        token: Secret | None = None,
        user: UserId | None = None,
    ) -> Outcome:
        """Join, or let the click wait in this browser for what is still open (decision 13).

        Call it for a POST only. A browser without a session gets one, so that the click can wait there.

        Args:
            session: The browser.
            context: Where the command came from.
            organization: From the link.
            invitation: From the link.
            token: From the link; none for a person who came by a verified address.
            user: Whom the page showed as the one who joins; somebody else in the session by now is a wrong user.
        """
        with self._uow.begin():
            if not self._sessions.identify(session, self._clock.now(), lock=True).session:
                session = self._sessions.open()
            asker = self._sessions.identify(session, self._clock.now())
            answer = self._membership.accept(
                asker, context, organization=organization, invitation=invitation, token=token, user=user
            )
            return attrs.evolve(answer, session=session)

    @command("invitations.resume")
    def resume(self, session: BrowserSession, context: Context, *, confirmed: bool = False) -> Resumed | Refused:
        """Complete the click that waits in this browser, after a detour of the host's own.

        *confirmed*: the person was asked whether a click made before they signed in was theirs, and said yes.
        It is refused for its idempotency key only; whatever else is in the way is said by the outcome.
        """
        with self._uow.begin():
            asker = self._sessions.identify(session, self._clock.now(), lock=True)
            outcome = self._waiting.settled(asker, session, context, confirmed=confirmed)
            return carried(Resumed(invitation=outcome), session, asker)

    @command("invitations.invite")
    def invite(
        self,
        session: BrowserSession,
        context: Context,
        *,
        organization: OrganizationId,
        email: str,
        role: str | None = None,
        teams: Sequence[str] = (),
    ) -> InvitationSent | Refused:
        """Invite *email* to *role*, by default the organization's (`InvitationSent`); the token leaves by mail only."""
        invite = self._membership.invite
        return self._asked_for(
            InvitationSent,
            session,
            lambda a: invite(a, context, organization=organization, email=email, role=role, teams=teams),
        )

    @command("invitations.request_invite")
    def request_invite(
        self,
        session: BrowserSession,
        context: Context,
        *,
        organization: OrganizationId,
        email: str,
        role: str | None = None,
        teams: Sequence[str] = (),
    ) -> RequestFiled | Refused:
        """Ask, as a member, that *email* be invited (`RequestFiled`)."""
        ask = self._membership.request_invite
        return self._asked_for(
            RequestFiled,
            session,
            lambda a: ask(a, context, organization=organization, email=email, role=role, teams=teams),
        )

    @command("invitations.request_join")
    def request_join(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId
    ) -> RequestFiled | Refused:
        """Ask to join, under one's own verified primary address (`RequestFiled`)."""
        ask = self._membership.request_join
        return self._asked_for(RequestFiled, session, lambda a: ask(a, context, organization=organization))

    @command("invitations.approve")
    def approve(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId, invitation: InvitationId
    ) -> InvitationSent | Refused:
        """Make an invitation of a request (`InvitationSent`); its token leaves by mail."""
        approve = self._membership.approve
        return self._asked_for(
            InvitationSent, session, lambda a: approve(a, context, organization=organization, invitation=invitation)
        )

    @command("invitations.reject")
    def reject(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId, invitation: InvitationId
    ) -> InvitationClosed | Refused:
        """Delete a request (`InvitationClosed`)."""
        reject = self._membership.reject
        return self._asked_for(
            InvitationClosed, session, lambda a: reject(a, context, organization=organization, invitation=invitation)
        )

    @command("invitations.withdraw")
    def withdraw(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId, invitation: InvitationId
    ) -> InvitationClosed | Refused:
        """Take a pending invitation back (`InvitationClosed`)."""
        withdraw = self._membership.withdraw
        return self._asked_for(
            InvitationClosed, session, lambda a: withdraw(a, context, organization=organization, invitation=invitation)
        )

    @command("invitations.resend")
    def resend(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId, invitation: InvitationId
    ) -> InvitationSent | Refused:
        """Mail a fresh token with a fresh life (`InvitationSent`); older ones, and clicks that wait with them, end."""
        resend = self._membership.resend
        return self._asked_for(
            InvitationSent, session, lambda a: resend(a, context, organization=organization, invitation=invitation)
        )

    @command("invitations.pending")
    def pending(
        self,
        session: BrowserSession,
        *,
        organization: OrganizationId,
        limit: int = 100,
        after: InvitationId | None = None,
    ) -> InvitationList | Refused:
        """List what waits in an organization, for whoever manages it."""
        pending = self._membership.pending
        return self._shown(session, lambda a: pending(a, organization=organization, limit=limit, after=after))

    @command("invitations.mine")
    def mine(self, session: BrowserSession) -> InvitationList:
        """List what waits for the person who is signed in here."""
        return expect(self._shown(session, self._membership.mine), answers.InvitationList)


@attrs.frozen(kw_only=True)
class Members(Door):
    """``flows.members``: who belongs to an organization."""

    _membership: Membership = attrs.field(alias="membership")

    @command("members.enter")
    def enter(self, session: BrowserSession, *, organization: OrganizationId) -> Entered | Refused:
        """Answer whether this session may act in the organization, and as whom (mfa 17.3)."""
        return self._shown(session, lambda a: self._membership.enter(a, organization=organization))

    @command("members.listing")
    def listing(
        self, session: BrowserSession, *, organization: OrganizationId, limit: int = 100, after: MemberId | None = None
    ) -> MemberList | Refused:
        """List the members, for whoever may enter."""
        members = self._membership.members
        return self._shown(session, lambda a: members(a, organization=organization, limit=limit, after=after))

    @command("members.add")
    def add(
        self,
        context: Context,
        *,
        organization: OrganizationId,
        user: UserId,
        role: str | None = None,
        teams: Sequence[str] = (),
    ) -> Joined | Refused:
        """Make *user* a member without an invitation (`Joined`, also who was one), for the host's own code.

        Nobody is asked for permission, and there is no session to keep: the answer's is `NOBODY`.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        identifier(user, field="user")
        asker = self._sessions.identify(NOBODY, self._clock.now())
        answer = self._membership.add(asker, context, organization=organization, user=user, role=role, teams=teams)
        return expect(answer, Joined, Refused)

    @command("members.set_flags")
    def set_flags(
        self,
        context: Context,
        *,
        organization: OrganizationId,
        user: UserId,
        group: FlagGroup,
        flags: MemberFlag,
    ) -> MemberSaved | Refused:
        """Make the flags of *group* exactly *flags* (`MemberSaved`), for the host's own code: to lift a limit, say.

        The flags of other groups stay; nobody is asked for permission, and there is no session to keep.

        Raises:
            InputInvalid: *user* cannot be a person's id; or *group* or *flags* are something else.
        """
        identifier(user, field="user")
        if not isinstance(cast("object", group), FlagGroup) or not isinstance(cast("object", flags), MemberFlag):
            raise InputInvalid(field="flags", problem="must be a MemberFlag, of a FlagGroup")
        asker = self._sessions.identify(NOBODY, self._clock.now())
        change = self._membership.set_flags
        answer = change(asker, context, organization=organization, user=user, group=group, flags=flags)
        return expect(answer, MemberSaved, Refused)

    @command("members.change_role")
    def change_role(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId, member: MemberId, role: str
    ) -> MemberSaved | Refused:
        """Give a member another role, at most one's own (`MemberSaved`); one active owner stays."""
        change = self._membership.change_role
        return self._asked_for(
            MemberSaved, session, lambda a: change(a, context, organization=organization, member=member, role=role)
        )

    @command("members.set_teams")
    def set_teams(
        self,
        session: BrowserSession,
        context: Context,
        *,
        organization: OrganizationId,
        member: MemberId,
        teams: Sequence[str],
    ) -> MemberSaved | Refused:
        """Put a member into *teams* and no others (`MemberSaved`)."""
        change = self._membership.set_teams
        return self._asked_for(
            MemberSaved, session, lambda a: change(a, context, organization=organization, member=member, teams=teams)
        )

    @command("members.remove")
    def remove(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId, member: MemberId
    ) -> MemberGone | Refused:
        """End a membership for good (`MemberGone`); a member may end their own. To return takes a newer invitation."""
        remove = self._membership.remove
        return self._asked_for(
            MemberGone, session, lambda a: remove(a, context, organization=organization, member=member)
        )

    @command("members.demote")
    def demote(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId, member: MemberId
    ) -> MemberGone | Refused:
        """Turn a membership into an invitation that only its person can accept (`MemberGone`; decision 16)."""
        demote = self._membership.demote
        return self._asked_for(
            MemberGone, session, lambda a: demote(a, context, organization=organization, member=member)
        )

    @operation("members.enforce")
    def enforce(
        self, session: BrowserSession, context: Context, *, organization: OrganizationId
    ) -> RequirementsEnforced | Refused:
        """Demote every member who lacks what the organization requires now; each one is a transaction of its own."""
        asker = self._sessions.identify(session, self._clock.now())
        return carried(self._membership.enforce(asker, context, organization=organization), session, asker)
