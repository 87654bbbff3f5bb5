"""The frame of the command line: statuses, sentences, and quiet ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

import authflow
from authflow.cli import CLOSED, COMMANDS, INTERRUPTED, main

if TYPE_CHECKING:
    from pathlib import Path

AUTHFLOW = [sys.executable, "-m", "authflow"]


def test_the_script_is_this_function():
    (script,) = entry_points(group="console_scripts", name="authflow")
    assert script.load() is main


def test_without_a_command_it_says_what_there_is(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert [command.name for command in COMMANDS if f"\n    {command.name} " not in shown] == []


def test_the_version_is_the_packages_own(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"authflow {authflow.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command: object, capsys: pytest.CaptureFixture[str]):
    assert main([command.name, "--help"]) == 0  # type: ignore[attr-defined]
    assert "usage: authflow" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["bogus"], ["keys"], ["keys", "list"], ["machines", "--format", "pdf"]])
def test_arguments_that_make_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "error: " in shown.err


def test_the_module_is_the_command():
    done = subprocess.run([*AUTHFLOW, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"authflow {authflow.__version__}\n")


def test_a_reader_that_has_seen_enough_ends_it_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run([*AUTHFLOW, "machines"], stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (CLOSED, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")  # noqa: PTH110
def test_output_that_cannot_be_written_is_an_error_and_no_traceback():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run([*AUTHFLOW, "machines"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: system: ")
    assert b"Traceback" not in done.stderr


def test_ctrl_c_ends_it_quietly(tmp_path: Path):
    ring = str(tmp_path / "keys.json")
    assert main(["keys", "new", "--file", ring]) == 0
    assert main(["keys", "rotate", "--file", ring]) == 0
    older = authflow_keys(ring)[-1]
    asking = [*AUTHFLOW, "keys", "retire", older, "--file", ring]
    with subprocess.Popen(asking, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        shown = b""
        while not shown.endswith(b"Type yes: "):
            shown += running.stderr.read(1)
        running.send_signal(signal.SIGINT)
        _, after = running.communicate()
    assert (running.returncode, after) == (INTERRUPTED, b"")
    assert older in authflow_keys(ring)


def authflow_keys(ring: str) -> list[str]:
    from authflow.adapters.keys import KeyRing

    return [key.id for key in KeyRing.load(ring).keys]


def test_a_terminal_that_cannot_show_a_character_is_no_reason_to_fail():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*AUTHFLOW, "machines"], capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
