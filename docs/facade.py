"""The pages of what a host opens once, and of what each framework adds."""

from __future__ import annotations

import enum
import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import attrs
from answers import described, where  # these four are beside this script
from calls import is_of_class, members, services, signature
from links import documented, facade
from pieces import cells, page, prose, sections

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLED: Final = {"Authflow": "flows", "AsyncAuthflow": "flows", "KeyRing": "ring", "Mailer": "mailer"}
"""What an object is called in the examples whose methods a host calls, or writes."""

INTEGRATIONS: Final = ("flask", "starlette", "django.browser", "django.database", "django.apps")


def facade_section(kind: Any) -> str:  # noqa: ANN401  # a class or a function
    """Return the section of something that a host opens: a function, or a class with its fields and methods."""
    head = [f"## {kind.__name__}", where(kind)]
    if not isinstance(kind, type):
        return "\n\n".join([*head, signature(kind.__name__, kind), documented(kind)])
    made = vars(kind).get("__init__")
    if made is not None and not attrs.has(kind) and not issubclass(kind, enum.Enum) and "Args" in sections(kind):
        head.append(signature(kind.__name__, made, returns=False))
    methods = [method_section(kind, name, found) for name, found in members(kind) if kind.__name__ in CALLED]
    return "\n\n".join(filter(None, [*head, *described(kind), *methods]))


def method_section(kind: type, name: str, method: Any) -> str:  # noqa: ANN401  # a function or a property
    """Return the section of a method that a host calls, or writes."""
    title = f"### {kind.__name__}.{name}"
    if isinstance(method, property):
        return f"{title}\n\n{prose(method)}"
    owner = kind.__name__ if is_of_class(kind, name) else CALLED[kind.__name__]
    return "\n\n".join([title, signature(f"{owner}.{name}", method), documented(method)])


def facade_page() -> str:
    """Return the page of what a host builds once: the flows, the keys, its tables, its mailer."""
    listed = ", ".join(f"[`flows.{name}`]({name}.md)" for name in services())
    return page(
        "# The facade and its settings",
        f"What a host opens once, at its start. Its services: {listed}. What can be tuned: [policies](policy.md).",
        *map(facade_section, facade()),
    )


def integrations_page() -> str:
    """Return the page of the public pieces of each integration."""
    shared = import_module("authflow.integrations._shared")
    rows = [
        cells(f"`here.{name}{'' if isinstance(found, property) else '(answer)'}`", " ".join(prose(found).split()))
        for name, found in members(shared.Browser)
        if name != "cookie"
    ]
    return page(
        "# Integrations",
        "What a start-up and a view call in each framework. `Keeping`, and what a browser has, are alike in all of "
        "them; each is imported from the module of your framework.",
        "## Keeping",
        *described(shared.Keeping),
        "## The browser",
        "In a view, `here = browser()`, which the modules below have each in their own way.",
        "\n".join(["| in a view | does |", "|---|---|", *rows]),
        *(part for name in INTEGRATIONS for part in integration_sections(name)),
    )


def integration_sections(name: str) -> Iterator[str]:
    """Yield the sections of one module of an integration."""
    module = import_module(f"authflow.integrations.{name}")
    yield f"## authflow.integrations.{name}"
    yield prose(module)
    for title, value in vars(module).items():
        if getattr(value, "__module__", "") != module.__name__ or title.startswith("_") or title.endswith("Browser"):
            continue
        if isinstance(value, type):
            yield f"### {title}\n\n{documented(value)}"
        elif inspect.isfunction(value):
            yield f"### {title}\n\n{signature(title, inspect.unwrap(value))}\n\n{documented(value)}"
