"""What happens to whole accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.machine import Fact

if TYPE_CHECKING:
    from authflow.values import Address, UserId


@attrs.frozen(kw_only=True)
class AddressVerified(Fact):
    """The host verified an address of *user*."""

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
