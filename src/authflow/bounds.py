"""What the values of a policy may be: each check refuses an absurd one by the setting's name."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from authflow.errors import ConfigInvalid
from authflow.values import Budget

if TYPE_CHECKING:
    from collections.abc import Callable

    import attrs

    Field = attrs.Attribute[Any]
    Validator = Callable[[object, Field, object], None]

LIFETIME_MAX: Final = timedelta(days=400)
"""No lifetime of this library is longer: beyond a year it is a mistake in the unit."""


NAME_MAX: Final = 64
"""Names of budgets, roles and kinds stand in columns of this length."""

BUDGET_MAX: Final = 1000
"""No budget is larger: its instants stand in one row (decision 31)."""

_SECOND: Final = timedelta(seconds=1)


def checked(is_sane: Callable[[object], bool], problem: str) -> Validator:
    """Return the check that refuses, with *problem*, what is not sane."""

    def check(instance: object, field: Field, value: object) -> None:
        if not is_sane(value):
            raise ConfigInvalid(setting=f"{type(instance).__name__}.{field.name}", problem=problem)

    return check


def _is_lifetime(value: object) -> bool:
    return isinstance(value, timedelta) and _SECOND <= value <= LIFETIME_MAX


def _is_count(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value.strip()) <= len(value) <= NAME_MAX


def _is_budget(value: object) -> bool:
    if not isinstance(value, Budget):
        return False
    return _is_name(value.name) and _is_count(value.limit, 1, BUDGET_MAX) and _is_lifetime(value.window)


def _are_names(value: object) -> bool:
    return isinstance(value, frozenset) and all(map(_is_name, cast("frozenset[object]", value)))


def _are_ordered(value: object) -> bool:
    if not isinstance(value, tuple):
        return False
    names = cast("tuple[object, ...]", value)
    return all(map(_is_name, names)) and 0 < len(names) == len(set(names))


def count(low: int, high: int) -> Validator:
    """Return the check of a whole number from *low* to *high*."""
    return checked(lambda value: _is_count(value, low, high), f"must be a whole number from {low} to {high}")


def part(kind: type) -> Validator:
    """Return the check of a part, which is a policy of its own."""
    return checked(lambda value: isinstance(value, kind), f"must be a {kind.__name__}")


lifetime = checked(_is_lifetime, f"must be a timedelta of 1 second to {LIFETIME_MAX.days} days")
budget = checked(_is_budget, f"needs a name, a limit of 1 to {BUDGET_MAX} and a window that is a lifetime")
flag = checked(lambda value: type(value) is bool, "must be true or false")
issuer = checked(
    lambda value: _is_name(value) and ":" not in str(value), f"must be 1 to {NAME_MAX} characters without a colon"
)
project = checked(lambda value: value is None or _is_name(value), "must be a project id, or none")
instant = checked(
    lambda value: value is None or (isinstance(value, datetime) and value.utcoffset() is not None),
    "must be an instant with a time zone, or none",
)
names = checked(_are_names, f"must be a frozenset of names of 1 to {NAME_MAX} characters")

ordered = checked(_are_ordered, "must be a tuple that names each role once")
