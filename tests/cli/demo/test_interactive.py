"""``authflow demo --interactive`` in a real terminal, with a phone that reads what the terminal shows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pyotp
import pytest

from authflow.adapters.system import SystemClock
from authflow.cli.demo.phone import ComputedPhone
from authflow.values import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pty = pytest.importorskip("pty", reason="pseudo-terminals are a thing of POSIX")

PROMPT: Final = "the code your phone shows: "


class Terminal:
    """A pseudo-terminal in which the demo runs, and somebody who types."""

    def __init__(self, temporary: Path) -> None:
        self._mine, theirs = pty.openpty()
        self.shown = ""
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONIOENCODING": "utf-8"}
        self.running = subprocess.Popen(
            [sys.executable, "-m", "authflow", "demo", "--interactive"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        """Read on until *text* is the end of what is shown."""
        while not self.shown.endswith(text):
            assert self._read(), f"it ended before it said {text!r}: {self.shown[-2000:]}"

    def finish(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        return self.running.wait()

    def type(self, text: str) -> None:
        os.write(self._mine, f"{text}\n".encode())

    def secret(self) -> str:
        """Return the secret for which a code is asked: the one shown last."""
        return re.findall(r"secret=([A-Z2-7]{32})", self.shown)[-1]

    def wrong_code(self) -> str:
        return ComputedPhone(Secret(self.secret()), SystemClock()).wrong_code()

    def right_code(self) -> str:
        return pyotp.TOTP(self.secret()).now()

    def story(self) -> str:
        return " ".join(self.shown.split())

    def close(self) -> None:
        self.running.kill()
        self.running.wait()
        os.close(self._mine)

    def _read(self) -> bool:
        try:
            read = os.read(self._mine, 65536)
        except OSError:  # on Linux, how a terminal says that nobody writes any more
            return False
        self.shown += read.decode("utf-8", "replace")
        return bool(read)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


def test_a_person_mistypes_and_then_types_what_their_phone_shows(terminal: Terminal, tmp_path: Path):
    terminal.wait_for(PROMPT)
    terminal.type("")
    terminal.wait_for(PROMPT)
    terminal.type(terminal.wrong_code())
    terminal.wait_for(PROMPT)
    terminal.type(terminal.right_code())
    assert terminal.finish() == 0, terminal.shown
    story = terminal.story()
    assert "Refused mfa.input_invalid" in story
    assert "Refused mfa.code_rejected: This code is not accepted. 4 more tries." in story
    assert "joined: Ada is a member of acme" in story
    burnt = story.partition("mfa.verify totp")[2].partition("mfa.verify recovery")[0]
    assert "Refused mfa.code_rejected" in burnt
    assert "otp_replayed" in burnt
    assert "A recovery code was used. 9 are left." in story
    assert list(tmp_path.iterdir()) == []


def test_in_a_terminal_the_qr_code_has_its_own_colours(terminal: Terminal):
    terminal.wait_for(PROMPT)
    assert "\x1b[40;97m██" in terminal.shown


def test_five_wrong_codes_end_the_story(terminal: Terminal, tmp_path: Path):
    for _ in range(5):
        terminal.wait_for(PROMPT)
        terminal.type(terminal.wrong_code())
    assert terminal.finish() == 1, terminal.shown
    story = terminal.story()
    assert "Refused mfa.enrollment_ended" in story
    assert story.endswith("The story ends here: this enrollment is over; play again, and another one begins.")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_it_quietly_and_leaves_nothing(terminal: Terminal, tmp_path: Path):
    terminal.wait_for(PROMPT)
    before = terminal.shown
    terminal.running.send_signal(signal.SIGINT)
    assert terminal.finish() == 130
    assert terminal.shown == before
    assert list(tmp_path.iterdir()) == []


def test_nobody_at_the_keyboard_ends_the_story():
    command = [sys.executable, "-m", "authflow", "demo", "--interactive", "--no-qr"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "\nThe story ends here: nobody typed a code.\n"
