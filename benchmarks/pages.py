"""Puts the figures of a run into the page of the docs, between two marks that name the block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from benchmarks.environments import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = ROOT / "docs" / "performance.md"
DRAWING: Final = ROOT / "docs" / "performance.svg"


def put(block: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between the marks of *block*; whoever is interrupted leaves the page as it was.

    Raises:
        ValueError: The page has no such marks.
    """
    marks = f"<!-- {block} -->", f"<!-- end of {block} -->"
    pattern = re.compile(f"{re.escape(marks[0])}.*{re.escape(marks[1])}", re.DOTALL)
    written, found = pattern.subn(lambda _match: f"{marks[0]}\n\n{text}\n\n{marks[1]}", page.read_text("utf-8"))
    if not found:
        msg = f"{page.name} has no block {block}"
        raise ValueError(msg)
    whole = page.with_suffix(".new")
    whole.write_text(written, "utf-8")
    whole.replace(page)
