"""Saves events, and reads them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from authflow.command import command, operation
from authflow.errors import Code, EventKindUnsupported, InputInvalid, StaleVersion, UniqueViolated, UnknownProject
from authflow.events import timestamps
from authflow.events.adjacent import ReleaseProject, Sighting, legacy_version, places, raises
from authflow.events.draft import EventDraft
from authflow.events.extract import extract, with_derived
from authflow.events.normalize import Receipt, event_id
from authflow.events.save import MACHINE, Created, Delivery, Kept, Replaced, Save, SaveAnswer, SavedEvent
from authflow.values import Asker, Context, EventId, Refused, SessionId

if TYPE_CHECKING:
    from datetime import datetime

    from authflow.events.adjacent import Place, Project
    from authflow.events.extract import Extract
    from authflow.events.ports import EventsTransaction
    from authflow.policy import EventPolicy
    from authflow.ports import Clock, Entropy, UnitOfWork
    from authflow.recording import Recorder
    from authflow.values import ProjectId

KINDS: Final = frozenset({"generic"})
"""The types of events that are saved."""

TRIES: Final = 3
"""How often a save is decided: whoever loses the race for a new key finds it and locks it the second time."""

CACHE_KEY_MAX: Final = 255

NOBODY: Final = Asker(user=None, session=SessionId(""))
"""Events are saved by the system; nobody asks."""


@attrs.frozen(kw_only=True)
class Events:
    """Saving and reading events of the host's projects. Who may read a project is the host's to decide."""

    uow: UnitOfWork[EventsTransaction]
    clock: Clock
    entropy: Entropy
    recorder: Recorder
    policy: EventPolicy

    @operation("events.draft")
    def draft(self, event: object, project_id: ProjectId | None = None) -> EventDraft:
        """Read *event*, a JSON object or its text, as a draft for *project_id*, or for any project.

        Raises:
            EventInvalid: It is no JSON object.
            EventTooLarge: It is larger than the policy allows.
        """
        return EventDraft.of(event, policy=self.policy, project=project_id)

    @operation("events.normalize")
    def normalize(self, event: object, project_id: ProjectId, *, client_ip: str | None = None) -> EventDraft:
        """Return *event*, a draft or what `draft` takes, normalized for *project_id*. Nothing is written.

        Raises:
            NormalizedTwice: It is normalized already, or a draft for another project.
            EventInvalid: It is no JSON object.
        """
        draft = event if isinstance(event, EventDraft) else self.draft(event)
        return draft.normalize(project_id, self._receipt(client_ip=client_ip), self.policy)

    @operation("events.save")
    def save(
        self,
        project_id: ProjectId,
        event: object,
        *,
        raw: bool = False,
        assume_normalized: bool = False,
        start_time: float | None = None,
        cache_key: str | None = None,
        skip_send_first_transaction: bool = False,
        has_attachments: bool = False,
    ) -> SaveAnswer:
        """Save *event*, a draft or what `draft` takes; the answer has the saved event and says what happened.

        Args:
            project_id: Where it belongs. A security project takes nothing from outside (decision 38).
            event: It is normalized first, unless it is a normalized draft.
            raw: Index the event and do nothing else with it.
            assume_normalized: Take the event as it is.
            start_time: When it entered the system, in seconds since 1970; for latencies only.
            cache_key: Where the sender's copy lies, 1 to 255 printable ASCII characters; told to the stream.
            skip_send_first_transaction: Told to the stream.
            has_attachments: Told to the stream.

        Raises:
            UnknownProject: There is no such project. Nothing was written.
            NormalizedTwice: The draft was made or normalized for another project.
            EventInvalid: This is no event; its subclasses say too large, or of a type that is not saved here.
            InputInvalid: *start_time* or *cache_key* is malformed.
        """
        draft = event if isinstance(event, EventDraft) else self.draft(event)
        ready = draft.ready(project_id, self._receipt(), self.policy, assume_normalized=assume_normalized)

        def write() -> SaveAnswer:
            with self.uow.begin() as tx:
                project = _project(tx, project_id)
                if project.security:
                    return Refused(code=Code.EVENT_PROJECT_CLOSED)
                delivery = Delivery(
                    organization=project.organization,
                    skip_consume=raw,
                    start_time=_start_time(start_time),
                    cache_key=_cache_key(cache_key),
                    skip_first_transaction=skip_send_first_transaction,
                    has_attachments=has_attachments,
                )
                return self._write(tx, project, ready, delivery, insert_only=False)

        return self.uow.run(write)

    @operation("events.save_security")
    def save_security(self, project_id: ProjectId, event: object) -> SaveAnswer:
        """Save an event of our own: its time is taken as it is, and another under its key is never replaced.

        Raises:
            UnknownProject: There is no such project. Nothing was written.
            EventInvalid: This is no event.
        """
        ready = self.draft(event).normalize(project_id, self._receipt(trusted=True), self.policy)

        def write() -> SaveAnswer:
            with self.uow.begin() as tx:
                project = _project(tx, project_id)
                return self._write(tx, project, ready, Delivery(organization=project.organization), insert_only=True)

        return self.uow.run(write)

    @command("events.get")
    def get(self, project_id: ProjectId, event: str) -> SavedEvent | None:
        """Return the latest ingested event with this id, of whatever day, or none."""
        key = event_id(event)
        with self.uow.begin() as tx:
            return None if key is None else tx.events.find(project_id, key)

    @command("events.of_day")
    def of_day(self, project_id: ProjectId, day: str, event: str) -> SavedEvent | None:
        """Return the event with this id that happened on *day*, ``YYYY-MM-DD`` in UTC, or none."""
        key = event_id(event)
        with self.uow.begin() as tx:
            return None if key is None else tx.events.find(project_id, key, day=day)

    @command("events.latest")
    def latest(self, project_id: ProjectId, *, limit: int = 100) -> tuple[SavedEvent, ...]:
        """Return the latest ingested events of a project, newest first."""
        with self.uow.begin() as tx:
            return tx.events.latest(project_id, limit=limit)

    def _receipt(self, *, client_ip: str | None = None, trusted: bool = False) -> Receipt:
        fresh = EventId(self.entropy.random_bytes(16).hex())
        return Receipt(received=self.clock.now(), fresh_id=fresh, client_ip=client_ip, trusted=trusted)

    def _write(
        self, tx: EventsTransaction, project: Project, ready: EventDraft, delivery: Delivery, *, insert_only: bool
    ) -> SaveAnswer:
        """Decide and write; whoever saved the same key in between makes us decide anew."""
        found = extract(ready.data)
        if found.kind not in KINDS:
            raise EventKindUnsupported(detail=f"[{found.kind}]")
        for _ in range(TRIES):
            try:
                with self.uow.savepoint():
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
        now = self.clock.now()
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
        self.recorder.record(tx, step.facts, asker=NOBODY, context=Context(), now=now)
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
            with self.uow.savepoint():
                tx.sightings.add(place, at)
        except UniqueViolated:
            known = tx.sightings.get(place)
        return known or Sighting(first_seen=at, last_seen=at)


def _project(tx: EventsTransaction, project_id: ProjectId) -> Project:
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


def _start_time(given: float | None) -> str | None:
    moment = timestamps.parse(given)
    if given is not None and moment is None:
        raise InputInvalid(field="start_time", problem="must be seconds since 1970")
    return None if moment is None else timestamps.show(moment)


def _cache_key(given: str | None) -> str | None:
    if given is not None and not (1 <= len(given) <= CACHE_KEY_MAX and given.isascii() and given.isprintable()):
        raise InputInvalid(field="cache_key", problem=f"must be 1 to {CACHE_KEY_MAX} printable ASCII characters")
    return given
