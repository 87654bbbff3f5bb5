"""The rules of the house that no type checker knows: who may import what, how long things are, what is current."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import importlinter.api  # noqa: F401  # importing it registers the readers that lint_imports needs
import pytest
from importlinter.application.use_cases import lint_imports

import authflow
from authflow.errors import CATALOGUE, AuthflowError, Code
from authflow.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "src" / "authflow"
MIGRATIONS: Final = "adapters/sql/migrations/"

FUNCTION_LINES: Final = 40
"""A function fits in the eye; its docstring is not counted."""

FILE_LINES: Final = 320
"""A file reads in one sitting."""

CATALOGUES: Final = {
    "errors.py": 720,
    "ports.py": 620,
    "sso/ports.py": 340,
    "values.py": 360,
    "__init__.py": 640,
    "journey/sso/single_sign_on.py": 340,
}
"""Flat lists of small independent things, nobody reads from top to bottom: codes, ports, values, names, commands."""


PATHS: Final = sorted(file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py"))
HAND_WRITTEN: Final = [path for path in PATHS if not path.startswith(MIGRATIONS)]


@pytest.fixture(scope="module")
def sources() -> dict[str, ast.Module]:
    """Return every module of the library, parsed, by its path inside the package."""
    return {path: ast.parse((PACKAGE / path).read_text("utf-8")) for path in PATHS}


def dotted(path: str) -> str:
    return f"authflow.{path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of every module or name that *tree* imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


# --- no clock, no randomness, no environment ------------------------------------------------------------------------

AMBIENT_MODULES: Final = {"time", "uuid", "secrets", "random"}
AMBIENT_NAMES: Final = {"os.environ", "os.getenv", "os.urandom"}
AMBIENT_CALLS: Final = {"now", "utcnow", "today"}
MEASURING: Final = {"command/telemetry.py"}
"""It tells the host's logs how long a command took; nothing reads that again."""

SEEDED: Final = {"testing/faults.py"}
"""It plans faults by a seed that a test gives: the same ones in every run."""


def ambient(tree: ast.Module) -> Iterator[str]:
    """Yield every place where *tree* asks the world for the time, for randomness or for a setting."""
    for line, name in imported(tree):
        if name.partition(".")[0] in AMBIENT_MODULES or name in AMBIENT_NAMES:
            yield f"{line}: import of {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        text = ast.unparse(node)
        if text in AMBIENT_NAMES:
            yield f"{node.lineno}: {text}"
        if node.attr in AMBIENT_CALLS and ast.unparse(node.value).rpartition(".")[2] in {"datetime", "date"}:
            yield f"{node.lineno}: {text}"


def test_time_randomness_and_environment_come_through_ports(sources: dict[str, ast.Module]):
    pure = (path for path in PATHS if not path.startswith(("adapters/", "cli/", *MEASURING, *SEEDED)))
    assert [f"{path}:{place}" for path in pure for place in ambient(sources[path])] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import uuid",
        "import random as dice",
        "from secrets import token_bytes",
        "from os import environ",
        "import os; os.environ['A']",
        "import os; os.getenv('A')",
        "import os; os.urandom(16)",
        "import datetime; datetime.datetime.now()",
        "from datetime import datetime; datetime.utcnow()",
        "from datetime import date; date.today()",
    ],
)
def test_the_search_for_ambient_things_finds_them(source: str):
    assert list(ambient(ast.parse(source)))


@pytest.mark.parametrize(
    "source", ["clock.now()", "from datetime import datetime, time", "self.clock.now()", "import os; os.fspath('a')"]
)
def test_the_search_for_ambient_things_finds_nothing_else(source: str):
    assert list(ambient(ast.parse(source))) == []


