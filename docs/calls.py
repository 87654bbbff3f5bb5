"""How things are called: signatures, and what a class has that is called."""

from __future__ import annotations

import enum
import inspect
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import hints  # beside this script

import authflow
from authflow.command import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

APART: Final = {"uow", "clock", "policy", "_dispose"}
"""Fields of the facade that are no service."""

WIDE: Final = 100
"""Characters of a signature that still stands on one line."""


def services() -> dict[str, type]:
    """Return the class of every service by its name in the facade."""
    return {name: kind for name, kind in hints.of_class(authflow.Authflow).items() if name not in APART}


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and commands of *kind*, inherited ones too, in the order in which they are written."""
    ours = [base for base in kind.__mro__ if base.__module__.startswith("authflow.")]
    found = {name: value for base in ours for name, value in vars(base).items()}
    for name, value in found.items():
        bare = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if not name.startswith("_") and (isinstance(bare, Command | property) or inspect.isfunction(bare)):
            yield name, bare


def commands(kind: type) -> dict[str, Command[..., Any]]:
    """Return the commands of a service by the names of their methods."""
    return {name: found for name, found in members(kind) if isinstance(found, Command)}


def is_of_class(kind: type, name: str) -> bool:
    """Tell whether *name* is called on the class itself."""
    return isinstance(inspect.getattr_static(kind, name), classmethod | staticmethod)


def shown(default: object) -> str:
    """Return a default as one writes it."""
    match default:
        case authflow.NOBODY:
            return "NOBODY"
        case enum.Enum():
            return f"{type(default).__name__}.{default.name}"
        case MappingProxyType():
            return "{}"
        case timedelta():
            return repr(default).removeprefix("datetime.")
        case _:
            return "..." if " at 0x" in repr(default) else repr(default)


def signature(name: str, function: Callable[..., Any], *, returns: bool = True) -> str:
    """Return how *function* is called under *name*, with its types, as a fenced block."""
    types = hints.of_function(function)
    parts: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in {"self", "cls"}:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not any(part.startswith("*") for part in parts):
            parts.append("*")
        star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = "" if parameter.default is parameter.empty else f" = {shown(parameter.default)}"
        parts.append(f"{star}{parameter.name}: {hints.spelled(types[parameter.name])}{default}")
    back = f" -> {hints.spelled(types['return'])}" if returns else ""
    line = f"{name}({', '.join(parts)}){back}"
    if len(line) > WIDE:
        line = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){back}"
    return f"```py\n{line}\n```"
