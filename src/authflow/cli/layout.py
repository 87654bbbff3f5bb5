"""Plain text that reads well in a terminal of 100 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 100
"""Columns that every line keeps to, as long as its words allow."""

GAP: Final = "  "
"""What stands between two columns."""


def wrapped(text: str, *, indent: str = "") -> str:
    """Return *text* broken into lines of at most `WIDTH` columns, each behind *indent*."""
    return "\n".join(indent + line for line in _broken(text, WIDTH - len(indent)))


def columns(rows: Sequence[Sequence[object]], *, indent: str = "") -> str:
    """Return *rows* in aligned columns; the last column may have several lines, and is broken where the line ends."""
    cells = [tuple(str(cell) for cell in row) for row in rows]
    return "\n".join(_line(row, _widths(cells), indent) for row in cells)


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, indent: str = "") -> str:
    """Return *rows* in aligned columns under *head* and a rule."""
    cells = [tuple(head), *[tuple(str(cell) for cell in row) for row in rows]]
    widths = _widths(cells)
    rule = tuple(
        "-" * width for width in [*widths, max(len(line) for row in cells for line in row[-1].splitlines() or [""])]
    )
    room = _room(widths, indent)
    return columns([cells[0], (*rule[:-1], rule[-1][:room]), *cells[1:]], indent=indent)


def _line(row: Sequence[str], widths: Sequence[int], indent: str) -> str:
    start = indent + "".join(cell.ljust(width) + GAP for cell, width in zip(row[:-1], widths, strict=True))
    first, *others = _broken(row[-1], _room(widths, indent))
    return "\n".join([(start + first).rstrip(), *(" " * len(start) + other for other in others)])


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in list(zip(*cells, strict=True))[:-1]]


def _room(widths: Sequence[int], indent: str) -> int:
    return max(WIDTH - len(indent) - sum(widths) - len(GAP) * len(widths), 20)


def _broken(text: str, room: int) -> list[str]:
    # Identifiers, addresses and secrets are copied from here: a word is never cut, even if the line gets longer.
    lines = [
        textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False) or [""] for line in text.splitlines()
    ]
    return [part for line in lines for part in line] or [""]
