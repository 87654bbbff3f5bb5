"""Saves events of a host, and reads them back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from authflow.command import command, operation
from authflow.errors import Code, InputInvalid
from authflow.events import timestamps
from authflow.events.desk import Desk, project_of
from authflow.events.draft import EventDraft
from authflow.events.normalize import event_id
from authflow.events.save import Delivery, SaveAnswer, SavedEvent
from authflow.values import Refused

if TYPE_CHECKING:
    from authflow.values import ProjectId

CACHE_KEY_MAX: Final = 255

DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@attrs.frozen(kw_only=True)
class Events(Desk):
    """Saving and reading events of the host's projects. Who may read a project is the host's to decide."""

    @operation("events.draft")
    def draft(self, event: object, project_id: ProjectId | None = None) -> EventDraft:
        """Read *event*, a JSON object or its text, as a draft for *project_id*, or for any project.

        Raises:
            EventInvalid: It is no JSON object.
            EventTooLarge: It is larger than the policy allows.
            InputInvalid: *project_id* can be no project's.
        """
        return EventDraft.of(event, policy=self._policy, project=project_id)

    @operation("events.normalize")
    def normalize(self, event: object, project_id: ProjectId, *, client_ip: str | None = None) -> EventDraft:
        """Return *event*, a draft or what `draft` takes, normalized for *project_id*. Nothing is written.

        Raises:
            NormalizedTwice: It is normalized already, or a draft for another project.
            EventInvalid: It is no JSON object.
            InputInvalid: *project_id* can be no project's, or *client_ip* is no text.
        """
        _require_text(client_ip, field="client_ip", optional=True)
        draft = event if isinstance(event, EventDraft) else self.draft(event)
        return draft.normalize(project_id, self._receipt(client_ip=client_ip), self._policy)

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
            InputInvalid: *project_id*, *start_time*, *cache_key* or a flag is malformed.
        """
        started, kept_at = _start_time(start_time), _cache_key(cache_key)
        draft = event if isinstance(event, EventDraft) else self.draft(event)
        ready = draft.ready(project_id, self._receipt(), self._policy, assume_normalized=assume_normalized)

        def write() -> SaveAnswer:
            with self._uow.begin() as tx:
                project = project_of(tx, project_id)
                if project.security:
                    return Refused(code=Code.EVENT_PROJECT_CLOSED)
                delivery = Delivery(
                    organization=project.organization,
                    skip_consume=raw,
                    start_time=started,
                    cache_key=kept_at,
                    skip_first_transaction=skip_send_first_transaction,
                    has_attachments=has_attachments,
                )
                return self._write(tx, project, ready, delivery, insert_only=False)

        return self._uow.run(write)

    @command("events.get")
    def get(self, project_id: ProjectId, event: str) -> SavedEvent | None:
        """Return the latest ingested event with this id, of whatever day, or none.

        Raises:
            InputInvalid: *project_id* can be no project's, or *event* is no text.
        """
        _require_text(event, field="event")
        key = event_id(event)
        with self._uow.begin() as tx:
            return None if key is None else tx.events.find(project_id, key)

    @command("events.of_day")
    def of_day(self, project_id: ProjectId, day: str, event: str) -> SavedEvent | None:
        """Return the event with this id that happened on *day*, ``YYYY-MM-DD`` in UTC, or none.

        Raises:
            InputInvalid: *project_id* can be no project's, *day* is none, or *event* is no text.
        """
        _require_text(event, field="event")
        _require_day(day)
        key = event_id(event)
        with self._uow.begin() as tx:
            return None if key is None else tx.events.find(project_id, key, day=day)

    @command("events.latest")
    def latest(self, project_id: ProjectId, *, limit: int = 100) -> tuple[SavedEvent, ...]:
        """Return the latest ingested events of a project, newest first.

        Raises:
            InputInvalid: *project_id* can be no project's, or *limit* is no count.
        """
        with self._uow.begin() as tx:
            return tx.events.latest(project_id, limit=limit)


def _require_text(given: object, *, field: str, optional: bool = False) -> None:
    if not isinstance(given, str) and not (given is None and optional):
        raise InputInvalid(field=field, problem="must be a text")


def _require_day(given: object) -> None:
    if not isinstance(given, str) or DAY.fullmatch(given) is None:
        raise InputInvalid(field="day", problem="must be YYYY-MM-DD")


def _start_time(given: float | None) -> str | None:
    moment = timestamps.parse(given)
    if given is not None and moment is None:
        raise InputInvalid(field="start_time", problem="must be seconds since 1970")
    return None if moment is None else timestamps.show(moment)


def _cache_key(given: str | None) -> str | None:
    _require_text(given, field="cache_key", optional=True)
    if given is not None and not (1 <= len(given) <= CACHE_KEY_MAX and given.isascii() and given.isprintable()):
        raise InputInvalid(field="cache_key", problem=f"must be 1 to {CACHE_KEY_MAX} printable ASCII characters")
    return given
