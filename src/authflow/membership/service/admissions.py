"""Looking at an invitation, accepting it, and going on after a detour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import BrokenPromise, Code, StaleVersion, UniqueViolated
from authflow.membership.admission import presented, suits
from authflow.membership.answers import ConfirmationOwed, Joined, RequirementsOpen
from authflow.membership.changes import Join
from authflow.membership.consent import Anonymous, Claimed, Click, Give, Given, NoConsent, Proceed, Resume, Settle
from authflow.membership.invitation import MACHINE as INVITATION
from authflow.membership.invitation import Accept
from authflow.membership.member import MACHINE as MEMBER
from authflow.membership.offer import Accepted, Pending, carries, token_of
from authflow.membership.service.desk import MEMBER_ONCE, Case, Desk, nothing, reraise_unless
from authflow.membership.standing import Member
from authflow.membership.view import view
from authflow.values import Asker, Context, OrganizationId, Refused, SessionId

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.machine import Fact
    from authflow.membership.answers import InvitationView
    from authflow.membership.consent import Command as ConsentCommand
    from authflow.membership.offer import Invitation
    from authflow.membership.standing import Membership as MemberState
    from authflow.ports import Stored
    from authflow.values import InvitationId, Secret, UserId

Outcome = Joined | RequirementsOpen | Refused


@attrs.frozen(kw_only=True)
class Admissions(Desk):
    """The way in by an invitation."""

    def look(
        self, asker: Asker, *, organization: OrganizationId, invitation: InvitationId, token: Secret | None
    ) -> InvitationView | Refused:
        """Answer what somebody sees before they accept. It writes nothing, counts nothing, and locks nothing."""
        with self.uow.begin() as tx:
            case = self._case(tx, asker, Context(), organization)
            found = self._invitation(case, invitation).state
            return view(found, self._attempt(case, found, presented(token), None), case.now)

    def accept(
        self,
        asker: Asker,
        context: Context,
        *,
        organization: OrganizationId,
        invitation: InvitationId,
        token: Secret | None,
        user: UserId | None = None,
    ) -> Outcome:
        """Join by the invitation, or let the click wait for what is still open.

        Args:
            asker: The session; its person joins.
            context: Where the click came from.
            organization: Whose invitation.
            invitation: Which one.
            token: What the link carried, or none: then only who holds the invited address verified is let in.
            user: Whom the page showed; another person in the session by now is a wrong user.
        """
        shown = presented(token)
        with self.uow.begin() as tx:
            self._hold(tx, asker.user)
            case = self._case(tx, asker, context, organization)
            found = self._invitation(case, invitation)
            outcome = self._join(case, invitation, found, shown, user)
            return self._keep_click(case, invitation, found.state, shown, outcome)

    def consent_of(self, session: SessionId, now: datetime) -> Given | Anonymous | Claimed | None:
        """Return the click that waits in *session*, or none; for showing it, not for completing it."""
        with self.uow.begin() as tx:
            waiting = tx.consents.load(session).state
        if isinstance(waiting, NoConsent) or now >= waiting.click.at + self.policy.consent_ttl:
            return None
        return waiting

    def click_in(self, session: SessionId) -> Click | None:
        """Return the click that stands in *session*, however old: whoever completes it stores that it is over."""
        with self.uow.begin() as tx:
            waiting = tx.consents.load(session).state
        return None if isinstance(waiting, NoConsent) else waiting.click

    def accept_consent(
        self, asker: Asker, context: Context, now: datetime, *, confirmed: bool = False
    ) -> Outcome | ConfirmationOwed:
        """Complete the click that waits in this browser session, and nothing else.

        *confirmed* says that the person was asked and the click was theirs, where nobody was signed in when it came.
        """
        with self.uow.begin() as tx:
            self._hold(tx, asker.user)
            waiting = tx.consents.load(asker.session).state
            click = None if isinstance(waiting, NoConsent) else waiting.click
            case = self._case(tx, asker, context, OrganizationId("") if click is None else click.organization, now)
            found = nothing() if click is None else self._invitation(case, click.invitation)
            answer = self._wait(case, asker.session, self._resume(case, found.state, confirmed=confirmed))
            if not isinstance(answer, Proceed):
                return answer if isinstance(answer, ConfirmationOwed) else _refused(answer)
            shown = answer.click.token if answer.click.by_token else None
            outcome = self._join(case, answer.click.invitation, found, shown, None)
            return self._settle(case, answer.click.invitation, outcome)

    def carries(self, organization: OrganizationId, invitation: InvitationId, token: Secret) -> bool:
        """Tell whether a mail with *token* is still worth sending: nothing newer was sent, and nothing ended it."""
        with self.uow.begin() as tx:
            case = self._case(tx, Asker(user=None, session=SessionId("")), Context(), organization)
            return carries(self._invitation(case, invitation).state, token, case.now)

    # --- joining ----------------------------------------------------------------------------------------------------

    def _join(
        self, case: Case, key: InvitationId, found: Stored[Invitation], shown: bytes | None, user: UserId | None
    ) -> Outcome:
        attempt = self._attempt(case, found.state, shown, user)
        command = Accept(attempt=attempt, member=self._new_member())
        step = INVITATION.step(found.state, command, case.now)
        before, after, answer = found.state, step.state, step.answer
        if isinstance(before, Pending) and isinstance(after, Accepted) and isinstance(answer, Joined):
            join = Join(
                organization=case.organization,
                person=attempt.applicant.user,
                member=answer.member,
                invited_at=before.issued_at,
                policy=self.policy,
            )
            return self._enter(case, before, after, join, step.facts)
        refused = answer if isinstance(answer, RequirementsOpen) else _refused(answer)
        if after != before and not self._kept(case, key, found, after):
            return refused
        self._told(case, step)
        return refused

    def _kept(self, case: Case, key: InvitationId, found: Stored[Invitation], after: Invitation) -> bool:
        """Store an ending that was observed, unless somebody changed the invitation at this very moment."""
        try:
            case.tx.invitations.save(case.organization.id, key, after, expected=found.version)
        except StaleVersion:
            return False
        return True

    def _enter(self, case: Case, before: Pending, after: Accepted, join: Join, facts: tuple[Fact, ...]) -> Outcome:
        """Use the invitation up and write the membership, both or neither."""
        found = case.tx.members.load(case.organization.id, after.by)
        step = MEMBER.step(found.state, join, case.now)
        if isinstance(found.state, Member):
            return Refused(code=Code.INVITATION_ALREADY_MEMBER)
        if not isinstance(step.answer, Joined):
            return _refused(step.answer)
        lost = self._write(case, before, after, found, step.state)
        if lost is not None:
            return Refused(code=lost)
        self.recorder.record(case.tx, (*facts, *step.facts), asker=case.asker, context=case.context, now=case.now)
        self._end_what_waits(case, after.by, step.state)
        return step.answer

    def _write(
        self, case: Case, before: Pending, after: Accepted, found: Stored[MemberState], joined: MemberState
    ) -> Code | None:
        """One conditional update decides who uses the invitation, one unique row who is a member (decision 12)."""
        try:
            with self.uow.savepoint():
                if not case.tx.invitations.accept(before, after, case.now):
                    return Code.INVITATION_USED
                case.tx.members.save(case.organization.id, after.by, joined, expected=found.version)
        except UniqueViolated as violated:
            reraise_unless(violated, rule=MEMBER_ONCE)
            return Code.INVITATION_ALREADY_MEMBER
        return None

    # --- the click that waits ---------------------------------------------------------------------------------------

    def _resume(self, case: Case, found: Invitation, *, confirmed: bool) -> Resume:
        user = None if case.asker.user is None else case.tx.users.get(case.asker.user)
        return Resume(
            user=case.asker.user,
            token=token_of(found),
            addressed=suits(found, user, case.organization),
            confirmed=confirmed,
            life=self.policy.consent_ttl,
        )

    def _keep_click(
        self, case: Case, key: InvitationId, before: Invitation, shown: bytes | None, outcome: Outcome
    ) -> Outcome:
        token = token_of(before)
        if not isinstance(outcome, RequirementsOpen) or token is None:
            return self._settle(case, key, outcome)
        click = Click(
            organization=case.organization.id, invitation=key, token=token, by_token=shown is not None, at=case.now
        )
        kept = self._stored(case, Give(click=click, user=case.asker.user))
        return attrs.evolve(outcome, consent=kept)

    def _settle(self, case: Case, key: InvitationId, outcome: Outcome) -> Outcome:
        if isinstance(outcome, RequirementsOpen):
            return attrs.evolve(outcome, consent=True)
        self._stored(case, Settle(invitation=key, code=outcome.code if isinstance(outcome, Refused) else None))
        return outcome

    def _stored(self, case: Case, command: ConsentCommand) -> bool:
        """Store what waits, unless this browser has no row, or another click of it came first at this very moment."""
        if not case.asker.opens_a_row:
            return False
        try:
            with self.uow.savepoint():
                self._wait(case, case.asker.session, command)
        except (StaleVersion, UniqueViolated):
            return False
        return True


def _refused(answer: object) -> Refused:
    """Return the refusal that is all a table can still answer here; anything else is a bug."""
    if not isinstance(answer, Refused):
        raise BrokenPromise(answer=type(answer).__name__)
    return answer
