"""Private files: who may read them, and that they are whole."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from authflow.adapters.keyfile import FILE_BYTES_MAX, create_private, read_private, replace_private
from authflow.errors import KeysInvalid, KeysMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("write", [create_private, replace_private])
def test_only_the_owner_may_read(path: Path, write: Callable[[Path, str], None], umask: int) -> None:
    before = os.umask(umask)
    try:
        write(path, "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_private(path) == "text"


@pytest.mark.parametrize("mode", [0o600 | 1 << bit for bit in range(6)])
def test_any_right_of_others_is_refused_with_the_cure(path: Path, mode: int) -> None:
    create_private(path, "text")
    path.chmod(mode)
    with pytest.raises(KeysInvalid, match=f"chmod 600 {path}"):
        read_private(path)


def test_the_owner_may_have_less(path: Path) -> None:
    create_private(path, "text")
    path.chmod(0o400)
    assert read_private(path) == "text"


def test_a_missing_file_is_missing(path: Path) -> None:
    with pytest.raises(KeysMissing, match=str(path)):
        read_private(path)


def test_what_is_not_a_readable_file_is_invalid(path: Path) -> None:
    path.mkdir()
    for place in (path, path / "keys.json"):
        path.chmod(0o700)
        (path / "keys.json").mkdir(exist_ok=True)
        with pytest.raises(KeysInvalid):
            read_private(place)


def test_a_huge_file_is_refused(path: Path) -> None:
    create_private(path, "x" * FILE_BYTES_MAX)
    assert len(read_private(path)) == FILE_BYTES_MAX
    replace_private(path, "x" * (FILE_BYTES_MAX + 1))
    with pytest.raises(KeysInvalid, match="larger"):
        read_private(path)


def test_foreign_bytes_do_not_pass_as_text(path: Path) -> None:
    create_private(path, "x")
    path.write_bytes(b"\xff\xfe{}")
    assert not read_private(path).isascii()


def test_creating_never_replaces(path: Path) -> None:
    create_private(path, "first")
    with pytest.raises(KeysInvalid, match="cannot be written"):
        create_private(path, "second")
    assert read_private(path) == "first"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_of_many_who_create_at_once_one_wins(path: Path) -> None:
    def attempt(number: int) -> str | None:
        try:
            create_private(path, f"ring {number}")
        except KeysInvalid:
            return None
        return f"ring {number}"

    with ThreadPoolExecutor(16) as pool:
        winners = [text for text in pool.map(attempt, range(16)) if text is not None]
    assert winners == [read_private(path)]


@pytest.mark.parametrize("write", [create_private, replace_private])
def test_a_place_that_cannot_be_written_is_invalid(path: Path, write: Callable[[Path, str], None]) -> None:
    with pytest.raises(KeysInvalid, match="cannot be written"):
        write(path / "no" / "folder", "text")


def test_replacing_follows_a_link(path: Path, tmp_path: Path) -> None:
    create_private(path, "first")
    link = tmp_path / "link.json"
    link.symlink_to(path)
    replace_private(link, "second")
    assert link.is_symlink()
    assert read_private(path) == "second"


def test_no_draft_stays_behind_a_failure(path: Path) -> None:
    path.mkdir()
    with pytest.raises(KeysInvalid):
        replace_private(path, "text")
    assert list(path.parent.iterdir()) == [path]