# --- sizes ----------------------------------------------------------------------------------------------------------


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines *function* has from its ``def`` to its end, without its docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return whole
    docstring = function.body[0]
    return whole - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def test_functions_fit_in_the_eye(sources: dict[str, ast.Module]):
    lengths = {
        f"{path}:{node.lineno} {node.name}": length(node)
        for path in HAND_WRITTEN
        for node in ast.walk(sources[path])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_files_read_in_one_sitting():
    lengths = {path: (PACKAGE / path).read_text("utf-8").count("\n") for path in HAND_WRITTEN}
    assert {path: n for path, n in lengths.items() if n > CATALOGUES.get(path, FILE_LINES)} == {}


# --- imports --------------------------------------------------------------------------------------------------------

ROOMS: Final[dict[str, str | tuple[str, ...]]] = {
    "sqlalchemy": "adapters/sql/",
    "alembic": "adapters/sql/",
    "psycopg": ("adapters/sql/", "testing/faults.py"),
    "django": "integrations/django/",
    "flask": "integrations/flask.py",
    "starlette": "integrations/starlette.py",
    "opentelemetry": "command/telemetry.py",
    "httpx2": ("adapters/providers/fetcher.py", "cli/demo/"),
    "httpcore2": "adapters/providers/fetcher.py",
    "joserfc": "adapters/providers/signatures.py",
    "lxml": ("adapters/providers/saml", "testing/saml"),
    "xmlsec": ("adapters/providers/saml", "testing/saml"),
    "onelogin": ("adapters/providers/saml", "testing/saml"),
    "hypothesis": "testing/",
    "pytest": "testing/",
}
"""Where an optional library may be imported, and nowhere else."""

HEAVY: Final = {
    "ssl",
    "asyncio",
    "sqlite3",
    "sqlalchemy",
    "lxml",
    "cryptography",
    "opentelemetry",
    "httpx2",
    "joserfc",
}


def test_right_imports_left_only(capsys: pytest.CaptureFixture[str]):
    kept = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None, no_logo=True)
    assert kept, capsys.readouterr().out


def test_optional_libraries_stay_in_their_rooms(sources: dict[str, ast.Module]):
    uses = [(path, line, name.partition(".")[0]) for path, tree in sources.items() for line, name in imported(tree)]
    assert [use for use in uses if not use[0].startswith(ROOMS.get(use[2], ""))] == []


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after *statement*."""
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_authflow_loads_nothing_heavy():
    assert loaded_by("import authflow") & HEAVY == set()


def test_the_search_for_heavy_modules_finds_them():
    assert loaded_by("import sqlite3, ssl") >= {"sqlite3", "ssl"}


def test_public_names_exist():
    names = getattr(authflow, "__all__", [])
    assert [name for name in names if not hasattr(authflow, name)] == []
    assert len(names) == len(set(names))


def test_the_group_of_extras_names_what_the_extras_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = {requirement for listed in project["project"]["optional-dependencies"].values() for requirement in listed}
    assert set(project["dependency-groups"]["extras"]) == extras


def test_no_requirement_names_the_library_itself():
    """An index would answer with whatever holds the name there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = [*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values()]
    assert [r for listed in groups for r in listed if isinstance(r, str) and r.startswith("authflow")] == []


# --- machines -------------------------------------------------------------------------------------------------------


MACHINES: Final = {
    path: importlib.import_module(dotted(path)).MACHINE
    for path in PATHS
    if re.search(r"^MACHINE\b", (PACKAGE / path).read_text("utf-8"), re.MULTILINE)
}


def test_a_machine_is_named_for_its_file():
    assert all(isinstance(machine, Machine) for machine in MACHINES.values())
    assert {f"authflow.{machine.name}": path for path, machine in MACHINES.items()} == {
        dotted(path): path for path in MACHINES
    }


def explored(path: str) -> bool:
    """Tell whether the module that tests the machine in *path* walks its whole table."""
    folder, _, name = path.rpartition("/")
    test = ROOT / "tests" / folder / f"test_{name}"
    return test.is_file() and "assert_complete(" in test.read_text("utf-8")


def test_every_machine_is_explored_completely():
    assert [path for path in MACHINES if not explored(path)] == []


def test_every_rule_says_what_it_decides():
    rules = [(path, row.rule) for path, machine in MACHINES.items() for row in machine.rows]
    assert [(path, rule.__name__) for path, rule in rules if not rule.__doc__] == []


# --- codes ----------------------------------------------------------------------------------------------------------


def exceptions(root: type[AuthflowError] = AuthflowError) -> Iterator[type[AuthflowError]]:
    for exception in root.__subclasses__():
        yield exception
        yield from exceptions(exception)


def test_every_code_has_a_meaning_and_every_meaning_a_code():
    assert list(CATALOGUE) == list(Code)


def test_codes_are_dotted():
    assert [code for code in Code if not re.fullmatch(r"[a-z_]+\.[a-z_]+", code)] == []


def test_meanings_are_sentences_and_statuses_of_refusals():
    assert [code for code in Code if not re.fullmatch(r"[A-Z].*\.", CATALOGUE[code].sentence)] == []
    assert [code for code in Code if not 400 <= CATALOGUE[code].http <= 599] == []


def test_codes_are_unique():
    assert len({str(code) for code in Code}) == len(Code.__members__)


def test_every_exception_has_a_code_of_its_own():
    named = [e.code for e in exceptions() if e.__module__.startswith("authflow.")]
    assert len(named) == len(set(named))


# --- generated pages ------------------------------------------------------------------------------------------------


def test_generated_pages_are_current():
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
