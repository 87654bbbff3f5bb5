"""Releases, environments and their like: what is legal, and how long, in code points and not in bytes (outbox 3.4)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from authflow.events import names
from authflow.events.document import Notes


def checked(function: Any, *arguments: Any) -> tuple[Any, bool]:
    """Return the result, and whether something was noted."""
    notes = Notes()
    return function(*arguments, notes), bool(notes.entries)


@pytest.mark.parametrize(("field", "most"), [("release", 200), ("environment", 64)])
@pytest.mark.parametrize("letter", ["a", "\u00e4", "\u20ac", "\U0001f511"])
def test_a_name_is_measured_in_code_points(field: str, most: int, letter: str) -> None:
    """One, two, three and four bytes a letter: the limit is the same."""
    assert checked(names.name, field, letter * most) == (letter * most, False)
    assert checked(names.name, field, letter * (most + 1)) == (None, True)


@pytest.mark.parametrize("field", ["release", "environment"])
@pytest.mark.parametrize("value", ["a/b", "a\\b", "a\nb", "a\rb", "a\tb", "a\fb", ".", "..", [], {}, True])
def test_a_name_that_is_not_legal_is_removed_and_noted(field: str, value: Any) -> None:
    assert checked(names.name, field, value) == (None, True)


@pytest.mark.parametrize(
    ("field", "word", "legal"),
    [
        ("release", "LaTeSt", False),
        ("environment", "None", False),
        ("release", "none", True),
        ("environment", "latest", True),
    ],
)
def test_reserved_words_are_compared_without_case(field: str, word: str, *, legal: bool) -> None:
    assert checked(names.name, field, word) == ((word, False) if legal else (None, True))


@pytest.mark.parametrize(
    ("value", "kept"), [(None, None), ("", None), ("   ", None), (" 1.0 ", "1.0"), (1.5, "1.5"), ("\u00a01", "1")]
)
def test_a_name_is_trimmed_and_a_blank_one_is_none(value: Any, kept: str | None) -> None:
    assert checked(names.name, "release", value) == (kept, False)


@pytest.mark.parametrize(
    ("value", "kept", "noted"),
    [
        ("a.B_1-", "a.B_1-", False),
        (" x ", "x", False),
        ("", None, False),
        (None, None, False),
        ("x" * 64, "x" * 64, False),
        ("x" * 65, None, True),
        ("a b", None, True),
        ("\u00e4", None, True),
        ([], None, True),
    ],
)
def test_a_dist_is_a_plain_word(value: Any, kept: str | None, *, noted: bool) -> None:
    assert checked(names.dist, value) == (kept, noted)


@pytest.mark.parametrize("letter", ["a", "\u00e4"])
def test_words_are_trimmed_to_their_limit_in_code_points(letter: str) -> None:
    assert checked(names.word, "transaction", letter * 200) == (letter * 200, False)
    assert checked(names.word, "culprit", letter * 201) == (letter * 197 + "...", False)
    assert checked(names.logger, letter * 65) == (letter * 61 + "...", False)
    assert checked(names.word, "culprit", {}) == (None, True)


@pytest.mark.parametrize("value", ["a\nb", "a\rb"])
def test_a_logger_with_a_line_break_is_removed(value: str) -> None:
    assert checked(names.logger, value) == (None, True)


@pytest.mark.parametrize(
    ("value", "kept", "noted"),
    [
        ("Python", "python", False),
        (None, "other", False),
        ("", "other", True),
        ("a b", "other", True),
        ("x" * 65, "other", True),
        (5, "other", True),
    ],
)
def test_a_platform_is_a_plain_word(value: Any, kept: str, *, noted: bool) -> None:
    assert checked(names.platform, value) == (kept, noted)


def test_a_checksum_that_is_no_hash_is_hashed() -> None:
    assert checked(names.checksum, "ABCdef01") == ("ABCdef01", False)
    cut = names.checksum("a" * 129, Notes())
    assert cut == hashlib.sha256(("a" * 125 + "...").encode()).hexdigest()
    assert len(names.checksum("not hex", Notes()) or "") == 64
    assert checked(names.checksum, []) == (None, True)
