"""``authflow vectors``: what it writes is what it checks, and a mistake or a stale file fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authflow.cli import main
from authflow.testing.vectors import FOLDER, SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

NAME = "mfa.recovery"
FILE = f"{NAME}.json"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with the vectors of one machine."""
    assert main(["vectors", "write", NAME, "--out", str(tmp_path)]) == 0
    return tmp_path


def test_it_writes_a_file_and_the_schema(written: Path):
    assert sorted(file.name for file in written.iterdir()) == [FILE, SCHEMA]
    assert [file.read_bytes() == (FOLDER / file.name).read_bytes() for file in written.iterdir()] == [True, True]


def test_what_was_written_is_current(written: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["vectors", "check", NAME, "--out", str(written)]) == 0
    assert "are current" in capsys.readouterr().out


def test_the_package_brings_its_own_files(capsys: pytest.CaptureFixture[str]):
    assert main(["vectors", "check", NAME]) == 0
    assert str(FOLDER) in capsys.readouterr().out


def test_a_wrong_expectation_is_named_with_its_step(written: Path, capsys: pytest.CaptureFixture[str]):
    text = (written / FILE).read_text("utf-8")
    (written / FILE).write_text(text.replace('"remaining": 9', '"remaining": 8'), "utf-8")
    assert main(["vectors", "check", NAME, "--out", str(written)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"wrong: {FILE}: Ready, Consume -> Ready, Done #") for line in lines)
    assert f"stale: {FILE}" in lines


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 1, "table": 5}'])
def test_what_is_no_file_of_vectors_is_said_to_be_none(written: Path, text: str, capsys: pytest.CaptureFixture[str]):
    (written / FILE).write_text(text, "utf-8")
    assert main(["vectors", "check", NAME, "--out", str(written)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"wrong: {FILE}: no file of vectors (")
    assert f"stale: {FILE}" in lines


def test_a_missing_file_and_one_too_many(written: Path, capsys: pytest.CaptureFixture[str]):
    (written / FILE).rename(written / "mfa.paper.json")
    assert main(["vectors", "check", NAME, "--out", str(written)]) == 1
    assert capsys.readouterr().out.splitlines()[-3:-1] == [f"stale: {FILE}", "left over: mfa.paper.json"]
    assert main(["vectors", "write", NAME, "--out", str(written)]) == 0
    assert (written / "mfa.paper.json").is_file()


@pytest.mark.parametrize("action", ["write", "check"])
def test_an_unknown_machine_is_a_usage_error(action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["vectors", action, "mfa.nothing", "--out", str(tmp_path)]) == 2
    assert NAME in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
