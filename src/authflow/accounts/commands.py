"""What may be asked of a confirmation, with every fact the rules need, and what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.values import Answer as Carried
from authflow.values import Refused

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from authflow.ports import Allowed, Limited, User, UserAddress
    from authflow.values import Address, Asker, Secret, UserId


# --- commands -------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Holder:
    """Somebody who holds an address verified, and how they write it."""

    user: UserId
    address: Address


@attrs.frozen(kw_only=True)
class Send:
    """Mail a token to an address of *person*.

    Args:
        person: Whose address.
        held: The address as the person holds it, or none if they do not.
        holder: Who else holds it verified, or none.
        asked: What is left of the person's budget of requests.
        mailed: What is left of the address's budget of mails.
        token: 256 random bits; they leave by mail only.
        life: How long the token is good.
    """

    person: User
    held: UserAddress | None
    holder: Holder | None
    asked: Allowed | Limited
    mailed: Allowed | Limited
    token: Secret
    life: timedelta


@attrs.frozen(kw_only=True)
class Look:
    """Show what a click would confirm; *person* is who *asker* is, and *taken* says that another person has it."""

    asker: Asker
    person: User | None
    taken: bool


@attrs.frozen(kw_only=True)
class Confirm:
    """The click; the fields are those of `Look`."""

    asker: Asker
    person: User | None
    taken: bool


@attrs.frozen
class Void:
    """End the token: its address is verified, or is the person's no more."""


Command = Send | Look | Confirm | Void


# --- answers --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ConfirmationSent:
    """A mail to *address* is on its way; whether it holds a token is for the mailbox to see (decision 22)."""

    address: Address


@attrs.frozen(kw_only=True)
class ConfirmationsSent(Carried):
    """Mails are on their way; whether one holds a link is for its mailbox to see (decision 22).

    Args:
        addresses: To which.
        unsent: Unverified ones to which none is: they had too many lately, or cannot be mailed at all.
    """

    addresses: tuple[Address, ...] = ()
    unsent: tuple[Address, ...] = ()


@attrs.frozen(kw_only=True)
class ConfirmationView(Carried):
    """What the page before the click shows.

    Args:
        address: What the click would confirm.
        expires_at: Until when.
    """

    address: Address
    expires_at: datetime


@attrs.frozen(kw_only=True)
class NothingToConfirm(Carried):
    """The link is used or over, and nothing is left for it to do: its address is verified, or every one is."""


@attrs.frozen(kw_only=True)
class Verified:
    """*address* is verified; *first*: it is the first one that this person ever proved."""

    address: Address
    first: bool


@attrs.frozen
class Ended:
    """The token is over."""


Answer = ConfirmationSent | ConfirmationView | NothingToConfirm | Verified | Ended | Refused
