"""The page of what commands answer and take: every class and every name for text, with its fields."""

from __future__ import annotations

import enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs
import hints  # these four are beside this script
from calls import members, shown
from links import documented, linked, values
from pieces import cells, page, prose, sections, sentence

import authflow
from authflow.values import Answer

if TYPE_CHECKING:
    from collections.abc import Collection


def where(kind: Any) -> str:  # noqa: ANN401  # a class, a function or a name for text
    """Return from where *kind* is imported: the outermost package that has it."""
    home = "authflow" if kind.__name__ in authflow.__all__ else _outermost(kind)
    return f"`from {home} import {kind.__name__}`"


def _outermost(kind: Any) -> str:  # noqa: ANN401  # as above
    path = kind.__module__.split(".")
    homes = (".".join(path[:depth]) for depth in range(2, len(path) + 1))
    return next(home for home in homes if getattr(import_module(home), kind.__name__, None) is kind)


def meanings(kind: type) -> dict[str, str]:
    """Return what the docstrings of *kind* and of what it inherits from say of each field or member."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        parts = sections(base) if base.__module__.startswith("authflow.") else {}
        found |= parts.get("Args", {}) | parts.get("Attributes", {})
    return found


def fields_table(kind: type, *, omit: Collection[str] = ()) -> str:
    """Return the fields of a value: what each is given, what it is unless it is given, and what it means."""
    said, types = meanings(kind), hints.of_arguments(kind)
    rows = [
        cells(f"`{field.name}`", linked(types[field.name]), _default(field), said.get(field.name, ""))
        for field in attrs.fields(kind)
        if field.name not in omit
    ]
    return "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows]) if rows else ""


def _default(field: attrs.Attribute[Any]) -> str:
    """Return the default of a field as code, or a dash for one that must be given."""
    if field.default is attrs.NOTHING:
        return "-"
    made = field.default.factory() if hasattr(field.default, "factory") else field.default
    return f"`{shown(made)}`"


def members_table(kind: type[enum.Enum]) -> str:
    """Return the members of an enumeration, with their values where those are plain."""
    said = meanings(kind)
    head = ["member", "value", "meaning"] if said else ["member", "value"]
    rows = [(f"`{kind.__name__}.{each.name}`", f"`{shown(each.value)}`", said.get(each.name, "")) for each in kind]
    return "\n".join([cells(*head), "|---" * len(head) + "|", *(cells(*row[: len(head)]) for row in rows)])


def described(kind: Any) -> list[str]:  # noqa: ANN401  # a class, or a name for text
    """Return the blocks that say what *kind* is and holds."""
    if not isinstance(kind, type):
        return [f"Text of its own type, so that it is not taken for another: `{kind.__name__}(text)`."]
    if issubclass(kind, enum.Enum):
        return [prose(kind, without=("Args", "Attributes")), members_table(kind)]
    omit = ("session",) if issubclass(kind, Answer) else ("_dispose",)
    said = documented(kind) if not attrs.has(kind) else prose(kind, without=("Args", "Attributes"))
    return [said, fields_table(kind, omit=omit) if attrs.has(kind) else ""]


def value_section(kind: Any) -> str:  # noqa: ANN401  # a class, or a name for text
    """Return the section of a class that a command takes or answers."""
    methods = [] if not isinstance(kind, type) or issubclass(kind, enum.Flag) else list(members(kind))
    listed = [f"- `{name}{'' if isinstance(m, property) else '()'}`: {sentence(m)}" for name, m in methods]
    return "\n\n".join(filter(None, [f"### {kind.__name__}", where(kind), *described(kind), "\n".join(listed)]))


def values_page() -> str:
    """Return the page of everything that commands take and answer."""
    names = [kind for kind in values() if not isinstance(kind, type)]
    classes = [kind for kind in values() if isinstance(kind, type)]
    return page(
        "# Answers and values",
        "What commands answer, and what they take. An answer is matched by its class, and its fields are read by "
        "their names. Every answer has one more field than is listed: `session`, the "
        "[`BrowserSession`](#browsersession) that the host keeps from now on; it is `NOBODY` where nobody is signed in "
        "any more, and where the command acted for no browser. The text of a [`Secret`](#secret) is shown by "
        "`reveal()`, and by nothing else.",
        "## Answers",
        *(value_section(kind) for kind in classes if issubclass(kind, Answer)),
        "## Values",
        *(value_section(kind) for kind in classes if not issubclass(kind, Answer)),
        "## Identifiers",
        *map(value_section, names),
    )
