"""The consent: somebody clicked "accept" and something was still open. It waits in that browser session (decision 13).

Only a click makes one. A detour (a sign-in, an address, a factor, a provider) completes exactly this one: the same
invitation, the same token, the same person; where nobody was signed in, whoever signs in first there is asked once.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.machine import Machine, Step, on
from authflow.membership.answers import ConfirmationOwed
from authflow.values import Refused
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from authflow.values import InvitationId, OrganizationId, UserId


@attrs.frozen(kw_only=True)
class Click:
    """What was accepted, and when.

    *token* is the digest the invitation had then. *by_token*: it was presented; otherwise the person came by their
    verified address and nothing was presented.
    """

    organization: OrganizationId
    invitation: InvitationId
    token: bytes = attrs.field(repr=False)
    by_token: bool
    at: datetime


# --- states ---------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class NoConsent:
    """Nothing waits in this browser session."""


@attrs.frozen(kw_only=True)
class Given:
    """*user* accepted, signed in here."""

    click: Click
    user: UserId


@attrs.frozen(kw_only=True)
class Anonymous:
    """Somebody accepted here before anybody was signed in."""

    click: Click


@attrs.frozen(kw_only=True)
class Claimed:
    """*user* was the first to sign in here afterwards, and has not said yet whether the click was theirs."""

    click: Click
    user: UserId


Consent = NoConsent | Given | Anonymous | Claimed


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Give:
    """Let the click wait; *user* is who is signed in, or none. It takes the place of an older one."""

    click: Click
    user: UserId | None


@attrs.frozen(kw_only=True)
class Resume:
    """Go on where the click stopped.

    Args:
        user: Who is signed in here now, or none.
        token: The digest the invitation has now, or none when it has none or is gone.
        addressed: The invitation is for this person.
        confirmed: They said that the click was theirs.
        life: How long a click waits.
    """

    user: UserId | None
    token: bytes | None = attrs.field(repr=False)
    addressed: bool
    confirmed: bool
    life: timedelta


@attrs.frozen(kw_only=True)
class Settle:
    """An attempt to join by *invitation* ended with *code*, or, with none, in a membership."""

    invitation: InvitationId
    code: Code | None


Command = Give | Resume | Settle


# --- answers --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Waits:
    """The click waits."""


@attrs.frozen(kw_only=True)
class Proceed:
    """Accept now, with exactly what was presented then."""

    click: Click


@attrs.frozen(kw_only=True)
class Settled:
    """Nothing waits."""


Answer = Waits | Proceed | Settled | ConfirmationOwed | Refused

CURABLE: Final = frozenset(
    {
        Code.INVITATION_REQUIREMENTS_OPEN,
        Code.INVITATION_SIGN_IN_REQUIRED,
        Code.INVITATION_WRONG_USER,
        Code.SESSION_SUPERSEDED,
    }
)
"""After these the same click may still succeed: the person goes on, signs in, or switches accounts."""


# --- rules ----------------------------------------------------------------------------------------------------------


def give(_state: Consent, command: Give, _now: datetime) -> Step[Consent, Answer]:
    """One click waits in a browser session: the newest."""
    if command.user is None:
        return Step(Anonymous(click=command.click), Waits())
    return Step(Given(click=command.click, user=command.user), Waits())


def resume_nothing(state: NoConsent, _command: Resume, _now: datetime) -> Step[Consent, Answer]:
    """Without a click nothing is accepted."""
    return Step(state, Refused(code=Code.INVITATION_CONSENT_VOID))


def resume(state: Given, command: Resume, now: datetime) -> Step[Consent, Answer]:
    """The person who clicked goes on; another one may not, and the click goes on waiting for the right one."""
    if _void(state.click, command, now):
        return Step(NoConsent(), Refused(code=Code.INVITATION_CONSENT_VOID))
    refusal = _not_this_person(command, state.user)
    return Step(state, Proceed(click=state.click) if refusal is None else Refused(code=refusal))


def claim(state: Anonymous, command: Resume, now: datetime) -> Step[Consent, Answer]:
    """The first account for which the invitation is confirms once that the click was theirs."""
    if _void(state.click, command, now):
        return Step(NoConsent(), Refused(code=Code.INVITATION_CONSENT_VOID))
    if command.user is None:
        return Step(state, Refused(code=Code.INVITATION_SIGN_IN_REQUIRED))
    if not command.addressed:
        return Step(state, Refused(code=Code.INVITATION_WRONG_USER))
    return _confirm(state.click, command.user, confirmed=command.confirmed)


def confirm(state: Claimed, command: Resume, now: datetime) -> Step[Consent, Answer]:
    """Only who was asked can confirm."""
    if _void(state.click, command, now):
        return Step(NoConsent(), Refused(code=Code.INVITATION_CONSENT_VOID))
    refusal = _not_this_person(command, state.user)
    if refusal is not None:
        return Step(state, Refused(code=refusal))
    return _confirm(state.click, state.user, confirmed=command.confirmed)


def settle(state: Given | Anonymous | Claimed, command: Settle, _now: datetime) -> Step[Consent, Answer]:
    """A click is used once: it waits on only for what the same click can still lead to."""
    waits = state.click.invitation != command.invitation or command.code in CURABLE
    return Step(state, Waits()) if waits else Step(NoConsent(), Settled())


def settle_nothing(state: NoConsent, _command: Settle, _now: datetime) -> Step[Consent, Answer]:
    """Nothing waited."""
    return Step(state, Settled())


MACHINE = Machine[Consent, Command, Answer](
    "membership.consent",
    rows=(
        # state       command     rule            next
        on(NoConsent, Give).to(give, Given, Anonymous),
        on(NoConsent, Resume).to(resume_nothing, NoConsent),
        on(NoConsent, Settle).to(settle_nothing, NoConsent),
        on(Given, Give).to(give, Given, Anonymous),
        on(Given, Resume).to(resume, Given, NoConsent),
        on(Given, Settle).to(settle, Given, NoConsent),
        on(Anonymous, Give).to(give, Given, Anonymous),
        on(Anonymous, Resume).to(claim, Anonymous, Claimed, Given, NoConsent),
        on(Anonymous, Settle).to(settle, Anonymous, NoConsent),
        on(Claimed, Give).to(give, Given, Anonymous),
        on(Claimed, Resume).to(confirm, Claimed, Given, NoConsent),
        on(Claimed, Settle).to(settle, Claimed, NoConsent),
    ),
)


# --- pieces of a step -----------------------------------------------------------------------------------------------


def _confirm(click: Click, user: UserId, *, confirmed: bool) -> Step[Consent, Answer]:
    if confirmed:
        return Step(Given(click=click, user=user), Proceed(click=click))
    owed = ConfirmationOwed(organization=click.organization, invitation=click.invitation)
    return Step(Claimed(click=click, user=user), owed)


def _void(click: Click, command: Resume, now: datetime) -> bool:
    """Too old, or the invitation was resent, deleted or is another one by now."""
    same = command.token is not None and hmac.compare_digest(click.token, command.token)
    return not same or now >= click.at + command.life


@gate
def _not_this_person(command: Resume, owner: UserId) -> Code | None:
    if command.user is None:
        return Code.INVITATION_SIGN_IN_REQUIRED
    return None if command.user == owner else Code.INVITATION_WRONG_USER
