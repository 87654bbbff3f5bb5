"""How a document is laid out as text: one line for each thing that may change, so that a difference reads itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from authflow.testing.vectors.scalars import Json

DEPTHS: Final = {"table": 2, "types": 2, "explored": 0, "kept": 0, "constants": 1, "steps": 2, "traces": 4}
"""How many levels of a part are spread over lines; what lies deeper stands on one."""


def text(document: dict[str, Json]) -> str:
    """Return *document* as the text of its file."""
    parts = [f" {_one_line(key)}: {_spread(value, DEPTHS.get(key, 0), ' ')}" for key, value in document.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _spread(value: Json, depth: int, indent: str) -> str:
    if not depth or not value or not isinstance(value, dict | list):
        return _one_line(value)
    inner = indent + " "
    if isinstance(value, list):
        lines = [_spread(one, depth - 1, inner) for one in cast("list[object]", value)]
        return f"[\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}]"
    pairs = cast("dict[str, Json]", value).items()
    lines = [f"{_one_line(key)}: {_spread(one, depth - 1, inner)}" for key, one in pairs]
    return f"{{\n{inner}" + f",\n{inner}".join(lines) + f"\n{indent}}}"


def _one_line(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
