"""Who may look at and change the factors that stand, and which one must stay, as gates (mfa 14, decision 18).

What falls *with* a removed factor is decided in the journey, from what is left afterwards (decision 29).
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import Code
from authflow.mfa.gates import authenticated, elevated
from authflow.mfa.kinds import UNKNOWN
from authflow.values import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authflow.mfa.kinds import Kind
    from authflow.values import Asker, OrganizationId, UserId


@unique
class ActingAs(StrEnum):
    """In which role somebody acts on a person's factors; a mail about a removal says so."""

    SELF = "self"
    ADMINISTRATOR = "administrator"
    MANAGER = "manager"
    STRANGER = "stranger"


@attrs.frozen(kw_only=True)
class Change:
    """Everything the gates of a look or a change look at.

    Args:
        asker: Who asks.
        subject: Whose factor it is; empty where nobody is signed in.
        known: There is such a person.
        administrator: The asker administers the installation.
        managed_by: The organization that manages the subject's account: its provider made it, or it verified the
            domain of the primary address. None for everybody who owns themselves: so far that is everybody, since
            neither providers nor verified domains are part of this version.
        manager_of: The organizations whose members the asker may administer; empty where nobody is managed.
        memberships: Every organization of the subject, whatever its status.
        target: The kind of the named factor; `UNKNOWN` where the subject has no such factor.
        required: An active organization of the subject requires a second factor.
        usable_left: Primary factors that the subject could still answer with, were the target gone.
        problems: Field name and what is wrong with it.
    """

    asker: Asker
    subject: UserId
    known: bool = True
    administrator: bool = False
    managed_by: OrganizationId | None = None
    manager_of: frozenset[OrganizationId] = frozenset()
    memberships: frozenset[OrganizationId] = frozenset()
    target: Kind = UNKNOWN
    required: bool = False
    usable_left: int = 0
    problems: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def role(self) -> ActingAs:
        """Return in which role the asker acts on the subject's factors."""
        if self.subject == self.asker.user:
            return ActingAs.SELF
        if self.administrator:
            return ActingAs.ADMINISTRATOR
        return ActingAs.MANAGER if self._managed() else ActingAs.STRANGER

    def _managed(self) -> bool:
        """Tell whether the asker manages the subject's account: tenants do not own persons (decision 18)."""
        return (
            self.managed_by is not None
            and self.managed_by in self.manager_of
            and self.memberships == frozenset({self.managed_by})
        )


def permitted(change: Change) -> Refused | None:
    """The asker acts on their own factors, or may act on the subject's."""
    return Refused(code=Code.MFA_FORBIDDEN) if change.role() is ActingAs.STRANGER else None


def known(change: Change) -> Refused | None:
    """There is such a person; only whoever may act on them learns that there is not."""
    return None if change.known else Refused(code=Code.ACCOUNT_UNKNOWN)


def own(change: Change) -> Refused | None:
    """The asker acts on their own factors."""
    return None if change.role() is ActingAs.SELF else Refused(code=Code.MFA_FORBIDDEN)


def found(change: Change) -> Refused | None:
    """The subject has the named factor; another person's is not found."""
    return Refused(code=Code.MFA_NOT_FOUND) if change.target == UNKNOWN else None


def well_formed(change: Change) -> Refused | None:
    """Every field can be what it must be."""
    return Refused(code=Code.MFA_INPUT_INVALID, problems=change.problems) if change.problems else None


def not_required(change: Change) -> Refused | None:
    """A usable primary factor is left, if an organization requires one; an administrator answers for the rest.

    Recovery codes may go: they never met the requirement (mfa 14.4).
    """
    last = not change.target.backup and change.usable_left == 0
    if change.required and last and change.role() is not ActingAs.ADMINISTRATOR:
        return Refused(code=Code.MFA_REQUIRED_BY_ORGANIZATION)
    return None


LISTING: Final = (authenticated, permitted, known)
"""Which kinds a person has is told without elevation (mfa 13.1)."""

LOOKING: Final = (authenticated, elevated, permitted, known, found)
"""Details of one factor (mfa 13.2)."""

RENAMING: Final = (authenticated, elevated, own, found, well_formed)
"""Renaming a factor: nobody does that for another person."""

REGENERATING: Final = (authenticated, elevated, own)
"""Making new recovery codes, which are shown to whoever asks: only to their owner."""

REMOVING: Final = (authenticated, elevated, permitted, known, found, not_required)
"""Removing a factor (mfa 14.4)."""
