"""The harness kills where it says, tells what was told, and hides no failure of the child."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from authflow.adapters.sql.tap import Event, Kind
from authflow.testing.crashes import CrashHarnessError, Outside, deaths, undisturbed
from authflow.testing.faults import Side
from authflow.values import Secret

if TYPE_CHECKING:
    from pathlib import Path

STEPS = [Event(Kind.BEGIN, "BEGIN"), Event(Kind.STATEMENT, "INSERT"), Event(Kind.COMMIT, "COMMIT")]


def act(outside: Outside) -> str:
    for event in STEPS:
        outside.tap.before(event)
        outside.tell(event.text)
        outside.tap.after(event)
    return "done"


def nothing() -> None:
    """There is nothing to put back."""


def test_every_point_is_one_death_and_what_was_told_before_is_known():
    found = list(deaths(act, prepare=nothing))
    assert [(death.point.side, death.point.text) for death in found] == [
        (side, event.text) for event in STEPS for side in Side
    ]
    assert [len(death.told) for death in found] == [0, 1, 1, 2, 2, 3]
    assert "killed after point 6, commit: COMMIT" in found[-1].name


def test_a_life_tells_what_came_of_it():
    life = undisturbed(act, prepare=nothing)
    assert (life.returned, life.told) == ("done", ("BEGIN", "INSERT", "COMMIT"))
    assert [point.number for point in life.points] == [1, 2, 3, 4, 5, 6]


def test_each_run_is_prepared(tmp_path: Path):
    file = tmp_path / "rows"

    def append(outside: Outside) -> int:
        with file.open("a") as rows:
            rows.write("x")
        outside.tap.before(STEPS[0])
        return len(file.read_text())

    prepared: list[int] = []

    def prepare() -> None:
        file.unlink(missing_ok=True)
        prepared.append(1)

    assert len([file.read_text() for _ in deaths(append, prepare=prepare)]) == 1
    assert len(prepared) == 2
    assert undisturbed(append, prepare=prepare).returned == 1


def test_what_the_child_raises_is_told():
    def fail(_outside: Outside) -> None:
        msg = "on purpose"
        raise RuntimeError(msg)

    with pytest.raises(CrashHarnessError, match="on purpose"):
        list(deaths(fail, prepare=nothing))
    with pytest.raises(CrashHarnessError, match="on purpose"):
        undisturbed(fail, prepare=nothing)


def test_a_secret_does_not_leave_the_child():
    with pytest.raises(CrashHarnessError, match="cannot be sent"):
        undisturbed(lambda _: Secret("hidden"), prepare=nothing)


def test_a_child_that_just_ends_is_an_error():
    with pytest.raises(CrashHarnessError, match="before it said anything"):
        undisturbed(lambda _: os._exit(3), prepare=nothing)


def test_nobody_is_left_behind():
    def die(outside: Outside) -> None:
        outside.tell(os.getpid())
        outside.tap.before(STEPS[0])

    (death,) = deaths(die, prepare=nothing)
    (child,) = death.told
    assert child != os.getpid()
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
