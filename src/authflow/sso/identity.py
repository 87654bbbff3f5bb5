"""What a provider says about somebody, once. Nothing in it but the subject tells who that is (sso 19, invariant 7)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NewType

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import Address, OrganizationId, ProviderId, Sealed

Subject = NewType("Subject", str)
"""Whom a provider means: OIDC's ``sub``, SAML's identifier attribute. Compared byte by byte, never folded or cut."""

SUBJECT_BYTES: Final = 255
"""OIDC Core 2: ``sub`` is at most 255 ASCII characters; decision 10 lets it be UTF-8 of as many bytes."""

NAME_MAX: Final = 200
"""Characters of a name that a new account takes over; the rest is cut (sso 6.6)."""

FRESH: Final = timedelta(minutes=10)
"""How old an asserted identity may be when somebody is signed in or linked by it (decision 25)."""

AHEAD: Final = timedelta(seconds=60)
"""How far ahead the clock of the node may be that took the answer, where another one finishes (security 4)."""

TRUSTED_KINDS: Final = frozenset({"github", "google"})
"""Kinds of provider whose word counts that an address is verified: they alone own or proved the mailbox (sso 4)."""


@attrs.frozen(kw_only=True)
class Identity:
    """One assertion of one provider, verified: signature, audience, nonce and replay were somebody else's to check.

    Args:
        organization: Whose provider said it. It speaks for this organization and for no other (decision 1).
        provider: Which provider said it.
        subject: Whom it means.
        legacy: What it called the same person before it changed its identifiers, or none (decision 24).
        email: What it says their address is. For display, and for mails to a stored address that equals it.
        email_verified: It says that the address is verified, and is of a kind that may (`vouches`).
        name: What it calls them.
        at: When it said so.
        memory: What to ask again with, sealed for this provider and subject (`authflow.sso.sealing`), or none.
    """

    organization: OrganizationId
    provider: ProviderId
    subject: Subject
    legacy: Subject | None = None
    email: Address | None = None
    email_verified: bool = False
    name: str = ""
    at: datetime
    memory: Sealed | None = attrs.field(default=None, repr=False)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """What the provider calls the person, and what it says that it called them before."""
        return (self.subject,) if self.legacy is None else (self.subject, self.legacy)

    def is_fresh(self, now: datetime) -> bool:
        """Tell whether the assertion is recent enough to act upon; one from the future is not, but for `AHEAD`."""
        return -AHEAD <= now - self.at < FRESH


def read_subject(text: object) -> Subject | None:
    """Return *text* as a subject, or none if it cannot be one: no text, empty, over-long, or with a NUL.

    What is over-long is refused, never cut: two people must not become one (decision 10).
    """
    if not isinstance(text, str) or not text or "\0" in text:
        return None
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # a lone surrogate, which no database stores
        return None
    return Subject(text) if size <= SUBJECT_BYTES else None


def vouches(kind: str, claim: object) -> bool:
    """Tell whether *claim* makes an address verified: true itself, from a kind that is trusted, and nothing like it.

    Providers send ``"true"``, ``1`` and lists; none of them is a proof of a mailbox (sso 4, invariant 8).
    """
    return claim is True and kind in TRUSTED_KINDS
