"""May this session act in an organization that has a provider? Asked at every request, of what stands now (sso 14.3).

A password, however good, never counts as single sign-on (decision 2), and a proof given by another organization's
provider opens nothing here (decision 1). Where no owner can come in through the provider any more, an owner comes in
with a second factor of their own, and nobody else does.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

import attrs

from authflow.values import Level
from authflow.witness import gate

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.links import Link
    from authflow.values import Mark, OrganizationId, ProviderId

MARK_LIFE: Final = timedelta(days=7)
"""How long a session may act in an organization after it signed in through its provider (sso 2.8)."""

CONFIRMED_WITHIN: Final = timedelta(days=7)
"""How recently a provider that can be asked must have confirmed a link (sso 14.3)."""


AHEAD: Final = timedelta(hours=1)
"""How far another node's clock may be ahead of this one: within it, what is to come counts as now (security 4)."""


@attrs.frozen(kw_only=True)
class Door:
    """What the organization asks: its provider, whether members must use it, whether it can be asked about them."""

    organization: OrganizationId
    provider: ProviderId
    required: bool
    confirms: bool


@attrs.frozen(kw_only=True)
class Entrant:
    """Who stands at the door.

    Args:
        level: The assurance of the session's own proofs.
        owner: They own the organization, and are active.
        another_way_in: Another active owner has a valid link, and could let them in.
        link: Their link at the provider, or none.
        linked, invalid: What their membership says of it.
        mark: The newest sign-in of this session through an organization's provider, or none.
    """

    level: Level
    owner: bool = False
    another_way_in: bool = False
    link: Link | None = None
    linked: bool = False
    invalid: bool = False
    mark: Mark | None = None


@unique
class Why(StrEnum):
    """Why somebody is not let in, in the order in which it is looked at."""

    NOT_LINKED = "not_linked"
    LINK_INVALID = "link_invalid"
    LINK_UNCONFIRMED = "link_unconfirmed"
    NOT_SIGNED_IN = "not_signed_in"
    SIGN_IN_TOO_OLD = "sign_in_too_old"


UNUSABLE: Final = frozenset({Why.NOT_LINKED, Why.LINK_INVALID, Why.LINK_UNCONFIRMED})
"""Signing in through the provider would not help; for the other reasons it does, and nothing has to be broken."""


@attrs.frozen(kw_only=True)
class Access:
    """Whether single sign-on is met; *broken_glass*: it is not, and the owner comes in all the same."""

    why_not: Why | None = None
    broken_glass: bool = False

    @property
    def met(self) -> bool:
        """Tell whether the session may act."""
        return self.why_not is None or self.broken_glass


def access(door: Door | None, entrant: Entrant, now: datetime, *, mark_life: timedelta = MARK_LIFE) -> Access:
    """Decide whether *entrant* meets the single sign-on of the organization behind *door*, if it has any."""
    if door is None or not door.required:
        return Access()
    why_not = unmet(door, entrant, now, mark_life)
    return Access(why_not=why_not, broken_glass=why_not in UNUSABLE and breaks_glass(entrant))


@gate
def unmet(door: Door, entrant: Entrant, now: datetime, mark_life: timedelta) -> Why | None:
    """Return the first thing that is missing: a link that stands, and a sign-in of this session by that very link."""
    link, mark = entrant.link, entrant.mark
    useless = unusable(door, entrant, now)
    if link is None or useless is not None:
        return useless or Why.NOT_LINKED
    if mark is None or (mark.organization, mark.provider, mark.link) != (door.organization, door.provider, link.id):
        return Why.NOT_SIGNED_IN
    return None if _within(mark.at, now, mark_life) and not mark.aged else Why.SIGN_IN_TOO_OLD


def unusable(door: Door, entrant: Entrant, now: datetime) -> Why | None:
    """Return why the link of *entrant* lets nobody in, or none: signing in by it is all that it takes."""
    link = entrant.link
    if link is None or (link.organization, link.provider) != (door.organization, door.provider):
        return Why.NOT_LINKED
    if entrant.invalid or not entrant.linked:
        return Why.LINK_INVALID
    confirmed = not door.confirms or _within(link.verified_at, now, CONFIRMED_WITHIN)
    return None if confirmed else Why.LINK_UNCONFIRMED


def breaks_glass(entrant: Entrant) -> bool:
    """Tell whether this is the owner whom nobody else could let in, with two proofs of their own (decision 6)."""
    return entrant.owner and not entrant.another_way_in and entrant.level >= Level.TWO


def _within(moment: datetime, now: datetime, span: timedelta) -> bool:
    """Tell whether *moment* is less than *span* ago; what a clock wrote that was years ahead is not, for all those."""
    return -AHEAD <= now - moment < span
