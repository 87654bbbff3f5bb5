"""The peer ``transitions``: a door that opens for the right code and tells so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transitions import Machine

from benchmarks.protocol import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.protocol import Watch, Work, World


class Door:
    """A model with two states. Opening and closing are guarded, and each leaves one fact."""

    def __init__(self) -> None:
        self.facts: list[str] = []
        table = [
            {"trigger": "turn", "source": "shut", "dest": "open", "conditions": "right", "after": "tell"},
            {"trigger": "turn", "source": "open", "dest": "shut", "conditions": "right", "after": "tell"},
        ]
        Machine(self, states=["shut", "open"], transitions=table, initial="shut", auto_transitions=False)

    def right(self, code: str) -> bool:
        """Guard the transition."""
        return code == "123456"

    def tell(self, _code: str) -> None:
        """Leave a fact."""
        self.facts.append("turned")


def rows(_world: World) -> Mapping[str, Work]:
    """Offer the one row of the kernel."""

    def transition(operations: int, watch: Watch) -> None:
        door = Door()
        with watch:
            for _ in range(operations):
                door.turn("123456")  # type: ignore[attr-defined]  # the machine adds it

    return {"transition": transition}


if __name__ == "__main__":
    serve(rows, versions=("transitions",))
