"""Mutation testing of the decisions and of the single-use SQL: ``nox -s mutants``; `docs/mutants.md` has the figures.

Cosmic Ray makes the mutants, and three operators of our own for the ways in which guards get lost. Each mutant lives in
a forked child alone, whose import of the module is answered with the mutated source: no file is ever changed, and what
the tests import of others is loaded once, in the parent.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import gc
import importlib.abc
import importlib.util
import itertools
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import cosmic_ray.ast  # noqa: F401  # before its plugins: they import each other in a circle
import parso
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator, operator_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from parso.tree import NodeOrLeaf

ROOT: Final = Path(__file__).parents[1]
TARGETS: Final[dict[str, dict[str, Any]]] = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text("utf-8"))
PRELOADED: Final = (
    "pytest",
    "hypothesis.stateful",
    "_hypothesis_pytestplugin",
    "sqlalchemy",
    "cryptography.fernet",
    "pyotp",
    "aiosqlite",
    "anyio.pytest_plugin",
    "asyncpg",
    "pymysql",
    "pytest_timeout",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "sqlalchemy.ext.asyncio",
    "authflow.facts.table",
    "authflow.command",
)
"""What the judges import and no target changes."""

ALREADY: Final = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
UNUSED: Final = ("-p", "no:xdist", "-p", "no:cov", "-p", "no:cacheprovider", "-p", "no:unraisableexception")
PYTEST: Final = ("-q", "-x", "--no-header", "-W", ALREADY, *UNUSED, "-o", "timeout=0", "--hypothesis-profile=mutants")
SERVERLESS: Final = "not postgresql and not mariadb and not asyncpg and not psycopg"
MEMORY: Final = Path("/dev/shm")  # noqa: S108  # folders of unguessable names are made there
"""Where databases are quick, if there is such a place."""

PATIENCE: Final = 10
"""A mutant hangs when it takes that many times what the module itself takes, and `SECONDS_LEAST` at least."""

SECONDS_LEAST: Final = 20
SAME: Final = {ast.Is: ast.Eq, ast.IsNot: ast.NotEq}
SEED: Final = 3
ENOUGH: Final = 0.95
ORDERS: Final = frozenset({"Lt", "LtE", "Gt", "GtE"})
SAME_BY_NATURE: Final = frozenset(
    {
        "core/RemoveDecorator",  # @frozen, @property, @overload: either the import fails, or a type checker's matter
        "core/ExceptionReplacer",  # puts a name there that does not exist
        "core/VariableReplacer",
        "core/VariableInserter",
    }
)
ARITHMETIC: Final = frozenset(
    {"Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul", "BitOr_BitAnd", "BitAnd_BitOr"}
)
"""One replacement of each sign says as much as all eleven."""


CONDITIONS: Final = frozenset({"where", "and_", "or_"})
"""Calls that mean something with any of their arguments left out."""


# --- operators of our own -------------------------------------------------------------------------------------------


def _leaf(code: str, *, prefix: str) -> NodeOrLeaf:
    leaf = parso.parse(code).get_first_leaf()
    leaf.prefix = prefix
    return leaf


class Guarded(Operator):
    """Lose a guard: ``if refused:`` becomes ``if False:``."""

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[object, object]]:
        if node.type == "if_stmt" and node.children[1].get_code().strip() != "TYPE_CHECKING":
            yield node.children[1].start_pos, node.children[1].end_pos

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:  # noqa: ARG002  # one way for each node
        node.children[1] = _leaf("False", prefix=" ")
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("if a: b", "if False: b"),)


class Argument(Operator):
    """Lose an argument that stands by its place: ``where(mine, unused)`` becomes ``where(mine)``.

    The last, since what comes after it would move up, and a type checker would say so; any of `CONDITIONS`.
    """

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[object, object]]:
        if node.type == "arglist":
            yield from ((child.start_pos, child.end_pos) for child in self._losable(node))

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:
        lost = node.children.index(self._losable(node)[index])
        del node.children[lost : lost + 2]
        return node

    @staticmethod
    def _losable(node: NodeOrLeaf) -> list[NodeOrLeaf]:
        by_place = [n for n in node.children[::2] if n.type != "argument" or n.children[0].get_code().strip() == "*"]
        called = node.parent.get_previous_sibling().get_last_leaf().value
        return by_place if called in CONDITIONS else by_place[-1:]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("f(a, *b, c=d)", "f(a, c=d)"), Example("where(a, b)", "where(b)"))


class Statement(Operator):
    """Lose a statement: ``self.forget(user)`` becomes ``pass``."""

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[object, object]]:
        if node.type == "simple_stmt" and node.children[0].type in {"atom_expr", "power"}:
            yield node.start_pos, node.end_pos

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:  # noqa: ARG002  # as above
        node.children[0] = _leaf("pass", prefix=node.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("f(a)\n", "pass\n"),)


# --- mutants --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Mutant:
    """One mistake in one module."""

    operator: str
    source: str
    change: str


def _operators() -> Iterator[tuple[str, Operator]]:
    for name in sorted(operator_names()):
        kind, *signs = name.removeprefix("core/").split("_")
        arithmetic = kind != "ReplaceBinaryOperator" or "_".join(signs) in ARITHMETIC
        # what is compared by identity has no order, and says so
        ordered = kind != "ReplaceComparisonOperator" or signs[0] not in {"Is", "IsNot"} or signs[1] not in ORDERS
        if name not in SAME_BY_NATURE and arithmetic and ordered:
            yield name, get_operator(name)()
    yield from ((made.__name__, made()) for made in (Guarded, Argument, Statement))


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of *source* that is another program: no two alike, none that differs in types alone."""
    found = {_shape(source): Mutant(operator="none", source=source, change="")}
    tree = pickle.dumps(parso.parse(source))  # read again much faster than parsed again
    for name, operator in _operators():
        for mutated in _by_one(operator, tree):
            shape = _shape(mutated)
            if shape is not None:
                change = _change(source, mutated)
                found.setdefault(shape, Mutant(operator=name.removeprefix("core/"), source=mutated, change=change))
    return list(found.values())[1:]


