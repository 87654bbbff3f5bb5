"""What saving an event does around its table: read what is kept, mint what is new, write the rows beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.errors import EventKindUnsupported, StaleVersion, UniqueViolated, UnknownProject
from authflow.events.adjacent import ReleaseProject, Sighting, legacy_version, places, raises
from authflow.events.extract import extract, with_derived
from authflow.events.normalize import Receipt
from authflow.events.save import MACHINE, Created, Kept, Replaced, Save, SavedEvent
from authflow.nobody import SYSTEM
from authflow.values import Context, EventId

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.events.adjacent import Place, Project
    from authflow.events.draft import EventDraft
    from authflow.events.extract import Extract
    from authflow.events.ports import EventsTransaction
    from authflow.events.save import Delivery, SaveAnswer
    from authflow.policy import EventPolicy
    from authflow.ports import Clock, Entropy, UnitOfWork
    from authflow.recording import Recorder
    from authflow.values import ProjectId

KINDS: Final = frozenset({"generic"})
"""The types of events that are saved."""

TRIES: Final = 3
"""How often a save is decided: whoever loses the race for a new key finds it and locks it the second time."""


@attrs.frozen(kw_only=True)
class Desk:
    """The ports of the slice, and the writing that every saver of events shares."""

    _uow: UnitOfWork[EventsTransaction] = attrs.field(alias="uow")
    _clock: Clock = attrs.field(alias="clock")
    _entropy: Entropy = attrs.field(alias="entropy")
    _recorder: Recorder = attrs.field(alias="recorder")
    _policy: EventPolicy = attrs.field(alias="policy")

    def _receipt(self, *, client_ip: str | None = None, trusted: bool = False) -> Receipt:
        fresh = EventId(self._entropy.random_bytes(16).hex())
        return Receipt(received=self._clock.now(), fresh_id=fresh, client_ip=client_ip, trusted=trusted)

    def _write(
        self, tx: EventsTransaction, project: Project, ready: EventDraft, delivery: Delivery, *, insert_only: bool
    ) -> SaveAnswer:
        """Decide and write; whoever saved the same key in between makes us decide anew."""
        found = extract(ready.data)
        if found.kind not in KINDS:
            raise EventKindUnsupported(detail=f"[{found.kind}]")
        for _ in range(TRIES):
            try:
                with self._uow.savepoint():
                    return self._decide(tx, project, ready, found, delivery, insert_only=insert_only)
            except (StaleVersion, UniqueViolated):
                continue
        raise StaleVersion

    def _decide(
        self,
        tx: EventsTransaction,
        project: Project,
        ready: EventDraft,
        found: Extract,
        delivery: Delivery,
        *,
        insert_only: bool,
    ) -> SaveAnswer:
        now = self._clock.now()
        stored = tx.events.load(project.id, found.day, found.id)
        event = SavedEvent(
            project=project.id,
            columns=found,
            sequence=tx.events.next_sequence(),
            content=ready.content,
            data=with_derived(ready.data, found),
        )
        step = MACHINE.step(stored.state, Save(event=event, insert_only=insert_only, delivery=delivery), now)
        if isinstance(step.answer, Created | Replaced):
            self._see(tx, project, found)
        if isinstance(step.state, Kept) and step.state != stored.state:
            tx.events.save(step.state, expected=stored.version)
        self._recorder.record(tx, step.facts, asker=SYSTEM, context=Context(), now=now)
        return step.answer

    def _see(self, tx: EventsTransaction, project: Project, event: Extract) -> None:
        """Get or create every row beside the event, and raise the last sights."""
        for place in places(project, event, _version(tx, project, event.release)):
            known = self._get_or_create(tx, place, event.timestamp)
            if raises(place, known, event.timestamp):
                tx.sightings.raise_last_seen(place, event.timestamp)

    def _get_or_create(self, tx: EventsTransaction, place: Place, at: datetime) -> Sighting:
        known = tx.sightings.get(place)
        if known is not None:
            return known
        try:
            with self._uow.savepoint():
                tx.sightings.add(place, at)
        except UniqueViolated:
            known = tx.sightings.get(place)
        return known or Sighting(first_seen=at, last_seen=at)


def project_of(tx: EventsTransaction, project_id: ProjectId) -> Project:
    """Return the project.

    Raises:
        UnknownProject: There is none.
    """
    found = tx.projects.get(project_id)
    if found is None:
        raise UnknownProject(detail=f"[{project_id}]")
    return found


def _version(tx: EventsTransaction, project: Project, release: str | None) -> str | None:
    """Prefer the older spelling of a release, if this project uses a release of that name (outbox 3.6)."""
    older = None if release is None else legacy_version(project, release)
    if older is not None and tx.sightings.get(ReleaseProject(project=project.id, version=older)):
        return older
    return release
