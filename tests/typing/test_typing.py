"""mypy strict and pyright strict reject exactly the marked lines of the cases beside this file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
CASES = sorted((Path(__file__).parent / "cases").glob("*.py"))
MARK = "# rejected: "


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    return done.stdout


def mypy() -> dict[Path, set[int]]:
    """Return the lines with errors, as mypy sees them under the settings that hold for the library."""
    output = run("mypy", "--output=json", "--cache-dir=/dev/null", *map(str, CASES))
    errors = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return {case: {e["line"] for e in errors if ROOT / e["file"] == case} for case in CASES}


def pyright() -> dict[Path, set[int]]:
    """Return the lines with errors, as pyright sees them under the settings that hold for the library."""
    output = run("pyright", "--outputjson", f"--pythonpath={sys.executable}", *map(str, CASES))
    errors = json.loads(output)["generalDiagnostics"]
    return {case: {e["range"]["start"]["line"] + 1 for e in errors if Path(e["file"]) == case} for case in CASES}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_checkers_reject_the_marked_lines_and_no_other(checker: Callable[[], dict[Path, set[int]]]) -> None:
    marked = {
        case: {number for number, line in enumerate(case.read_text().splitlines(), 1) if MARK in line} for case in CASES
    }
    assert all(marked.values())
    assert checker() == marked
