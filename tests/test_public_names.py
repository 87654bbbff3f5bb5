"""The names a host imports: all of them are there, and each stands once in every list."""

from __future__ import annotations

import ast
from pathlib import Path

import authflow


def test_every_public_name_can_be_imported():
    missing = [name for name in authflow.__all__ if getattr(authflow, name, None) is None]
    assert missing == []


def test_the_lazy_table_says_what_the_type_checkers_read():
    tree = ast.parse(Path(authflow.__file__).read_text("utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        (node.module, name.name) for node in guarded.body if isinstance(node, ast.ImportFrom) for name in node.names
    }
    lazy = {(home, name) for home, names in authflow._HOMES.items() for name in names}
    assert typed == lazy
    assert sorted(name for _, name in lazy) == sorted(authflow.__all__)


def test_what_is_no_name_is_an_attribute_error():
    assert not hasattr(authflow, "nothing_of_this_name")
    assert set(authflow.__all__) <= set(dir(authflow))
