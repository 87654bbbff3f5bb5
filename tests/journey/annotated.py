"""What the commands of the facade say that they answer: their annotations, read as types and as strategies."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
import types
import typing
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, Flag
from functools import cache
from typing import TYPE_CHECKING, Any, NewType, Union

import attrs
from hypothesis import strategies as st

from authflow import journey
from authflow.command import Command
from authflow.values import UTC, Refused, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from hypothesis.strategies import SearchStrategy


def commands() -> dict[str, Command[..., Any]]:
    """Return every command that a host can repeat, by its name."""
    names = [module.name for module in pkgutil.walk_packages(journey.__path__, f"{journey.__name__}.")]
    classes = [cls for name in names for cls in vars(importlib.import_module(name)).values() if isinstance(cls, type)]
    found = {value for cls in classes for value in vars(cls).values() if isinstance(value, Command)}
    return {command.name: command for command in sorted(found, key=lambda c: c.name) if command.repeatable}


@cache
def namespace(module: ModuleType) -> dict[str, Any]:
    """Return the names of *module*, and those that it imports for type checkers only."""
    names = dict(vars(module))
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.module:
            source = importlib.import_module(node.module)
            names |= {a.asname or a.name: getattr(source, a.name) for a in node.names if hasattr(source, a.name)}
    return names


def resolved(annotation: Any, module: str) -> Any:
    """Return the type that stands in an annotation of *module*."""
    return eval(annotation, namespace(sys.modules[module])) if isinstance(annotation, str) else annotation  # noqa: S307  # our own source


def answers(command: Command[..., Any]) -> tuple[type, ...]:
    """Return every class that *command* says it answers."""
    function = command.function
    said = resolved(function.__annotations__["return"], function.__module__)
    return typing.get_args(said) or (said,)


@cache
def fields(kind: type) -> dict[str, Any]:
    """Return the types of the fields of an attrs class, inherited ones included."""
    homes = {
        field.name: next(cls for cls in kind.__mro__ if field.name in vars(cls).get("__annotations__", {}))
        for field in attrs.fields(kind)
    }
    return {name: resolved(home.__annotations__[name], home.__module__) for name, home in homes.items()}


def parts(kind: Any) -> Iterator[type]:
    """Yield every class of ours that a value of *kind* may consist of, itself included."""
    seen: set[Any] = set()
    waiting = [kind]
    while waiting:
        one = waiting.pop()
        waiting += typing.get_args(one)
        if one in seen or not isinstance(one, type):
            continue
        seen.add(one)
        if attrs.has(one):
            waiting += fields(one).values()
        if attrs.has(one) or issubclass(one, Enum):
            yield one


TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)
"""With NUL, and with halves of characters."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)

SIMPLE: Mapping[Any, SearchStrategy[Any]] = {
    str: TEXTS,
    int: st.integers(),
    bool: st.booleans(),
    type(None): st.none(),
    object: JSON,
    Secret: TEXTS.map(Secret),
    datetime: st.datetimes(timezones=st.just(UTC)),
    timedelta: st.timedeltas(),
}


def strategy(kind: Any) -> SearchStrategy[Any]:
    """Return a strategy for values of an annotated type; it raises for one that nobody has written down yet."""
    if isinstance(kind, NewType):
        return strategy(kind.__supertype__)
    if kind in SIMPLE:
        return SIMPLE[kind]
    if typing.get_origin(kind) is not None:
        return generic(typing.get_origin(kind), *map(strategy, (a for a in typing.get_args(kind) if a is not ...)))
    if attrs.has(kind):
        return st.builds(kind, **{name: strategy(field) for name, field in fields(kind).items()})
    if issubclass(kind, Flag):
        return st.integers(0, sum(flag.value for flag in kind)).map(kind)
    return st.sampled_from(kind)  # an enumeration, or a type that nobody has written down yet


def generic(origin: Any, *inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Return a strategy for a union or a collection of what *inner* draws."""
    if origin in {Union, types.UnionType}:
        return st.one_of(*inner)
    if origin in {dict, Mapping}:
        return st.dictionaries(*inner, max_size=3)
    (items,) = inner
    return {tuple: st.lists(items, max_size=3).map(tuple), frozenset: st.frozensets(items)}[origin]


def refuses(command: Command[..., Any]) -> bool:
    """Tell whether *command* says that it may refuse."""
    return Refused in answers(command)
