"""``authflow machines``: every machine, in three forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from authflow.cli import main
from authflow.cli.layout import WIDTH
from authflow.cli.machines import discover

if TYPE_CHECKING:
    from authflow.machine import Machine

MACHINES: Final = list(discover().values())


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["machines", *arguments]) == 0
    return capsys.readouterr().out


def test_each_is_found_by_the_name_of_its_module():
    assert {f"authflow.{machine.name}" for machine in MACHINES} == set(discover())
    assert {"authflow.mfa.enrollment", "authflow.journey.post_flow"} < set(discover())


def test_all_machines_are_printed(capsys: pytest.CaptureFixture[str]):
    lines = shown(capsys).splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == [machine.name for machine in MACHINES]


def test_text_keeps_to_its_width(capsys: pytest.CaptureFixture[str]):
    assert [line for line in shown(capsys).splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_text_names_every_edge(machine: Machine[object, object, object], capsys: pytest.CaptureFixture[str]):
    words = shown(capsys, machine.name)
    state = command = ""
    said = set[tuple[str, str, str]]()
    for line in words.splitlines():
        if line.startswith("  ") and not line.startswith("   "):
            state = line.strip()
        elif line.startswith("    ") and line[4] != " ":
            command = line.split()[0]
        elif line.strip().startswith("-> "):
            said |= {(state, command, target) for target in line.strip().removeprefix("-> ").split(", ")}
    assert said == {(e.state.__name__, e.command.__name__, e.target.__name__) for e in machine.edges()}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_markdown_is_the_table_and_the_diagram(
    machine: Machine[object, object, object], capsys: pytest.CaptureFixture[str]
):
    page = shown(capsys, machine.name, "--format", "markdown")
    assert machine.table() in page
    assert f"```mermaid\n{machine.mermaid()}\n```" in page


def test_mermaid_is_every_diagram(capsys: pytest.CaptureFixture[str]):
    text = shown(capsys, "--format", "mermaid")
    assert text == "\n\n".join(f"%% {machine.name}\n{machine.mermaid()}" for machine in MACHINES) + "\n"


def test_an_unknown_machine_is_a_usage_error_that_names_the_known_ones(capsys: pytest.CaptureFixture[str]):
    assert main(["machines", "mfa.nothing"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert [machine.name for machine in MACHINES if machine.name not in said.err] == []
