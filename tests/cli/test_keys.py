"""``authflow keys`` on real files."""

from __future__ import annotations

import io
import stat
from typing import TYPE_CHECKING

import pytest

from authflow.adapters.keys import KeyRing
from authflow.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def keys(path: Path, *arguments: str) -> int:
    action, *others = arguments
    return main(["keys", action, "--file", str(path), *others])


def materials(path: Path) -> list[str]:
    return [key.material.reveal() for key in KeyRing.load(path).keys]


def test_new_makes_one_key_that_only_the_owner_reads(path: Path, capsys: pytest.CaptureFixture[str]):
    assert keys(path, "new") == 0
    (key,) = KeyRing.load(path).keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.id in capsys.readouterr().out


def test_new_never_replaces_a_ring(path: Path, capsys: pytest.CaptureFixture[str]):
    assert keys(path, "new") == 0
    before = path.read_bytes()
    assert keys(path, "new") == 1
    assert path.read_bytes() == before
    assert capsys.readouterr().err.startswith("error: keys.invalid: ")


def test_rotate_puts_a_new_key_in_front(path: Path, capsys: pytest.CaptureFixture[str]):
    assert keys(path, "new") == 0
    (old,) = KeyRing.load(path).keys
    assert keys(path, "rotate") == 0
    new, kept = KeyRing.load(path).keys
    assert kept == old
    assert new.id != old.id
    assert f"The key {new.id} is active now." in capsys.readouterr().out


def test_list_shows_the_active_key_first(path: Path, capsys: pytest.CaptureFixture[str]):
    assert keys(path, "new") == keys(path, "rotate") == 0
    capsys.readouterr()
    assert keys(path, "list") == 0
    _, _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [key.id for key in KeyRing.load(path).keys]
    assert ["active" in line for line in lines] == [True, False]


def test_retire_warns_of_what_is_lost_and_removes_the_key(path: Path, capsys: pytest.CaptureFixture[str]):
    assert keys(path, "new") == keys(path, "rotate") == 0
    active, old = KeyRing.load(path).keys
    assert keys(path, "retire", old.id, "--yes") == 0
    assert KeyRing.load(path).keys == (active,)
    warning = " ".join(capsys.readouterr().err.split())
    assert "Recovery codes made while it was active stop working" in warning
    assert "unavailable afterwards: their owners enroll again" in warning


@pytest.mark.parametrize(("typed", "left"), [("yes\n", 1), (" YES \n", 1), ("y\n", 2), ("no\n", 2), ("\n", 2), ("", 2)])
def test_retire_asks_first(
    path: Path, typed: str, left: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert keys(path, "new") == keys(path, "rotate") == 0
    old = KeyRing.load(path).keys[-1]
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert keys(path, "retire", old.id) == left - 1
    assert len(KeyRing.load(path).keys) == left
    assert ("Nothing was changed." in capsys.readouterr().err) is (left == 2)


@pytest.mark.parametrize("which", ["active", "unknown"])
def test_only_an_older_key_of_the_ring_retires(path: Path, which: str, capsys: pytest.CaptureFixture[str]):
    assert keys(path, "new") == keys(path, "rotate") == 0
    before = path.read_bytes()
    key = KeyRing.load(path).active.id if which == "active" else "unknown"
    assert keys(path, "retire", key, "--yes") == 1
    assert path.read_bytes() == before
    assert capsys.readouterr().err.startswith("error: input.invalid: ")


def test_no_command_shows_key_material(path: Path, capsys: pytest.CaptureFixture[str]):
    assert keys(path, "new") == keys(path, "rotate") == keys(path, "list") == 0
    seen = materials(path)
    assert keys(path, "retire", KeyRing.load(path).keys[-1].id, "--yes") == 0
    shown = capsys.readouterr()
    assert len(seen) == 2
    assert [material for material in seen if material in shown.out + shown.err] == []


@pytest.mark.parametrize("action", ["list", "rotate", "retire"])
@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [
        (None, 0o600, "keys.missing"),
        ("", 0o600, "keys.missing"),
        ("no ring", 0o600, "keys.invalid"),
        ('{"version": 1, "keys": []}', 0o600, "keys.invalid"),
        ('{"version": 1, "keys": []}', 0o644, "keys.invalid"),
        ("\udcff", 0o600, "keys.invalid"),
    ],
)
def test_a_file_that_is_no_ring(  # noqa: PLR0917  # pytest passes the parameters
    path: Path, action: str, content: str | None, mode: int, code: str, capsys: pytest.CaptureFixture[str]
):
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        path.chmod(mode)
    assert keys(path, action, *(["some-key"] if action == "retire" else [])) == 1
    assert capsys.readouterr().err.startswith(f"error: {code}: ")


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert keys(tmp_path / "nowhere" / "keys.json", "new") == 1
    assert capsys.readouterr().err.startswith("error: keys.invalid: ")
