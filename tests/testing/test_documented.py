"""Everything public in `authflow.testing` stands on the page that a host reads, and is used by a test of ours."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from authflow.testing.faults import LOSSES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "testing.md").read_text("utf-8")

INSIDE: Final = {"Points"}
"""What one module of the harness lends another."""

BY_TABLE: Final = {loss.__name__ for losses in LOSSES.values() for loss in losses}
"""What a test gets from `losses`, for the database that it runs on."""


def defined() -> Iterator[tuple[type[ast.AST], str]]:
    """Yield the functions and classes of the harness's modules; its packages are described as a whole."""
    for file in sorted((ROOT / "src" / "authflow" / "testing").glob("*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                yield type(node), node.name


def imported() -> Iterator[str]:
    """Yield what our tests take from the harness."""
    for file in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("authflow.testing"):
                yield from (name.name for name in node.names)


@pytest.mark.parametrize("name", sorted({name for _, name in defined()} - INSIDE))
def test_it_stands_on_the_page(name: str):
    assert re.search(rf"\b{name}\b", PAGE)


def test_every_function_is_used_in_a_test():
    """Classes come back from them."""
    functions = {name for kind, name in defined() if kind is ast.FunctionDef}
    assert functions - BY_TABLE - set(imported()) == set()
