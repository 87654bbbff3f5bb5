"""Signing in and what a session may do to itself: first factor, second factor, the waiting invitation, the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command
from authflow.journey.answers import Arrived
from authflow.journey.door import Door, expect
from authflow.journey.post_flow import Unprotected
from authflow.sessions.commands import (
    EnrollmentOwed,
    OthersEnded,
    SecondFactorOwed,
    SignedIn,
    SignedOut,
    SignInCancelled,
)
from authflow.values import Refused, identifier

if TYPE_CHECKING:
    from authflow.journey.waiting import Waiting
    from authflow.values import Asker, BrowserSession, Context, Proof, Secret, UserId


@attrs.frozen(kw_only=True)
class SigningIn(Door):
    """``flows.sessions``: who is signed in, in which browser, by which proofs."""

    _waiting: Waiting = attrs.field(alias="waiting")

    @command("sessions.establish")
    def establish(
        self, session: BrowserSession, context: Context, *, user: UserId, proof: Proof
    ) -> Arrived | SecondFactorOwed | EnrollmentOwed | Refused:
        """Sign *user* in with a first factor that the host has checked.

        Whoever has a second factor is not signed in yet: the answer is ``SecondFactorOwed``, and ``mfa.verify`` on
        its session finishes the sign-in. After an administrator's reset it is ``EnrollmentOwed``.

        Args:
            session: What the browser sent; `NOBODY` for a new one.
            context: Where the command came from.
            user: Whom the first factor proved.
            proof: Which factor, and when it was checked; at most ``policy.sessions.proof_age`` ago.

        Raises:
            InputInvalid: *user* cannot be a person's id.
        """
        identifier(user, field="user")
        with self._uow.begin():
            answer = self._sessions.establish(session, context, user=user, proof=proof)
            arrived = self._waiting.arrived(answer, context, Unprotected())
            return expect(arrived, Arrived, SecondFactorOwed, EnrollmentOwed, Refused)

    @command("sessions.identify")
    def identify(self, session: BrowserSession) -> Asker:
        """Return who asks, by the server's row: for a page, or for a decision of the host's own."""
        return self._sessions.identify(session, self._clock.now())

    @command("sessions.look")
    def look(self, session: BrowserSession) -> SignedIn | SecondFactorOwed | EnrollmentOwed | Refused:
        """Answer what stands here: signed in, a second factor or an enrollment owed, or why nobody is."""
        return expect(self._sessions.look(session), SignedIn, SecondFactorOwed, EnrollmentOwed, Refused)

    @command("sessions.cancel")
    def cancel(self, session: BrowserSession, context: Context) -> SignInCancelled | Refused:
        """Give up a pending sign-in. Asking twice changes nothing, and a click that waits here goes on waiting."""
        return expect(self._sessions.cancel(session, context), SignInCancelled, Refused)

    @command("sessions.sign_out")
    def sign_out(self, session: BrowserSession, context: Context) -> SignedOut | Refused:
        """End this session, in the server's rows too. The answer's session is nobody's: the host forgets the value."""
        return expect(self._sessions.sign_out(session, context), SignedOut, Refused)

    @command("sessions.end_others")
    def end_others(self, session: BrowserSession, context: Context) -> OthersEnded | Refused:
        """End every other session of the person who is signed in here ("sign me out everywhere else").

        This one gets a new value; the host changes its own session id, as the answer's session says. Whoever came
        through an organization's provider gives a proof of their own first (decision 1).
        """
        return expect(self._sessions.end_others(session, context, reason="asked"), OthersEnded, Refused)

    @command("sessions.redeem")
    def redeem(self, session: BrowserSession, context: Context, *, token: Secret) -> EnrollmentOwed | Refused:
        """Use the link that was mailed after an administrator's reset: here, once, by its own person (mfa 20.6).

        The person gives the password first: *session* is that of `EnrollmentOwed`. Then ``mfa.begin_totp`` is open.
        Whoever came through an organization's provider has given none: they are refused with
        ``session.elevation_required`` until they have, and the link stays unspent (decision 1).

        Args:
            session: The browser, whose sign-in waits for an enrollment.
            context: Where the command came from.
            token: From the link.
        """
        return expect(self._sessions.redeem(session, context, token=token), EnrollmentOwed, Refused)
