"""The page of the composition matrix: invitation, single sign-on, second factor and policy, each cell decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pieces import cells, page, prose  # this one is beside this script

from authflow.errors import Code
from authflow.membership.admission import Requirement
from authflow.testing import composition
from authflow.testing.composition import (
    Coming,
    Factor,
    Place,
    Provider,
    Result,
    SecondFactor,
    Settings,
    Way,
    compose,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLUMNS: Final[tuple[tuple[str, Way, Factor], ...]] = (
    ("password", Way.PASSWORD, Factor.NONE),
    ("password, factor owed", Way.PASSWORD, Factor.UNPROVEN),
    ("password, factor", Way.PASSWORD, Factor.PROVEN),
    ("provider", Way.PROVIDER, Factor.NONE),
    ("provider, factor owed", Way.PROVIDER, Factor.UNPROVEN),
    ("provider, factor", Way.PROVIDER, Factor.PROVEN),
    ("new account", Way.NEW_ACCOUNT, Factor.NONE),
    ("linking", Way.LINKING, Factor.NONE),
    ("linking, factor", Way.LINKING, Factor.PROVEN),
)

LEGEND: Final = (
    ("**in**", "they act in the organization"),
    ("**joins**", "they become a member now, and act in it"),
    ("joins, enroll", "they become a member, and act in it once they have a second factor"),
    ("prove", "they have a second factor and are asked for it first; then read the column *factor*"),
    ("enroll", "the organization requires a second factor, and they have none"),
    ("provider", "they sign in through the organization's provider first"),
    ("closed", "only invited people come in: `sso.join_closed`"),
    ("removed", "`sso.member_removed`: an invitation that is newer than the removal is needed"),
    ("expired, wrong", "what the invitation says: `invitation.expired`, `invitation.wrong_user`"),
    ("no", "they are no member: `membership.forbidden`"),
    ("-", "there is no such way in"),
)

WORDS: Final = {
    Code.SESSION_SECOND_FACTOR_OWED: "prove",
    Code.ORGANIZATION_SECOND_FACTOR_REQUIRED: "enroll",
    Code.ORGANIZATION_SSO_REQUIRED: "provider",
    Code.MEMBERSHIP_FORBIDDEN: "no",
    Code.SSO_JOIN_CLOSED: "closed",
    Code.SSO_MEMBER_REMOVED: "removed",
    Code.INVITATION_EXPIRED: "expired",
    Code.INVITATION_WRONG_USER: "wrong",
}

NEEDS: Final = {Requirement.SECOND_FACTOR: "enroll", Requirement.SSO_LINK: "provider"}
"""In the order in which a person is led to them."""


def outcome(result: Result | None) -> str:
    """Return the words of a cell.

    Raises:
        KeyError: There is none for what was decided: the legend lacks a line.
    """
    if result is None:
        return "-"
    if result.open:
        return ", ".join(word for need, word in NEEDS.items() if need in result.open)
    if result.code is None:
        return "**joins**" if result.joined else "**in**"
    said = WORDS[result.code]
    return f"joins, {said}" if result.joined else said


def row(given: Settings, place: Place) -> str:
    """Return one line of a table."""
    found: list[str] = []
    for _, way, factor in COLUMNS:
        coming = Coming(place=place, way=way, factor=factor)
        known = way is Way.NEW_ACCOUNT and place in {Place.MEMBER, Place.ONLY_OWNER}
        found.append("-" if known else outcome(compose(given, coming)))
    return cells(place.value, *found)


def table(given: Settings) -> str:
    """Return the table of one organization and its installation."""
    head = [cells("", *(name for name, _, _ in COLUMNS)), "|---" * (len(COLUMNS) + 1) + "|"]
    return "\n".join([*head, *(row(given, place) for place in Place)])


def headline(given: Settings) -> str:
    """Return what is set, in words."""
    provider = {
        Provider.NONE: "No provider",
        Provider.OPTIONAL: "The provider is optional",
        Provider.REQUIRED: "The provider is required",
    }[given.provider]
    factor = {
        SecondFactor.NOT_REQUIRED: "no second factor is required",
        SecondFactor.COMPOSED: "a second factor is required",
        SecondFactor.EXCLUSIVE: "a second factor was required, and connecting the provider lifted it (`exclusive`)",
    }[given.second_factor]
    if (given.provider, given.second_factor) == (Provider.NONE, SecondFactor.EXCLUSIVE):
        factor = "a second factor is required, and connecting a provider would lift that (`exclusive`)"
    newcomers = "newcomers become members" if given.newcomers else "only invited people come in"
    parts = [provider, factor] if given.provider is Provider.NONE else [provider, factor, newcomers]
    return "; ".join(parts)


def grouped(found: Iterable[Settings]) -> dict[str, list[Settings]]:
    """Return the settings by the table that they have; those that come out alike stand together."""
    tables: dict[str, list[Settings]] = {}
    for given in found:
        tables.setdefault(table(given), []).append(given)
    return tables


def section(drawn: str, alike: Sequence[Settings]) -> str:
    """Return the section of a table, and for which settings it is."""
    title, *others = [headline(given) for given in alike]
    more = "\n\nThe same where: " + ". ".join(other[0].lower() + other[1:] for other in others) + "." if others else ""
    return f"## {title}{more}\n\n{drawn}"


def composition_page() -> str:
    """Return the page of the matrix."""
    return page(
        "# Invitation, single sign-on, second factor and policy",
        prose(composition),
        "A row is what somebody is to the organization. A column is how they come: with a password, through the "
        "provider where they are linked, through it for a new account, whose address they proved, or signed in and "
        "linking what the provider says; and whether they have no second factor, owe it, or have proven it. Asked are "
        "`authflow.sso.finishing.decide`, `authflow.membership.admission.may_accept`, the machine "
        "[membership.member](../machines/membership.member.md), `authflow.sso.access.access` and "
        "`authflow.membership.standing.may_enter`; `authflow.testing.composition` does it, and "
        "`tests/sso/test_composition.py` holds the laws that can be read off it, and "
        "`tests/journey/test_flows_composition.py` plays cell after cell through the flows.",
        "Through the provider no click is needed: an invitation for a verified address of theirs is found. Whoever is "
        "invited and has no account yet clicks, or comes straight through the provider and proves the address by a "
        "mailed link: only then is it known, and told, whether they are among the invited, where only those come in.",
        "Whoever comes from the provider without having been [asked for](unasked.md), where its settings allow that, "
        "has the columns *provider*, if they are linked, and none of the others.",
        "\n".join([cells("in a cell", "means"), "|---|---|", *(cells(*line) for line in LEGEND)]),
        *(section(drawn, alike) for drawn, alike in grouped(settings()).items()),
        "## What can be read off it",
        "- A password never meets required single sign-on: below a required provider no password column says **in**, "
        "but for the only owner, with a second factor of their own.\n"
        "- Nothing leads past a second factor: every column *factor owed* says *prove*, or no.\n"
        "- Where a second factor is required nobody acts without one, however they came.\n"
        "- Whoever has proven one is not asked for another: behind the organization's own provider it counts.\n"
        "- `exclusive` changes exactly what an organization without the requirement has.\n"
        "- Whoever was removed, or holds another person's invitation or one that expired, gains nothing by it.",
    )
