"""``python -m benchmarks compare`` and ``python -m benchmarks growth``; each says with ``--help`` what it takes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from benchmarks import chart, growth, pages, report
from benchmarks.environments import ROOT, cached
from benchmarks.rows import ROWS
from benchmarks.running import FULL, QUICK, bench, measure, progress


def main() -> None:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    _compare_arguments(commands.add_parser("compare", help="peers, the limit by hand, and authflow beside each other"))
    _growth_arguments(commands.add_parser("growth", help="what a flow costs among more and more rows"))
    options = parser.parse_args()
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
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.set_defaults(run=_grow)


def _shared_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="where authflow is imported from")
    parser.add_argument("--synchronous", default="NORMAL", choices=["NORMAL", "FULL"], help="SQLite's, for everybody")
    parser.add_argument("--docs", action="store_true", help="put the figures into docs/performance.md")


def _compare(options: argparse.Namespace) -> None:
    effort = QUICK if options.quick else FULL
    wanted = [row for row in ROWS if options.only is None or row.name in options.only]
    measured = []
    with bench(source=options.source.resolve(), synchronous=options.synchronous) as opened:
        for row in wanted:
            progress(row.label)
            measured.append(report.Measured(row=row, figures=measure(opened, row, effort)))
        about = _about(options, opened.databases.about, rounds=effort.rounds, versions=opened.versions)
    text, drawing = report.markdown(measured), chart.svg(measured)
    print(text)
    kept = options.json or cached() / "compare.json"
    kept.write_text(json.dumps(report.document(measured, about), indent=1), "utf-8")
    (options.svg or cached() / "compare.svg").write_text(drawing, "utf-8")
    if options.docs:
        pages.put("compared", f"{_said(about)}\n\n{text}")
        pages.DRAWING.write_text(drawing, "utf-8")


def _grow(options: argparse.Namespace) -> None:
    with bench(source=options.source.resolve(), synchronous=options.synchronous) as opened:
        grown = [growth.grow(opened, database, options.sizes) for database in options.databases]
        about = _about(options, opened.databases.about, rounds=growth.ROUNDS, versions=opened.versions)
    text = "\n\n".join(grown)
    print(text)
    if options.docs:
        pages.put("grown", f"{_said(about)}\n\n{text}")


def _about(options: argparse.Namespace, server: str, *, rounds: int, versions: dict[str, str]) -> dict[str, Any]:
    git = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # a literal
    return {
        "commit": found.stdout.strip(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "synchronous": options.synchronous,
        "postgresql": server,
        "rounds": rounds,
        "versions": dict(sorted(versions.items())),
    }


def _said(about: dict[str, Any]) -> str:
    """Return in a paragraph where the figures come from."""
    server = about["postgresql"].partition("PostgreSQL ")[2].partition(" ")[0]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"Medians of {about['rounds']} interleaved rounds on {about['cores']} shared cores; CPython {about['python']}, "
        f"SQLite {about['sqlite']} (WAL, synchronous={about['synchronous']}), PostgreSQL {server} on a local socket "
        f"(fsync on); at commit {about['commit']}. {versions}."
    )


if __name__ == "__main__":
    main()
