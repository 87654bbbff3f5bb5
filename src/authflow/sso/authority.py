"""Who commands over an organization's provider, and whether they may say whom the organization trusts (decision 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.errors import Code
from authflow.witness import gate

if TYPE_CHECKING:
    from authflow.values import Address, UserId


@attrs.frozen(kw_only=True)
class Authority:
    """Who commands: *refusal* is why they may not manage the organization, or none.

    *owner* and *elevated* as the session's row says; *recipients* are the verified addresses of all owners. *partner*:
    the installation's administrator commands, for the partner whose provider it is.
    """

    user: UserId
    refusal: Code | None
    owner: bool
    elevated: bool
    partner: bool = False
    recipients: tuple[Address, ...] = ()


@gate
def may_change_trust(authority: Authority) -> Code | None:
    """An owner, who proved recently who they are (decision 5)."""
    if authority.refusal is not None:
        return authority.refusal
    if not authority.owner:
        return Code.MEMBERSHIP_FORBIDDEN
    return None if authority.elevated else Code.SESSION_ELEVATION_REQUIRED
