"""The pages of codes: what each means, who says it, what is shown of it, and what a host does about it."""

from __future__ import annotations

import ast
import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from advice import ADVICE  # these four are beside this script
from calls import commands, services
from links import exceptions
from pieces import cells, code, page, sentence

import authflow
from authflow.errors import CATALOGUE, AuthflowError, Code, DatabaseUnavailable, Meaning, Retryable
from authflow.integrations._shared import BUSY_FOR, FAULT, OURS
from authflow.testing.vectors import load
from authflow.testing.vectors.folder import FOLDER
from authflow.testing.vectors.sharing import resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DOCS: Final = Path(__file__).parent

ANSWERED: Final[dict[str, list[str]]] = json.loads((DOCS / "answered.json").read_text("utf-8"))
"""Which commands answer with which code; `tests/test_canaries.py` compares what it sees."""

EXPLAINED: Final[list[dict[str, Any]]] = json.loads((DOCS / "explained.json").read_text("utf-8"))
"""How commands were refused in tests, written by ``tests/explained.py``; `tests/test_error_pages.py` compares it."""

REPEATABLE: Final = {
    command.name for service in services().values() for command in commands(service).values() if command.repeatable
}
"""The commands that take an idempotency key."""

BY_THE_KEY: Final = {Code.IDEMPOTENCY_CONFLICT, Code.IDEMPOTENCY_KEY_INVALID, Code.IDEMPOTENCY_TOO_LARGE}
"""What each of them answers for the key's sake."""

FAMILIES: Final = {
    "session": "Sessions and sign-in",
    "mfa": "Second factors",
    "invitation": "Invitations",
    "membership": "Members",
    "organization": "Organizations",
    "account": "Accounts",
    "sso": "Single sign-on",
    "event": "Events",
    "outbox": "Outbox",
    "idempotency": "Repeated commands",
}
"""What the codes of a slice are about; every other beginning is of the installation."""

INSTALLATION: Final = "The installation, and bugs"


class Decided(NamedTuple):
    """A row of a machine's table that gives a code."""

    machine: str
    rule: str
    state: str
    command: str


# --- what there is --------------------------------------------------------------------------------------------------


@cache
def decided() -> Mapping[str, frozenset[Decided]]:
    """Return the rows of all tables that give each code, as the test vectors have it."""
    found: dict[str, set[Decided]] = {}
    for file in sorted(FOLDER.glob("*.*.json")):
        document: Any = load(file.stem)
        rules = {(row["state"], row["command"]): row["rule"] for row in document["table"]["rows"]}
        for step in document["steps"]:
            state, command, answer = (
                resolved(step.get(part, {}), document["constants"]) for part in ("state", "command", "answer")
            )
            for given in _codes(answer):
                where = (state["type"], command["type"])
                found.setdefault(given, set()).add(Decided(file.stem, rules[where], *where))
    return {given: frozenset(rows) for given, rows in found.items()}


def _codes(stored: Any) -> Iterator[str]:  # noqa: ANN401  # any JSON
    """Yield every code inside of *stored*."""
    if isinstance(stored, dict):
        stored = list(stored.values())
    if isinstance(stored, list):
        for item in stored:
            yield from _codes(item)
    elif stored in CATALOGUE:
        yield stored


