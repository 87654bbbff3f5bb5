"""Reads what a person typed into an invitation: an address, a role, teams. Nothing malformed gets further than here."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, cast

import attrs

from authflow.errors import InputInvalid
from authflow.mailbox import read_address
from authflow.values import Role, TeamId, identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authflow.policy import MembershipPolicy
    from authflow.values import Address

TEAMS_MAX: Final = 32
"""With identifiers of 64 characters the teams fit into one outbox message of 4 KiB beside everything else."""

PAGE_MAX: Final = 1000
"""Rows that one list shows at most."""

TOKEN_MAX: Final = 128
"""Twice the length of a token of ours; what is longer is not even hashed."""


@attrs.frozen(kw_only=True)
class Terms:
    """What was typed, and can be offered."""

    email: Address
    role: Role
    teams: tuple[TeamId, ...] = ()


@attrs.frozen(kw_only=True)
class Malformed:
    """What was typed cannot be offered; *problems* names each field."""

    problems: Mapping[str, str]


def read_terms(*, email: object, role: str, teams: Sequence[str], policy: MembershipPolicy) -> Terms | Malformed:
    """Return what *email*, *role* and *teams* say, or every field that says nothing."""
    address = read_address(email)
    listed, problems = read_teams(teams)
    problems |= role_problem(role, policy)
    if address is None:
        return Malformed(problems={"email": "is not an e-mail address", **problems})
    return Malformed(problems=problems) if problems else Terms(email=address, role=Role(role), teams=listed)


def role_problem(role: str, policy: MembershipPolicy) -> dict[str, str]:
    """Return what is wrong with *role*: only the policy's own roles exist."""
    return {} if policy.rank(role) is not None else {"role": "is not a role of this installation"}


def read_teams(teams: object) -> tuple[tuple[TeamId, ...], dict[str, str]]:
    """Return *teams*, each once and in order, and what is wrong with them."""
    listed = tuple(cast("Collection[object]", teams)) if isinstance(teams, Collection) else ()
    several = isinstance(teams, Collection) and not isinstance(teams, str) and len(listed) <= TEAMS_MAX
    if not several or not well_formed(*listed) or any("," in str(team) for team in listed):
        return (), {"teams": f"must be at most {TEAMS_MAX} identifiers without commas"}
    return tuple(TeamId(team) for team in sorted(set(map(str, listed)))), {}


def page_problems(*, limit: object, after: object) -> dict[str, str]:
    """Return what is wrong with the page that is asked for: *limit* rows behind the id *after*, or from the start."""
    problems = dict[str, str]()
    if type(limit) is not int or not 1 <= limit <= PAGE_MAX:
        problems["limit"] = f"must be a whole number from 1 to {PAGE_MAX}"
    if after is not None and not well_formed(after):
        problems["after"] = "is no id"
    return problems


def well_formed(*identifiers: object) -> bool:
    """Tell whether every one can be an identifier at all; what cannot is never asked of a database."""
    try:
        for text in identifiers:
            identifier(text, field="identifier")
    except InputInvalid:
        return False
    return True
