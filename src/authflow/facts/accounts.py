"""What happens to whole accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.values import Address, Secret, UserId


@attrs.frozen(kw_only=True)
class AddressVerified(Fact):
    """An address of *user* was verified: by the link mailed to it, or by the host."""

    user: UserId
    address: Address


@attrs.frozen(kw_only=True)
class ConfirmationSent(Fact):
    """A link that verifies an unverified address of *user* was mailed there, good until *expires_at*."""

    user: UserId
    address: Address
    token: Secret
    expires_at: datetime
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class ConfirmationWithheld(Fact):
    """A link was asked for, and none was mailed: the address is verified for somebody else."""

    user: UserId
    address: Address


@attrs.frozen(kw_only=True)
class AddressClaimed(Fact):
    """Somebody else wants to confirm a verified address of *user*, who is told so."""

    user: UserId
    address: Address
    recipients: tuple[Address, ...]


@attrs.frozen(kw_only=True)
class AddressLost(Fact):
    """An address that *user* had not verified was taken from them: somebody else verified it (decision 19)."""

    user: UserId
    address: Address


@attrs.frozen(kw_only=True)
class UserDeleted(Fact):
    """A person and everything of theirs is gone."""

    user: UserId


@attrs.frozen(kw_only=True)
class UsersMerged(Fact):
    """Everything of *merged* now belongs to *user*; *dropped* names the kinds that *user* had already."""

    user: UserId
    merged: UserId
    dropped: str


@attrs.frozen(kw_only=True)
class UserExported(Fact):
    """Everything stored about *user* was handed out, secrets blanked."""

    user: UserId
