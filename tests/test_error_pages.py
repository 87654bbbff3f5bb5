"""What the pages of codes are made from is what the library does: its tables, its gates, and how it refuses."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, Final

import authflow
from authflow.cli.machines import discover
from authflow.errors import CATALOGUE, InputInvalid
from authflow.integrations._shared import Problem
from authflow.values import Refused
from tests.explained import DECIDED, Refusals
from tests.integrations.driven import ERRORS
from tests.test_architecture import exceptions

DOCS: Final = Path(__file__).parents[1] / "docs"
ANSWERED: Final[dict[str, list[str]]] = json.loads((DOCS / "answered.json").read_text("utf-8"))
EXPLAINED: Final[list[dict[str, Any]]] = json.loads((DOCS / "explained.json").read_text("utf-8"))


def test_every_row_that_is_named_stands_in_a_table():
    rows = {
        (machine.name, row.state.__name__, row.rule.__name__.lstrip("_"))
        for machine in discover().values()
        for row in machine.rows
    }
    named = {(e["machine"], e["state"], e["rule"]) for e in EXPLAINED if e["machine"] and not e["gate"]}
    assert named - rows == set()


def test_every_gate_that_is_named_is_a_function():
    sources = [file.read_text("utf-8") for file in Path(authflow.__file__).parent.rglob("*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    functions = {node.name.lstrip("_") for node in nodes if isinstance(node, ast.FunctionDef)}
    assert {entry["gate"] for entry in EXPLAINED if entry["gate"]} - functions == set()


def test_codes_and_commands_are_those_that_there_are():
    assert {entry["code"] for entry in EXPLAINED} <= set(CATALOGUE)
    commands = {command for named in ANSWERED.values() for command in named}
    assert {entry["command"] for entry in EXPLAINED} - commands == set()


def test_nothing_is_named_twice_and_everything_in_order():
    """As ``tests/explained.py`` writes it."""
    assert Refusals().merged(EXPLAINED) == EXPLAINED
    keys = [tuple(entry[name] for name in DECIDED) for entry in EXPLAINED]
    assert len(keys) == len(set(keys))


def test_every_code_has_a_page_that_the_list_links_to():
    listed = (DOCS / "reference" / "errors.md").read_text("utf-8")
    assert [code for code in CATALOGUE if f"(../errors/{code}.md)" not in listed] == []
    assert {page.stem for page in (DOCS / "errors").glob("*.md")} == set(CATALOGUE)


def shown(code: str) -> Any:
    """Return what the page of *code* says a client is told."""
    page = (DOCS / "errors" / f"{code}.md").read_text("utf-8")
    return json.loads(page.partition("```json\n")[2].partition("```")[0])


def test_a_client_is_told_what_the_integrations_answer():
    raised = {exception.code for exception in exceptions()}
    answers = [Refused(code=code) for code in CATALOGUE if code not in raised]
    errors = [error for error in ERRORS.values() if not isinstance(error, InputInvalid)]  # it has a problem to tell
    assert [said.code for said in (*answers, *errors) if shown(said.code) != Problem.of(said).body] == []
