"""What a round of a race is: what each does at once, and what must have come of it; and where rounds are played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from authflow.testing.races import only_winner, tally
from tests.journey.sso_stage import SsoStage
from tests.stories.crashing import ACME, protected
from tests.stories.playbook import POLICY

if TYPE_CHECKING:
    from collections.abc import Callable

    from authflow import Code
    from authflow.values import OrganizationId
    from tests.stage import Person


@attrs.frozen
class Contest:
    """One round: what each does, and what must have come of it."""

    command: Callable[[int], Any]
    judge: Callable[[list[Any]], object]


class Table:
    """Where the rounds are played. What is raced for is new in each; strangers who got nothing stay for the next."""

    def __init__(self, uow: Any) -> None:
        self.stage, self.round = SsoStage(uow, POLICY), 0
        stage = self.stage
        self.waiting: list[Person] = []
        self._places: dict[str, OrganizationId] = {}
        self.olga = stage.owner(stage.organization(ACME, invites_bound_to_address=False))
        self.root = stage.administrator()

    def ready(self, staff: Person) -> Person:
        if not self.stage.identify(staff).elevated:
            self.stage.elevate(staff)
        return staff

    def person(self) -> Person:
        self.round += 1
        return protected(self.stage, f"p{self.round}@example.com")

    def stranger(self) -> Person:
        self.round += 1
        person = self.stage.person(f"p{self.round}@example.com")
        self.stage.sign_in(person)
        return person

    def strangers(self, count: int) -> list[Person]:
        """Return so many who are members of nothing; whoever becomes one must be taken off `waiting`."""
        self.waiting += [self.stranger() for _ in range(count - len(self.waiting))]
        return self.waiting

    def place(self, name: str, made: Callable[[OrganizationId], object]) -> OrganizationId:
        """Return the organization *name*, which is *made* ready when a round first asks for it."""
        if name not in self._places:
            self._places[name] = self.stage.organization(name)
            made(self._places[name])
        return self._places[name]


def losers(winner: type[Any], code: Code) -> Callable[[list[Any]], object]:
    def judge(answers: list[Any]) -> None:
        only_winner(answers, winner)
        assert tally(answers) == {winner.__name__: 1, code: len(answers) - 1}

    return judge


def one_of(answers: list[Any], winner: type[Any], late: set[Code]) -> Any:
    """Return the one answer that is a *winner*; each other one was told one of *late*."""
    told = tally(answers)
    assert told[winner.__name__] == 1, told
    assert told.keys() <= {winner.__name__, *late}, told
    return next(answer for answer in answers if isinstance(answer, winner))
