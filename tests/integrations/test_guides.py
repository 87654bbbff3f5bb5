"""The embedding guides work as they stand: each in an empty folder, its app in one file, in processes of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = ROOT / "docs" / "embedding"
FILE = re.compile(r"# (\w+\.py)\n")
"""With what a block begins that is a file of the reader's."""

DONE_HERE = ("authflow ", "flask --app app init-db", "python app.py ")
"""With what a line begins that a test runs, too. The others install, or serve until they are stopped."""


def blocks(guide: Path) -> list[tuple[str, str]]:
    """Return the code of a guide as (language, text), in its order."""
    return re.findall(r"^```(python|sh)\n(.*?)^```$", guide.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(folder: Path, language: str, text: str) -> list[list[str]]:
    """Return what one block means: a file to write, lines for a shell, or Python that walks through the app."""
    if language == "sh":
        lines = [line.partition("  #")[0] for line in text.splitlines() if line.startswith(DONE_HERE)]
        return [line.split() for line in lines]
    if named := FILE.match(text):
        (folder / named[1]).write_text(text, "utf-8")
        return []
    return [[sys.executable, "-c", text]]


def walk(name: str, folder: Path) -> list[list[str]]:
    """Do in an empty *folder* what the guide *name* says; return the commands, all of which succeeded."""
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": scripts, "SECRET_KEY": "of-the-test", "PYTHONDONTWRITEBYTECODE": "1"}
    found = blocks(GUIDES / f"{name}.md")
    ran = [command for language, text in found for command in commands(folder, language, text)]
    for command in ran:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert ran[-1][0] == sys.executable
    return ran


@pytest.mark.parametrize("name", ["flask", "fastapi", "django"])
def test_a_guide_works_as_it_stands(name: str, tmp_path: Path):
    ran = walk(name, tmp_path)
    assert (tmp_path / "app.py").exists()
    assert ["authflow", "keys"] in [command[:2] for command in ran]


@pytest.mark.parametrize(("name", "file"), [("invitations", "invitations.py"), ("single-sign-on", "single_sign_on.py")])
def test_a_page_of_routes_works_as_it_stands(name: str, file: str, tmp_path: Path):
    walk(name, tmp_path)
    assert (tmp_path / file).exists()
