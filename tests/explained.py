"""Writes down how commands were refused: the source of docs/explained.json, from which the pages of codes are made.

A plugin: ``python -m pytest -p tests.explained -k "memory or canaries or secret" tests`` adds what those tests see.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parents[1] / "docs" / "explained.json"
DECIDED: Final = ("code", "command", "machine", "state", "rule", "gate")
"""What tells one kind of refusal from another."""


def decided(record: Any) -> tuple[str | None, ...]:
    """Return which refusal a *record* of the logger ``authflow.refused`` is."""
    found = (getattr(record, f"authflow_{name}", None) for name in DECIDED)
    return tuple(None if value is None else str(value) for value in found)


class Refusals(logging.Handler):
    """Keeps each kind of refusal, with every fact that was ever shown with it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[tuple[str | None, ...], dict[str, str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        facts = getattr(record, "authflow_facts", {})
        self.seen[decided(record)] = {**facts, **self.seen.get(decided(record), {})}

    def merged(self, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return *known* and what was seen, sorted; what was known keeps its values."""
        seen = [{**dict(zip(DECIDED, key, strict=True)), "facts": facts} for key, facts in self.seen.items()]
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for entry in (*seen, *known):
            key = tuple(entry[name] for name in DECIDED)
            facts = {**found.get(key, entry)["facts"], **entry["facts"]}
            found[key] = {**entry, "facts": dict(sorted(facts.items()))}
        return [found[key] for key in sorted(found, key=str)]


HANDLER: Final = Refusals()


def pytest_configure() -> None:
    """Listen."""
    logger = logging.getLogger("authflow.refused")
    logger.setLevel(logging.INFO)
    logger.addHandler(HANDLER)


def pytest_sessionfinish() -> None:
    """Write the file."""
    known = json.loads(FILE.read_text("utf-8")) if FILE.exists() else []
    FILE.write_text(json.dumps(HANDLER.merged(known), indent=1) + "\n", "utf-8")
