"""Links: which subject of an organization's provider is which person. One row per link; its owner never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.identity import Subject
    from authflow.values import LinkId, OrganizationId, ProviderId, Sealed, UserId


@attrs.frozen(kw_only=True)
class Link:
    """A person and a subject of a provider: unique as (provider, subject) and as (provider, user).

    A link that moves to another person is deleted, and a new one is made: *user* of a row is for good (CVE-2026-27197).

    Args:
        id: Names this very link; a session's sign-on is bound to it (decision 2).
        linked_at: When it was made.
        verified_at: When the provider last confirmed it.
        synced_at: When it was last asked about.
        failures: How often in a row its provider could not be asked (sso 14.1).
        memory: What to ask again with, such as a refresh token; sealed for this link.
    """

    id: LinkId
    organization: OrganizationId
    provider: ProviderId
    subject: Subject
    user: UserId
    linked_at: datetime
    verified_at: datetime
    synced_at: datetime
    failures: int = 0
    memory: Sealed | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Former:
    """A subject whose link ended: whoever had it last does not come back under it once they are removed (decision 15).

    Args:
        user: Whose link had it last; none where their account is gone.
        removed_at: When they were removed from the organization, or none.
    """

    organization: OrganizationId
    provider: ProviderId
    subject: Subject
    user: UserId | None
    removed_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Holder:
    """Whose link it is, as they are right now. Somebody who is inactive or suspended keeps it (decision 15)."""

    user: UserId
    active: bool


# --- states: how one subject and one person stand to each other at one provider ---------------------------------------


@attrs.frozen
class Unlinked:
    """Neither has a link there."""


@attrs.frozen(kw_only=True)
class LinkedElsewhere:
    """The person has a link with another subject: *own*. The subject is nobody's."""

    own: Link


@attrs.frozen(kw_only=True)
class Linked:
    """The subject is this person's: *link*."""

    link: Link
    holder: Holder


@attrs.frozen(kw_only=True)
class Held:
    """The subject is somebody else's: *link* of *holder*. The person has none."""

    link: Link
    holder: Holder


@attrs.frozen(kw_only=True)
class Crossed:
    """The subject is somebody else's, and the person has a link of their own: both would change."""

    link: Link
    holder: Holder
    own: Link


@attrs.frozen(kw_only=True)
class Renumbered:
    """The subject is nobody's, but the one that the provider used before it is this link's (decision 24)."""

    link: Link
    holder: Holder


Linking = Unlinked | LinkedElsewhere | Linked | Held | Crossed | Renumbered


def standing(*, by_subject: Link | None, holder: Holder | None, own: Link | None) -> Linking:
    """Return how a subject and a person stand, of the two rows that there may be and of whose the first is."""
    if by_subject is None or holder is None:
        return Unlinked() if own is None else LinkedElsewhere(own=own)
    if own is None:
        return Held(link=by_subject, holder=holder)
    if own.id == by_subject.id:
        return Linked(link=by_subject, holder=holder)
    return Crossed(link=by_subject, holder=holder, own=own)
