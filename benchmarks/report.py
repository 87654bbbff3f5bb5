"""The figures of a run as a Markdown table and as JSON."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.rows import LIMIT, OURS, PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.rows import Budget, Row, Statements
    from benchmarks.running import Figures

TITLES = {program.name: program.title for program in PROGRAMS}

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A row with the figures of every program in it."""

    row: Row
    figures: Sequence[Figures]

    def of(self, program: str) -> Figures | None:
        """Return the figures of *program*, if it was in the row."""
        return next((figures for figures in self.figures if figures.program == program), None)

    @property
    def ours(self) -> Figures | None:
        """What authflow did."""
        return self.of(OURS)

    @property
    def limit(self) -> Figures | None:
        """What the same thing did by hand."""
        return self.of(LIMIT)

    @property
    def peers(self) -> list[Figures]:
        """What everybody else did, the fastest first."""
        others = (figures for figures in self.figures if figures.program not in {OURS, LIMIT})
        return sorted(others, key=lambda figures: figures.median)

    @property
    def wanted(self) -> float | None:
        """What authflow must reach first, on this machine: the budget's ratio to the limit, times the limit here."""
        budget = self.row.budget
        if budget is None or budget.limit is None or self.limit is None:
            return None if budget is None else budget.first
        return self.limit.median * budget.first / budget.limit

    def ratio(self, other: Figures | None) -> float | None:
        """Return how many times as long authflow took as *other*: the median over the rounds, each with itself."""
        if self.ours is None or other is None:
            return None
        pairs = zip(self.ours.seconds, other.seconds, strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)


# --- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(measured: Sequence[Measured]) -> str:
    """Return the tables: times, then statements and round trips."""
    return "\n\n".join([_times(measured), _statements(measured), _others(measured)])


def _times(measured: Sequence[Measured]) -> str:
    head = (
        "one operation",
        "written by hand",
        "fastest peer",
        "**authflow**",
        "authflow to by hand",
        "authflow to the peer",
        "budget",
        "later budget",
    )
    rows = [
        (
            each.row.label,
            _spread(each.limit, each.row),
            _peer(each),
            f"**{shown(each.ours.median, each.row)}** {_range(each.ours, each.row)}",
            _times_as(each.ratio(each.limit)),
            _times_as(each.ratio(next(iter(each.peers), None))),
            _verdict(each, each.row.budget, "first"),
            _verdict(each, each.row.budget, "then"),
        )
        for each in measured
        if each.ours is not None
    ]
    return _table(head, rows)


def _statements(measured: Sequence[Measured]) -> str:
    head = ("SQL statements of one operation", "written by hand", "peers", "**authflow**", "budget", "later budget")
    rows = [
        (
            each.row.label,
            _sent(each.limit),
            ", ".join(f"{TITLES[peer.program]} {_sent(peer)}" for peer in each.peers) or "-",
            f"**{_sent(each.ours)}**",
            _within(each.ours, each.row.statements, "first"),
            _within(each.ours, each.row.statements, "then"),
        )
        for each in measured
        if each.ours is not None and each.row.database != "none"
    ]
    return _table(head, rows)


def _others(measured: Sequence[Measured]) -> str:
    """Return every figure that the first table has no room for: the slower peers, and what explains a peer's row."""
    rows = [
        (each.row.label, TITLES[peer.program], _spread(peer, each.row))
        for each in measured
        for peer in (each.peers[1:] if each.row.compared else each.peers)
    ]
    return _table(("one operation", "slower peer", "measured"), rows) if rows else ""


def _peer(each: Measured) -> str:
    best = next(iter(each.peers), None)
    return "-" if best is None else f"{TITLES[best.program]} {_spread(best, each.row)}"


def _spread(figures: Figures | None, row: Row) -> str:
    return "-" if figures is None else f"{shown(figures.median, row)} {_range(figures, row)}"


def _range(figures: Figures, row: Row) -> str:
    ends = sorted([figures.low, figures.high], reverse=row.rate)
    return f"({shown(ends[0], row)} to {shown(ends[1], row)})"


def shown(seconds: float, row: Row) -> str:
    """Return what a person reads: a time, or messages per second."""
    return f"{_rounded(1 / seconds)}/s" if row.rate else duration(seconds)


def duration(seconds: float) -> str:
    """Return *seconds* with three digits.

    >>> duration(0.00123456), duration(1.5e-7)
    ('1.23 ms', '0.15 µs')
    """
    size, unit = next(((size, unit) for size, unit in UNITS if abs(seconds) >= size), UNITS[-1])
    return f"{_rounded(seconds / size)} {unit}"


def _rounded(value: float) -> str:
    """Return three digits of *value*, and thousands as k."""
    if abs(value) >= 10_000:  # noqa: PLR2004  # from here on the last digits say nothing
        return f"{value / 1000:.3g}k"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  # three digits


def _times_as(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2g}x" if ratio < 10 else f"{ratio:.0f}x"  # noqa: PLR2004  # two digits


def _verdict(each: Measured, budget: Budget | None, column: str) -> str:
    """Return a budget, and whether it is kept: as a time, and as a ratio to what is written by hand.

    The ratio is what counts: the time was set on another machine.
    """
    wanted: float | None = getattr(budget, column, None)
    if budget is None or wanted is None or each.ours is None:
        return "-"
    text = f"{shown(wanted, each.row)}: {_kept(each.ours.median <= wanted)}"
    ratio = each.ratio(each.limit)
    if budget.limit is None or ratio is None:
        return text
    return f"{text}; {_times_as(wanted / budget.limit)} by hand: {_kept(ratio <= wanted / budget.limit)}"


def _within(figures: Figures | None, statements: Statements | None, column: str) -> str:
    if figures is None or statements is None:
        return "-"
    wanted: int = getattr(statements, column)
    return f"{wanted}: {_kept(figures.statements <= wanted)}"


def _kept(yes: bool) -> str:  # noqa: FBT001  # a word for it
    return "kept" if yes else "missed"


def _sent(figures: Figures | None) -> str:
    if figures is None:
        return "-"
    if not figures.round_trips:
        return str(figures.statements)
    return f"{figures.statements} in {figures.round_trips} round trip{'s' if figures.round_trips > 1 else ''}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# --- JSON -------------------------------------------------------------------------------------------------------------


def document(measured: Sequence[Measured], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that was measured, every round of it."""
    return {
        "about": dict(about),
        "rows": [
            {
                "row": each.row.name,
                "database": each.row.database,
                "unit": each.row.unit,
                "programs": {figures.program: _one(figures) for figures in each.figures},
            }
            for each in measured
        ],
    }


def _one(figures: Figures) -> dict[str, Any]:
    return {
        "operations": figures.operations,
        "median": figures.median,
        "p10": figures.low,
        "p90": figures.high,
        "statements": figures.statements,
        "round_trips": figures.round_trips,
        "seconds": list(figures.seconds),
    }
