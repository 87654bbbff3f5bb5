"""Mailers that send nothing, and the plain text of every mail.

`render` is for every mailer: a host's own gets subject and text from it, or has templates of its own.
"""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import attrs

from authflow.errors import ConfigInvalid
from authflow.facts.records import MailKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from authflow.facts.records import Mail

VALUE_MAX: Final = 200
"""Characters of a value inside a mail; nothing that a mail says is longer."""

NO_LINKS: Final[Mapping[MailKind, str]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Text:
    """A mail as plain text. *subject* is one line."""

    subject: str
    body: str = attrs.field(repr=False)


_WHEN = "When: {at}\nFrom: {ip}\nBy: {actor}\n"
_NOT_YOU = "If this was not you, sign in, change your password and check your second factors.\n"

TEMPLATES: Final[dict[MailKind, Text]] = {
    MailKind.MFA_ADDED: Text(
        subject="A second factor was set up for your account",
        body=f"A second factor ({{kind}}) was set up or replaced on your account.\n\n{_WHEN}\n{_NOT_YOU}",
    ),
    MailKind.MFA_REMOVED: Text(
        subject="A second factor was removed from your account",
        body=f"A second factor ({{kind}}) was removed from your account.\n\n{_WHEN}\n{_NOT_YOU}",
    ),
    MailKind.MFA_TOO_MANY_ATTEMPTS: Text(
        subject="Too many wrong codes for your account",
        body=(
            "Somebody entered too many wrong second-factor codes for your account. "
            f"They had passed its first factor.\n\n{_WHEN}\n{_NOT_YOU}"
        ),
    ),
    MailKind.MFA_RESET: Text(
        subject="Your second factors were reset",
        body=(
            "An administrator removed every second factor of your account. "
            "Set up a new one with this link, which works once and until it expires:\n\n{link}\n\n"
            f"{_WHEN}\nIf you did not ask for this, contact your administrator.\n"
        ),
    ),
    MailKind.MFA_ENROLLMENT_DEMANDED: Text(
        subject="Set up a second factor for your account",
        body=(
            "Another account was merged into yours, and a second factor was still owed there. "
            "Set one up with this link, which works once and until it expires:\n\n{link}\n\n"
            f"{_WHEN}\nIf you did not expect this, contact your administrator.\n"
        ),
    ),
    MailKind.RECOVERY_CODES_REGENERATED: Text(
        subject="New recovery codes were made for your account",
        body=f"New recovery codes were made. All older ones no longer work.\n\n{_WHEN}\n{_NOT_YOU}",
    ),
    MailKind.RECOVERY_CODE_USED: Text(
        subject="A recovery code of your account was used",
        body=f"A recovery code was used. {{remaining}} are left.\n\n{_WHEN}\n{_NOT_YOU}",
    ),
    MailKind.SIGN_IN_AFTER_FAILURES: Text(
        subject="A sign-in to your account after wrong codes",
        body=f"Your account was signed in to after {{failures}} wrong codes.\n\n{_WHEN}\n{_NOT_YOU}",
    ),
    MailKind.INVITATION: Text(
        subject="You are invited to join an organization",
        body=(
            "{actor} invites you to join {organization_name} as {role}. "
            "Accept with this link, which works once and until it expires:\n\n{link}\n\n"
            "If you did not expect this, ignore it: without the link nothing happens.\n"
        ),
    ),
    MailKind.SETUP_SECOND_FACTOR: Text(
        subject="Your membership waits for you",
        body=(
            "{organization_name} turned your membership into an invitation that is for you alone. If it requires a "
            "second factor, or a verified address, and your account has none, set that up first. Then come back with "
            "this link, which works once and until it expires:\n\n{link}\n"
        ),
    ),
    MailKind.ADDRESS_CONFIRMATION: Text(
        subject="Confirm your e-mail address",
        body=(
            "Somebody gave {address} as an address of their account. If that was you, sign in and confirm it with "
            "this link, which works once and until it expires:\n\n{link}\n\n"
            "If it was not you, ignore this mail: without the link nothing happens.\n"
        ),
    ),
    MailKind.ADDRESS_CLAIMED: Text(
        subject="Somebody gave your e-mail address for another account",
        body=(
            "Somebody wanted to confirm {address} for another account. It is confirmed for yours, and stays so.\n\n"
            "If that was you, sign in to the account that has this address. If not, there is nothing to do.\n"
        ),
    ),
    MailKind.SSO_PROOF: Text(
        subject="Confirm that a sign-in is yours",
        body=(
            "Somebody signed in through the provider of {organization_name} and said that this account is theirs. If "
            "that was you, confirm it in the same browser with this link, which works once and for ten minutes:\n\n"
            "{link}\n\n"
            "If it was not you, ignore this mail: without the link nothing happens.\n"
        ),
    ),
    MailKind.SSO_ADDRESS_PROOF: Text(
        subject="Confirm your e-mail address",
        body=(
            "Somebody wants an account with this address, to join {organization_name}. If that was you, confirm it in "
            "the same browser with this link, which works once and for an hour:\n\n{link}\n\n"
            "If it was not you, ignore this mail: without the link nothing happens.\n"
        ),
    ),
    MailKind.SSO_ADDRESS_HELD: Text(
        subject="You have an account already",
        body=(
            "Somebody wanted a new account with this address, through the provider of {organization_name}. The "
            "address belongs to your account, and stays there.\n\n"
            "If that was you, sign in to your account and link the identity there. If not, there is nothing to do.\n"
        ),
    ),
    MailKind.SSO_LINKED: Text(
        subject="Your account can be entered through an organization's provider",
        body=f"The provider of {{organization_name}} signs you in from now on.\n\n{_WHEN}\n{_NOT_YOU}",
    ),
    MailKind.SSO_MOVED: Text(
        subject="A sign-in through an organization's provider moved to another account",
        body=(
            "An identity at the provider of {organization_name} signs in to another account than before: somebody "
            f"who is signed in there asked for it.\n\nWhen: {{at}}\nBy: {{actor}}\n\n{_NOT_YOU}"
        ),
    ),
    MailKind.SSO_ENABLED: Text(
        subject="Single sign-on was set up for your organization",
        body="{organization_name} signs in through a provider ({kind}) now.\n\nWhen: {at}\nBy: {actor}\n",
    ),
    MailKind.SSO_TRUST_CHANGED: Text(
        subject="The sign-in of your organization was changed",
        body=(
            "Settings of the provider through which {organization_name} signs in were changed ({changed}).\n\n"
            "When: {at}\nBy: {actor}\n\nIf nobody of you did this, disable the provider and ask who can.\n"
        ),
    ),
    MailKind.SSO_DISABLED: Text(
        subject="Single sign-on was switched off for your organization",
        body="{organization_name} does not sign in through its provider any more.\n\nWhen: {at}\nBy: {actor}\n",
    ),
    MailKind.SSO_LINK_ACCOUNT: Text(
        subject="Link your account to your organization's single sign-on",
        body=(
            "{organization_name}, to which you belong, signs in through a provider ({kind}), and your account is not "
            "linked to it yet. Sign in through it once.\n{page}\nWhen: {at}\nBy: {actor}\n"
        ),
    ),
    MailKind.SSO_ENDED: Text(
        subject="Your organization does not use single sign-on any more",
        body=(
            "{organization_name}, to which you belong, does not sign in through its provider any more. Sign in with "
            "your own password; if you have none, set one.\n{page}\nWhen: {at}\nBy: {actor}\n"
        ),
    ),
}
"""What each mail says. ``{link}`` is the host's link with the mail's token in it; ``{page}`` is where a mail without a
token leads, a paragraph of its own where the host names such a page."""


class _Values(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "unknown"


def render(mail: Mail, links: Mapping[MailKind, str] = NO_LINKS) -> Text:
    """Return *mail* as plain text. It contains the mail's secret, if it has one: never log it.

    Args:
        mail: What to say.
        links: Where each kind of mail that has a token leads, such as
            ``https://app.example/join/{organization}/{invitation}#{token}``. The placeholders are the names of the
            mail's context, each percent-encoded; what is empty there is ``unknown``. Without any links, for
            development, a mail shows the token itself. Of those without a token, ``SSO_LINK_ACCOUNT`` and
            ``SSO_ENDED`` show a link if they have one.

    Raises:
        ConfigInvalid: A link has a placeholder that this kind of mail does not know, is no pattern at all, or is
            missing among the others.
    """
    template = TEMPLATES[mail.kind]
    values = _Values({name: _line(value) for name, value in mail.context.items() if value is not None})
    if "{link}" in template.body:
        values["link"] = _link(mail, links[mail.kind] if mail.kind in links else _bare(mail, links))
    values["page"] = f"\n{_link(mail, links[mail.kind])}\n" if mail.kind in links else ""
    return Text(subject=template.subject, body=template.body.format_map(values))


def _bare(mail: Mail, links: Mapping[MailKind, str]) -> str:
    if links:
        raise ConfigInvalid(setting="links", problem=f"names no link for {mail.kind}, whose mails have a token")
    return "{token}"


def _link(mail: Mail, pattern: str) -> str:
    given = {name: quote(str("unknown" if value is None else value), safe="") for name, value in mail.context.items()}
    try:
        return pattern.format_map(given)
    except KeyError as unknown:
        problem = f"names {unknown} in the link of {mail.kind}, which has {', '.join(sorted(given))}"
    except (AttributeError, IndexError, TypeError, ValueError):
        problem = f"is no pattern of names in braces for {mail.kind}"
    # The reader's own error may quote a value, and the token is one.
    raise ConfigInvalid(setting="links", problem=problem)


def _line(value: object) -> str:
    """No value makes a second line: what somebody called themselves is not the mail's own word."""
    return "".join(c if c.isprintable() else " " for c in str(value))[:VALUE_MAX]


class MemoryMailer:
    """Keeps every mail in `sent`, for tests and demonstrations."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> None:
        """Keep *mail*."""
        self.sent.append(mail)


class ConsoleMailer:
    """Prints every mail, its secret included, for development.

    Args:
        stream: Where to print; the standard output unless told otherwise.
        links: See `render`.
    """

    def __init__(self, stream: TextIO | None = None, links: Mapping[MailKind, str] = NO_LINKS) -> None:
        self._stream = stream
        self._links = links

    def send(self, mail: Mail) -> None:
        """Print *mail*."""
        text = render(mail, self._links)
        stream = self._stream or sys.stdout
        stream.write(f"To: {_line(mail.to)}\nSubject: {text.subject}\n\n{text.body}\n")
        stream.flush()
