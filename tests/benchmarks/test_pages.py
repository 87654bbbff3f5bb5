"""The figures of a run stand between two marks of a page, or the page stays as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.pages import PAGE, put

BEFORE = "Above.\n\n<!-- grown -->\n\nold\n\n<!-- end of grown -->\n\nBelow.\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(BEFORE, "utf-8")
    return file


def test_only_the_block_is_replaced(page: Path):
    put("grown", r"new \1", page)
    assert page.read_text("utf-8") == BEFORE.replace("old", r"new \1")
    assert list(page.parent.iterdir()) == [page]


def test_a_page_without_the_block_is_left_alone(page: Path):
    with pytest.raises(ValueError, match="compared"):
        put("compared", "new", page)
    assert page.read_text("utf-8") == BEFORE


def test_whoever_is_interrupted_leaves_the_page_as_it_was(page: Path, monkeypatch: pytest.MonkeyPatch):
    whole = Path.write_text

    def interrupted(self: Path, text: str, *more: str) -> int:
        whole(self, text[:20], *more)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put("grown", "new", page)
    assert page.read_text("utf-8") == BEFORE


@pytest.mark.parametrize("part", ["compare --only enroll", "growth --databases sqlite"])
def test_a_part_of_the_figures_does_not_replace_all_of_them(
    part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    before = PAGE.read_text("utf-8")
    monkeypatch.setattr(sys, "argv", ["benchmarks", *part.split(), "--docs"])
    with pytest.raises(SystemExit):
        main()
    assert f"leave {part.split()[1]} away" in capsys.readouterr().err
    assert PAGE.read_text("utf-8") == before
