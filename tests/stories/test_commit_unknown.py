"""The answer of a commit is lost, or the commit itself: whoever repeats the command has one effect and the same answer.

Beside the installation that suffers plays another one, in memory, to which nothing happens: both are asked the same.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest

from authflow.adapters.memory.unit_of_work import MemoryUnitOfWork
from authflow.errors import CommitUnknown
from authflow.testing.faults import TappedMemory, answer_lost, injected, request_lost
from tests.nightly import often
from tests.stage import CONTEXT
from tests.stories.crashing import shown
from tests.stories.playbook import Play, kind_of

if TYPE_CHECKING:
    from tests.stories.playbook import Move

EACH: Final = 100
"""Tries of one play."""

PLAYS: Final = [
    *(("sqlite", seed) for seed in range(often(7, 100))),
    *(("postgresql", seed) for seed in range(1000, often(1001, 1010))),
    *(("mariadb", seed) for seed in range(2000, often(2001, 2010))),
    *(("memory", seed) for seed in range(3000, often(3001, 3010))),
]
"""A thousand tries on every commit, 700 of them on SQLite; there 10,000 in the nightly session."""


@attrs.define
class Try:
    """One command whose commit is cut off; *done* says on which side of it."""

    play: Play
    move: Move
    key: str
    done: bool

    def suffer(self) -> None:
        """Ask, and be told nothing."""
        self.play.stage.entropy.begin(self.key)
        faults = answer_lost() if self.done else request_lost()
        with injected(self.play.stage.uow, faults), pytest.raises(CommitUnknown):
            self._ask()
        assert len(faults.raised) == 1

    def repeat(self) -> Any:
        """Ask again. What is done anew though it was done would be answered with other secrets."""
        self.play.stage.entropy.begin(f"{self.key} again" if self.done else self.key)
        return self._ask()

    def _ask(self) -> Any:
        return self.move.ask(attrs.evolve(CONTEXT, idempotency_key=self.key))


def one_try(play: Play, calm: Play, number: int, *, done: bool) -> tuple[str, bool]:
    """Return what the command was, and whether one effect and the same answer came of it."""
    key = f"try-{number}"
    calm.stage.entropy.begin(f"{key} before")
    play.stage.entropy.begin(f"{key} before")
    expected, suffered = calm.next(), Try(play, play.next(), key, done)
    calm.stage.entropy.begin(key)
    answer = expected.ask(CONTEXT)
    suffered.suffer()
    told = suffered.repeat()
    expected.then(answer)
    suffered.move.then(told)
    return f"{suffered.move.name}: {kind_of(told)}", shown(told) == shown(answer)


@pytest.mark.parametrize(("backend", "seed"), PLAYS)
def test_one_effect_and_the_same_answer(request: pytest.FixtureRequest, backend: str, seed: int):
    uow = TappedMemory() if backend == "memory" else request.getfixturevalue(f"{backend}_uow")
    play, calm = Play(uow, seed), Play(MemoryUnitOfWork(), seed)
    chance = Random(seed)  # noqa: S311  # it chooses on which side of the commit
    tries = [one_try(play, calm, number, done=chance.random() < 0.5) for number in range(EACH)]
    assert sum(same for _, same in tries) == EACH, [name for name, same in tries if not same]
    assert play.record() == calm.record()
    names = {name for name, _ in tries}
    assert len(names) >= 10, "a play is more than one command"
    assert "link: AccountLinked" in names, "and one of them is of single sign-on"
