"""The post flow as a story: an invitation, a detour over a second factor, a membership, and what is told of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from authflow.cli.demo import cast
from authflow.cli.demo.phone import ComputedPhone, PersonsPhone, Unfinished
from authflow.cli.demo.player import Player
from authflow.cli.demo.sheet import show_code, show_recovery_codes
from authflow.errors import Code
from authflow.facts.records import MailKind
from authflow.journey.answers import Arrived, Enrolled
from authflow.membership.answers import InvitationSent, InvitationView, Joined, RequirementsOpen
from authflow.mfa.answers import Begun
from authflow.policy import OWNER
from authflow.sessions.commands import SecondFactorOwed
from authflow.values import InvitationId, Refused, Secret

if TYPE_CHECKING:
    from authflow.events.save import SavedEvent
    from authflow.values import BrowserSession

T = TypeVar("T")

MISTYPED: Final = frozenset({Code.MFA_CODE_REJECTED, Code.MFA_INPUT_INVALID})
"""Refusals after which the same enrollment goes on."""


@attrs.frozen(kw_only=True)
class Story(Player):
    """Plays, and tells what it plays. Computed phones go by its clock.

    Args:
        interactive: Ada's phone is in the hand of whoever watches.
        draw: Show a QR code.
    """

    interactive: bool
    draw: bool

    def play(self) -> None:
        """Play everything, in order.

        Raises:
            Unfinished: The person at the keyboard left, or mistyped too often.
        """
        self._invite(self._protect_olga())
        tablet, laptop = self._sign_in()
        self._accept(laptop)
        code, recovery_code = self._enroll(laptop)
        self._look_at(tablet)
        self._spread()
        self._sign_in_again(code, recovery_code)

    # --- an invitation ----------------------------------------------------------------------------------------------

    def _protect_olga(self) -> BrowserSession:
        self.narrator.chapter("Acme requires a second factor of its members")
        self.narrator.tell("A host keeps its own people and organizations. Olga owns Acme; her account is protected.")
        mfa, office = self.flows.mfa, cast.OFFICE
        self.narrator.play("host: add its rows", self._add_rows)
        add = partial(self.flows.members.add, office, organization=cast.ACME, user=cast.OLGA, role=OWNER)
        self._act(Joined, "members.add", add)
        here = self._password(office, cast.OLGA, Arrived).session
        begin = partial(mfa.begin_totp, here, office, account=cast.OLGAS_ADDRESS)
        begun = self._act(Begun, "mfa.begin_totp", begin)
        code = ComputedPhone(begun.secret, self.clock).code()
        complete = partial(mfa.complete_totp, begun.session, office, begun.flow, code=code)
        return self._act(Enrolled, "mfa.complete_totp", complete).session

    def _add_rows(self) -> None:
        with self.flows.uow.begin() as tx:
            for person in cast.people(self.clock.now()):
                tx.users.add(person)
            tx.organizations.add(cast.ORGANIZATION)
            for project in (cast.PERSONAL, cast.TENANTS):
                tx.projects.add(project)

    def _invite(self, olga: BrowserSession) -> None:
        self.narrator.chapter(f"Olga invites {cast.ADAS_ADDRESS}")
        invite = self.flows.invitations.invite
        command = partial(invite, olga, cast.OFFICE, organization=cast.ACME, email=cast.ADAS_ADDRESS)
        self._act(InvitationSent, "invitations.invite", command)
        self.narrator.tell("The token is in no answer. It waits in the outbox, sealed, and leaves by mail only:")
        self._deliver()

    def _sign_in(self) -> tuple[BrowserSession, BrowserSession]:
        self.narrator.chapter("Ada signs in, on two devices")
        self.narrator.tell("She has no second factor yet, so her password is enough. The host has checked it.")
        tablet = self._password(cast.TABLET, cast.ADA, Arrived).session
        laptop = self._password(cast.LAPTOP, cast.ADA, Arrived).session
        return tablet, laptop

    def _accept(self, laptop: BrowserSession) -> None:
        self.narrator.chapter("She opens the link in her mail, and accepts")
        mail = self.postbox.newest(MailKind.INVITATION).context
        which, token = InvitationId(str(mail["target"])), Secret(str(mail["token"]))
        look, accept = self.flows.invitations.look, self.flows.invitations.accept
        seen = partial(look, laptop, organization=cast.ACME, invitation=which, token=token)
        view = self._act(InvitationView, "invitations.look", seen)
        needed = "yes" if view.needs_second_factor else "no"
        self.narrator.show(("seen", f"{view.slug} invites as {view.role}; second factor needed: {needed}"))
        click = partial(accept, laptop, cast.LAPTOP, organization=cast.ACME, invitation=which, token=token)
        answer = self._act(RequirementsOpen, "invitations.accept", click)
        self.narrator.show(("open", ", ".join(sorted(answer.requirements))))
        self.narrator.tell("The click waits in this browser for 60 minutes, and Ada is sent to enroll a second factor.")

    # --- the detour -------------------------------------------------------------------------------------------------

    def _enroll(self, laptop: BrowserSession) -> tuple[str, Secret]:
        """Return the code that was accepted, and the first recovery code."""
        self.narrator.chapter("She enrolls the authenticator app on her phone")
        begin = partial(self.flows.mfa.begin_totp, laptop, cast.LAPTOP, account=cast.ADAS_ADDRESS)
        begun = self._act(Begun, "mfa.begin_totp", begin)
        self.narrator.show(("address", begun.uri.reveal()), ("secret", begun.grouped.reveal()))
        if self.draw:
            show_code(begun.uri)
        code, enrolled = self._prove_typing(begun) if self.interactive else self._prove_computing(begun)
        outcome = enrolled.invitation
        self.narrator.show(
            ("invitation", f"{outcome.fate}: Ada is a member of {outcome.organization}"),
            ("sessions", f"{enrolled.ended_sessions} other session of hers ended"),
            ("codes", f"{len(enrolled.recovery_codes)} recovery codes, shown now and never again:"),
        )
        show_recovery_codes(enrolled.recovery_codes)
        return code, enrolled.recovery_codes[0]

    def _prove_computing(self, begun: Begun) -> tuple[str, Enrolled]:
        phone = ComputedPhone(begun.secret, self.clock)
        self.narrator.tell("First she mistypes. The refusal says how often she may still try, and not what was wrong.")
        self._act(Refused, "mfa.complete_totp", partial(self._complete, begun, phone.wrong_code()))
        self.narrator.tell("Then she types what her phone shows. Everything that follows is one transaction.")
        code = phone.code()
        return code, self._act(Enrolled, "mfa.complete_totp", partial(self._complete, begun, code))

    def _prove_typing(self, begun: Begun) -> tuple[str, Enrolled]:
        self.narrator.tell("Scan the code with your phone, or type the secret into its app. You have five tries.")
        while True:
            code = PersonsPhone().code()
            answer = self.narrator.play("mfa.complete_totp", partial(self._complete, begun, code))
            if isinstance(answer, Enrolled):
                return code, answer
            if not isinstance(answer, Refused) or answer.code not in MISTYPED:
                over = "this enrollment is over; play again, and another one begins"
                raise Unfinished(over)

    def _complete(self, begun: Begun, code: str) -> object:
        return self.flows.mfa.complete_totp(begun.session, cast.LAPTOP, begun.flow, code=code)

    def _look_at(self, tablet: BrowserSession) -> None:
        self.narrator.tell("Her tablet was signed in before she was protected. It is asked again:")
        asker = self.narrator.play("sessions.identify", lambda: self.flows.sessions.identify(tablet))
        self.narrator.show(("tablet", f"signed out: {asker.why_not}"))

    # --- what is told -----------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        self.narrator.chapter("The relay tells everybody else")
        self._deliver()
        self.narrator.chapter("What happened can be read back, as events of two security projects")
        for project in (cast.PERSONAL, cast.TENANTS):
            self.narrator.tell(f"{project.slug}:")
            self.narrator.show(*map(_told, reversed(self.flows.events.latest(project.id))))

    # --- and back ---------------------------------------------------------------------------------------------------

    def _sign_in_again(self, code: str, recovery_code: Secret) -> None:
        self.narrator.chapter("Ada comes back")
        owed = self._password(cast.LAPTOP, cast.ADA, SecondFactorOwed).session
        verify = self.flows.mfa.verify
        self.narrator.tell("The code with which she enrolled is burnt, although its 90 seconds may not be over:")
        refused = self._act(Refused, "mfa.verify totp", partial(verify, owed, cast.LAPTOP, "totp", code))
        self.narrator.tell("A recovery code lets her in, once:")
        spent = partial(verify, refused.session, cast.LAPTOP, "recovery", recovery_code.reveal())
        self._act(Arrived, "mfa.verify recovery", spent)
        self._deliver()


def _told(event: SavedEvent) -> tuple[str, str]:
    what, who = event.data["logentry"]["formatted"], event.data.get("user", {}).get("id")
    return f"{event.columns.timestamp:%H:%M:%S}", what if who is None else f"{what} ({who})"
