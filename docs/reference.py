"""The reference of what a host calls: a page per service, and the pages beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hints  # these are beside this script
from answers import values_page
from calls import commands, services, signature
from codes import BY_THE_KEY, refusers
from facade import facade_page, integrations_page
from links import documented, error_link, linked
from pieces import cells, page, sentence
from policies import policies_page

from authflow.errors import Code
from authflow.outbox.signals import Receivers

if TYPE_CHECKING:
    from authflow.command import Command

DOCS: Final = Path(__file__).parent
FOLDER: Final = DOCS / "reference"

BESIDE: Final = {
    "answers": "Every answer and every value, with its fields.",
    "facade": "What a host opens once: the flows, the key ring, its tables, its mailer.",
    "policy": "Every lifetime, budget and switch, with its default.",
    "integrations": "What Flask, Starlette, FastAPI and Django add.",
    "errors": "Every code: what it means, and what to do about it.",
    "facts": "What each fact leaves behind: audit entry, message, mail.",
}
"""The pages that are no service's."""


def command_section(service: str, method: str, command: Command[..., Any]) -> str:
    """Return what is said of one command: how it is called, what it answers, and what it refuses."""
    returned = hints.of_function(command.function)["return"]
    refusals = [error_link(value) for value in Code if value not in BY_THE_KEY and command.name in refusers(value)]
    keyed = f"taken from `context` ([idempotency](../idempotency.md)): {', '.join(map(error_link, sorted(BY_THE_KEY)))}"
    return "\n\n".join(
        [
            f"## {method}",
            signature(f"flows.{service}.{method}", command.function),
            documented(command),
            f"**Answers:** {linked(returned)}",
            *([f"**Refuses with** (seen in tests): {', '.join(refusals)}"] if refusals else []),
            f"**Idempotency key:** {keyed if command.repeatable else 'none'}",
            *(["**Guesses:** it compares one, and counts it where your rollback cannot undo it"] * command.guesses),
            *(["**Transactions:** none, or its own: call it outside of yours"] * (not command.whole)),
        ]
    )


def said(service: type) -> str:
    """Return the first sentence of a service, without its own name."""
    text = sentence(service)
    _, named, rest = text.partition("``: ")
    return rest[:1].upper() + rest[1:] if named else text


def service_page(name: str, service: type) -> str:
    """Return the page of one service: every command of it, in the order of its class."""
    found = commands(service)
    blocks = [command_section(name, method, command) for method, command in found.items()]
    if service is Receivers:
        called = signature("flows.receivers.add", Receivers.add)
        blocks = ["\n\n".join(["## add", called, documented(Receivers.add)])]
    return page(
        f"# flows.{name}",
        said(service),
        "With [`AsyncAuthflow`](facade.md#asyncauthflow) each of these is awaited." if found else "",
        *blocks,
    )


def index_page() -> str:
    """Return the page that lists the reference."""
    rows = [cells(f"[flows.{name}]({name}.md)", said(kind)) for name, kind in services().items()]
    rows += [cells(f"[{name}]({name}.md)", text) for name, text in BESIDE.items()]
    raised = ", ".join(map(error_link, (Code.DATABASE_BUSY, Code.DATABASE_UNAVAILABLE, Code.DATABASE_COMMIT_UNKNOWN)))
    return page(
        "# Reference",
        "Read from the code. A command is called on its service: `flows.<service>.<command>(...)`. What a person "
        "outside can cause is an answer; the refusals that are listed are those that the tests have seen. What a "
        "command raises is for the host or the installation to cure, and beside what is listed any of them may raise "
        f"a `DatabaseError`: {raised}.",
        "\n".join(["| page | what it holds |", "|---|---|", *rows]),
        "\n".join(["```{toctree}", ":hidden:", "", *services(), *BESIDE, "```"]),
    )


def reference_pages() -> dict[Path, str]:
    """Return every page of the reference by its path."""
    return {
        FOLDER / "index.md": index_page(),
        **{FOLDER / f"{name}.md": service_page(name, kind) for name, kind in services().items()},
        FOLDER / "answers.md": values_page(),
        FOLDER / "facade.md": facade_page(),
        FOLDER / "integrations.md": integrations_page(),
        FOLDER / "policy.md": policies_page(),
    }
