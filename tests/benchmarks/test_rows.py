"""The table of what is measured names programs and pins that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import benchmarks
from benchmarks.rows import PROGRAMS, ROWS

FOLDER: Final = Path(benchmarks.__file__).parent


def test_every_program_has_a_module_and_pins():
    modules = {file.stem for file in (FOLDER / "programs").glob("*.py")} - {"__init__", "growth"}
    pins = {file.stem for file in (FOLDER / "requirements").glob("*.txt")} - {"server"}
    assert modules == pins == {program.name for program in PROGRAMS}


def test_every_pin_is_exact():
    lines = [line for file in (FOLDER / "requirements").glob("*.txt") for line in file.read_text("utf-8").splitlines()]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9a-z.]+", line)] == []


def test_a_row_is_measured_once_on_each_database():
    names = [(row.name, row.database) for row in ROWS]
    assert len(names) == len(set(names))
