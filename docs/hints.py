"""Annotations as a reader sees them: resolved with what only a type checker imports, and spelled without modules."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from importlib import import_module
from types import NoneType, SimpleNamespace, UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    Names = Mapping[str, Any]


DOCUMENTS: Final[Names] = {"Json": Any, "Document": Mapping[str, Any]}
"""What is said of JSON: the alias of the code refers to itself, which nobody can spell."""


@cache
def names(module: str) -> Names:
    """Return the names of *module*, those too that only type checkers see."""
    found = dict(vars(import_module(module)))
    for node in ast.walk(ast.parse(inspect.getsource(import_module(module)))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                with suppress(NameError, TypeError):  # an alias of aliases that exist for type checkers only
                    found.update(_named(statement, found))
    return {**found, **DOCUMENTS}


def _named(statement: ast.stmt, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an import or an alias for type checkers means."""
    if isinstance(statement, ast.ImportFrom) and statement.module:
        home = vars(import_module(statement.module))
        wanted = [alias.name for alias in statement.names]
        home = home if home.keys() >= set(wanted) else names(statement.module)
        return {alias.asname or alias.name: home[alias.name] for alias in statement.names}
    if isinstance(statement, ast.Import):
        return {alias.asname or alias.name: import_module(alias.name) for alias in statement.names}
    if isinstance(statement, ast.Assign):
        return _resolved({ast.unparse(statement.targets[0]): ast.unparse(statement.value)}, known)
    return {}


def _resolved(annotations: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return get_type_hints(SimpleNamespace(__annotations__=dict(annotations)), globalns=dict(known))


def of_function(function: Callable[..., object]) -> dict[str, Any]:
    """Return what each parameter of *function* takes, and under ``return`` what it returns."""
    return get_type_hints(function, globalns=dict(names(function.__module__)))


def of_class(value: type) -> dict[str, Any]:
    """Return what each field of *value* holds, the inherited ones first."""
    found: dict[str, Any] = {}
    for base in reversed(value.__mro__):
        if base.__module__.startswith("authflow."):
            found.update(_resolved(vars(base).get("__annotations__", {}), names(base.__module__)))
    return found


def of_arguments(value: type) -> dict[str, Any]:
    """Return what each field of *value* is given: what it holds, or what its converter says that it takes."""
    found = of_class(value)
    for field in attrs.fields(value):
        taken = Any if field.converter is None else next(iter(of_function(field.converter).values()))
        found[field.name] = found[field.name] if taken is Any else taken
    return found


def alternatives(hint: object) -> tuple[Any, ...]:
    """Return the members of a union, or the one thing that *hint* is."""
    return get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)


def mentioned(hint: object) -> Iterator[Any]:
    """Yield everything that *hint* is made of."""
    yield hint
    for part in get_args(hint):
        for each in part if isinstance(part, list) else [part]:
            yield from mentioned(each)


def spelled(hint: object) -> str:
    """Return *hint* as one writes it, alike on every version of Python."""
    if hint in {None, NoneType}:
        return "None"
    if hint is Ellipsis:
        return "..."
    origin, parts = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return " | ".join(map(spelled, parts))
    if origin is Callable:
        *taken, returned = parts
        takes = f"[{', '.join(map(spelled, taken[0]))}]" if isinstance(taken[0], list) else "..."
        return f"Callable[{takes}, {spelled(returned)}]"
    name = getattr(hint, "__name__", str(hint))
    return f"{name}[{', '.join(map(spelled, parts))}]" if parts else name
