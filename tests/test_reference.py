"""The pages read well as they stand: a link leads to a page and a heading that exist, a field has a meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.test_decisions import cited

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts),
]
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """Return the text of *page* without its code, in which brackets mean something else."""
    unfenced = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!\[)`[^`\n]*`(?!\])", "", unfenced)


def anchors(page: Path) -> set[str]:
    """Return where links may lead inside *page*: its headings, as a code host spells them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), flags=re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings]
    return {*slugs, *(f"{slug}-{n}" for slug in slugs for n in range(1, slugs.count(slug)))}


def broken(page: Path) -> list[str]:
    """Return the links of *page* that lead nowhere."""
    wrong: list[str] = []
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path):
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Here we are\n[a](gone.md) [b](#there) [c](page.md#here-we-are) [d](https://example.org)", "utf-8"
    )
    assert broken(page) == ["gone.md", "#there"]


GENERATED: Final = [page for page in PAGES if "Read from the code" in page.read_text("utf-8").partition("\n")[0]]


def test_whatever_a_generated_page_cites_is_linked_to_what_it_says():
    unlinked = {page.name: list(cited(re.sub(r"\[[^]]*\]\([^)]*\)", "", prose(page)))) for page in GENERATED}
    assert {page: found for page, found in unlinked.items() if found} == {}


def test_a_citation_leads_to_its_own_heading():
    lines = (ROOT / "docs" / "decisions.md").read_text("utf-8").splitlines()
    wanted = {"decision 9": "decision-9", "mfa 2.1": "mfa-21", "mfa 21": "mfa-21-1", "mfa 20.6": "mfa-206"}
    assert [line[4:] for line in lines if line[4:] in wanted] == ["decision 9", "mfa 2.1", "mfa 20.6", "mfa 21"]
    linked = re.findall(r"\[(\w+ [\d.]+)\]\(\.\./decisions\.md#(.*?)\)", "".join(map(prose, GENERATED)))
    assert {name: anchor for name, anchor in linked if name in wanted}.items() <= wanted.items()
    assert {anchor for _, anchor in linked} >= {"decision-9", "mfa-206"}


def test_no_page_says_what_only_sphinx_can_read():
    roles = {page.name: re.findall(r"\{(?:doc|ref|py:\w+)\}`[^`]*`", page.read_text("utf-8")) for page in PAGES}
    assert {page: found for page, found in roles.items() if found} == {}


def test_every_field_of_an_answer_has_a_meaning():
    page = (ROOT / "docs" / "reference" / "answers.md").read_text("utf-8")
    answers = page.partition("\n## Answers\n")[2].partition("\n## Values\n")[0]
    rows = re.findall(r"^\| `.*\|$", answers, flags=re.MULTILINE)
    assert rows
    assert [row for row in rows if row.endswith("|  |")] == []


@pytest.mark.parametrize(
    ("name", "row"),
    [("facade", "| `sender` | `str` | - |"), ("answers", "| `fields` | `Mapping[str, object]` | - |")],
    ids=["SmtpMailer", "Callback"],
)
def test_a_field_is_shown_as_what_it_is_given_and_not_as_what_becomes_of_it(name: str, row: str):
    assert row in (ROOT / "docs" / "reference" / f"{name}.md").read_text("utf-8")
