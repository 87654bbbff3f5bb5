"""The peer ``python-statemachine``: a door that opens for the right code and tells so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statemachine import State, StateMachine

from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.protocol import Watch, Work, World


class Door(StateMachine):
    """Two states. Opening and closing are guarded, and each leaves one fact."""

    shut = State(initial=True)
    opened = State()
    turn = shut.to(opened, cond="right", on="tell") | opened.to(shut, cond="right", on="tell")

    def __init__(self) -> None:
        self.facts: list[str] = []
        super().__init__()

    def right(self, code: str) -> bool:
        """Guard the transition."""
        return code == "123456"

    def tell(self) -> None:
        """Leave a fact."""
        self.facts.append("turned")


def rows(_world: World) -> Mapping[str, Work]:
    """Offer the one row of the kernel."""

    def transition(operations: int, watch: Watch) -> None:
        door = Door()
        with watch:
            for _ in range(operations):
                door.turn("123456")

    return {"transition": transition}


if __name__ == "__main__":
    serve(rows, versions=("python-statemachine",))
