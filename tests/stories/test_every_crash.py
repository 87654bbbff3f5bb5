"""Every command of the facade that writes is killed at every point by one story or another (invariant 10)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from tests.stage import CONTEXT, Stage
from tests.stories.crashing import FLOWS, Draw
from tests.stories.small_scenes import HOSTS, SMALL, TIMED
from tests.stories.test_sso_crashes import EACH
from tests.stories.test_sso_faults import LOOKS as LOOKS_OF_SSO
from tests.test_command import ALL, LOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

TOLD: Final = {"events.save", "relay.drain", "members.enforce"}
"""Each has a story of its own in `crash_stories`."""

UNTOLD: Final[dict[str, set[str]]] = {
    "it shows what is there, or works out what it is given": {
        *LOOKS.split(),
        *LOOKS_OF_SSO,
        *("audit.of_organization", "audit.of_user", "outbox.depths", "outbox.parked"),
        *("events.draft", "events.normalize", "events.get", "events.latest", "events.of_day"),
    },
    "it is relay.drain, again and again": {"relay.drain_until_quiet"},
}
"""What no story kills, by the reason."""


def empty() -> Stage:
    return Stage(MemoryUnitOfWork(), entropy=Draw())


def acts() -> Iterator[Callable[[], Any]]:
    """Yield what is killed, each on a stage of its own."""
    for scene in (FLOWS | SMALL | HOSTS).values():
        ask = scene(empty())
        yield lambda ask=ask: ask(CONTEXT)  # type: ignore[misc]  # bound at once
    for timed in TIMED.values():
        yield timed(empty())[0]


def test_every_command_that_writes_is_killed(caplog: pytest.LogCaptureFixture):
    """What a scene plays is what the log says it played."""
    killed = TOLD | {command for _, command, _ in EACH}
    for act in acts():
        with caplog.at_level(logging.DEBUG, "authflow.command"):
            act()
        killed.add(getattr(caplog.records[-1], "authflow_command"))  # noqa: B009  # only the record of a command has it
    assert ALL.keys() - killed == set[str]().union(*UNTOLD.values())
