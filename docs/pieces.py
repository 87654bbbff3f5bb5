"""The pieces of a generated page: docstrings as Markdown, tables, links."""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection

DECISIONS: Final = Path(__file__).parent / "decisions.md"

NOTICE: Final = "<!-- Read from the code by docs/generate.py. Edits are lost. -->"


SECTION: Final = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")
ENTRY: Final = re.compile(r" {4}(\S[^:]*): (.*)")

CITATION: Final = re.compile(
    r"^```.*?^```|`[^`]*`"  # never within code
    r"|\b(?P<kind>decision|mfa|sso|outbox|outbox_events)(?P<plural>s?)(?P<gap>\s)"
    r"(?P<numbers>\d+(?:\.\d+)?(?:(?:,?\s(?:and|to)\s|,\s)\d+(?:\.\d+)?)*)",
    re.DOTALL | re.MULTILINE,
)
"""Code, or a kind of decision and its numbers: "decision 35", "decisions 3 and 28", "mfa 15, 18.1, 22"."""


def prose(thing: object, *, without: Collection[str] = ()) -> str:
    """Return the docstring of *thing* as Markdown; the entries of its Google sections become lists.

    Sections *without* which it is wanted, such as ``Args``, are left out.
    """
    lines: list[str] = []
    leaving_out = False
    for line in _text(thing).splitlines():
        leaving_out = leaving_out and (not line or line.startswith(" "))
        if section := SECTION.fullmatch(line):
            leaving_out = section[1] in without
            lines += [] if leaving_out else [f"**{_title(section[1], thing)}:**", ""]
        elif leaving_out:
            continue
        elif entry := ENTRY.match(line):
            lines.append(f"- `{entry[1].replace(', ', '`, `')}`: {entry[2]}")
        else:
            lines.append(line if not line.startswith(" " * 4) else f"  {line.strip()}")
    return "\n".join(lines).rstrip()


def sections(thing: object) -> dict[str, dict[str, str]]:
    """Return the entries of each Google section in the docstring of *thing*: what it says of each name."""
    found: dict[str, dict[str, str]] = {}
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in _text(thing).splitlines():
        if section := SECTION.fullmatch(line):
            entries = found[section[1]] = {}
        elif entry := ENTRY.match(line):
            names = entry[1].split(", ")
            entries |= dict.fromkeys(names, entry[2])
        elif line.startswith(" " * 8):
            entries |= {name: f"{entries[name]} {line.strip()}" for name in names}
        else:
            entries, names = ({}, []) if line else (entries, names)
    return found


def _text(thing: object) -> str:
    """Return the docstring of *thing*: literal blocks fenced, and the names before each colon on one line."""
    text = re.sub(r"^::\n\n((?: {4}.*\n?)+)", _fenced, inspect.getdoc(thing) or "", flags=re.MULTILINE)
    text = re.sub(r"^>>> (?:.+\n?)+", lambda block: f"```pycon\n{block[0].rstrip()}\n```\n", text, flags=re.MULTILINE)
    return re.sub(r"^( {4}\w[\w, ]*,)\n {8}", r"\1 ", text, flags=re.MULTILINE)


def _title(section: str, thing: object) -> str:
    return "Fields" if section == "Args" and inspect.isclass(thing) and attrs.has(thing) else section


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
    """Join the *blocks* of a page, one folder below the page of decisions; each that they cite is linked to it."""
    return "\n\n".join([NOTICE, *(cited(block) for block in blocks if block)]) + "\n"


def cited(text: str) -> str:
    """Return *text* with a link at each decision and rule that it cites.

    Raises:
        KeyError: The page of decisions states no such one.
    """
    return CITATION.sub(_linked, text)


def _linked(found: re.Match[str]) -> str:
    if found["kind"] is None:
        return found[0]
    kind, anchors = found["kind"], _stated()
    named = f"{kind}{found['plural']}{found['gap']}"

    def link(number: re.Match[str]) -> str:
        says = number[0] if number.start() else named + number[0]
        return f"[{says}](../decisions.md#{anchors[f'{kind} {number[0]}']})"

    return re.sub(r"\d+(?:\.\d+)?", link, found["numbers"])


@cache
def _stated() -> dict[str, str]:
    """Return the anchor of each heading of the page of decisions, as Sphinx and code hosts spell it."""
    headings = re.findall(r"^#+ (.+)$", DECISIONS.read_text("utf-8"), re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    earlier = [slugs[:place].count(slug) for place, slug in enumerate(slugs)]  # "mfa 2.1" and "mfa 21" are both mfa-21
    return {
        heading: f"{slug}-{times}" if times else slug
        for heading, slug, times in zip(headings, slugs, earlier, strict=True)
    }
