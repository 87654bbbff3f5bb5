"""What stands about a mailed confirmation token; one row per mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import Address, UserId


@attrs.frozen(kw_only=True)
class Mailing:
    """What was mailed: a token to *address*, for *user* alone, good until *expires_at*. *token* is its digest."""

    user: UserId
    address: Address
    token: bytes = attrs.field(repr=False)
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Absent:
    """No such token."""


@attrs.frozen(kw_only=True)
class Sent:
    """The token waits for its click."""

    mailing: Mailing


@attrs.frozen(kw_only=True)
class Confirmed:
    """The click came, and the address is verified since *at*."""

    mailing: Mailing
    at: datetime


@attrs.frozen(kw_only=True)
class Expired:
    """The click came too late: that was seen *at*, and stays so."""

    mailing: Mailing
    at: datetime


@attrs.frozen(kw_only=True)
class Voided:
    """The address was verified otherwise, by them or somebody else, changed, or removed: seen *at*."""

    mailing: Mailing
    at: datetime


Confirmation = Absent | Sent | Confirmed | Expired | Voided
Over = Confirmed | Expired | Voided
