"""Who may act on a whole account: pure gates over facts that were read; none means yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authflow.errors import Code
from authflow.witness import gate

if TYPE_CHECKING:
    from authflow.ports import User
    from authflow.values import Asker, OrganizationId


REASON_MAX: Final = 200
"""Characters of a reason; it stands in the audit log and in the mail to the person."""


@gate
def may_administer(asker: Asker, actor: User | None, subject: User | None) -> Code | None:
    """Tell why *actor*, who asks as *asker*, may not act on *subject*'s whole account: an elevated administrator may.

    Whether the subject exists is told to administrators only.
    """
    if asker.user is None:
        return asker.why_not or Code.SESSION_REQUIRED
    if actor is None or not actor.administrates():
        return Code.ACCOUNT_FORBIDDEN
    if not asker.elevated:
        return Code.SESSION_ELEVATION_REQUIRED
    return None if subject is not None else Code.ACCOUNT_UNKNOWN


@gate
def unreachable(subject: User | None) -> Code | None:
    """Tell why *subject* cannot be reset: nobody could be mailed the link that leads back (decision 33)."""
    reached = subject is not None and bool(subject.verified_addresses())
    return None if reached else Code.MFA_ADDRESS_UNVERIFIED


@gate
def may_act_on(asker: Asker, actor: User | None, subject: User | None) -> Code | None:
    """Tell why not, for what people do with their own account too: elevated, or for an elevated administrator."""
    if actor is None or subject is None or actor.id != subject.id:
        return may_administer(asker, actor, subject)
    return None if asker.elevated else Code.SESSION_ELEVATION_REQUIRED


@gate
def last_owner(owned_alone: tuple[OrganizationId, ...]) -> Code | None:
    """Tell why an account stays: these organizations would be left without any active owner (decision 17)."""
    return Code.MEMBERSHIP_LAST_OWNER if owned_alone else None


def reason_problems(reason: object) -> dict[str, str]:
    """Return what is wrong with the *reason* an administrator gave; an empty one is theirs to give."""
    if not isinstance(reason, str):
        return {"reason": "is missing"}
    return {"reason": f"is longer than {REASON_MAX} characters"} if len(reason) > REASON_MAX else {}
