"""What every store of events must keep: the rows beside events, what is stored, and what the stream is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
import pytest

from authflow.errors import UniqueViolated
from authflow.events.adjacent import (
    Dist,
    Environment,
    EnvironmentProject,
    Place,
    Project,
    Release,
    ReleaseEnvironment,
    ReleaseProject,
    ReleaseProjectEnvironment,
    Sighting,
)
from authflow.events.save import Absent, Created, SavedEvent
from authflow.events.security import SecurityEvents
from authflow.events.service import Events
from authflow.facts.records import Category
from authflow.outbox.lanes import Lane
from authflow.policy import EventPolicy
from authflow.recording import Recorder
from authflow.testing.clocks import START, ManualClock, SeededEntropy
from authflow.testing.contracts.outbox import run_together
from authflow.values import EventId, OrganizationId, ProjectId

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow.events.save import SaveAnswer
    from authflow.ports import Cipher, UnitOfWork

ACME: Final = OrganizationId("acme")
WEB: Final = Project(id=ProjectId("web"), organization=ACME, slug="web")
API: Final = Project(id=ProjectId("api"), organization=ACME, slug="api")
VAULT: Final = Project(id=ProjectId("vault"), organization=ACME, slug="vault", security=True)
ONE: Final = EventId("0" * 31 + "1")
MIDNIGHT: Final = datetime(2026, 1, 1, tzinfo=START.tzinfo)


class NoCipher:
    """Saving an event seals nothing."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # nothing is ever returned
        """Fail: nobody may ask."""
        raise AssertionError(name)


def event(content: str = "a", *, key: str = ONE, **fields: object) -> dict[str, object]:
    """Return a generic event as a host sends it."""
    return {"type": "generic", "event_id": key, "timestamp": START.isoformat(), "message": content, **fields}


@attrs.frozen
class Desk:
    """Event saving under test."""

    uow: UnitOfWork[Any]
    clock: ManualClock = attrs.field(factory=ManualClock)

    def events(self, seed: int = 0) -> Events:
        """Return a service of its own, as another process would have one."""
        return Events(**self._ports(seed))

    def security_events(self) -> SecurityEvents:
        """Return what saves the installation's own events."""
        return SecurityEvents(**self._ports(seed=0))

    def _ports(self, seed: int) -> dict[str, Any]:
        entropy = SeededEntropy(seed)
        recorder = Recorder(cipher=cast("Cipher", NoCipher()), entropy=entropy)
        return {
            "uow": self.uow,
            "clock": self.clock,
            "entropy": entropy,
            "recorder": recorder,
            "policy": EventPolicy(),
        }

    def save(self, given: object, project: Project = WEB, **options: Any) -> SaveAnswer:  # noqa: ANN401  # as `save`
        """Save *given* into *project*."""
        return self.events(self.messages()).save(project.id, given, **options)

    def messages(self) -> int:
        """Return how many messages wait."""
        with self.uow.begin() as tx:
            return sum(depth for _, depth in tx.queue.depths(limit=None))

    def seen(self, place: Place) -> Sighting | None:
        """Return when *place* was seen."""
        with self.uow.begin() as tx:
            found: Sighting | None = tx.sightings.get(place)
            return found


