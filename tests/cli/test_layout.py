"""Plain text in 100 columns: nothing is lost, words stay whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from authflow.cli.layout import WIDTH, columns, table, wrapped

WORDS = st.lists(st.text("abc-", min_size=1, max_size=12), max_size=60).map(" ".join)


@given(WORDS)
def test_wrapped_text_fits_and_loses_no_word(text: str):
    lines = wrapped(text, indent="    ").splitlines()
    assert all(len(line) <= WIDTH for line in lines)
    assert all(not line or line.startswith("    ") for line in lines)
    assert " ".join(lines).split() == text.split()


@given(st.lists(st.tuples(st.text("abc", max_size=20), st.text("abc", max_size=20), WORDS), min_size=1, max_size=5))
def test_columns_fit_and_lose_no_word(rows: list[tuple[str, str, str]]):
    shown = columns(rows, indent="  ")
    assert all(len(line) <= WIDTH for line in shown.splitlines())
    assert sorted(shown.split()) == sorted(word for row in rows for cell in row for word in cell.split())


def test_the_last_column_breaks_under_itself():
    shown = columns([("begin", "word " * 30)])
    first, second = shown.splitlines()
    assert first.index("word") == second.index("word") == len("begin  ")


def test_a_word_is_never_cut():
    secret = "x" * 150
    assert secret in columns([("secret", secret)])
    assert secret in wrapped(secret)


def test_a_table_has_a_head_and_a_rule():
    assert table(["a", "long"], [(1, "2"), ("three", "")]).splitlines() == [
        "a      long",
        "-----  ----",
        "1      2",
        "three",
    ]
