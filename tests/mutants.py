"""Mutation testing of the decisions and of the single-use SQL: ``nox -s mutants``; `docs/mutants.md` has the figures.

Cosmic Ray makes the mutants, and three operators of our own for the ways in which guards get lost. Each mutant lives in
a forked child alone, whose import of the module is answered with the mutated source: no file is ever changed, and what
the tests import of others is loaded once, in the parent.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
import tomllib
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import cosmic_ray.ast  # noqa: F401  # before its plugins: they import each other in a circle
import parso
from cosmic_ray.mutating import mutate_code
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
    "authflow.facts.table",
    "authflow.command",
)
"""What the judges import and no target changes."""

ALREADY: Final = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
PYTEST: Final = ("-q", "-x", "--no-header", "-W", ALREADY, "-p", "no:xdist", "-p", "no:cov", "-p", "no:cacheprovider")
SERVERLESS: Final = "not postgresql and not mariadb and not asyncpg and not psycopg"
PATIENCE: Final = 5
"""A mutant hangs when it takes that many times what the module itself takes, and `SECONDS_LEAST` at least."""

SECONDS_LEAST: Final = 20
SAME: Final = {ast.Is: ast.Eq, ast.IsNot: ast.NotEq}
SEED: Final = 3
ENOUGH: Final = 0.95
SAME_BY_NATURE: Final = frozenset(
    {
        "core/RemoveDecorator",  # @frozen, @property, @overload: either the import fails, or a type checker's matter
        "core/ExceptionReplacer",  # puts a name there that does not exist
        "core/VariableReplacer",
        "core/VariableInserter",
    }
)
ARITHMETIC: Final = frozenset({"Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul"})
"""One replacement of each arithmetic sign says as much as all eleven; ``|`` and ``&`` join types and flags."""


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
    """Lose an argument that stands by its place: ``where(mine, unused)`` becomes ``where(mine)``."""

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[object, object]]:
        if node.type == "arglist":
            yield from ((child.start_pos, child.end_pos) for child in self._by_place(node))

    def mutate(self, node: NodeOrLeaf, index: int) -> NodeOrLeaf:
        lost = node.children.index(self._by_place(node)[index])
        del node.children[lost : lost + 2]
        return node

    @staticmethod
    def _by_place(node: NodeOrLeaf) -> list[NodeOrLeaf]:
        return [n for n in node.children[::2] if n.type != "argument" or n.children[0].get_code().strip() == "*"]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("f(a, *b, c=d)", "f(*b, c=d)"),)


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
        binary = name.removeprefix("core/ReplaceBinaryOperator_")
        if name not in SAME_BY_NATURE and (binary == name or binary in ARITHMETIC):
            yield name, get_operator(name)()
    yield from ((made.__name__, made()) for made in (Guarded, Argument, Statement))


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of *source* that is another program: no two alike, none that differs in types alone."""
    found = {_shape(source): Mutant(operator="none", source=source, change="")}
    for name, operator in _operators():
        occurrence = 0
        while (mutated := mutate_code(source, operator, occurrence)) is not None:
            occurrence += 1
            shape = _shape(mutated)
            if shape is not None:
                change = _change(source, mutated)
                found.setdefault(shape, Mutant(operator=name.removeprefix("core/"), source=mutated, change=change))
    return list(found.values())[1:]


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


class Verdict(Enum):
    """What the judges say."""

    CONTENT = auto()
    REFUSED = auto()
    HANGS = auto()


def judge(module: str, source: str, *, within: float, tests: str = "tests") -> Verdict:
    """Let the *tests* of *module* look at *source* in a child of its own, for so many seconds."""
    child = os.fork()
    if child == 0:
        _judge_and_leave(module, source, within, tests)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return Verdict.HANGS
    return Verdict.CONTENT if status == 0 else Verdict.REFUSED


def _judge_and_leave(module: str, source: str, within: float, tests: str) -> None:
    content = False
    try:
        signal.alarm(int(within) + 1)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.meta_path.insert(0, Mutated(module, source))
        content = (tests != "tests" or _vectors_hold(module)) and _tests_pass(module, tests)
    finally:
        os._exit(0 if content else 1)


def _vectors_hold(module: str) -> bool:
    from authflow.testing.vectors import FOLDER, wrong

    machines = TARGETS[module].get("vectors")
    return not machines or next(iter(wrong(FOLDER, machines)), None) is None


def _tests_pass(module: str, tests: str) -> bool:
    import pytest

    only = TARGETS[module].get(f"{tests}_only", SERVERLESS)
    return pytest.main([*PYTEST, "-k", only, *TARGETS[module][tests]]) == pytest.ExitCode.OK


def path_of(module: str) -> Path:
    """Return the file of *module*."""
    return ROOT / "src" / Path(*module.split(".")).with_suffix(".py")


def content_with(module: str, suspects: list[Mutant], *, tests: str) -> tuple[list[Mutant], int]:
    """Return the mutants among *suspects* that the *tests* of *module* are content with, and how many others hung."""
    began = time.monotonic()
    if judge(module, path_of(module).read_text("utf-8"), within=300, tests=tests) is not Verdict.CONTENT:
        sys.exit(f"{module}: {TARGETS[module][tests]} fail without a mutant")
    within = max(SECONDS_LEAST, PATIENCE * (time.monotonic() - began))
    verdicts = [judge(module, suspect.source, within=within, tests=tests) for suspect in suspects]
    alive = [s for s, verdict in zip(suspects, verdicts, strict=True) if verdict is Verdict.CONTENT]
    return alive, verdicts.count(Verdict.HANGS)


def survey(module: str, most: int) -> tuple[int, int]:
    """Judge mutants of *module*, at most *most* drawn by a seed; print and return how many were tried and killed."""
    made = mutants(path_of(module).read_text("utf-8"))
    tried = made if len(made) <= most else random.Random(SEED).sample(made, most)  # noqa: S311  # no secret
    alive, hung = content_with(module, tried, tests="tests")
    if alive and "then" in TARGETS[module]:
        alive, more = content_with(module, alive, tests="then")
        hung += more
    killed = len(tried) - len(alive)
    print(f"{module}: {len(made)} mutants, {len(tried)} tried, {killed} killed ({hung} hung), {len(alive)} survived")
    for mutant in alive:
        print(f"  {mutant.operator}", *mutant.change.splitlines(), sep="\n    ", flush=True)
    return len(tried), killed


def main(arguments: Sequence[str]) -> None:
    """Judge the modules that are named, or all; fail when fewer than `ENOUGH` of them are killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as mfa.gates; all of tests/mutants.toml otherwise")
    parser.add_argument("--most", type=int, default=10_000, help="try that many of each module, drawn by a seed")
    options = parser.parse_args(arguments)
    os.environ["CI"] = "derandomized"  # the examples of Hypothesis are the same for every mutant
    for name in PRELOADED:
        importlib.import_module(name)
    named = [f"authflow.{module}" for module in options.modules]
    tried, killed = map(sum, zip(*[survey(module, options.most) for module in named or TARGETS], strict=True))
    if killed < ENOUGH * tried:
        sys.exit(f"fewer than {ENOUGH:.0%} were killed")


if __name__ == "__main__":
    main(sys.argv[1:])
