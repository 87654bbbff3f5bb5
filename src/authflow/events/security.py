"""Saves the installation's own events, which the outbox brings. Nothing from outside comes this way (decision 38)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from authflow.events.desk import Desk, project_of
from authflow.events.draft import EventDraft
from authflow.events.save import Delivery

if TYPE_CHECKING:
    from authflow.events.save import SaveAnswer
    from authflow.values import ProjectId


@attrs.frozen(kw_only=True)
class SecurityEvents(Desk):
    """Saving what flows did; for the relay's handler, and no part of the facade."""

    def save(self, project_id: ProjectId, event: object) -> SaveAnswer:
        """Save an event of our own: its time is taken as it is, and another under its key is never replaced.

        Raises:
            UnknownProject: There is no such project. Nothing was written.
            EventInvalid: This is no event.
        """
        draft = EventDraft.of(event, policy=self._policy, project=None)
        ready = draft.normalize(project_id, self._receipt(trusted=True), self._policy)

        def write() -> SaveAnswer:
            with self._uow.begin() as tx:
                project = project_of(tx, project_id)
                return self._write(tx, project, ready, Delivery(organization=project.organization), insert_only=True)

        return self._uow.run(write)