@cache
def functions() -> Mapping[str, tuple[str, ...]]:
    """Return what the docstring of each function of the library says, by its name without a leading underscore."""
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted(Path(authflow.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                said = (ast.get_docstring(node) or "").partition("\n\n")[0]
                found[node.name.lstrip("_")] = (*found.get(node.name.lstrip("_"), ()), " ".join(said.split()))
    return found


# --- the parts of a page --------------------------------------------------------------------------------------------


def refusers(value: Code) -> set[str]:
    """Return the commands that tests have seen refuse with *value*; under a key each can, for a reason of the key."""
    seen = {*ANSWERED.get(value, ()), *(entry["command"] for entry in EXPLAINED if entry["code"] == value)}
    return seen | REPEATABLE if value in BY_THE_KEY else seen


def code_page(value: Code, meaning: Meaning, raised: type[AuthflowError] | None) -> str:
    """Return the page of one code."""
    seen = [entry for entry in EXPLAINED if entry["code"] == value]
    commands = sorted(refusers(value))
    return page(
        f"({value})=\n# {value}",
        f"**{meaning.sentence}**",
        f"**What to do:** {ADVICE[value]}",
        f"## To a client\n\nSuggested HTTP status: {meaning.http}. An [integration](../embedding/index.md) answers "
        "this; where there is more to say, it fills the last three, the wait in seconds:",
        _fenced(_body(value, meaning, raised)),
        f"## Where it comes from\n\n{_given(raised)}",
        f"Answered by {', '.join(map(_command, commands))}." if commands else "",
        _rows(decided().get(value, ())),
        _gates(sorted({entry["gate"] for entry in seen if entry["gate"]})),
        _explanation(seen),
    )


def _command(name: str) -> str:
    service, _, method = name.partition(".")
    return f"[`{name}`](../reference/{service}.md#{method})"


def _fenced(value: object) -> str:
    return f"```json\n{json.dumps(value, indent=2)}\n```"


def _body(value: Code, meaning: Meaning, raised: type[AuthflowError] | None) -> dict[str, object]:
    said = FAULT if raised and meaning.http >= OURS else meaning.sentence
    wait = (
        math.ceil(BUSY_FOR.total_seconds()) if issubclass(raised or object, Retryable | DatabaseUnavailable) else None
    )
    return {"code": value, "message": said, "attempts_left": None, "retry_after": wait, "problems": {}}


def _given(raised: type[AuthflowError] | None) -> str:
    if raised is None:
        return "Carried by an answer (`Refused.code`, or the outcome of an invitation): nothing is raised."
    bases = [base.__name__ for base in raised.__mro__[1:] if issubclass(base, AuthflowError)]
    return f"Raised as `{raised.__name__}`, {_article(bases[0])} {code(bases[0])}: {sentence(raised)}"


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"


def _rows(found: Iterable[Decided]) -> str:
    """Return the table of the rows that give a code, those of one rule together."""
    grouped: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for row in found:
        grouped.setdefault((row.machine, row.rule), set()).add((row.state, row.command))
    lines = [
        cells(
            f"[{machine}](../machines/{machine}.md)",
            code(rule),
            ", ".join(sorted({code(state) for state, _ in where})),
            ", ".join(sorted({code(command) for _, command in where})),
        )
        for (machine, rule), where in sorted(grouped.items())
    ]
    head = [cells("machine", "rule", "in the state", "on the command"), "|---|---|---|---|"]
    return "\n".join(["Rows of a machine's table that decide so:", "", *head, *lines]) if lines else ""


def _gates(names: Iterable[str]) -> str:
    """Return the list of the checks in front of a machine that give a code."""
    lines = []
    for name in names:
        said = [text for text in functions().get(name, ()) if text]
        lines.append(f"- `{name}`" + (f": {said[0]}" if len(said) == 1 else ""))
    return "\n".join(["Checks in front of a machine that say so (`gate`):", "", *lines]) if lines else ""


def _explanation(seen: Iterable[Mapping[str, Any]]) -> str:
    """Return an example of ``Refused.why``, the one with the fewest facts, and every fact that it may tell."""
    told = sorted((entry for entry in seen if entry["facts"]), key=lambda entry: (len(entry["facts"]), str(entry)))
    if not told:
        return ""
    example = {name: told[0][name] for name in ("command", "rule", "gate", "machine", "state", "facts")}
    more = sorted({fact for entry in told for fact in entry["facts"]} - example["facts"].keys())
    others = f"Other commands and states also tell {', '.join(map(code, more))}." if more else ""
    head = (
        "## Why\n\nAn example of `Refused.why`, which is for your log and never for a client "
        "([observability](../observability.md)):"
    )
    return "\n\n".join(block for block in (head, _fenced(example), others) if block)


# --- pages ----------------------------------------------------------------------------------------------------------


def index_page() -> str:
    """Return the page that lists all codes, by what they are about."""
    blocks: list[str] = []
    raised = {exception.code for exception in exceptions()}
    for title in (*FAMILIES.values(), INSTALLATION):
        rows = [
            cells(f"[{value}](../errors/{value}.md)", meaning.sentence, meaning.http, _kind(value, raised))
            for value, meaning in CATALOGUE.items()
            if FAMILIES.get(value.partition(".")[0], INSTALLATION) == title
        ]
        head = [cells("code", "what it says", "HTTP", "given as"), "|---|---|---|---|"]
        blocks += [f"## {title}", "\n".join([*head, *rows])]
    return page(
        "# Codes",
        "Every way in which authflow says no, each with a page of its own: what to do about it, what a client is told, "
        "and who says so. A code is never renamed. What a person outside can cause is an answer that carries a code; "
        "an exception means that the host or the installation has to do something. The commands that are named with a "
        "code are those that the tests have seen answer so.",
        *blocks,
        "```{toctree}\n:glob:\n:hidden:\n\n../errors/*\n```",
    )


def _kind(value: Code, raised: Iterable[Code]) -> str:
    return "exception" if value in raised else "answer"


def code_pages() -> dict[Path, str]:
    """Return the page of each code and the one that lists them, by path."""
    raised = {exception.code: exception for exception in exceptions()}
    return {
        DOCS / "reference" / "errors.md": index_page(),
        **{
            DOCS / "errors" / f"{value}.md": code_page(value, meaning, raised.get(value))
            for value, meaning in CATALOGUE.items()
        },
    }
