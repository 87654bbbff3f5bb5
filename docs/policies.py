"""The page of policies: every decision that an installation may tune, with its default, its limits and its source."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs
import hints  # these two are beside this script
from pieces import cells, page, prose, sections

from authflow import policy
from authflow.values import Budget

if TYPE_CHECKING:
    from collections.abc import Collection

UNITS: Final = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))

INTRODUCTION: Final = """\
Every lifetime, budget and switch of an installation, as the code has it. A policy is given once, when the flows are
opened; whatever is not named keeps its default, and a value that makes no sense is refused (`ConfigInvalid`). What
stands in parentheses is the source: a rule or a decision of [this page](../decisions.md), or a publication.

A signed-in session lasts 14 days from its sign-in, however much it is used: the end is absolute, and nothing moves it.
For another length, say so:

```python
from datetime import timedelta

from authflow import Authflow, MfaPolicy, Policy, SessionPolicy

flows = Authflow.in_memory(  # or Authflow.open(..., policy=...)
    policy=Policy(
        sessions=SessionPolicy(lifetime=timedelta(hours=12)),
        mfa=MfaPolicy(issuer="My app"),
    )
)
assert flows.policy.sessions.lifetime == timedelta(hours=12)
assert flows.policy.sessions.elevation_age == timedelta(minutes=15)
```

A session that begins from now on has the new length; one that stands keeps the end that it was given. Your own session
cookie should last at least as long, or people lose the value before it ends.

`Policy()` is `Policy.strict()`: where a choice has a risk, the other one was made. `Policy.reference_2024()` is what
large installations did in 2024, where that is still a choice and no hole. It differs in one value, whose risk stands
with it [below](#ssopolicy):

```python
from authflow import SsoPolicy

assert Policy() == Policy.strict()
assert Policy.reference_2024() == Policy(sso=SsoPolicy(exclusive_second_factor=True))
```"""


def lasting(span: timedelta) -> str:
    """Return *span* in its largest whole unit."""
    for name, unit in UNITS:
        if span >= unit and not span % unit:
            return _counted(span // unit, name)
    return _counted(int(span.total_seconds()), "second")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def spelled(default: object) -> str:
    """Return a default of a policy as people say it."""
    match default:
        case timedelta():
            return lasting(default)
        case Budget():
            return f"{default.limit} in {lasting(default.window)} (`{default.name}`)"
        case frozenset() | tuple():
            names: Collection[Any] = default
            ordered = names if isinstance(default, tuple) else sorted(names)
            return ", ".join(f"`{name}`" for name in ordered) or "none"
        case None:
            return "none"
        case _:
            return f"`{default!r}`"


def allowed(field: attrs.Attribute[Any]) -> str:
    """Return what a policy's field may be, as its own check says it."""
    return str(inspect.getclosurevars(field.validator).nonlocals["problem"]).removeprefix("must be ")


def policy_section(kind: type, name: str) -> str:
    """Return the section of one policy: each field with its type, its default, what it may be, and what it means."""
    said, types = sections(kind)["Args"], hints.of_class(kind)
    rows = [
        cells(
            f"`{field.name}`",
            f"`{hints.spelled(types[field.name])}`",
            spelled(field.default),
            allowed(field),
            said[field.name],
        )
        for field in attrs.fields(kind)
    ]
    head = ["| field | type | default | may be | meaning |", "|---|---|---|---|---|"]
    given = f"`Policy({name}={kind.__name__}(...))`"
    return "\n\n".join([f"## {kind.__name__}", f"{prose(kind, without=('Args',))} {given}", "\n".join([*head, *rows])])


def policies_page() -> str:
    """Return the page of every policy."""
    parts = [(hints.of_class(policy.Policy)[field.name], field.name) for field in attrs.fields(policy.Policy)]
    budget = (
        "A budget is a `Budget(name=..., limit=..., window=...)`: at most *limit* times in any *window*, however the "
        "window is laid. Its calls are counted under its name, which stands in parentheses; let yours keep it."
    )
    return page(
        "# Policies",
        INTRODUCTION,
        budget,
        *(policy_section(kind, name) for kind, name in parts),
    )
