"""Killed before and after every statement of single sign-on: all of it is there, or nothing (invariant 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.nightly import often
from tests.stories import sso_crash_stories as stories
from tests.stories.crash_stories import Teller
from tests.stories.test_crashes import url_of
from tests.stories.test_sso_faults import SCENES, leaving

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST: Final = [("postgresql", "sso.choose", 2), ("sqlite", "providers.confirm", 0)]
"""What writes most: a link that moves from somebody to somebody else, and a provider that is connected."""

EACH: Final = [
    (backend, command, which)
    for backend in ("sqlite", "postgresql")
    for command, scenes in SCENES.items()
    for which, (_, made) in enumerate(scenes)
    if made is not leaving
]
"""All but the way there of a browser that has no row yet: it gets one first, in a transaction of its own."""


@pytest.fixture(scope="module")
def teller() -> Iterator[Teller]:
    with Teller() as teller:
        yield teller


@pytest.mark.parametrize(("backend", "command", "which"), often(MOST, EACH))
def test_all_or_nothing(request: pytest.FixtureRequest, teller: Teller, backend: str, command: str, which: int):
    teller.tell(url_of(request.getfixturevalue(f"{backend}_uow")), stories.all_or_nothing, command, which)