def _by_one(operator: Operator, tree: bytes) -> Iterator[str]:
    for occurrence in itertools.count():
        visitor = MutationVisitor(occurrence, operator)
        mutated = visitor.walk(pickle.loads(tree))  # noqa: S301  # written above
        if not visitor.mutation_applied:
            return
        yield mutated.get_code()


def _shape(source: str) -> str | None:
    """Return *source* as a tree without what never runs: annotations, and what only a type checker imports.

    Identity and equality are one: what is compared by ``is`` here are None and the members of enumerations. Nor does it
    matter whether values may be made by place, since nobody does.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.keyword) and node.arg == "kw_only":
            node.value = ast.Constant(value=True)
        elif isinstance(node, ast.Compare):
            node.ops = [SAME.get(type(sign), type(sign))() for sign in node.ops]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.test, node.body = ast.Constant(None), []
    return ast.dump(tree)


def _change(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


# --- judging --------------------------------------------------------------------------------------------------------


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers the import of one module with another source."""

    def __init__(self, module: str, source: str) -> None:
        self._module, self._path, self._source = module, path_of(module), source

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Return how to load the module; every other import is somebody else's."""
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the other source as the module."""
        exec(compile(self._source, str(self._path), "exec"), module.__dict__)  # noqa: S102  # what a mutant is for


class Verdict(IntEnum):
    """What the judges say; the child that asked them leaves with it."""

    CONTENT = 0
    BY_TESTS = 1
    BY_VECTORS = 2
    BROKEN = 3
    """The module cannot be imported, which every test notices: such a mutant is not counted."""

    HANGS = 4


class Court:
    """Lets the tests of one module look at mutants of it, *jobs* at once, each in a child with a folder of its own."""

    def __init__(self, module: str, *, tests: str, jobs: int) -> None:
        self._module, self._tests, self._jobs = module, tests, jobs
        self._open: dict[int, tuple[int, str]] = {}
        self._verdicts: dict[int, Verdict] = {}

    def judge(self, sources: Sequence[str], *, within: float) -> list[Verdict]:
        """Return what is said about each of the *sources*, which takes at most *within* seconds each."""
        for number, source in enumerate(sources):
            if len(self._open) == self._jobs:
                self._reap()
            folder = tempfile.mkdtemp(prefix="mutant-", dir=MEMORY if MEMORY.is_dir() else None)
            child = os.fork()
            if child == 0:
                self._ask_and_leave(source, within, folder)
            self._open[child] = number, folder
        while self._open:
            self._reap()
        return [self._verdicts[number] for number in range(len(sources))]

    def _reap(self) -> None:
        child, status = os.wait()
        number, folder = self._open.pop(child)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # the server that it started
        shutil.rmtree(folder, ignore_errors=True)
        self._verdicts[number] = _verdict(os.waitstatus_to_exitcode(status))

    def _ask_and_leave(self, source: str, within: float, folder: str) -> None:
        verdict = Verdict.BY_TESTS
        try:
            os.setsid()
            signal.alarm(int(within) + 1)
            os.environ["TMPDIR"] = tempfile.tempdir = folder
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            verdict = self._ask(source)
        finally:
            os._exit(verdict)

    def _ask(self, source: str) -> Verdict:
        sys.meta_path.insert(0, Mutated(self._module, source))
        try:
            importlib.import_module(self._module)
        except Exception:  # noqa: BLE001  # whatever a mistake raises
            return Verdict.BROKEN
        if self._tests == "tests" and not _vectors_hold(self._module):
            return Verdict.BY_VECTORS
        return Verdict.CONTENT if _tests_pass(self._module, self._tests) else Verdict.BY_TESTS


def _verdict(left: int) -> Verdict:
    if left < 0:
        return Verdict.HANGS if left == -signal.SIGALRM else Verdict.BY_TESTS
    return Verdict(left)


def _vectors_hold(module: str) -> bool:
    from authflow.testing.vectors import FOLDER, wrong

    machines = TARGETS[module].get("vectors")
    try:
        return not machines or next(iter(wrong(FOLDER, machines)), None) is None
    except Exception:  # noqa: BLE001  # as above
        return False


def _tests_pass(module: str, tests: str) -> bool:
    import pytest
    from hypothesis import HealthCheck, Phase, settings

    looking = (Phase.explicit, Phase.generate)  # nobody reads the example that failed
    slow = [HealthCheck.too_slow]
    settings.register_profile("mutants", deadline=None, derandomize=True, phases=looking, suppress_health_check=slow)
    target = TARGETS[module]
    options = [*PYTEST, "-k", target.get(f"{tests}_only", SERVERLESS)]
    if tests == "tests" and "vectors" in target:
        options.append("--noconftest")  # the tests of a decision want no database, so none is imported
    return pytest.main([*options, *target[tests]]) == pytest.ExitCode.OK


def path_of(module: str) -> Path:
    """Return the file of *module*."""
    return ROOT / "src" / Path(*module.split(".")).with_suffix(".py")


def judged(module: str, suspects: Sequence[Mutant], *, tests: str, jobs: int) -> list[Verdict]:
    """Return what the *tests* of *module* say about each of the *suspects*; they must be content with the module."""
    court, began = Court(module, tests=tests, jobs=jobs), time.monotonic()
    if court.judge([path_of(module).read_text("utf-8")], within=300) != [Verdict.CONTENT]:
        sys.exit(f"{module}: {TARGETS[module][tests]} fail without a mutant")
    within = max(SECONDS_LEAST, PATIENCE * (time.monotonic() - began))
    return court.judge([suspect.source for suspect in suspects], within=within)


Said = Counter[tuple[str, Verdict]]
"""How often what was said about the mutants of which operator."""


def survey(module: str, *, most: int, jobs: int) -> Said:
    """Judge mutants of *module*, at most *most* drawn by a seed; print and return what was said."""
    made = mutants(path_of(module).read_text("utf-8"))
    tried = made if len(made) <= most else random.Random(SEED).sample(made, most)  # noqa: S311  # no secret
    said = dict(zip(tried, judged(module, tried, tests="tests", jobs=jobs), strict=True))
    alive = [mutant for mutant in tried if said[mutant] is Verdict.CONTENT]
    if alive and "then" in TARGETS[module]:
        said.update(zip(alive, judged(module, alive, tests="then", jobs=jobs), strict=True))
    count = Counter(said.values())
    print(f"{module}: {len(made)} mutants,", *(f"{count[verdict]} {verdict.name.lower()}" for verdict in Verdict))
    for mutant in tried:
        if said[mutant] in {Verdict.CONTENT, Verdict.HANGS}:
            print(f"  {said[mutant].name} {mutant.operator}", *mutant.change.splitlines(), sep="\n    ", flush=True)
    return Counter((mutant.operator, verdict) for mutant, verdict in said.items())


def _killed_of_tried(said: Said, operator: str = "") -> tuple[int, int]:
    some = Counter(dict.fromkeys(Verdict, 0))
    for (made_by, verdict), count in said.items():
        some[verdict] += count if operator in {"", made_by} else 0
    tried = some.total() - some[Verdict.BROKEN]
    return tried - some[Verdict.CONTENT], tried


def main(arguments: Sequence[str]) -> None:
    """Judge the modules that are named, or all; fail when fewer than `ENOUGH` of them are killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as mfa.gates; all of tests/mutants.toml otherwise")
    parser.add_argument("--most", type=int, default=10_000, help="try that many of each module, drawn by a seed")
    parser.add_argument("--jobs", type=int, default=1, help="judge that many at once")
    options = parser.parse_args(arguments)
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # what is there already is no garbage of any child
    named = [f"authflow.{module}" for module in options.modules]
    said = sum((survey(module, most=options.most, jobs=options.jobs) for module in named or TARGETS), Counter())
    for operator in sorted({operator for operator, _ in said}):
        print("{:4} of {:4} killed:".format(*_killed_of_tried(said, operator)), operator)
    killed, tried = _killed_of_tried(said)
    print(f"{killed:4} of {tried:4} killed, {killed / max(tried, 1):.1%}")
    if killed < ENOUGH * tried:
        sys.exit(f"fewer than {ENOUGH:.0%} were killed")


if __name__ == "__main__":
    main(sys.argv[1:])
