"""The QR code in the terminal is the QR code."""

from __future__ import annotations

import io
from typing import Final

import pytest
import segno

from authflow.cli.demo.qr import BRIGHT, PLAIN, QUIET_ZONE, drawn
from authflow.errors import ExtraMissing

URI: Final = "otpauth://totp/authflow:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=authflow"

HALVES: Final = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
"""Dark modules are left to the background."""


class Screen(io.TextIOWrapper):
    def __init__(self, encoding: str, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def modules(lines: list[str]) -> list[list[int]]:
    """Return the modules that the characters draw, row by row."""
    return [[HALVES[character][half] for character in line] for line in lines for half in (0, 1)]


@pytest.mark.parametrize("terminal", [False, True])
def test_it_is_drawn_module_by_module(terminal: bool):  # noqa: FBT001
    shown = drawn(URI, stream=Screen("utf-8", terminal=terminal))
    assert shown is not None
    lines = [line.removeprefix("    ").removeprefix(BRIGHT).removesuffix(PLAIN) for line in shown.splitlines()]
    expected = [list(row) for row in segno.make_qr(URI).matrix_iter(border=QUIET_ZONE)]
    assert modules(lines)[: len(expected)] == expected
    assert all(len(line) <= 96 for line in lines)


def test_colours_are_for_terminals_only():
    assert "\x1b" not in str(drawn(URI, stream=Screen("utf-8", terminal=False)))
    assert "\x1b" in str(drawn(URI, stream=Screen("utf-8", terminal=True)))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_without_blocks_gets_none(encoding: str):
    assert drawn(URI, stream=Screen(encoding, terminal=True)) is None


def test_without_the_extra_it_says_which_one_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "segno", None)
    with pytest.raises(ExtraMissing, match=r"\[qr\]"):
        drawn(URI, stream=Screen("utf-8", terminal=True))
