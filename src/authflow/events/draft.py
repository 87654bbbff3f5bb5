"""An event before it is saved. It is normalized once, for one project."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import attrs

from authflow.errors import NormalizedTwice
from authflow.events.document import Notes, content_digest, read
from authflow.events.normalize import normalize

if TYPE_CHECKING:
    from authflow.events.document import Document
    from authflow.events.normalize import Receipt
    from authflow.policy import EventPolicy
    from authflow.values import ProjectId


@attrs.frozen(kw_only=True)
class EventDraft:
    """An event on its way into a project.

    Args:
        data: The event, clean JSON; after normalization as it will be saved.
        content: Tells contents apart. It is taken of the event as it was given, so that the same event sent again is
            identical, however long that takes and however often it had to be corrected.
        project: For which project it was given or normalized, or none.
        normalized: Normalization is done, or was said to be.
        notes: What had to be replaced when it was read.
    """

    data: Document = attrs.field(repr=False)
    content: str
    project: ProjectId | None = None
    normalized: bool = False
    notes: tuple[Document, ...] = ()

    @classmethod
    def of(cls, given: object, *, policy: EventPolicy, project: ProjectId | None = None) -> EventDraft:
        """Read *given*, a JSON object or its text, as an event for *project*, or for any.

        Raises:
            EventInvalid: It is no JSON object.
            EventTooLarge: It is larger than the policy allows.
        """
        notes = Notes()
        data = read(given, notes, max_bytes=policy.max_bytes)
        return cls(data=data, content=content_digest(data), project=project, notes=tuple(notes.entries))

    def normalize(self, project: ProjectId, receipt: Receipt, policy: EventPolicy) -> EventDraft:
        """Return the normalized event for *project*.

        Raises:
            NormalizedTwice: It is normalized already, or it was given for another project.
        """
        self._require(project)
        if self.normalized:
            raise NormalizedTwice
        notes = Notes()
        notes.entries.extend(self.notes)
        data = normalize(copy.deepcopy(self.data), receipt, policy, notes)
        return attrs.evolve(self, data=data, project=project, normalized=True, notes=())

    def ready(
        self, project: ProjectId, receipt: Receipt, policy: EventPolicy, *, assume_normalized: bool
    ) -> EventDraft:
        """Return the event as it is to be saved into *project*: normalized if it is not yet, nor said to be.

        Raises:
            NormalizedTwice: It was given or normalized for another project.
        """
        self._require(project)
        if self.normalized:
            return self
        if assume_normalized:
            return attrs.evolve(self, project=project, normalized=True)
        return self.normalize(project, receipt, policy)

    def _require(self, project: ProjectId) -> None:
        if self.project not in {None, project}:
            raise NormalizedTwice(detail="[for another project]")