class EventRowsContract:
    """Subclass this, supply the fixture ``uow`` with an empty installation, and pytest checks your stores."""

    def add_project(self, tx: Any, project: Project) -> None:  # noqa: ANN401  # adding is not part of the port
        """Insert *project*; a host with projects of its own overrides this."""
        tx.projects.add(project)

    @pytest.fixture
    def desk(self, uow: UnitOfWork[Any]) -> Desk:
        """Return event saving under test, with three projects of one organization."""
        with uow.begin() as tx:
            for project in (WEB, API, VAULT):
                self.add_project(tx, project)
        return Desk(uow)

    # --- beside the event -------------------------------------------------------------------------------------------

    def test_every_row_beside_an_event_is_made_once(self, desk: Desk) -> None:
        """Release, environment, their projects, the distribution, and where they meet; first seen at the event."""
        desk.save(event(release="1.0", environment="prod", dist="x64"))
        desk.save(event(key="2" * 32, release="1.0", environment="prod", dist="x64"), API)
        rows: list[Place] = [
            Release(organization=ACME, version="1.0"),
            Dist(organization=ACME, version="1.0", dist="x64"),
            Environment(organization=ACME, environment="prod"),
            ReleaseEnvironment(organization=ACME, version="1.0", environment="prod"),
        ]
        for project in (WEB.id, API.id):
            rows.append(ReleaseProject(project=project, version="1.0"))
            rows.append(EnvironmentProject(project=project, environment="prod"))
            rows.append(ReleaseProjectEnvironment(project=project, version="1.0", environment="prod"))
        assert [desk.seen(row) for row in rows] == [Sighting(first_seen=START, last_seen=START)] * len(rows)

    def test_an_event_without_names_is_in_the_nameless_environment(self, desk: Desk) -> None:
        """The empty name is a real row; without a release nothing is said about one."""
        desk.save(event(dist="x64"))
        assert desk.seen(Environment(organization=ACME, environment="")) is not None
        assert desk.seen(EnvironmentProject(project=WEB.id, environment="")) is not None
        assert desk.seen(Dist(organization=ACME, version="", dist="x64")) is None

    def test_the_last_sight_is_raised_by_more_than_a_minute_and_the_first_never_lowered(self, desk: Desk) -> None:
        """Only where release and environment meet; 60 seconds newer is not enough (outbox 3.6)."""
        meeting = ReleaseEnvironment(organization=ACME, version="1.0", environment="prod")
        desk.clock.advance(timedelta(hours=1))
        for number, (offset, last) in enumerate([(0, 0), (60, 0), (61, 61), (-3600, 61), (121, 61), (122, 122)]):
            at = START + timedelta(seconds=offset)
            desk.save(event(key=f"{number + 1:032x}", timestamp=at.isoformat(), release="1.0", environment="prod"))
            expected = Sighting(first_seen=START, last_seen=START + timedelta(seconds=last))
            assert desk.seen(meeting) == expected
        assert desk.seen(Release(organization=ACME, version="1.0")) == Sighting(first_seen=START, last_seen=START)

    def test_a_release_that_the_project_knows_by_its_older_spelling_is_that_release(self, desk: Desk) -> None:
        """``<slug>-<version>`` is preferred where this project uses it, and nowhere else (outbox 3.6)."""
        desk.save(event(release="web-1.0"))
        desk.save(event(key="2" * 32, release="1.0"))
        assert desk.seen(Release(organization=ACME, version="1.0")) is None
        desk.save(event(release="1.0"), API)
        assert desk.seen(Release(organization=ACME, version="1.0")) is not None

    def test_a_row_is_added_once_and_raised_only_upwards(self, desk: Desk) -> None:
        """A lost race is a violated rule, undone by the savepoint around it."""
        place = ReleaseEnvironment(organization=ACME, version="1.0", environment="prod")
        later = START + timedelta(seconds=1)
        with desk.uow.begin() as tx:
            tx.sightings.add(place, START)
            with pytest.raises(UniqueViolated), desk.uow.savepoint():
                tx.sightings.add(place, later)
            raised = [tx.sightings.raise_last_seen(place, at) for at in (START, later, START)]
            assert (raised, tx.sightings.get(place)) == (
                [False, True, False],
                Sighting(first_seen=START, last_seen=later),
            )
            assert not tx.sightings.raise_last_seen(attrs.evolve(place, version="2.0"), START)

    def test_sixteen_events_of_one_new_release_at_once_make_its_rows_once(self, desk: Desk) -> None:
        """Whoever loses the race for a row reads the winner's; every event is saved."""
        given = [event(key=f"{n + 1:032x}", release="9.9", environment="new", dist="d") for n in range(16)]
        assert {type(answer) for answer in together(desk, given)} == {Created}
        assert desk.seen(ReleaseProjectEnvironment(project=WEB.id, version="9.9", environment="new")) is not None

    # --- what is told, and what is stored ---------------------------------------------------------------------------

    def test_the_message_commits_with_the_event_or_vanishes_with_it(self, desk: Desk) -> None:
        """Also inside a transaction of the caller."""

        class Undo(Exception):
            """Raised to undo, not to tell of an error."""

        with pytest.raises(Undo), desk.uow.begin():
            desk.save(event(release="1.0"))
            raise Undo
        assert (desk.messages(), desk.events().latest(WEB.id)) == (0, ())
        assert desk.seen(Release(organization=ACME, version="1.0")) is None

    def test_saves_of_one_event_coalesce_in_the_outbox(self, desk: Desk) -> None:
        """Group = the event's key; the message has what the stream needs, and never the body (outbox 3.13)."""
        desk.save(event("a"))
        desk.save(event("b"), raw=True, cache_key="c:1", start_time=1767225600.5, has_attachments=True)
        lane = Lane(destination=None, scope=2, shard=WEB.id)
        with desk.uow.begin() as tx:
            first, second = tx.queue.page(lane, desk.clock.now(), limit=9)
        assert first.object == second.object == f"2026-01-01.{ONE}"
        assert (first.category, second.payload["outcome"]) == (Category.EVENT_STORED, "replaced")
        assert second.payload["start_time"] == "2026-01-01T00:00:00.500000Z"
        assert (second.payload["skip_consume"], second.payload["has_attachments"]) == (True, True)
        assert second.payload["cache_key"] == "c:1"

    def test_the_longest_names_of_the_widest_letters_are_stored(self, desk: Desk) -> None:
        """Limits count code points, and so do the columns (outbox 3.4)."""
        release, environment = "\U0001f511" * 200, "\u00e4" * 64
        answer = desk.save(event(release=release, environment=environment), cache_key="k" * 255)
        assert isinstance(answer, Created)
        found = desk.events().get(WEB.id, ONE)
        assert found == answer.event
        assert (answer.event.columns.release, answer.event.columns.environment) == (release, environment)

    def test_any_text_comes_back(self, desk: Desk) -> None:
        """NUL and lone surrogates were replaced; everything else is as it was."""
        odd = '\x01\u00e4\U0001f511\u2028"\\'
        answer = desk.save(event(odd, extra={odd: [odd, None, 1.5, True, 2**64 - 1], "n": "\x00\ud800"}))
        assert isinstance(answer, Created)
        found = desk.events().get(WEB.id, ONE)
        assert isinstance(found, SavedEvent)
        assert found.data["extra"] == {odd: [odd, None, 1.5, True, 2**64 - 1], "n": "\ufffd\ufffd"}

    def test_a_sequence_only_rises_and_an_unknown_key_is_absent(self, desk: Desk) -> None:
        """Higher than every number that was handed out before, also in another transaction."""
        numbers: list[int] = []
        for _ in range(3):
            with desk.uow.begin() as tx:
                assert isinstance(tx.events.load(WEB.id, "2026-01-01", ONE).state, Absent)
                numbers += [tx.events.next_sequence(), tx.events.next_sequence()]
        assert numbers == sorted(set(numbers))


def together(desk: Desk, given: list[dict[str, object]]) -> list[SaveAnswer]:
    """Save each of *given* in a thread and with a service of its own, all at once; return the answers."""
    answers: list[SaveAnswer] = []

    def job(number: int, one: dict[str, object]) -> Callable[[], None]:
        return lambda: answers.append(desk.events(number + 1).save(WEB.id, one))

    errors = run_together([job(number, one) for number, one in enumerate(given)])
    assert errors == []
    return answers
