"""Whatever the code and its pages cite is stated on the page of decisions, for people who have nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "decisions.md"

CITATION: Final = re.compile(
    r"\b(decision|mfa|sso|outbox|outbox_events)s? (\d+(?:\.\d+)?(?:(?:,? (?:and|to) |, )\d+(?:\.\d+)?)*)"
)
"""One kind and its numbers: "decision 35", "decisions 3 and 28", "mfa 15, 18.1", "outbox 1.8 to 1.14"."""


def cited(text: str) -> Iterator[str]:
    """Yield what *text* cites; a citation may be broken over two lines of a comment."""
    for kind, numbers in CITATION.findall(re.sub(r"\s*\n\s*(?:# )?", " ", text)):
        yield from (f"{kind} {number}" for number in re.findall(r"\d+(?:\.\d+)?", numbers))


def sources() -> Iterator[Path]:
    yield from (ROOT / "src").rglob("*.py")
    yield from (path for path in (ROOT / "docs").rglob("*.md") if path != PAGE)


STATED: Final = re.findall(r"^### (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
CITED: Final = {
    citation: str(path.relative_to(ROOT)) for path in sources() for citation in cited(path.read_text("utf-8"))
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so it stays (decision 35).", ["decision 35"]),
        ("decisions 3 and 28", ["decision 3", "decision 28"]),
        ("(mfa 15, 18.1, 22; NIST 800-63B)", ["mfa 15", "mfa 18.1", "mfa 22"]),
        ("(outbox 1.8 to 1.14, decision 35)", ["outbox 1.8", "outbox 1.14", "decision 35"]),
        ("# as in decision\n    # 35", ["decision 35"]),
        ("(ASVS 6.5.5, mfa 6)", ["mfa 6"]),
    ],
)
def test_a_citation_is_found_in_every_form(text: str, found: list[str]):
    assert list(cited(text)) == found


def test_whatever_is_cited_is_stated():
    assert {citation: where for citation, where in CITED.items() if citation not in STATED} == {}


def test_each_is_stated_once_and_cited_somewhere():
    assert len(STATED) == len(set(STATED))
    assert [name for name in STATED if name not in CITED] == []
