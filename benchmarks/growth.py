"""What a flow costs among more and more rows of other people."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

from benchmarks.report import duration
from benchmarks.rows import DATABASES, OURS
from benchmarks.running import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.protocol import Round
    from benchmarks.running import Bench, Running

ROUNDS: Final = 15
OPERATIONS: Final = 5
WARM: Final = 10

LOAD: Final = "load"
"""The row of the program that fills the tables; its operations are how many rows there shall be."""


def grow(bench: Bench, database: str, sizes: Sequence[int], rounds: int = ROUNDS) -> str:
    """Return a Markdown table: a line for each row of the program, a column for each of *sizes*.

    Each size has a database and a process of its own, so that the rounds of all sizes are interleaved.
    """
    sizes = sorted(sizes)
    towns = [bench.program("growth", database, environment=OURS, instance=size) for size in sizes]
    for size, town in zip(sizes, towns, strict=True):
        progress(f"{DATABASES[database]}: writing {size} rows of each kind")
        town.ask(LOAD, size)
    lines = [_line(name, towns, rounds) for name in sorted(towns[0].rows - {LOAD})]
    head = [f"{DATABASES[database]}, among", *(f"{size:,} others" for size in sizes), "most to fewest"]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


def _line(name: str, towns: Sequence[Running], count: int) -> list[str]:
    progress(name)
    for town in towns:
        town.ask(name, WARM)
    rounds = [[_seconds(town.ask(name, OPERATIONS)) for town in towns] for _ in range(count)]
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    ratio = statistics.median(one[-1] / one[0] for one in rounds)
    return [name, *map(duration, medians), f"{ratio:.2f}x"]


def _seconds(took: Round) -> float:
    return took.seconds / took.operations
