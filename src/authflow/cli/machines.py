"""``authflow machines``: print every state machine of the library, as text, Markdown or Mermaid."""

from __future__ import annotations

import importlib
import inspect
import re
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import authflow
from authflow.cli.command import Command
from authflow.cli.layout import columns, wrapped

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Mapping

    from authflow.machine import Machine, Row

    AnyMachine = Machine[Any, Any, Any]
    AnyRow = Row[Any, Any, Any]

PACKAGE: Final = Path(authflow.__file__).parent


def discover() -> dict[str, AnyMachine]:
    """Return every machine of the library by the name of its module. Only modules that hold one are imported."""
    files = (f for f in sorted(PACKAGE.rglob("*.py")) if re.search(r"^MACHINE\b", f.read_text("utf-8"), re.MULTILINE))
    names = [".".join(["authflow", *f.relative_to(PACKAGE).with_suffix("").parts]) for f in files]
    return {name: importlib.import_module(name).MACHINE for name in names}


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="only this machine, such as mfa.enrollment")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: %(default)s")
    parser.set_defaults(run=partial(_run, parser))


def _run(parser: ArgumentParser, options: Namespace) -> int:
    found = discover()
    known = [machine.name for machine in found.values()]
    if options.name is not None and options.name not in known:
        parser.error(f"no machine is called {options.name!r}: choose from {', '.join(known)}")
    chosen = {module: machine for module, machine in found.items() if options.name in {None, machine.name}}
    print("\n\n".join(FORMATS[options.format](module, machine) for module, machine in chosen.items()))
    return 0


def _text(module: str, machine: AnyMachine) -> str:
    """One block per state: each command, what decides it, and where it leads."""
    parts = [machine.name, wrapped(_sentence(importlib.import_module(module)), indent="  ")]
    for state, rows in groupby(machine.rows, key=lambda row: row.state.__name__):
        parts += [f"\n  {state}", columns([line for row in rows for line in _lines(row)], indent="    ")]
    return "\n".join(parts)


def _lines(row: AnyRow) -> list[tuple[str, str]]:
    targets = ", ".join(target.__name__ for target in row.targets)
    return [(row.command.__name__, _sentence(row.rule)), ("", f"-> {targets}")]


def _markdown(module: str, machine: AnyMachine) -> str:
    diagram = f"```mermaid\n{machine.mermaid()}\n```"
    return "\n\n".join([f"## {machine.name}", _sentence(importlib.import_module(module)), diagram, machine.table()])


def _mermaid(_module: str, machine: AnyMachine) -> str:
    return f"%% {machine.name}\n{machine.mermaid()}"


def _sentence(thing: object) -> str:
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


FORMATS: Final[Mapping[str, Callable[[str, AnyMachine], str]]] = {
    "text": _text,
    "markdown": _markdown,
    "mermaid": _mermaid,
}

COMMAND: Final = Command(
    name="machines",
    summary="print the state machines of the library",
    described="Print every state machine of the library, or one: its table, or its diagram in Mermaid.",
    arguments=_arguments,
)
