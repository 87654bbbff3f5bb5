"""What single sign-on answers: where to send the browser, what a person may choose, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.sessions.commands import EnrollmentOwed, SecondFactorOwed
from authflow.values import Answer, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authflow.errors import Code
    from authflow.journey.post_flow import InvitationOutcome
    from authflow.sso.case import Offer, Page
    from authflow.values import Address, Level, LinkId, MemberId, OrganizationId, ProviderId, Secret, UserId


@attrs.frozen(kw_only=True)
class SentAway(Answer):
    """Send the browser to the provider, and keep *pipeline* for it.

    Args:
        url: Where to: by a redirect, or where *form* has fields, by a form that posts them there. It carries what must
            come back, and belongs into no log.
        form: What the form posts; empty for a redirect.
        pipeline: Leads back to this very sign-in: keep it in the browser's host session, or in a cookie of its own
            that is ``HttpOnly`` and ``SameSite=Lax``. Whoever has it, and the session, may go on.
        expires_at: When the sign-in is over, however far it has come.
    """

    url: str = attrs.field(repr=False)
    form: Mapping[str, str] = attrs.field(factory=dict[str, str], repr=False)
    pipeline: Secret
    expires_at: datetime


@attrs.frozen(kw_only=True)
class AnswerKept(Answer):
    """The provider's answer came by a cross-site POST, and is stored. Redirect to a page of your own, and resume there.

    It is no credential, and nothing was decided: that takes the browser that began.
    """


@attrs.frozen(kw_only=True)
class UnaskedKept(Answer):
    """A provider sent somebody whom nobody had asked about. Redirect to a page of your own, and take it there.

    Args:
        ticket: For ``sso.take_unasked``: put it into a cookie of its own that is ``HttpOnly`` and ``SameSite=Lax``, and
            not into an address, which others see. Whoever has it, and nobody took it yet, may take it.
        expires_at: When it is worth nothing.
    """

    ticket: Secret
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ConfirmationOwed(Answer):
    """Nobody is signed in by it yet: show whose account it would be, with a button for ``sso.confirm_unasked``.

    Args:
        pipeline: Leads back to this page: keep it as that of `SentAway`.
        organization: Whose provider sent it.
        provider: What that is called.
        email: What it asserts, for display; nothing follows from it.
        name: Likewise.
        user: Whose account it would be: show that, so that nobody works in somebody else's.
        expires_at: When it is over.
    """

    pipeline: Secret
    organization: OrganizationId
    provider: str
    email: Address | None
    name: str
    user: UserId
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ChoiceOwed(Answer):
    """Nobody knows yet whose account this is: show a page with exactly these *offers*.

    Without anybody signed in the page is the same whoever has an account (decision 22).

    Args:
        page: Which page, or none where nothing has to be chosen.
        offers: What may be chosen.
        organization: Whose provider.
        provider: What it is called.
        email: What it asserts, for display; nothing follows from it.
        name: Likewise.
        user: Who is signed in here, and would be linked; show it.
        expires_at: When the sign-in is over.
    """

    page: Page | None
    offers: frozenset[Offer]
    organization: OrganizationId
    provider: str
    email: Address | None
    name: str
    user: UserId | None
    expires_at: datetime


@attrs.frozen(kw_only=True)
class SignedOn(Answer):
    """A person is signed in here, through the organization's provider.

    Args:
        user: Who.
        level: The assurance of the session. The provider's word counts for its organization alone (decision 1).
        organization: Whose provider.
        link: By which link.
        linked: It was made, moved or taken over just now.
        member: The membership there, or none.
        code: Why there is no membership, or none. The sign-in stands all the same.
        invitation: What became of the invitation that had waited in this browser.
    """

    user: UserId
    level: Level
    organization: OrganizationId
    link: LinkId
    linked: bool
    member: MemberId | None
    code: Code | None
    invitation: InvitationOutcome


@attrs.frozen(kw_only=True)
class AccountLinked(Answer):
    """The identity that the person went for is theirs: what ``sso.start_link`` was for. The fields are `SignedOn`'s.

    Args:
        user: As of `SignedOn`.
        level: As of `SignedOn`.
        organization: As of `SignedOn`.
        link: As of `SignedOn`.
        linked: As of `SignedOn`.
        member: As of `SignedOn`.
        code: As of `SignedOn`.
        invitation: As of `SignedOn`.
    """

    user: UserId
    level: Level
    organization: OrganizationId
    link: LinkId
    linked: bool
    member: MemberId | None
    code: Code | None
    invitation: InvitationOutcome


@attrs.frozen(kw_only=True)
class MailSent(Answer):
    """A mail is on its way, if there is anybody to mail; nobody who sees this answer can tell (decision 22).

    Its link is opened in this very browser: ``sso.open_link``.
    """


@attrs.frozen(kw_only=True)
class PipelineAbandoned(Answer):
    """The sign-in is over; nothing was changed by it."""


Finished = SignedOn | AccountLinked | ChoiceOwed | SecondFactorOwed | EnrollmentOwed | MailSent | Refused
"""Everything that going on with a sign-in can come to."""


@attrs.frozen(kw_only=True)
class SentToSignOut(Answer):
    """Nobody is signed in here now. Send the browser to *url*, where its session at the provider ends.

    Args:
        url: Where to, by a redirect. It says who it is, and belongs into no log.
        ticket: For ``sso.finish_sign_out``: put it into a cookie that is ``HttpOnly`` and ``SameSite=Lax``.
    """

    url: str = attrs.field(repr=False)
    ticket: Secret


@attrs.frozen(kw_only=True)
class SignedOutThere(Answer):
    """The provider answered.

    Args:
        complete: It ended the session there, and wherever else it had let the person in.
    """

    complete: bool


@attrs.frozen(kw_only=True)
class ProviderSessionsEnded(Answer):
    """What the provider asked for is done.

    Args:
        count: How many sessions lost its word, or ended.
        url: Where to send the browser that brought the request, so that the provider is told; none where it names no
            address for that. It is the provider's own, never one that came with the request.
    """

    count: int
    url: str | None = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class AccessShown(Answer):
    """Whether this session meets the single sign-on of an organization, as things stand now.

    Args:
        met: It does: the session may act there as far as single sign-on goes.
        required: Members must sign in through a provider there.
        why_not: What is missing for a sign-on, or none: ``not_linked``, ``link_invalid``, ``link_unconfirmed``,
            ``not_signed_in`` or ``sign_in_too_old``. The last two are mended by signing in through the provider.
        broken_glass: It is not met, and the owner comes in all the same, since nobody could let them in (decision 6).
        provider: The organization's, or none.
        name: What it is called, or none.
    """

    met: bool
    required: bool = False
    why_not: str | None = None
    broken_glass: bool = False
    provider: ProviderId | None = None
    name: str | None = None


@attrs.frozen(kw_only=True)
class LinkView:
    """One link of the person, for a page of theirs.

    Args:
        id: For ``sso.unlink``.
        organization: Whose provider.
        provider: Which.
        linked_at: When it was made.
        verified_at: When the provider last confirmed it.
    """

    id: LinkId
    organization: OrganizationId
    provider: ProviderId
    linked_at: datetime
    verified_at: datetime


@attrs.frozen(kw_only=True)
class LinkList(Answer):
    """The links of the person who is signed in.

    Args:
        links: In the order of the organizations' ids.
    """

    links: tuple[LinkView, ...]


@attrs.frozen(kw_only=True)
class LinkEnded(Answer):
    """The link is gone.

    Args:
        link: Which.
    """

    link: LinkId
