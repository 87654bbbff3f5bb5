"""``python -m benchmarks compare`` and ``python -m benchmarks growth``; each says with ``--help`` what it takes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import chart, growth, pages, report
from benchmarks.environments import ROOT, cached
from benchmarks.rows import DATABASES, ROWS
from benchmarks.running import FULL, QUICK, bench, measure, progress

if TYPE_CHECKING:
    from benchmarks.running import Bench

IDLE: Final = 0.5
"""Below this load average a machine has nothing else to do."""


def main() -> None:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _compare_arguments(commands.add_parser("compare", help="peers, the limit by hand, and authflow beside each other"))
    _growth_arguments(commands.add_parser("growth", help="what a flow costs among more and more rows"))
    options = parser.parse_args()
    if options.docs and getattr(options, "only", None):
        parser.error("--docs needs every row: leave --only away")
    if options.docs and set(getattr(options, "databases", DATABASES)) != set(DATABASES):
        parser.error("--docs needs every database: leave --databases away")
    options.run(options)


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    _shared_arguments(parser)
    parser.add_argument("--quick", action="store_true", help="few short rounds: to see whether it runs")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="names of rows, such as enroll")
    parser.add_argument("--json", type=Path, help="where every round is written, .benchmarks/compare.json by default")
    parser.add_argument("--svg", type=Path, help="where the drawing is written, .benchmarks/compare.svg by default")
    parser.set_defaults(run=_compare)


def _growth_arguments(parser: argparse.ArgumentParser) -> None:
    _shared_arguments(parser)
    parser.add_argument(
        "--sizes", nargs="+", type=int, default=[1_000, 10_000, 100_000, 1_000_000], help="rows of each kind"
    )
    parser.add_argument("--databases", nargs="+", default=[*DATABASES], choices=[*DATABASES])
    parser.set_defaults(run=_grow)


def _shared_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="where authflow is imported from")
    parser.add_argument("--synchronous", default="NORMAL", choices=["NORMAL", "FULL"], help="SQLite's, for everybody")
    parser.add_argument("--rounds", type=int, help="how often each row is measured; fewer are quicker, and less sure")
    parser.add_argument("--docs", action="store_true", help="put the figures into docs/performance.md")


def _compare(options: argparse.Namespace) -> None:
    effort, load = QUICK if options.quick else FULL, os.getloadavg()[0]
    effort = replace(effort, rounds=options.rounds or effort.rounds)
    wanted = [row for row in ROWS if options.only is None or row.name in options.only]
    measured = []
    with bench(source=options.source.resolve(), synchronous=options.synchronous) as opened:
        for row in wanted:
            progress(row.label)
            measured.append(report.Measured(row=row, figures=measure(opened, row, effort)))
        about = _about(options, opened, rounds=effort.rounds, load=load)
    text, drawing = report.markdown(measured), chart.svg(measured)
    print(text)
    kept = options.json or cached() / "compare.json"
    kept.write_text(json.dumps(report.document(measured, about), indent=1), "utf-8")
    (options.svg or cached() / "compare.svg").write_text(drawing, "utf-8")
    if options.docs:
        pages.put("compared", f"{_said(about)}\n\n{text}")
        pages.DRAWING.write_text(drawing, "utf-8")


def _grow(options: argparse.Namespace) -> None:
    load, rounds = os.getloadavg()[0], options.rounds or growth.ROUNDS
    with bench(source=options.source.resolve(), synchronous=options.synchronous) as opened:
        grown = [growth.grow(opened, database, options.sizes, rounds) for database in options.databases]
        about = _about(options, opened, rounds=rounds, load=load)
    text = "\n\n".join(grown)
    print(text)
    if options.docs:
        pages.put("grown", f"{_said(about)}\n\n{text}")


def _about(options: argparse.Namespace, opened: Bench, *, rounds: int, load: float) -> dict[str, Any]:
    """Return where and how was measured; *load* is what the machine did before."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # a literal
    return {
        "commit": found.stdout.strip(),
        "cores": os.cpu_count(),
        "load": round(load, 1),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "synchronous": options.synchronous,
        "postgresql": opened.databases.about,
        "rounds": rounds,
        "versions": dict(sorted(opened.versions.items())),
    }


def _said(about: dict[str, Any]) -> str:
    """Return in a paragraph where the figures come from."""
    server = about["postgresql"].partition("PostgreSQL ")[2].partition(" ")[0]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    others = "shared with other work" if about["load"] >= IDLE else "with nothing else to do"
    return (
        f"Medians of {about['rounds']} interleaved rounds. The machine: {about['cores']} {about['machine']} cores, "
        f"{others} (load average {about['load']} before the run). CPython {about['python']}, "
        f"SQLite {about['sqlite']} (WAL, synchronous={about['synchronous']}), PostgreSQL {server} on a local socket "
        f"(fsync on); at commit {about['commit']}. {versions}."
    )


if __name__ == "__main__":
    main()
