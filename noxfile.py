"""Everything that is checked, by name: ``nox`` runs it all, ``nox -s tests-3.12`` one of them."""

from __future__ import annotations

import re
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False  # a machine with one Python tests that one; CI has them all

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = ["3.11", "3.12", "3.13"]
PACKAGE = Path("src/authflow")


def install(session: nox.Session, *groups: str) -> None:
    """Install the library, editable, with dependency *groups* of pyproject.toml."""
    session.install("-q", *nox.project.dependency_groups(PROJECT, *groups), "-e", ".")


def machines() -> list[str]:
    """Return the files that hold a machine."""
    return [str(f) for f in PACKAGE.rglob("*.py") if re.search(r"^MACHINE\b", f.read_text("utf-8"), re.MULTILINE)]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and the import directions."""
    install(session, "test")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types with mypy strict and pyright strict."""
    install(session, "test")
    session.run("mypy")
    session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the whole suite and show what it did not reach; every branch of every machine is reached."""
    install(session, "test")
    session.run("coverage", "erase")
    session.run("pytest", "-q", "-n", "2", "--dist", "worksteal", "--cov", "--cov-report=", *session.posargs)
    session.run("coverage", "report")
    session.run("coverage", "report", "--fail-under=100", f"--include={','.join(machines())}")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages; a warning or a stale generated page is an error."""
    install(session, "test", "docs")
    session.run("python", "docs/generate.py", "--check")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "docs/_build/html")


@nox.session
def demo(session: nox.Session) -> None:
    """Play the whole post flow on a fresh SQLite file."""
    session.install("-q", "-e", ".[sql,qr]")
    session.run("authflow", "demo", *session.posargs)


@nox.session(default=False)  # it takes minutes, and wants the machine for itself
def bench(session: nox.Session) -> None:
    """Measure the library beside its peers; each gets an environment of its own in .benchmarks."""
    session.run("python", "-m", "benchmarks", "compare", *session.posargs)


@nox.session(default=False)  # as above
def mutants(session: nox.Session) -> None:
    """Make mistakes in the decisions and in the single-use SQL; at least 95 of 100 must be noticed."""
    install(session, "test")
    session.run("python", "-m", "tests.mutants", *session.posargs)


@nox.session(default=False)  # it takes hours: everything that the suite does a hundred times, ten times as often
def nightly(session: nox.Session) -> None:
    """Crash every flow on every database, and lose, race and repeat as often as is promised."""
    install(session, "test")
    session.run(
        *("pytest", "-q", "-n", "2", "-o", "timeout=7200", "tests/stories", *session.posargs),
        env={"AUTHFLOW_NIGHTLY": "true"},
    )
