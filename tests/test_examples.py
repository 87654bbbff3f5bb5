"""Examples are tests: the doctests of the library and the Python blocks of every page, each file from its beginning."""

from __future__ import annotations

from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.myst import DocTestDirectiveParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

ROOT: Final = Path(__file__).parents[1]
ELSEWHERE: Final = {"_build", "embedding"}
"""What was built from the pages, and guides that are whole apps: integrations/test_guides.py runs them."""

OPTIONS: Final = ELLIPSIS | NORMALIZE_WHITESPACE

DOCSTRINGS: Final = Sybil(
    parsers=[DocTestParser(optionflags=OPTIONS)],
    path=str(ROOT),
    pattern="**/*.py",
    document_types={".py": PythonDocStringDocument},
)
PAGES: Final = Sybil(
    parsers=[
        DocTestDirectiveParser(optionflags=OPTIONS),
        PythonCodeBlockParser(doctest_optionflags=OPTIONS),
        SkipParser(),
    ],
    path=str(ROOT),
    pattern="**/*.md",
)


def run(sybil: Sybil, path: str) -> int:
    """Run the examples of one file in their order, each with the names of those before it; return how many ran.

    An app keeps its engine as long as it runs; here it is closed behind the page.
    """
    document = sybil.parse(ROOT / path)
    examples = list(document.examples())
    for example in examples:
        example.evaluate()
    for engine in document.namespace.values():
        if isinstance(engine, sa.Engine):
            engine.dispose()
    return len(examples)


def files(pattern: str, mark: str) -> list[str]:
    """Return the files of *pattern* that have an example, known by its *mark*."""
    found = (file for file in sorted(ROOT.glob(pattern)) if mark in file.read_text("utf-8"))
    return [file.relative_to(ROOT).as_posix() for file in found if not ELSEWHERE & set(file.parts)]


@pytest.mark.parametrize("path", files("src/authflow/**/*.py", ">>> "))
def test_the_examples_of_a_module_run(path: str):
    assert run(DOCSTRINGS, path)


@pytest.mark.parametrize("path", ["README.md", *files("docs/**/*.md", "```python")])
def test_the_examples_of_a_page_run(path: str):
    assert run(PAGES, path)
