"""Asking providers again about people who are linked: what the answer does to a link and to its member (sso 14.1).

One link that fails never stops the others; a provider that is out of order is not held against anybody at once.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.sso.links import Link

INTERVAL: Final = timedelta(hours=24)
SKEW: Final = timedelta(hours=2)
"""A link is asked about once a day, a little earlier by chance, so that not all of them are due together."""

AHEAD: Final = timedelta(hours=2)
"""What was asked about later than this from now was stamped by a clock that was wrong, and is due (security 4)."""

BATCH: Final = 100
"""Links that one job takes; all of them are marked as asked about before the first is."""

GRACE: Final = 3
"""Failures in a row of a provider that could not be asked, after which the member counts as invalid."""


@unique
class Said(StrEnum):
    """What came of asking."""

    CONFIRMED = "confirmed"
    REVOKED = "revoked"
    FAILED = "failed"
    UNASKED = "unasked"
    """The provider gave nothing to ask with: signing in is the only confirmation that there is."""


@attrs.frozen(kw_only=True)
class Flags:
    """What a membership says about its link."""

    linked: bool
    invalid: bool


@attrs.frozen(kw_only=True)
class Checked:
    """The link as it is now, how often in a row its provider could not be asked, and what the membership says.

    *changed*: the membership says something else than before, and is written.
    """

    link: Link
    failures: int
    flags: Flags
    changed: bool


def due(now: datetime, skew: timedelta) -> datetime:
    """Return until when a link was last asked about that is due now; *skew* is drawn by chance, up to `SKEW`."""
    return now - (INTERVAL - min(max(skew, timedelta(0)), SKEW))


def check(link: Link, flags: Flags, failures: int, said: Said, now: datetime) -> Checked:
    """Return what the provider's answer makes of *link* and of its member.

    A confirmation mends whatever an earlier failure did; a revocation ends the sign-on at once; a failure changes
    nothing until it has happened `GRACE` times in a row, and never counts as a confirmation. Where nobody could be
    asked, nothing changes: the link stands as long as its last confirmation does.
    """
    match said:
        case Said.CONFIRMED:
            after, count, seen = Flags(linked=True, invalid=False), 0, now
        case Said.REVOKED:
            after, count, seen = Flags(linked=False, invalid=True), 0, link.verified_at
        case Said.FAILED:
            count, seen = failures + 1, link.verified_at
            after = Flags(linked=flags.linked, invalid=flags.invalid or count >= GRACE)
        case Said.UNASKED:
            after, count, seen = flags, failures, link.verified_at
    checked = attrs.evolve(link, verified_at=seen, synced_at=now)
    return Checked(link=checked, failures=count, flags=after, changed=after != flags)
