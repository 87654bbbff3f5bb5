"""The pieces of a generated page: docstrings as Markdown, tables, links."""

from __future__ import annotations

import inspect
import re
from typing import Final

import attrs

NOTICE: Final = "<!-- Read from the code by docs/generate.py. Edits are lost. -->"


def prose(thing: object) -> str:
    """Return the docstring of *thing* as Markdown; the entries of its Google sections become lists."""
    text = re.sub(r"^::\n\n((?: {4}.*\n?)+)", _fenced, inspect.getdoc(thing) or "", flags=re.MULTILINE)
    lines: list[str] = []
    for line in text.splitlines():
        entry = re.match(r" {4}(\S[^:]*): (.*)", line)
        if entry:
            lines.append(f"- `{entry[1].replace(', ', '`, `')}`: {entry[2]}")
        elif re.fullmatch(r"(Args|Raises|Returns|Yields):", line):
            lines += [f"**{line.replace('Args', 'Fields') if inspect.isclass(thing) else line}**", ""]
        else:
            lines.append(line if not line.startswith(" " * 4) else f"  {line.strip()}")
    return "\n".join(lines)


def _fenced(block: re.Match[str]) -> str:
    """Return a literal block of a docstring as a fenced one."""
    return "```text\n" + re.sub(r"^ {4}", "", block[1], flags=re.MULTILINE).rstrip() + "\n```\n"


def sentence(thing: object) -> str:
    """Return the first paragraph of the docstring of *thing* on one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def described(value: type) -> str:
    """Return the section of a state or command: what it says, and which fields it holds unless it says so itself."""
    names = [f"`{field.name}`" for field in attrs.fields(value)] if attrs.has(value) else []
    holds = f"Holds {', '.join(names)}." if names else "Holds nothing."
    return "\n\n".join([f"### {value.__name__}", prose(value), *([] if "Args:" in (value.__doc__ or "") else [holds])])


def cells(*values: object) -> str:
    """Return one row of a Markdown table."""
    return "| " + " | ".join(str(value).replace("|", "\\|") for value in values) + " |"


def code(value: object) -> str:
    """Return *value* as code, or a dash for nothing."""
    return f"`{value}`" if value else "-"


def page(*blocks: str) -> str:
    """Join the *blocks* of a page."""
    return "\n\n".join([NOTICE, *(block for block in blocks if block)]) + "\n"
