"""Reading the audit log: who did what to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.command import command
from authflow.values import identifier

if TYPE_CHECKING:
    from authflow.facts.records import AuditEntry
    from authflow.journey.ports import JourneyTransaction
    from authflow.ports import UnitOfWork
    from authflow.values import OrganizationId, UserId


@attrs.frozen(kw_only=True)
class AuditTrail:
    """``flows.audit``: who did what to whom. Who may read it is the host's to decide."""

    _uow: UnitOfWork[JourneyTransaction] = attrs.field(alias="uow")

    @command("audit.of_user")
    def of_user(self, user: UserId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        """Return the newest entries of a person's own log, newest first.

        Raises:
            InputInvalid: *user* cannot be a person's id, or *limit* is no number.
        """
        identifier(user, field="user")
        with self._uow.begin() as tx:
            return tx.audit.of_user(user, limit=limit)

    @command("audit.of_organization")
    def of_organization(self, organization: OrganizationId, *, limit: int = 100) -> tuple[AuditEntry, ...]:
        """Return the newest entries of an organization's log, newest first.

        Raises:
            InputInvalid: *organization* cannot be an organization's id, or *limit* is no number.
        """
        identifier(organization, field="organization")
        with self._uow.begin() as tx:
            return tx.audit.of_organization(organization, limit=limit)
