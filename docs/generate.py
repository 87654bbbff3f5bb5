"""Write the pages that are read from the code: one per machine, table and code, every fact.

``python docs/generate.py`` writes them; with ``--check`` it writes nothing and fails when one is stale.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from codes import code_pages  # these four are beside this script
from pieces import cells, code, described, page, prose, sentence
from reference import reference_pages
from tables import table_pages

from authflow.cli.machines import discover
from authflow.facts.table import RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from authflow.facts.table import Records
    from authflow.machine import Fact, Machine

DOCS: Final = Path(__file__).parent
GENERATED: Final = ("machines", "reference", "errors", "tables")


# --- pages ----------------------------------------------------------------------------------------------------------


def machine_page(module: str, machine: Machine[Any, Any, Any]) -> str:
    """Return the page of one machine: diagram, table, and what its states, commands and rules say."""
    rules = dict.fromkeys(row.rule for row in machine.rows)
    return page(
        f"# {machine.name}",
        prose(importlib.import_module(module)),
        f"Defined in `{module}`. What stands in no row is illegal and changes nothing.",
        f"```mermaid\n{machine.mermaid()}\n```",
        "## Table",
        machine.table(),
        "## States",
        *(described(state) for state in machine.states()),
        "## Commands",
        *(described(command) for command in machine.commands()),
        "## Rules",
        *(f"### {rule.__name__}\n\n{prose(rule)}" for rule in rules),
    )


def machines_page(found: Iterable[Machine[Any, Any, Any]]) -> str:
    """Return the page that lists all machines."""
    rows = [
        cells(f"[{m.name}]({m.name}.md)", len(m.states()), len(m.commands()), len(list(m.edges())))
        for m in sorted(found, key=lambda machine: machine.name)
    ]
    names = [row.partition("[")[2].partition("]")[0] for row in rows]
    return page(
        "# Machines",
        "Every flow of the library is one of these tables. `authflow machines` prints them as well.",
        "\n".join(["| machine | states | commands | edges |", "|---|---|---|---|", *rows]),
        "\n".join(["```{toctree}", ":hidden:", "", *names, "```"]),
    )


def fact_row(fact: type[Fact], row: Records) -> str:
    """Return one line of the table of facts."""
    leaving = ", ".join(f"`{name}`" for name in row.fields) or "-"
    told = row.message or row.signal
    return cells(
        f"`{fact.__name__}`",
        sentence(fact),
        row.about.value,
        code(row.audit and row.audit.value),
        code(told and told.name.lower()),
        code(row.mail and row.mail.value) + (f" with the sealed `{row.secret}`" if row.secret else ""),
        leaving,
    )


def facts_page() -> str:
    """Return the page of all facts: what each leaves behind, by slice."""
    blocks: list[str] = []
    for module in dict.fromkeys(fact.__module__ for fact in RECORDS):
        rows = [fact_row(fact, row) for fact, row in RECORDS.items() if fact.__module__ == module]
        head = cells("fact", "what happened", "about", "audit entry", "message or signal", "mail", "fields that leave")
        blocks += [f"## {module.rpartition('.')[2]}", sentence(importlib.import_module(module))]
        blocks.append("\n".join([head, "|---" * 7 + "|", *rows]))
    return page(
        "# Facts",
        "What a step reports is a fact. This table says what each leaves behind in the commit of its command: "
        "an audit entry, a message or signal in the outbox, a mail. No other field of a fact leaves the command.",
        *blocks,
    )


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    found = discover()
    return {
        DOCS / "machines" / "index.md": machines_page(found.values()),
        **{DOCS / "machines" / f"{m.name}.md": machine_page(module, m) for module, m in found.items()},
        DOCS / "reference" / "facts.md": facts_page(),
        **code_pages(),
        **reference_pages(),
        **table_pages(DOCS),
    }


def stale(wanted: dict[Path, str]) -> list[Path]:
    """Return the pages that are missing, different, or of something that is gone."""
    standing = {file: file.read_text("utf-8") for folder in GENERATED for file in (DOCS / folder).glob("*.md")}
    return sorted(file for file in wanted.keys() | standing.keys() if wanted.get(file) != standing.get(file))


def write(wanted: dict[Path, str], files: Iterable[Path]) -> None:
    """Write or delete *files*, so that what stands is what is *wanted*."""
    for file in files:
        if file not in wanted:
            file.unlink()
            continue
        file.parent.mkdir(exist_ok=True)
        file.write_text(wanted[file], "utf-8")


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` only tell which are stale; return the exit status."""
    wanted = pages()
    files = stale(wanted)
    for file in files:
        print(file.relative_to(DOCS.parent))
    if "--check" not in arguments:
        write(wanted, files)
        return 0
    if files:
        print("stale: run `python docs/generate.py`")
    return int(bool(files))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
