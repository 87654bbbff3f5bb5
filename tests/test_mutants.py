"""The judges of the mutants: who notices a mistake is known, and what is no mistake survives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants import Verdict, mutants, path_of

ROOT = Path(__file__).parents[1]
MODULE = "authflow.membership.offer"

ASKING = f"""
import json, sys
from tests.mutants import Court
court = Court({MODULE!r}, tests="tests", jobs=2)
print(json.dumps(court.judge(json.load(sys.stdin), within=int(sys.argv[1]))))
"""
"""What an interpreter of its own is told, which has not imported the module."""


def said_of(*sources: str, within: int) -> list[Verdict]:
    command = [sys.executable, "-c", ASKING, str(within)]
    asked = subprocess.run(command, input=json.dumps(sources), cwd=ROOT, capture_output=True, text=True, check=True)
    return [Verdict(number) for number in json.loads(asked.stdout)]


def test_each_mistake_is_noticed_by_whom_it_should_be():
    source = path_of(MODULE).read_text("utf-8")
    changes = {
        Verdict.CONTENT: ('"""Open: at most one', '"""Open: no more than one'),
        Verdict.BY_VECTORS: ("now >= invitation.expires_at", "now > invitation.expires_at"),
        Verdict.BY_TESTS: ("return live and token_of(invitation) == token_digest(token)", "return live"),
        Verdict.BROKEN: ("Waiting = Requested | Pending", "Waiting = Requested & Pending"),
    }
    assert all(source.count(before) == 1 for before, _ in changes.values())
    changed = [source.replace(before, after) for before, after in changes.values()]
    assert said_of(*changed, within=120) == list(changes)


def test_what_never_ends_is_ended():
    assert said_of("while True: pass", within=1) == [Verdict.HANGS]


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("def f(a):\n    if a:\n        g(a)\n", ["if not a:", "if False:", "pass"]),
        ("x = where(a, b)\n", ["x = where( b)", "x = where(a,)"]),
        ("x = f(a, b)\n", ["x = f(a,)"]),
        ("x = a is None\n", ["x = a is not None"]),
        ("x = a | b\n", ["x = a & b"]),
        ("def f(a: int | None) -> int | None: ...\n", []),
    ],
)
def test_the_mistakes_are_those_that_run(source: str, changes: list[str]):
    made = [mutant.change.splitlines()[-1].removeprefix("+").strip() for mutant in mutants(source)]
    assert sorted(made) == sorted(changes)
