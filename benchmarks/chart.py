"""The figures of a run as one SVG: a line per row on a logarithmic scale of time. No library draws it."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final

from benchmarks.report import TITLES, duration, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.report import Measured
    from benchmarks.running import Figures

WIDTH: Final = 1240
LEFT: Final = 330
RIGHT: Final = 420
LINE: Final = 30
TOP: Final = 64
BOTTOM: Final = 34
EDGE: Final = WIDTH - RIGHT
"""Where the scale ends; the figures as text stand behind it."""

STYLE: Final = """
  .page { fill: #ffffff; } .text { fill: #1f2328; } .faint { fill: #59636e; } .grid { stroke: #d1d9e0; }
  .ours { fill: #0969da; stroke: #0969da; } .limit { fill: #1a7f37; stroke: #1a7f37; }
  .peer { fill: #bc4c00; stroke: #bc4c00; } .other { fill: #8c959f; stroke: #8c959f; }
  .budget { stroke: #8250df; fill: none; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } .text { fill: #f0f6fc; } .faint { fill: #9198a1; } .grid { stroke: #30363d; }
    .ours { fill: #4493f8; stroke: #4493f8; } .limit { fill: #3fb950; stroke: #3fb950; }
    .peer { fill: #f0883e; stroke: #f0883e; } .other { fill: #656c76; stroke: #656c76; }
    .budget { stroke: #ab7df8; }
  }
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; }
  .small { font-size: 12px; } .bold { font-weight: 600; }
"""


class Scale:
    """From seconds to a place on the line."""

    def __init__(self, seconds: Sequence[float]) -> None:
        self.first = math.floor(math.log10(min(seconds)))
        self.last = math.ceil(math.log10(max(seconds)))

    def __call__(self, seconds: float) -> float:
        """Return where *seconds* stands."""
        share = (math.log10(seconds) - self.first) / (self.last - self.first)
        return LEFT + min(max(share, 0.0), 1.0) * (EDGE - LEFT - 20)

    def decades(self) -> Iterator[float]:
        """Yield every power of ten on the scale."""
        return (10.0**power for power in range(self.first, self.last + 1))


def svg(measured: Sequence[Measured]) -> str:
    """Return the drawing. It has a page of its own colour, so that it reads on a light and on a dark one."""
    compared = [each for each in measured if each.ours is not None]
    scale = Scale([max(figures.median, 1e-9) for each in compared for figures in each.figures])
    height = TOP + LINE * len(compared) + BOTTOM
    body = [
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
        *_legend(),
        *_grid(scale, height),
        *(line for at, each in enumerate(compared) for line in _row(each, scale, TOP + LINE * at + LINE / 2)),
    ]
    title = "Time of one operation: written by hand, authflow and the peers; logarithmic, shorter is better"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{title}</title>",
            f"<style>{STYLE}</style>",
            *body,
            "</svg>\n",
        ]
    )


def _legend() -> Iterator[str]:
    marks = (
        ("limit", "written by hand"),
        ("ours", "authflow, 10 to 90 % of the rounds"),
        ("peer", "fastest peer"),
        ("other", "other peers"),
    )
    at = LEFT
    for kind, text in marks:
        yield _mark(kind, at, 24)
        yield _text(text, at + 12, 28, "text small")
        at += 34 + round(6.3 * len(text))
    yield f'<path class="budget" stroke-width="2" d="M{at} 17 v14"/>'
    yield _text("budget: its ratio, times by hand here", at + 10, 28, "text small")


def _grid(scale: Scale, height: float) -> Iterator[str]:
    for decade in scale.decades():
        at = scale(decade)
        yield f'<path class="grid" d="M{at:.1f} {TOP - 8} V{height - BOTTOM + 4}"/>'
        yield _text(duration(decade), at, height - 12, "faint small", anchor="middle")


def _row(each: Measured, scale: Scale, y: float) -> Iterator[str]:
    yield _text(each.row.label, LEFT - 14, y + 4, "text", anchor="end")
    if each.wanted is not None:
        yield f'<path class="budget" stroke-width="2" d="M{scale(each.wanted):.1f} {y - 9} v18"/>'
    for peer in each.peers[1:]:
        yield _mark("other", scale(peer.median), y)
    for kind, figures in (("peer", next(iter(each.peers), None)), ("limit", each.limit), ("ours", each.ours)):
        if figures is not None:
            yield from _point(kind, figures, scale, y)
    yield _text(_said(each), EDGE, y + 4, "faint small")


def _point(kind: str, figures: Figures, scale: Scale, y: float) -> Iterator[str]:
    if kind == "ours" and figures.low > 0:
        low, high = scale(figures.low), scale(figures.high)
        yield f'<path class="ours" stroke-width="3" d="M{low:.1f} {y} H{high:.1f}"/>'
    yield _mark(kind, scale(max(figures.median, 1e-9)), y)


def _mark(kind: str, x: float, y: float) -> str:
    """Return the sign of *kind*; shape and colour differ, for eyes that do not tell colours apart."""
    match kind:
        case "limit":
            return f'<path class="limit" d="M{x:.1f} {y - 6} l6 6 l-6 6 l-6 -6 z"/>'
        case "ours":
            return f'<circle class="ours" cx="{x:.1f}" cy="{y}" r="6"/>'
        case "peer":
            return f'<rect class="peer" x="{x - 5:.1f}" y="{y - 5}" width="10" height="10"/>'
        case _:
            return f'<circle class="other" cx="{x:.1f}" cy="{y}" r="3.5"/>'


def _said(each: Measured) -> str:
    best = next(iter(each.peers), None)
    parts = [
        f"{name} {shown(figures.median, each.row)}"
        for name, figures in (
            ("authflow", each.ours),
            ("by hand", each.limit),
            (TITLES[best.program] if best else "", best),
        )
        if figures is not None
    ]
    return " · ".join(parts)


def _text(text: str, x: float, y: float, style: str, *, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
