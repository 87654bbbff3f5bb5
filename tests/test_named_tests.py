"""Pages that say which test holds what name tests that exist."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = ("security-rows", "invariants", "threat-model")
NAMED: Final = re.compile(r"`([^`]+)`")


@cache
def cases_of(file: Path) -> frozenset[str]:
    """Return the names of the test functions of *file*, those in classes included."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    functions = (node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in functions if name.startswith("test_"))


def sources(where: str) -> list[Path]:
    """Return the files of a path or a module that a page names; none if there is none."""
    if where.startswith("authflow."):
        found = find_spec(where)
        return [Path(found.origin)] if found is not None and found.origin else []
    path = ROOT / where
    return sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.is_file() else []


def named(cell: str) -> Iterator[tuple[str, str | None]]:
    """Yield where the tests of one *cell* are, and their names; a name alone is in the file named before it."""
    where = ""
    for text in NAMED.findall(cell):
        file, found, test = text.partition("::")
        if file.startswith(("tests/", "authflow.testing")):
            where = file
            yield where, test or None
        elif found or text.startswith("test_"):
            yield where, test or text


def claims(page: str) -> list[tuple[str, str | None]]:
    rows = [line for line in (ROOT / "docs" / f"{page}.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    return [claim for row in rows for claim in named(row.rstrip(" |").rpartition(" | ")[2])]


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str):
    found = claims(page)
    assert len(found) > 20
    missing = [
        (where, test)
        for where, test in found
        if not (files := sources(where))
        or (test is not None and not any(fnmatch(name, test) for file in files for name in cases_of(file)))
    ]
    assert missing == []


def test_every_flaw_has_a_test():
    rows = [row for row in (ROOT / "docs" / "security-rows.md").read_text("utf-8").splitlines() if row.startswith("| ")]
    tables = [row for row in rows if not row.startswith(("| flaw", "|---"))]
    assert len(tables) > 40
    assert [row for row in tables if not list(named(row.rstrip(" |").rpartition(" | ")[2]))] == []


def test_a_name_of_no_test_is_found():
    cell = "`tests/test_named_tests.py::test_gone`, `::test_a_name_of_no_test_is_found`, `authflow.testing`: `test_x`"
    here = "tests/test_named_tests.py"
    assert list(named(cell)) == [
        (here, "test_gone"),
        (here, "test_a_name_of_no_test_is_found"),
        ("authflow.testing", None),
        ("authflow.testing", "test_x"),
    ]
    assert "test_gone" not in cases_of(ROOT / here)
